/* The faults of a run: a list of those that are asked for, in time order, and a stream of draws for
 * every worker and kind.  A heap knows which of them has the next one. */
#include "sim/chaos.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/heap.h"
#include "core/base/map.h"
#include "core/base/rng.h"

enum { NO_FAULT = UINT32_MAX };
/* In the heap: the list; then streams, of deaths, stalls and outages; then ends of outages, of
 * those asked for and of those drawn. */
enum { ASKED = 0, STREAMS = 1, KINDS = 3 };

/* One that is asked for, of one worker. */
struct asked {
    struct dyno_chaos_fault fault;
    uint32_t order;      /* in the list, for ties */
    uint32_t next_stall; /* of the same worker */
    uint32_t link;       /* the first of a pair ... */
    bool is_out;         /* ... which is down or slow now */
};

/* A stall that has begun, until when and how slow it is. */
struct stall {
    dyno_ns until;
    uint32_t slowness;
};

struct chaos {
    struct dyno_faults base;
    struct dyno_chaos_config config;
    struct asked *asked; /* [asked_count], by time */
    uint32_t asked_count, asked_next;
    uint32_t *stall_next;   /* [workers] the first stall asked for that has not begun */
    struct stall *stalls;   /* [2 x workers]: asked for, drawn */
    struct dyno_rng *draws; /* [KINDS x workers] */
    struct dyno_heap due;
    struct dyno_links *fabric; /* NULL: there are no links */
    const struct dyno_topology_links *places;
    bool *nic_out; /* [workers] as was drawn */
};

static struct chaos *chaos_of(struct dyno_faults *faults)
{
    return (void *)faults; /* its first member */
}

static const struct chaos *const_chaos_of(const void *faults)
{
    return faults;
}

/* ---- links ------------------------------------------------------------------------------------
 */

static uint32_t nic_of(const struct chaos *chaos, uint32_t worker)
{
    return dyno_topology_find_link(chaos->places, DYNO_LINK_NIC, worker);
}

/* The worse of two. */
static uint32_t worse(uint32_t a, uint32_t b)
{
    return a == 0 || b == 0 ? 0 : a > b ? a : b;
}

/* A pair of links is as slow as the worst that is wrong with it now. */
static void set_link(struct chaos *chaos, uint32_t link, dyno_ns now)
{
    uint32_t slowness = 1;

    for (uint32_t i = 0; i < chaos->asked_count; i++) {
        if (chaos->asked[i].is_out && chaos->asked[i].link == link) {
            slowness = worse(slowness, chaos->asked[i].fault.slowness);
        }
    }
    for (uint32_t i = 0; i < chaos->config.worker_count; i++) {
        if (chaos->nic_out[i] && nic_of(chaos, i) == link) {
            slowness = worse(slowness, chaos->config.link_slowness);
        }
    }
    dyno_fabric_slow(chaos->fabric, now, link, slowness);
    dyno_fabric_slow(chaos->fabric, now, link + 1, slowness);
}

static uint32_t first_end(const struct chaos *chaos)
{
    return STREAMS + KINDS * chaos->config.worker_count;
}

static void end_outage(struct chaos *chaos, uint32_t end, dyno_ns now)
{
    dyno_heap_remove(&chaos->due, first_end(chaos) + end);
    if (end < chaos->asked_count) {
        chaos->asked[end].is_out = false;
        set_link(chaos, chaos->asked[end].link, now);
    } else {
        chaos->nic_out[end - chaos->asked_count] = false;
        set_link(chaos, nic_of(chaos, end - chaos->asked_count), now);
    }
}

/* ---- what is asked for ----------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const struct asked *left = a, *right = b;

    if (left->fault.at != right->fault.at) {
        return left->fault.at < right->fault.at ? -1 : 1;
    }
    return (left->order > right->order) - (left->order < right->order);
}

static dyno_status list_asked(struct chaos *chaos)
{
    const struct dyno_chaos_config *config = &chaos->config;
    size_t count = 0;

    for (uint32_t i = 0; i < config->fault_count; i++) {
        assert(config->faults[i].kind == DYNO_FAULT_LINK ||
               config->faults[i].last < config->worker_count);
        count += config->faults[i].last - config->faults[i].first + (size_t)1;
    }
    chaos->asked = calloc(count + 1, sizeof *chaos->asked);
    if (!chaos->asked) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < config->fault_count; i++) {
        for (uint32_t j = config->faults[i].first; j <= config->faults[i].last; j++) {
            struct asked *asked = &chaos->asked[chaos->asked_count];

            *asked = (struct asked){.fault = config->faults[i],
                                    .order = chaos->asked_count++,
                                    .next_stall = NO_FAULT,
                                    .link = DYNO_NO_LINK};
            asked->fault.first = asked->fault.last = j;
        }
    }
    qsort(chaos->asked, chaos->asked_count, sizeof *chaos->asked, by_time);
    return DYNO_OK;
}

/* Every worker's stalls in a row. */
static dyno_status link_stalls(struct chaos *chaos, struct dyno_error *error)
{
    for (uint32_t i = 0; i < chaos->config.worker_count; i++) {
        chaos->stall_next[i] = NO_FAULT;
    }
    for (uint32_t i = chaos->asked_count; i-- > 0;) {
        struct asked *asked = &chaos->asked[i];
        uint32_t *next;

        if (asked->fault.kind != DYNO_FAULT_STALL) {
            continue;
        }
        next = &chaos->stall_next[asked->fault.first];
        if (*next != NO_FAULT && chaos->asked[*next].fault.at < asked->fault.until) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "faults.list: two stalls of worker %u overlap, at %.3f s; let one end "
                             "where the other begins",
                             asked->fault.first, (double)chaos->asked[*next].fault.at / 1e9);
        }
        asked->next_stall = *next;
        *next = i;
    }
    return DYNO_OK;
}

static void await_asked(struct chaos *chaos)
{
    if (chaos->asked_next < chaos->asked_count) {
        dyno_heap_set(&chaos->due, ASKED, chaos->asked[chaos->asked_next].fault.at);
    } else {
        dyno_heap_remove(&chaos->due, ASKED);
    }
}

static const char *what_of(const struct asked *asked)
{
    const struct dyno_chaos_fault *fault = &asked->fault;

    if (fault->kind != DYNO_FAULT_LINK) {
        return "worker";
    }
    return fault->part == DYNO_LINK_SWITCH ? fault->name : dyno_link_part_name(fault->part);
}

static void take_asked(struct chaos *chaos, struct dyno_fault_record *out)
{
    struct asked *asked = &chaos->asked[chaos->asked_next++];
    const struct dyno_chaos_fault *fault = &asked->fault;

    if (fault->kind == DYNO_FAULT_STALL) {
        chaos->stalls[fault->first] = (struct stall){fault->until, fault->slowness};
        chaos->stall_next[fault->first] = asked->next_stall;
    }
    if (fault->kind == DYNO_FAULT_LINK) {
        asked->is_out = true;
        dyno_heap_set(&chaos->due, first_end(chaos) + (uint32_t)(asked - chaos->asked),
                      fault->until);
        set_link(chaos, asked->link, fault->at);
    }
    *out = (struct dyno_fault_record){.kind = fault->kind,
                                      .what = what_of(asked),
                                      .target = fault->first,
                                      .at = fault->at,
                                      .until = fault->until,
                                      .slowness = fault->slowness};
    await_asked(chaos);
}

/* ---- what is drawn --------------------------------------------------------------------------- */

static dyno_ns draw(struct dyno_rng *rng, dyno_ns mean)
{
    double time = dyno_rng_exponential(rng) * (double)mean;

    return time < 1.0 ? 1 : time < 1e18 ? (dyno_ns)time : (dyno_ns)1e18;
}

static enum dyno_fault_kind kind_of(const struct chaos *chaos, uint32_t stream)
{
    static const enum dyno_fault_kind kinds[KINDS] = {DYNO_FAULT_DEATH, DYNO_FAULT_STALL,
                                                      DYNO_FAULT_LINK};

    return kinds[stream / chaos->config.worker_count];
}

/* How those of a stream are. */
struct law {
    const char *purpose, *what;
    dyno_ns every_ns, for_ns; /* means */
    uint32_t slowness;
};

static struct law law_of(const struct chaos *chaos, uint32_t stream)
{
    const struct dyno_chaos_config *config = &chaos->config;

    switch (kind_of(chaos, stream)) {
    case DYNO_FAULT_DEATH:
        break;
    case DYNO_FAULT_STALL:
        return (struct law){"faults.stall", "worker", config->stall_every_ns, config->stall_for_ns,
                            config->stall_slowness};
    case DYNO_FAULT_LINK:
        return (struct law){"faults.link", "nic", config->link_every_ns, config->link_for_ns,
                            config->link_slowness};
    }
    return (struct law){"faults.death", "worker", config->death_every_ns, config->death_for_ns, 0};
}

/* The next one of a stream, some time after `from`. */
static void await_draw(struct chaos *chaos, uint32_t stream, dyno_ns from)
{
    dyno_ns every = law_of(chaos, stream).every_ns;

    if (every > 0) {
        dyno_heap_set(&chaos->due, STREAMS + stream, from + draw(&chaos->draws[stream], every));
    }
}

/* The fabric, or the device when it asks, feels it. */
static void let_feel(struct chaos *chaos, uint32_t worker, const struct dyno_fault_record *fault)
{
    uint32_t count = chaos->config.worker_count;

    if (fault->kind == DYNO_FAULT_STALL) {
        chaos->stalls[count + worker] = (struct stall){fault->until, fault->slowness};
    } else if (fault->kind == DYNO_FAULT_LINK) {
        chaos->nic_out[worker] = true;
        dyno_heap_set(&chaos->due, first_end(chaos) + chaos->asked_count + worker, fault->until);
        set_link(chaos, nic_of(chaos, worker), fault->at);
    }
}

static void take_draw(struct chaos *chaos, uint32_t stream, dyno_ns at,
                      struct dyno_fault_record *out)
{
    struct law law = law_of(chaos, stream);
    uint32_t worker = stream % chaos->config.worker_count;

    *out = (struct dyno_fault_record){.kind = kind_of(chaos, stream),
                                      .what = law.what,
                                      .target = worker,
                                      .at = at,
                                      .until = at,
                                      .slowness = law.slowness};
    if (law.for_ns > 0) {
        out->until += draw(&chaos->draws[stream], law.for_ns);
    }
    await_draw(chaos, stream, out->kind == DYNO_FAULT_DEATH ? at : out->until);
    let_feel(chaos, worker, out);
}

static void begin_streams(struct chaos *chaos)
{
    uint32_t count = chaos->config.worker_count;

    for (uint32_t i = 0; i < KINDS * count; i++) {
        dyno_rng_init(&chaos->draws[i], dyno_chain(chaos->config.seed, i % count),
                      law_of(chaos, i).purpose);
        await_draw(chaos, i, 0);
    }
}

/* ---- the weather ----------------------------------------------------------------------------- */

/* When the next stall of a worker begins. */
static dyno_ns next_stall(const struct chaos *chaos, uint32_t worker)
{
    uint32_t asked = chaos->stall_next[worker];
    uint32_t stream = STREAMS + chaos->config.worker_count + worker;
    dyno_ns next = asked != NO_FAULT ? chaos->asked[asked].fault.at : DYNO_NEVER;

    if (dyno_heap_has(&chaos->due, stream) && dyno_heap_key_of(&chaos->due, stream) < next) {
        next = dyno_heap_key_of(&chaos->due, stream);
    }
    return next;
}

void dyno_chaos_weather(const void *faults, uint32_t worker, dyno_ns now, struct dyno_weather *out)
{
    const struct chaos *chaos = const_chaos_of(faults);
    dyno_ns frozen_until = 0;

    *out = (struct dyno_weather){.slowness = 1, .until = next_stall(chaos, worker)};
    for (uint32_t i = 0; i < 2; i++) {
        const struct stall *stall = &chaos->stalls[i * chaos->config.worker_count + worker];

        if (stall->until <= now) {
            continue;
        }
        if (stall->slowness == 0) {
            frozen_until = stall->until > frozen_until ? stall->until : frozen_until;
        } else {
            out->slowness = stall->slowness > out->slowness ? stall->slowness : out->slowness;
            out->until = stall->until < out->until ? stall->until : out->until;
        }
    }
    if (frozen_until > 0) {
        *out = (struct dyno_weather){.slowness = 0, .until = frozen_until};
    }
}

/* ---- the seam -------------------------------------------------------------------------------- */

static dyno_ns chaos_next(const struct dyno_faults *faults)
{
    return dyno_heap_key(&const_chaos_of(faults)->due);
}

static bool chaos_take(struct dyno_faults *faults, dyno_ns now, struct dyno_fault_record *out)
{
    struct chaos *chaos = chaos_of(faults);
    struct dyno_heap_item due = dyno_heap_top(&chaos->due);

    assert(due.key <= now);
    (void)now;
    if (due.id >= first_end(chaos)) {
        end_outage(chaos, due.id - first_end(chaos), due.key);
        return false;
    }
    if (due.id == ASKED) {
        take_asked(chaos, out);
    } else {
        take_draw(chaos, due.id - STREAMS, due.key, out);
    }
    return true;
}

static void chaos_close(struct dyno_faults *faults)
{
    struct chaos *chaos = chaos_of(faults);

    free(chaos->asked);
    free(chaos->stall_next);
    free(chaos->stalls);
    free(chaos->draws);
    free(chaos->nic_out);
    dyno_heap_release(&chaos->due);
    free(chaos);
}

static const struct dyno_faults_ops chaos_ops = {
    .name = "chaos", .next = chaos_next, .take = chaos_take, .close = chaos_close};

static dyno_status open_all(struct chaos *chaos, struct dyno_error *error)
{
    uint32_t count = chaos->config.worker_count;

    chaos->stall_next = calloc(count, sizeof *chaos->stall_next);
    chaos->stalls = calloc(2 * (size_t)count, sizeof *chaos->stalls);
    chaos->draws = calloc(KINDS * (size_t)count, sizeof *chaos->draws);
    chaos->nic_out = calloc(count, sizeof *chaos->nic_out);
    if (!chaos->stall_next || !chaos->stalls || !chaos->draws || !chaos->nic_out) {
        return DYNO_NO_MEMORY;
    }
    DYNO_TRY(list_asked(chaos));
    DYNO_TRY(dyno_heap_reserve(&chaos->due, first_end(chaos) + chaos->asked_count + count));
    DYNO_TRY(link_stalls(chaos, error));
    await_asked(chaos);
    begin_streams(chaos);
    return DYNO_OK;
}

dyno_status dyno_chaos_open(struct dyno_faults **out, const struct dyno_chaos_config *config,
                            struct dyno_error *error)
{
    struct chaos *chaos = calloc(1, sizeof *chaos);
    dyno_status status;

    if (!chaos) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for faults");
    }
    chaos->base.ops = &chaos_ops;
    chaos->config = *config;
    status = open_all(chaos, error);
    chaos->config.faults = NULL;
    if (status != DYNO_OK) {
        chaos_close(&chaos->base);
        return status;
    }
    *out = &chaos->base;
    return DYNO_OK;
}

static dyno_status find_link(const struct chaos *chaos, struct asked *asked,
                             struct dyno_error *error)
{
    struct dyno_chaos_fault *fault = &asked->fault;

    if (fault->part == DYNO_LINK_SWITCH) {
        fault->first = dyno_topology_find_switch(chaos->places, fault->name);
    }
    asked->link = dyno_topology_find_link(chaos->places, fault->part, fault->first);
    if (asked->link != DYNO_NO_LINK) {
        return DYNO_OK;
    }
    return fault->part == DYNO_LINK_SWITCH
               ? dyno_fail(error, DYNO_BAD_INPUT,
                           "faults.list: the topology has no switch '%s' below another one",
                           fault->name)
               : dyno_fail(error, DYNO_BAD_INPUT, "faults.list: the topology has no link %s:%u",
                           dyno_link_part_name(fault->part), fault->first);
}

dyno_status dyno_chaos_use_links(struct dyno_faults *faults, struct dyno_links *fabric,
                                 const struct dyno_topology_links *links, struct dyno_error *error)
{
    struct chaos *chaos = chaos_of(faults);

    chaos->fabric = fabric;
    chaos->places = links;
    for (uint32_t i = 0; i < chaos->asked_count; i++) {
        if (chaos->asked[i].fault.kind == DYNO_FAULT_LINK) {
            DYNO_TRY(find_link(chaos, &chaos->asked[i], error));
        }
    }
    return DYNO_OK;
}

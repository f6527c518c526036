/* The faults of a run: a list of those that are asked for, in time order, and a stream of draws for
 * every worker and kind.  A heap knows which of them has the next one. */
#include "sim/chaos.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/heap.h"
#include "core/base/map.h"
#include "core/base/rng.h"

enum { NO_FAULT = UINT32_MAX, ASKED = 0, STREAMS = 1 }; /* in the heap: the list, then streams */

/* One that is asked for, of one worker. */
struct asked {
    struct dyno_chaos_fault fault;
    uint32_t order;      /* in the list, for ties */
    uint32_t next_stall; /* of the same worker */
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
    struct dyno_rng *draws; /* [2 x workers]: of deaths, of stalls */
    struct dyno_heap due;   /* the list; deaths by worker; stalls by worker */
};

static struct chaos *chaos_of(struct dyno_faults *faults)
{
    return (void *)faults; /* its first member */
}

static const struct chaos *const_chaos_of(const void *faults)
{
    return faults;
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
        assert(config->faults[i].last < config->worker_count);
        count += config->faults[i].last - config->faults[i].first + (size_t)1;
    }
    chaos->asked = calloc(count + 1, sizeof *chaos->asked);
    if (!chaos->asked) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < config->fault_count; i++) {
        for (uint32_t j = config->faults[i].first; j <= config->faults[i].last; j++) {
            struct asked *asked = &chaos->asked[chaos->asked_count];

            *asked = (struct asked){
                .fault = config->faults[i], .order = chaos->asked_count++, .next_stall = NO_FAULT};
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
        uint32_t *next = &chaos->stall_next[asked->fault.first];

        if (asked->fault.kind != DYNO_FAULT_STALL) {
            continue;
        }
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

static void take_asked(struct chaos *chaos, struct dyno_fault_record *out)
{
    const struct asked *asked = &chaos->asked[chaos->asked_next++];
    const struct dyno_chaos_fault *fault = &asked->fault;

    if (fault->kind == DYNO_FAULT_STALL) {
        chaos->stalls[fault->first] = (struct stall){fault->until, fault->slowness};
        chaos->stall_next[fault->first] = asked->next_stall;
    }
    *out = (struct dyno_fault_record){.kind = fault->kind,
                                      .what = "worker",
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

static bool is_stall(const struct chaos *chaos, uint32_t stream)
{
    return stream >= chaos->config.worker_count;
}

/* The next one of a stream, some time after `from`. */
static void await_draw(struct chaos *chaos, uint32_t stream, dyno_ns from)
{
    dyno_ns every =
        is_stall(chaos, stream) ? chaos->config.stall_every_ns : chaos->config.death_every_ns;

    if (every > 0) {
        dyno_heap_set(&chaos->due, STREAMS + stream, from + draw(&chaos->draws[stream], every));
    }
}

static void take_draw(struct chaos *chaos, uint32_t stream, dyno_ns at,
                      struct dyno_fault_record *out)
{
    const struct dyno_chaos_config *config = &chaos->config;
    bool stalls = is_stall(chaos, stream);
    dyno_ns lasts = stalls ? config->stall_for_ns : config->death_for_ns;
    uint32_t worker = stalls ? stream - config->worker_count : stream;

    *out = (struct dyno_fault_record){.kind = stalls ? DYNO_FAULT_STALL : DYNO_FAULT_DEATH,
                                      .what = "worker",
                                      .target = worker,
                                      .at = at,
                                      .until = at,
                                      .slowness = stalls ? config->stall_slowness : 0};
    if (lasts > 0) {
        out->until += draw(&chaos->draws[stream], lasts);
    }
    if (stalls) {
        chaos->stalls[config->worker_count + worker] = (struct stall){out->until, out->slowness};
    }
    await_draw(chaos, stream, stalls ? out->until : at);
}

static void begin_streams(struct chaos *chaos)
{
    uint32_t count = chaos->config.worker_count;

    for (uint32_t i = 0; i < 2 * count; i++) {
        uint32_t worker = i < count ? i : i - count;

        dyno_rng_init(&chaos->draws[i], dyno_chain(chaos->config.seed, worker),
                      is_stall(chaos, i) ? "faults.stall" : "faults.death");
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
    chaos->draws = calloc(2 * (size_t)count, sizeof *chaos->draws);
    if (!chaos->stall_next || !chaos->stalls || !chaos->draws) {
        return DYNO_NO_MEMORY;
    }
    DYNO_TRY(dyno_heap_reserve(&chaos->due, STREAMS + 2 * count));
    DYNO_TRY(list_asked(chaos));
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

/* Transfers over shared links; the model heads fabric.h.
 *
 *   SETUP -> MOVING [begin] -> gone [finish]
 *
 * A link that all its transfers at their ceilings could not overfill (demand <= capacity) binds
 * nobody: at any time what is left of it is at least the sum of the ceilings not yet fixed, so the
 * smallest of those is never above its level, and ceilings go first.  Such links are passed over.
 */
#include "sim/fabric.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/array.h"
#include "sim/fabric_parts.h"

/* ---- who uses a link ------------------------------------------------------------------------- */

/* Whether one of them binds now. */
bool dyno_fabric_join(struct fabric *fabric, uint32_t transfer)
{
    struct moving *moving = at(fabric, transfer);
    bool bound = false;

    for (uint32_t i = 0; i < moving->hop_count; i++) {
        struct link *link = &fabric->links[moving->hops[i].link];
        uint32_t hop = transfer * DYNO_PATH_LINKS_MAX + i;

        moving->hops[i].prev = NO_HOP;
        moving->hops[i].next = link->first;
        if (link->first != NO_HOP) {
            hop_at(fabric, link->first)->prev = hop;
        }
        link->first = hop;
        link->demand += moving->ceiling;
        bound = bound || binds(link);
    }
    return bound;
}

/* Whether one of them bound until now. */
bool dyno_fabric_leave(struct fabric *fabric, uint32_t transfer)
{
    struct moving *moving = at(fabric, transfer);
    bool bound = false;

    for (uint32_t i = 0; i < moving->hop_count; i++) {
        struct hop *hop = &moving->hops[i];
        struct link *link = &fabric->links[hop->link];

        if (hop->prev == NO_HOP) {
            link->first = hop->next;
        } else {
            hop_at(fabric, hop->prev)->next = hop->next;
        }
        if (hop->next != NO_HOP) {
            hop_at(fabric, hop->next)->prev = hop->prev;
        }
        moving->hops[i].bound = binds(link);
        bound = bound || moving->hops[i].bound;
        link->demand -= moving->ceiling;
    }
    return bound;
}

/* ---- whom a change reaches ------------------------------------------------------------------- */

void dyno_fabric_reach(struct fabric *fabric, uint32_t transfer)
{
    struct moving *moving = at(fabric, transfer);

    if (moving->mark != fabric->mark) {
        moving->mark = fabric->mark;
        fabric->reached[fabric->reached_count++] = transfer;
    }
}

static void reach_users(struct fabric *fabric, struct link *link)
{
    if (link->mark == fabric->mark) {
        return;
    }
    link->mark = fabric->mark;
    link->unfixed = 0;
    for (uint32_t hop = link->first; hop != NO_HOP; hop = hop_at(fabric, hop)->next) {
        dyno_fabric_reach(fabric, hop / DYNO_PATH_LINKS_MAX);
        link->unfixed++;
    }
    link->left = link->capacity;
}

/* From those reached so far over every link that binds. */
static void reach_further(struct fabric *fabric)
{
    for (uint32_t i = 0; i < fabric->reached_count; i++) {
        const struct moving *moving = at(fabric, fabric->reached[i]);

        for (uint32_t j = 0; j < moving->hop_count; j++) {
            struct link *link = &fabric->links[moving->hops[j].link];

            if (binds(link)) {
                reach_users(fabric, link);
            }
        }
    }
}

/* ---- rates ----------------------------------------------------------------------------------- */

static void set_level(struct fabric *fabric, uint32_t index)
{
    const struct link *link = &fabric->links[index];

    if (link->unfixed == 0) {
        dyno_heap_remove(&fabric->levels, index);
    } else {
        dyno_heap_set(&fabric->levels, index, link->left / link->unfixed);
    }
}

static dyno_ns end_of(const struct moving *moving)
{
    unsigned __int128 time;

    if (moving->rate == 0) { /* over a link that lets nothing pass */
        return DYNO_NEVER / 4;
    }
    time = (moving->left + moving->rate - 1) / moving->rate;
    return moving->since + (time < DYNO_NEVER / 4 ? (dyno_ns)time : DYNO_NEVER / 4);
}

void dyno_fabric_set_rate(struct fabric *fabric, uint32_t transfer, uint64_t rate, dyno_ns now)
{
    struct moving *moving = at(fabric, transfer);
    unsigned __int128 moved;

    fabric->work++;
    if (rate == moving->rate && rate > 0) {
        return;
    }
    moved = dyno_fabric_moved(moving, now);
    dyno_fabric_carry(fabric, moving, moved);
    moving->left -= moved;
    moving->since = now;
    moving->rate = rate;
    dyno_heap_set(&fabric->events, transfer, end_of(moving));
}

static void fix(struct fabric *fabric, uint32_t transfer, uint64_t rate, dyno_ns now)
{
    const struct moving *moving = at(fabric, transfer);

    dyno_heap_remove(&fabric->ceilings, transfer);
    for (uint32_t i = 0; i < moving->hop_count; i++) {
        struct link *link = &fabric->links[moving->hops[i].link];

        if (binds(link)) {
            link->left -= rate < link->left ? rate : link->left;
            link->unfixed--;
            set_level(fabric, moving->hops[i].link);
        }
    }
    dyno_fabric_set_rate(fabric, transfer, rate, now);
}

static void fix_users(struct fabric *fabric, const struct link *link, uint64_t level, dyno_ns now)
{
    uint64_t rate = level > 0 ? level : 1; /* slow is slow, but nobody stands still */

    for (uint32_t hop = link->first; hop != NO_HOP; hop = hop_at(fabric, hop)->next) {
        uint32_t transfer = hop / DYNO_PATH_LINKS_MAX;

        if (dyno_heap_has(&fabric->ceilings, transfer)) {
            fix(fabric, transfer, rate, now);
        }
    }
}

/* Rates of all that were reached. */
static void fill(struct fabric *fabric, dyno_ns now)
{
    for (uint32_t i = 0; i < fabric->reached_count; i++) {
        const struct moving *moving = at(fabric, fabric->reached[i]);

        dyno_heap_set(&fabric->ceilings, fabric->reached[i], moving->ceiling);
        for (uint32_t j = 0; j < moving->hop_count; j++) {
            if (binds(&fabric->links[moving->hops[j].link])) {
                set_level(fabric, moving->hops[j].link);
            }
        }
    }
    while (fabric->ceilings.count > 0) {
        uint64_t ceiling = dyno_heap_key(&fabric->ceilings);
        uint64_t level = dyno_heap_key(&fabric->levels);

        if (ceiling <= level) {
            fix(fabric, dyno_heap_top(&fabric->ceilings).id, ceiling, now);
        } else {
            fix_users(fabric, &fabric->links[dyno_heap_top(&fabric->levels).id], level, now);
        }
    }
}

/* Everybody reached over links that bind has a new rate. */
void dyno_fabric_share_anew(struct fabric *fabric, dyno_ns now)
{
    reach_further(fabric);
    fill(fabric, now);
}

/* A transfer begins to use its links.  Where none of them binds it reaches nobody. */
static void use_links(struct fabric *fabric, uint32_t transfer, dyno_ns now)
{
    if (!dyno_fabric_join(fabric, transfer)) {
        dyno_fabric_set_rate(fabric, transfer, at(fabric, transfer)->ceiling, now);
        return;
    }
    fabric->mark++;
    fabric->reached_count = 0;
    dyno_fabric_reach(fabric, transfer);
    dyno_fabric_share_anew(fabric, now);
}

/* A transfer has ceased to use its links: those that shared one that bound have new rates. */
void dyno_fabric_quit(struct fabric *fabric, uint32_t transfer, dyno_ns now)
{
    const struct moving *moving = at(fabric, transfer);

    if (!dyno_fabric_leave(fabric, transfer)) {
        return;
    }
    fabric->mark++;
    fabric->reached_count = 0;
    for (uint32_t i = 0; i < moving->hop_count; i++) {
        if (moving->hops[i].bound) {
            reach_users(fabric, &fabric->links[moving->hops[i].link]);
        }
    }
    dyno_fabric_share_anew(fabric, now);
}

/* ---- a transfer's life ----------------------------------------------------------------------- */

/* The transfer will use its links, or begins to. */
void dyno_fabric_await(struct fabric *fabric, const struct moving *moving, bool comes)
{
    for (uint32_t i = 0; i < moving->hop_count; i++) {
        struct link *link = &fabric->links[moving->hops[i].link];

        link->awaited += comes ? moving->ceiling : -(unsigned __int128)moving->ceiling;
    }
}

static void begin(struct fabric *fabric, uint32_t transfer, dyno_ns now)
{
    struct moving *moving = at(fabric, transfer);

    moving->begun = true;
    moving->since = now;
    dyno_fabric_await(fabric, moving, false);
    if (moving->left == 0 || moving->hop_count == 0) {
        moving->left = 0;
        moving->hop_count = 0;
        dyno_heap_set(&fabric->events, transfer, now);
        return;
    }
    dyno_fabric_occupy(fabric, moving, now);
    if (fabric->config.alone) {
        dyno_fabric_set_rate(fabric, transfer, moving->ceiling, now);
    } else {
        use_links(fabric, transfer, now);
    }
}

static void finish(struct fabric *fabric, uint32_t transfer, dyno_ns now)
{
    struct dyno_arrival arrival = {.id = at(fabric, transfer)->id, .at = now};
    uint32_t place = fabric->done_count++;

    dyno_heap_remove(&fabric->events, transfer);
    dyno_fabric_carry(fabric, at(fabric, transfer), at(fabric, transfer)->left);
    dyno_fabric_vacate(fabric, at(fabric, transfer), now);
    if (!fabric->config.alone) {
        dyno_fabric_quit(fabric, transfer, now);
    }
    dyno_pool_give(&fabric->transfers, transfer);
    for (; place > 0 &&
           (fabric->done[place - 1].at < arrival.at ||
            (fabric->done[place - 1].at == arrival.at && fabric->done[place - 1].id < arrival.id));
         place--) {
        fabric->done[place] = fabric->done[place - 1];
    }
    fabric->done[place] = arrival;
}

dyno_ns dyno_fabric_next(const struct dyno_links *links)
{
    const struct fabric *fabric = (const void *)links;

    return fabric->done_count > 0 ? fabric->done[fabric->done_count - 1].at
                                  : dyno_heap_key(&fabric->events);
}

void dyno_fabric_advance(struct fabric *fabric, dyno_ns now)
{
    while (dyno_heap_key(&fabric->events) <= now) {
        struct dyno_heap_item event = dyno_heap_top(&fabric->events);

        if (at(fabric, event.id)->begun) {
            finish(fabric, event.id, event.key);
        } else {
            begin(fabric, event.id, event.key);
        }
    }
}

/* ---- the seam -------------------------------------------------------------------------------- */

/* Room for one transfer more everywhere, so that nothing that happens later can fail. */
static dyno_status reserve(struct fabric *fabric)
{
    uint32_t capacity = fabric->transfers.capacity;

    if (!dyno_array_reserve(&fabric->reached, &fabric->reached_capacity, capacity,
                            sizeof *fabric->reached)) {
        return DYNO_NO_MEMORY;
    }
    DYNO_TRY(dyno_heap_reserve(&fabric->events, capacity));
    return dyno_heap_reserve(&fabric->ceilings, capacity);
}

/* Every transfer on its way will be done, beside those that are and have not been reaped. */
static dyno_status reserve_done(struct fabric *fabric)
{
    uint32_t count = fabric->done_count + fabric->events.count + 1;

    return dyno_array_reserve(&fabric->done, &fabric->done_capacity, count, sizeof *fabric->done)
               ? DYNO_OK
               : DYNO_NO_MEMORY;
}

static void find_path(const struct fabric *fabric, const struct dyno_transfer *transfer,
                      struct moving *moving, dyno_ns *latency)
{
    uint32_t path[DYNO_PATH_LINKS_MAX];

    *latency = 0;
    moving->ceiling = UINT64_MAX;
    moving->hop_count =
        fabric->config.path(fabric->config.path_context, transfer->from, transfer->to, path);
    assert(moving->hop_count <= DYNO_PATH_LINKS_MAX);
    for (uint32_t i = 0; i < moving->hop_count; i++) {
        const struct link *link = &fabric->links[path[i]];

        moving->hops[i].link = path[i];
        *latency += link->latency_ns;
        moving->ceiling = link->capacity < moving->ceiling ? link->capacity : moving->ceiling;
    }
}

static dyno_status fabric_submit(struct dyno_links *links, dyno_ns now,
                                 const struct dyno_transfer *transfer)
{
    struct fabric *fabric = fabric_of(links);
    unsigned __int128 bytes = (unsigned __int128)transfer->blocks * transfer->block_bytes;
    struct moving *moving;
    dyno_ns latency;
    uint32_t place;

    if (bytes > DYNO_TRANSFER_BYTES_MAX) {
        return DYNO_BAD_INPUT;
    }
    DYNO_TRY(reserve_done(fabric));
    place = dyno_pool_take(&fabric->transfers);
    if (place == DYNO_POOL_NONE || reserve(fabric) != DYNO_OK) {
        return DYNO_NO_MEMORY;
    }
    moving = at(fabric, place);
    *moving = (struct moving){.id = transfer->id, .left = bytes << RATE_BITS};
    find_path(fabric, transfer, moving, &latency);
    dyno_fabric_await(fabric, moving, true);
    dyno_heap_set(&fabric->events, place,
                  now + fabric->config.overhead_ns +
                      transfer->blocks * (fabric->config.block_overhead_ns + transfer->block_ns) +
                      latency);
    links->due = dyno_fabric_next(links);
    return DYNO_OK;
}

static bool fabric_reap(struct dyno_links *links, dyno_ns now, struct dyno_arrival *out)
{
    struct fabric *fabric = fabric_of(links);

    dyno_fabric_advance(fabric, now);
    if (fabric->done_count == 0) {
        links->due = dyno_fabric_next(links);
        return false;
    }
    *out = fabric->done[--fabric->done_count];
    links->due = dyno_fabric_next(links);
    return true;
}

/* Of a link that would be overfull its share by ceilings, which is what max-min fairness gives
 * where all ceilings are alike. */
static dyno_ns fabric_predict(const struct dyno_links *links, const struct dyno_transfer *transfer)
{
    const struct fabric *fabric = (const void *)links;
    unsigned __int128 bytes = (unsigned __int128)transfer->blocks * transfer->block_bytes, rate,
                      time;
    struct moving moving;
    dyno_ns latency, fixed;

    find_path(fabric, transfer, &moving, &latency);
    fixed =
        fabric->config.overhead_ns + transfer->blocks * fabric->config.block_overhead_ns + latency;
    rate = moving.ceiling;
    for (uint32_t i = 0; !fabric->config.alone && i < moving.hop_count; i++) {
        const struct link *link = &fabric->links[moving.hops[i].link];
        unsigned __int128 all = link->demand + link->awaited + moving.ceiling;

        if (all > link->capacity) {
            unsigned __int128 share = (unsigned __int128)link->capacity * moving.ceiling / all;

            rate = share < rate ? share : rate;
        }
    }
    if (bytes == 0 || moving.hop_count == 0) {
        return fixed;
    }
    time = (bytes << RATE_BITS) / (rate > 0 ? rate : 1) + fixed;
    return time < DYNO_NEVER / 4 ? (dyno_ns)time : DYNO_NEVER / 4;
}

static void fabric_close(struct dyno_links *links)
{
    struct fabric *fabric = fabric_of(links);

    dyno_pool_release(&fabric->transfers);
    dyno_heap_release(&fabric->events);
    dyno_heap_release(&fabric->levels);
    dyno_heap_release(&fabric->ceilings);
    free(fabric->links);
    free(fabric->done);
    free(fabric->reached);
    free(fabric);
}

uint64_t dyno_fabric_rate(const struct dyno_links *links, uint64_t id)
{
    const struct fabric *fabric = (const void *)links;

    for (uint32_t i = 0; i < fabric->events.count; i++) {
        const struct moving *moving = at(fabric, fabric->events.items[i].id);

        if (moving->id == id) {
            return moving->rate;
        }
    }
    return 0;
}

uint64_t dyno_fabric_work(const struct dyno_links *links)
{
    return ((const struct fabric *)(const void *)links)->work;
}

static const struct dyno_links_ops fabric_ops = {
    .name = "fabric",
    .submit = fabric_submit,
    .reap = fabric_reap,
    .drop = dyno_fabric_drop,
    .predict = fabric_predict,
    .next = dyno_fabric_next,
    .use = dyno_fabric_use,
    .close = fabric_close,
};

static dyno_status init(struct fabric *fabric, const struct dyno_fabric_config *config)
{
    fabric->links = calloc(config->link_count + (size_t)1, sizeof *fabric->links);
    if (!fabric->links || dyno_heap_reserve(&fabric->levels, config->link_count) != DYNO_OK) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < config->link_count; i++) {
        uint64_t rate =
            (uint64_t)(((unsigned __int128)config->links[i].bytes_per_s << RATE_BITS) / DYNO_S);

        assert(config->links[i].bytes_per_s >= DYNO_LINK_BYTES_PER_S_MIN &&
               config->links[i].bytes_per_s <= DYNO_LINK_BYTES_PER_S_MAX);
        fabric->links[i] = (struct link){.capacity = rate,
                                         .whole = rate,
                                         .latency_ns = config->links[i].latency_ns,
                                         .first = NO_HOP};
    }
    return DYNO_OK;
}

dyno_status dyno_fabric_open(struct dyno_links **out, const struct dyno_fabric_config *config)
{
    struct fabric *fabric = calloc(1, sizeof *fabric);

    if (!fabric) {
        return DYNO_NO_MEMORY;
    }
    fabric->base = (struct dyno_links){
        .ops = &fabric_ops, .due = DYNO_NEVER, .link_count = config->link_count};
    fabric->config = *config;
    fabric->config.links = NULL;
    dyno_pool_init(&fabric->transfers, sizeof(struct moving));
    if (init(fabric, config) != DYNO_OK) {
        fabric_close(&fabric->base);
        return DYNO_NO_MEMORY;
    }
    *out = &fabric->base;
    return DYNO_OK;
}

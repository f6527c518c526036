/* One worker's KV blocks, kept as runs: see the header for the states and what always holds.
 *
 * A span's runs form a list from its first block on, without gaps; references never grow along it,
 * because whoever holds a block holds all before it.  So the idle runs of a span are its last ones,
 * the later the older, and eviction takes blocks from the end of the oldest run.  Blocks that
 * nobody will ask for are all alike: those that become idle one after the other are one run.
 */
#include "core/kv/cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/usual.h"
#include "core/kv/places.h"

enum { RUNS_MIN = 16 };

static dyno_status grow_runs(struct dyno_kv_cache *cache)
{
    uint32_t count = cache->runs_capacity ? 2 * cache->runs_capacity : RUNS_MIN;
    struct dyno_kv_run *runs = realloc(cache->runs, count * sizeof *runs);

    if (!runs) {
        return DYNO_NO_MEMORY;
    }
    cache->runs = runs;
    if (cache->ranking.policy) {
        DYNO_TRY(dyno_kv_ranking_reserve(&cache->ranking, count));
    }
    for (uint32_t i = cache->runs_capacity; i < count; i++) {
        runs[i].next = i + 1 < count ? i + 1 : DYNO_KV_NO_RUN;
    }
    cache->runs_unused = cache->runs_capacity;
    cache->runs_capacity = count;
    return DYNO_OK;
}

static dyno_status make_run(struct dyno_kv_cache *cache, struct dyno_kv_run contents, uint32_t *out)
{
    if (cache->runs_unused == DYNO_KV_NO_RUN) {
        DYNO_TRY(grow_runs(cache));
    }
    *out = cache->runs_unused;
    cache->runs_unused = cache->runs[*out].next;
    cache->runs[*out] = contents;
    if (cache->ranking.policy) {
        cache->ranking.ranks[*out] = (struct dyno_kv_rank){.uses = 1};
    }
    return DYNO_OK;
}

static void free_run(struct dyno_kv_cache *cache, uint32_t run)
{
    cache->runs[run].next = cache->runs_unused;
    cache->runs_unused = run;
}

/* ---- the idle queue -------------------------------------------------------------------------- */

static bool is_ranked(const struct dyno_kv_cache *cache)
{
    return DYNO_RARELY(cache->ranking.policy != NULL);
}

static void queue_newest(struct dyno_kv_cache *cache, uint32_t run)
{
    if (is_ranked(cache)) {
        cache->ranking.clock++;
        dyno_kv_ranking_raise(&cache->ranking, run);
        dyno_kv_ranking_idle(&cache->ranking, run, 0);
        return;
    }
    cache->runs[run].older = cache->idle_newest;
    cache->runs[run].newer = DYNO_KV_NO_RUN;
    if (cache->idle_newest == DYNO_KV_NO_RUN) {
        cache->idle_oldest = run;
    } else {
        cache->runs[cache->idle_newest].newer = run;
    }
    cache->idle_newest = run;
}

static void unqueue(struct dyno_kv_cache *cache, uint32_t run)
{
    uint32_t older = cache->runs[run].older, newer = cache->runs[run].newer;

    if (is_ranked(cache)) {
        dyno_heap_remove(&cache->ranking.idle, run);
        return;
    }
    if (older == DYNO_KV_NO_RUN) {
        cache->idle_oldest = newer;
    } else {
        cache->runs[older].newer = newer;
    }
    if (newer == DYNO_KV_NO_RUN) {
        cache->idle_newest = older;
    } else {
        cache->runs[newer].older = older;
    }
}

/* Put `run` where `place` is in the queue, just before (older than) it. */
static void queue_before(struct dyno_kv_cache *cache, uint32_t run, uint32_t place)
{
    uint32_t older = cache->runs[place].older;

    cache->runs[run].older = older;
    cache->runs[run].newer = place;
    cache->runs[place].older = run;
    if (older == DYNO_KV_NO_RUN) {
        cache->idle_oldest = run;
    } else {
        cache->runs[older].newer = run;
    }
}

/* ---- splitting, telling, evicting ------------------------------------------------------------ */

/* Cut `run` after its first `keep` blocks; the rest becomes a run of its own behind it. */
static dyno_status split(struct dyno_kv_cache *cache, uint32_t run, uint32_t keep)
{
    struct dyno_kv_run rest = cache->runs[run];
    uint32_t tail;

    rest.first += keep;
    rest.count -= keep;
    DYNO_TRY(make_run(cache, rest, &tail));
    cache->runs[run].count = keep;
    cache->runs[run].next = tail;
    if (is_ranked(cache)) {
        dyno_kv_ranking_split(&cache->ranking, run, tail);
    } else if (rest.refs == 0) {
        queue_before(cache, tail, run);
    }
    return DYNO_OK;
}

static void tell(const struct dyno_kv_cache *cache, dyno_ns at, uint64_t span, uint32_t blocks)
{
    if (cache->listener->changed && !cache->silent) {
        cache->listener->changed(cache->listener->context, cache->worker, at, span, blocks);
    }
}

static void tell_resident(const struct dyno_kv_cache *cache, dyno_ns at, uint64_t span, bool held)
{
    if (cache->listener->resident && !cache->silent) {
        cache->listener->resident(cache->listener->context, at, span, held);
    }
}

/* Unlink the idle run `run`, now empty, from its span. */
static void forget_run(struct dyno_kv_cache *cache, uint32_t run, dyno_ns at)
{
    uint64_t span = cache->runs[run].span;

    unqueue(cache, run);
    if (span != 0) {
        const uint32_t *first = dyno_map_find(&cache->first_run_of, span);
        uint32_t before = *first;

        if (before == run) {
            dyno_map_remove_found(&cache->first_run_of, first);
            tell_resident(cache, at, span, false);
        } else {
            while (cache->runs[before].next != run) {
                before = cache->runs[before].next;
            }
            cache->runs[before].next = DYNO_KV_NO_RUN;
        }
    }
    free_run(cache, run);
}

/* The last `count` blocks of the idle run become free. */
static inline void free_idle(struct dyno_kv_cache *cache, uint32_t run, uint32_t count, dyno_ns at)
{
    struct dyno_kv_run *idle = &cache->runs[run];

    assert(idle->refs == 0);
    idle->count -= count;
    cache->idle -= count;
    cache->idle_named -= idle->span != 0 ? count : 0;
    cache->free += count;
    if (DYNO_RARELY(cache->places)) {
        dyno_kv_places_evicted(cache->places, idle->span, count);
    }
    if (idle->span != 0) {
        assert(idle->next == DYNO_KV_NO_RUN);
        tell(cache, at, idle->span, idle->first + idle->count);
    }
    if (idle->count == 0) {
        forget_run(cache, run, at);
    }
}

static void evict(struct dyno_kv_cache *cache, uint32_t blocks, dyno_ns at)
{
    while (blocks > 0) {
        uint32_t run =
            is_ranked(cache) ? dyno_kv_ranking_next(&cache->ranking) : cache->idle_oldest;
        uint32_t has = cache->runs[run].count, count = has < blocks ? has : blocks;

        cache->evicted_blocks += count;
        blocks -= count;
        free_idle(cache, run, count, at);
    }
}

/* ---- public ---------------------------------------------------------------------------------- */

dyno_status dyno_kv_cache_init(struct dyno_kv_cache *cache, uint32_t worker, uint32_t capacity,
                               const struct dyno_kv_listener *listener)
{
    memset(cache, 0, sizeof *cache);
    cache->runs_unused = cache->idle_oldest = cache->idle_newest = DYNO_KV_NO_RUN;
    cache->worker = worker;
    cache->capacity = cache->free = capacity;
    cache->listener = listener;
    return DYNO_OK;
}

void dyno_kv_cache_rank_by(struct dyno_kv_cache *cache, const struct dyno_kv_evict *policy)
{
    assert(cache->runs_capacity == 0);
    cache->ranking.policy = policy->worth ? policy : NULL;
    cache->ranking.cost = DYNO_EVICT_COST_ONE;
}

void dyno_kv_cache_release(struct dyno_kv_cache *cache)
{
    free(cache->runs);
    dyno_kv_ranking_release(&cache->ranking);
    dyno_map_release(&cache->first_run_of);
    memset(cache, 0, sizeof *cache);
}

/* The resident leading blocks of one span, up to `blocks_max`; adds the idle ones to *idle. */
static uint32_t find_in_span(const struct dyno_kv_cache *cache, uint32_t run, uint32_t blocks_max,
                             uint32_t *idle)
{
    uint32_t found = 0;

    while (run != DYNO_KV_NO_RUN && found < blocks_max) {
        const struct dyno_kv_run *here = &cache->runs[run];
        uint32_t count = here->count < blocks_max - found ? here->count : blocks_max - found;

        found += count;
        *idle += here->refs == 0 ? count : 0;
        run = here->next;
    }
    return found;
}

uint32_t dyno_kv_find(const struct dyno_kv_cache *cache, struct dyno_kv_link *links,
                      uint32_t link_count, uint32_t blocks_max, uint32_t *idle_out)
{
    uint32_t found = 0, idle = 0;

    for (uint32_t i = 0; i < link_count && found < blocks_max; i++) {
        const uint32_t *first = dyno_map_find(&cache->first_run_of, links[i].span);
        uint32_t wanted =
            links[i].blocks < blocks_max - found ? links[i].blocks : blocks_max - found;
        uint32_t here;

        if (!first) {
            break;
        }
        links[i].run = *first;
        here = find_in_span(cache, *first, wanted, &idle);
        found += here;
        if (here < links[i].blocks) {
            break;
        }
    }
    *idle_out = idle;
    return found;
}

uint32_t dyno_kv_count(const struct dyno_kv_cache *cache, const struct dyno_span *spans,
                       uint32_t span_count, uint32_t blocks_max)
{
    uint32_t found = 0, idle = 0;

    for (uint32_t i = 0; i < span_count && found < blocks_max; i++) {
        const uint32_t *first = dyno_map_find(&cache->first_run_of, spans[i].id);
        uint32_t left = blocks_max - found, here;

        if (!first) {
            break;
        }
        here = find_in_span(cache, *first, spans[i].blocks < left ? spans[i].blocks : left, &idle);
        found += here;
        if (here < spans[i].blocks) {
            break;
        }
    }
    return found;
}

/* Reference blocks [from, to) of a span whose list starts at `run`; all of them are resident. */
static dyno_status hold_in_span(struct dyno_kv_cache *cache, uint32_t run, uint32_t from,
                                uint32_t to)
{
    while (run != DYNO_KV_NO_RUN && cache->runs[run].first < to) {
        struct dyno_kv_run *here = &cache->runs[run];

        if (here->first + here->count > from) {
            if (here->first < from) {
                DYNO_TRY(split(cache, run, from - here->first));
                run = cache->runs[run].next;
                continue;
            }
            if (here->first + here->count > to) {
                DYNO_TRY(split(cache, run, to - here->first));
                here = &cache->runs[run];
            }
            if (is_ranked(cache) && cache->ranking.ranks[run].uses < UINT16_MAX) {
                cache->ranking.ranks[run].uses++;
            }
            if (here->refs++ == 0) {
                unqueue(cache, run);
                cache->idle -= here->count;
                cache->idle_named -= here->count;
                cache->shared += here->count;
            }
        }
        run = here->next;
    }
    return DYNO_OK;
}

dyno_status dyno_kv_hold(struct dyno_kv_cache *cache, struct dyno_kv_link *links, uint32_t blocks)
{
    for (uint32_t i = 0; blocks > 0; i++) {
        uint32_t here = links[i].blocks < blocks ? links[i].blocks : blocks;

        DYNO_TRY(hold_in_span(cache, links[i].run, 0, here));
        blocks -= here;
    }
    return DYNO_OK;
}

void dyno_kv_make_free(struct dyno_kv_cache *cache, uint32_t blocks, dyno_ns at)
{
    assert(blocks <= dyno_kv_available(cache));
    evict(cache, blocks - cache->free, at);
}

/* Own blocks become blocks [from, to) of a span, referenced once, as a run of their own. */
static dyno_status make_shared_run(struct dyno_kv_cache *cache, uint64_t span, uint32_t from,
                                   uint32_t to, uint32_t *run)
{
    cache->shared += to - from;
    cache->own -= to - from;
    return make_run(
        cache,
        (struct dyno_kv_run){
            .span = span, .first = from, .count = to - from, .refs = 1, .next = DYNO_KV_NO_RUN},
        run);
}

/* Add blocks [from, to) to the end of the span whose list starts at `run`.  `held` says whether the
 * caller holds the block before `from`: then a last run with a single reference is the caller's and
 * just grows. */
static dyno_status append_to_span(struct dyno_kv_cache *cache, uint32_t run, uint32_t from,
                                  uint32_t to, bool held)
{
    uint32_t added;

    while (cache->runs[run].next != DYNO_KV_NO_RUN) {
        run = cache->runs[run].next;
    }
    if (held && cache->runs[run].refs == 1 && !is_ranked(cache)) {
        cache->runs[run].count += to - from;
        cache->shared += to - from;
        cache->own -= to - from;
        return DYNO_OK;
    }
    DYNO_TRY(make_shared_run(cache, cache->runs[run].span, from, to, &added));
    cache->runs[run].next = added;
    return DYNO_OK;
}

/* Seal blocks [from, to) of a span of which something is resident, from `run` on. */
static dyno_status seal_in_known_span(struct dyno_kv_cache *cache, uint32_t run, uint32_t from,
                                      uint32_t to, dyno_ns at)
{
    uint64_t span = cache->runs[run].span;
    uint32_t idle = 0, resident = find_in_span(cache, run, to, &idle);
    uint32_t start = resident > from ? resident : from;

    if (resident > from) {
        DYNO_TRY(hold_in_span(cache, run, from, resident));
        dyno_kv_drop(cache, resident - from);
    }
    if (resident < to) {
        DYNO_TRY(append_to_span(cache, run, start, to, start == from && from > 0));
        tell(cache, at, span, to);
    }
    return DYNO_OK;
}

/* Seal blocks [from, to) of one span. */
static dyno_status seal_in_span(struct dyno_kv_cache *cache, struct dyno_kv_link *link,
                                uint32_t from, uint32_t to, dyno_ns at)
{
    int is_new;
    uint32_t *first;

    if (from > 0) { /* the caller holds its head, so link->run is right */
        return seal_in_known_span(cache, link->run, from, to, at);
    }
    first = dyno_map_put(&cache->first_run_of, link->span, DYNO_KV_NO_RUN, &is_new);
    if (!first) {
        return DYNO_NO_MEMORY;
    }
    if (!is_new) {
        link->run = *first;
        return seal_in_known_span(cache, link->run, from, to, at);
    }
    DYNO_TRY(make_shared_run(cache, link->span, 0, to, first));
    link->run = *first;
    tell_resident(cache, at, link->span, true);
    tell(cache, at, link->span, to);
    return DYNO_OK;
}

dyno_status dyno_kv_seal(struct dyno_kv_cache *cache, struct dyno_kv_link *links,
                         uint32_t link_count, uint32_t private_links, uint32_t from, uint32_t to,
                         dyno_ns at)
{
    uint32_t start = 0; /* index in the chain of the link's first block */

    for (uint32_t i = 0; i < link_count && start < to; i++) {
        uint32_t end = start + links[i].blocks;

        if (end > from) {
            uint32_t first = from > start ? from - start : 0;
            uint32_t last = to < end ? to - start : links[i].blocks;

            cache->silent = i >= link_count - private_links;
            DYNO_TRY(seal_in_span(cache, &links[i], first, last, at));
            cache->silent = false;
        }
        start = end;
    }
    return DYNO_OK;
}

/* Drop one reference of the first `blocks` blocks of a span, where a policy ranks runs: they stay
 * apart, for they have been used more or less often, and become idle from the last on. */
static void let_go_ranked(struct dyno_kv_cache *cache, uint32_t run, uint32_t blocks)
{
    uint32_t count = 0;

    for (uint32_t i = run; i != DYNO_KV_NO_RUN && cache->runs[i].first < blocks;
         i = cache->runs[i].next) {
        count++;
    }
    cache->ranking.clock += count;
    for (uint32_t i = 0; i < count; i++, run = cache->runs[run].next) {
        struct dyno_kv_run *here = &cache->runs[run];

        assert(here->refs > 0 && here->first + here->count <= blocks);
        dyno_kv_ranking_raise(&cache->ranking, run);
        if (--here->refs == 0) {
            cache->shared -= here->count;
            cache->idle += here->count;
            cache->idle_named += here->count;
            dyno_kv_ranking_idle(&cache->ranking, run, i);
        }
    }
}

/* Drop one reference of the first `blocks` blocks of a span; its runs that nobody holds any more
 * become one idle run. */
static void let_go_in_span(struct dyno_kv_cache *cache, uint32_t run, uint32_t blocks)
{
    uint32_t idle = DYNO_KV_NO_RUN; /* the first run of this span that went idle just now */

    if (is_ranked(cache)) {
        let_go_ranked(cache, run, blocks);
        return;
    }
    while (run != DYNO_KV_NO_RUN && cache->runs[run].first < blocks) {
        struct dyno_kv_run *here = &cache->runs[run];
        uint32_t next = here->next;

        assert(here->refs > 0 && here->first + here->count <= blocks);
        if (--here->refs == 0) {
            cache->shared -= here->count;
            cache->idle += here->count;
            cache->idle_named += here->count;
            if (idle == DYNO_KV_NO_RUN) {
                idle = run;
            } else {
                cache->runs[idle].count += here->count;
                cache->runs[idle].next = next;
                free_run(cache, run);
            }
        }
        run = next;
    }
    if (idle != DYNO_KV_NO_RUN) {
        queue_newest(cache, idle);
    }
}

void dyno_kv_let_go(struct dyno_kv_cache *cache, struct dyno_kv_link *links, uint32_t link_count,
                    uint32_t blocks)
{
    uint32_t start = 0, used = 0;

    while (used < link_count && start < blocks) {
        start += links[used++].blocks;
    }
    while (used > 0) { /* deepest first */
        uint32_t first = start - links[--used].blocks;

        let_go_in_span(cache, links[used].run, (blocks < start ? blocks : start) - first);
        start = first;
    }
}

dyno_status dyno_kv_retire(struct dyno_kv_cache *cache, uint32_t blocks)
{
    uint32_t run;

    if (blocks == 0) {
        return DYNO_OK;
    }
    cache->own -= blocks;
    cache->idle += blocks;
    if (!is_ranked(cache) && cache->idle_newest != DYNO_KV_NO_RUN &&
        cache->runs[cache->idle_newest].span == 0) {
        cache->runs[cache->idle_newest].count += blocks;
        return DYNO_OK;
    }
    DYNO_TRY(make_run(cache, (struct dyno_kv_run){.count = blocks, .next = DYNO_KV_NO_RUN}, &run));
    queue_newest(cache, run);
    return DYNO_OK;
}

void dyno_kv_drop(struct dyno_kv_cache *cache, uint32_t blocks)
{
    assert(cache->own >= blocks);
    cache->own -= blocks;
    cache->free += blocks;
}

void dyno_kv_forget_idle(struct dyno_kv_cache *cache, dyno_ns at)
{
    uint64_t evicted = cache->evicted_blocks;

    evict(cache, cache->idle, at);
    cache->evicted_blocks = evicted;
}

/* Of one span, from its block `from` on. */
static void forget_in_span(struct dyno_kv_cache *cache, uint64_t span, uint32_t from, dyno_ns at)
{
    const uint32_t *first;

    while ((first = dyno_map_find(&cache->first_run_of, span))) {
        const struct dyno_kv_run *last;
        uint32_t run = *first, count;

        while (cache->runs[run].next != DYNO_KV_NO_RUN) {
            run = cache->runs[run].next;
        }
        last = &cache->runs[run];
        if (last->refs > 0 || last->first + last->count <= from) {
            break;
        }
        count = last->first < from ? last->first + last->count - from : last->count;
        free_idle(cache, run, count, at);
    }
}

void dyno_kv_forget(struct dyno_kv_cache *cache, const struct dyno_kv_link *links,
                    uint32_t link_count, uint32_t from, dyno_ns at)
{
    uint32_t end = 0;

    for (uint32_t i = 0; i < link_count; i++) {
        end += links[i].blocks;
    }
    for (uint32_t i = link_count; i > 0 && end > from; i--) {
        uint32_t start = end - links[i - 1].blocks;

        forget_in_span(cache, links[i - 1].span, from > start ? from - start : 0, at);
        end = start;
    }
}

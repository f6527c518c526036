/* One worker's KV blocks in its fastest tier, kept as runs.
 *
 * A run is a row of consecutive blocks of one span with one reference count and one state; it is
 * split when its parts part ways and merged when they meet again.  A prompt of 12,000 tokens is 750
 * blocks of 16 but a handful of runs, so bookkeeping does not depend on the size of a block.
 *
 *   FREE   -> OWN     [take]    a sequence fills it; nobody else can hit it
 *   OWN    -> SHARED  [seal]    it holds a whole block of a span; others may hit it
 *   OWN    -> FREE    [drop]    the cache is off, or another filler sealed the same block first
 *   OWN    -> IDLE    [retire]  its sequence ended; what nobody will ask for keeps its place
 *   SHARED -> IDLE    [let_go]  the last reference went; contents are kept
 *   IDLE   -> SHARED  [hold]    hit
 *   IDLE   -> FREE    [take]    evicted, the longest idle first, or by rank
 *   IDLE   -> FREE    [forget]  nobody is to find it any more
 *
 *   Always: free + own + shared + idle == capacity.
 *
 * A sequence releases its blocks deepest first, so the idle queue orders a span's tail before its
 * head and a parent after its children: what is resident is closed under prefix.
 */
#ifndef DYNO_CORE_KV_CACHE_H
#define DYNO_CORE_KV_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/map.h"
#include "core/base/status.h"
#include "core/base/time.h"
#include "core/kv/evict.h"
#include "core/model/request.h"

enum { DYNO_KV_NO_RUN = UINT32_MAX };

/* A span on a sequence's way: the request's span, and where the cache keeps it. */
struct dyno_kv_link {
    uint64_t span;
    uint32_t blocks;
    uint32_t run; /* the cache's own: the span's first run while this sequence holds it */
};

/* Who hears what happens to spans; a NULL function: nobody listens. */
struct dyno_kv_listener {
    void *context;
    /* The span gained or lost leading blocks; `blocks` are left, 0: none. */
    void (*changed)(void *context, uint32_t worker, dyno_ns at, uint64_t span, uint32_t blocks);
    /* The cache began to hold blocks of the span, or holds none any more. */
    void (*resident)(void *context, dyno_ns at, uint64_t span, bool held);
};

struct dyno_kv_places; /* core/kv/places.h */

struct dyno_kv_run {
    uint64_t span;  /* 0: contents that nobody will ask for */
    uint32_t first; /* index in the span of the run's first block */
    uint32_t count;
    uint32_t refs;         /* 0: idle */
    uint32_t next;         /* the span's next run, or the next unused run */
    uint32_t older, newer; /* neighbours in the idle queue */
};

struct dyno_kv_cache {
    struct dyno_kv_run *runs;            /* [runs_capacity] */
    uint32_t runs_capacity, runs_unused; /* list of unused runs, by next */
    uint32_t idle_oldest, idle_newest;
    struct dyno_map first_run_of;               /* span -> its first run */
    uint32_t capacity, free, own, shared, idle; /* blocks */
    uint32_t idle_named; /* of the idle ones, those that somebody may ask for */
    uint32_t worker;
    uint64_t evicted_blocks;
    bool silent;                   /* the spans being changed are private: nobody is told */
    struct dyno_kv_places *places; /* told of evictions; not owned; NULL: blocks have no numbers */
    const struct dyno_kv_listener *listener;
    struct dyno_kv_ranking ranking;
};

/* `listener` outlives the cache.  Memory is taken with the first block, not here: DYNO_OK. */
dyno_status dyno_kv_cache_init(struct dyno_kv_cache *cache, uint32_t worker, uint32_t capacity,
                               const struct dyno_kv_listener *listener);
void dyno_kv_cache_release(struct dyno_kv_cache *cache);

/* Evict by this policy; before the first block is taken. */
void dyno_kv_cache_rank_by(struct dyno_kv_cache *cache, const struct dyno_kv_evict *policy);

/* Blocks that a taker can have: free ones and idle ones. */
static inline uint32_t dyno_kv_available(const struct dyno_kv_cache *cache)
{
    return cache->free + cache->idle;
}

/* How many leading blocks of the chain `links` are resident, at most `blocks_max`; `*idle_out` of
 * them are idle.  Remembers where they are in links[].run until the cache changes. */
uint32_t dyno_kv_find(const struct dyno_kv_cache *cache, struct dyno_kv_link *links,
                      uint32_t link_count, uint32_t blocks_max, uint32_t *idle_out);

/* How many leading blocks of a prompt are resident, at most `blocks_max`. */
uint32_t dyno_kv_count(const struct dyno_kv_cache *cache, const struct dyno_span *spans,
                       uint32_t span_count, uint32_t blocks_max);

/* Whether anything of the span is resident. */
static inline bool dyno_kv_has(const struct dyno_kv_cache *cache, uint64_t span)
{
    return dyno_map_find(&cache->first_run_of, span) != NULL;
}

/* Reference the first `blocks` blocks of the chain, just found resident. */
dyno_status dyno_kv_hold(struct dyno_kv_cache *cache, struct dyno_kv_link *links, uint32_t blocks);

/* Evict what has been idle longest until `blocks` <= available are free; fewer are. */
void dyno_kv_make_free(struct dyno_kv_cache *cache, uint32_t blocks, dyno_ns at);

/* Take `blocks` <= available as own, evicting for them at `at`. */
static inline void dyno_kv_take(struct dyno_kv_cache *cache, uint32_t blocks, dyno_ns at)
{
    if (blocks > cache->free) {
        dyno_kv_make_free(cache, blocks, at);
    }
    cache->free -= blocks;
    cache->own += blocks;
}

/* Own blocks become blocks [from, to) of the chain, whose first `from` blocks the caller holds; it
 * holds `to` afterwards.  Blocks already resident are referenced instead and the copies dropped.
 * The last `private_links` links are private to the caller: no listener hears of them. */
dyno_status dyno_kv_seal(struct dyno_kv_cache *cache, struct dyno_kv_link *links,
                         uint32_t link_count, uint32_t private_links, uint32_t from, uint32_t to,
                         dyno_ns at);

/* Give up the first `blocks` blocks of the chain, deepest first. */
void dyno_kv_let_go(struct dyno_kv_cache *cache, struct dyno_kv_link *links, uint32_t link_count,
                    uint32_t blocks);

/* Own blocks become idle contents that nobody will ask for, or free. */
dyno_status dyno_kv_retire(struct dyno_kv_cache *cache, uint32_t blocks);
void dyno_kv_drop(struct dyno_kv_cache *cache, uint32_t blocks);

/* What is idle is forgotten and becomes free: told like an eviction, counted as none. */
void dyno_kv_forget_idle(struct dyno_kv_cache *cache, dyno_ns at);

/* What is idle of the chain's spans from block `from` of the chain on is forgotten and becomes
 * free, deepest first, as far as nobody holds what is behind it: told like an eviction, counted as
 * none. */
void dyno_kv_forget(struct dyno_kv_cache *cache, const struct dyno_kv_link *links,
                    uint32_t link_count, uint32_t from, dyno_ns at);

/* Walks everything; aborts if an invariant is broken.  For tests and debug runs. */
void dyno_kv_cache_check(const struct dyno_kv_cache *cache);

#endif

/* The invariants of a cache. */
#include <assert.h>

#include "core/kv/cache.h"

void dyno_kv_cache_check(const struct dyno_kv_cache *cache)
{
    uint64_t idle = 0, named = 0;
    uint32_t run = cache->idle_oldest, newest = DYNO_KV_NO_RUN;

    assert((uint64_t)cache->free + cache->own + cache->shared + cache->idle == cache->capacity);
    for (uint32_t i = 0; i < cache->ranking.idle.count; i++) {
        const struct dyno_kv_run *here = &cache->runs[cache->ranking.idle.items[i].id];

        assert(here->refs == 0 && here->count > 0);
        idle += here->count;
        named += here->span != 0 ? here->count : 0;
    }
    for (; run != DYNO_KV_NO_RUN; newest = run, run = cache->runs[run].newer) {
        assert(cache->runs[run].refs == 0 && cache->runs[run].count > 0);
        assert(cache->runs[run].older == newest);
        idle += cache->runs[run].count;
        named += cache->runs[run].span != 0 ? cache->runs[run].count : 0;
    }
    assert(newest == cache->idle_newest && idle == cache->idle && named == cache->idle_named);
    (void)idle;
    (void)named;
}

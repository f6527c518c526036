/* Where the blocks of a move lie, at each of its ends, where caches have places for them. */
#include "core/worker/tiers_parts.h"

dyno_status dyno_move_place_hold(struct dyno_move *move, uint32_t end,
                                 const struct dyno_kv_cache *cache, uint32_t blocks)
{
    if (!DYNO_RARELY(cache->places)) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_kv_places_add(cache->places, &move->tables[end]));
    return dyno_kv_places_hold(cache->places, move->tables[end], dyno_move_links(move, end),
                               blocks);
}

dyno_status dyno_move_place_take(const struct dyno_move *move, uint32_t end,
                                 const struct dyno_kv_cache *cache, uint32_t blocks)
{
    return DYNO_RARELY(cache->places)
               ? dyno_kv_places_take(cache->places, move->tables[end], blocks)
               : DYNO_OK;
}

dyno_status dyno_move_place_seal(const struct dyno_move *move, uint32_t end,
                                 const struct dyno_kv_cache *cache)
{
    return DYNO_RARELY(cache->places)
               ? dyno_kv_places_seal(cache->places, move->tables[end], dyno_move_links(move, end),
                                     move->link_count, move->from, move->to)
               : DYNO_OK;
}

void dyno_move_place_leave(const struct dyno_move *move, uint32_t end,
                           const struct dyno_kv_cache *cache, uint32_t held)
{
    if (DYNO_RARELY(cache->places)) {
        dyno_kv_places_drop(cache->places, move->tables[end], held);
        dyno_kv_places_remove(cache->places, move->tables[end]);
    }
}

const uint32_t *dyno_move_place_at(const struct dyno_move *move, uint32_t end,
                                   const struct dyno_kv_cache *cache, uint32_t block)
{
    return DYNO_RARELY(cache->places)
               ? dyno_kv_places_table(cache->places, move->tables[end]) + block
               : NULL;
}

/* Where the blocks of a move lie, at each of its ends, where caches have places for them. */
#include "core/base/array.h"
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

void dyno_move_place_cut(const struct dyno_move *move, uint32_t end,
                         const struct dyno_kv_cache *cache)
{
    if (DYNO_RARELY(cache->places)) {
        dyno_kv_places_drop_after(cache->places, move->tables[end], move->to - move->lost);
    }
}

dyno_status dyno_move_place_seal(const struct dyno_move *move, uint32_t end,
                                 const struct dyno_kv_cache *cache)
{
    return DYNO_RARELY(cache->places)
               ? dyno_kv_places_seal(cache->places, move->tables[end], dyno_move_links(move, end),
                                     move->link_count, move->from, move->to - move->lost)
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

const struct dyno_block_name *dyno_move_names(struct dyno_tiers *tiers,
                                              const struct dyno_move *move, uint32_t tier,
                                              uint32_t first, uint32_t count)
{
    const struct dyno_kv_link *links = dyno_move_links(move, 0);
    uint32_t start = 0; /* the link's first block, in the chain */

    if (!DYNO_RARELY(tiers->config.tiers[tier].outlives)) {
        return NULL;
    }
    if (!dyno_array_reserve(&tiers->names, &tiers->names_capacity, count, sizeof *tiers->names)) {
        return NULL;
    }
    for (uint32_t i = 0; i < move->link_count; start += links[i++].blocks) {
        for (uint32_t j = first > start ? first - start : 0;
             j < links[i].blocks && start + j < first + count; j++) {
            tiers->names[start + j - first] =
                (struct dyno_block_name){.span = links[i].span, .index = j, .depth = start + j};
        }
    }
    return tiers->names;
}

const uint32_t *dyno_move_place_at(const struct dyno_move *move, uint32_t end,
                                   const struct dyno_kv_cache *cache, uint32_t block)
{
    return DYNO_RARELY(cache->places)
               ? dyno_kv_places_table(cache->places, move->tables[end]) + block
               : NULL;
}

/* What a pool had when the last run ended. */
#include <stdlib.h>

#include "core/worker/tiers_parts.h"

static int by_span(const void *a, const void *b)
{
    const struct dyno_block_name *left = &((const struct dyno_kept_block *)a)->name;
    const struct dyno_block_name *right = &((const struct dyno_kept_block *)b)->name;

    return left->span != right->span ? (left->span > right->span) - (left->span < right->span)
                                     : (left->index > right->index) - (left->index < right->index);
}

/* Blocks of one span that follow each other from its first on: [first, first + count) of all. */
struct head {
    uint32_t first, count, depth;
    uint64_t span;
};

/* Deepest first, so that it is the oldest. */
static int by_depth(const void *a, const void *b)
{
    const struct head *left = a, *right = b;

    return left->depth != right->depth ? (left->depth < right->depth) - (left->depth > right->depth)
                                       : (left->span > right->span) - (left->span < right->span);
}

static uint32_t find_heads(const struct dyno_kept_block *blocks, uint32_t count, struct head *heads)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct dyno_block_name *name = &blocks[i].name;
        struct head *last = found > 0 ? &heads[found - 1] : NULL;

        if (last && last->span == name->span && last->first + last->count == i &&
            last->count == name->index) {
            last->count++;
        } else if (name->index == 0 && name->span != 0) {
            heads[found++] =
                (struct head){.first = i, .count = 1, .depth = name->depth, .span = name->span};
        }
    }
    return found;
}

static dyno_status adopt(struct dyno_kv_cache *cache, const struct head *head)
{
    struct dyno_kv_link link = {.span = head->span, .blocks = head->count, .run = DYNO_KV_NO_RUN};
    uint32_t table;

    dyno_kv_take(cache, head->count, 0);
    DYNO_TRY(dyno_kv_places_add(cache->places, &table));
    DYNO_TRY(dyno_kv_places_take(cache->places, table, head->count));
    DYNO_TRY(dyno_kv_places_seal(cache->places, table, &link, 1, 0, head->count));
    DYNO_TRY(dyno_kv_seal(cache, &link, 1, 0, 0, head->count, 0));
    dyno_kv_places_drop(cache->places, table, head->count);
    dyno_kv_places_remove(cache->places, table);
    dyno_kv_let_go(cache, &link, 1, head->count);
    return DYNO_OK;
}

static dyno_status adopt_all(struct dyno_kv_cache *cache, const struct dyno_kept_block *blocks,
                             const struct head *heads, uint32_t head_count, uint32_t *numbers)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < head_count; i++) {
        for (uint32_t j = 0; j < heads[i].count; j++) {
            numbers[count++] = blocks[heads[i].first + j].place;
        }
    }
    dyno_kv_places_prefer(cache->places, numbers, count);
    for (uint32_t i = 0; i < head_count; i++) {
        DYNO_TRY(adopt(cache, &heads[i]));
    }
    return DYNO_OK;
}

dyno_status dyno_tiers_adopt(struct dyno_tiers *tiers, uint32_t tier, uint32_t pool,
                             struct dyno_kept_block *blocks, uint32_t count)
{
    struct dyno_kv_cache *cache = &tiers->pools[tier][pool];
    struct head *heads = calloc((size_t)count + 1, sizeof *heads);
    uint32_t *numbers = calloc((size_t)count + 1, sizeof *numbers), found;
    dyno_status status = DYNO_NO_MEMORY;

    if (heads && numbers) {
        qsort(blocks, count, sizeof *blocks, by_span);
        found = find_heads(blocks, count, heads);
        qsort(heads, found, sizeof *heads, by_depth);
        status = adopt_all(cache, blocks, heads, found, numbers);
    }
    free(heads);
    free(numbers);
    return status;
}

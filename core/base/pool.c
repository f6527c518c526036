#include "core/base/pool.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/usual.h"

enum { CAPACITY_MIN = 64 };

static bool grow(struct dyno_pool *pool)
{
    uint32_t capacity = pool->capacity ? 2 * pool->capacity : CAPACITY_MIN;
    char *items;

    if (capacity < pool->capacity || capacity > SIZE_MAX / pool->item_bytes) {
        return false;
    }
    items = realloc(pool->items, capacity * pool->item_bytes);
    if (!items) {
        return false;
    }
    pool->items = items;
    pool->capacity = capacity;
    return true;
}

void dyno_pool_init(struct dyno_pool *pool, size_t item_bytes)
{
    assert(item_bytes >= sizeof pool->unused);
    *pool = (struct dyno_pool){.item_bytes = item_bytes, .unused = DYNO_POOL_NONE};
}

void dyno_pool_release(struct dyno_pool *pool)
{
    free(pool->items);
    memset(pool, 0, sizeof *pool);
}

uint32_t dyno_pool_take(struct dyno_pool *pool)
{
    uint32_t place = pool->unused;

    if (place != DYNO_POOL_NONE) {
        memcpy(&pool->unused, dyno_pool_at(pool, place), sizeof pool->unused);
        return place;
    }
    if (DYNO_RARELY(pool->used == pool->capacity) && !grow(pool)) {
        return DYNO_POOL_NONE;
    }
    return pool->used++;
}

void dyno_pool_give(struct dyno_pool *pool, uint32_t place)
{
    memcpy(dyno_pool_at(pool, place), &pool->unused, sizeof pool->unused);
    pool->unused = place;
}

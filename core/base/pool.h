/* Items of one size, known by their place: taken and given back without malloc once warm.
 *
 * One array that doubles, so a pointer into it is valid only until the next take, and a list of the
 * places given back.  Memory is given back when the pool is released.
 */
#ifndef DYNO_CORE_BASE_POOL_H
#define DYNO_CORE_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#define DYNO_POOL_NONE UINT32_MAX /* no place */

struct dyno_pool {
    char *items;
    size_t item_bytes;
    uint32_t used; /* places ever taken: 0 .. used - 1 */
    uint32_t capacity;
    uint32_t unused; /* list of places given back, through their items' first four bytes */
};

/* Zero-size items are not items: item_bytes >= 4. */
void dyno_pool_init(struct dyno_pool *pool, size_t item_bytes);
void dyno_pool_release(struct dyno_pool *pool);

/* A place whose item has undefined contents; DYNO_POOL_NONE when memory is out. */
uint32_t dyno_pool_take(struct dyno_pool *pool);
/* Give a place back; all but the first four bytes of its item stay until it is taken again. */
void dyno_pool_give(struct dyno_pool *pool, uint32_t place);

static inline void *dyno_pool_at(const struct dyno_pool *pool, uint32_t place)
{
    return pool->items + place * pool->item_bytes;
}

#endif

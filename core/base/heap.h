/* An indexed binary heap of (key, id): the smallest key first, ties by the smaller id.
 *
 * Every id in [0, capacity) is in the heap at most once, so that its key can be changed in place.
 * All operations are O(log n) and none allocates but dyno_heap_reserve.
 */
#ifndef DYNO_CORE_BASE_HEAP_H
#define DYNO_CORE_BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

struct dyno_heap_item {
    uint64_t key;
    uint32_t id;
};

struct dyno_heap {
    struct dyno_heap_item *items; /* [count] */
    uint32_t *place_of;           /* [capacity]: where an id is, plus one; 0: absent */
    uint32_t count;
    uint32_t capacity;
};

/* Make room for ids below `capacity`; keeps what is there.  Zero-initialise the struct first. */
dyno_status dyno_heap_reserve(struct dyno_heap *heap, uint32_t capacity);
void dyno_heap_release(struct dyno_heap *heap);

void dyno_heap_set(struct dyno_heap *heap, uint32_t id, uint64_t key); /* insert or change */
void dyno_heap_remove(struct dyno_heap *heap, uint32_t id);            /* absent: no effect */
bool dyno_heap_has(const struct dyno_heap *heap, uint32_t id);

/* The key of `id`, which is in the heap. */
static inline uint64_t dyno_heap_key_of(const struct dyno_heap *heap, uint32_t id)
{
    return heap->items[heap->place_of[id] - 1].key;
}

/* The smallest, which must exist. */
static inline struct dyno_heap_item dyno_heap_top(const struct dyno_heap *heap)
{
    return heap->items[0];
}

/* The smallest key, or UINT64_MAX when empty. */
static inline uint64_t dyno_heap_key(const struct dyno_heap *heap)
{
    return heap->count ? heap->items[0].key : UINT64_MAX;
}

#endif

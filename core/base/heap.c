#include "core/base/heap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool before(struct dyno_heap_item a, struct dyno_heap_item b)
{
    return a.key < b.key || (a.key == b.key && a.id < b.id);
}

static void put(struct dyno_heap *heap, uint32_t place, struct dyno_heap_item item)
{
    heap->items[place] = item;
    heap->place_of[item.id] = place + 1;
}

static void sift_up(struct dyno_heap *heap, uint32_t place, struct dyno_heap_item item)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / 2;

        if (!before(item, heap->items[parent])) {
            break;
        }
        put(heap, place, heap->items[parent]);
        place = parent;
    }
    put(heap, place, item);
}

static void sift_down(struct dyno_heap *heap, uint32_t place, struct dyno_heap_item item)
{
    for (;;) {
        uint32_t child = 2 * place + 1;

        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count && before(heap->items[child + 1], heap->items[child])) {
            child++;
        }
        if (!before(heap->items[child], item)) {
            break;
        }
        put(heap, place, heap->items[child]);
        place = child;
    }
    put(heap, place, item);
}

dyno_status dyno_heap_reserve(struct dyno_heap *heap, uint32_t capacity)
{
    struct dyno_heap_item *items;
    uint32_t *places;

    if (capacity <= heap->capacity) {
        return DYNO_OK;
    }
    items = realloc(heap->items, capacity * sizeof *items);
    if (!items) {
        return DYNO_NO_MEMORY;
    }
    heap->items = items;
    places = realloc(heap->place_of, capacity * sizeof *places);
    if (!places) {
        return DYNO_NO_MEMORY;
    }
    memset(places + heap->capacity, 0, (capacity - heap->capacity) * sizeof *places);
    heap->place_of = places;
    heap->capacity = capacity;
    return DYNO_OK;
}

void dyno_heap_release(struct dyno_heap *heap)
{
    free(heap->items);
    free(heap->place_of);
    memset(heap, 0, sizeof *heap);
}

bool dyno_heap_has(const struct dyno_heap *heap, uint32_t id)
{
    return id < heap->capacity && heap->place_of[id] != 0;
}

void dyno_heap_set(struct dyno_heap *heap, uint32_t id, uint64_t key)
{
    struct dyno_heap_item item = {.key = key, .id = id};
    uint32_t place;

    assert(id < heap->capacity);
    if (!heap->place_of[id]) {
        sift_up(heap, heap->count++, item);
        return;
    }
    place = heap->place_of[id] - 1;
    if (before(item, heap->items[place])) {
        sift_up(heap, place, item);
    } else {
        sift_down(heap, place, item);
    }
}

void dyno_heap_remove(struct dyno_heap *heap, uint32_t id)
{
    struct dyno_heap_item last;
    uint32_t place;

    if (!dyno_heap_has(heap, id)) {
        return;
    }
    place = heap->place_of[id] - 1;
    heap->place_of[id] = 0;
    last = heap->items[--heap->count];
    if (place == heap->count) {
        return;
    }
    if (place > 0 && before(last, heap->items[(place - 1) / 2])) {
        sift_up(heap, place, last);
    } else {
        sift_down(heap, place, last);
    }
}

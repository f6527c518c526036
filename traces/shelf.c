/* Slots in one array that grows, with a stack of the free ones. */
#include "traces/shelf.h"

#include <assert.h>
#include <stdlib.h>

enum { KEPT_SEGMENTS_MAX = 4096 }; /* a slot that held a longer row does not keep its memory */

void dyno_shelf_release(struct dyno_shelf *shelf)
{
    for (uint32_t i = 0; i < shelf->used; i++) {
        dyno_row_release(&shelf->slots[i].row);
    }
    free(shelf->slots);
    free(shelf->free_slots);
    *shelf = (struct dyno_shelf){0};
}

static bool grow(struct dyno_shelf *shelf)
{
    uint32_t capacity = shelf->capacity ? 2 * shelf->capacity : 16;
    struct dyno_slot *slots = realloc(shelf->slots, capacity * sizeof *slots);
    uint32_t *free_slots;

    if (!slots) {
        return false;
    }
    shelf->slots = slots;
    free_slots = realloc(shelf->free_slots, capacity * sizeof *free_slots);
    if (!free_slots) {
        return false;
    }
    shelf->free_slots = free_slots;
    shelf->capacity = capacity;
    return true;
}

uint32_t dyno_shelf_slot(struct dyno_shelf *shelf)
{
    if (shelf->free_count > 0) {
        return shelf->free_slots[--shelf->free_count];
    }
    if (shelf->used == shelf->capacity && !grow(shelf)) {
        return DYNO_SLOT_NONE;
    }
    shelf->slots[shelf->used] = (struct dyno_slot){0};
    return shelf->used++;
}

void dyno_shelf_drop(struct dyno_shelf *shelf, uint32_t slot)
{
    struct dyno_row *row = &shelf->slots[slot].row;

    if (row->segment_capacity > KEPT_SEGMENTS_MAX) {
        dyno_row_release(row);
    }
    shelf->slots[slot].waits_left = 0;
    shelf->free_slots[shelf->free_count++] = slot;
}

void dyno_shelf_put(struct dyno_shelf *shelf, uint32_t slot)
{
    shelf->rows++;
    shelf->segments += shelf->slots[slot].row.segment_count;
}

void dyno_shelf_remove(struct dyno_shelf *shelf, uint32_t slot)
{
    assert(shelf->rows > 0);
    shelf->rows--;
    shelf->segments -= shelf->slots[slot].row.segment_count;
    dyno_shelf_drop(shelf, slot);
}

const struct dyno_slot *dyno_shelf_first_waiting(const struct dyno_shelf *shelf)
{
    const struct dyno_slot *first = NULL;

    for (uint32_t i = 0; i < shelf->used; i++) {
        const struct dyno_slot *slot = &shelf->slots[i];

        if (slot->waits_left > 0 && (!first || slot->sequence < first->sequence)) {
            first = slot;
        }
    }
    assert(first);
    return first;
}

/* Rows that were read and not sent yet, each in a slot that is used again later with its memory. */
#ifndef DYNO_TRACES_SHELF_H
#define DYNO_TRACES_SHELF_H

#include "traces/row.h"

/* How much may stand on it: rows, and identities of all of them (some 200 MiB at worst). */
enum { DYNO_SHELF_ROWS = 262144, DYNO_SHELF_SEGMENTS = 4 << 20 };

#define DYNO_SLOT_NONE UINT32_MAX

struct dyno_slot {
    struct dyno_row row;
    uint64_t sequence; /* in reading order */
    dyno_ns at;        /* its timestamp, in the time of the run */
    dyno_ns ended_ns;  /* the latest end of what it waited for */
    uint32_t waits_left;
    uint32_t node; /* of who waits for it; DYNO_NODE_NONE: nobody can */
};

struct dyno_shelf {
    struct dyno_slot *slots; /* [capacity], used of them touched so far */
    uint32_t *free_slots;    /* [capacity], free_count of them valid */
    uint32_t capacity, used, free_count;
    uint32_t rows;     /* that stand on it */
    uint64_t segments; /* of them all */
};

void dyno_shelf_release(struct dyno_shelf *shelf);

static inline bool dyno_shelf_is_full(const struct dyno_shelf *shelf)
{
    return shelf->rows >= DYNO_SHELF_ROWS || shelf->segments >= DYNO_SHELF_SEGMENTS;
}

/* An empty slot to read a row into; DYNO_SLOT_NONE when memory is out.  May move all slots. */
uint32_t dyno_shelf_slot(struct dyno_shelf *shelf);
/* Give back a slot whose row was not put on the shelf. */
void dyno_shelf_drop(struct dyno_shelf *shelf, uint32_t slot);

/* The slot's row now stands on the shelf; it is taken off again, and the slot given back. */
void dyno_shelf_put(struct dyno_shelf *shelf, uint32_t slot);
void dyno_shelf_remove(struct dyno_shelf *shelf, uint32_t slot);

/* The slot of the row read first of those that wait for something; there is one. */
const struct dyno_slot *dyno_shelf_first_waiting(const struct dyno_shelf *shelf);

#endif

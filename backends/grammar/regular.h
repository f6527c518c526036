/* Regular sets of byte strings: built as nondeterministic automata, kept as deterministic ones.
 *
 * Many sets share one table of states.  A state of a finished set always leads to its end.
 */
#ifndef DYNO_BACKENDS_GRAMMAR_REGULAR_H
#define DYNO_BACKENDS_GRAMMAR_REGULAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

enum {
    DYNO_PARTS_MAX = 1 << 18,          /* of one nondeterministic automaton */
    DYNO_REGULAR_STATES_MAX = 1 << 16, /* of one set */
    DYNO_REGULAR_TOTAL_MAX = 1 << 20,  /* of a table */
    DYNO_REGULAR_WORK_MAX = 1 << 26,   /* steps to make the sets of a table: about a second */
};

#define DYNO_REGULAR_EMPTY UINT32_MAX /* the state of the empty set */

struct dyno_regular_edge {
    uint32_t next;
    uint8_t first, last; /* bytes */
};

struct dyno_regular_state {
    uint32_t edge_begin;
    uint16_t edge_count;
    bool accepts;
};

struct dyno_regular {
    struct dyno_regular_state *states;
    struct dyno_regular_edge *edges; /* of a state: by bytes, ascending */
    uint32_t state_count, state_capacity, edge_count, edge_capacity;
    uint64_t work; /* steps that were done */
};

/* The nondeterministic automaton under construction.  Zero-initialise; once memory or room is out,
 * `status` says so, parts are no longer made, and the set is refused at its end. */
struct dyno_parts {
    struct dyno_part *parts;
    uint32_t count, capacity;
    dyno_status status;
};

/* A piece of it, with one way in and one way out. */
struct dyno_piece {
    uint32_t begin, end;
};

void dyno_parts_release(struct dyno_parts *parts);

struct dyno_piece dyno_piece_empty(struct dyno_parts *parts);
struct dyno_piece dyno_piece_byte(struct dyno_parts *parts, uint8_t first, uint8_t last);
struct dyno_piece dyno_piece_bytes(struct dyno_parts *parts, const char *bytes, size_t size);
struct dyno_piece dyno_piece_join(struct dyno_parts *parts, struct dyno_piece left,
                                  struct dyno_piece right);
struct dyno_piece dyno_piece_either(struct dyno_parts *parts, struct dyno_piece left,
                                    struct dyno_piece right);
struct dyno_piece dyno_piece_optional(struct dyno_parts *parts, struct dyno_piece piece);
struct dyno_piece dyno_piece_any_times(struct dyno_parts *parts, struct dyno_piece piece);

/* `first` to `last`, `min` to `max` times. */
struct dyno_piece dyno_piece_run(struct dyno_parts *parts, uint8_t first, uint8_t last,
                                 uint32_t min, uint32_t max);

/* Make `piece` deterministic and add it to the table.  *start is its first state, or EMPTY. Errors:
 * DYNO_FULL (a limit above; the text has no sentence), DYNO_NO_MEMORY. */
dyno_status dyno_regular_add(struct dyno_regular *table, struct dyno_parts *parts,
                             struct dyno_piece piece, uint32_t *start);

/* Add the strings that are in both of two sets. */
dyno_status dyno_regular_both(struct dyno_regular *table, uint32_t left, uint32_t right,
                              uint32_t *start);

void dyno_regular_release(struct dyno_regular *table);

/* The state behind `byte`, or EMPTY. */
static inline uint32_t dyno_regular_next(const struct dyno_regular *table, uint32_t state,
                                         uint8_t byte)
{
    const struct dyno_regular_edge *edge = table->edges + table->states[state].edge_begin;
    const struct dyno_regular_edge *end = edge + table->states[state].edge_count;

    for (; edge < end && edge->first <= byte; edge++) {
        if (byte <= edge->last) {
            return edge->next;
        }
    }
    return DYNO_REGULAR_EMPTY;
}

#endif

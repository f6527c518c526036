/* The parts of a nondeterministic automaton.  For regular.h's own files. */
#ifndef DYNO_BACKENDS_GRAMMAR_PARTS_H
#define DYNO_BACKENDS_GRAMMAR_PARTS_H

#include "backends/grammar/regular.h"

#define DYNO_PART_NONE UINT32_MAX

/* One that reads goes on to `next` behind a byte; another goes on to `next` and `other` at once. */
struct dyno_part {
    uint32_t next, other; /* NONE: nowhere */
    uint8_t first, last;
    bool reads;
};

/* Add the states of `draft` from which its end can be reached to `table`; its first is the start.
 */
dyno_status dyno_regular_append(struct dyno_regular *table, const struct dyno_regular *draft,
                                uint32_t *start);

/* Add to a draft: a state, or an edge of the last state whose edges are begun.  An edge that goes
 * on where the one before it ended, to the same state, lengthens that one. */
dyno_status dyno_draft_state(struct dyno_regular *draft, bool accepts);
dyno_status dyno_draft_edge(struct dyno_regular *draft, uint32_t state, uint8_t first, uint8_t last,
                            uint32_t next);

#endif

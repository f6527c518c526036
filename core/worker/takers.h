/* How many sequences of a decode set take a block at each phase, and sums over phases.
 *
 * A phase is a step's number modulo the tokens of a block, and every sequence takes a block at one
 * of them.  Sums over a range of phases and the search for the step at which blocks run out take
 * O(log phases): the counts are kept a second time as a binary indexed tree (Fenwick, 1994).  While
 * there are few sequences, it is their phases that are kept instead, in no order, and looked
 * through.
 */
#ifndef DYNO_CORE_WORKER_TAKERS_H
#define DYNO_CORE_WORKER_TAKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

enum { DYNO_TAKERS_FEW = 12 };

struct dyno_takers {
    uint32_t size;  /* phases */
    uint32_t count; /* sequences */
    uint32_t *at;   /* [size] sequences that take a block at this phase; NULL: not initialised */
    uint32_t *tree; /* [size + 1] behind them: tree[i] sums the phases from i less its lowest bit */
    bool few;       /* the tree is not kept, but ... */
    uint32_t phases[DYNO_TAKERS_FEW]; /* [count] ... these */
};

/* None at any of `size` >= 1 phases.  DYNO_NO_MEMORY: nothing to release. */
dyno_status dyno_takers_init(struct dyno_takers *takers, uint32_t size);
void dyno_takers_release(struct dyno_takers *takers);

void dyno_takers_add(struct dyno_takers *takers, uint32_t phase);
void dyno_takers_remove(struct dyno_takers *takers, uint32_t phase);

/* Blocks that `count` <= size steps take, the first of them at `phase`. */
uint32_t dyno_takers_sum(const struct dyno_takers *takers, uint32_t phase, uint32_t count);

/* For how many steps, the first at `phase`, `blocks` suffice; at most size. */
uint32_t dyno_takers_steps(const struct dyno_takers *takers, uint32_t phase, uint32_t blocks);

#endif

/* Where a list of weighted tokens is cut, in the order of their weights: the heaviest first, equal
 * ones by id.  The list is not put in that order: each round looks at eleven bits of the weights
 * and keeps the tokens that share them with the place of the cut, so a list of n takes O(n).
 *
 * Weights are whole numbers: their sums are exact, whatever they are added up in.
 */
#ifndef DYNO_KERNELS_SAMPLE_CUT_H
#define DYNO_KERNELS_SAMPLE_CUT_H

#include <stddef.h>
#include <stdint.h>

struct dyno_weighted {
    const uint64_t *weight; /* [vocab], by token; of those in the list from 1 to 2^44 */
    uint32_t *token;        /* [count], ascending */
    uint32_t count;
};

/* Those before the cut are heavier than `weight`, or are among the first `ties` that weigh it. */
struct dyno_cut {
    uint64_t weight;
    uint32_t ties; /* >= 1 */
};

/* Bytes of scratch for lists of up to `vocab` tokens, aligned as uint64_t. */
size_t dyno_cut_scratch(uint32_t vocab);

/* The cut behind the first `count` tokens; `count` is from 1 to the list's. */
struct dyno_cut dyno_cut_at_count(struct dyno_weighted list, uint32_t count, void *scratch);

/* The cut behind the fewest tokens that weigh `sum` together; `sum` is from 1 to the list's. */
struct dyno_cut dyno_cut_at_sum(struct dyno_weighted list, uint64_t sum, void *scratch);

#endif

/* Which two neighbouring symbols become which one: a hash table that nothing is removed from. */
#ifndef DYNO_BACKENDS_ASSETS_TOKENIZER_JOIN_TABLE_H
#define DYNO_BACKENDS_ASSETS_TOKENIZER_JOIN_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

/* The smallest rank comes first, then the leftmost pair. */
struct dyno_join {
    uint32_t left, right; /* left UINT32_MAX: a free slot */
    uint32_t rank, result;
};

struct dyno_join_table {
    struct dyno_join *slots; /* [1 << bits]; NULL while empty */
    uint64_t *marks; /* a bit for each hash of 4 << bits: most pairs do not join, and are turned
                        away here, in memory that is 32 times smaller */
    uint32_t bits;
    uint32_t count;
};

void dyno_join_table_release(struct dyno_join_table *table); /* zero-initialise first */

/* The first of several with the same pair counts.  `left` is not UINT32_MAX. */
dyno_status dyno_join_table_put(struct dyno_join_table *table, struct dyno_join join);

static inline uint64_t dyno_join_hash(uint32_t left, uint32_t right)
{
    return ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15U;
}

/* The slot of the pair, or UINT32_MAX.  `left` is not UINT32_MAX. */
static inline uint32_t dyno_join_table_find(const struct dyno_join_table *table, uint32_t left,
                                            uint32_t right)
{
    uint64_t hash = dyno_join_hash(left, right);
    size_t mask = ((size_t)1 << table->bits) - 1, mark;

    if (!table->slots) {
        return UINT32_MAX;
    }
    mark = (size_t)(hash >> (62 - table->bits));
    if (!(table->marks[mark / 64] >> mark % 64 & 1)) {
        return UINT32_MAX;
    }
    for (size_t at = (size_t)(hash >> (64 - table->bits));; at = (at + 1) & mask) {
        const struct dyno_join *join = &table->slots[at];

        if (join->left == left && join->right == right) {
            return (uint32_t)at;
        }
        if (join->left == UINT32_MAX) {
            return UINT32_MAX;
        }
    }
}

#endif

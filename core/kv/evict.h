/* In what order a cache gives up blocks that nobody holds.
 *
 * A policy raises the rank of a run of blocks whenever somebody lets go of it: of idle ones who has
 * the lowest goes first, of equal ones who has been idle longest.  What is resident has to stay
 * closed under prefix, so a rank must not grow along a chain: whoever uses a block uses all before
 * it, so counts of uses do not, and a cost has to be that of the whole chain that used it.
 *
 *   lru   no ranks: a list.  Deeper blocks before those before them, so the oldest leaf of the tree
 *         of prefixes goes first (what Dynamo calls lineage).
 *   lfu   level + uses, where the level is the rank of what was evicted last (LFU with dynamic
 *         aging: Arlitt et al., Evaluating Content Management Techniques for Web Proxy Caches,
 *         1999)
 *   cost  level + uses x cost: what it takes to compute a block again, against others (GreedyDual
 *         with frequencies: Cherkasova, 1998)
 */
#ifndef DYNO_CORE_KV_EVICT_H
#define DYNO_CORE_KV_EVICT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/heap.h"

enum { DYNO_EVICT_COST_ONE = 8, DYNO_EVICT_COST_MAX = 255 }; /* of an ordinary block, and at most */

struct dyno_kv_evict {
    const char *name;
    const char *help;
    /* By how much a run of so many uses is above the level; NULL: the longest idle goes first. */
    uint32_t (*worth)(uint32_t uses, uint32_t cost);
    bool counts_cost; /* or the cost is never looked at */
};

extern const struct dyno_kv_evict dyno_kv_evict_table[]; /* NULL-name-terminated */

/* The policy called `name`, or NULL. */
const struct dyno_kv_evict *dyno_kv_evict_find(const char *name);

/* ---- the ranks of a cache's runs: for core/kv/cache.c ---- */

/* Of a run, where a policy ranks them. */
struct dyno_kv_rank {
    uint32_t uses, rank;
};

/* What a cache needs more where a policy ranks idle runs; all zero where none does. */
struct dyno_kv_ranking {
    const struct dyno_kv_evict *policy; /* NULL: the longest idle goes first */
    struct dyno_kv_rank *ranks;         /* [runs_capacity] */
    struct dyno_heap idle;              /* runs, by rank and then by when they became idle */
    uint32_t level;                     /* the rank of what was evicted last */
    uint32_t cost; /* of the blocks that are used or let go of now: DYNO_EVICT_COST_ONE is ordinary;
                      the caller's to set */
    uint64_t clock; /* how many have become idle */
};

/* Room for runs below `count`.  DYNO_NO_MEMORY. */
dyno_status dyno_kv_ranking_reserve(struct dyno_kv_ranking *ranking, uint32_t count);
void dyno_kv_ranking_release(struct dyno_kv_ranking *ranking);

/* Somebody lets go of the run, who perhaps is not the last. */
void dyno_kv_ranking_raise(struct dyno_kv_ranking *ranking, uint32_t run);
/* The run becomes idle now, `after` runs of those counted in the clock after it. */
void dyno_kv_ranking_idle(struct dyno_kv_ranking *ranking, uint32_t run, uint32_t after);
/* The tail of a run becomes a run of its own, idle in the other's place if that is. */
void dyno_kv_ranking_split(struct dyno_kv_ranking *ranking, uint32_t run, uint32_t tail);
/* The idle run that goes next, if there is one. */
uint32_t dyno_kv_ranking_next(struct dyno_kv_ranking *ranking);

#endif

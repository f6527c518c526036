/* Tiers of KV below the GPU's own memory (G1): host memory (G2), NVMe (G3), a network or object
 * store (G4).
 *
 * A tier consists of pools, each of which serves one worker, those of a node, or all: several
 * workers may have the same one.  A pool is a KV cache (core/kv/cache.h) in which nobody computes:
 * what it holds is closed under prefix.
 *
 *   store    When a prompt has been computed, those of its whole blocks that the fastest tier lacks
 *            are copied there, and from each tier to the next.  So what a tier evicts is already in
 *            the next one, if that took it, and no eviction waits for a transfer.
 *   onboard  Where a request that could start finds more of its prompt below than on its GPU, it
 *            waits for those blocks while others compute, but only if that is predicted to be
 *            faster than to compute them again.
 *
 *   pull     Likewise for what another worker's GPU holds, of those that the workers' object has:
 *            it is asked, holds what it has while that is copied, and at most a quarter of its
 *            blocks for such things.  What it has evicted by then is computed, and what has not
 *            come by a deadline.
 *
 * What would come back later than it is computed again is not stored.  A block on its way is held
 * on both ends; of a GPU's blocks a quarter at most for stores.  A pool that has no room takes as
 * many leading blocks as it can, and what does not fit is skipped: a store never waits.  Which
 * blocks a tier wants, and which it gives up first, are rows of tables: dyno_store_policies and
 * dyno_kv_evict_table.
 */
#ifndef DYNO_CORE_WORKER_TIERS_H
#define DYNO_CORE_WORKER_TIERS_H

#include "core/kv/cache.h"
#include "core/kv/sketch.h"
#include "core/worker/link.h"
#include "core/worker/worker.h"

enum { DYNO_TIER_POOLS_MAX = 1 << 20, DYNO_TIER_POOLS_FEW = 64 };

/* What is known of a prompt whose blocks may be stored. */
struct dyno_store_view {
    const struct dyno_kv_link *links; /* [link_count] its chain ... */
    uint32_t link_count;
    uint32_t blocks;                     /* ... of which so many whole blocks are computed ... */
    uint32_t hit_blocks;                 /* ... and so many were found in some cache */
    const struct dyno_kv_sketch *sketch; /* of sightings of spans, if the policy counts them */
};

struct dyno_store_policy {
    const char *name;
    const char *help;
    bool counts; /* how often spans are seen: by their identities, so they are not to be merged */
    uint32_t (*wanted)(const struct dyno_store_view *view); /* leading blocks */
};

extern const struct dyno_store_policy dyno_store_policies[]; /* NULL-name-terminated */

/* The policy called `name`, or NULL. */
const struct dyno_store_policy *dyno_store_policy_find(const char *name);

struct dyno_tier_config {
    uint32_t level;                        /* 2, 3 or 4: for the books only */
    uint32_t pool_count;                   /* >= 1 */
    uint32_t pool_blocks;                  /* of each */
    const uint32_t *pool_of;               /* [places]: whose is which */
    const uint32_t *endpoint_of;           /* [pool_count]: where it lies, as links call it */
    bool outlives;                         /* its pools outlive the run: blocks that move to them
                                              and from them are named */
    const struct dyno_store_policy *store; /* NULL: all */
    const struct dyno_kv_evict *evict;     /* NULL: lru */
};

struct dyno_tiers_config {
    struct dyno_tier_config tiers[DYNO_TIERS_MAX]; /* fastest first; their arrays are copied */
    uint32_t tier_count;
    uint32_t place_count; /* where workers are, as their own configuration numbers them; two of them
                             at one place, in different roles, have the same pools */
    struct dyno_links *links; /* between workers and pools; not owned */
    uint64_t block_bytes;     /* of KV */
    bool stores_kv;           /* the workers' devices do: blocks have places, also in pools */
    bool peers; /* prompts are onboarded from other workers' GPUs too, where that is faster ... */
    dyno_ns pull_deadline_ns; /* ... and computed where they have not come so long after they were
                                 looked for; 0: they come, however late */
    /* A chain is stored and found in whole chunks of so many; 0: in blocks. */
    uint32_t chunk_blocks;
    uint32_t pools_few; /* a tier of more pools has an index of what lies where; 0: of more than
                           DYNO_TIER_POOLS_FEW.  Nothing else depends on it */
    struct dyno_worker_listener listener; /* hears kv_resident of pools, and nothing else */
};

struct dyno_tiers;

/* On success *out is closed with dyno_tiers_close, after the workers.  DYNO_NO_MEMORY. */
dyno_status dyno_tiers_open(struct dyno_tiers **out, const struct dyno_tiers_config *config);
void dyno_tiers_close(struct dyno_tiers *tiers); /* NULL: no effect */

/* What lies elsewhere is worth so much of a block in the worker's own cache; of peers 0 where there
 * are none. */
struct dyno_tier_credits {
    double tiers[DYNO_TIERS_MAX];
    double peers;
};

/* What the tiers are worth to a request at each worker, in blocks: of those of its prompt beyond
 * the first overlap[worker] that lie in a tier of the worker's, from the fastest on, each counts
 * what its tier's credit says; and those that another worker's GPU holds, by `overlap`, before the
 * tiers or after them, whichever count more.  The request has blocks of `block_tokens`; eligible,
 * overlap and credit are those of `count` workers, at the places from `first` on.  Nothing is said
 * of those that are not eligible. */
void dyno_tiers_credit(struct dyno_tiers *tiers, const struct dyno_request *request,
                       uint32_t block_tokens, const struct dyno_tier_credits *credits,
                       uint32_t first, uint32_t count, const uint8_t *eligible,
                       const uint32_t *overlap, double *credit);

/* Whether workers pull from one another. */
bool dyno_tiers_have_peers(const struct dyno_tiers *tiers);

/* What moves their blocks. */
struct dyno_links *dyno_tiers_links(const struct dyno_tiers *tiers);

/* A pool's block that was there before the run began. */
struct dyno_kept_block {
    struct dyno_block_name name;
    uint32_t place; /* its number */
};

/* Before anything is stored: the pool has these blocks already, of which no place and no name comes
 * twice.  Of each span those from its first on are kept as far as none is missing, the others are
 * free places.  What lay deepest goes first when there is no more room.  The blocks are reordered.
 * DYNO_NO_MEMORY. */
dyno_status dyno_tiers_adopt(struct dyno_tiers *tiers, uint32_t tier, uint32_t pool,
                             struct dyno_kept_block *blocks, uint32_t count);

/* How many blocks all pools can hold. */
uint64_t dyno_tiers_blocks(const struct dyno_tiers *tiers);

/* What became of each tier, into the totals of the fleet: its tiers, and what is moved. */
void dyno_tiers_totals(const struct dyno_tiers *tiers, struct dyno_fleet_totals *totals);

/* Walks every pool; aborts if an invariant is broken.  For tests and debug runs. */
void dyno_tiers_check(const struct dyno_tiers *tiers);

#endif

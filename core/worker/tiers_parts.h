/* What tiers.c, store.c and onboard.c share, and what the rest of local workers calls of them;
 * private to this folder. */
#ifndef DYNO_CORE_WORKER_TIERS_PARTS_H
#define DYNO_CORE_WORKER_TIERS_PARTS_H

#include "core/base/pool.h"
#include "core/base/slab.h"
#include "core/kv/index.h"
#include "core/worker/fleet.h"
#include "core/worker/tiers.h"

/* A source that is no tier: of a store the worker's own GPU, of an onboard another worker's. */
enum { DYNO_FROM_GPU = DYNO_TIERS_MAX, DYNO_SOURCES };

/* Blocks on their way, or onboarded and held for the request that waits for them.
 *
 *   store    source holds [0, to), destination holds [0, from) and has taken the rest
 *   onboard  the GPU holds [0, from) and has taken [from, to); each source that a part comes from
 *            holds its [0, part_to), but a peer that had no more of it only [0, peer_held), and
 *            nothing before it was asked.  Arrived: the GPU holds [0, to)
 *
 * `links` are `ends` arrays of link_count, one for each cache that holds something: of a store the
 * source's and the destination's; of an onboard the GPU's, then those of the tiers in order, then
 * the peer's. */
struct dyno_move {
    struct dyno_local *local;
    uint32_t worker;
    bool is_alive, is_onboard;
    struct dyno_kv_link *links;
    uint32_t link_count, ends;
    uint32_t tables[1 + DYNO_SOURCES]; /* [ends] of places, where the end's cache has some */
    uint32_t from, to;
    uint32_t lost;                   /* of the blocks before `to`, so many did not arrive */
    uint32_t cost;                   /* of its blocks, as pools rank them */
    uint32_t source, tier;           /* of a store ... */
    uint32_t wanted[DYNO_TIERS_MAX]; /* ... and how many leading blocks each tier wants */
    uint32_t seq;                    /* of an onboard: who waits; DYNO_NO_SEQ: nobody any more */
    uint32_t part_to[DYNO_SOURCES];  /* of an onboard; 0: nothing comes from there */
    bool is_awaited[DYNO_SOURCES];   /* likewise: still on its way */
    uint32_t parts;                  /* how many of them are */
    uint64_t ids[DYNO_SOURCES];      /* of the transfers, by source */
    uint32_t peer, peer_held;
    bool is_peer_last;  /* it gives what the tiers lack; else they what it lacks */
    bool is_peer_asked; /* false: it is to be, and nothing is on its way from it */
    uint64_t pull;      /* its number among those of its workers, from 1 on; 0: there is no peer */
    dyno_ns started_at;
};

/* Which part of a move a transfer is.  Its id is how many were sent before it, then its place. */
enum { DYNO_MOVE_PART_BITS = 26 };

static inline uint32_t dyno_move_part_of(uint64_t id)
{
    return (uint32_t)id & ((1U << DYNO_MOVE_PART_BITS) - 1);
}

struct dyno_move_part {
    uint32_t move, source;
};

/* What a pool has of the prompt that was routed last, of those for which it was asked. */
struct dyno_tier_found {
    uint64_t prompt; /* which one, counted from 1 */
    uint32_t blocks;
};

/* Of a tier with many pools: an index of who has what, so that they need not be asked one by one
 * what they have of a prompt. */
struct dyno_tier_wide {
    struct dyno_kv_index *index; /* NULL: there are few, or memory was out for it */
    uint32_t *blocks;  /* [pool_count] of a prompt while its credit is summed; else zeros */
    uint32_t *touched; /* [pool_count] scratch */
};

/* Who hears of changes in a tier's pools. */
struct dyno_tier_ear {
    struct dyno_tiers *tiers;
    uint32_t tier;
    struct dyno_kv_listener listener;
};

struct dyno_tiers {
    struct dyno_tiers_config config;
    struct dyno_tier_ear ears[DYNO_TIERS_MAX];
    struct dyno_tier_wide wide[DYNO_TIERS_MAX];
    struct dyno_kv_cache *pools[DYNO_TIERS_MAX]; /* [pool_count] */
    /* [pool_count]; NULL: the policy counts none. */
    struct dyno_kv_sketch *sketches[DYNO_TIERS_MAX];
    uint32_t *numbers;                             /* the configuration's arrays */
    uint32_t *users[DYNO_TIERS_MAX];               /* [pool_count] places; among the numbers */
    struct dyno_tier_found *found[DYNO_TIERS_MAX]; /* [pool_count] */
    uint32_t *ends; /* [places] scratch of dyno_tiers_credit; among the numbers */
    uint64_t prompts_routed;
    struct dyno_pool moves;
    struct dyno_pool parts;
    struct dyno_slab slab;
    uint64_t sent;                 /* transfers so far ... */
    uint32_t on_way;               /* ... and those of them that have not arrived */
    struct dyno_block_name *names; /* [names_capacity] scratch */
    uint32_t names_capacity;
    struct dyno_tier_totals totals[DYNO_SOURCES]; /* the last: of what came from other GPUs */
};

/* Whole chunks of so many leading blocks. */
static inline uint32_t dyno_tier_whole(const struct dyno_tiers *tiers, uint32_t blocks)
{
    return tiers->config.chunk_blocks > 1 ? blocks - blocks % tiers->config.chunk_blocks : blocks;
}

static inline struct dyno_move *dyno_move_at(const struct dyno_tiers *tiers, uint32_t move)
{
    return dyno_pool_at(&tiers->moves, move);
}

static inline uint32_t dyno_tier_pool(const struct dyno_tiers *tiers, uint32_t tier,
                                      const struct dyno_local *local, uint32_t worker)
{
    return tiers->config.tiers[tier].pool_of[local->config.first_place + worker];
}

/* The cache of a worker's pool in a tier. */
static inline struct dyno_kv_cache *dyno_tier_cache(const struct dyno_tiers *tiers, uint32_t tier,
                                                    const struct dyno_local *local, uint32_t worker)
{
    return &tiers->pools[tier][dyno_tier_pool(tiers, tier, local, worker)];
}

/* Where a part of an onboard comes from. */
static inline struct dyno_kv_cache *dyno_move_cache(const struct dyno_tiers *tiers,
                                                    const struct dyno_move *move, uint32_t source)
{
    return source == DYNO_FROM_GPU ? &move->local->workers[move->peer].cache
                                   : dyno_tier_cache(tiers, source, move->local, move->worker);
}

/* Which of its ends that is. */
static inline uint32_t dyno_move_end(const struct dyno_tiers *tiers, uint32_t source)
{
    return 1 + (source == DYNO_FROM_GPU ? tiers->config.tier_count : source);
}

/* The `place`-th source of an onboard, in the order in which they are asked for what those before
 * them lack: the peer first, or last. */
static inline uint32_t dyno_move_order(const struct dyno_tiers *tiers, const struct dyno_move *move,
                                       uint32_t place)
{
    if (place == (move->is_peer_last ? tiers->config.tier_count : 0)) {
        return DYNO_FROM_GPU;
    }
    return place - !move->is_peer_last;
}

static inline uint32_t dyno_move_endpoint(const struct dyno_tiers *tiers,
                                          const struct dyno_move *move, uint32_t source)
{
    if (source == DYNO_FROM_GPU) {
        return move->local->config.endpoint + move->peer;
    }
    return tiers->config.tiers[source]
        .endpoint_of[dyno_tier_pool(tiers, source, move->local, move->worker)];
}

enum { DYNO_STORING_SHARE = 4 }; /* of a GPU's blocks one in so many is held for others at most */

/* Whether so many blocks more may be held on the GPU for stores and peers: links that do not keep
 * up are not to take its memory away. */
static inline bool dyno_worker_may_hold(const struct dyno_worker *worker, uint32_t blocks)
{
    return worker->blocks_storing == 0 ||
           (uint64_t)worker->blocks_storing + blocks <= worker->cache.capacity / DYNO_STORING_SHARE;
}

static inline struct dyno_kv_link *dyno_move_links(const struct dyno_move *move, uint32_t end)
{
    return move->links + (size_t)end * move->link_count;
}

/* ---- tiers.c ---- */
/* A move of the chain `links` with so many ends; DYNO_POOL_NONE in *out and DYNO_NO_MEMORY. */
dyno_status dyno_move_make(struct dyno_tiers *tiers, struct dyno_local *local, uint32_t worker,
                           const struct dyno_kv_link *links, uint32_t link_count, uint32_t ends,
                           uint32_t *out);
void dyno_move_free(struct dyno_tiers *tiers, uint32_t index);
/* Send a part of a move: between which endpoints, how many blocks, and where they lie. */
dyno_status dyno_move_send(struct dyno_tiers *tiers, dyno_ns now, uint32_t move, uint32_t source,
                           struct dyno_transfer transfer);
/* A move has let go of blocks of a worker; it may go on, if `freed`. */
void dyno_move_left(struct dyno_local *local, uint32_t index, dyno_ns now, bool freed);

/* ---- tiers_lose.c ---- */
/* Both ends of a move let go of what it holds; the move is freed. */
void dyno_move_abandon(struct dyno_tiers *tiers, uint32_t index);

/* Nothing more comes from the peer: who waits for it goes on without. */
dyno_status dyno_pull_give_up(struct dyno_tiers *tiers, uint32_t index, dyno_ns now);

/* ---- tier_credit.c ---- */
/* Begin to index the tier's pools if they are many, before they hold anything.  DYNO_NO_MEMORY. */
dyno_status dyno_tier_wide_open(struct dyno_tiers *tiers, uint32_t tier);
void dyno_tier_wide_close(struct dyno_tier_wide *wide);

/* ---- move_places.c: each mirrors what was just done (seal: is about to be) at an end ---- */
/* It holds the first `blocks`. */
dyno_status dyno_move_place_hold(struct dyno_move *move, uint32_t end,
                                 const struct dyno_kv_cache *cache, uint32_t blocks);
/* And has taken so many more. */
dyno_status dyno_move_place_take(const struct dyno_move *move, uint32_t end,
                                 const struct dyno_kv_cache *cache, uint32_t blocks);
/* Those it has taken, [from, to), are there. */
dyno_status dyno_move_place_seal(const struct dyno_move *move, uint32_t end,
                                 const struct dyno_kv_cache *cache);
/* What was lost of those it has taken is dropped, and not taken any more. */
void dyno_move_place_cut(const struct dyno_move *move, uint32_t end,
                         const struct dyno_kv_cache *cache);
/* It lets go of the first `held`, and gives back what it took beyond them. */
void dyno_move_place_leave(const struct dyno_move *move, uint32_t end,
                           const struct dyno_kv_cache *cache, uint32_t held);
/* What blocks [first, first + count) of the chain are, until the next call; NULL: nobody asks, or
 * there is no memory to say it in. */
const struct dyno_block_name *dyno_move_names(struct dyno_tiers *tiers,
                                              const struct dyno_move *move, uint32_t tier,
                                              uint32_t first, uint32_t count);
/* Where the end's blocks from `block` on lie; NULL: nowhere. */
const uint32_t *dyno_move_place_at(const struct dyno_move *move, uint32_t end,
                                   const struct dyno_kv_cache *cache, uint32_t block);

/* ---- store.c ---- */
/* The store has arrived, but for its last `lost` blocks. */
dyno_status dyno_store_arrived(struct dyno_tiers *tiers, uint32_t index, uint32_t lost,
                               dyno_ns now);

/* ---- peers.c: what other workers' GPUs have; all: local->peers ---- */
/* Who else has most of the chain's blocks [min, max), as of what was done before now, and how many
 * leading blocks; 0 in *blocks: nobody has more than `min`. */
dyno_status dyno_peers_find(struct dyno_local *local, uint32_t worker, const struct dyno_seq *seq,
                            uint32_t min, uint32_t max, dyno_ns now, uint32_t *peer,
                            uint32_t *blocks);
/* The move's peer is to be asked, in a nanosecond: when nobody forms a pass. */
dyno_status dyno_peers_await(struct dyno_local *local, uint32_t move, dyno_ns now);
/* A pull has come, or will not: its deadline is nobody's any more. */
void dyno_peers_over(struct dyno_local *local);
/* It is not to be asked any more. */
void dyno_peers_forget(struct dyno_local *local, uint32_t move);
/* The peer lets go of what it holds for the move. */
void dyno_peer_leave(const struct dyno_tiers *tiers, struct dyno_move *move);
/* The same while the run goes on: it may have been waiting for that. */
void dyno_peer_left(const struct dyno_tiers *tiers, struct dyno_move *move, dyno_ns now);

/* ---- onboard_choose.c ---- */
/* Blocks that come from a source. */
uint32_t dyno_onboard_blocks(const struct dyno_tiers *tiers, const struct dyno_move *move,
                             uint32_t source);
/* Of what the sources have up to block `blocks_max`, choose what makes a prompt of `target` tokens
 * sooner: part_to and the order of the parts; how many blocks there are in the end. */
uint32_t dyno_onboard_choose(struct dyno_tiers *tiers, struct dyno_move *move, uint32_t blocks_max,
                             uint32_t peer_blocks, uint32_t target);

/* ---- onboard.c ---- */
/* What it takes to compute the prompt from `first` on, in passes of its own; DYNO_NEVER: nobody
 * knows. */
dyno_ns dyno_compute_time(const struct dyno_local *local, uint32_t first, uint32_t target);
/* What comes from a source has arrived, but for its last `lost` blocks, which it does not have any
 * more. */
dyno_status dyno_onboard_arrived(struct dyno_tiers *tiers, uint32_t index, uint32_t source,
                                 uint32_t lost, dyno_ns now);

#endif

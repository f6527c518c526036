/* What a random world has beside its fleet where KV may lie in lower tiers. */
#ifndef DYNO_TESTS_SYSTEM_WORLD_TIERS_H
#define DYNO_TESTS_SYSTEM_WORLD_TIERS_H

#include "core/base/rng.h"
#include "core/worker/link_split.h"
#include "core/worker/tiers.h"
#include "sim/fabric.h"
#include "tests/system/world_halves.h"

enum { WORLD_WORKERS_MAX = 10, WORLD_ENDPOINTS_MAX = (1 + DYNO_TIERS_MAX) * WORLD_WORKERS_MAX };

struct world_tiers {
    uint32_t count;           /* 0: none */
    bool peers;               /* workers pull from one another; also where there are none ... */
    dyno_ns pull_deadline_ns; /* ... within that time; 0: for ever */
    struct dyno_tier_config tiers[DYNO_TIERS_MAX];
    uint32_t pool_of[DYNO_TIERS_MAX][WORLD_WORKERS_MAX];
    uint32_t endpoint_of[DYNO_TIERS_MAX][WORLD_WORKERS_MAX];
    uint64_t block_bytes;
    uint32_t chunk_blocks, pools_few;
    dyno_ns overhead_ns;
    struct dyno_fabric_link links[2 * WORLD_ENDPOINTS_MAX]; /* of each endpoint: out and in */
};

/* One tier to three, each of which every worker has for itself, two share, or all; small and large
 * ones; links fast or slow, some whose transfers take whole milliseconds, some that take no time.
 */
static inline void world_draw_tier(struct world_tiers *tiers, uint32_t tier, uint32_t workers,
                                   uint32_t block_tokens, struct dyno_rng *rng)
{
    uint32_t together = 1u << dyno_rng_below(rng, 4), pools = (workers + together - 1) / together;

    tiers->tiers[tier] = (struct dyno_tier_config){
        .level = 2 + tier,
        .store = &dyno_store_policies[dyno_rng_below(rng, 5) % 3], /* mostly all, or second use */
        .evict = &dyno_kv_evict_table[dyno_rng_below(rng, 3)],
        .pool_count = pools,
        .pool_blocks = (100 + (uint32_t)dyno_rng_below(rng, dyno_rng_below(rng, 2) ? 3000 : 300)) /
                           block_tokens +
                       1};
    for (uint32_t i = 0; i < workers; i++) {
        tiers->pool_of[tier][i] = i / together;
        tiers->endpoint_of[tier][i / together] = (1 + tier) * WORLD_WORKERS_MAX + i / together;
    }
}

static inline void world_draw_tiers(struct world_tiers *tiers, uint64_t seed, uint32_t workers,
                                    uint32_t block_tokens)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "tiers");
    tiers->count = 1 + (uint32_t)dyno_rng_below(&rng, 3);
    tiers->block_bytes = dyno_rng_below(&rng, 8) ? 1000 * block_tokens : 0;
    tiers->chunk_blocks = dyno_rng_below(&rng, 2) ? 0 : 1 + (uint32_t)dyno_rng_below(&rng, 4);
    tiers->overhead_ns = dyno_rng_below(&rng, 3) * DYNO_MS;
    for (uint32_t i = 0; i < tiers->count; i++) {
        world_draw_tier(tiers, i, workers, block_tokens, &rng);
    }
    for (uint32_t i = 0; i < 2 * WORLD_ENDPOINTS_MAX; i++) {
        tiers->links[i] = (struct dyno_fabric_link){
            .bytes_per_s = dyno_rng_below(&rng, 2) ? 1000000ULL << dyno_rng_below(&rng, 9)
                                                   : 1000003 + dyno_rng_below(&rng, 500000000),
            .latency_ns = dyno_rng_below(&rng, 2) * 12345};
    }
}

/* Tiers and links between them, where the world has some. */
struct world_tiering {
    uint32_t block_tokens, routed;
    struct dyno_tiers *tiers;
    struct dyno_links *links, *parts[2]; /* split with those who hand over, if there are any */
};

static inline void world_fill_credit(void *context, const struct dyno_request *request,
                                     const uint8_t *eligible, const uint32_t *overlap,
                                     double *credit)
{
    static const struct dyno_tier_credits credits = {.tiers = {0.75, 0.5, 0.25}};
    static const struct dyno_tier_credits with_peers = {.tiers = {0.75, 0.5, 0.25}, .peers = 0.6};
    const struct world_tiering *tiering = context;

    dyno_tiers_credit(tiering->tiers, request, tiering->block_tokens,
                      dyno_tiers_have_peers(tiering->tiers) ? &with_peers : &credits, 0,
                      tiering->routed, eligible, overlap, credit);
}

static inline void world_open_tiers(const struct world_tiers *world, uint32_t places,
                                    struct dyno_local_config *local, struct dyno_dispatch *dispatch,
                                    struct world_tiering *tiering)
{
    struct dyno_tiers_config config = {.tier_count = world->count,
                                       .place_count = places,
                                       .block_bytes = world->block_bytes,
                                       .stores_kv = local->device->ops->stores_kv,
                                       .chunk_blocks = world->chunk_blocks,
                                       .peers = world->peers,
                                       .pull_deadline_ns = world->pull_deadline_ns,
                                       .pools_few = world->pools_few,
                                       .listener = local->listener};

    if (world->count == 0 && !world->peers) {
        return;
    }
    if (!tiering->links) { /* the caller has none of its own */
        ck_assert_int_eq(
            dyno_fabric_open(&tiering->links,
                             &(struct dyno_fabric_config){.links = world->links,
                                                          .link_count = 2 * WORLD_ENDPOINTS_MAX,
                                                          .path = world_path,
                                                          .overhead_ns = world->overhead_ns}),
            DYNO_OK);
    }
    ck_assert_int_eq(dyno_links_split(tiering->parts, tiering->links), DYNO_OK);
    config.links = tiering->parts[0];
    for (uint32_t i = 0; i < world->count; i++) {
        config.tiers[i] = world->tiers[i];
        config.tiers[i].pool_of = world->pool_of[i];
        config.tiers[i].endpoint_of = world->endpoint_of[i];
    }
    ck_assert_int_eq(dyno_tiers_open(&tiering->tiers, &config), DYNO_OK);
    local->tiers = tiering->tiers;
    tiering->block_tokens = local->worker.block_tokens;
    tiering->routed = local->worker_count;
    ck_assert_int_eq(
        dyno_dispatch_use_tiers(
            dispatch, &(struct dyno_dispatch_tiers){.context = tiering, .fill = world_fill_credit}),
        DYNO_OK);
}

static inline void world_totals(const struct dyno_workers *workers,
                                const struct world_tiering *tiering,
                                struct dyno_fleet_totals *totals)
{
    workers->ops->totals(workers, totals);
    if (tiering->tiers) {
        dyno_tiers_totals(tiering->tiers, totals);
    }
}

static inline void world_close_tiers(const struct world_tiering *tiering)
{
    dyno_tiers_close(tiering->tiers);
    if (tiering->links) {
        tiering->parts[0]->ops->close(tiering->parts[0]);
        tiering->parts[1]->ops->close(tiering->parts[1]);
        tiering->links->ops->close(tiering->links);
    }
}

#endif

/* What a random world has beside its fleet where KV may lie in lower tiers. */
#ifndef DYNO_TESTS_SYSTEM_WORLD_TIERS_H
#define DYNO_TESTS_SYSTEM_WORLD_TIERS_H

#include "core/worker/tiers.h"
#include "sim/fabric.h"
#include "tests/system/world_halves.h"

enum { WORLD_WORKERS_MAX = 8, WORLD_ENDPOINTS_MAX = (1 + DYNO_TIERS_MAX) * WORLD_WORKERS_MAX };

struct world_tiers {
    uint32_t count; /* 0: none */
    struct dyno_tier_config tiers[DYNO_TIERS_MAX];
    uint32_t pool_of[DYNO_TIERS_MAX][WORLD_WORKERS_MAX];
    uint32_t endpoint_of[DYNO_TIERS_MAX][WORLD_WORKERS_MAX];
    uint64_t block_bytes;
    dyno_ns overhead_ns;
    struct dyno_fabric_link links[2 * WORLD_ENDPOINTS_MAX]; /* of each endpoint: out and in */
};

/* Tiers and links between them, where the world has some. */
struct world_tiering {
    uint32_t block_tokens, workers;
    struct dyno_tiers *tiers;
    struct dyno_links *links;
};

static inline void world_fill_credit(void *context, const struct dyno_request *request,
                                     const uint32_t *overlap, double *credit)
{
    static const double credits[DYNO_TIERS_MAX] = {0.75, 0.5, 0.25};
    const struct world_tiering *tiering = context;

    dyno_tiers_credit(tiering->tiers, request, tiering->block_tokens, credits, 0, tiering->workers,
                      overlap, credit);
}

static inline void world_open_tiers(const struct world_tiers *world, uint32_t workers,
                                    struct dyno_local_config *local, struct dyno_dispatch *dispatch,
                                    struct world_tiering *tiering)
{
    struct dyno_tiers_config config = {.tier_count = world->count,
                                       .worker_count = workers,
                                       .block_bytes = world->block_bytes,
                                       .listener = local->listener};

    if (world->count == 0) {
        return;
    }
    ck_assert_int_eq(
        dyno_fabric_open(&tiering->links,
                         &(struct dyno_fabric_config){.links = world->links,
                                                      .link_count = 2 * WORLD_ENDPOINTS_MAX,
                                                      .path = world_path,
                                                      .overhead_ns = world->overhead_ns}),
        DYNO_OK);
    config.links = tiering->links;
    for (uint32_t i = 0; i < world->count; i++) {
        config.tiers[i] = world->tiers[i];
        config.tiers[i].pool_of = world->pool_of[i];
        config.tiers[i].endpoint_of = world->endpoint_of[i];
    }
    ck_assert_int_eq(dyno_tiers_open(&tiering->tiers, &config), DYNO_OK);
    local->tiers = tiering->tiers;
    tiering->block_tokens = local->worker.block_tokens;
    tiering->workers = workers;
    ck_assert_int_eq(
        dyno_dispatch_use_tiers(
            dispatch, &(struct dyno_dispatch_tiers){.context = tiering, .fill = world_fill_credit}),
        DYNO_OK);
}

static inline void world_close_tiers(const struct world_tiering *tiering)
{
    dyno_tiers_close(tiering->tiers);
    if (tiering->links) {
        tiering->links->ops->close(tiering->links);
    }
}

#endif

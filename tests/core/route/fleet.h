/* A fleet as a policy sees it, to be set up by hand. */
#ifndef DYNO_TESTS_CORE_ROUTE_FLEET_H
#define DYNO_TESTS_CORE_ROUTE_FLEET_H

#include <string.h>

#include "core/route/dice.h"
#include "core/route/route.h"

enum { FLEET_MAX = 64 };

struct fleet {
    struct dyno_route_view view;
    struct dyno_route_config config;
    struct dyno_route_request request;
    struct dyno_route_dice dice;
    uint8_t eligible[FLEET_MAX];
    uint32_t inflight[FLEET_MAX];
    uint64_t prefill_tokens[FLEET_MAX];
    uint64_t active_blocks[FLEET_MAX];
    uint32_t overlap[FLEET_MAX];
    uint32_t active_overlap[FLEET_MAX];
    double costs[FLEET_MAX];
    int scored;
};

/* Idle workers, blocks of 16 tokens, a prompt of 160 tokens, the default parameters. */
static inline void fleet_init(struct fleet *fleet, uint32_t workers, uint64_t seed)
{
    memset(fleet, 0, sizeof *fleet);
    memset(fleet->eligible, 1, workers);
    fleet->view = (struct dyno_route_view){
        .worker_count = workers,
        .block_tokens = 16,
        .eligible = fleet->eligible,
        .inflight = fleet->inflight,
        .prefill_tokens = fleet->prefill_tokens,
        .active_blocks = fleet->active_blocks,
        .overlap_blocks = fleet->overlap,
        .active_overlap_blocks = fleet->active_overlap,
    };
    fleet->config = (struct dyno_route_config){
        .overlap_credit = 1.0,
        .prefill_load_scale = 1.0,
        .track_prefill_tokens = 1,
        .track_active_blocks = 1,
        .session_replicas = 64,
        .args = "",
    };
    fleet->request =
        (struct dyno_route_request){.prompt_tokens = 160, .prompt_blocks = 10, .max_tokens = 1};
    dyno_rng_init(&fleet->dice.rng, seed, "test fleet");
}

static inline uint32_t fleet_pick(struct fleet *fleet, const struct dyno_route_policy *policy,
                                  void *state)
{
    fleet->scored = 0;
    return policy->pick(state, &fleet->config, &fleet->request, &fleet->view, &dyno_route_services,
                        &fleet->dice, fleet->costs, &fleet->scored);
}

#endif

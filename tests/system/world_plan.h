/* The planner of a random world. */
#ifndef DYNO_TESTS_SYSTEM_WORLD_PLAN_H
#define DYNO_TESTS_SYSTEM_WORLD_PLAN_H

#include <check.h>

#include "core/run/planner.h"
#include "core/worker/config.h"

struct world_plan {
    bool planned;                       /* the fleet is as large as a planner makes it */
    struct dyno_planner_config planner; /* but for the roster */
    uint32_t ready_first;
    struct dyno_dispatch
        *prefill;           /* of the other role, if workers have one of two; else NULL ... */
    uint32_t prefill_first; /* ... which so many have at first */
    double start_failure;
    dyno_ns startup_ns; /* the mean */
    dyno_ns lobby_wait_ns;
    const struct dyno_starter *starter; /* NULL: starts are pretended */
};

/* In a third of the worlds a planner starts and stops workers, often, so that everything meets. */
static inline void world_plan_draw(struct world_plan *plan, uint64_t seed,
                                   const struct dyno_worker_config *worker, uint32_t worker_count)
{
    uint32_t policies = 0, predictors = 0, late_ticks;
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "planner.late");
    late_ticks = (uint32_t)(dyno_rng_below(&rng, 2) * dyno_rng_below(&rng, 4));
    dyno_rng_init(&rng, seed, "planner");
    plan->planned = dyno_rng_below(&rng, 3) == 0;
    while (dyno_plan_table[policies + 1]) { /* but for the last, which needs a future */
        policies++;
    }
    while (dyno_predictor_table[predictors]) {
        predictors++;
    }
    plan->start_failure = dyno_rng_below(&rng, 2) ? 0.0 : 0.3;
    plan->startup_ns = (1 + dyno_rng_below(&rng, 200)) * DYNO_MS;
    plan->lobby_wait_ns = (5 + dyno_rng_below(&rng, 400)) * DYNO_MS;
    plan->ready_first = (uint32_t)dyno_rng_below(&rng, worker_count + 1);
    plan->planner = (struct dyno_planner_config){
        .policy = dyno_plan_table[dyno_rng_below(&rng, policies)],
        .plan = {.workers_min = (uint32_t)dyno_rng_below(&rng, 2),
                 .workers_max = worker_count,
                 .queue_up = 1.0,
                 .queue_down = 0.5,
                 .use_up = 0.6,
                 .use_down = 0.4,
                 .headroom = 0.8,
                 .cooldown_ns = dyno_rng_below(&rng, 100) * DYNO_MS,
                 .ttft_s = 0.05,
                 .itl_s = 0.01,
                 .sequences_max = worker->seqs_max,
                 .kv_tokens = (double)worker->blocks * worker->block_tokens},
        .predictor = dyno_predictor_table[dyno_rng_below(&rng, predictors)],
        .forecast = {.window = 8, .season = (uint32_t)dyno_rng_below(&rng, 5)},
        .every_ns = dyno_rng_below(&rng, 2) ? 10 * DYNO_MS : 13333333,
        .warmup_ns = dyno_rng_below(&rng, 2) * 20 * DYNO_MS,
        .late_ticks = late_ticks,
        .metric_loss = dyno_rng_below(&rng, 2) ? 0.0 : 0.2,
        .seed = seed,
        .worker_count = worker_count,
    };
}

static inline dyno_ns world_plan_startup(const void *context, struct dyno_rng *rng)
{
    const struct world_plan *plan = context;

    return dyno_rng_below(rng, 2 * plan->startup_ns);
}

/* Both stay as they are where nobody plans. */
static inline void world_plan_open(const struct world_plan *plan, struct dyno_dispatch *dispatch,
                                   struct dyno_roster **roster, struct dyno_planner **planner)
{
    struct dyno_planner_config config = plan->planner;

    if (!plan->planned) {
        return;
    }
    ck_assert_int_eq(
        dyno_roster_open(roster, &(struct dyno_roster_config){.worker_count = config.worker_count,
                                                              .up_max = config.budget,
                                                              .ready_first = plan->ready_first,
                                                              .prefill_first = plan->prefill_first,
                                                              .seed = config.seed,
                                                              .start_failure = plan->start_failure,
                                                              .startup = world_plan_startup,
                                                              .startup_context = plan,
                                                              .change = world_plan_startup,
                                                              .change_context = plan,
                                                              .starter = plan->starter,
                                                              .dispatch = dispatch,
                                                              .prefill = plan->prefill}),
        DYNO_OK);
    config.roster = *roster;
    ck_assert_int_eq(dyno_planner_open(planner, &config), DYNO_OK);
}

#endif

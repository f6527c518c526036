/* Everything at once on devices that compute: a planner has workers start, stop and change their
 * role between computing prompts and decoding, blocks are handed over and lie in lower tiers, which
 * the two roles of a place share, and workers die.  Every token of every answer must be the one
 * that follows from those before it; a worker in another role has another memory. */
#include "tests/system/live_promises.h"
#include "tests/system/world_draw_halves.h"

/* A planner that changes its mind often, with few workers to spare. */
static void draw_plan(struct world *world, uint32_t places, struct dyno_rng *rng)
{
    struct world_plan *plan = &world->plan;
    struct dyno_planner_config *planner = &plan->planner;
    uint32_t budget = 2 + (uint32_t)dyno_rng_below(rng, places - 1);

    world_plan_draw(plan, world->seed, &world->worker, places);
    plan->planned = true;
    plan->prefill_first = 1 + (uint32_t)dyno_rng_below(rng, budget - 1);
    plan->ready_first = 1 + (uint32_t)dyno_rng_below(rng, budget - plan->prefill_first);
    planner->policy = dyno_plan_find(dyno_rng_below(rng, 4) ? "load" : "hybrid");
    planner->has_roles = true;
    planner->budget = budget;
    planner->every_ns = 10 * DYNO_MS;
    planner->plan.workers_min = 1;
    planner->plan.workers_max = budget - 1;
    planner->plan.use_up = 0.2;
    planner->plan.use_down = 0.1;
    planner->plan.cooldown_ns = dyno_rng_below(rng, 2) * 20 * DYNO_MS;
    planner->prefill = planner->plan;
    planner->plan.ttft_s = planner->prefill.itl_s = 0.0;
    planner->prefill.kv_tokens = world->worker.batch_tokens_max;
}

static void draw(struct world *world, uint64_t seed)
{
    struct dyno_rng rng;
    uint32_t places;

    world_draw(world, seed);
    world_draw_halves_live(world);
    dyno_rng_init(&rng, seed, "live.roles");
    places = 2 + (uint32_t)dyno_rng_below(&rng, 4);
    world->halves.same_gpus = true;
    world->halves.workers = places;
    world->halves.dispatch.worker_count = world->dispatch.worker_count = places;
    for (uint32_t i = 0; i < WORLD_LINKS_MAX; i++) {
        world->halves.links[i] = world->halves.links[i % 2]; /* of all places */
    }
    draw_plan(world, places, &rng);
    if (dyno_rng_below(&rng, 3) > 0) {
        world->worker.prefix_cache = world->halves.worker.prefix_cache = true;
        world_draw_tiers(&world->tiers, seed, places, world->worker.block_tokens);
        world->tiers.block_bytes = 1000;
        world->tiers.peers = dyno_rng_below(&rng, 2) == 0;
    }
    world->faults.migrations_max = 1000;
    if (dyno_rng_below(&rng, 2)) {
        dyno_ns last = world->requests[world->request_count - 1].arrival_ns;

        world->faults.count = 1;
        world->faults.list[0] =
            (struct dyno_chaos_fault){.kind = DYNO_FAULT_DEATH, .at = dyno_rng_below(&rng, last)};
        world->faults.list[0].first = world->faults.list[0].last =
            (uint32_t)dyno_rng_below(&rng, places);
        world->faults.list[0].until = world->faults.list[0].at + 50 * DYNO_MS;
    }
}

START_TEST(every_request_ends_once_with_the_tokens_it_must_have)
{
    struct world world;
    struct live live = {.world = &world};

    run_through(&live, &world, draw, 19000 + (uint64_t)_i);
}
END_TEST

START_TEST(a_run_that_is_cut_ends_every_request)
{
    struct world world;
    struct live live = {.world = &world};

    run_cut(&live, &world, draw, 20000 + (uint64_t)_i);
}
END_TEST

/* Or else the worlds above show nothing. */
START_TEST(roles_change_and_blocks_come_back_from_below)
{
    uint64_t changes = 0, transfers = 0, hits = 0;

    for (uint64_t seed = 19000; seed < 19008; seed++) {
        struct dyno_loop_result result;
        struct world world;
        struct live live = {.world = &world};

        draw(&world, seed);
        run_live(&live, &result);
        changes += live.changes;
        transfers += live.totals.transfers;
        for (uint32_t i = 0; i < live.totals.tier_count; i++) {
            hits += live.totals.tiers[i].hit_blocks;
        }
    }
    ck_assert_uint_gt(changes, 0);
    ck_assert_uint_gt(transfers, 0);
    ck_assert_uint_gt(hits, 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("live roles");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, every_request_ends_once_with_the_tokens_it_must_have, 0, 24);
    tcase_add_loop_test(cases, a_run_that_is_cut_ends_every_request, 0, 6);
    tcase_add_test(cases, roles_change_and_blocks_come_back_from_below);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/live_roles", add_cases)

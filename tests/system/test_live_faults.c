/* Workers that die while they compute for real, or fail by themselves, and planners that start and
 * stop them: requests go on elsewhere with the tokens they have, and every token of every answer
 * must be the one that follows from those before it.  A worker that is started again has another
 * memory, so what is read of the old one is seen to be wrong. */
#include "tests/system/live_promises.h"
#include "tests/system/world_draw_halves.h"

/* Times are not the same twice, but what dies when is. */
static void draw_deaths(struct world *world)
{
    struct world_faults *faults = &world->faults;
    uint32_t workers = world->dispatch.worker_count + world->halves.workers;
    dyno_ns last = world->requests[world->request_count - 1].arrival_ns + 200 * DYNO_MS;
    struct dyno_rng rng;

    dyno_rng_init(&rng, world->seed, "live.faults");
    faults->count = 1 + (uint32_t)dyno_rng_below(&rng, 5);
    faults->notice_ns = dyno_rng_below(&rng, 3) * 10 * DYNO_MS;
    faults->migrations_max = dyno_rng_below(&rng, 3) ? 100 : (uint32_t)dyno_rng_below(&rng, 3);
    for (uint32_t i = 0; i < faults->count; i++) {
        uint32_t worker = (uint32_t)dyno_rng_below(&rng, workers);
        dyno_ns at = dyno_rng_below(&rng, last);

        faults->list[i] = (struct dyno_chaos_fault){
            .kind = DYNO_FAULT_DEATH, .first = worker, .last = worker, .at = at, .until = at};
        faults->list[i].until += dyno_rng_below(&rng, 2) * dyno_rng_below(&rng, 400 * DYNO_MS);
    }
}

/* One in three of either: in halves, with tiers below; where neither is, planners as drawn. */
static void draw(struct world *world, uint64_t seed)
{
    world_draw(world, seed);
    world->dispatch.router_count = 1;
    if (seed % 3 == 0) {
        world->plan = (struct world_plan){0};
        world_draw_halves_live(world);
    } else if (seed % 3 == 1) {
        world->plan = (struct world_plan){0};
        world->worker.prefix_cache = true;
        world_draw_tiers(&world->tiers, seed, world->dispatch.worker_count,
                         world->worker.block_tokens);
        world->tiers.block_bytes = 1000;
    }
    draw_deaths(world);
}

START_TEST(who_was_on_a_worker_that_died_goes_on_with_the_tokens_it_has)
{
    struct world world;
    struct live live = {.world = &world};

    run_through(&live, &world, draw, 15000 + (uint64_t)_i);
}
END_TEST

START_TEST(a_worker_that_fails_takes_nobody_along)
{
    struct dyno_loop_result result;
    struct world world;
    struct live live = {.world = &world, .fails_every = 40};

    draw(&world, 16000 + (uint64_t)_i);
    world.faults.migrations_max = 1000;
    run_live(&live, &result);
    expect_all(&live, &result);
}
END_TEST

START_TEST(a_run_that_is_cut_ends_every_request)
{
    struct world world;
    struct live live = {.world = &world, .fails_every = 100};

    run_cut(&live, &world, draw, 17000 + (uint64_t)_i);
}
END_TEST

START_TEST(workers_do_die_and_requests_do_go_on)
{
    uint64_t deaths = 0, migrations = 0;

    for (uint64_t seed = 16000; seed < 16006; seed++) {
        struct dyno_loop_result result;
        struct world world;
        struct live live = {.world = &world, .fails_every = 20};

        draw(&world, seed);
        run_live(&live, &result);
        deaths += live.faults.deaths;
        migrations += live.faults.migrations;
    }
    ck_assert_uint_gt(deaths, 6);
    ck_assert_uint_gt(migrations, 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("live faults");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, who_was_on_a_worker_that_died_goes_on_with_the_tokens_it_has, 0, 24);
    tcase_add_loop_test(cases, a_worker_that_fails_takes_nobody_along, 0, 18);
    tcase_add_loop_test(cases, a_run_that_is_cut_ends_every_request, 0, 9);
    tcase_add_test(cases, workers_do_die_and_requests_do_go_on);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/live_faults", add_cases)

/* What computes for a worker is gone in the middle of a step, and what moves from or to it never
 * arrives, as of workers in a process that ends: every request goes on elsewhere, ends once, and
 * has every token that it must have. */
#include "tests/system/live_rig.h"
#include "tests/system/world_draw_halves.h"

enum { STEPS_MOST = 40 };

static void run(struct live *live, const struct world *world, struct live_deaths *deaths)
{
    struct dyno_loop_result result;

    *live = (struct live){.world = world, .deaths = deaths};
    live_deaths_draw(deaths, world->seed, STEPS_MOST);
    run_live(live, &result);
    ck_assert_uint_eq(result.requests, world->request_count);
    for (uint32_t i = 0; i < world->request_count; i++) {
        ck_assert_msg(live->ends[i] == 1, "world %llu: request %u ended %u times",
                      (unsigned long long)world->seed, i, live->ends[i]);
        ck_assert_int_ne(live->records[i].outcome, DYNO_FAILED);
        check_record(live, i);
    }
}

START_TEST(who_serves_whole_requests_dies)
{
    static struct live live;
    static struct live_deaths deaths;
    struct world world;

    world_draw(&world, 21000 + (uint64_t)_i);
    run(&live, &world, &deaths);
}
END_TEST

static void draw_halves(struct world *world, uint64_t seed)
{
    world_draw(world, seed);
    world_draw_halves_live(world);
}

START_TEST(who_computes_prompts_or_decodes_dies)
{
    static struct live live;
    static struct live_deaths deaths;
    struct world world;

    draw_halves(&world, 22000 + (uint64_t)_i);
    run(&live, &world, &deaths);
}
END_TEST

/* Else the above says nothing. */
START_TEST(some_die_and_requests_go_on_elsewhere)
{
    static struct live live;
    static struct live_deaths deaths;
    uint64_t died = 0, migrations = 0, given_up = 0;

    for (uint64_t seed = 22000; seed < 22008; seed++) {
        struct world world;

        draw_halves(&world, seed);
        world.halves.policy = &dyno_handoff_table[0]; /* always */
        run(&live, &world, &deaths);
        died += live.faults.deaths;
        migrations += live.faults.migrations;
        given_up += live.totals.transfers_given_up;
    }
    ck_assert_uint_gt(died, 0);
    ck_assert_uint_gt(migrations, 0);
    ck_assert_uint_gt(given_up, 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("live deaths");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, who_serves_whole_requests_dies, 0, 12);
    tcase_add_loop_test(cases, who_computes_prompts_or_decodes_dies, 0, 16);
    tcase_add_test(cases, some_die_and_requests_go_on_elsewhere);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/live_deaths", add_cases)

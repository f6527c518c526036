/* Requests in halves on devices that compute: blocks are copied from one worker's memory to
 * another's by a thread of their own, and every token of every answer must be the one that follows
 * from what was copied. */
#include "tests/system/live_promises.h"
#include "tests/system/world_draw_halves.h"

static void draw(struct world *world, uint64_t seed)
{
    world_draw(world, seed);
    world_draw_halves_live(world);
}

START_TEST(every_request_ends_once_with_the_tokens_it_must_have)
{
    struct world world;
    struct live live = {.world = &world};

    run_through(&live, &world, draw, 11000 + (uint64_t)_i);
}
END_TEST

START_TEST(a_run_that_is_cut_ends_every_request)
{
    struct world world;
    struct live live = {.world = &world};

    run_cut(&live, &world, draw, 12000 + (uint64_t)_i);
}
END_TEST

static const struct {
    enum dyno_handoff_style style;
    uint32_t layers;
} ways[] = {
    {DYNO_HANDOFF_PUSH, 0},
    {DYNO_HANDOFF_PUSH, 4},
    {DYNO_HANDOFF_PULL, 0},
    {DYNO_HANDOFF_BOTH, 0},
};

/* Else the above says nothing. */
START_TEST(blocks_are_moved)
{
    uint64_t transfers = 0, many_steps = 0;

    for (uint64_t seed = 11000; seed < 11008; seed++) {
        struct dyno_loop_result result;
        struct world world;
        struct live live = {.world = &world};

        draw(&world, seed);
        world.halves.policy = &dyno_handoff_table[0]; /* always */
        world.halves.style = ways[_i].style;
        world.halves.layers = ways[_i].layers;
        world.halves.deadline_ns = 500 * DYNO_MS;
        run_live(&live, &result);
        transfers += live.totals.transfers;
        many_steps += live.many_steps;
    }
    ck_assert_uint_gt(transfers, 0);
    ck_assert_uint_gt(many_steps, 0);
}
END_TEST

/* Prompts begin to be computed before there are blocks for them, and some take longer than the
 * deadline: with whatever became of them by then, their requests go on whole. */
START_TEST(whose_deadline_is_over_is_served_whole)
{
    uint64_t given_up = 0;

    for (uint64_t seed = 13000; seed < 13008; seed++) {
        struct dyno_loop_result result;
        struct world world;
        struct live live = {.world = &world};

        draw(&world, seed);
        world.halves.policy = &dyno_handoff_table[0]; /* always */
        world.halves.style = DYNO_HANDOFF_BOTH;
        world.halves.layers = 0;
        world.halves.deadline_ns = 1000;
        run_live(&live, &result);
        ck_assert_uint_eq(result.requests, world.request_count);
        for (uint32_t i = 0; i < world.request_count; i++) {
            check_record(&live, i);
        }
        given_up += live.totals.transfers_given_up;
    }
    ck_assert_uint_gt(given_up, 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("live halves");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, every_request_ends_once_with_the_tokens_it_must_have, 0, 40);
    tcase_add_loop_test(cases, a_run_that_is_cut_ends_every_request, 0, 16);
    tcase_add_loop_test(cases, blocks_are_moved, 0, sizeof ways / sizeof ways[0]);
    tcase_add_test(cases, whose_deadline_is_over_is_served_whole);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/live_halves", add_cases)

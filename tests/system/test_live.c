/* The loop under the wall clock with a device that computes in threads of its own: the promises
 * that hold in simulation hold here. */
#include "tests/system/live_rig.h"

START_TEST(every_request_ends_once_with_the_tokens_it_must_have)
{
    struct dyno_loop_result result;
    struct world world;
    struct live live = {.world = &world};

    world_draw(&world, 7000 + (uint64_t)_i);
    run_live(&live, &result);
    ck_assert_uint_eq(result.requests, world.request_count);
    for (uint32_t i = 0; i < world.request_count; i++) {
        ck_assert_msg(live.ends[i] == 1, "world %llu: request %u ended %u times",
                      (unsigned long long)world.seed, i, live.ends[i]);
        check_record(&live, i);
    }
}
END_TEST

START_TEST(a_run_that_is_cut_waits_for_its_passes_and_ends_every_request)
{
    struct dyno_loop_result result;
    struct world world;
    struct live live = {.world = &world};
    uint32_t ended = 0;

    world_draw(&world, 9000 + (uint64_t)_i);
    world.duration_max_ns = 300 * DYNO_MS;
    run_live(&live, &result);
    for (uint32_t i = 0; i < world.request_count; i++) {
        ck_assert_uint_le(live.ends[i], 1);
        ended += live.ends[i];
    }
    ck_assert_uint_eq(ended, result.requests);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("live");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, every_request_ends_once_with_the_tokens_it_must_have, 0, 24);
    tcase_add_loop_test(cases, a_run_that_is_cut_waits_for_its_passes_and_ends_every_request, 0,
                        12);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/live", add_cases)

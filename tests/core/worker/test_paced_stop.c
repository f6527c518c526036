/* The paced device, by hand: passes that are stopped, and how far one is. */
#include "tests/check_main.h"
#include "tests/core/worker/paced_rig.h"

/* ---- stop ------------------------------------------------------------------------------------ */

/* Boundaries at 10000 + growing: a stop at `now` ends the pass after `steps` steps. */
static void check_stop(dyno_ns now, uint32_t steps)
{
    set_up();
    set_growing();
    submit_decode(10000, 100, 1, 5);
    device->ops->stop(device, 0, now, 0);
    ck_assert_uint_eq(reap_at(10000 + growing[steps]).steps, steps);
    tear_down();
}

START_TEST(a_stop_ends_the_pass_at_the_first_boundary_at_or_after_now)
{
    check_stop(10000, 1); /* no step is undone: the first one ends */
    check_stop(10001, 1);
    check_stop(11000, 1);
    check_stop(11001, 2);
    check_stop(12001, 2);
    check_stop(12002, 3);
    check_stop(16006, 6);
    check_stop(16007, 7);
    check_stop(17008, 7);
}
END_TEST

START_TEST(a_stop_after_the_end_or_with_nothing_to_stop_changes_nothing)
{
    device->ops->stop(device, 0, 5, 0);
    decode_from_1000(3);
    device->ops->stop(device, 0, 1000, 0);
    ck_assert_uint_eq(device->ops->next(device), DYNO_NEVER);
    submit_decode(1000, 100, 1, 5); /* two steps: 2000, 3000 */
    device->ops->stop(device, 0, 3001, 0);
    ck_assert_uint_eq(device->ops->next(device), 3000);
    device->ops->stop(device, 0, 1500, 0);
    device->ops->stop(device, 0, 2500, 0); /* does not make it longer again */
    ck_assert_uint_eq(reap_at(2000).steps, 1);
}
END_TEST

/* `further` steps beyond that boundary, and never beyond the end. */
START_TEST(a_stop_may_grant_further_steps)
{
    set_growing();
    submit_decode(10000, 100, 1, 5);
    device->ops->stop(device, 0, 16006, 1); /* of 100 steps as of 7 */
    ck_assert_uint_eq(device->ops->next(device), 17008);
    device->ops->stop(device, 0, 11001, 2);
    ck_assert_uint_eq(device->ops->next(device), 10000 + growing[4]);
    device->ops->stop(device, 0, 11001, 3); /* does not make it longer again */
    device->ops->stop(device, 0, 11001, UINT32_MAX);
    ck_assert_uint_eq(reap_at(10000 + growing[4]).steps, 4);
}
END_TEST

/* The start is a boundary too, and lies ahead after a pause: at it, the step after it is further.
 */
START_TEST(a_stop_before_a_pass_has_begun_counts_from_its_start)
{
    set_growing();
    plan.idle = 4000;
    submit_decode(20000000, 100, 1, 5);
    ck_assert_uint_eq(device->ops->step_start(device, 0, 0), 20004000);
    device->ops->stop(device, 0, 20004000, 2);
    ck_assert_uint_eq(device->ops->next(device), 20004000 + growing[2]);
    device->ops->stop(device, 0, 20000001, 1);
    ck_assert_uint_eq(device->ops->next(device), 20004000 + growing[1]);
}
END_TEST

START_TEST(what_a_stop_left_undone_is_done_by_the_next_pass)
{
    decode_from_1000(8);
    submit_decode(1000, 100, 1, 5);
    device->ops->stop(device, 0, 3500, 0); /* three steps: tokens 2, 3, 4 */
    ck_assert_uint_eq(reap_at(4000).ended_count, 0);
    submit_decode(4000, 100, 1, 8);
    ck_assert_uint_eq(reap_at(8000).ended_count, 1); /* four more: 5, 6, 7, 8 */
}
END_TEST

/* ---- progress -------------------------------------------------------------------------------- */

static void check_progress(dyno_ns now, uint32_t started, uint32_t completed)
{
    uint32_t began = 77, ended = 77;

    device->ops->progress(device, 0, now, &began, &ended);
    ck_assert_msg(began == started && ended == completed,
                  "at %llu: %u started and %u completed, not %u and %u", (unsigned long long)now,
                  began, ended, started, completed);
}

START_TEST(steps_have_started_before_now_and_completed_at_or_before_it)
{
    check_progress(9999, 0, 0); /* nothing in flight */
    set_growing();
    submit_decode(10000, 100, 1, 5);
    check_progress(10000, 0, 0); /* the first starts now, not before */
    check_progress(10001, 1, 0);
    check_progress(10999, 1, 0);
    check_progress(11000, 1, 1);
    check_progress(11001, 2, 1);
    check_progress(12001, 2, 2);
    check_progress(16999, 7, 6);
    check_progress(17008, 7, 7);
    check_progress(99999, 7, 7); /* ended, not reaped yet */
    (void)reap_at(17008);
    check_progress(99999, 0, 0);
}
END_TEST

START_TEST(a_pass_that_was_stopped_has_no_steps_beyond_its_end)
{
    set_growing();
    submit_decode(10000, 100, 1, 5);
    device->ops->stop(device, 0, 11500, 0);
    check_progress(11500, 2, 1);
    check_progress(50000, 2, 2);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("stop");
    TCase *bare = tcase_create("stop, opened by the test");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(bare, a_stop_ends_the_pass_at_the_first_boundary_at_or_after_now);
    tcase_add_test(cases, a_stop_after_the_end_or_with_nothing_to_stop_changes_nothing);
    tcase_add_test(cases, a_stop_may_grant_further_steps);
    tcase_add_test(cases, a_stop_before_a_pass_has_begun_counts_from_its_start);
    tcase_add_test(cases, what_a_stop_left_undone_is_done_by_the_next_pass);
    tcase_add_test(cases, steps_have_started_before_now_and_completed_at_or_before_it);
    tcase_add_test(cases, a_pass_that_was_stopped_has_no_steps_beyond_its_end);
    suite_add_tcase(suite, cases);
    suite_add_tcase(suite, bare);
}

DYNO_CHECK_MAIN("worker/paced_stop", add_cases)

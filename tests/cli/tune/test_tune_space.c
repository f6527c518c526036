/* What --vary reads, and the points that come of it. */
#include "cli/tune/space.h"
#include "tests/check_main.h"

#include <stdio.h>
#include <string.h>

static struct dyno_tune_space space;
static struct dyno_error error;

static void open_space(void)
{
    ck_assert_int_eq(dyno_tune_space_open(&space, &error), DYNO_OK);
}

static void close_space(void)
{
    dyno_tune_space_close(&space);
}

static void vary(const char *text)
{
    ck_assert_msg(dyno_tune_space_add(&space, text, 5, &error) == DYNO_OK, "%s", error.text);
}

/* The values of a dimension, with blanks between them. */
static void ck_values(uint32_t dimension, const char *expected)
{
    char values[1024] = "";
    size_t used = 0;

    for (uint32_t i = 0; i < space.items[dimension].value_count && used < sizeof values; i++) {
        used += (size_t)snprintf(values + used, sizeof values - used, "%s%s", i > 0 ? " " : "",
                                 space.items[dimension].values[i]);
    }
    ck_assert_str_eq(values, expected);
}

static void ck_refused(const char *text, const char *says)
{
    ck_assert_int_eq(dyno_tune_space_add(&space, text, 5, &error), DYNO_BAD_INPUT);
    ck_assert_msg(strstr(error.text, says) != NULL, "%s", error.text);
}

START_TEST(a_wide_range_is_gone_through_by_factors_and_a_narrow_one_by_differences)
{
    vary("planner.every=1s..100s/3");
    ck_assert(space.items[0].is_log);
    ck_values(0, "1s 10s 100s");
    vary("planner.headroom=0.5..1");
    ck_assert(!space.items[1].is_log);
    ck_values(1, "0.5 0.625 0.75 0.875 1");
    vary("router.kv.overlap_credit=0..10/3");
    ck_assert(!space.items[2].is_log); /* there is no way from 0 by factors */
    ck_values(2, "0 5 10");
}
END_TEST

START_TEST(whole_numbers_stay_whole_and_are_tried_once)
{
    vary("fleet.workers=2..4");
    ck_values(0, "2 3 4");
    vary("batch.tokens_max=1024..16384/3");
    ck_values(1, "1024 4100 16384"); /* three digits: 4096 is 4100 */
}
END_TEST

START_TEST(a_list_is_read_by_its_option)
{
    vary("router=kv,session,kv");
    ck_values(0, "kv session");
    ck_assert(!space.items[0].is_ordered);
    vary("planner.every=1000ms,2min,0.5s");
    ck_values(1, "1s 2min 500ms");
    ck_assert(space.items[1].is_ordered);
    vary("planner.startup=30|lognormal:60,0.3");
    ck_values(2, "30 lognormal:60,0.3");
    vary("batch.seqs_max=profile,64");
    ck_values(3, "profile 64");
}
END_TEST

START_TEST(what_is_no_range_or_no_list_is_refused)
{
    ck_refused("planner.every", "is not NAME=VALUE");
    ck_refused("planner.every=", "planner.every");
    ck_refused("planner.every=1s..1s", "is empty");
    ck_refused("planner.every=1s..", "planner.every");
    ck_refused("planner.every=1..5", "has no unit");
    ck_refused("planner.every=1s..10s/1", "is no number of points");
    ck_refused("planner.every=1s..10s/x", "is no number of points");
    ck_refused("planner.every=1s..100h", "planner.every");
    ck_refused("batch.seqs_max=profile..64", "is no end of a range");
    ck_refused("router=kv..session", "a range is of numbers");
    ck_refused("router=kv,nothing", "router.policy");
    ck_refused("slo.ttft=1s..2s", "is what all arms are judged by");
    ck_refused("output.db=a,b", "is not part of a fleet");
}
END_TEST

START_TEST(the_grid_counts_with_the_last_dimension_first)
{
    static const char *const expected[] = {
        "fleet.workers=2 router.policy=kv",  "fleet.workers=2 router.policy=session",
        "fleet.workers=8 router.policy=kv",  "fleet.workers=8 router.policy=session",
        "fleet.workers=32 router.policy=kv", "fleet.workers=32 router.policy=session"};
    char text[256];

    vary("workers=2..32/3");
    vary("router=kv,session");
    ck_assert_uint_eq(dyno_tune_space_grid_size(&space), 6);
    for (uint64_t i = 0; i < 6; i++) {
        struct dyno_tune_point point;

        ck_assert_int_eq(dyno_tune_space_grid(&space, i, &point), DYNO_OK);
        dyno_tune_point_print(&space, &point, text, sizeof text);
        ck_assert_str_eq(text, expected[i]);
        dyno_tune_point_release(&point);
    }
}
END_TEST

START_TEST(a_point_lies_where_its_rounded_value_does)
{
    struct dyno_tune_point point, again;
    double at[2] = {0.333333, 0.9};

    vary("planner.every=1s..1000s");
    vary("planner.headroom=0.5..1");
    ck_assert_int_eq(dyno_tune_space_at(&space, at, &point), DYNO_OK);
    ck_assert_str_eq(point.values[0], "10s");
    ck_assert_str_eq(point.values[1], "0.95");
    ck_assert_double_eq_tol(point.at[0], 1.0 / 3.0, 1e-12);
    ck_assert_int_eq(dyno_tune_space_at(&space, point.at, &again), DYNO_OK);
    ck_assert(dyno_tune_point_same(&space, &point, &again));
    dyno_tune_point_release(&point);
    dyno_tune_point_release(&again);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("tune_space");

    tcase_add_checked_fixture(tcase, open_space, close_space);
    tcase_add_test(tcase, a_wide_range_is_gone_through_by_factors_and_a_narrow_one_by_differences);
    tcase_add_test(tcase, whole_numbers_stay_whole_and_are_tried_once);
    tcase_add_test(tcase, a_list_is_read_by_its_option);
    tcase_add_test(tcase, what_is_no_range_or_no_list_is_refused);
    tcase_add_test(tcase, the_grid_counts_with_the_last_dimension_first);
    tcase_add_test(tcase, a_point_lies_where_its_rounded_value_does);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("cli/tune_space", add_cases)

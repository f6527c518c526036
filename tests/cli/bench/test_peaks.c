/* Peaks by hand. */
#include "cli/bench/peaks.h"

#include "tests/check_main.h"

START_TEST(the_most_at_once)
{
    dyno_ns starts[] = {5, 0, 1, 9}, ends[] = {9, 5, 6, 12};

    ck_assert_uint_eq(dyno_peak_overlap(starts, ends, 4), 2); /* one ends as another begins */
    ck_assert_uint_eq(dyno_peak_overlap(NULL, NULL, 0), 0);
    starts[0] = starts[1] = starts[2] = starts[3] = 3;
    ends[0] = ends[1] = ends[2] = ends[3] = 3;
    ck_assert_uint_eq(dyno_peak_overlap(starts, ends, 4), 1);
    ends[0] = ends[1] = ends[2] = ends[3] = 4;
    ck_assert_uint_eq(dyno_peak_overlap(starts, ends, 4), 4);
}
END_TEST

START_TEST(the_most_in_a_second)
{
    dyno_ns times[] = {7 * DYNO_S, 5 * DYNO_S, 5 * DYNO_S + 999999999,
                       6 * DYNO_S, 6 * DYNO_S, 6 * DYNO_S + 1};

    ck_assert_uint_eq(dyno_peak_per_second(times, 6), 3);
    ck_assert_uint_eq(dyno_peak_per_second(times, 2), 2);
    ck_assert_uint_eq(dyno_peak_per_second(NULL, 0), 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("peaks");

    tcase_add_test(cases, the_most_at_once);
    tcase_add_test(cases, the_most_in_a_second);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("cli/peaks", add_cases)

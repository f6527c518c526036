/* How often the intervals of `dyno tune` hold the truth. */
#include "tests/check_main.h"
#include "tests/cli/tune_worlds.h"

START_TEST(intervals_hold_the_truth_as_often_as_promised)
{
    static const struct paired_world world = {.rate = 0.5, .slowdown = 1.1, .requests = 4000};
    uint32_t arms[METRICS] = {0}, differences[METRICS] = {0};

    count_covered(&world, 40, 200, arms, differences);
    for (uint32_t i = 0; i < METRICS; i++) { /* 95 % of 40 are 38; fewer than 33 are 1 in 10,000 */
        ck_assert_msg(arms[i] >= 33, "metric %u of an arm: %u of 40", i, arms[i]);
        ck_assert_msg(differences[i] >= 33, "metric %u, difference: %u of 40", i, differences[i]);
    }
}
END_TEST

START_TEST(arms_that_are_one_do_not_differ)
{
    static const struct paired_world world = {.rate = 0.5, .slowdown = 1.0, .requests = 1000};
    struct dyno_tune_sure sure;

    ck_assert_int_eq(compare(&world, 1, 200, &sure), DYNO_OK);
    for (uint32_t i = 0; i < METRICS; i++) {
        ck_assert_double_eq(sure.difference[0][i].value, 0.0);
        ck_assert_double_eq(sure.difference[0][i].low, 0.0);
        ck_assert_double_eq(sure.difference[0][i].high, 0.0);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("tune_sure");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, intervals_hold_the_truth_as_often_as_promised);
    tcase_add_test(tcase, arms_that_are_one_do_not_differ);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("cli/tune_sure", add_cases)

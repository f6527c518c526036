/* What passes are predicted to take. */
#include "backends/engine/pass_costs.h"

#include "tests/check_main.h"

/* 1,000 ns, 50 a row and 2 a pair: what three passes of that take says so again. */
START_TEST(three_passes_tell_what_a_pass_takes)
{
    double one = 1000 + 50 + 2, many = 1000 + 50 * 10 + 2 * 55, late = many + 2 * 10 * 100;
    struct dyno_pass_costs costs = dyno_pass_costs_from(one, many, late, 10, 100);
    struct dyno_slice slices[] = {{.first = 100, .tokens = 10}, {.slot = 1, .tokens = 1}};
    struct dyno_pass pass = {
        .slice_count = 2, .slices = slices, .decode_count = 3, .decode_context = 30};

    ck_assert_double_eq_tol(costs.base_ns, 1000, 1e-6);
    ck_assert_double_eq_tol(costs.row_ns, 50, 1e-6);
    ck_assert_double_eq_tol(costs.pair_ns, 2, 1e-6);
    ck_assert_uint_eq(dyno_pass_costs_predict(&costs, &pass),
                      1000 + 50 * 14 + 2 * (1000 + 55 + 1 + 30));
}
END_TEST

START_TEST(what_passes_take_is_followed)
{
    struct dyno_pass_costs costs = {.base_ns = 100};
    struct dyno_pass pass = {.steps_max = 1};

    ck_assert_uint_eq(dyno_pass_costs_predict(&costs, &pass), 100);
    for (uint32_t i = 0; i < 200; i++) {
        dyno_pass_costs_learn(&costs, dyno_pass_costs_plain_ns(&costs, &pass), 300);
    }
    ck_assert_uint_ge(dyno_pass_costs_predict(&costs, &pass), 299);
    dyno_pass_costs_learn(&costs, 0.0, 1000000); /* of which nothing is known */
    ck_assert_uint_le(dyno_pass_costs_predict(&costs, &pass), 300);
}
END_TEST

/* Measured while somebody else computes: nothing is negative, and something is known. */
START_TEST(nothing_costs_less_than_nothing)
{
    struct dyno_pass_costs costs = dyno_pass_costs_from(5000, 1000, 500, 10, 100);

    ck_assert_double_ge(costs.base_ns, 1);
    ck_assert_double_ge(costs.row_ns, 0);
    ck_assert_double_ge(costs.pair_ns, 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("pass costs");

    tcase_add_test(cases, three_passes_tell_what_a_pass_takes);
    tcase_add_test(cases, what_passes_take_is_followed);
    tcase_add_test(cases, nothing_costs_less_than_nothing);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("pass_costs", add_cases)

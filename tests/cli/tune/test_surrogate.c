/* The surrogate against what it must be by hand, and the optimiser on functions that are known. */
#include "cli/tune/surrogate.h"
#include "tests/check_main.h"

#include <math.h>

static struct dyno_error error;

static double covariance(double apart)
{
    double r = sqrt(5.0) * apart / 0.4;

    return (1.0 + r + r * r / 3.0) * exp(-r);
}

/* Two values: the covariance matrix can be turned round by hand. */
START_TEST(of_two_points_it_is_as_by_hand)
{
    static const bool numbers[1] = {false};
    static const double points[2] = {0.2, 0.6}, values[2] = {3.0, 5.0};
    struct dyno_surrogate *surrogate = dyno_surrogate_open(1, numbers);
    double k = covariance(0.4), own = 1.0 + 0.01 + 1e-8, det = own * own - k * k, mean, deviation;
    const double near[2] = {covariance(0.1), covariance(0.3)};
    const double at = 0.3;
    const double inverse[2] = {(own * near[0] - k * near[1]) / det,
                               (own * near[1] - k * near[0]) / det};

    ck_assert_int_eq(dyno_surrogate_learn(surrogate, points, values, 2, NULL, &error), DYNO_OK);
    dyno_surrogate_predict(surrogate, &at, &mean, &deviation); /* of values -1 and 1 */
    ck_assert_double_eq_tol(mean, 4.0 + inverse[1] - inverse[0], 1e-10);
    ck_assert_double_eq_tol(deviation, sqrt(1.0 - near[0] * inverse[0] - near[1] * inverse[1]),
                            1e-10);
    dyno_surrogate_close(surrogate);
}
END_TEST

START_TEST(it_knows_what_it_saw_and_not_what_is_far_from_it)
{
    static const bool kinds[2] = {false, true};
    static const double points[8] = {0.1, 0, 0.5, 0, 0.9, 0, 0.5, 1};
    static const double values[4] = {1.0, 2.0, 4.0, -3.0};
    struct dyno_surrogate *surrogate = dyno_surrogate_open(2, kinds);
    double mean, near, far;

    ck_assert_int_eq(dyno_surrogate_learn(surrogate, points, values, 4, NULL, &error), DYNO_OK);
    for (int i = 0; i < 4; i++) {
        dyno_surrogate_predict(surrogate, points + 2 * i, &mean, &near);
        ck_assert_double_eq_tol(mean, values[i], 0.1);
    }
    dyno_surrogate_predict(surrogate, (double[]){0.5, 2}, &mean, &far); /* a name never seen */
    ck_assert_double_gt(far, 3.0 * near);
    dyno_surrogate_close(surrogate);
}
END_TEST

START_TEST(values_that_are_all_one_are_no_trouble)
{
    static const bool numbers[1] = {false};
    static const double points[4] = {0.2, 0.2, 0.2, 0.2}, values[4] = {7.0, 7.0, 7.0, 7.0};
    struct dyno_surrogate *surrogate = dyno_surrogate_open(1, numbers);
    double at = 0.9, mean, deviation;

    ck_assert_int_eq(dyno_surrogate_learn(surrogate, points, values, 4, NULL, &error), DYNO_OK);
    dyno_surrogate_predict(surrogate, &at, &mean, &deviation);
    ck_assert_double_eq_tol(mean, 7.0, 1e-9);
    ck_assert(isfinite(deviation));
    dyno_surrogate_close(surrogate);
}
END_TEST

START_TEST(hope_is_as_in_tables)
{
    ck_assert_double_eq_tol(dyno_probability_above(0.0, 1.0), 0.5, 1e-7);
    ck_assert_double_eq_tol(dyno_probability_above(1.959964, 1.0), 0.975, 1e-7);
    ck_assert_double_eq_tol(dyno_probability_above(-3.0, 2.0), 0.0668072, 1e-7);
    ck_assert_double_eq_tol(dyno_expected_improvement(0.0, 1.0, 0.0), 0.3989423, 1e-7);
    ck_assert_double_eq_tol(dyno_expected_improvement(5.0, 0.001, 2.0), 3.0, 1e-6);
    ck_assert_double_ge(dyno_expected_improvement(-40.0, 1.0, 0.0), 0.0);
}
END_TEST

/* Two hills, the lower one wide. */
static double hills(void *context, const double *at)
{
    double a = (at[0] - 0.8) * (at[0] - 0.8) + (at[1] - 0.3) * (at[1] - 0.3);
    double b = (at[0] - 0.2) * (at[0] - 0.2) + (at[1] - 0.7) * (at[1] - 0.7);

    ++*(uint32_t *)context;
    return exp(-50.0 * a) + 0.6 * exp(-3.0 * b);
}

START_TEST(the_optimiser_finds_the_higher_hill)
{
    static const double low[2] = {0.0, 0.0}, high[2] = {1.0, 1.0};
    double at[2] = {0.2, 0.7}, again[2] = {0.2, 0.7};
    struct dyno_optimiser *optimiser;
    uint32_t calls = 0;
    struct dyno_optimiser_task task = {.dimensions = 2,
                                       .low = low,
                                       .high = high,
                                       .function = hills,
                                       .context = &calls,
                                       .is_global = true,
                                       .calls_max = 400};

    if (dyno_optimiser_open(&optimiser, &error) == DYNO_NOT_FOUND) {
        return; /* without NLopt there is nothing to be tried */
    }
    ck_assert_int_eq(dyno_optimiser_run(optimiser, &task, at, &error), DYNO_OK);
    ck_assert_uint_le(calls, 401);
    task.is_global = false;
    ck_assert_int_eq(dyno_optimiser_run(optimiser, &task, at, &error), DYNO_OK);
    ck_assert_double_eq_tol(at[0], 0.8, 0.02);
    ck_assert_double_eq_tol(at[1], 0.3, 0.02);
    task.calls_max = 200; /* uphill from the other one it stays there */
    ck_assert_int_eq(dyno_optimiser_run(optimiser, &task, again, &error), DYNO_OK);
    ck_assert_double_eq_tol(again[0], 0.2, 0.02);
    dyno_optimiser_close(optimiser);
}
END_TEST

/* A function that only its first coordinate moves: the fitted lengths say so. */
START_TEST(what_is_fitted_tells_coordinates_apart)
{
    static const bool numbers[2] = {false, false};
    struct dyno_surrogate *surrogate = dyno_surrogate_open(2, numbers);
    struct dyno_optimiser *optimiser;
    double points[80], values[40], mean, along, across;

    if (dyno_optimiser_open(&optimiser, &error) == DYNO_NOT_FOUND) {
        dyno_surrogate_close(surrogate);
        return;
    }
    for (int i = 0; i < 40; i++) {
        points[2 * i] = fmod(i * 0.618034, 1.0);
        points[2 * i + 1] = fmod(i * 0.754878, 1.0);
        values[i] = sin(9.0 * points[2 * i]);
    }
    ck_assert_int_eq(dyno_surrogate_learn(surrogate, points, values, 40, optimiser, &error),
                     DYNO_OK);
    for (int i = 0; i < 20; i++) {
        double at[2] = {i / 20.0, fmod(i * 0.37, 1.0)};

        dyno_surrogate_predict(surrogate, at, &mean, &along);
        ck_assert_double_eq_tol(mean, sin(9.0 * at[0]), 0.1);
    }
    dyno_surrogate_predict(surrogate, (double[]){0.5, 1.8}, &mean, &across);
    dyno_surrogate_predict(surrogate, (double[]){1.8, 0.5}, &mean, &along);
    ck_assert_double_gt(along, 2.0 * across);
    dyno_surrogate_close(surrogate);
    dyno_optimiser_close(optimiser);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("surrogate");

    tcase_add_test(tcase, of_two_points_it_is_as_by_hand);
    tcase_add_test(tcase, it_knows_what_it_saw_and_not_what_is_far_from_it);
    tcase_add_test(tcase, values_that_are_all_one_are_no_trouble);
    tcase_add_test(tcase, hope_is_as_in_tables);
    tcase_add_test(tcase, the_optimiser_finds_the_higher_hill);
    tcase_add_test(tcase, what_is_fitted_tells_coordinates_apart);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("cli/surrogate", add_cases)

/* Forecasts against closed forms and series whose answer is known. */
#include "tests/check_main.h"

#include <math.h>

#include "core/plan/forecast.h"

static struct dyno_forecast open_named(const char *name, uint32_t window, uint32_t season)
{
    struct dyno_forecast forecast;
    const struct dyno_predictor *predictor = dyno_predictor_find(name);

    ck_assert_ptr_nonnull(predictor);
    ck_assert_int_eq(
        dyno_forecast_init(&forecast, predictor,
                           &(struct dyno_forecast_config){.window = window, .season = season}),
        DYNO_OK);
    return forecast;
}

START_TEST(every_predictor_says_nothing_before_the_first_value)
{
    for (uint32_t i = 0; dyno_predictor_table[i]; i++) {
        struct dyno_forecast forecast = open_named(dyno_predictor_table[i]->name, 8, 4);

        ck_assert_double_eq(dyno_forecast_ahead(&forecast, 1), 0.0);
        dyno_forecast_release(&forecast);
    }
}
END_TEST

/* A load that never changes is foreseen as it is, at once and later; so it drives nobody to scale.
 */
START_TEST(every_predictor_holds_a_constant)
{
    for (uint32_t i = 0; dyno_predictor_table[i]; i++) {
        struct dyno_forecast forecast = open_named(dyno_predictor_table[i]->name, 8, 4);

        for (int j = 0; j < 200; j++) {
            dyno_forecast_learn(&forecast, 5.0);
            ck_assert_msg(fabs(dyno_forecast_ahead(&forecast, 3) - 5.0) < 1e-9, "%s after %d",
                          dyno_predictor_table[i]->name, j + 1);
        }
        dyno_forecast_release(&forecast);
    }
}
END_TEST

START_TEST(no_predictor_goes_below_zero_or_hears_nonsense)
{
    for (uint32_t i = 0; dyno_predictor_table[i]; i++) {
        struct dyno_forecast forecast = open_named(dyno_predictor_table[i]->name, 8, 0);

        for (int j = 10; j >= 0; j--) {
            dyno_forecast_learn(&forecast, j);
            dyno_forecast_learn(&forecast, NAN);
            dyno_forecast_learn(&forecast, INFINITY);
        }
        ck_assert_uint_eq(forecast.count, 11);
        ck_assert_double_ge(dyno_forecast_ahead(&forecast, 1000), 0.0);
        ck_assert(isfinite(dyno_forecast_ahead(&forecast, 1000)));
        dyno_forecast_release(&forecast);
    }
}
END_TEST

/* Traffic that has ended is foreseen to be none: nobody stays up for it. */
START_TEST(every_predictor_comes_down_to_zero)
{
    for (uint32_t i = 0; dyno_predictor_table[i]; i++) {
        struct dyno_forecast forecast = open_named(dyno_predictor_table[i]->name, 8, 4);

        for (int j = 0; j < 400; j++) {
            dyno_forecast_learn(&forecast, j < 20 ? 50.0 : 0.0);
        }
        ck_assert_msg(dyno_forecast_ahead(&forecast, 5) < 1e-3, "%s: %g",
                      dyno_predictor_table[i]->name, dyno_forecast_ahead(&forecast, 5));
        dyno_forecast_release(&forecast);
    }
}
END_TEST

START_TEST(constant_is_the_last_and_moving_average_the_mean_of_the_window)
{
    struct dyno_forecast last = open_named("constant", 3, 0);
    struct dyno_forecast mean = open_named("moving_average", 3, 0);

    for (int i = 1; i <= 100; i++) {
        dyno_forecast_learn(&last, i);
        dyno_forecast_learn(&mean, i);
    }
    ck_assert_double_eq(dyno_forecast_ahead(&last, 7), 100.0);
    ck_assert_double_eq(dyno_forecast_ahead(&mean, 7), 99.0);
    dyno_forecast_release(&last);
    dyno_forecast_release(&mean);
}
END_TEST

/* d[t] = 0.5 d[t-1] without noise: least squares finds 0.5 exactly, and what is to come is a
 * geometric series. */
START_TEST(arima_finds_the_coefficient_of_differences)
{
    struct dyno_forecast forecast = open_named("arima", 16, 0);
    double value = 10.0, step = 64.0;

    for (int i = 0; i < 10; i++) {
        dyno_forecast_learn(&forecast, value);
        value += step;
        step *= 0.5;
    }
    ck_assert_double_eq_tol(dyno_forecast_ahead(&forecast, 1), value, 1e-9);
    ck_assert_double_eq_tol(dyno_forecast_ahead(&forecast, 3), value + step + step / 2, 1e-9);
    dyno_forecast_release(&forecast);
}
END_TEST

/* All of the series: 10 + 64 x 2, without going through all ticks that a start may take. */
START_TEST(arima_sees_as_far_as_one_likes_at_once)
{
    struct dyno_forecast forecast = open_named("arima", 16, 0);
    double value = 10.0, step = 64.0;

    for (int i = 0; i < 10; i++) {
        dyno_forecast_learn(&forecast, value);
        value += step;
        step *= 0.5;
    }
    for (int i = 0; i < 1000; i++) {
        ck_assert_double_eq_tol(dyno_forecast_ahead(&forecast, UINT32_MAX), 138.0, 1e-9);
    }
    dyno_forecast_release(&forecast);
}
END_TEST

START_TEST(kalman_and_holt_winters_follow_a_line)
{
    struct dyno_forecast kalman = open_named("kalman", 8, 0);
    struct dyno_forecast holt = open_named("holt_winters", 8, 0);

    for (int i = 0; i <= 400; i++) {
        dyno_forecast_learn(&kalman, 3.0 + 2.0 * i);
        dyno_forecast_learn(&holt, 3.0 + 2.0 * i);
    }
    ck_assert_double_eq_tol(dyno_forecast_ahead(&kalman, 10), 3.0 + 2.0 * 410, 1e-6);
    ck_assert_double_eq_tol(dyno_forecast_ahead(&holt, 10), 3.0 + 2.0 * 410, 1e-6);
    dyno_forecast_release(&kalman);
    dyno_forecast_release(&holt);
}
END_TEST

/* By hand: P = [1000 0; 0 1000] becomes [2001 1000; 1000 1000.1] before a value is taken in. */
START_TEST(kalman_gains_are_those_of_the_filter)
{
    struct dyno_forecast forecast = open_named("kalman", 8, 0);
    double p00 = 2001.0, p01 = 1000.0, p11 = 1000.1, gain0, gain1, level, slope;

    dyno_forecast_learn(&forecast, 4.0); /* no surprise: the variances shrink */
    gain0 = p00 / (p00 + 10.0), gain1 = p01 / (p00 + 10.0);
    p11 -= gain1 * p01, p01 -= gain0 * p01, p00 -= gain0 * p00;
    dyno_forecast_learn(&forecast, 9.0);
    p00 += 2 * p01 + p11 + 1.0, p01 += p11;
    gain0 = p00 / (p00 + 10.0), gain1 = p01 / (p00 + 10.0);
    level = 4.0 + gain0 * 5.0, slope = gain1 * 5.0;
    ck_assert_double_eq_tol(dyno_forecast_ahead(&forecast, 2), level + 2 * slope, 1e-9);
    dyno_forecast_release(&forecast);
}
END_TEST

START_TEST(a_season_that_repeats_is_foreseen)
{
    static const double day[] = {1, 8, 20, 7};
    struct dyno_forecast seasonal = open_named("seasonal", 8, 4);
    struct dyno_forecast winters = open_named("holt_winters", 8, 4);

    for (int i = 0; i < 4000; i++) {
        dyno_forecast_learn(&seasonal, day[i % 4]);
        dyno_forecast_learn(&winters, day[i % 4]);
    }
    for (uint32_t ahead = 1; ahead <= 9; ahead++) {
        double truth = day[(3999 + ahead) % 4];

        ck_assert_double_eq(dyno_forecast_ahead(&seasonal, ahead), truth);
        ck_assert_double_eq_tol(dyno_forecast_ahead(&winters, ahead), truth, 1e-6);
    }
    dyno_forecast_release(&seasonal);
    dyno_forecast_release(&winters);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("forecast");

    tcase_add_test(cases, every_predictor_says_nothing_before_the_first_value);
    tcase_add_test(cases, every_predictor_holds_a_constant);
    tcase_add_test(cases, no_predictor_goes_below_zero_or_hears_nonsense);
    tcase_add_test(cases, every_predictor_comes_down_to_zero);
    tcase_add_test(cases, constant_is_the_last_and_moving_average_the_mean_of_the_window);
    tcase_add_test(cases, arima_finds_the_coefficient_of_differences);
    tcase_add_test(cases, arima_sees_as_far_as_one_likes_at_once);
    tcase_add_test(cases, kalman_and_holt_winters_follow_a_line);
    tcase_add_test(cases, kalman_gains_are_those_of_the_filter);
    tcase_add_test(cases, a_season_that_repeats_is_foreseen);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/forecast", add_cases)

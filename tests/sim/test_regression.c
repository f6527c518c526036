/* Regression with clusters: what is found, how well it is said to be known, and how often that
 * holds. */
#include "sim/regression.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { SAMPLES_MAX = 400 };

/* Log errors that are linear in the parameters: slopes x at - measured. */
struct linear {
    uint32_t count;
    size_t sample_count;
    double slopes[4][SAMPLES_MAX], measured[SAMPLES_MAX];
    uint32_t clusters[SAMPLES_MAX], cluster_count;
};

static dyno_status linear_errors(void *context, const double *at, double *out,
                                 struct dyno_error *error)
{
    const struct linear *linear = context;

    (void)error;
    for (size_t i = 0; i < linear->sample_count; i++) {
        out[i] = -linear->measured[i];
        for (uint32_t j = 0; j < linear->count; j++) {
            out[i] += linear->slopes[j][i] * at[j];
        }
    }
    return DYNO_OK;
}

static struct dyno_regression regression_of(struct linear *linear)
{
    struct dyno_regression regression = {
        .count = linear->count,
        .sample_count = linear->sample_count,
        .clusters = linear->clusters,
        .cluster_count = linear->cluster_count,
        .samples_min = 4,
        .errors = linear_errors,
        .context = linear,
        .step = 0.3,
        .slope_step = 0.02,
        .rounds = 200,
    };

    for (uint32_t i = 0; i < linear->count; i++) {
        regression.limit[i] = 0.5;
    }
    return regression;
}

/* Nine samples of one number, 0.05 either way but for the one in the middle: clusters {1, 2, 3},
 * {4, 5, 6}, {7, 8, 9} have the signs of their errors (predicted - measured) +++, +0-, ---, so that
 * the sums of sign x slope are 3, 0 and -3, and J'J is 9.  The median size of the errors is 0.05.
 * Variance: 4 x 0.05^2 / 81 x (9 + 0 + 9) x 3 / 2 + 0.002^2 / 9. */
START_TEST(a_standard_error_by_hand)
{
    static struct linear linear = {.count = 1, .sample_count = 9, .cluster_count = 3};
    struct dyno_regression regression;
    static struct dyno_regression_result result;
    struct dyno_error error;

    for (size_t i = 0; i < 9; i++) {
        linear.slopes[0][i] = 1;
        linear.measured[i] = 0.25 + (i < 4 ? -0.05 : i == 4 ? 0 : 0.05);
        linear.clusters[i] = (uint32_t)(i / 3);
    }
    regression = regression_of(&linear);
    ck_assert_int_eq(dyno_regression_fit(&result, &regression, &error), DYNO_OK);
    ck_assert_int_eq(result.determined[0], DYNO_DETERMINED);
    ck_assert_double_eq_tol(result.at[0], 0.25, 1e-9);
    ck_assert_double_eq_tol(result.effect[0], 1, 1e-9);
    ck_assert_double_eq_tol(result.mean_error, 8 * 0.05 / 9, 1e-9);
    ck_assert_double_eq_tol(result.covariance[0][0],
                            4 * 0.05 * 0.05 / 81 * 18 * 1.5 + 0.002 * 0.002 / 9, 1e-9);
}
END_TEST

/* Two numbers of which only the sum is measured: the second stays, and what is not known of it is
 * not known of the first either, with the other sign. */
START_TEST(what_is_fitted_leans_on_what_is_not)
{
    static struct linear linear = {.count = 2, .sample_count = 100, .cluster_count = 20};
    struct dyno_regression regression;
    static struct dyno_regression_result result;
    struct dyno_error error;

    for (size_t i = 0; i < linear.sample_count; i++) {
        linear.slopes[0][i] = 0.8;
        linear.slopes[1][i] = 0.2;
        linear.measured[i] = 0.1 + (i % 2 ? 0.01 : -0.01);
        linear.clusters[i] = (uint32_t)(i / 5);
    }
    regression = regression_of(&linear);
    regression.is_fixed[1] = true;
    regression.prior[1] = 0.2;
    ck_assert_int_eq(dyno_regression_fit(&result, &regression, &error), DYNO_OK);
    ck_assert_int_eq(result.determined[0], DYNO_DETERMINED);
    ck_assert_int_eq(result.determined[1], DYNO_NOT_ASKED);
    ck_assert_double_eq(result.at[1], 0);
    ck_assert_double_eq_tol(result.at[0] * 0.8, 0.1, 0.011);
    ck_assert_double_eq(result.covariance[1][1], 0.2 * 0.2);
    ck_assert_double_eq_tol(result.covariance[0][1], -0.25 * 0.2 * 0.2, 1e-9);
    ck_assert_double_gt(result.covariance[0][0], 0.25 * 0.25 * 0.2 * 0.2);
    /* Their sum is known far better than either. */
    ck_assert_double_lt(0.64 * result.covariance[0][0] + 0.32 * result.covariance[0][1] +
                            0.04 * result.covariance[1][1],
                        0.005 * 0.005);
}
END_TEST

START_TEST(what_the_samples_do_not_show_is_left_with_the_reason)
{
    static struct linear linear = {.count = 3, .sample_count = 60, .cluster_count = 12};
    struct dyno_regression regression;
    static struct dyno_regression_result result;
    struct dyno_error error;

    for (size_t i = 0; i < linear.sample_count; i++) {
        linear.slopes[0][i] = 1;
        linear.slopes[1][i] = 0.001;
        linear.slopes[2][i] = i % 2 ? 0.02 : -0.02;
        linear.measured[i] = 0.5 + (i % 4 < 2 ? 0.1 : -0.1);
        linear.clusters[i] = (uint32_t)(i / 5);
    }
    regression = regression_of(&linear);
    ck_assert_int_eq(dyno_regression_fit(&result, &regression, &error), DYNO_OK);
    ck_assert_int_eq(result.determined[0], DYNO_DETERMINED);
    ck_assert_int_eq(result.determined[1], DYNO_WITHOUT_EFFECT);
    ck_assert_int_eq(result.determined[2], DYNO_TOO_VAGUE);
    ck_assert_double_gt(result.left_at[2], 0.5);
    ck_assert_double_eq(result.at[1], 0);
    ck_assert_double_eq(result.at[2], 0);
    linear.cluster_count = 2; /* as good as two samples */
    for (size_t i = 0; i < linear.sample_count; i++) {
        linear.clusters[i] = i > 30;
    }
    regression = regression_of(&linear);
    ck_assert_int_eq(dyno_regression_fit(&result, &regression, &error), DYNO_OK);
    ck_assert_int_eq(result.determined[0], DYNO_TOO_FEW);
    ck_assert_double_eq(result.at[0], 0);
}
END_TEST

/* A line through samples whose errors are common to a cluster but for a little. */
static void draw_clustered(struct linear *linear, uint64_t seed)
{
    double common = 0;
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "regression");
    for (size_t i = 0; i < linear->sample_count; i++) {
        common = i % 10 == 0 ? 0.05 * dyno_rng_normal(&rng) : common;
        linear->slopes[0][i] = 1;
        linear->slopes[1][i] = (double)(i / 10 % 7) / 6;
        linear->measured[i] =
            0.2 - 0.1 * linear->slopes[1][i] + common + 0.01 * dyno_rng_normal(&rng);
        linear->clusters[i] = (uint32_t)(i / 10);
    }
}

/* 200 worlds: within 1.96 standard errors lies the truth in 95 % of them, give or take; four
 * standard errors of that count are six points.  If the ten samples of a cluster counted as ten,
 * standard errors would be a third as large and cover about half as often. */
START_TEST(nineteen_of_twenty_standard_errors_cover)
{
    static struct linear linear = {.count = 2, .sample_count = 400, .cluster_count = 40};
    uint32_t covered[2] = {0}, narrow = 0;
    enum { WORLDS = 200 };

    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        const double truth[2] = {0.2, -0.1};
        struct dyno_regression regression;
        static struct dyno_regression_result result;
        struct dyno_error error;

        draw_clustered(&linear, seed);
        regression = regression_of(&linear);
        regression.rounds = 60;
        regression.limit[0] = regression.limit[1] = 10;
        ck_assert_int_eq(dyno_regression_fit(&result, &regression, &error), DYNO_OK);
        for (int i = 0; i < 2; i++) {
            double deviations = fabs(result.at[i] - truth[i]) / sqrt(result.covariance[i][i]);

            covered[i] += deviations < 1.96;
            narrow += i == 0 && deviations < 1.96 / sqrt(10.0);
        }
    }
    (void)printf("%u and %u of %d cover, %u as if independent\n", covered[0], covered[1], WORLDS,
                 narrow);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_ge(covered[i], 0.89 * WORLDS);
        ck_assert_uint_le(covered[i], 0.995 * WORLDS);
    }
    ck_assert_uint_lt(narrow, 0.7 * WORLDS);
}
END_TEST

static dyno_status failing_errors(void *context, const double *at, double *out,
                                  struct dyno_error *error)
{
    (void)at;
    (void)out;
    (void)context;
    return dyno_fail(error, DYNO_IO, "no");
}

START_TEST(a_failure_of_the_model_is_passed_on)
{
    static struct linear linear = {.count = 1, .sample_count = 9, .cluster_count = 9};
    struct dyno_regression regression = regression_of(&linear);
    static struct dyno_regression_result result;
    struct dyno_error error;

    regression.errors = failing_errors;
    ck_assert_int_eq(dyno_regression_fit(&result, &regression, &error), DYNO_IO);
    ck_assert_str_eq(error.text, "no");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("regression");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_standard_error_by_hand);
    tcase_add_test(cases, what_is_fitted_leans_on_what_is_not);
    tcase_add_test(cases, what_the_samples_do_not_show_is_left_with_the_reason);
    tcase_add_test(cases, nineteen_of_twenty_standard_errors_cover);
    tcase_add_test(cases, a_failure_of_the_model_is_passed_on);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("sim/regression", add_cases)

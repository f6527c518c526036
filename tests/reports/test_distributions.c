/* Distributions against printed tables and identities; tests against what can be counted by hand.
 */
#include <math.h>

#include "reports/stats/distributions.h"
#include "reports/stats/tests.h"
#include "tests/check_main.h"

static void near(double got, double due, double tolerance)
{
    ck_assert_msg(fabs(got - due) <= tolerance, "%.15g is not %.15g", got, due);
}

START_TEST(quantiles_are_those_of_the_tables)
{
    near(dyno_normal_quantile(0.975), 1.959963984540054, 1e-11);
    near(dyno_normal_quantile(0.8), 0.8416212335729143, 1e-11);
    near(dyno_normal_quantile(0.9999), 3.719016485455709, 1e-10);
    near(dyno_normal_quantile(0.025), -1.959963984540054, 1e-11);
    near(dyno_t_quantile(0.975, 1), 12.706204736174698, 1e-8);
    near(dyno_t_quantile(0.975, 4), 2.7764451051977934, 1e-10);
    near(dyno_t_quantile(0.975, 30), 2.0422724563012373, 1e-10);
    near(dyno_t_quantile(0.995, 9), 3.2498355415921254, 1e-10);
    near(dyno_t_quantile(0.975, 1e7), 1.959963984540054, 1e-6);
    near(dyno_t_quantile(0.1, 7), -1.4149239276505095, 1e-10);
}
END_TEST

START_TEST(closed_forms_hold)
{
    const double pi = 3.14159265358979323846;

    near(dyno_lgamma(0.5), 0.5 * log(pi), 1e-13);
    near(dyno_lgamma(11), log(3628800.0), 1e-12);
    near(dyno_lgamma(0.1), 2.252712651734206, 1e-12);
    near(dyno_beta_inc(1, 1, 0.3), 0.3, 1e-14);
    near(dyno_beta_inc(2, 3, 0.4), 0.5248, 1e-13); /* 6x^2 - 8x^3 + 3x^4 */
    for (double t = -4; t <= 4; t += 0.5) {
        near(dyno_t_cdf(t, 1), 0.5 + atan(t) / pi, 1e-12);
        near(dyno_t_cdf(t, 2), 0.5 + t / (2 * sqrt(2 + t * t)), 1e-12);
    }
    near(dyno_binomial_upper(8, 10, 0.5), 56.0 / 1024, 1e-13);
    near(dyno_binomial_upper(0, 10, 0.5), 1, 0);
    near(dyno_binomial_upper(11, 10, 0.5), 0, 0);
    near(dyno_binomial_upper(4, 5, 0.1), 5 * 0.0001 * 0.9 + 0.00001, 1e-15);
}
END_TEST

START_TEST(signs_are_counted)
{
    near(dyno_sign_test(9, 1), 22.0 / 1024, 1e-13);
    near(dyno_sign_test(1, 9), 22.0 / 1024, 1e-13);
    near(dyno_sign_test(5, 5), 1, 0);
    near(dyno_sign_test(0, 0), 1, 0);
}
END_TEST

START_TEST(turned_signs_are_counted)
{
    double all_one_way[16], many[40];

    for (int i = 0; i < 16; i++) {
        all_one_way[i] = 1 + i;
    }
    near(dyno_sign_flip_test(all_one_way, 5, 0, 1), 2.0 / 32, 0);
    near(dyno_sign_flip_test(all_one_way, 16, 0, 1), 2.0 / 65536, 0);
    near(dyno_sign_flip_test((double[]){1, -1}, 2, 0, 1), 1, 0);
    /* 1 + 2 + 4 - 0.5: above it only the sum with 0.5 turned, and both with all turned. */
    near(dyno_sign_flip_test((double[]){1, 2, 4, -0.5}, 4, 0, 1), 4.0 / 16, 0);
    for (int i = 0; i < 40; i++) {
        many[i] = i % 2 ? 1 : -1;
    }
    near(dyno_sign_flip_test(many, 40, 999, 1), 1, 0);
    for (int i = 0; i < 40; i++) {
        many[i] = 1 + i % 3;
    }
    near(dyno_sign_flip_test(many, 40, 999, 1), 1.0 / 1000, 0);
}
END_TEST

START_TEST(holm_scales_by_what_is_left)
{
    const double p[] = {0.01, 0.04, NAN, 0.03, 0.005};
    double adjusted[5];

    dyno_holm(adjusted, p, 5);
    near(adjusted[4], 0.02, 1e-15); /* 4 x 0.005 */
    near(adjusted[0], 0.03, 1e-15); /* 3 x 0.01 */
    near(adjusted[3], 0.06, 1e-15); /* 2 x 0.03 */
    near(adjusted[1], 0.06, 1e-15); /* 1 x 0.04, but not below the one before */
    ck_assert(isnan(adjusted[2]));
    dyno_holm(adjusted, (double[]){0.6, 0.9}, 2);
    near(adjusted[0], 1, 0);
}
END_TEST

/* Cohen, 1988: 34 pairs for half a deviation, 10 for a whole one, at 80 % power. */
START_TEST(replicates_are_those_of_the_tables)
{
    ck_assert_uint_eq(dyno_replicates_needed(0.5, 1), 34);
    ck_assert_uint_eq(dyno_replicates_needed(-1, 1), 10);
    ck_assert_uint_eq(dyno_replicates_needed(0.2, 1), 199);
    ck_assert_uint_eq(dyno_replicates_needed(1, 0), 2);
    ck_assert_uint_eq(dyno_replicates_needed(0, 1), UINT32_MAX);
    ck_assert_uint_eq(dyno_replicates_needed(1e-6, 1), UINT32_MAX);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("distributions");

    tcase_add_test(cases, quantiles_are_those_of_the_tables);
    tcase_add_test(cases, closed_forms_hold);
    tcase_add_test(cases, signs_are_counted);
    tcase_add_test(cases, turned_signs_are_counted);
    tcase_add_test(cases, holm_scales_by_what_is_left);
    tcase_add_test(cases, replicates_are_those_of_the_tables);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("reports/distributions", add_cases)

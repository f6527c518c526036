/* The deterministic mathematics: close to libm everywhere, and the same bits for ever. */
#include "core/base/math.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "tests/check_main.h"

static double worst_error(double worst, double got, double want)
{
    double error = want == 0 ? fabs(got) : fabs(got / want - 1.0);

    return error > worst || isnan(error) ? error : worst;
}

static void fold(uint64_t *hash, double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    for (int i = 0; i < 8; i++) {
        *hash = (*hash ^ (bits & 0xff)) * 0x100000001b3ULL;
        bits >>= 8;
    }
}

/* A dense walk over positive doubles: from `first`, each 2^(1/97) or so larger than the last. */
static double next_scale(double x)
{
    return x * 1.00716;
}

START_TEST(log_is_within_1e_14_of_libm_over_all_doubles)
{
    double worst = 0;

    for (double x = 4.9e-324; x < DBL_MAX / 1.01; x = x < 1e-300 ? x * 1.7 : next_scale(x)) {
        worst = worst_error(worst, dyno_log(x), log(x));
    }
    ck_assert_double_lt(worst, 1e-15);
}
END_TEST

START_TEST(log_near_one_loses_nothing)
{
    double worst = 0;

    for (int i = 1; i < 200000; i++) {
        double above = 1.0 + i * 0x1p-52, below = 1.0 - i * 0x1p-53, wide = 0.5 + i * 1e-5;

        worst = worst_error(worst, dyno_log(above), log(above));
        worst = worst_error(worst, dyno_log(below), log(below));
        worst = worst_error(worst, dyno_log(wide), log(wide));
    }
    ck_assert_double_lt(worst, 1e-15);
    ck_assert_double_eq(dyno_log(1.0), 0.0);
}
END_TEST

START_TEST(exp_is_within_1e_14_of_libm)
{
    double worst = 0;

    for (double x = -708.0; x < 709.7; x += 0.00137) {
        worst = worst_error(worst, dyno_exp(x), exp(x));
    }
    for (double x = 1e-300; x < 1; x = next_scale(x)) {
        worst = worst_error(worst, dyno_exp(x), exp(x));
        worst = worst_error(worst, dyno_exp(-x), exp(-x));
    }
    ck_assert_double_lt(worst, 1e-15);
}
END_TEST

START_TEST(exp_ends_in_zero_and_in_infinity)
{
    ck_assert_double_eq(dyno_exp(0.0), 1.0);
    ck_assert_double_eq(dyno_exp(-745.2), 0.0);
    ck_assert_double_eq(dyno_exp(-1e300), 0.0);
    ck_assert_double_eq(dyno_exp(-745.0), exp(-745.0));
    ck_assert_double_eq(dyno_exp(-720.5), exp(-720.5));
    ck_assert(isinf(dyno_exp(709.79)));
    ck_assert(isinf(dyno_exp(1e300)));
    ck_assert(isfinite(dyno_exp(709.78)));
}
END_TEST

START_TEST(sin_is_within_1e_14_of_libm_up_to_a_million)
{
    double worst = 0;

    for (double x = -1e6; x <= 1e6; x += 0.7313) {
        worst = worst_error(worst, dyno_sin(x), sin(x));
    }
    for (double x = -20; x <= 20; x += 0.00017) {
        worst = worst_error(worst, dyno_sin(x), sin(x));
    }
    ck_assert_double_lt(worst, 1e-15);
}
END_TEST

START_TEST(sin_near_a_multiple_of_pi_keeps_its_digits)
{
    double worst = 0;

    for (int i = 1; i < 318000; i++) {
        double x = i * M_PI;

        worst = worst_error(worst, dyno_sin(x), sin(x));
        worst = worst_error(worst, dyno_sin(x + M_PI_2), sin(x + M_PI_2));
    }
    ck_assert_double_lt(worst, 1e-14);
}
END_TEST

START_TEST(sin_out_of_its_range_is_still_a_number)
{
    ck_assert(fabs(dyno_sin(1e12)) <= 1.0);
    ck_assert(fabs(dyno_sin(1e300)) <= 1.0);
    ck_assert(fabs(dyno_sin(NAN)) <= 1.0);
}
END_TEST

static double worst_pow_error(double worst, double x, double y)
{
    double want = pow(x, y);

    return want < DBL_MIN || want > DBL_MAX ? worst : worst_error(worst, dyno_pow(x, y), want);
}

START_TEST(pow_is_within_1e_14_of_libm)
{
    double worst = 0;

    for (double x = 1e-300; x < 1e300; x *= 1.37) {
        for (double y = -40; y <= 40; y += 0.0713) {
            worst = worst_pow_error(worst, x, y);
        }
    }
    for (double x = 0.9; x < 1.1; x += 0.00037) {
        for (double y = -7000; y <= 7000; y += 37.3) {
            worst = worst_pow_error(worst, x, y);
        }
    }
    ck_assert_double_lt(worst, 1e-14);
}
END_TEST

START_TEST(pow_at_its_ends)
{
    ck_assert_double_eq(dyno_pow(1.0, 1e300), 1.0);
    ck_assert_double_eq(dyno_pow(3.5, 0.0), 1.0);
    ck_assert_double_eq(dyno_pow(0.5, 1e300), 0.0);
    ck_assert(isinf(dyno_pow(2.0, 1e300)));
    ck_assert(isinf(dyno_pow(0.5, -INFINITY)));
    ck_assert_double_eq(dyno_pow(2.0, 10.0), 1024.0);
}
END_TEST

START_TEST(sqrt_is_that_of_the_machine)
{
    double worst = 0;
    int inexact = 0;

    for (double x = 4.9e-324; x < DBL_MAX / 2; x = x < 1e-300 ? x * 1.7 : next_scale(x)) {
        worst = worst_error(worst, dyno_sqrt(x), sqrt(x));
    }
    ck_assert_double_le(worst, DBL_EPSILON);
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t root = i * 671;

        inexact += dyno_sqrt((double)(root * root)) != (double)root;
    }
    ck_assert_int_eq(inexact, 0);
    ck_assert_double_eq(dyno_sqrt(0.0), 0.0);
    ck_assert_double_le(fabs(dyno_sqrt(DBL_MAX) - sqrt(DBL_MAX)), sqrt(DBL_MAX) * DBL_EPSILON);
}
END_TEST

/* Any change of a single bit, from a compiler, a flag or an edit, changes this value; then every
 * recorded result changes with it, which must be meant. */
START_TEST(not_a_single_bit_ever_changes)
{
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (double x = 1e-310; x < 1e300; x *= 1.0173) {
        fold(&hash, dyno_log(x));
        fold(&hash, dyno_sqrt(x));
    }
    for (double x = -750; x < 712; x += 0.0613) {
        fold(&hash, dyno_exp(x));
        fold(&hash, dyno_sin(x * 1300));
        fold(&hash, dyno_pow(1.5 + x / 600, x / 7));
    }
    ck_assert_msg(hash == 0x1f6f6b8f69c3dc11ULL, "the bits now fold to 0x%016llx",
                  (unsigned long long)hash);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("math");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, log_is_within_1e_14_of_libm_over_all_doubles);
    tcase_add_test(tc, log_near_one_loses_nothing);
    tcase_add_test(tc, exp_is_within_1e_14_of_libm);
    tcase_add_test(tc, exp_ends_in_zero_and_in_infinity);
    tcase_add_test(tc, sin_is_within_1e_14_of_libm_up_to_a_million);
    tcase_add_test(tc, sin_near_a_multiple_of_pi_keeps_its_digits);
    tcase_add_test(tc, sin_out_of_its_range_is_still_a_number);
    tcase_add_test(tc, pow_is_within_1e_14_of_libm);
    tcase_add_test(tc, pow_at_its_ends);
    tcase_add_test(tc, sqrt_is_that_of_the_machine);
    tcase_add_test(tc, not_a_single_bit_ever_changes);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("core/base/math", add_cases)

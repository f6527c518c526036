/* Draws of parameters: as wide, and as much together, as a calibration says. */
#include "sim/uncertainty.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/math.h"
#include "tests/check_main.h"

enum { DRAWS = 4000 };

static size_t place_of(const char *name)
{
    size_t place = 0;

    while (strcmp(dyno_timing_rows[place].name, name) != 0) {
        place++;
    }
    return place;
}

static double value_of(const struct dyno_timing_parameters *parameters, size_t place)
{
    double value;

    memcpy(&value, (const char *)parameters + dyno_timing_rows[place].offset, sizeof value);
    return value;
}

static struct dyno_timing_parameters defaults(void)
{
    struct dyno_timing_parameters parameters;

    dyno_timing_defaults(&parameters, dyno_gpu_find("h100"));
    return parameters;
}

/* A server was measured, so that nothing is added to what is stated. */
static void know_server(struct dyno_calibration *calibration)
{
    (void)snprintf(calibration->engine, sizeof calibration->engine, "vllm");
}

/* Deviations of two logarithms, and their correlation, over many draws. */
struct moments {
    double first, second, correlation;
};

static struct moments draw_many(const struct dyno_calibration *calibration, size_t first,
                                size_t second)
{
    struct dyno_timing_parameters middle = defaults();
    double squares[2] = {0}, products = 0;

    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        struct dyno_timing_parameters drawn = middle;
        struct dyno_rng rng;
        double one, two;

        dyno_rng_init(&rng, seed, "draws");
        dyno_timing_draw(&drawn, calibration, &rng);
        one = log(value_of(&drawn, first) / value_of(&middle, first));
        two = log(value_of(&drawn, second) / value_of(&middle, second));
        squares[0] += one * one / DRAWS;
        squares[1] += two * two / DRAWS;
        products += one * two / DRAWS;
    }
    return (struct moments){sqrt(squares[0]), sqrt(squares[1]),
                            products / sqrt(squares[0] * squares[1])};
}

/* A deviation of 4,000 draws is off by 1.1 % of itself, a correlation by less than 0.016: four of
 * those. */
START_TEST(stated_errors_are_what_is_drawn)
{
    size_t host = place_of("host_us"), memory = place_of("gemm_memory_efficiency");
    static struct dyno_calibration calibration;
    struct moments moments;

    know_server(&calibration);
    moments = draw_many(&calibration, host, memory);
    ck_assert_double_eq_tol(moments.first, dyno_timing_spread(&dyno_timing_rows[host]), 0.011);
    ck_assert_double_eq_tol(moments.correlation, 0, 0.064);
    calibration.given[host] = calibration.given[memory] = true;
    calibration.standard_error[host] = 0.1;
    calibration.standard_error[memory] = 0.02;
    calibration.correlation[host][memory] = calibration.correlation[memory][host] = 0.8;
    moments = draw_many(&calibration, host, memory);
    ck_assert_double_eq_tol(moments.first, 0.1, 0.0045);
    ck_assert_double_eq_tol(moments.second, 0.02, 0.0009);
    ck_assert_double_eq_tol(moments.correlation, 0.8, 0.03);
}
END_TEST

/* Errors of kernels are errors of their average: what the formula misses of one model's shapes
 * (products 4 %, attention 6 %) comes to them in squares, and with all of a pass another 4 % that
 * two of its parts share.  A fit to a server has seen that model's shapes.  Tolerances as above. */
START_TEST(kernels_alone_do_not_know_a_server)
{
    size_t memory = place_of("gemm_memory_efficiency");
    size_t decode = place_of("decode_attention_efficiency");
    static struct dyno_calibration calibration;
    struct moments moments;

    calibration.given[memory] = calibration.given[decode] = true;
    calibration.standard_error[memory] = calibration.standard_error[decode] = 0.005;
    ck_assert_double_eq_tol(dyno_timing_deviation(&calibration, memory),
                            sqrt(0.005 * 0.005 + 0.04 * 0.04), 1e-12);
    ck_assert_double_eq_tol(dyno_timing_deviation(&calibration, decode),
                            sqrt(0.005 * 0.005 + 0.06 * 0.06), 1e-12);
    moments = draw_many(&calibration, memory, decode);
    ck_assert_double_eq_tol(moments.first, sqrt(0.005 * 0.005 + 2 * 0.04 * 0.04), 0.0026);
    ck_assert_double_eq_tol(moments.second, sqrt(0.005 * 0.005 + 0.06 * 0.06 + 0.04 * 0.04),
                            0.0033);
    ck_assert_double_eq_tol(moments.correlation, 0.04 * 0.04 / (moments.first * moments.second),
                            0.064);
    ck_assert(dyno_timing_wait_spread(&calibration) > 0);
    know_server(&calibration);
    ck_assert_double_eq(dyno_timing_deviation(&calibration, memory), 0.005);
    moments = draw_many(&calibration, memory, decode);
    ck_assert_double_eq_tol(moments.first, 0.005, 0.00023);
    ck_assert_double_eq_tol(moments.correlation, 0, 0.064);
    ck_assert_double_eq(dyno_timing_wait_spread(&calibration), 0);
}
END_TEST

/* One that is given without a standard error is as uncertain as if it were not given. */
START_TEST(what_is_not_stated_has_the_usual_spread)
{
    size_t host = place_of("host_us");
    static struct dyno_calibration calibration;

    calibration.given[host] = true;
    ck_assert_double_eq(dyno_timing_deviation(&calibration, host),
                        dyno_timing_spread(&dyno_timing_rows[host]));
    calibration.standard_error[host] = 0.03;
    ck_assert_double_eq(dyno_timing_deviation(&calibration, host), 0.03);
    calibration.given[host] = false;
    ck_assert_double_eq(dyno_timing_deviation(&calibration, host),
                        dyno_timing_spread(&dyno_timing_rows[host]));
}
END_TEST

/* Of a known server, the draw of a row of which no error is stated is its own normal number, to the
 * bit. */
START_TEST(independent_draws_are_independent_to_the_bit)
{
    static struct dyno_calibration calibration;
    struct dyno_timing_parameters drawn = defaults(), middle = defaults();
    struct dyno_rng rng, same;

    know_server(&calibration);
    dyno_rng_init(&rng, 7, "draws");
    dyno_rng_init(&same, 7, "draws");
    dyno_timing_draw(&drawn, &calibration, &rng);
    for (size_t i = 0; dyno_timing_rows[i].name; i++) {
        double by = dyno_timing_spread(&dyno_timing_rows[i]) * dyno_rng_normal(&same);
        double expected = value_of(&middle, i) * dyno_exp(by);

        expected = fmin(fmax(expected, dyno_timing_rows[i].min), dyno_timing_rows[i].max);
        if (value_of(&middle, i) > 0) {
            ck_assert_msg(value_of(&drawn, i) == expected, "%s", dyno_timing_rows[i].name);
        }
    }
}
END_TEST

/* Correlations that contradict each other (as rounded ones may) still draw something finite. */
START_TEST(contradictory_correlations_are_survived)
{
    size_t a = place_of("host_us"), b = place_of("gemm_memory_efficiency");
    size_t c = place_of("gemm_flops_efficiency");
    static struct dyno_calibration calibration;
    struct moments moments;

    calibration.correlation[a][b] = calibration.correlation[b][a] = 1;
    calibration.correlation[a][c] = calibration.correlation[c][a] = 1;
    calibration.correlation[b][c] = calibration.correlation[c][b] = -1;
    moments = draw_many(&calibration, a, b);
    ck_assert(isfinite(moments.first) && isfinite(moments.second));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("uncertainty");

    tcase_set_timeout(cases, 120); /* thousands of draws, with sanitizers, beside other tests */
    tcase_add_test(cases, stated_errors_are_what_is_drawn);
    tcase_add_test(cases, kernels_alone_do_not_know_a_server);
    tcase_add_test(cases, what_is_not_stated_has_the_usual_spread);
    tcase_add_test(cases, independent_draws_are_independent_to_the_bit);
    tcase_add_test(cases, contradictory_correlations_are_survived);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("sim/uncertainty", add_cases)

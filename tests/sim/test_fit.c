/* Fitting: what went in comes out, and what the samples do not show is left alone. */
#include "sim/fit.h"

#include <math.h>
#include <string.h>

#include "sim/calibration.h"
#include "sim/simplex.h"
#include "tests/check_main.h"

enum { SAMPLES = 160 };

static struct dyno_timing_config config_of(const char *gpu)
{
    struct dyno_timing_config config = {.model = *dyno_model_find("llama-3.1-8b"),
                                        .gpu = *dyno_gpu_find(gpu),
                                        .tp = 1,
                                        .seqs_max = 1,
                                        .batch_tokens_max = 1};

    dyno_timing_defaults(&config.parameters, &config.gpu);
    return config;
}

static const struct dyno_fitted *find(const struct dyno_fit *fit, const char *name)
{
    for (uint32_t i = 0; i < fit->fitted_count; i++) {
        if (strcmp(fit->fitted[i].row->name, name) == 0) {
            return &fit->fitted[i];
        }
    }
    ck_abort_msg("%s was not looked at", name);
    return NULL;
}

/* GEMMs of many shapes, timed by `truth`, every other one 2 % slower and 2 % faster. */
static void fill_gemms(struct dyno_kernel_sample *samples, const struct dyno_timing_config *truth)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        samples[i] = (struct dyno_kernel_sample){.kernel = DYNO_KERNEL_GEMM,
                                                 .rows = (double)(1 + i * i % 3000),
                                                 .columns = (double)(1024 << (i % 5)),
                                                 .depth = (double)(1024 << (i / 5 % 4))};
        samples[i].us = dyno_kernel_us(truth, &samples[i]) * (i % 2 ? 1.02 : 0.98);
    }
}

/* A bent valley whose bottom is at (1, 2). */
static double valley(const void *context, const double *at)
{
    double along = at[0] - 1, across = at[1] - 2 * at[0] * at[0];

    (void)context;
    return along * along + 10 * across * across;
}

START_TEST(a_simplex_finds_the_bottom)
{
    double at[2] = {-1, 3};
    struct dyno_simplex_problem problem = {.count = 2, .value = valley, .step = 1, .rounds = 300};

    ck_assert_double_lt(dyno_simplex(&problem, at), 1e-12);
    ck_assert_double_eq_tol(at[0], 1, 1e-5);
    ck_assert_double_eq_tol(at[1], 2, 1e-5);
}
END_TEST

START_TEST(what_went_in_comes_out)
{
    struct dyno_timing_config truth = config_of("h100"), start = config_of("h100");
    static struct dyno_kernel_sample samples[SAMPLES];
    static struct dyno_fit fit;
    struct dyno_error error;

    truth.parameters.gemm_flops_efficiency = 0.6;
    truth.parameters.gemm_memory_efficiency = 0.7;
    truth.parameters.gemm_launch_us = 9;
    fill_gemms(samples, &truth);
    ck_assert_int_eq(dyno_fit_kernels(&fit, &start, samples, SAMPLES, &error), DYNO_OK);
    ck_assert_double_eq_tol(fit.parameters.gemm_flops_efficiency, 0.6, 0.02);
    ck_assert_double_eq_tol(fit.parameters.gemm_memory_efficiency, 0.7, 0.03);
    ck_assert_double_eq_tol(fit.parameters.gemm_launch_us, 9, 0.5);
    ck_assert_double_lt(find(&fit, "gemm_launch_us")->standard_error, 0.1);
    ck_assert_double_le(find(&fit, "gemm_launch_us")->error_percent, 2.1);
    /* Nothing was said of attention. */
    ck_assert_double_eq(fit.parameters.attention_launch_us, start.parameters.attention_launch_us);
}
END_TEST

/* One shape, over and over, that only reads: nothing is learnt of operations, tiles and launches.
 */
START_TEST(what_is_not_determined_is_left_out)
{
    struct dyno_timing_config config = config_of("h100");
    static struct dyno_kernel_sample samples[SAMPLES];
    static struct dyno_fit fit;
    struct dyno_error error;
    uint32_t left_out = 0;

    for (size_t i = 0; i < SAMPLES; i++) {
        samples[i] = (struct dyno_kernel_sample){
            .kernel = DYNO_KERNEL_GEMM, .rows = 1, .columns = 4096, .depth = 4096, .us = 20};
    }
    ck_assert_int_eq(dyno_fit_kernels(&fit, &config, samples, SAMPLES, &error), DYNO_OK);
    for (uint32_t i = 0; i < fit.fitted_count; i++) {
        left_out += fit.fitted[i].standard_error < 0;
    }
    ck_assert_uint_ge(left_out, 4);
    ck_assert_double_eq(fit.parameters.gemm_flops_efficiency,
                        config.parameters.gemm_flops_efficiency);
}
END_TEST

START_TEST(a_measurement_that_took_no_time_is_refused)
{
    struct dyno_timing_config config = config_of("h100");
    struct dyno_kernel_sample sample = {.kernel = DYNO_KERNEL_SAMPLER, .rows = 1, .us = 0};
    static struct dyno_fit fit;
    struct dyno_error error;

    ck_assert_int_eq(dyno_fit_kernels(&fit, &config, &sample, 1, &error), DYNO_BAD_INPUT);
    ck_assert_str_eq(error.text, "measurement 1 took 0 us");
}
END_TEST

START_TEST(a_calibration_gives_what_was_fitted_and_no_more)
{
    struct dyno_timing_config truth = config_of("h100"), start = config_of("h100");
    static struct dyno_kernel_sample samples[SAMPLES];
    static struct dyno_calibration calibration;
    static struct dyno_fit fit;
    struct dyno_timing_parameters parameters = config_of("rtx4090").parameters;
    double tile_us = parameters.decode_attention_tile_us;
    struct dyno_error error;

    truth.parameters.gemm_launch_us = 9;
    fill_gemms(samples, &truth);
    ck_assert_int_eq(dyno_fit_kernels(&fit, &start, samples, SAMPLES, &error), DYNO_OK);
    dyno_calibration_fill(&calibration, &fit, samples, SAMPLES);
    dyno_calibration_apply(&calibration, &parameters);
    ck_assert_double_eq_tol(parameters.gemm_launch_us, 9, 0.5);
    ck_assert_double_eq(parameters.decode_attention_tile_us, tile_us);
    ck_assert_double_eq(calibration.ranges[DYNO_AXIS_COLUMNS].min, 1024);
    ck_assert_double_eq(calibration.ranges[DYNO_AXIS_COLUMNS].max, 16384);
    ck_assert(dyno_calibration_is_outside(&calibration, DYNO_AXIS_COLUMNS, 28672));
    ck_assert(!dyno_calibration_is_outside(&calibration, DYNO_AXIS_COLUMNS, 16385));
    ck_assert(!dyno_calibration_is_outside(&calibration, DYNO_AXIS_CONTEXT, 1e9));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("fit");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_simplex_finds_the_bottom);
    tcase_add_test(tc, what_went_in_comes_out);
    tcase_add_test(tc, what_is_not_determined_is_left_out);
    tcase_add_test(tc, a_measurement_that_took_no_time_is_refused);
    tcase_add_test(tc, a_calibration_gives_what_was_fitted_and_no_more);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("sim/fit", add_cases)

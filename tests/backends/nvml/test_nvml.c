/* The management library, real ones being fakes (fake_nvml.c): once one is loaded, the loader has
 * it for whoever asks for libnvidia-ml.so.1. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/nvml/watch.h"
#include "tests/check_main.h"

static dyno_status open_fake(const char *variant, struct dyno_nvml **nvml, struct dyno_error *error)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/nvml_%s/libnvidia-ml.so.1", DYNO_TEST_NVML, variant);
    ck_assert_ptr_nonnull(dlopen(path, RTLD_NOW));
    return dyno_nvml_open(nvml, error);
}

START_TEST(a_gpu_is_described)
{
    struct dyno_nvml *nvml;
    struct dyno_error error;
    const struct dyno_nvml_gpu *gpu;

    ck_assert_int_eq(open_fake("whole", &nvml, &error), DYNO_OK);
    ck_assert_str_eq(dyno_nvml_driver(nvml), "580.1");
    ck_assert_uint_eq(dyno_nvml_cuda_version(nvml), 13010);
    ck_assert_uint_eq(dyno_nvml_gpu_count(nvml), 2);
    gpu = dyno_nvml_gpu(nvml, 1);
    ck_assert_str_eq(gpu->name, "Fake H200");
    ck_assert_str_eq(gpu->uuid, "GPU-1");
    ck_assert_uint_eq(gpu->memory_bytes, 150ULL << 30);
    ck_assert_uint_eq(gpu->capability_major, 9);
    ck_assert_uint_eq(gpu->capability_minor, 0);
    ck_assert_uint_eq(gpu->sm_clock_mhz_max, 1980);
    ck_assert_uint_eq(gpu->memory_clock_mhz_max, 3201);
    ck_assert_double_eq_tol(gpu->power_watts_max, 700, 1e-9);
    ck_assert_uint_eq(gpu->pcie_generation_max, 5);
    ck_assert_uint_eq(gpu->pcie_lanes_max, 16);
    ck_assert_uint_eq(gpu->nvlink_count, 17);
    ck_assert(gpu->is_parted);
    ck_assert(!dyno_nvml_gpu(nvml, 0)->is_parted);
    dyno_nvml_close(nvml);
}
END_TEST

START_TEST(a_look_has_the_units_it_says)
{
    struct dyno_nvml *nvml;
    struct dyno_nvml_state state;
    struct dyno_error error;

    ck_assert_int_eq(open_fake("whole", &nvml, &error), DYNO_OK);
    dyno_nvml_look(nvml, 1, &state);
    ck_assert_double_eq_tol(state.busy, 0.75, 1e-9);
    ck_assert_double_eq_tol(state.memory_busy, 0.5, 1e-9);
    ck_assert_double_eq_tol(state.memory_used_bytes, 2147483648.0, 1);
    ck_assert_double_eq_tol(state.power_watts, 350.5, 1e-9);
    ck_assert_double_eq_tol(state.energy_joules, 5e6, 1e-3);
    ck_assert_double_eq_tol(state.sm_clock_mhz, 1755, 1e-9);
    ck_assert_double_eq_tol(state.memory_clock_mhz, 3201, 1e-9);
    ck_assert_double_eq_tol(state.temperature_celsius, 41, 1e-9);
    ck_assert_double_eq_tol(state.ecc_corrected, 12, 1e-9);
    ck_assert_double_eq_tol(state.ecc_uncorrected, 1, 1e-9);
    ck_assert(state.tells_throttles);
    ck_assert_uint_eq(state.throttles, 1U << DYNO_NVML_POWER_CAP | 1U << DYNO_NVML_HARDWARE |
                                           1U << DYNO_NVML_HARDWARE_THERMAL);
    dyno_nvml_look(nvml, 0, &state); /* it is idle, which is no reason */
    ck_assert(state.tells_throttles);
    ck_assert_uint_eq(state.throttles, 0);
    ck_assert_double_eq_tol(state.ecc_corrected, 0, 1e-9);
    dyno_nvml_close(nvml);
}
END_TEST

/* What one GPU does not tell, another may; what has an older name is found by it. */
START_TEST(every_figure_is_left_out_by_itself)
{
    struct dyno_nvml *nvml;
    struct dyno_nvml_state state;
    struct dyno_error error;

    ck_assert_int_eq(open_fake("between", &nvml, &error), DYNO_OK);
    dyno_nvml_look(nvml, 0, &state);
    ck_assert(isnan(state.ecc_corrected) && isnan(state.ecc_uncorrected));
    ck_assert(state.tells_throttles && state.throttles == 0);
    ck_assert_double_eq_tol(state.power_watts, 350.5, 1e-9);
    dyno_nvml_look(nvml, 1, &state);
    ck_assert_double_eq_tol(state.ecc_corrected, 12, 1e-9);
    ck_assert_uint_eq(state.throttles & 1U << DYNO_NVML_POWER_CAP, 1U << DYNO_NVML_POWER_CAP);
    dyno_nvml_close(nvml);
}
END_TEST

START_TEST(reasons_have_words)
{
    for (uint32_t i = 0; i < DYNO_NVML_THROTTLES; i++) {
        const char *word = dyno_nvml_throttle_word(i);

        ck_assert(word && *word);
        for (uint32_t other = 0; other < i; other++) {
            ck_assert_str_ne(word, dyno_nvml_throttle_word(other));
        }
    }
}
END_TEST

START_TEST(paths_are_the_best_there_are)
{
    struct dyno_nvml *nvml;
    struct dyno_error error;

    ck_assert_int_eq(setenv("FAKE_GPUS", "3", 1), 0);
    ck_assert_int_eq(open_fake("whole", &nvml, &error), DYNO_OK);
    ck_assert_int_eq(dyno_nvml_path(nvml, 0, 1), DYNO_NVML_NVLINK);
    ck_assert_int_eq(dyno_nvml_path(nvml, 1, 0), DYNO_NVML_NVLINK);
    ck_assert_int_eq(dyno_nvml_path(nvml, 0, 2), DYNO_NVML_PCIE);
    ck_assert_int_eq(dyno_nvml_path(nvml, 2, 1), DYNO_NVML_HOST);
    ck_assert_str_eq(dyno_nvml_path_word(DYNO_NVML_HOST), "host");
    dyno_nvml_close(nvml);
}
END_TEST

START_TEST(an_old_driver_tells_less)
{
    struct dyno_nvml *nvml;
    struct dyno_nvml_state state;
    struct dyno_error error;

    ck_assert_int_eq(open_fake("old", &nvml, &error), DYNO_OK);
    ck_assert_str_eq(dyno_nvml_driver(nvml), "");
    ck_assert_uint_eq(dyno_nvml_gpu(nvml, 0)->capability_major, 0);
    ck_assert(isnan(dyno_nvml_gpu(nvml, 0)->power_watts_max));
    ck_assert_uint_eq(dyno_nvml_gpu(nvml, 0)->nvlink_count, 0);
    dyno_nvml_look(nvml, 0, &state);
    ck_assert_double_eq_tol(state.memory_used_bytes, 1073741824.0, 1);
    ck_assert(isnan(state.busy) && isnan(state.memory_busy) && isnan(state.power_watts));
    ck_assert(isnan(state.energy_joules) && isnan(state.sm_clock_mhz));
    ck_assert(isnan(state.temperature_celsius));
    ck_assert(isnan(state.ecc_corrected) && isnan(state.ecc_uncorrected));
    ck_assert(!state.tells_throttles && state.throttles == 0);
    ck_assert_int_eq(dyno_nvml_path(nvml, 0, 1), DYNO_NVML_UNKNOWN);
    dyno_nvml_close(nvml);
}
END_TEST

START_TEST(more_gpus_than_there_is_room_for_are_left_out)
{
    struct dyno_nvml *nvml;
    struct dyno_error error;

    ck_assert_int_eq(setenv("FAKE_GPUS", "1000", 1), 0);
    ck_assert_int_eq(open_fake("whole", &nvml, &error), DYNO_OK);
    ck_assert_uint_eq(dyno_nvml_gpu_count(nvml), 64);
    dyno_nvml_close(nvml);
}
END_TEST

START_TEST(what_does_not_start_says_why)
{
    struct dyno_nvml *nvml = NULL;
    struct dyno_error error;

    ck_assert_int_eq(open_fake("refuses", &nvml, &error), DYNO_IO);
    ck_assert_str_eq(error.text, "the driver does not answer: Driver Not Loaded");
    ck_assert_ptr_null(nvml);
}
END_TEST

START_TEST(another_library_is_refused)
{
    struct dyno_nvml *nvml = NULL;
    struct dyno_error error;

    ck_assert_int_eq(open_fake("other", &nvml, &error), DYNO_NOT_FOUND);
    ck_assert_str_eq(error.text, "libnvidia-ml.so.1 has no nvmlInit_v2");
    ck_assert_ptr_null(nvml);
}
END_TEST

START_TEST(a_watch_has_looked_when_it_is_open)
{
    struct dyno_nvml_watch *watch;
    struct dyno_nvml_state state;
    struct dyno_error error;
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/nvml_whole/libnvidia-ml.so.1", DYNO_TEST_NVML);
    ck_assert_ptr_nonnull(dlopen(path, RTLD_NOW));
    ck_assert_int_eq(dyno_nvml_watch_open(&watch, &error), DYNO_OK);
    ck_assert_uint_eq(dyno_nvml_watch_count(watch), 2);
    ck_assert_str_eq(dyno_nvml_watch_gpu(watch, 1)->uuid, "GPU-1");
    dyno_nvml_watch_latest(watch, 1, &state);
    ck_assert_double_eq_tol(state.temperature_celsius, 41, 1e-9);
    dyno_nvml_watch_close(watch);
}
END_TEST

START_TEST(nothing_is_watched_where_the_driver_does_not_start)
{
    struct dyno_nvml_watch *watch = NULL;
    struct dyno_error error;
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/nvml_refuses/libnvidia-ml.so.1", DYNO_TEST_NVML);
    ck_assert_ptr_nonnull(dlopen(path, RTLD_NOW));
    ck_assert_int_eq(dyno_nvml_watch_open(&watch, &error), DYNO_IO);
    ck_assert_ptr_null(watch);
    dyno_nvml_watch_close(watch);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *nvml = tcase_create("nvml");

    tcase_add_test(nvml, a_gpu_is_described);
    tcase_add_test(nvml, a_look_has_the_units_it_says);
    tcase_add_test(nvml, every_figure_is_left_out_by_itself);
    tcase_add_test(nvml, reasons_have_words);
    tcase_add_test(nvml, paths_are_the_best_there_are);
    tcase_add_test(nvml, an_old_driver_tells_less);
    tcase_add_test(nvml, more_gpus_than_there_is_room_for_are_left_out);
    tcase_add_test(nvml, what_does_not_start_says_why);
    tcase_add_test(nvml, another_library_is_refused);
    tcase_add_test(nvml, a_watch_has_looked_when_it_is_open);
    tcase_add_test(nvml, nothing_is_watched_where_the_driver_does_not_start);
    suite_add_tcase(suite, nvml);
}

DYNO_CHECK_MAIN("nvml", add_cases)

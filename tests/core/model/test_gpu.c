/* GPUs as data: the names users type, and figures that cannot be typing errors. */
#include "core/model/gpu.h"

#include <string.h>

#include "tests/check_main.h"

START_TEST(every_name_of_the_manual_is_found)
{
    static const char *const names[] = {"a100", "h100",    "h100-pcie",    "h200",  "b200",
                                        "l40s", "rtx4090", "rtx-pro-6000", "mi300x"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert_msg(dyno_gpu_find(names[i]), "%s is missing", names[i]);
    }
    ck_assert_ptr_nonnull(dyno_gpu_find("H100"));
    ck_assert_ptr_null(dyno_gpu_find("h1000"));
}
END_TEST

/* Ranges of anything sold as a data-centre or workstation GPU from 2020 to 2025. */
START_TEST(every_figure_is_plausible_and_sourced)
{
    for (const struct dyno_gpu *gpu = dyno_gpu_table; gpu->name[0]; gpu++) {
        double memory = (double)gpu->memory_bytes;

        ck_assert_uint_gt(strlen(gpu->source), 40);
        ck_assert_uint_gt(strlen(gpu->title), 8);
        ck_assert_uint_gt(strlen(gpu->link), 3);
        ck_assert(gpu->flops[DYNO_BF16] >= 1e14 && gpu->flops[DYNO_BF16] <= 3e15);
        ck_assert(gpu->flops[DYNO_FP8] >= gpu->flops[DYNO_BF16]);
        ck_assert(gpu->flops[DYNO_INT4] <= gpu->flops[DYNO_BF16]);
        ck_assert(memory >= 20e9 && memory <= 210e9);
        ck_assert(gpu->memory_bytes_per_s >= 8e11 && gpu->memory_bytes_per_s <= 1e13);
        ck_assert(gpu->pcie_bytes_per_s >= 3e10 && gpu->pcie_bytes_per_s <= 7e10);
        ck_assert(gpu->link_bytes_per_s >= gpu->pcie_bytes_per_s);
        ck_assert(gpu->network_bytes_per_s >= 1e9 && gpu->network_bytes_per_s <= 1e11);
        ck_assert(gpu->watts_max >= 200 && gpu->watts_max <= 1200);
        ck_assert_uint_ge(gpu->multiprocessors, 100);
    }
}
END_TEST

START_TEST(the_data_sheets_figures_of_an_h100)
{
    const struct dyno_gpu *gpu = dyno_gpu_find("h100");

    ck_assert_double_eq(gpu->flops[DYNO_BF16], 989.4e12);
    ck_assert_double_eq(gpu->memory_bytes_per_s, 3.35e12);
    ck_assert_double_eq(gpu->link_bytes_per_s, 450e9);
    ck_assert_uint_eq(gpu->memory_bytes, UINT64_C(81090) * 1024 * 1024);
    ck_assert_uint_eq(gpu->multiprocessors, 132);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("gpu");

    tcase_add_test(tc, every_name_of_the_manual_is_found);
    tcase_add_test(tc, every_figure_is_plausible_and_sourced);
    tcase_add_test(tc, the_data_sheets_figures_of_an_h100);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("core/model/gpu", add_cases)

/* KV blocks: the accounting by hand, against a recorded start of vLLM, and refusals with sums. */
#include "sim/timing.h"

#include <math.h>
#include <string.h>

#include "tests/check_main.h"

static struct dyno_timing_config config_of(const char *model, const char *gpu, uint32_t tp)
{
    struct dyno_timing_config config = {
        .model = *dyno_model_find(model),
        .gpu = *dyno_gpu_find(gpu),
        .tp = tp,
        .seqs_max = 256,
        .batch_tokens_max = 2048,
    };

    dyno_timing_defaults(&config.parameters, &config.gpu);
    return config;
}

static uint32_t blocks_of(const struct dyno_timing_config *config)
{
    struct dyno_error error = {0};
    uint32_t blocks = 0;

    ck_assert_msg(dyno_timing_kv_blocks(config, 0.9, 16, &blocks, &error) == DYNO_OK, "%s",
                  error.text);
    return blocks;
}

static void assert_refused(const struct dyno_timing_config *config, const char *part)
{
    struct dyno_error error = {0};
    uint32_t blocks = 7;

    ck_assert_int_eq(dyno_timing_kv_blocks(config, 0.9, 16, &blocks, &error), DYNO_BAD_INPUT);
    ck_assert_uint_eq(blocks, 7);
    ck_assert_msg(strstr(error.text, part), "'%s' lacks '%s'", error.text, part);
}

/* Llama-3.1-8B on an RTX 4090: 0.9 x 25,250,627,584 = 22,725,564,825.6 usable; weights
 * 16,060,522,496; activations 2048 x 2 x (4 x 4096 + 3 x 14336) = 243,269,632 and logits 256 x
 * 128256 x 10 = 328,335,360; overhead 640 MiB = 671,088,640.  Left 5,422,348,697.6 / (16 x 131,072)
 * = 2585.6.  vLLM 0.19 found 2,588 with the same settings. */
START_TEST(the_rtx_4090_of_a_recorded_run_by_hand)
{
    struct dyno_timing_config config = config_of("llama-3.1-8b", "rtx4090", 1);

    ck_assert_uint_eq(dyno_timing_activation_bytes(&config), 243269632 + 328335360);
    ck_assert_uint_eq(blocks_of(&config), 2585);
    ck_assert_double_le(blocks_of(&config), 2588 * 1.03);
    ck_assert_double_ge(blocks_of(&config), 2588 * 0.97);
}
END_TEST

/* A whole token of KV less: fp8 KV doubles the blocks, up to rounding. */
START_TEST(fp8_kv_doubles_the_blocks)
{
    struct dyno_timing_config config = config_of("llama-3.1-8b", "rtx4090", 1);

    config.kv = DYNO_FP8;
    ck_assert_uint_eq(blocks_of(&config), 5171);
}
END_TEST

/* 80 layers, 8 kv heads over 4 GPUs: a block is 16 x 2 x 80 x 2 x 128 x 2 = 1,310,720 bytes on
 * each; usable 0.9 x 81,090 MiB = 76,526,125,056; weights 2 x (80 x (8192 x 128 x (16 + 4) + 2048 x
 * 8192 + 3 x 8192 x 7168) + 2 x 32064 x 8192 + 161 x 8192) = 35,278,831,616; activations 2048 x 2 x
 * (4 x 8192 + 3 x 7168) + 256 x 128256 x 10 = 550,633,472; overhead (640 + 1024) MiB =
 * 1,744,830,464. Left 38,951,829,504 / 1,310,720 = 29,717.8. */
START_TEST(four_h100_share_a_70b_by_hand)
{
    struct dyno_timing_config config = config_of("llama-3.1-70b", "h100", 4);

    ck_assert_uint_eq(blocks_of(&config), 29717);
}
END_TEST

START_TEST(a_model_that_does_not_fit_is_refused_with_the_sum)
{
    struct dyno_timing_config config = config_of("llama-3.1-70b", "h100", 1);

    assert_refused(&config,
                   "llama-3.1-70b (bf16, tp 1) does not fit on h100: weights 131.42 GiB + "
                   "activations 0.76 GiB + overhead 0.62 GiB + one KV block 0.005 GiB > "
                   "71.27 GiB (0.90 of 79.19 GiB); it would fit with tp 2, or with fp8 weights");
}
END_TEST

START_TEST(a_model_too_large_for_any_of_these_gpus_says_so)
{
    struct dyno_timing_config config = config_of("llama-3.1-405b", "rtx4090", 1);

    assert_refused(&config, "it would fit with tp 64");
    config.gpu.memory_bytes = 1 << 30;
    assert_refused(&config, "no number of these GPUs up to 64 and no narrower weights would do");
}
END_TEST

START_TEST(a_measured_activation_peak_replaces_the_derived_one)
{
    struct dyno_timing_config config = config_of("llama-3.1-8b", "rtx4090", 1);

    config.parameters.activation_bytes_per_token = 1000;
    ck_assert_uint_eq(dyno_timing_activation_bytes(&config), 2048 * 1000 + 328335360);
}
END_TEST

/* Every model on every GPU, on as few as hold it with room for 100 blocks. */
static struct dyno_timing_config that_fits(const struct dyno_model *model,
                                           const struct dyno_gpu *gpu)
{
    struct dyno_timing_config config = config_of(model->name, gpu->name, 1);
    struct dyno_error error;
    uint32_t blocks = 0;

    while ((dyno_timing_kv_blocks(&config, 0.9, 16, &blocks, &error) != DYNO_OK || blocks < 100) &&
           model->heads % (2 * config.tp) == 0) {
        config.tp *= 2;
    }
    return config;
}

static double block_bytes(const struct dyno_timing_config *config)
{
    return 16.0 *
           (double)dyno_model_kv_bytes_per_token_per_gpu(&config->model, config->kv, config->tp);
}

static uint32_t blocks_at(const struct dyno_timing_config *config, double utilization,
                          uint32_t block_tokens)
{
    struct dyno_error error;
    uint32_t blocks = 0;

    ck_assert_msg(dyno_timing_kv_blocks(config, utilization, block_tokens, &blocks, &error) ==
                      DYNO_OK,
                  "%s", error.text);
    return blocks;
}

/* All that is set aside fits; a twentieth of the memory more is so many blocks more; blocks of 32
 * tokens are half as many, of fp8 twice; passes of more tokens, or sequences, leave fewer. */
START_TEST(blocks_are_what_memory_leaves_on_any_gpu)
{
    const struct dyno_model *model = &dyno_model_table[_i];

    for (const struct dyno_gpu *gpu = dyno_gpu_table; gpu->name[0]; gpu++) {
        struct dyno_timing_config config = that_fits(model, gpu), other = config;
        double weights =
            (double)dyno_model_weight_bytes_per_gpu(&config.model, config.weights, config.tp);
        double memory = (double)config.gpu.memory_bytes, size = block_bytes(&config);
        uint32_t blocks = blocks_of(&config);
        double used = weights + blocks * size + (double)dyno_timing_activation_bytes(&config);

        ck_assert_double_le(used, 0.9 * memory);
        ck_assert_double_gt(used + 3e9, 0.9 * memory); /* the overhead is 1.7 GB at most */
        ck_assert_double_eq_tol(blocks_at(&config, 0.95, 16) - (double)blocks, 0.05 * memory / size,
                                1.001);
        ck_assert_double_eq_tol(blocks_at(&config, 0.9, 32), blocks / 2.0, 1.001);
        other.kv = DYNO_FP8;
        ck_assert_double_eq_tol(blocks_of(&other), 2.0 * blocks, 2.001);
        other = config;
        other.batch_tokens_max += 64;
        ck_assert_uint_le(blocks_of(&other), blocks);
        other.seqs_max += 64;
        ck_assert_uint_le(blocks_of(&other), blocks);
    }
}
END_TEST

START_TEST(utilization_must_be_a_share)
{
    static const double wrong[] = {0, -0.5, 1.5, NAN};
    struct dyno_timing_config config = config_of("llama-3.1-8b", "h100", 1);
    struct dyno_error error;
    uint32_t blocks;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_int_eq(dyno_timing_kv_blocks(&config, wrong[i], 16, &blocks, &error),
                         DYNO_BAD_INPUT);
    }
    ck_assert_int_eq(dyno_timing_kv_blocks(&config, 0.9, 0, &blocks, &error), DYNO_BAD_INPUT);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("timing memory");
    int models = 0;

    while (dyno_model_table[models].name[0]) {
        models++;
    }

    tcase_add_test(tc, the_rtx_4090_of_a_recorded_run_by_hand);
    tcase_add_test(tc, fp8_kv_doubles_the_blocks);
    tcase_add_test(tc, four_h100_share_a_70b_by_hand);
    tcase_add_test(tc, a_model_that_does_not_fit_is_refused_with_the_sum);
    tcase_add_test(tc, a_model_too_large_for_any_of_these_gpus_says_so);
    tcase_add_test(tc, a_measured_activation_peak_replaces_the_derived_one);
    tcase_add_loop_test(tc, blocks_are_what_memory_leaves_on_any_gpu, 0, models);
    tcase_add_test(tc, utilization_must_be_a_share);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("sim/timing memory", add_cases)

/* KV blocks: each engine's accounting by hand, against recorded starts, and refusals with sums. */
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

    ck_assert_msg(dyno_timing_kv_blocks(config, "vllm", 0.9, 16, &blocks, &error) == DYNO_OK, "%s",
                  error.text);
    return blocks;
}

static void assert_refused(const struct dyno_timing_config *config, const char *part)
{
    struct dyno_error error = {0};
    uint32_t blocks = 7;

    ck_assert_int_eq(dyno_timing_kv_blocks(config, "vllm", 0.9, 16, &blocks, &error),
                     DYNO_BAD_INPUT);
    ck_assert_uint_eq(blocks, 7);
    ck_assert_msg(strstr(error.text, part), "'%s' lacks '%s'", error.text, part);
}

/* Llama-3.1-8B on an RTX 4090: 0.9 x 25,250,627,584 = 22,725,564,825.6 usable; weights
 * 16,060,522,496; a pass 2048 x 2 x (4 x 4096 + 3 x 14336) = 243,269,632, sampling 2048 x 4096 x 2
 * + 256 x 128256 x 14.5 = 492,863,488, which is more; overhead 677 MiB and 131072 x 128 x 2 of
 * rotary angles = 743,440,384.  Left 5,428,738,457.6 / (16 x 131,072) = 2588.6.  vLLM 0.19 found
 * 2,588 with the same settings. */
START_TEST(the_rtx_4090_of_a_recorded_run_by_hand)
{
    struct dyno_timing_config config = config_of("llama-3.1-8b", "rtx4090", 1);

    ck_assert_uint_eq(dyno_timing_activation_bytes(&config), 492863488);
    ck_assert_uint_eq(blocks_of(&config), 2588);
    ck_assert_double_le(blocks_of(&config), 2588 * 1.03);
    ck_assert_double_ge(blocks_of(&config), 2588 * 0.97);
}
END_TEST

/* A whole token of KV less: fp8 KV doubles the blocks, up to rounding. */
START_TEST(fp8_kv_doubles_the_blocks)
{
    struct dyno_timing_config config = config_of("llama-3.1-8b", "rtx4090", 1);

    config.kv = DYNO_FP8;
    ck_assert_uint_eq(blocks_of(&config), 5177);
}
END_TEST

/* 80 layers, 8 kv heads over 4 GPUs: a block is 16 x 2 x 80 x 2 x 128 x 2 = 1,310,720 bytes on
 * each; usable 0.9 x 81,090 MiB = 76,526,125,056; weights 2 x (80 x (8192 x 128 x (16 + 4) + 2048 x
 * 8192 + 3 x 8192 x 7168) + 2 x 32064 x 8192 + 161 x 8192) = 35,278,831,616; a pass 2048 x 2 x
 * (4 x 8192 + 3 x 7168) = 222,298,112, sampling 2048 x 8192 x 2 + 256 x 128256 x 14.5 =
 * 509,640,704; overhead (304 + 1900) MiB and 131072 x 128 x 2 = 2,344,615,936.  Left 38,393,036,800
 * / 1,310,720 = 29,291.6. */
START_TEST(four_h100_share_a_70b_by_hand)
{
    struct dyno_timing_config config = config_of("llama-3.1-70b", "h100", 4);

    ck_assert_uint_eq(blocks_of(&config), 29291);
}
END_TEST

START_TEST(a_model_that_does_not_fit_is_refused_with_the_sum)
{
    struct dyno_timing_config config = config_of("llama-3.1-70b", "h100", 1);

    assert_refused(&config,
                   "llama-3.1-70b (bf16, tp 1) does not fit on h100: weights 131.42 GiB + "
                   "activations 0.47 GiB + overhead 0.33 GiB + one KV block 0.005 GiB > "
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

    config.parameters.activation_bytes_per_token = 1e6;
    ck_assert_uint_eq(dyno_timing_activation_bytes(&config), 2048000000);
    config.parameters.activation_bytes_per_token = 1000; /* below what sampling takes */
    ck_assert_uint_eq(dyno_timing_activation_bytes(&config), 492863488);
}
END_TEST

/* A pass of Mixtral over two GPUs: sampling 2048 x 4096 x 2 + 256 x 32000 x 14.5 = 135,561,216 is
 * more than 2048 x 2 x 4 x 4096 = 67,108,864; its experts keep 2048 x 2 x 2 x (2 x 7168 + 7168) =
 * 176,160,768, and where they are spread, 2048 x 2 x 2 x (2 x 14336 + 14336) = 352,321,536. */
START_TEST(experts_keep_their_buffers)
{
    struct dyno_timing_config config = config_of("mixtral-8x7b", "h100", 2);

    ck_assert_uint_eq(dyno_timing_activation_bytes(&config), 135561216 + 176160768);
    config.expert_parallel = true;
    ck_assert_uint_eq(dyno_timing_activation_bytes(&config), 135561216 + 352321536);
}
END_TEST

/* What vLLM logged at its start, on servers that nothing was fitted to but for the overheads; the
 * sources are in docs/published/kv_blocks.csv, with more that need a config.json.  Host vllm is
 * 0.19, vllm-sync an earlier one, whose sampler still sorted. */
static const struct logged {
    const char *model, *gpu;
    uint32_t tp, seqs, tokens;
    enum dyno_dtype weights;
    double utilization, gib; /* for keys and values, on each GPU */
    const char *host;
    double within;
} logs[] = {
    {"llama-3.1-8b", "h100", 1, 1024, 8192, DYNO_BF16, 0.95, 58.11, "vllm", 0.005},
    {"llama-3.1-8b", "h100", 2, 1024, 8192, DYNO_BF16, 0.95, 63.76, "vllm", 0.005},
    {"llama-3.1-8b", "h100", 4, 1024, 8192, DYNO_BF16, 0.95, 67.44, "vllm", 0.005},
    {"llama-3.1-8b", "h100", 1, 1024, 8192, DYNO_FP8, 0.95, 64.61, "vllm", 0.005},
    {"llama-3.1-70b", "h100", 2, 1024, 8192, DYNO_FP8, 0.95, 37.27, "vllm", 0.005},
    {"llama-3.1-70b", "h100", 4, 1024, 8192, DYNO_FP8, 0.95, 54.05, "vllm", 0.005},
    {"qwen3-8b", "h100", 1, 1024, 8192, DYNO_BF16, 0.95, 57.50, "vllm", 0.005},
    {"mixtral-8x7b", "h100", 2, 1024, 8192, DYNO_BF16, 0.95, 28.44, "vllm", 0.005},
    {"llama-3.1-8b", "h100", 1, 1024, 8192, DYNO_BF16, 0.9, 51.38, "vllm-sync", 0.01},
    {"llama-3.1-70b", "h100", 2, 1024, 8192, DYNO_FP8, 0.9, 32.00, "vllm-sync", 0.01},
    {"qwen3-0.6b", "h100", 1, 1024, 8192, DYNO_BF16, 0.9, 64.45, "vllm-sync", 0.01},
};

START_TEST(blocks_are_what_servers_logged)
{
    const struct logged *log = &logs[_i];
    struct dyno_timing_config config = config_of(log->model, log->gpu, log->tp);
    struct dyno_error error = {0};
    uint32_t blocks = 0;
    double gib;

    config.weights = log->weights;
    config.seqs_max = log->seqs;
    config.batch_tokens_max = log->tokens;
    dyno_timing_use_host(&config.parameters, log->host);
    ck_assert_msg(dyno_timing_kv_blocks(&config, "vllm", log->utilization, 16, &blocks, &error) ==
                      DYNO_OK,
                  "%s", error.text);
    gib = blocks * 16.0 *
          (double)dyno_model_kv_bytes_per_token_per_gpu(&config.model, config.kv, config.tp) /
          (double)(1 << 30);
    ck_assert_msg(fabs(gib / log->gib - 1) <= log->within, "%s tp %u: %.2f GiB, logged %.2f",
                  log->model, log->tp, gib, log->gib);
}
END_TEST

/* Every model on every GPU, on as few as hold it with room for 100 blocks. */
static struct dyno_timing_config that_fits(const struct dyno_model *model,
                                           const struct dyno_gpu *gpu)
{
    struct dyno_timing_config config = config_of(model->name, gpu->name, 1);
    struct dyno_error error;
    uint32_t blocks = 0;

    while ((dyno_timing_kv_blocks(&config, "vllm", 0.9, 16, &blocks, &error) != DYNO_OK ||
            blocks < 100) &&
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

    ck_assert_msg(dyno_timing_kv_blocks(config, "vllm", utilization, block_tokens, &blocks,
                                        &error) == DYNO_OK,
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
        ck_assert_double_gt(used + 3e9, 0.9 * memory); /* the overhead is 2.4 GB at most */
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

static struct dyno_timing_config config_under(const char *engine, const char *model,
                                              const char *gpu, uint32_t tp)
{
    struct dyno_timing_config config = config_of(model, gpu, tp);

    dyno_timing_use_host(&config.parameters, engine);
    return config;
}

/* ---- SGLang ---------------------------------------------------------------------------------- */

static double sglang_share(const char *gpu, uint32_t tp, uint32_t tokens)
{
    struct dyno_timing_config config = config_under("sglang", "llama-3.1-8b", gpu, tp);

    config.batch_tokens_max = tokens;
    return dyno_timing_memory_share(&config, "sglang");
}

static uint32_t sglang_tokens(const struct dyno_timing_config *config, double share)
{
    struct dyno_error error = {0};
    uint32_t blocks = 0;

    ck_assert_msg(dyno_timing_kv_blocks(config, "sglang", share, 1, &blocks, &error) == DYNO_OK,
                  "%s", error.text);
    return blocks;
}

/* In MiB: 512 + 1.5 x tokens + 2 x sequences of the largest graph + 128 x tp, of 512 more than CUDA
 * reports.  H100: 512 + 12,288 + 512 + 128 = 13,440 of 81,602 are 0.1647; 4 of them: 512 + 12,288 +
 * 1,024 + 512 = 14,336, 0.1757.  L40S: 512 + 6,144 + 64 + 128 = 6,848 of 45,969, 0.1490 (a log of
 * SGLang 0.5.5 has mem_fraction_static=0.851).  RTX 4090: 512 + 3,072 + 48 + 128 = 3,760 of
 * 24,592.9, 0.1529.  B200: 512 + 24,576 + 1,024 + 128 = 26,240 of 183,142, 0.1433.  H200 with short
 * passes: 512 + 3,072 + 512 + 128 is less than 10,240, of 143,667 0.0713. */
START_TEST(the_share_of_sglang_by_hand)
{
    ck_assert_double_eq(sglang_share("h100", 1, 8192), 0.835);
    ck_assert_double_eq(sglang_share("h100", 4, 8192), 0.824);
    ck_assert_double_eq(sglang_share("l40s", 1, 4096), 0.851);
    ck_assert_double_eq(sglang_share("rtx4090", 1, 2048), 0.847);
    ck_assert_double_eq(sglang_share("rtx4090", 1, 512), 0.847); /* 2,048 at least */
    ck_assert_double_eq(sglang_share("b200", 1, 16384), 0.857);
    ck_assert_double_eq(sglang_share("h200", 1, 2048), 0.929);
}
END_TEST

START_TEST(a_gpu_too_small_for_sglang_has_a_share_nevertheless)
{
    struct dyno_timing_config config = config_under("sglang", "qwen3-0.6b", "rtx4090", 1);
    struct dyno_error error;
    uint32_t blocks;

    config.gpu.memory_bytes = (uint64_t)2 << 30;
    ck_assert_double_eq(dyno_timing_memory_share(&config, "sglang"), 0.01);
    ck_assert_int_eq(dyno_timing_kv_blocks(&config, "sglang", 0.01, 1, &blocks, &error),
                     DYNO_BAD_INPUT);
}
END_TEST

/* Llama-3.1-8B on an H100, mem_fraction_static 0.88: 0.88 x (85,029,027,840 - 671,088,640) -
 * (16,060,522,496 + 157,286,400) = 58,017,177,600, by 131,072 442,635.9.  SGLang 0.4.4 found
 * 442,750.  With its share of today 0.835: 54,221,070,336, 413,673.9. */
START_TEST(sglang_on_an_h100_by_hand)
{
    struct dyno_timing_config config = config_under("sglang", "llama-3.1-8b", "h100", 1);

    config.batch_tokens_max = 8192;
    ck_assert_uint_eq(sglang_tokens(&config, 0.88), 442635);
    ck_assert_uint_eq(sglang_tokens(&config, 0.835), 413673);
    config.seqs_max = 1024; /* none of them is set aside for */
    ck_assert_uint_eq(sglang_tokens(&config, 0.835), 413673);
}
END_TEST

/* Qwen3-235B-A22B in fp8 on 4 H100, 0.93: 0.93 x (85,029,027,840 - 671,088,640 - 1,073,741,824) -
 * (59,172,215,808 + 157,286,400) = 18,124,801,351, by 94 x 2 x 128 x 2 = 48,128 376,595.8.  SGLang
 * found 367,404. */
START_TEST(sglang_on_four_h100_is_near_what_was_recorded)
{
    struct dyno_timing_config config = config_under("sglang", "qwen3-235b-a22b", "h100", 4);

    config.weights = DYNO_FP8;
    ck_assert_uint_eq(sglang_tokens(&config, 0.93), 376595);
    ck_assert_double_le(sglang_tokens(&config, 0.93), 367404 * 1.03);
}
END_TEST

/* A GiB more before, 0.8 of it for blocks of 2 x 32 x 2 x 128 x 2 = 32,768 bytes: 26,214.4. */
START_TEST(buffers_of_communication_over_pcie_come_after_sglang_has_counted)
{
    struct dyno_timing_config config = config_under("sglang", "llama-3.1-8b", "rtx4090", 4);
    uint32_t tokens = sglang_tokens(&config, 0.8);

    config.gpu.link_bytes_per_s = 2 * config.gpu.pcie_bytes_per_s;
    ck_assert_double_eq_tol((double)tokens - sglang_tokens(&config, 0.8), 26214.4, 1);
}
END_TEST

/* ---- TensorRT-LLM ---------------------------------------------------------------------------- */

static uint32_t trtllm_blocks(struct dyno_timing_config *config)
{
    double share = dyno_timing_memory_share(config, "trtllm");
    struct dyno_error error = {0};
    uint32_t blocks = 0;

    config->batch_tokens_max = 8192;
    config->seqs_max = 2048;
    ck_assert_double_eq(share, 0.9);
    ck_assert_msg(dyno_timing_kv_blocks(config, "trtllm", share, 32, &blocks, &error) == DYNO_OK,
                  "%s", error.text);
    return blocks;
}

/* Qwen3-0.6B on an H100: weights 1,192,099,840; activations 8192 x 2 x (4 x 1024 + 3 x 3072) =
 * 218,103,808; overhead (640 + 960) MiB = 1,677,721,600.  0.9 x (85,029,027,840 - all that) =
 * 73,746,992,332.8, by 32 x 28 x 2 x 8 x 128 x 2 = 3,670,016 20,094.5.  TensorRT-LLM 1.2.1 had
 * 643,136 tokens, 20,098 blocks. */
START_TEST(trtllm_on_an_h100_by_hand)
{
    struct dyno_timing_config config = config_under("trtllm", "qwen3-0.6b", "h100", 1);

    ck_assert_uint_eq(trtllm_blocks(&config), 20094);
    ck_assert_double_ge(trtllm_blocks(&config), 20098 * 0.97);
}
END_TEST

/* As above for vLLM, with passes of 8,192 tokens: 0.9 x (85,029,027,840 - 35,278,831,616 - 8192 x 2
 * x (4 x 8192 + 3 x 7168) = 889,192,448 - (640 + 960 + 1024) MiB = 2,751,463,424) =
 * 41,498,586,316.8, by 2,621,440 15,830.5.  vLLM's sum, with its logits of 2,048 sequences, would
 * leave 13,336. */
START_TEST(four_h100_share_a_70b_under_trtllm_by_hand)
{
    struct dyno_timing_config config = config_under("trtllm", "llama-3.1-70b", "h100", 4);

    ck_assert_uint_eq(trtllm_blocks(&config), 15830);
    dyno_timing_use_host(&config.parameters, "vllm");
    ck_assert_uint_eq(blocks_at(&config, 0.9, 32), 13336);
}
END_TEST

/* ---- all ------------------------------------------------------------------------------------- */

static void assert_refused_by(const char *engine, uint32_t block_tokens, const char *text)
{
    struct dyno_timing_config config = config_under(engine, "llama-3.1-70b", "h100", 1);
    struct dyno_error error = {0};
    uint32_t blocks = 7;

    ck_assert_int_eq(dyno_timing_kv_blocks(&config, engine,
                                           dyno_timing_memory_share(&config, engine), block_tokens,
                                           &blocks, &error),
                     DYNO_BAD_INPUT);
    ck_assert_uint_eq(blocks, 7);
    ck_assert_str_eq(error.text, text);
}

START_TEST(each_engine_refuses_with_its_own_sum)
{
    assert_refused_by("sglang", 1,
                      "llama-3.1-70b (bf16, tp 1) does not fit on h100: loaded weights 131.56 GiB "
                      "+ one KV block 320.0 KiB > 68.74 GiB (mem_fraction_static 0.875 of the "
                      "78.56 GiB that an overhead of 0.62 GiB leaves of 79.19 GiB); it would fit "
                      "with tp 2, or with fp8 weights");
    assert_refused_by("trtllm", 32,
                      "llama-3.1-70b (bf16, tp 1) does not fit on h100: weights 131.42 GiB + "
                      "activations 0.45 GiB + overhead 1.56 GiB + one KV block 0.010 GiB / 0.90 "
                      "(free_gpu_memory_fraction) > 79.19 GiB; it would fit with tp 2, or with fp8 "
                      "weights");
}
END_TEST

START_TEST(utilization_must_be_a_share)
{
    static const double wrong[] = {0, -0.5, 1.5, NAN};
    struct dyno_timing_config config = config_of("llama-3.1-8b", "h100", 1);
    struct dyno_error error;
    uint32_t blocks;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_int_eq(dyno_timing_kv_blocks(&config, "vllm", wrong[i], 16, &blocks, &error),
                         DYNO_BAD_INPUT);
    }
    ck_assert_int_eq(dyno_timing_kv_blocks(&config, "vllm", 0.9, 0, &blocks, &error),
                     DYNO_BAD_INPUT);
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
    tcase_add_test(tc, experts_keep_their_buffers);
    tcase_add_loop_test(tc, blocks_are_what_servers_logged, 0, (int)(sizeof logs / sizeof logs[0]));
    tcase_add_loop_test(tc, blocks_are_what_memory_leaves_on_any_gpu, 0, models);
    tcase_add_test(tc, the_share_of_sglang_by_hand);
    tcase_add_test(tc, a_gpu_too_small_for_sglang_has_a_share_nevertheless);
    tcase_add_test(tc, sglang_on_an_h100_by_hand);
    tcase_add_test(tc, sglang_on_four_h100_is_near_what_was_recorded);
    tcase_add_test(tc, buffers_of_communication_over_pcie_come_after_sglang_has_counted);
    tcase_add_test(tc, trtllm_on_an_h100_by_hand);
    tcase_add_test(tc, four_h100_share_a_70b_under_trtllm_by_hand);
    tcase_add_test(tc, each_engine_refuses_with_its_own_sum);
    tcase_add_test(tc, utilization_must_be_a_share);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("sim/timing memory", add_cases)

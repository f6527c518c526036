/* Passes that run as captured graphs: the sizes of each engine, and what is computed for nothing.
 */
#include <string.h>

#include "sim/timing.h"
#include "tests/check_main.h"

static struct dyno_timing_config config_of(const char *engine, const char *gpu, uint32_t tp,
                                           uint32_t seqs_max)
{
    struct dyno_timing_config config = {.model = *dyno_model_find("llama-3.1-8b"),
                                        .gpu = *dyno_gpu_find(gpu),
                                        .tp = tp,
                                        .seqs_max = seqs_max,
                                        .batch_tokens_max = 8192};

    dyno_timing_defaults(&config.parameters, &config.gpu);
    dyno_timing_use_graphs(&config, engine);
    return config;
}

static void check_sizes(const struct dyno_timing_config *config, const uint32_t (*sizes)[2])
{
    for (; (*sizes)[0] > 0; sizes++) {
        ck_assert_msg(dyno_graph_tokens(&config->graphs, (*sizes)[0]) == (*sizes)[1],
                      "%u tokens run as %u", (*sizes)[0],
                      (unsigned)dyno_graph_tokens(&config->graphs, (*sizes)[0]));
    }
}

/* 1, 2, 4, every 8 to 256, every 16 to twice the sequences and 512 at most. */
START_TEST(vllm_captures_its_sizes)
{
    struct dyno_timing_config many = config_of("vllm", "h100", 1, 256);
    struct dyno_timing_config few = config_of("vllm", "h100", 1, 20);

    check_sizes(&many, (const uint32_t[][2]){{1, 1},
                                             {2, 2},
                                             {3, 4},
                                             {5, 8},
                                             {9, 16},
                                             {249, 256},
                                             {257, 272},
                                             {497, 512},
                                             {512, 512},
                                             {513, 513},
                                             {0, 0}});
    check_sizes(&few, (const uint32_t[][2]){{33, 40}, {40, 40}, {41, 41}, {0, 0}});
}
END_TEST

/* 1, 2, 4, 8, 12, every 8 to 256, 16 to 512; on 80 GB to 256 or, with tp of 4, 512; on 24 to 24. */
START_TEST(sglang_captures_its_sizes)
{
    struct dyno_timing_config wide = config_of("sglang", "h100", 4, 1024);
    struct dyno_timing_config narrow = config_of("sglang", "h100", 1, 1024);
    struct dyno_timing_config small = config_of("sglang", "rtx4090", 1, 1024);

    check_sizes(&wide, (const uint32_t[][2]){
                           {3, 4}, {9, 12}, {13, 16}, {17, 24}, {257, 272}, {500, 512}, {0, 0}});
    check_sizes(&narrow, (const uint32_t[][2]){{255, 256}, {257, 257}, {0, 0}});
    check_sizes(&small, (const uint32_t[][2]){{9, 12}, {23, 24}, {25, 25}, {0, 0}});
}
END_TEST

START_TEST(trtllm_does_not_pad)
{
    struct dyno_timing_config config = config_of("trtllm", "h100", 1, 2048);

    check_sizes(&config, (const uint32_t[][2]){{3, 3}, {9, 9}, {257, 257}, {0, 0}});
}
END_TEST

static struct dyno_timing_parts parts_of(const struct dyno_timing_config *config,
                                         const struct dyno_pass *pass, double *cost_us)
{
    struct dyno_timing_parts parts;
    struct dyno_pass_cost cost;
    struct dyno_timing *timing;
    struct dyno_error error;

    ck_assert_int_eq(dyno_timing_open(&timing, config, &error), DYNO_OK);
    dyno_timing_explain(timing, pass, &parts);
    dyno_timing_cost(timing, pass, &cost);
    *cost_us = (double)cost.first / (double)DYNO_TICKS_PER_NS / 1000;
    dyno_timing_close(timing);
    return parts;
}

/* Nine sequences run as sixteen in vLLM: matrices, norms and collectives are computed for sixteen,
 * attention, logits and the host's work for nine. */
START_TEST(a_graph_computes_what_it_was_captured_for)
{
    struct dyno_timing_config with = config_of("vllm", "h100", 2, 256), without = with;
    struct dyno_pass nine = {
        .steps_max = 1, .decode = true, .decode_count = 9, .decode_context = 9000};
    struct dyno_pass sixteen = {
        .steps_max = 1, .decode = true, .decode_count = 16, .decode_context = 9000};
    struct dyno_timing_parts padded, plain, larger;
    double padded_us, plain_us, larger_us;

    memset(&without.graphs, 0, sizeof without.graphs);
    padded = parts_of(&with, &nine, &padded_us);
    plain = parts_of(&without, &nine, &plain_us);
    larger = parts_of(&without, &sixteen, &larger_us);
    ck_assert_double_eq(padded.gemm_us, larger.gemm_us);
    ck_assert_double_eq(padded.elementwise_us, larger.elementwise_us);
    ck_assert_double_eq(padded.collective_us, larger.collective_us);
    ck_assert_double_eq(padded.decode_attention_us, plain.decode_attention_us);
    ck_assert_double_eq(padded.sampling_us, plain.sampling_us);
    ck_assert_double_eq(padded.host_us, plain.host_us);
    ck_assert_double_eq_tol(padded_us - plain_us,
                            padded.gemm_us + padded.elementwise_us + padded.collective_us -
                                plain.gemm_us - plain.elementwise_us - plain.collective_us,
                            1e-6);
}
END_TEST

START_TEST(only_vllm_runs_prompts_as_graphs)
{
    struct dyno_slice slice = {.tokens = 100, .yields = true};
    struct dyno_pass pass = {.steps_max = 1, .slice_count = 1, .slices = &slice};
    struct dyno_timing_config vllm = config_of("vllm", "h100", 1, 256);
    struct dyno_timing_config sglang = config_of("sglang", "h100", 1, 256);
    double us;
    double as_104 = parts_of(&vllm, &pass, &us).gemm_us;

    ck_assert_double_gt(as_104, parts_of(&sglang, &pass, &us).gemm_us);
    slice.tokens = 104;
    ck_assert_double_eq(as_104, parts_of(&sglang, &pass, &us).gemm_us);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("graphs");

    tcase_add_test(cases, vllm_captures_its_sizes);
    tcase_add_test(cases, sglang_captures_its_sizes);
    tcase_add_test(cases, trtllm_does_not_pad);
    tcase_add_test(cases, a_graph_computes_what_it_was_captured_for);
    tcase_add_test(cases, only_vllm_runs_prompts_as_graphs);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("sim/timing graphs", add_cases)

/* The cost of a pass: by hand on a GPU with round figures, exact over steps, monotonic. */
#include "sim/timing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
#include "tests/check_main.h"
#include "tests/sim/timing_round.h"

static struct dyno_timing_config real_config(const char *model, const char *gpu, uint32_t tp)
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

static struct dyno_pass_cost cost_of(const struct dyno_timing *timing, const struct dyno_pass *pass)
{
    struct dyno_pass_cost cost;

    dyno_timing_cost(timing, pass, &cost);
    return cost;
}

static struct dyno_pass decode_pass(uint32_t count, uint64_t context)
{
    return (struct dyno_pass){
        .steps_max = UINT32_MAX, .decode = true, .decode_count = count, .decode_context = context};
}

static double first_us(const struct dyno_pass_cost *cost)
{
    return (double)cost->first / (double)DYNO_TICKS_PER_NS / 1000;
}

/* One sequence, 10 tokens of context.  In each of two layers, at 1e4 bytes/us:
 *   qkv     1000 x 100 x (10 + 2 x 5) = 2,000,000 parameters: 4,000,000 B + 2,000 in + 4,000 out
 *   o       1,000,000 parameters:                   2,000,000 B + 2,000 + 2,000
 *   gate/up 4,000,000 parameters:                   8,000,000 B + 2,000 + 8,000
 *   down    2,000,000 parameters:                   4,000,000 B + 4,000 + 2,000
 * = 400.6 + 200.4 + 801.0 + 400.6 = 1802.6 us, and 4 launches of 5 us: 1822.6 us; their operations
 * take a hundredth of that, beside it.
 * Elementwise: a floor of 10 us (its 34,000 B take 3.4 us).  Attention: launch 7 us, 5 tiles of 4
 * us on 10 multiprocessors = 2 us, 10 tokens x 2 x 5 x 100 x 2 B = 2 us. Logits: 128,256,000
 * parameters: 256,512,000 B + 2,000 + 256,512 = 25,677.0512 us, launch 5 us; sampling 25 + 0.5 us;
 * host 100 + 3 us. */
START_TEST(a_decode_pass_by_hand)
{
    struct dyno_timing_config config = round_config();
    struct dyno_timing *timing = open_timing(&config);
    struct dyno_pass pass = decode_pass(1, 10);
    struct dyno_pass_cost cost = cost_of(timing, &pass);

    ck_assert_double_eq_tol(gemms_us(1), 1822.6, 1e-3);
    assert_us(first_us(&cost),
              2 * (gemms_us(1) + 10 + 7 + 2 + 2) + both(25677.0512, 256.512) + 5 + 25.5 + 103);
    /* A token more is 0.2 us in each of two layers. */
    ck_assert_uint_eq(cost.growth, 400 * DYNO_TICKS_PER_NS);
    ck_assert_uint_eq(cost.steps_max, UINT32_MAX);
    dyno_timing_close(timing);
}
END_TEST

/* 1,000 tokens at position 500, which do not end the prompt.  GEMMs are bound by their operations:
 * 2 x 1000 x 9,000,000 / 1e6 = 18,000 us a layer, a little more for what they read and write
 * meanwhile, and 4 launches.  New keys and values: 2 x 5 x 100 x 2 B x 1000 = 200 us.  Elementwise:
 * (8 x 1000 + 2 x 100 x 15 + 3 x 2000) x 2 B x 1000 = 34 MB = 3,400 us a layer.  Attention: launch
 * 7 us; 10,000 rows of 0.5 us on 10 multiprocessors = 500 us; pairs = 1000 x 500 + 1000 x 1001 / 2
 * = 1,000,500, each 4 x 10 x 100 operations: 4,002 us.  Rows fill the GPU (100 x 10 would).  Host
 * 100 + 3 us.  No logits.
 */
START_TEST(a_prompt_slice_by_hand)
{
    struct dyno_timing_config config = round_config();
    struct dyno_timing *timing = open_timing(&config);
    struct dyno_slice slice = {.first = 500, .tokens = 1000};
    struct dyno_pass pass = {.steps_max = 1, .slice_count = 1, .slices = &slice};
    struct dyno_pass_cost cost = cost_of(timing, &pass);

    assert_us(first_us(&cost), 2 * (gemms_us(1000) + 3400 + 7 + 500 + 200 + 4002) + 103);
    ck_assert_double_gt(gemms_us(1000), 18020);
    ck_assert_double_lt(gemms_us(1000), 18120);
    ck_assert_uint_eq(cost.growth, 0);
    ck_assert_uint_eq(cost.steps_max, 1);
    dyno_timing_close(timing);
}
END_TEST

/* 10 tokens are 100 rows where 1,000 fill the GPU: attention's operations, 4,000 x 55 pairs / 1e6 =
 * 0.22 us a layer, take ten times as long.  Their keys and values: 2 us. */
START_TEST(a_short_slice_leaves_multiprocessors_idle)
{
    struct dyno_timing_config config = round_config();
    struct dyno_timing *timing = open_timing(&config);
    struct dyno_slice slice = {.tokens = 10};
    struct dyno_pass pass = {.steps_max = 1, .slice_count = 1, .slices = &slice};
    struct dyno_timing_parts parts;

    dyno_timing_explain(timing, &pass, &parts);
    assert_us(parts.prefill_attention_us, 2 * (7 + 100 * 0.5 / 10 + 2 + 2.2));
    dyno_timing_close(timing);
}
END_TEST

/* Two GPUs: half the heads, MLP columns and vocabulary each, 3 kv heads (5 do not split evenly).
 * Three all-reduces with two layers' attention and MLP, and the embedding's: 5 of them, each 6 us
 * and the other's 2,000 B in one exchange, 2 us. */
START_TEST(tensor_parallel_reduces_twice_a_layer)
{
    struct dyno_timing_config config = round_config();
    struct dyno_timing *timing;
    struct dyno_pass pass = decode_pass(1, 10);
    struct dyno_timing_parts parts;

    config.tp = 2;
    timing = open_timing(&config);
    dyno_timing_explain(timing, &pass, &parts);
    assert_us(parts.collective_us, 5 * (6 + 2));
    /* qkv 1000 x 100 x (5 + 2 x 3) = 1,100,000; o 500,000; gate/up 2,000,000; down 1,000,000. */
    assert_us(parts.gemm_us,
              2 * (20 + both(2.2, 220.42) + both(1, 100.3) + both(4, 400.6) + both(2, 200.4)));
    dyno_timing_close(timing);
}
END_TEST

/* Ten GPUs, 2,000 B a token: one exchange moves 9 messages, two move 2 x 0.9 of one and take 6 us
 * more.  One token: 6 + 18 us against 12 + 3.6; with a bound of one token, one exchange all the
 * same; of two tokens, two: 12 + 7.2. */
START_TEST(a_reduction_takes_the_faster_way_or_the_one_that_its_kernel_has)
{
    struct dyno_timing_config config = round_config();
    struct dyno_timing *timing;
    struct dyno_pass one = decode_pass(1, 10), two = decode_pass(2, 10);
    struct dyno_timing_parts parts;

    config.tp = 10;
    timing = open_timing(&config);
    dyno_timing_explain(timing, &one, &parts);
    assert_us(parts.collective_us, 5 * (12 + 3.6));
    dyno_timing_close(timing);
    config.parameters.collective_one_shot_tokens = 1;
    timing = open_timing(&config);
    dyno_timing_explain(timing, &one, &parts);
    assert_us(parts.collective_us, 5 * (6 + 18));
    dyno_timing_explain(timing, &two, &parts);
    assert_us(parts.collective_us, 5 * (12 + 7.2));
    dyno_timing_close(timing);
}
END_TEST

/* Half the pace: operations take twice as long, bytes do not. */
START_TEST(a_pass_does_not_keep_the_pace_of_a_burst)
{
    struct dyno_timing_config config = round_config();
    struct dyno_timing *timing;
    struct dyno_slice slice = {.first = 500, .tokens = 1000};
    struct dyno_pass pass = {.steps_max = 1, .slice_count = 1, .slices = &slice};
    struct dyno_timing_parts parts;

    config.parameters.sustained_share = 0.5;
    timing = open_timing(&config);
    dyno_timing_explain(timing, &pass, &parts);
    assert_us(parts.prefill_attention_us, 2 * (7 + 500 + 200 + 2 * 4002));
    assert_us(parts.gemm_us, 2 * (20 + both(2 * 4000, 1000) + both(2 * 2000, 600) +
                                  both(2 * 8000, 1800) + both(2 * 4000, 1000)));
    dyno_timing_close(timing);
}
END_TEST

static struct dyno_timing_config random_config(struct dyno_rng *rng)
{
    static const char *const models[] = {"llama-3.1-8b", "gpt-oss-120b", "deepseek-v3",
                                         "qwen3-0.6b", "mixtral-8x7b"};
    static const char *const gpus[] = {"a100", "h200", "rtx4090", "mi300x", "rtx-pro-6000"};
    struct dyno_timing_config config = real_config(
        models[dyno_rng_below(rng, 5)], gpus[dyno_rng_below(rng, 5)], 1U << dyno_rng_below(rng, 4));

    config.weights = (enum dyno_dtype)dyno_rng_below(rng, 3);
    config.kv = (enum dyno_dtype)dyno_rng_below(rng, 2);
    config.batch_tokens_max = 256;
    return config;
}

/* Leaping equals stepping: step j of a long pass costs what a pass of one step costs when it is
 * submitted with the context that the sequences then have. */
START_TEST(a_step_of_a_leap_costs_what_it_costs_alone)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "timing");
    struct dyno_timing_config config = random_config(&rng);
    struct dyno_timing *timing = open_timing(&config);

    for (int shape = 0; shape < 500; shape++) {
        uint32_t count = 1 + (uint32_t)dyno_rng_below(&rng, 300);
        uint64_t context = count * (1 + dyno_rng_below(&rng, 100000));
        uint64_t step = dyno_rng_below(&rng, 100000);
        struct dyno_pass leap = decode_pass(count, context);
        struct dyno_pass alone = decode_pass(count, context + count * step);
        struct dyno_pass_cost whole = cost_of(timing, &leap);

        alone.steps_max = 1;
        ck_assert_uint_eq(whole.first + whole.growth * step, cost_of(timing, &alone).first);
    }
    dyno_timing_close(timing);
}
END_TEST

/* The parts that are explained sum to the cost, to a tick for each rounding. */
START_TEST(the_parts_sum_to_the_cost)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "parts");
    struct dyno_timing_config config = random_config(&rng);
    struct dyno_timing *timing = open_timing(&config);

    for (int shape = 0; shape < 100; shape++) {
        struct dyno_slice slices[3];
        struct dyno_pass pass = decode_pass((uint32_t)dyno_rng_below(&rng, 50), 0);
        struct dyno_timing_parts parts;
        struct dyno_pass_cost cost;
        double sum;

        pass.decode = pass.decode_count > 0;
        pass.decode_context = pass.decode_count * dyno_rng_below(&rng, 5000);
        pass.slices = slices;
        pass.slice_count = (uint32_t)dyno_rng_below(&rng, 4);
        for (uint32_t i = 0; i < pass.slice_count; i++) {
            slices[i] = (struct dyno_slice){.first = (uint32_t)dyno_rng_below(&rng, 9999),
                                            .tokens = 1 + (uint32_t)dyno_rng_below(&rng, 999),
                                            .yields = dyno_rng_below(&rng, 2)};
        }
        dyno_timing_explain(timing, &pass, &parts);
        cost = cost_of(timing, &pass);
        sum = parts.gemm_us + parts.prefill_attention_us + parts.decode_attention_us +
              parts.elementwise_us + parts.collective_us + parts.sampling_us + parts.host_us;
        /* Half a tick (4.8e-10 us) for every token of context, and a few for the rest. */
        ck_assert(first_us(&cost) - sum < 1e-6 + 5e-10 * (double)pass.decode_context);
        ck_assert(sum - first_us(&cost) < 1e-6 + 5e-10 * (double)pass.decode_context);
    }
    dyno_timing_close(timing);
}
END_TEST

START_TEST(more_work_never_costs_less)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "monotonic");
    struct dyno_timing_config config = random_config(&rng);
    struct dyno_timing *timing;
    uint64_t before = 0;

    config.parameters.gemm_fp8_ragged_factor = 1; /* 129 rows do cost more than 256 otherwise */
    timing = open_timing(&config);

    for (uint32_t count = 1; count < 300; count++) {
        struct dyno_pass pass = decode_pass(count, count * 100);

        ck_assert_uint_gt(cost_of(timing, &pass).first, before);
        before = cost_of(timing, &pass).first;
    }
    before = 0;
    for (uint32_t tokens = 1; tokens < 600; tokens++) {
        struct dyno_slice slice = {.first = 1000, .tokens = tokens};
        struct dyno_pass pass = {.steps_max = 1, .slice_count = 1, .slices = &slice};

        ck_assert_uint_ge(cost_of(timing, &pass).first, before);
        before = cost_of(timing, &pass).first;
    }
    dyno_timing_close(timing);
}
END_TEST

/* Costs beyond the tables are computed, and continue them. */
START_TEST(tables_and_formulas_agree)
{
    struct dyno_timing_config small = real_config("llama-3.1-8b", "h100", 1);
    struct dyno_timing_config large = small;
    struct dyno_timing *without, *with;

    small.batch_tokens_max = 8;
    small.seqs_max = 1;
    without = open_timing(&small);
    with = open_timing(&large);
    for (uint32_t count = 1; count < 256; count++) {
        struct dyno_pass pass = decode_pass(count, count * 1000);

        ck_assert_uint_eq(cost_of(without, &pass).first, cost_of(with, &pass).first);
    }
    dyno_timing_close(with);
    dyno_timing_close(without);
}
END_TEST

/* A prompt in two chunks has the pairs of the prompt in one. */
START_TEST(chunks_see_the_same_pairs)
{
    struct dyno_timing_config config = round_config();
    struct dyno_timing *timing = open_timing(&config);
    struct dyno_slice whole = {.tokens = 2000};
    struct dyno_slice halves[2] = {{.tokens = 1000}, {.first = 1000, .tokens = 1000}};
    struct dyno_pass one = {.steps_max = 1, .slice_count = 1, .slices = &whole};
    struct dyno_pass two = {.steps_max = 1, .slice_count = 2, .slices = halves};
    struct dyno_timing_parts once, twice;

    dyno_timing_explain(timing, &one, &once);
    dyno_timing_explain(timing, &two, &twice);
    assert_us(once.prefill_attention_us, twice.prefill_attention_us);
    dyno_timing_close(timing);
}
END_TEST

START_TEST(heads_that_do_not_split_are_refused)
{
    struct dyno_timing_config config = real_config("llama-3.1-8b", "h100", 3);
    struct dyno_timing *timing = NULL;
    struct dyno_error error;

    ck_assert_int_eq(dyno_timing_open(&timing, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_null(timing);
    ck_assert_str_eq(error.text,
                     "llama-3.1-8b has 32 attention heads, which 3 tensor-parallel GPUs "
                     "cannot share equally; choose a divisor of 32");
}
END_TEST

START_TEST(expert_parallel_needs_experts)
{
    struct dyno_timing_config config = real_config("llama-3.1-8b", "h100", 2);
    struct dyno_timing *timing = NULL;
    struct dyno_error error;

    config.expert_parallel = true;
    ck_assert_int_eq(dyno_timing_open(&timing, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "has no experts"));
}
END_TEST

/* Each row in turn: below its minimum, above its maximum, not a number. */
START_TEST(every_parameter_has_a_range)
{
    for (const struct dyno_timing_row *row = dyno_timing_rows; row->name; row++) {
        double wrong[] = {row->min - 1, row->max * 2 + 1, NAN};

        for (size_t i = 0; i < 3; i++) {
            struct dyno_timing_config config = real_config("llama-3.1-8b", "h100", 1);
            struct dyno_timing *timing = NULL;
            struct dyno_error error;

            memcpy((char *)&config.parameters + row->offset, &wrong[i], sizeof wrong[i]);
            ck_assert_int_eq(dyno_timing_open(&timing, &config, &error), DYNO_BAD_INPUT);
            ck_assert_ptr_nonnull(strstr(error.text, row->name));
        }
    }
}
END_TEST

/* Every double of the struct has a row, so that help and docs cannot forget one. */
START_TEST(every_parameter_has_a_row)
{
    size_t rows = 0;

    for (const struct dyno_timing_row *row = dyno_timing_rows; row->name; row++) {
        ck_assert_uint_eq(row->offset, rows * sizeof(double));
        rows++;
    }
    ck_assert_uint_eq(rows * sizeof(double), sizeof(struct dyno_timing_parameters));
}
END_TEST

START_TEST(every_gpu_has_defaults_that_open)
{
    for (const struct dyno_gpu *gpu = dyno_gpu_table; gpu->name[0]; gpu++) {
        struct dyno_timing_config config = real_config("qwen3-0.6b", gpu->name, 1);

        dyno_timing_close(open_timing(&config));
        ck_assert_uint_gt(strlen(dyno_timing_defaults_source(gpu)), 10);
    }
}
END_TEST

START_TEST(a_gpu_of_ones_own_takes_the_defaults_of_the_most_similar)
{
    struct dyno_gpu fast = *dyno_gpu_find("h200");
    struct dyno_timing_parameters own, similar;

    (void)snprintf(fast.name, sizeof fast.name, "mine");
    dyno_timing_defaults(&own, &fast);
    dyno_timing_defaults(&similar, dyno_gpu_find("h100"));
    ck_assert_mem_eq(&own, &similar, sizeof own);
    dyno_timing_defaults(&own, dyno_gpu_find("h100-pcie"));
    ck_assert_mem_eq(&own, &similar, sizeof own);

    fast = *dyno_gpu_find("a100"); /* the one of 40 GB, as a file that says so */
    (void)snprintf(fast.name, sizeof fast.name, "mine");
    fast.memory_bytes_per_s = 1555e9;
    dyno_timing_defaults(&own, &fast);
    dyno_timing_defaults(&similar, dyno_gpu_find("a100"));
    ck_assert_mem_eq(&own, &similar, sizeof own);
    (void)snprintf(fast.link, sizeof fast.link, "pcie4"); /* ... and without links */
    dyno_timing_defaults(&own, &fast);
    ck_assert_mem_eq(&own, &similar, sizeof own);

    fast = *dyno_gpu_find("rtx-pro-6000"); /* the Workstation Edition */
    (void)snprintf(fast.name, sizeof fast.name, "mine");
    fast.memory_bytes_per_s = 1792e9;
    dyno_timing_defaults(&own, &fast);
    dyno_timing_defaults(&similar, dyno_gpu_find("rtx-pro-6000"));
    ck_assert_mem_eq(&own, &similar, sizeof own);
}
END_TEST

START_TEST(absurd_figures_are_refused_not_overflowed)
{
    struct dyno_timing_config config = real_config("llama-3.1-8b", "h100", 1);
    struct dyno_timing *timing = NULL;
    struct dyno_error error;

    config.gpu.memory_bytes_per_s = 0;
    ck_assert_int_eq(dyno_timing_open(&timing, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "memory bandwidth"));
    config.gpu.memory_bytes_per_s = 1e9;
    ck_assert_int_eq(dyno_timing_open(&timing, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "reading the KV of one token"));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("timing");

    tcase_add_test(tc, a_decode_pass_by_hand);
    tcase_add_test(tc, a_prompt_slice_by_hand);
    tcase_add_test(tc, a_short_slice_leaves_multiprocessors_idle);
    tcase_add_test(tc, tensor_parallel_reduces_twice_a_layer);
    tcase_add_test(tc, a_reduction_takes_the_faster_way_or_the_one_that_its_kernel_has);
    tcase_add_test(tc, a_pass_does_not_keep_the_pace_of_a_burst);
    tcase_add_loop_test(tc, a_step_of_a_leap_costs_what_it_costs_alone, 0, 20);
    tcase_add_loop_test(tc, the_parts_sum_to_the_cost, 0, 20);
    tcase_add_loop_test(tc, more_work_never_costs_less, 0, 20);
    tcase_add_test(tc, tables_and_formulas_agree);
    tcase_add_test(tc, chunks_see_the_same_pairs);
    tcase_add_test(tc, heads_that_do_not_split_are_refused);
    tcase_add_test(tc, expert_parallel_needs_experts);
    tcase_add_test(tc, every_parameter_has_a_range);
    tcase_add_test(tc, every_parameter_has_a_row);
    tcase_add_test(tc, every_gpu_has_defaults_that_open);
    tcase_add_test(tc, a_gpu_of_ones_own_takes_the_defaults_of_the_most_similar);
    tcase_add_test(tc, absurd_figures_are_refused_not_overflowed);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("sim/timing", add_cases)

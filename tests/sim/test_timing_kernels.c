/* Kernels by hand: mixed attention, tails of GEMMs, experts, fp8, windows. */
#include "sim/timing_layers.h"
#include "tests/check_main.h"
#include "tests/sim/timing_round.h"

static struct dyno_pass decode_pass(uint32_t count, uint64_t context)
{
    return (struct dyno_pass){
        .steps_max = UINT32_MAX, .decode = true, .decode_count = count, .decode_context = context};
}

/* A decode beside a prompt is served as a prompt of one token: ten heads, a tile of 100 rows each.
 * A tile takes 100 x 0.5 = 50 us, ten of them on ten multiprocessors as long; 10 tokens of context
 * are 2 x 10 x 200 x 100 operations each = 0.4 us, more than the 0.2 us of reading them: 4 us; the
 * kernel visits 10 x 10 tiles in vain: 0.1 us each on its multiprocessor.  The longest tile is
 * beside all that. */
START_TEST(a_decode_in_a_mixed_pass_takes_whole_tiles)
{
    struct dyno_timing_config config = round_config();
    struct dyno_timing *timing = open_timing(&config);
    struct dyno_slice slice = {.first = 500, .tokens = 1000, .yields = true};
    struct dyno_pass pass = {.steps_max = 1,
                             .slice_count = 1,
                             .slices = &slice,
                             .decode = true,
                             .decode_count = 1,
                             .decode_context = 10};
    struct dyno_timing_parts parts;
    double prompt_us = 500 + 200 + 4002, decode_us = 50 + 4;

    dyno_timing_explain(timing, &pass, &parts);
    assert_us(parts.prefill_attention_us, 2 * (7 + prompt_us));
    assert_us(parts.decode_attention_us, 2 * (decode_us + 0.1));
    assert_us(parts.gemm_us, 2 * gemms_us(1001));
    assert_us(parts.host_us, 106);
    dyno_timing_close(timing);
}
END_TEST

/* One token of prompt beside one long context: the context is not split, so ten of ten
 * multiprocessors read it, a head each: 0.4 us a token of context. */
START_TEST(a_long_context_in_a_mixed_pass_is_not_split)
{
    struct dyno_timing_config config = round_config();
    struct dyno_slice slice = {.tokens = 1};
    struct dyno_pass pass = {.steps_max = 1,
                             .slice_count = 1,
                             .slices = &slice,
                             .decode = true,
                             .decode_count = 1,
                             .decode_context = 100000};
    struct dyno_timing_parts narrow, wide;
    struct dyno_timing *timing = open_timing(&config);

    dyno_timing_explain(timing, &pass, &narrow);
    dyno_timing_close(timing);
    config.gpu.multiprocessors = 1000; /* of the same sum of operations: a tile is a tile */
    timing = open_timing(&config);
    dyno_timing_explain(timing, &pass, &wide);
    dyno_timing_close(timing);
    ck_assert_double_gt(narrow.decode_attention_us, 2 * 40000);
    ck_assert_double_lt(narrow.decode_attention_us, 2 * 1.26 * 40100);
    ck_assert_double_gt(wide.decode_attention_us, 2 * 100 * 40000.0);
}
END_TEST

/* A prompt of one tile and four decodes, two heads each, are ten tiles: on ten multiprocessors they
 * run at once, and the longest takes the time: a decode's, of 50 us and 1,000 tokens of 2 x 200 x
 * 100 operations on a tenth of the GPU.  Eight heads look in vain at one tile each. */
START_TEST(tiles_that_all_fit_run_side_by_side)
{
    struct dyno_timing_config config = round_config();
    struct dyno_layers layers;
    struct dyno_layers_attention attention = {
        .tokens = 100, .pairs = 5050, .longest = 100, .decodes = 4, .decode_context = 4000};

    config.model.layers = 1;
    config.model.dense_layers = 1;
    config.model.heads = 2;
    config.model.kv_heads = 1;
    dyno_layers_init(&layers, &config);
    assert_us(dyno_layers_mixed_us(&layers, &attention), 50 + 1000 * 0.4 + 8 * 0.01 / 10);
    /* A fifth decode is too many: its tiles and the others' follow the prompt. */
    attention.decodes = 5;
    attention.decode_context = 50;
    assert_us(dyno_layers_mixed_us(&layers, &attention),
              dyno_layers_prefill_us(&layers, 100, 5050, 0) + 50 + 50 * 0.08 + 10 * 0.01 / 10);
}
END_TEST

/* Ten sequences on ten multiprocessors: a head of each at a time.  The two heads that share 1,000
 * tokens of each read 10,000 x 2 x 100 x 2 B twice, but for what the cache keeps: all of it, or a
 * quarter. */
START_TEST(heads_that_take_turns_share_what_the_cache_keeps)
{
    struct dyno_timing_config config = round_config();
    struct dyno_layers layers;
    struct dyno_layers_attention attention = {
        .tokens = 1, .pairs = 1, .longest = 1, .decodes = 10, .decode_context = 10000};
    double prompt_us, tiles_us = 20 * 50 / 10.0 + 20 * 0.01 / 10;

    config.model.layers = 1;
    config.model.dense_layers = 1;
    config.model.heads = 2;
    config.model.kv_heads = 1;
    config.gpu.flops[DYNO_BF16] = 1e15;
    config.parameters.cache_bytes = 4e6;
    dyno_layers_init(&layers, &config);
    prompt_us = dyno_layers_prefill_us(&layers, 1, 1, 0);
    assert_us(dyno_layers_mixed_us(&layers, &attention), prompt_us + tiles_us + 400);
    layers.config.parameters.cache_bytes = 1e6;
    assert_us(dyno_layers_mixed_us(&layers, &attention), prompt_us + tiles_us + 400 * 1.75);
}
END_TEST

/* Decodes alone: a second kernel in each of two layers. */
START_TEST(split_contexts_are_added_up)
{
    struct dyno_timing_config config = round_config();
    struct dyno_timing *timing;
    struct dyno_pass pass = decode_pass(1, 10);
    struct dyno_timing_parts parts;
    struct dyno_pass_cost before, after;

    timing = open_timing(&config);
    dyno_timing_cost(timing, &pass, &before);
    dyno_timing_close(timing);
    config.parameters.decode_attention_combine_us = 3;
    timing = open_timing(&config);
    dyno_timing_cost(timing, &pass, &after);
    dyno_timing_explain(timing, &pass, &parts);
    ck_assert_uint_eq(after.first - before.first, 6000 * DYNO_TICKS_PER_NS);
    ck_assert_uint_eq(after.growth, before.growth);
    assert_us(parts.decode_attention_us, 2 * (7 + 3 + 2 + 2));
    dyno_timing_close(timing);
}
END_TEST

/* A kernel that packs heads costs the sum of both. */
START_TEST(a_packing_kernel_adds_decodes_up)
{
    struct dyno_timing_config config = round_config();
    struct dyno_timing *timing;
    struct dyno_slice slice = {.first = 500, .tokens = 1000};
    struct dyno_pass pass = {.steps_max = 1,
                             .slice_count = 1,
                             .slices = &slice,
                             .decode = true,
                             .decode_count = 1,
                             .decode_context = 10};
    struct dyno_timing_parts parts;

    config.parameters.mixed_attention_tile_rows = 0;
    timing = open_timing(&config);
    dyno_timing_explain(timing, &pass, &parts);
    assert_us(parts.decode_attention_us, 2 * (2 + 2));
    dyno_timing_close(timing);
}
END_TEST

/* 130 rows and 1,000 columns: 2 x 8 tiles of 128 x 128 on 10 multiprocessors are 1.6 waves.  With
 * the whole tail lost they take two waves' time; a tile is 2 x 128 x 128 x 1000 operations on a
 * tenth of the GPU = 327.68 us.  They are too many to be divided. */
START_TEST(a_tail_is_lost_as_far_as_it_says)
{
    struct dyno_timing_config config = round_config();
    struct dyno_layers layers;
    double tile_us = 327.68, memory_us = (2e6 + 130 * 2000 * 2.0) / 1e4;

    config.parameters.gemm_tile_rows = 128;
    config.parameters.gemm_tile_columns = 128;
    dyno_layers_init(&layers, &config);
    assert_us(dyno_layers_projection_us(&layers, 130, 1000000, 1000, DYNO_BF16),
              5 + both(1.6 * tile_us, memory_us));
    layers.config.parameters.gemm_wave_tail = 1;
    layers.config.parameters.gemm_tile_us = 3;
    assert_us(dyno_layers_projection_us(&layers, 130, 1000000, 1000, DYNO_BF16),
              5 + both(2 * (tile_us + 3), memory_us));
    layers.config.parameters.gemm_wave_tail = 0.25;
    assert_us(dyno_layers_projection_us(&layers, 130, 1000000, 1000, DYNO_BF16),
              5 + both(1.7 * (tile_us + 3), memory_us));
}
END_TEST

/* One row and 500 columns: four tiles on ten multiprocessors take as long as one, 327.68 us.  In
 * two parts, half of that and 20 us for adding up; in four, 16 parts are 1.6 waves of a quarter.
 * Eight would be more than two for a multiprocessor. */
START_TEST(deep_tiles_are_divided_where_that_is_faster)
{
    struct dyno_timing_config config = round_config();
    struct dyno_layers layers;
    double tile_us = 327.68, memory_us = (1e6 + 1500 * 2.0) / 1e4;

    config.parameters.gemm_tile_rows = 128;
    config.parameters.gemm_tile_columns = 128;
    config.parameters.gemm_split_us = 20;
    config.parameters.gemm_tile_us = 3;
    dyno_layers_init(&layers, &config);
    assert_us(dyno_layers_projection_us(&layers, 1, 500000, 1000, DYNO_BF16),
              5 + 20 + both(1.6 * (tile_us / 4 + 3), memory_us));
    layers.config.parameters.gemm_wave_tail = 1;
    assert_us(dyno_layers_projection_us(&layers, 1, 500000, 1000, DYNO_BF16),
              5 + 20 + both(tile_us / 2 + 3, memory_us));
    layers.config.parameters.gemm_split_us = 1000;
    assert_us(dyno_layers_projection_us(&layers, 1, 500000, 1000, DYNO_BF16),
              5 + both(tile_us + 3, memory_us));
}
END_TEST

/* fp8, 2e6 operations a microsecond, a tile of 2 x 64 x 64 x 1000 operations 40.96 us, with 1,280
 * columns.  64 rows: 20 tiles of 64 x 64 on 10 multiprocessors, two waves.  65 rows: two rows of
 * tiles of 64 x 128: 20 of twice that.  300 rows: four rows of tiles of 128 x 128, of which 212
 * rows are not there and take twice as long: 40 tiles of four times that, by 1 + 212 / 512. */
START_TEST(fp8_tiles_grow_with_rows_and_come_in_pairs)
{
    struct dyno_timing_config config = round_config();
    struct dyno_layers layers;
    double tile_us = 40.96;

    config.gpu.flops[DYNO_FP8] = 2e12;
    config.gpu.memory_bytes_per_s = 1e15;
    config.parameters.gemm_tile_rows = 64;
    config.parameters.gemm_tile_columns = 64;
    config.parameters.gemm_fp8_ragged_factor = 2;
    dyno_layers_init(&layers, &config);
    ck_assert_double_eq_tol(dyno_layers_projection_us(&layers, 64, 1280000, 1000, DYNO_FP8),
                            5 + 2 * tile_us, 1e-3);
    ck_assert_double_eq_tol(dyno_layers_projection_us(&layers, 65, 1280000, 1000, DYNO_FP8),
                            5 + 2 * 2 * tile_us, 1e-3);
    ck_assert_double_eq_tol(dyno_layers_projection_us(&layers, 300, 1280000, 1000, DYNO_FP8),
                            5 + 4 * 4 * tile_us * (1 + 212.0 / 512), 1e-3);
    layers.config.parameters.gemm_fp8_efficiency = 0.5;
    ck_assert_double_eq_tol(dyno_layers_projection_us(&layers, 64, 1280000, 1000, DYNO_FP8),
                            5 + 4 * tile_us, 1e-3);
}
END_TEST

/* 8 experts of 3 x 1000 x 2000, 2 a token.  Two tokens reach 8 (1 - 0.75^2) = 3.5 of them:
 * gate/up 3.5 x 4,000,000 x 2 B + 4 rows x (1000 + 4000) x 2 B = 28,040,000 B; down 3.5 x 2,000,000
 * x 2 B + 4 x (2000 + 1000) x 2 B = 14,024,000 B: 4,206.4 us; two launches, routing 11 us; the
 * router 8,000 parameters: 16,000 + 2 x (1000 + 8) x 2 B = 2.0032 us and a launch. */
START_TEST(experts_are_read_as_far_as_tokens_reach_them)
{
    struct dyno_timing_config config = round_config();
    struct dyno_timing_config dense = round_config();
    struct dyno_timing *timing, *plain;
    struct dyno_pass pass = decode_pass(2, 10);
    struct dyno_timing_parts with, without;
    /* What the dense model's MLP takes with two tokens: parameters, and two rows in and out. */
    double mlp_us = 10 + both(16, 802) + both(8, 401.2);
    /* Operations: 4 rows x 4,000,000 x 2 and half of that; of the router 2 x 8,000 x 2. */
    double experts_us = both(32, 2804) + both(16, 1402.4) + both(0.032, 2.0032);

    config.model.dense_layers = 0;
    config.model.experts = 8;
    config.model.experts_per_token = 2;
    config.model.expert_intermediate = 2000;
    timing = open_timing(&config);
    plain = open_timing(&dense);
    dyno_timing_explain(timing, &pass, &with);
    dyno_timing_explain(plain, &pass, &without);
    assert_us(with.gemm_us - without.gemm_us, 2 * (experts_us + 10 + 11 + 5 - mlp_us));
    dyno_timing_close(timing);

    config.parameters.moe_efficiency = 0.01; /* of their operations, not of what they read */
    experts_us = both(3200, 2804) + both(1600, 1402.4) + both(0.032, 2.0032);
    timing = open_timing(&config);
    dyno_timing_explain(timing, &pass, &with);
    assert_us(with.gemm_us - without.gemm_us, 2 * (experts_us + 10 + 11 + 5 - mlp_us));
    dyno_timing_close(plain);
    dyno_timing_close(timing);
}
END_TEST

/* Experts of 4 bits are widened before they are multiplied: half as fast, their time doubles but
 * for what a launch takes. */
START_TEST(experts_of_4_bits_are_widened)
{
    struct dyno_timing_config config = round_config();
    struct dyno_layers layers;
    double us, launches_us, router_us;

    config.model.dense_layers = 0;
    config.model.experts = 8;
    config.model.experts_per_token = 2;
    config.model.expert_intermediate = 2000;
    config.model.quantized_experts = true; /* all else stays bf16 */
    config.weights = DYNO_INT4;
    dyno_layers_init(&layers, &config);
    us = dyno_layers_gemm_us(&layers, 2);
    layers.config.parameters.moe_widened_efficiency = 0.5;
    router_us = dyno_layers_projection_us(&layers, 2, 8000, 1000, DYNO_BF16);
    layers.moe_layers = 0;
    launches_us = dyno_layers_gemm_us(&layers, 2);
    layers.moe_layers = 2;
    launches_us += 2 * (2 * 5 + 11 + router_us);
    assert_us(dyno_layers_gemm_us(&layers, 2) - launches_us, 2 * (us - launches_us));
}
END_TEST

/* Expert parallel over 2 GPUs: the MoE layer's all-reduce becomes two all-to-alls of
 * tokens/2 x 2 experts x 1000 x 2 B x 1/2 = 2,000 B = 2 us each, for two tokens. */
START_TEST(expert_parallel_exchanges_tokens_twice_a_layer)
{
    struct dyno_timing_config config = round_config();
    struct dyno_timing *timing;
    struct dyno_pass pass = decode_pass(2, 10);
    struct dyno_timing_parts parts;

    config.model.dense_layers = 0;
    config.model.experts = 8;
    config.model.experts_per_token = 2;
    config.model.expert_intermediate = 2000;
    config.tp = 2;
    config.expert_parallel = true;
    timing = open_timing(&config);
    dyno_timing_explain(timing, &pass, &parts);
    assert_us(parts.collective_us, 3 * (6 + 4) + 2 * 2 * (6 + 2));
    dyno_timing_close(timing);
}
END_TEST

/* fp8 with units for it: half the weight bytes, and the input is quantised: 2 us, and a row 10 us
 * on one of 10 multiprocessors; beyond 2,048 columns 3 bytes each, which no input has here. */
START_TEST(fp8_weights_read_half_and_quantise_their_input)
{
    struct dyno_timing_config config = round_config();
    struct dyno_timing *timing;
    struct dyno_pass pass = decode_pass(1, 10);
    struct dyno_timing_parts parts;
    struct dyno_layers layers;

    config.weights = DYNO_FP8;
    config.gpu.flops[DYNO_FP8] = 2e12;
    config.parameters.quantize_us = 2;
    config.parameters.quantize_row_us = 10;
    timing = open_timing(&config);
    dyno_timing_explain(timing, &pass, &parts);
    assert_us(parts.gemm_us, 2 * (4 * (5 + 2 + 1) + both(2, 200.5) + both(1, 100.3) +
                                  both(4, 400.9) + both(2, 200.4)));
    dyno_timing_close(timing);
    /* Static scales: the kernel before has scaled it. */
    config.static_scales = true;
    timing = open_timing(&config);
    dyno_timing_explain(timing, &pass, &parts);
    assert_us(parts.gemm_us,
              2 * (4 * 5 + both(2, 200.5) + both(1, 100.3) + both(4, 400.9) + both(2, 200.4)));
    dyno_timing_close(timing);
    config.static_scales = false;
    /* 5,000 columns are read in three steps, the first of which is the row's own. */
    dyno_layers_init(&layers, &config);
    assert_us(dyno_layers_projection_us(&layers, 2, 500000, 5000, DYNO_FP8),
              5 + 2 + 2 * (1 + 2 * 2048 * 3 / 1e4) + both(1, (500000 + 10000 + 400) / 1e4));
}
END_TEST

/* A window of 4 tokens in one of two layers: that layer reads 4 tokens a sequence, whatever the
 * context; a slice of 3 at position 2 has 3 + 4 + 4 pairs in it. */
START_TEST(short_windows_cost_the_window)
{
    struct dyno_timing_config config = round_config();
    struct dyno_timing *timing;
    struct dyno_pass pass = decode_pass(1, 10);
    struct dyno_slice slice = {.first = 2, .tokens = 3};
    struct dyno_pass prompt = {.steps_max = 1, .slice_count = 1, .slices = &slice};
    struct dyno_timing_parts parts;
    struct dyno_pass_cost cost;

    config.model.sliding_window = 4;
    config.model.sliding_layers = 1;
    timing = open_timing(&config);
    dyno_timing_explain(timing, &pass, &parts);
    assert_us(parts.decode_attention_us, 2 * (7 + 2) + 10 * 0.2 + 4 * 0.2);
    dyno_timing_cost(timing, &pass, &cost);
    ck_assert_uint_eq(cost.growth, 200 * DYNO_TICKS_PER_NS);
    dyno_timing_explain(timing, &prompt, &parts);
    /* 30 of 1000 rows; pairs 3 + 4 + 5 = 12 in the full layer, 11 in the other. */
    assert_us(parts.prefill_attention_us,
              2 * (7 + 30 * 0.5 / 10 + 3 * 2000 / 1e4) + 4000 * (12 + 11) / 1e6 * (1000.0 / 30));
    dyno_timing_close(timing);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("timing kernels");

    tcase_add_test(tc, a_decode_in_a_mixed_pass_takes_whole_tiles);
    tcase_add_test(tc, a_long_context_in_a_mixed_pass_is_not_split);
    tcase_add_test(tc, tiles_that_all_fit_run_side_by_side);
    tcase_add_test(tc, heads_that_take_turns_share_what_the_cache_keeps);
    tcase_add_test(tc, split_contexts_are_added_up);
    tcase_add_test(tc, a_packing_kernel_adds_decodes_up);
    tcase_add_test(tc, a_tail_is_lost_as_far_as_it_says);
    tcase_add_test(tc, deep_tiles_are_divided_where_that_is_faster);
    tcase_add_test(tc, fp8_tiles_grow_with_rows_and_come_in_pairs);
    tcase_add_test(tc, experts_are_read_as_far_as_tokens_reach_them);
    tcase_add_test(tc, experts_of_4_bits_are_widened);
    tcase_add_test(tc, expert_parallel_exchanges_tokens_twice_a_layer);
    tcase_add_test(tc, fp8_weights_read_half_and_quantise_their_input);
    tcase_add_test(tc, short_windows_cost_the_window);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("sim/timing kernels", add_cases)

/* Weights that stay of 8 bits on an emulated GPU: the logits of the CPU, which opens them, and half
 * the memory. */
#include "backends/cuda/device.h"
#include "backends/cuda/plan.h"
#include "backends/cuda/ranks.h"
#include "tests/backends/cuda_bench.h"
#include "tests/backends/narrow_models.h"
#include "tests/check_main.h"
#include "tests/cuda_emulation/faults.h"

enum { PROMPT = 20, STRIP_BYTES = 8 << 10 }; /* a prompt of more rows than are read as they are */

static struct dyno_cuda_forward_config narrow_config(enum dyno_cuda_kv_element kv)
{
    struct dyno_cuda_forward_config config = bench_config(kv);

    config.narrow = true;
    config.widened_bytes = STRIP_BYTES; /* some strips a matrix */
    return config;
}

static struct dyno_weights *model_of(struct dyno_rng *rng, int seed)
{
    struct dyno_model shapes;

    dyno_rng_init(rng, (uint64_t)seed, "cuda narrow");
    shapes = narrow_shapes(rng);
    return narrow_model(rng, (enum narrow_kind)(seed % NARROW_KINDS), &shapes);
}

static struct dyno_weights *mixture_of(struct dyno_rng *rng, int kind)
{
    struct dyno_model shapes;

    dyno_rng_init(rng, (uint64_t)kind, "cuda narrow experts");
    shapes = narrow_mixture_shapes(rng);
    return narrow_model(rng, (enum narrow_kind)kind, &shapes);
}

/* Positions [first, first + count) of all sequences in one pass. */
static void pass(const struct bench *bench, struct sequence *sequences, uint32_t first,
                 uint32_t count, struct dyno_cuda_yield yields[SEQUENCES])
{
    struct dyno_cuda_slice slices[SEQUENCES];
    struct dyno_error error = {0};

    for (uint32_t s = 0; s < SEQUENCES; s++) {
        slices[s] = (struct dyno_cuda_slice){.tokens = sequences[s].tokens + first,
                                             .first = first,
                                             .count = count,
                                             .table = sequences[s].table,
                                             .want = DYNO_CUDA_WANT_LOGITS};
        sequences[s].length = first + count;
    }
    ck_assert_msg(dyno_cuda_forward_run(bench->forward, slices, SEQUENCES, yields, &error) ==
                      DYNO_OK,
                  "%s", error.text);
}

/* The weights are the same, to the bit: what is apart is the CPU's fp32 from F16 between kernels,
 * of which these models make more than TOLERANCE_F16 now and then. */
START_TEST(logits_are_those_of_the_opened_weights)
{
    const double of_cpu = 4 * TOLERANCE_F16;
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    struct dyno_cuda_yield yields[SEQUENCES], opened[SEQUENCES];
    struct dyno_weights *weights = model_of(&rng, _i);
    struct bench wide = bench_open(weights, DYNO_ELEMENT_F16, DYNO_CUDA_KV_F16, false);
    struct bench bench = bench_open_as(weights, DYNO_ELEMENT_F16, narrow_config(DYNO_CUDA_KV_F16));

    ck_assert(bench.model->layers[0].gate_up.kind != DYNO_CUDA_WEIGHTS_16);
    ck_assert(bench.model->layers[0].query_key_value.kind != DYNO_CUDA_WEIGHTS_16);
    make_sequences(&rng, weights, sequences);
    for (uint32_t count = PROMPT, first = 0; first < PROMPT + 2; first += count, count = 1) {
        pass(&bench, sequences, first, count, yields);
        pass(&wide, sequences, first, count, opened);
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            expect_near(yields[s].logits, cpu_logits(weights, &sequences[s]), weights->model.vocab,
                        of_cpu, _i);
            expect_near(yields[s].logits, opened[s].logits, weights->model.vocab, TOLERANCE_F16,
                        _i);
        }
    }
    bench_close(&bench);
    bench_close(&wide);
}
END_TEST

/* A mixture's are those of the opened weights, too: the elements that the experts' bytes become are
 * the same, and multiplied in the same order.  A prompt of all sequences has some rows an expert, a
 * step few. */
START_TEST(experts_stay_of_8_bits)
{
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    struct dyno_cuda_yield yields[SEQUENCES], opened[SEQUENCES];
    struct dyno_weights *weights = mixture_of(&rng, _i);
    struct bench wide = bench_open(weights, DYNO_ELEMENT_F16, DYNO_CUDA_KV_F16, false);
    struct bench bench = bench_open_as(weights, DYNO_ELEMENT_F16, narrow_config(DYNO_CUDA_KV_F16));
    enum dyno_cuda_weights due =
        _i == NARROW_Q8_0 ? DYNO_CUDA_WEIGHTS_INT8 : DYNO_CUDA_WEIGHTS_E4M3;

    ck_assert_int_eq(bench.model->layers[0].expert_gate_up.kind, due);
    ck_assert_int_eq(bench.model->layers[0].expert_down.kind, due);
    make_sequences(&rng, weights, sequences);
    for (uint32_t count = PROMPT, first = 0; first < PROMPT + 2; first += count, count = 1) {
        pass(&bench, sequences, first, count, yields);
        pass(&wide, sequences, first, count, opened);
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            expect_near(yields[s].logits, opened[s].logits, weights->model.vocab, TOLERANCE_F16,
                        _i);
        }
    }
    bench_close(&bench);
    bench_close(&wide);
}
END_TEST

/* One that is of another kind than the others makes all of them 16 bits. */
START_TEST(experts_of_two_kinds_are_widened)
{
    struct dyno_rng rng;
    struct dyno_weights *weights = mixture_of(&rng, NARROW_ROW);
    struct dyno_matrix *last =
        (struct dyno_matrix *)&weights->layers[0].expert_up[weights->model.experts - 1];
    struct bench bench;

    *last = random_matrix(&rng, DYNO_ELEMENT_BF16, last->rows, last->columns, false);
    bench = bench_open_as(weights, DYNO_ELEMENT_F16, narrow_config(DYNO_CUDA_KV_F16));
    ck_assert_int_eq(bench.model->layers[0].expert_gate_up.kind, DYNO_CUDA_WEIGHTS_16);
    ck_assert_int_eq(bench.model->layers[0].expert_down.kind, DYNO_CUDA_WEIGHTS_E4M3);
    bench_close(&bench);
}
END_TEST

/* Rounded in another order, scales of all bits in the place of products of 8: the difference is
 * that of bf16. */
START_TEST(scales_of_more_bits_make_a_rounding)
{
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    struct dyno_cuda_yield yields[SEQUENCES];
    struct dyno_weights *weights = model_of(&rng, _i);
    struct bench bench;

    for (uint32_t i = 0; i < weights->narrow_count; i++) {
        const struct dyno_narrow *narrow = &weights->narrow[i];
        uint32_t across = (narrow->columns - 1) / narrow->block_columns + 1;

        ((float *)narrow->scale)[0] *= 1.0F + 0x1.5p-5F;
        for (uint32_t at = 0; at < narrow->rows * narrow->columns; at++) {
            uint32_t row = at / narrow->columns, column = at % narrow->columns;
            float scale =
                narrow->scale[row / narrow->block_rows * across + column / narrow->block_columns];

            ((uint16_t *)narrow->wide)[at] =
                dyno_bf16_of_float(dyno_e4m3_to_float(narrow->narrow[at]) * scale);
        }
    }
    bench = bench_open_as(weights, DYNO_ELEMENT_BF16, narrow_config(DYNO_CUDA_KV_BF16));
    make_sequences(&rng, weights, sequences);
    for (uint32_t count = PROMPT, first = 0; first < PROMPT + 2; first += count, count = 1) {
        pass(&bench, sequences, first, count, yields);
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            expect_near(yields[s].logits, cpu_logits(weights, &sequences[s]), weights->model.vocab,
                        TOLERANCE_BF16, _i);
        }
    }
    bench_close(&bench);
}
END_TEST

/* What graphs and strips are is no matter: the bits are the same. */
START_TEST(graphs_give_what_launches_give)
{
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    struct dyno_cuda_yield yields[SEQUENCES];
    struct dyno_weights *weights = model_of(&rng, _i);
    size_t bytes = weights->model.vocab * sizeof(float);
    float *logits[SEQUENCES] = {NULL};

    make_sequences(&rng, weights, sequences);
    for (uint32_t round = 0; round < 2; round++) {
        struct dyno_cuda_forward_config config = narrow_config(DYNO_CUDA_KV_BF16);
        struct bench bench;

        config.no_graphs = round == 0;
        bench = bench_open_as(weights, DYNO_ELEMENT_BF16, config);
        ck_assert(round == 0 || dyno_cuda_forward_warm(bench.forward, NULL) == DYNO_OK);
        pass(&bench, sequences, 0, PROMPT, yields);
        pass(&bench, sequences, PROMPT, 1, yields);
        pass(&bench, sequences, PROMPT + 1, 1, yields);
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            if (round == 0) {
                logits[s] = array_of(1, bytes);
                memcpy(logits[s], yields[s].logits, bytes);
            }
            ck_assert_mem_eq(logits[s], yields[s].logits, bytes);
        }
        bench_close(&bench);
    }
}
END_TEST

/* ---- what a rank has of them ----------------------------------------------------------------- */

/* A matrix of a kind, and what of its columns is asked for. */
static struct dyno_cuda_matrix form_of(int seed, uint32_t first, uint32_t count)
{
    struct dyno_rng rng;
    const struct dyno_weights *weights = model_of(&rng, seed);
    const struct dyno_matrix *down = &weights->layers[0].down;

    return dyno_cuda_matrix_form(weights, &down, 1, (struct dyno_shard_part){first, count});
}

START_TEST(columns_that_cut_no_scale_stay_narrow)
{
    struct dyno_cuda_matrix half = form_of(_i, 64, 64), cut = form_of(_i, 32, 32);

    ck_assert(half.kind == (_i == NARROW_Q8_0 ? DYNO_CUDA_WEIGHTS_INT8 : DYNO_CUDA_WEIGHTS_E4M3));
    ck_assert_uint_eq(half.columns, 64);
    ck_assert_uint_eq(half.group, _i == NARROW_Q8_0 ? 32 : 64);
    ck_assert_int_eq(cut.kind, _i == NARROW_BLOCK ? DYNO_CUDA_WEIGHTS_16 : half.kind);
    ck_assert_uint_eq(form_of(_i, 0, 60).kind, DYNO_CUDA_WEIGHTS_16);
}
END_TEST

/* Rows on top of each other have one kind; where they have not, all become 16 bits. */
START_TEST(matrices_of_two_kinds_are_widened_together)
{
    struct dyno_rng rng;
    const struct dyno_weights *weights = model_of(&rng, NARROW_ROW);
    struct dyno_matrix other =
        random_matrix(&rng, DYNO_ELEMENT_BF16, 8, weights->model.hidden, false);
    const struct dyno_matrix *same[] = {&weights->layers[0].query, &weights->layers[0].key};
    const struct dyno_matrix *mixed[] = {&weights->layers[0].query, &other};
    struct dyno_shard_part all = {0, weights->model.hidden};

    ck_assert_uint_eq(dyno_cuda_matrix_form(weights, same, 2, all).kind, DYNO_CUDA_WEIGHTS_E4M3);
    ck_assert_uint_eq(dyno_cuda_matrix_form(weights, mixed, 2, all).kind, DYNO_CUDA_WEIGHTS_16);
}
END_TEST

/* Rows and columns from the middle of a matrix. */
START_TEST(a_part_is_loaded_with_its_scales)
{
    struct dyno_rng rng;
    const struct dyno_weights *weights = model_of(&rng, _i);
    struct dyno_matrix part = weights->layers[0].down;
    const struct dyno_matrix *parts = &part;
    struct dyno_shard_part columns = {64, 64};
    struct dyno_cuda_matrix matrix;
    struct dyno_cuda_arena arena = {0};
    struct dyno_cuda_upload *upload;
    bool is_float = _i != NARROW_Q8_0;

    part.data = (const char *)part.data + 7 * dyno_row_bytes(part.element, part.columns);
    part.rows = 20;
    matrix = dyno_cuda_matrix_form(weights, &parts, 1, columns);
    dyno_cuda_matrix_take(&matrix, &arena, part.rows);
    ck_assert(cudaMalloc((void **)&arena.base, arena.used) == cudaSuccess);
    arena.used = 0;
    dyno_cuda_matrix_take(&matrix, &arena, part.rows);
    ck_assert(dyno_cuda_upload_open(&upload, NULL, NULL) == DYNO_OK);
    ck_assert(dyno_cuda_matrix_load(&matrix, 0, weights, &part, columns, DYNO_ELEMENT_F16, upload,
                                    NULL) == DYNO_OK);
    ck_assert(dyno_cuda_upload_finish(upload, NULL) == DYNO_OK);
    for (uint32_t row = 0; row < part.rows; row++) {
        float due[64];

        dyno_matrix_read(&part, row, columns.first, columns.count, due);
        for (uint32_t i = 0; i < columns.count; i++) {
            uint32_t at = row * columns.count + i;
            uint32_t scale = row * (columns.count / matrix.group) + i / matrix.group;
            float got = is_float ? dyno_e4m3_to_float(((const uint8_t *)matrix.weights)[at]) *
                                       ((const float *)matrix.scales)[scale]
                                 : (float)((const int8_t *)matrix.weights)[at] *
                                       dyno_half_to_float(((const uint16_t *)matrix.scales)[scale]);

            ck_assert(got == due[i]);
        }
    }
    dyno_cuda_upload_close(upload);
    (void)cudaFree(arena.base);
}
END_TEST

/* Two ranks, each with its rows and columns of the matrices and their scales. */
struct pair {
    struct dyno_shard shards[2];
    struct dyno_weights *views[2];
    struct dyno_cuda_model *models[2];
    struct dyno_cuda_ranks *ranks;
};

static void pair_open(struct pair *pair, const struct dyno_weights *weights)
{
    struct dyno_cuda_rank on[2];
    struct dyno_cuda_ranks_config config = {
        .rank = on, .ranks = 2, .forward = narrow_config(DYNO_CUDA_KV_F16)};
    struct dyno_error error = {0};

    dyno_emulation_devices(2);
    for (uint32_t i = 0; i < 2; i++) {
        struct dyno_cuda_model_config model = {.shard = &pair->shards[i],
                                               .element = DYNO_ELEMENT_F16,
                                               .narrow = true,
                                               .positions = LENGTH_MAX};

        ck_assert(dyno_shard_make(&pair->shards[i], &weights->model, i, 2, NULL) == DYNO_OK);
        ck_assert(dyno_shard_weights_open(&pair->views[i], weights, &pair->shards[i], NULL) ==
                  DYNO_OK);
        model.weights = pair->views[i];
        ck_assert(cudaSetDevice((int)i) == cudaSuccess);
        ck_assert_msg(dyno_cuda_model_open(&pair->models[i], &model, NULL, &error) == DYNO_OK, "%s",
                      error.text);
        ck_assert(pair->models[i]->layers[0].down.kind != DYNO_CUDA_WEIGHTS_16 ||
                  pair->models[i]->layers[0].expert_down.kind != DYNO_CUDA_WEIGHTS_16);
        on[i] = (struct dyno_cuda_rank){(int)i, pair->models[i], &pair->shards[i]};
    }
    ck_assert_msg(dyno_cuda_ranks_open(&pair->ranks, &config, &error) == DYNO_OK, "%s", error.text);
}

static void pair_close(struct pair *pair)
{
    dyno_cuda_ranks_close(pair->ranks);
    for (uint32_t i = 0; i < 2; i++) {
        dyno_cuda_model_close(pair->models[i]);
        dyno_shard_weights_close(pair->views[i]);
    }
}

START_TEST(two_ranks_have_the_logits_of_the_opened_weights)
{
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    struct dyno_weights *weights =
        _i < NARROW_KINDS ? model_of(&rng, _i) : mixture_of(&rng, _i - NARROW_KINDS);
    struct pair pair;

    pair_open(&pair, weights);
    make_sequences(&rng, weights, sequences);
    for (uint32_t count = PROMPT, first = 0; first < PROMPT + 2; first += count, count = 1) {
        struct dyno_cuda_slice slice = {.tokens = sequences[0].tokens + first,
                                        .first = first,
                                        .count = count,
                                        .table = sequences[0].table,
                                        .want = DYNO_CUDA_WANT_LOGITS};
        struct dyno_cuda_yield yield;
        struct dyno_error error = {0};

        ck_assert_msg(dyno_cuda_ranks_run(pair.ranks, &slice, 1, &yield, &error) == DYNO_OK, "%s",
                      error.text);
        sequences[0].length = first + count;
        expect_near(yield.logits, cpu_logits(weights, &sequences[0]), weights->model.vocab,
                    4 * TOLERANCE_F16, _i);
    }
    pair_close(&pair);
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------- */

START_TEST(a_plan_counts_the_bytes_there_are)
{
    struct dyno_rng rng;
    const struct dyno_weights *weights = model_of(&rng, _i);
    const struct dyno_model *model = &weights->model;
    struct bench bench = bench_open_as((struct dyno_weights *)weights, DYNO_ELEMENT_BF16,
                                       narrow_config(DYNO_CUDA_KV_BF16));
    struct dyno_cuda_forward_config narrow = narrow_config(DYNO_CUDA_KV_BF16), wide = narrow;
    struct dyno_cuda_load load = {.workers = 1};
    struct dyno_cuda_plan plan, other;
    uint64_t elements, least;

    wide.narrow = false;
    ck_assert(dyno_cuda_plan_make(&plan, weights, DYNO_ELEMENT_BF16, LENGTH_MAX, &narrow, &load,
                                  UINT64_MAX, NULL) == DYNO_OK);
    ck_assert(dyno_cuda_plan_make(&other, weights, DYNO_ELEMENT_BF16, LENGTH_MAX, &wide, &load,
                                  UINT64_MAX, NULL) == DYNO_OK);
    ck_assert_uint_eq(plan.weights, bench.model->bytes);
    ck_assert_uint_eq(plan.passes, other.passes + STRIP_BYTES);
    /* A byte an element is saved, but for at most a scale of 4 bytes for each 32. */
    elements = (uint64_t)model->layers * model->hidden *
               ((uint64_t)(2 * model->heads + 2 * model->kv_heads) * model->head_dim +
                3 * (uint64_t)model->intermediate);
    least = elements - elements / 8;
    ck_assert_uint_ge(other.weights - plan.weights, least);
    ck_assert_uint_le(other.weights - plan.weights, elements + model->hidden * model->vocab);
    bench_close(&bench);
}
END_TEST

START_TEST(weights_that_are_not_of_8_bits_cannot_stay_so)
{
    struct dyno_rng rng;
    struct dyno_cuda_config config = {.block_tokens = BLOCK_TOKENS,
                                      .batch_tokens_max = LENGTH_MAX,
                                      .context_max = LENGTH_MAX,
                                      .weights_narrow = true,
                                      .threaded = {.worker_count = 1, .seqs_max = SEQUENCES}};
    struct dyno_error error = {0};
    uint32_t blocks = 0;

    config.weights = model_of(&rng, NARROW_BLOCK);
    ck_assert_msg(dyno_cuda_device_blocks(&blocks, &config, &error) == DYNO_OK, "%s", error.text);
    config.weights = cuda_model(&rng, LLAMA2, 64);
    ck_assert(dyno_cuda_device_blocks(&blocks, &config, &error) == DYNO_BAD_INPUT);
    ck_assert_msg(strstr(error.text, "are to stay of 8 bits, and the model's file has none"), "%s",
                  error.text);
}
END_TEST

/* ---- faults ---------------------------------------------------------------------------------- */

static dyno_status whole_run(const struct dyno_weights *weights, const struct sequence *sequence,
                             struct dyno_error *error)
{
    struct bench bench = {0};
    struct dyno_cuda_forward_config config = narrow_config(DYNO_CUDA_KV_BF16);
    struct dyno_cuda_model_config model = {
        .weights = weights, .element = DYNO_ELEMENT_BF16, .narrow = true, .positions = LENGTH_MAX};
    dyno_status status = dyno_cuda_model_open(&bench.model, &model, NULL, error);

    config.model = bench.model;
    if (status == DYNO_OK) {
        status = dyno_cuda_forward_open(&bench.forward, &config, error);
    }
    for (uint32_t i = 0; status == DYNO_OK && i < 2; i++) {
        struct dyno_cuda_yield yield;
        struct dyno_cuda_slice slice = {.tokens = sequence->tokens + i * PROMPT,
                                        .first = i * PROMPT,
                                        .count = i == 0 ? PROMPT : 1,
                                        .table = sequence->table,
                                        .want = DYNO_CUDA_WANT_TOKEN};

        status = dyno_cuda_forward_run(bench.forward, &slice, 1, &yield, error);
    }
    bench_close(&bench);
    return status;
}

START_TEST(every_call_that_fails_is_told)
{
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    const struct dyno_weights *weights = model_of(&rng, _i);
    uint64_t calls;

    make_sequences(&rng, weights, sequences);
    dyno_emulation_fail(0, cudaSuccess);
    ck_assert(whole_run(weights, &sequences[0], NULL) == DYNO_OK);
    calls = dyno_emulation_calls();
    ck_assert(calls > 100);
    for (uint64_t call = 1; call <= calls; call++) {
        struct dyno_error error = {0};
        dyno_status status;

        dyno_emulation_fail(call, cudaErrorIllegalAddress);
        status = whole_run(weights, &sequences[0], &error);
        ck_assert_msg(status == DYNO_WORKER_GONE && strstr(error.text, " failed"),
                      "call %d of %d: %d, %s", (int)call, (int)calls, (int)status, error.text);
    }
    dyno_emulation_fail(0, cudaSuccess);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("narrow");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, NULL, arrays_free);
    tcase_add_loop_test(tc, logits_are_those_of_the_opened_weights, 0, 2 * NARROW_KINDS);
    tcase_add_loop_test(tc, experts_stay_of_8_bits, 0, NARROW_KINDS);
    tcase_add_test(tc, experts_of_two_kinds_are_widened);
    tcase_add_loop_test(tc, scales_of_more_bits_make_a_rounding, 0, NARROW_Q8_0);
    tcase_add_loop_test(tc, graphs_give_what_launches_give, 0, NARROW_KINDS);
    tcase_add_loop_test(tc, columns_that_cut_no_scale_stay_narrow, 0, NARROW_KINDS);
    tcase_add_test(tc, matrices_of_two_kinds_are_widened_together);
    tcase_add_loop_test(tc, a_part_is_loaded_with_its_scales, 0, NARROW_KINDS);
    tcase_add_loop_test(tc, two_ranks_have_the_logits_of_the_opened_weights, 0, 2 * NARROW_KINDS);
    tcase_add_loop_test(tc, a_plan_counts_the_bytes_there_are, 0, NARROW_KINDS);
    tcase_add_test(tc, weights_that_are_not_of_8_bits_cannot_stay_so);
    tcase_add_loop_test(tc, every_call_that_fails_is_told, 2, NARROW_KINDS);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("cuda_narrow", add_cases)

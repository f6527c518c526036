/* The forward pass on a GPU, emulated: against the CPU's, and against itself in other company. */
#include "backends/cuda/forward.h"

#include "backends/cuda/plan.h"
#include "tests/backends/cuda_bench.h"
#include "tests/check_main.h"
#include "tests/cuda_emulation/faults.h"

/* Random slices of all sequences until all are done; logits[s] of their last positions. */
static void together(struct dyno_rng *rng, const struct bench *bench, struct sequence *sequences,
                     float *logits[SEQUENCES])
{
    uint32_t vocab = bench->weights->model.vocab, left = SEQUENCES;

    while (left > 0) {
        struct dyno_cuda_slice slices[SEQUENCES];
        struct dyno_cuda_yield yields[SEQUENCES];
        struct dyno_error error = {0};
        uint32_t count = 0, yield = 0, of[SEQUENCES];

        for (uint32_t s = 0; s < SEQUENCES; s++) {
            struct sequence *at = &sequences[s];
            uint32_t rest = at->length - at->done;

            if (rest > 0 && dyno_rng_below(rng, 3) > 0) {
                of[count] = s;
                slices[count] = (struct dyno_cuda_slice){
                    .tokens = at->tokens + at->done,
                    .first = at->done,
                    .count = dyno_rng_below(rng, 2) ? 1 : 1 + (uint32_t)dyno_rng_below(rng, rest),
                    .table = at->table};
                at->done += slices[count].count;
                slices[count].want =
                    at->done == at->length ? DYNO_CUDA_WANT_LOGITS : DYNO_CUDA_WANT_NOTHING;
                count++;
            }
        }
        if (count == 0) {
            continue;
        }
        ck_assert_msg(dyno_cuda_forward_run(bench->forward, slices, count, yields, &error) ==
                          DYNO_OK,
                      "%s", error.text);
        for (uint32_t i = 0; i < count; i++) {
            if (slices[i].want != DYNO_CUDA_WANT_NOTHING) {
                memcpy(logits[of[i]], yields[yield].logits, vocab * sizeof(float));
                ck_assert(yields[yield].token == largest(yields[yield].logits, vocab));
                yield++;
                left--;
            }
        }
    }
}

/* Every family, every size of a head, and both types; with ./test --long every family of every size
 * of a head in both types. */
static int logits_count(void)
{
    return (getenv("DYNO_CUDA_SEEDS") ? 6 : 2) * FAMILY_COUNT;
}

static int graphs_count(void)
{
    return getenv("DYNO_CUDA_SEEDS") ? FAMILY_COUNT : 3;
}

START_TEST(logits_are_those_of_the_cpu)
{
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    struct bench bench;
    float *logits[SEQUENCES];
    bool is_f16 = _i % 2 || _i % FAMILY_COUNT >= FIRST_OF_EXPERTS;

    dyno_rng_init(&rng, (uint64_t)_i, "cuda forward");
    bench = bench_open(cuda_model(&rng, families[_i % FAMILY_COUNT], head_dims[_i % 3]),
                       is_f16 ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16,
                       is_f16 ? DYNO_CUDA_KV_F16 : DYNO_CUDA_KV_BF16, false);
    make_sequences(&rng, bench.weights, sequences);
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        logits[s] = array_of(bench.weights->model.vocab, sizeof(float));
    }
    together(&rng, &bench, sequences, logits);
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        expect_near(logits[s], cpu_logits(bench.weights, &sequences[s]), bench.weights->model.vocab,
                    is_f16 ? TOLERANCE_F16 : TOLERANCE_BF16, _i);
    }
    bench_close(&bench);
}
END_TEST

/* All sequences one token on, each by what it yielded before. */
static void decode(const struct bench *bench, struct sequence *sequences, uint32_t steps,
                   struct dyno_cuda_yield yields[SEQUENCES])
{
    for (uint32_t step = 0; step < steps; step++) {
        struct dyno_cuda_slice slices[SEQUENCES];
        struct dyno_error error = {0};

        for (uint32_t s = 0; s < SEQUENCES; s++) {
            slices[s] = (struct dyno_cuda_slice){.tokens = &sequences[s].tokens[step],
                                                 .first = step,
                                                 .count = 1,
                                                 .table = sequences[s].table,
                                                 .want = DYNO_CUDA_WANT_LOGITS};
        }
        ck_assert_msg(dyno_cuda_forward_run(bench->forward, slices, SEQUENCES, yields, &error) ==
                          DYNO_OK,
                      "%s", error.text);
    }
}

/* Contexts grow through two buckets, and every graph is launched more than once. */
START_TEST(graphs_give_what_launches_give)
{
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    struct dyno_cuda_yield yields[SEQUENCES];
    struct dyno_weights *weights;
    float *logits[SEQUENCES];

    dyno_rng_init(&rng, (uint64_t)_i, "cuda graphs");
    weights = cuda_model(&rng, families[_i % FAMILY_COUNT], head_dims[_i % 3]);
    make_sequences(&rng, weights, sequences);
    for (uint32_t round = 0; round < 2; round++) {
        struct bench bench = bench_open(weights, DYNO_ELEMENT_BF16, DYNO_CUDA_KV_BF16, round == 0);

        if (_i % 2 == 0) {
            ck_assert(dyno_cuda_forward_warm(bench.forward, NULL) == DYNO_OK);
        }
        decode(&bench, sequences, LENGTH_MAX, yields);
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            size_t bytes = weights->model.vocab * sizeof(float);

            if (round == 0) {
                logits[s] = array_of(1, bytes);
                memcpy(logits[s], yields[s].logits, bytes);
            } else {
                ck_assert_msg(memcmp(logits[s], yields[s].logits, bytes) == 0, "seed %d", _i);
            }
        }
        bench_close(&bench);
    }
}
END_TEST

/* Positions [first, 9) of a sequence, before which all are there; what the last one yields is the
 * caller's until the next pass. */
static const float *go_on(const struct bench *bench, const struct sequence *sequence,
                          uint32_t first, uint32_t cached)
{
    struct dyno_cuda_slice slice = {.tokens = sequence->tokens + first,
                                    .first = first,
                                    .count = 9 - first,
                                    .cached = cached,
                                    .table = sequence->table,
                                    .want = DYNO_CUDA_WANT_LOGITS};
    struct dyno_cuda_yield yield;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_cuda_forward_run(bench->forward, &slice, 1, &yield, &error) == DYNO_OK, "%s",
                  error.text);
    return yield.logits;
}

/* Other tokens in the place of those that are cached: what was stored before is what is read. */
START_TEST(what_is_cached_is_not_stored)
{
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    struct dyno_weights *weights;
    struct bench bench;
    float *due;
    size_t bytes;

    dyno_rng_init(&rng, (uint64_t)_i, "cuda cached");
    weights = cuda_model(&rng, LLAMA2, 64);
    bytes = weights->model.vocab * sizeof *due;
    due = array_of(1, bytes);
    make_sequences(&rng, weights, sequences);
    bench = bench_open(weights, DYNO_ELEMENT_BF16, DYNO_CUDA_KV_BF16, false);
    (void)go_on(&bench, &sequences[0], 0, 0);
    memcpy(due, go_on(&bench, &sequences[0], 4, 0), bytes);
    for (uint32_t i = 4; i < 8; i++) {
        sequences[0].tokens[i] = (sequences[0].tokens[i] + 1) % weights->model.vocab;
    }
    ck_assert_mem_eq(go_on(&bench, &sequences[0], 4, 4), due, bytes);
    ck_assert_mem_ne(go_on(&bench, &sequences[0], 4, 0), due, bytes);
    bench_close(&bench);
}
END_TEST

/* Logits are the product of the logits' matrix and the state. */
START_TEST(a_state_is_what_logits_are_made_of)
{
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    struct dyno_cuda_yield yields[2];
    struct dyno_weights *weights;
    struct bench bench;
    struct dyno_error error = {0};
    float *row;

    dyno_rng_init(&rng, (uint64_t)_i, "cuda states");
    weights = cuda_model(&rng, LLAMA2, 64);
    row = array_of(weights->model.hidden, sizeof *row);
    make_sequences(&rng, weights, sequences);
    bench = bench_open(weights, DYNO_ELEMENT_F16, DYNO_CUDA_KV_E4M3, false);
    for (uint32_t s = 0; s < 2; s++) {
        memcpy(sequences[s].tokens, sequences[0].tokens, sizeof sequences[0].tokens);
    }
    ck_assert_msg(dyno_cuda_forward_run(bench.forward,
                                        (struct dyno_cuda_slice[]){{.tokens = sequences[0].tokens,
                                                                    .count = 9,
                                                                    .table = sequences[0].table,
                                                                    .want = DYNO_CUDA_WANT_STATE},
                                                                   {.tokens = sequences[1].tokens,
                                                                    .count = 9,
                                                                    .table = sequences[1].table,
                                                                    .want = DYNO_CUDA_WANT_LOGITS}},
                                        2, yields, &error) == DYNO_OK,
                  "%s", error.text);
    for (uint32_t token = 0; token < weights->model.vocab; token++) {
        double due = 0.0, size = 0.0;

        dyno_matrix_read(&weights->logits, token, 0, weights->model.hidden, row);
        for (uint32_t i = 0; i < weights->model.hidden; i++) {
            due += (double)row[i] * (double)yields[0].state[i];
            size += fabs((double)row[i] * (double)yields[0].state[i]);
        }
        ck_assert(fabs((double)yields[1].logits[token] - due) <= 0x1p-10 * size);
    }
    bench_close(&bench);
}
END_TEST

/* Where nothing changes the logits before, the device's choice is the definition's. */
START_TEST(a_token_is_drawn_as_defined)
{
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    struct dyno_weights *weights;
    struct bench bench;
    void *scratch;

    dyno_rng_init(&rng, 5, "cuda draws");
    weights = cuda_model(&rng, LLAMA2, 16);
    scratch = array_of(1, dyno_sample_scratch(weights->model.vocab));
    make_sequences(&rng, weights, sequences);
    bench = bench_open(weights, DYNO_ELEMENT_F16, DYNO_CUDA_KV_F16, false);
    for (uint32_t i = 0; i < 12; i++) {
        struct dyno_sampling sampling = {
            .seed = i, .temperature = 8.0, .top_k = i % 3 * 20, .top_p = i % 2 ? 0.9 : 0.0};
        struct dyno_sample_history history = {.tokens = sequences[0].tokens, .count = 7};
        struct dyno_cuda_yield yields[2];
        struct dyno_cuda_slice slices[2] = {{.tokens = sequences[0].tokens,
                                             .count = 7,
                                             .table = sequences[0].table,
                                             .want = DYNO_CUDA_WANT_LOGITS},
                                            {.tokens = sequences[0].tokens,
                                             .count = 7,
                                             .table = sequences[1].table,
                                             .want = DYNO_CUDA_WANT_TOKEN,
                                             .sampling = sampling}};

        ck_assert(dyno_cuda_forward_run(bench.forward, slices, 2, yields, NULL) == DYNO_OK);
        ck_assert(yields[1].token == dyno_sample(&sampling, yields[0].logits, weights->model.vocab,
                                                 7, &history, scratch));
    }
    bench_close(&bench);
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------- */

static const struct dyno_cuda_forward_config planned = {.kv = DYNO_CUDA_KV_BF16,
                                                        .block_tokens = BLOCK_TOKENS,
                                                        .rows_max = LENGTH_MAX,
                                                        .sequences_max = SEQUENCES};

START_TEST(a_plan_gives_all_the_memory_there_is)
{
    struct dyno_rng rng;
    struct dyno_weights *weights;
    struct dyno_cuda_forward_config config = planned;
    struct dyno_cuda_plan plan, more;
    uint64_t fixed;

    dyno_rng_init(&rng, 1, "cuda plan");
    weights = cuda_model(&rng, LLAMA3, 64);
    config.blocks = 1;
    ck_assert(dyno_cuda_plan_make(&plan, weights, DYNO_ELEMENT_BF16, LENGTH_MAX, &config,
                                  &(struct dyno_cuda_load){.workers = 2}, UINT64_MAX,
                                  NULL) == DYNO_OK);
    ck_assert(plan.blocks == 1);
    fixed = plan.weights + 2 * plan.passes + plan.reserve;
    ck_assert(plan.total == fixed + 2 * plan.block);
    config.blocks = 0;
    ck_assert(dyno_cuda_plan_make(&more, weights, DYNO_ELEMENT_BF16, LENGTH_MAX, &config,
                                  &(struct dyno_cuda_load){.workers = 2}, fixed + 15 * plan.block,
                                  NULL) == DYNO_OK);
    ck_assert(more.blocks == 7 && more.total == fixed + 14 * plan.block);
    ck_assert(dyno_cuda_plan_make(&more, weights, DYNO_ELEMENT_BF16, LENGTH_MAX, &config,
                                  &(struct dyno_cuda_load){.workers = 2}, UINT64_MAX,
                                  NULL) == DYNO_OK);
    ck_assert(more.blocks == SEQUENCES * LENGTH_MAX / BLOCK_TOKENS);
}
END_TEST

START_TEST(others_on_the_gpu_are_in_the_plan)
{
    struct dyno_rng rng;
    struct dyno_weights *weights;
    struct dyno_cuda_forward_config config = planned;
    struct dyno_cuda_load load = {.workers = 1, .others = 2};
    struct dyno_cuda_plan plan;
    struct dyno_error error = {0};
    uint64_t fixed;

    dyno_rng_init(&rng, 1, "cuda plan");
    weights = cuda_model(&rng, LLAMA3, 64);
    config.blocks = 5;
    ck_assert(dyno_cuda_plan_make(&plan, weights, DYNO_ELEMENT_BF16, LENGTH_MAX, &config, &load,
                                  UINT64_MAX, NULL) == DYNO_OK);
    fixed = plan.weights + 3 * plan.passes + plan.reserve;
    ck_assert(plan.total == fixed + 3 * 5 * plan.block); /* they have as many */
    load.others_blocks = 4;
    config.blocks = 0;
    ck_assert(dyno_cuda_plan_make(&plan, weights, DYNO_ELEMENT_BF16, LENGTH_MAX, &config, &load,
                                  fixed + (2 * 4 + 3) * plan.block, NULL) == DYNO_OK);
    ck_assert(plan.blocks == 3 && plan.total == fixed + (2 * 4 + 3) * plan.block);
    ck_assert(dyno_cuda_plan_make(&plan, weights, DYNO_ELEMENT_BF16, LENGTH_MAX, &config, &load,
                                  fixed + 2 * 4 * plan.block, &error) == DYNO_NO_MEMORY);
    ck_assert_msg(strstr(error.text, " for 2 others, "), "%s", error.text);
    load.workers = 0; /* nobody here minds how many */
    ck_assert(dyno_cuda_plan_make(&plan, weights, DYNO_ELEMENT_BF16, LENGTH_MAX, &config, &load,
                                  fixed + 2 * 4 * plan.block, NULL) == DYNO_OK);
    ck_assert(plan.blocks == SEQUENCES * LENGTH_MAX / BLOCK_TOKENS);
}
END_TEST

START_TEST(a_plan_that_does_not_fit_is_refused_with_the_arithmetic)
{
    struct dyno_rng rng;
    struct dyno_weights *weights;
    struct dyno_cuda_forward_config config = planned;
    struct dyno_cuda_plan plan;
    struct dyno_error error = {0};

    dyno_rng_init(&rng, 1, "cuda plan");
    weights = cuda_model(&rng, LLAMA3, 64);
    ck_assert(dyno_cuda_plan_make(&plan, weights, DYNO_ELEMENT_BF16, LENGTH_MAX, &config,
                                  &(struct dyno_cuda_load){.workers = 1}, 1U << 29,
                                  &error) == DYNO_NO_MEMORY);
    ck_assert_msg(strstr(error.text, "the GPU has 0.50 GiB free, and ") &&
                      strstr(error.text, "for 1 KV block,") && strstr(error.text, "left to CUDA"),
                  "%s", error.text);
}
END_TEST

/* ---- faults ---------------------------------------------------------------------------------- */

static void ignore(void *context, uint32_t slice, uint32_t first, uint32_t count,
                   const float *logits)
{
    (void)context, (void)slice, (void)first, (void)count, (void)logits;
}

/* All that a run does: load, open, a prompt, scored or not, and tokens decoded, the last one
 * without the host. */
static dyno_status whole_run(struct dyno_weights *weights, const struct sequence *sequence,
                             bool scores, struct dyno_error *error)
{
    struct bench bench = {0};
    struct dyno_cuda_forward_config config = planned;
    dyno_status status = dyno_cuda_model_open(
        &bench.model,
        &(struct dyno_cuda_model_config){
            .weights = weights, .element = DYNO_ELEMENT_BF16, .positions = LENGTH_MAX},
        NULL, error);

    config.model = bench.model;
    config.blocks = BLOCKS;
    config.score = ignore;
    if (status == DYNO_OK) {
        status = dyno_cuda_forward_open(&bench.forward, &config, error);
    }
    for (uint32_t i = 0; status == DYNO_OK && i < 4; i++) {
        uint32_t first = i > 2 ? 6 : i > 0 ? 5 : 0;
        struct dyno_cuda_yield yield;
        struct dyno_cuda_slice slice = {.tokens = sequence->tokens + first,
                                        .first = first,
                                        .count = i > 0 ? 1 : 5,
                                        .table = sequence->table,
                                        .scored = scores && i == 0,
                                        .want =
                                            i == 1 ? DYNO_CUDA_WANT_LOGITS : DYNO_CUDA_WANT_TOKEN};

        status = dyno_cuda_forward_step(bench.forward, &slice, 1, i == 2 ? 1 : 0, &yield, error);
    }
    bench_close(&bench);
    return status;
}

START_TEST(every_call_that_fails_is_told)
{
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    struct dyno_weights *weights;
    uint64_t calls, failed = 0;

    dyno_rng_init(&rng, 3, "cuda faults");
    weights = cuda_model(&rng, QWEN3, 16);
    make_sequences(&rng, weights, sequences);
    dyno_emulation_fail(0, cudaSuccess);
    ck_assert(whole_run(weights, &sequences[0], _i, NULL) == DYNO_OK);
    calls = dyno_emulation_calls();
    ck_assert(calls > 100);
    for (uint64_t call = 1; call <= calls; call++) {
        struct dyno_error error = {0};
        dyno_status status;

        dyno_emulation_fail(call, cudaErrorIllegalAddress);
        status = whole_run(weights, &sequences[0], _i, &error);
        ck_assert_msg(status == DYNO_WORKER_GONE && strstr(error.text, " failed"),
                      "call %d of %d: %d, %s", (int)call, (int)calls, (int)status, error.text);
        failed++;
    }
    ck_assert(failed == calls);
    dyno_emulation_fail(0, cudaSuccess);
}
END_TEST

START_TEST(models_that_are_not_computed_are_refused)
{
    struct dyno_rng rng;
    struct dyno_error error = {0};
    struct dyno_cuda_model *model = NULL;

    dyno_rng_init(&rng, 1, "cuda refusals");
    ck_assert(dyno_cuda_model_open(&model,
                                   &(struct dyno_cuda_model_config){
                                       .weights = tiny_model(&rng, GPT2, DYNO_ELEMENT_F32),
                                       .element = DYNO_ELEMENT_BF16,
                                       .positions = 8},
                                   NULL, &error) == DYNO_UNSUPPORTED);
    ck_assert(strstr(error.text, "RMSNorm") && !model);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("forward");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, NULL, arrays_free);
    tcase_add_loop_test(tc, logits_are_those_of_the_cpu, 0, logits_count());
    tcase_add_loop_test(tc, graphs_give_what_launches_give, 0, graphs_count());
    tcase_add_loop_test(tc, what_is_cached_is_not_stored, 0, 2);
    tcase_add_test(tc, a_state_is_what_logits_are_made_of);
    tcase_add_test(tc, a_token_is_drawn_as_defined);
    tcase_add_test(tc, a_plan_gives_all_the_memory_there_is);
    tcase_add_test(tc, others_on_the_gpu_are_in_the_plan);
    tcase_add_test(tc, a_plan_that_does_not_fit_is_refused_with_the_arithmetic);
    tcase_add_test(tc, models_that_are_not_computed_are_refused);
    tcase_add_loop_test(tc, every_call_that_fails_is_told, 0, 2);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("cuda_forward", add_cases)

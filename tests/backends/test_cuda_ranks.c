/* Several GPUs, emulated, that share every pass of a model, against one that has it alone. */
#include "backends/cuda/ranks.h"

#include <stdio.h>

#include "backends/cuda/plan.h"
#include "tests/backends/cuda_models.h"
#include "tests/check_main.h"
#include "tests/cuda_emulation/faults.h"

enum {
    RANKS_MAX = 4,
    SEQUENCES = 2,
    PROMPT_MAX = 12,
    DECODED = 2, /* the first is launched, the second captured */
    BLOCK_TOKENS = 4,
    TABLE = 4,
    BLOCKS = SEQUENCES * TABLE,
    CONTEXT = TABLE * BLOCK_TOKENS,
    LOGITS = (DECODED + 1 + PROMPT_MAX) * SEQUENCES, /* rows of them that texts can have */
};

/* A worker of so many ranks, on GPUs 0, 1, ... */
struct bench {
    uint32_t ranks;
    struct dyno_shard shards[RANKS_MAX];
    struct dyno_weights *views[RANKS_MAX]; /* NULL: the model is whole */
    struct dyno_cuda_model *models[RANKS_MAX];
    struct dyno_cuda_ranks *all;
};

/* Where a test has the logits of prompts' positions told: [SEQUENCES][PROMPT_MAX][vocab]. */
struct scores {
    float *logits;
    uint32_t vocab, told;
};

static struct scores scores;
static bool scoring;

static void hear_scores(void *context, uint32_t slice, uint32_t first, uint32_t count,
                        const float *logits)
{
    struct scores *to = context;

    ck_assert(slice < SEQUENCES && first + count < PROMPT_MAX);
    memcpy(to->logits + ((size_t)slice * PROMPT_MAX + first) * to->vocab, logits,
           (size_t)count * to->vocab * sizeof *logits);
    to->told += count;
}

static struct dyno_cuda_forward_config forward_config(enum dyno_element element, bool no_graphs)
{
    return (struct dyno_cuda_forward_config){.kv = element == DYNO_ELEMENT_F16 ? DYNO_CUDA_KV_F16
                                                                               : DYNO_CUDA_KV_BF16,
                                             .blocks = BLOCKS,
                                             .block_tokens = BLOCK_TOKENS,
                                             .rows_max = SEQUENCES * PROMPT_MAX,
                                             .sequences_max = SEQUENCES + 1,
                                             .no_graphs = no_graphs,
                                             .score = hear_scores,
                                             .score_context = &scores};
}

static void load_rank(struct bench *bench, const struct dyno_weights *weights, uint32_t rank,
                      enum dyno_element element)
{
    struct dyno_error error = {0};
    dyno_status status =
        dyno_shard_make(&bench->shards[rank], &weights->model, rank, bench->ranks, &error);

    if (status == DYNO_OK) {
        status =
            dyno_shard_weights_open(&bench->views[rank], weights, &bench->shards[rank], &error);
    }
    ck_assert(cudaSetDevice((int)rank) == cudaSuccess);
    if (status == DYNO_OK) {
        status =
            dyno_cuda_model_open(&bench->models[rank],
                                 &(struct dyno_cuda_model_config){.weights = bench->views[rank],
                                                                  .shard = &bench->shards[rank],
                                                                  .element = element,
                                                                  .positions = CONTEXT},
                                 NULL, &error);
    }
    ck_assert_msg(status == DYNO_OK, "%s", error.text);
}

/* ranks 0: one, and nothing of ranks. */
static struct bench *bench_open(const struct dyno_weights *weights, uint32_t ranks,
                                enum dyno_element element, bool no_graphs)
{
    struct bench *bench = array_of(1, sizeof *bench);
    struct dyno_cuda_rank on[RANKS_MAX] = {0};
    struct dyno_cuda_ranks_config config = {
        .rank = on, .ranks = ranks > 0 ? ranks : 1, .forward = forward_config(element, no_graphs)};
    struct dyno_error error = {0};

    bench->ranks = config.ranks;
    dyno_emulation_devices(RANKS_MAX);
    if (ranks == 0) {
        ck_assert(cudaSetDevice(0) == cudaSuccess);
        ck_assert_msg(dyno_cuda_model_open(&bench->models[0],
                                           &(struct dyno_cuda_model_config){.weights = weights,
                                                                            .element = element,
                                                                            .positions = CONTEXT},
                                           NULL, &error) == DYNO_OK,
                      "%s", error.text);
    }
    for (uint32_t i = 0; i < ranks; i++) {
        load_rank(bench, weights, i, element);
    }
    for (uint32_t i = 0; i < bench->ranks; i++) {
        on[i] =
            (struct dyno_cuda_rank){(int)i, bench->models[i], ranks > 0 ? &bench->shards[i] : NULL};
    }
    ck_assert_msg(dyno_cuda_ranks_open(&bench->all, &config, &error) == DYNO_OK, "%s", error.text);
    return bench;
}

static void bench_close(struct bench *bench)
{
    dyno_cuda_ranks_close(bench->all);
    for (uint32_t i = 0; i < bench->ranks; i++) {
        dyno_cuda_model_close(bench->models[i]);
        dyno_shard_weights_close(bench->views[i]);
    }
}

/* Tokens that are given: prompts in one pass, the rest one by one. */
struct text {
    uint32_t tokens[PROMPT_MAX + DECODED], prompt;
    uint32_t table[TABLE];
};

static void make_texts(struct dyno_rng *rng, uint32_t vocab, struct text texts[SEQUENCES])
{
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        texts[s].prompt = 1 + (uint32_t)dyno_rng_below(rng, PROMPT_MAX);
        for (uint32_t i = 0; i < PROMPT_MAX + DECODED; i++) {
            texts[s].tokens[i] = (uint32_t)dyno_rng_below(rng, vocab);
        }
        for (uint32_t i = 0; i < TABLE; i++) {
            texts[s].table[i] = BLOCKS - 1 - i * SEQUENCES - s;
        }
    }
}

static dyno_status run_pass(const struct bench *bench, const struct text *texts, uint32_t pass,
                            struct dyno_cuda_yield yields[SEQUENCES], struct dyno_error *error)
{
    struct dyno_cuda_slice slices[SEQUENCES];

    for (uint32_t s = 0; s < SEQUENCES; s++) {
        uint32_t first = pass == 0 ? 0 : texts[s].prompt + pass - 1;

        slices[s] = (struct dyno_cuda_slice){.tokens = texts[s].tokens + first,
                                             .first = first,
                                             .count = pass == 0 ? texts[s].prompt : 1,
                                             .table = texts[s].table,
                                             .scored = scoring && pass == 0,
                                             .want = DYNO_CUDA_WANT_LOGITS};
    }
    return dyno_cuda_ranks_run(bench->all, slices, SEQUENCES, yields, error);
}

static uint32_t largest(const float *logits, uint32_t count)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < count; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    return best;
}

/* Of every pass and sequence, [DECODED + 1][SEQUENCES][vocab], and then those that scores are; zero
 * what is not told. */
static float *all_logits(const struct bench *bench, const struct text *texts, uint32_t vocab)
{
    float *logits = array_of((size_t)LOGITS * vocab, sizeof *logits);
    uint32_t scored = texts[0].prompt + texts[1].prompt - SEQUENCES;

    scores = (struct scores){.logits = logits + (size_t)(DECODED + 1) * SEQUENCES * vocab,
                             .vocab = vocab};
    for (uint32_t pass = 0; pass <= DECODED; pass++) {
        struct dyno_cuda_yield yields[SEQUENCES];
        struct dyno_error error = {0};

        ck_assert_msg(run_pass(bench, texts, pass, yields, &error) == DYNO_OK, "%s", error.text);
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            ck_assert_uint_eq(yields[s].token, largest(yields[s].logits, vocab));
            memcpy(logits + ((size_t)pass * SEQUENCES + s) * vocab, yields[s].logits,
                   vocab * sizeof *logits);
        }
    }
    ck_assert_uint_eq(scores.told, scoring ? scored : 0);
    return logits;
}

/* How far apart they are, as a share of their size, by norms. */
static double apart(const float *got, const float *due, uint32_t count)
{
    double size = 0.0, distance = 0.0;

    for (uint32_t i = 0; i < count; i++) {
        double difference = (double)got[i] - (double)due[i];

        size += (double)due[i] * (double)due[i];
        distance += difference * difference;
    }
    return sqrt(distance / size);
}

static const enum family families[] = {LLAMA2, LLAMA3, MISTRAL, QWEN2, QWEN3, MIXTRAL, QWEN3_MOE};
static const uint32_t head_dims[] = {16, 64};

/* Of experts, one as good as the other is another choice with a rounding of BF16. */
enum { FAMILY_COUNT = sizeof families / sizeof families[0], FIRST_OF_EXPERTS = 5 };

/* As in test_cuda_forward.c: a sum over ranks is rounded once more for each. */
#define TOLERANCE_F16  0.02
#define TOLERANCE_BF16 0.35

static struct dyno_weights *model_to_share(struct dyno_rng *rng, int seed, const char *purpose)
{
    enum family family = families[seed % FAMILY_COUNT];
    struct dyno_model model;

    dyno_rng_init(rng, (uint64_t)seed, purpose);
    model = cuda_shapes_to_share(rng, family, head_dims[seed % 2]);
    return cuda_model_of(rng, family, &model);
}

START_TEST(two_and_four_ranks_agree_with_one)
{
    struct dyno_rng rng;
    struct dyno_weights *weights = model_to_share(&rng, _i, "cuda ranks agree");
    bool is_f16 = _i % 2 || _i % FAMILY_COUNT >= FIRST_OF_EXPERTS;
    enum dyno_element element = is_f16 ? DYNO_ELEMENT_F16 : DYNO_ELEMENT_BF16;
    uint32_t vocab = weights->model.vocab, count = LOGITS * vocab;
    struct text texts[SEQUENCES];
    struct bench *one = bench_open(weights, 0, element, false);
    const float *due;

    scoring = _i / 2 % 2;
    make_texts(&rng, vocab, texts);
    due = all_logits(one, texts, vocab);
    bench_close(one);
    for (uint32_t ranks = 2; ranks <= 4; ranks += 2) {
        struct bench *several = bench_open(weights, ranks, element, false);
        double distance = apart(all_logits(several, texts, vocab), due, count);

        ck_assert_msg(distance <= (is_f16 ? TOLERANCE_F16 : TOLERANCE_BF16),
                      "seed %d, %u ranks: %g of the logits apart", _i, ranks, distance);
        bench_close(several);
    }
}
END_TEST

/* Passes as graphs that were captured before the first, and kernel by kernel. */
START_TEST(graphs_of_ranks_give_what_launches_give)
{
    struct dyno_rng rng;
    struct dyno_weights *weights = model_to_share(&rng, _i, "cuda ranks graphs");
    uint32_t vocab = weights->model.vocab, ranks = _i % 2 ? 4 : 2;
    struct text texts[SEQUENCES];
    const float *logits[2];

    scoring = _i / 2 % 2;
    make_texts(&rng, vocab, texts);
    for (uint32_t round = 0; round < 2; round++) {
        struct bench *bench = bench_open(weights, ranks, DYNO_ELEMENT_F16, round == 0);

        if (round == 1) {
            ck_assert(dyno_cuda_ranks_warm(bench->all, NULL) == DYNO_OK);
        }
        logits[round] = all_logits(bench, texts, vocab);
        bench_close(bench);
    }
    ck_assert_msg(memcmp(logits[0], logits[1], LOGITS * vocab * sizeof(float)) == 0, "seed %d", _i);
}
END_TEST

/* The sums and the gather of a group of one change nothing. */
START_TEST(a_group_of_one_is_no_group)
{
    struct dyno_rng rng;
    struct dyno_weights *weights = model_to_share(&rng, _i, "cuda ranks alone");
    uint32_t vocab = weights->model.vocab;
    struct text texts[SEQUENCES];
    const float *logits[2];

    scoring = _i / 2 % 2;
    make_texts(&rng, vocab, texts);
    for (uint32_t ranks = 0; ranks < 2; ranks++) {
        struct bench *bench = bench_open(weights, ranks, DYNO_ELEMENT_BF16, false);

        logits[ranks] = all_logits(bench, texts, vocab);
        bench_close(bench);
    }
    ck_assert_msg(memcmp(logits[0], logits[1], LOGITS * vocab * sizeof(float)) == 0, "seed %d", _i);
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------- */

START_TEST(every_rank_has_a_plan_of_its_own)
{
    struct dyno_rng rng;
    struct dyno_weights *weights = model_to_share(&rng, 0, "cuda ranks plan");
    struct dyno_cuda_forward_config config = forward_config(DYNO_ELEMENT_BF16, false);
    struct bench *bench = bench_open(weights, 4, DYNO_ELEMENT_BF16, false);
    struct dyno_cuda_load load = {.workers = 1, .group_bytes = 12345};
    struct dyno_cuda_plan whole, plan[4];

    ck_assert(dyno_cuda_plan_make(&whole, weights, DYNO_ELEMENT_BF16, CONTEXT, &config,
                                  &(struct dyno_cuda_load){.workers = 1}, UINT64_MAX,
                                  NULL) == DYNO_OK);
    for (uint32_t i = 0; i < 4; i++) {
        config.shard = &bench->shards[i];
        ck_assert(dyno_cuda_plan_make(&plan[i], bench->views[i], DYNO_ELEMENT_BF16, CONTEXT,
                                      &config, &load, UINT64_MAX, NULL) == DYNO_OK);
        ck_assert_uint_eq(plan[i].weights, bench->models[i]->bytes);
        ck_assert_uint_lt(plan[i].weights, whole.weights);
        ck_assert_uint_eq(plan[i].block * weights->model.kv_heads,
                          whole.block * bench->shards[i].kv_heads.count);
        ck_assert_uint_eq(plan[i].group, load.group_bytes); /* NCCL's */
        ck_assert_uint_eq(plan[i].total, plan[i].weights + plan[i].passes + plan[i].group +
                                             plan[i].reserve + plan[i].blocks * plan[i].block);
    }
    ck_assert_uint_lt(plan[1].passes, plan[0].passes); /* it chooses no tokens */
    bench_close(bench);
}
END_TEST

/* ---- faults ---------------------------------------------------------------------------------- */

/* Wherever in its passes a rank's GPU is lost, nobody waits for it, and all can be closed. */
START_TEST(a_rank_that_is_lost_ends_the_pass_of_all)
{
    struct dyno_rng rng;
    struct dyno_weights *weights = model_to_share(&rng, 4, "cuda ranks lost");
    uint32_t lost = (uint32_t)_i % 2;
    struct text texts[SEQUENCES];
    struct bench *bench = bench_open(weights, 2, DYNO_ELEMENT_BF16, false);
    dyno_status status = DYNO_OK;
    struct dyno_error error = {0};
    char due[64];

    scoring = _i / 2 % 2;
    scores =
        (struct scores){.logits = array_of((size_t)LOGITS * weights->model.vocab, sizeof(float)),
                        .vocab = weights->model.vocab};
    make_texts(&rng, weights->model.vocab, texts);
    dyno_emulation_lose((int)lost, 1 + (uint64_t)_i * 17, cudaErrorIllegalAddress);
    for (uint32_t pass = 0; status == DYNO_OK && pass <= DECODED; pass++) {
        struct dyno_cuda_yield yields[SEQUENCES];

        status = run_pass(bench, texts, pass, yields, &error);
    }
    (void)snprintf(due, sizeof due, "rank %u on GPU %u: ", lost, lost);
    ck_assert_msg(status == DYNO_WORKER_GONE && strstr(error.text, due) == error.text,
                  "seed %d: %d, %s", _i, (int)status, error.text);
    ck_assert(dyno_cuda_ranks_warm(bench->all, &error) == DYNO_WORKER_GONE);
    bench_close(bench);
    dyno_emulation_lose((int)lost, 0, cudaSuccess);
}
END_TEST

START_TEST(ranks_on_one_gpu_are_refused)
{
    struct dyno_rng rng;
    struct dyno_weights *weights = model_to_share(&rng, 0, "cuda ranks twice");
    struct bench *bench = bench_open(weights, 2, DYNO_ELEMENT_BF16, false);
    struct dyno_cuda_rank on[2] = {{0, bench->models[0], &bench->shards[0]},
                                   {0, bench->models[0], &bench->shards[1]}};
    struct dyno_cuda_ranks *none = NULL;
    struct dyno_error error = {0};

    ck_assert(dyno_cuda_ranks_open(
                  &none,
                  &(struct dyno_cuda_ranks_config){
                      .rank = on, .ranks = 2, .forward = forward_config(DYNO_ELEMENT_BF16, false)},
                  &error) == DYNO_UNSUPPORTED);
    ck_assert_msg(!none && strstr(error.text, "NCCL does not bring 2 GPUs together"), "%s",
                  error.text);
    bench_close(bench);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("ranks");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, NULL, arrays_free);
    tcase_add_loop_test(tc, two_and_four_ranks_agree_with_one, 0, 7);
    tcase_add_loop_test(tc, graphs_of_ranks_give_what_launches_give, 0, 1);
    tcase_add_loop_test(tc, a_group_of_one_is_no_group, 0, 1);
    tcase_add_test(tc, every_rank_has_a_plan_of_its_own);
    tcase_add_loop_test(tc, a_rank_that_is_lost_ends_the_pass_of_all, 0, 6);
    tcase_add_test(tc, ranks_on_one_gpu_are_refused);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("cuda_ranks", add_cases)

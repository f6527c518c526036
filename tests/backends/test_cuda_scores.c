/* Prompts that are scored on a GPU, emulated: what is told of a position is what a prompt that ends
 * there yields. */
#include "tests/backends/cuda_bench.h"

/* Logits of the positions of one sequence, as they are told. */
struct scored {
    uint32_t vocab, slice; /* the slice that may be told of */
    uint32_t told[LENGTH_MAX];
    float *logits; /* [LENGTH_MAX][vocab] */
};

static void hear(void *context, uint32_t slice, uint32_t first, uint32_t count, const float *logits)
{
    struct scored *scored = context;

    ck_assert_uint_eq(slice, scored->slice);
    for (uint32_t i = 0; i < count; i++) {
        scored->told[first + i]++;
        memcpy(scored->logits + (size_t)(first + i) * scored->vocab,
               logits + (size_t)i * scored->vocab, scored->vocab * sizeof *logits);
    }
}

/* Logits of position `end - 1`; the caller's until the next pass. */
static const float *logits_behind(const struct bench *bench, const struct sequence *sequence,
                                  uint32_t end)
{
    struct dyno_cuda_slice slice = {.tokens = sequence->tokens,
                                    .count = end,
                                    .table = sequence->table,
                                    .want = DYNO_CUDA_WANT_LOGITS};
    struct dyno_cuda_yield yield;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_cuda_forward_run(bench->forward, &slice, 1, &yield, &error) == DYNO_OK, "%s",
                  error.text);
    return yield.logits;
}

/* The next `count` positions are scored between two others' tokens, of which one yields. */
static void score_slice(const struct bench *bench, struct sequence sequences[SEQUENCES],
                        uint32_t count, float *last)
{
    struct sequence *at = &sequences[1];
    struct dyno_cuda_slice slices[SEQUENCES];
    struct dyno_cuda_yield yields[SEQUENCES];
    struct dyno_error error = {0};
    bool ends = at->done + count == at->length;

    for (uint32_t s = 0; s < SEQUENCES; s++) {
        slices[s] = (struct dyno_cuda_slice){
            .tokens = sequences[s].tokens + sequences[s].done,
            .first = sequences[s].done,
            .count = s == 1 ? count : 1,
            .table = sequences[s].table,
            .scored = s == 1,
            .want = (s == 1 && ends) || s == 2 ? DYNO_CUDA_WANT_LOGITS : DYNO_CUDA_WANT_NOTHING};
    }
    ck_assert_msg(dyno_cuda_forward_run(bench->forward, slices, SEQUENCES, yields, &error) ==
                      DYNO_OK,
                  "%s", error.text);
    at->done += count;
    if (ends) {
        memcpy(last, yields[0].logits, bench->weights->model.vocab * sizeof *last);
    }
    ck_assert(yields[ends ? 1 : 0].token ==
              largest(yields[ends ? 1 : 0].logits, bench->weights->model.vocab));
}

/* In slices longer and shorter than what is told at a time. */
START_TEST(every_position_is_scored_as_the_end_of_what_comes_before)
{
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    struct bench bench;
    struct scored scored = {.slice = 1};
    struct dyno_cuda_forward_config config = bench_config(DYNO_CUDA_KV_F16);
    float *last;
    uint32_t length;

    dyno_rng_init(&rng, (uint64_t)_i, "cuda scores");
    bench.weights = cuda_model(&rng, families[_i % FAMILY_COUNT], head_dims[_i % 3]);
    scored.vocab = bench.weights->model.vocab;
    scored.logits = array_of((size_t)LENGTH_MAX * scored.vocab, sizeof *scored.logits);
    last = array_of(scored.vocab, sizeof *last);
    config.score = hear;
    config.score_context = &scored;
    bench = bench_open_as(bench.weights, DYNO_ELEMENT_F16, config);
    make_sequences(&rng, bench.weights, sequences);
    length = sequences[1].length = LENGTH_MAX - (uint32_t)dyno_rng_below(&rng, 9);
    for (uint32_t left = length, count; left > 0; left -= count) {
        count = 1 + (uint32_t)dyno_rng_below(&rng, left < 17 ? left : 17);
        score_slice(&bench, sequences, count, last);
    }
    for (uint32_t i = 0; i < length; i++) {
        const float *got = i + 1 < length ? scored.logits + (size_t)i * scored.vocab : last;

        ck_assert_uint_eq(scored.told[i], i + 1 < length);
        expect_near(got, logits_behind(&bench, &sequences[1], i + 1), scored.vocab, TOLERANCE_F16,
                    _i);
    }
    bench_close(&bench);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("scores");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, NULL, arrays_free);
    tcase_add_loop_test(tc, every_position_is_scored_as_the_end_of_what_comes_before, 0,
                        FAMILY_COUNT);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("cuda_scores", add_cases)

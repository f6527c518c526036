/* Steps of decoding that follow each other on a GPU, emulated, without the host. */
#include "tests/backends/cuda_bench.h"
#include "tests/check_main.h"

enum { AHEAD = 9 }; /* steps of decoding, over the ends of blocks and from one size of a graph on */

/* Every sequence by a token from where it is. */
static void next_slices(const struct sequence *sequences, struct dyno_cuda_slice *slices)
{
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        slices[s] = (struct dyno_cuda_slice){
            .tokens = sequences[s].tokens + sequences[s].done - 1,
            .first = sequences[s].done - 1,
            .count = 1,
            .table = sequences[s].table,
            .want = DYNO_CUDA_WANT_TOKEN,
            .sampling = {.temperature = s == 1 ? 0.8 : 0.0, .top_p = 1.0, .seed = 5}};
    }
}

static void prompt_of(const struct bench *bench, struct sequence *sequence)
{
    struct dyno_cuda_slice slice = {.tokens = sequence->tokens,
                                    .count = sequence->length,
                                    .table = sequence->table,
                                    .want = DYNO_CUDA_WANT_TOKEN};
    struct dyno_cuda_yield yield;

    ck_assert(dyno_cuda_forward_run(bench->forward, &slice, 1, &yield, NULL) == DYNO_OK);
    sequence->done = sequence->length;
    sequence->tokens[sequence->done++] = yield.token;
}

/* AHEAD steps behind prompts, of which up to `further` may follow one: where it is more than 0 they
 * do.  A pass ends after `most` of them, with a step that was begun and does not count. */
static void decode_all(const struct bench *bench, struct sequence *sequences, uint32_t further,
                       uint32_t most)
{
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        prompt_of(bench, &sequences[s]);
    }
    for (uint32_t step = 0, of_pass = 0; step < AHEAD; step++, of_pass++) {
        uint32_t left = AHEAD - 1 - step, may = further < left ? further : left;
        struct dyno_cuda_slice slices[SEQUENCES];
        struct dyno_cuda_yield yields[SEQUENCES];
        struct dyno_error error = {0};

        next_slices(sequences, slices);
        ck_assert_msg(dyno_cuda_forward_step(bench->forward, slices, SEQUENCES, may, yields,
                                             &error) == DYNO_OK,
                      "%s", error.text);
        ck_assert(dyno_cuda_forward_is_ahead(bench->forward) == (may > 0));
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            sequences[s].tokens[sequences[s].done++] = yields[s].token;
        }
        if (of_pass + 1 == most && may > 0) {
            ck_assert(dyno_cuda_forward_rest(bench->forward, &error) == DYNO_OK);
            ck_assert(!dyno_cuda_forward_is_ahead(bench->forward));
            of_pass = UINT32_MAX;
        }
    }
}

/* Case 0 launches kernels, 1 and 2 graphs; in the last some steps are thrown away. */
START_TEST(steps_that_follow_each_other_on_the_device_choose_the_same)
{
    struct dyno_rng rng;
    struct sequence alone[SEQUENCES], ahead[SEQUENCES];
    struct dyno_weights *weights;
    struct bench bench;

    dyno_rng_init(&rng, (uint64_t)_i, "cuda ahead");
    weights = cuda_model(&rng, QWEN3, 64);
    make_sequences(&rng, weights, alone);
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        alone[s].length = 2 + (alone[s].length + s) % (LENGTH_MAX - AHEAD - 3);
    }
    memcpy(ahead, alone, sizeof ahead);
    bench = bench_open(weights, DYNO_ELEMENT_BF16, DYNO_CUDA_KV_BF16, _i == 0);
    decode_all(&bench, alone, 0, UINT32_MAX);
    decode_all(&bench, ahead, AHEAD, _i == 2 ? 3 : UINT32_MAX);
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        ck_assert_uint_eq(alone[s].done, alone[s].length + 1 + AHEAD);
        ck_assert_mem_eq(ahead[s].tokens, alone[s].tokens, alone[s].done * sizeof(uint32_t));
    }
    bench_close(&bench);
}
END_TEST

/* Whoever wants logits, or a prompt, must be asked by the host before the next step. */
START_TEST(steps_wait_for_the_host_where_it_must_choose)
{
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    struct bench bench;

    dyno_rng_init(&rng, 1, "cuda ahead");
    bench.weights = cuda_model(&rng, QWEN3, 16);
    make_sequences(&rng, bench.weights, sequences);
    bench = bench_open(bench.weights, DYNO_ELEMENT_BF16, DYNO_CUDA_KV_BF16, false);
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        sequences[s].length = 6 + s;
        prompt_of(&bench, &sequences[s]);
    }
    for (uint32_t i = 0; i < 4; i++) {
        struct dyno_cuda_slice slices[SEQUENCES];
        struct dyno_cuda_yield yields[SEQUENCES];

        next_slices(sequences, slices);
        slices[1].want = i == 0 ? DYNO_CUDA_WANT_LOGITS : slices[1].want;
        slices[1].want = i == 1 ? DYNO_CUDA_WANT_NOTHING : slices[1].want;
        if (i == 3) { /* one that was begun ahead is asked for its logits */
            ck_assert(dyno_cuda_forward_step(bench.forward, slices, SEQUENCES, 4, yields, NULL) ==
                      DYNO_OK);
            ck_assert(dyno_cuda_forward_is_ahead(bench.forward));
            for (uint32_t s = 0; s < SEQUENCES; s++) {
                sequences[s].tokens[sequences[s].done++] = yields[s].token;
            }
            next_slices(sequences, slices);
            slices[1].want = DYNO_CUDA_WANT_LOGITS;
        }
        if (i == 2) { /* two positions */
            slices[1].tokens--;
            slices[1].first--;
            slices[1].count++;
        }
        ck_assert(dyno_cuda_forward_step(bench.forward, slices, SEQUENCES, 4, yields, NULL) ==
                  DYNO_OK);
        ck_assert(!dyno_cuda_forward_is_ahead(bench.forward));
        ck_assert(i != 3 || (yields[1].logits && !yields[0].logits));
    }
    bench_close(&bench);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("ahead");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, NULL, arrays_free);
    tcase_add_loop_test(tc, steps_that_follow_each_other_on_the_device_choose_the_same, 0, 3);
    tcase_add_test(tc, steps_wait_for_the_host_where_it_must_choose);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("cuda_ahead", add_cases)

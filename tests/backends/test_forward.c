/* The forward pass: against an obvious oracle, and against itself in other company. */
#include "backends/cpu/forward.h"

#include "kernels/matmul.h"
#include "tests/backends/forward_oracle.h"
#include "tests/check_main.h"

enum { LENGTH_MAX = 40, SEQUENCES = 3, SCORED_MAX = 96 /* more than have their logits at once */ };

/* ThreadSanitizer takes minutes for what the other builds do in seconds. */
#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 1 };
#else
enum { ROUNDS = 4 * DYNO_ELEMENTS };
#endif

/* A model, and a place to compute it in. */
struct bench {
    struct dyno_weights *weights;
    struct dyno_team *team;
    struct dyno_kv_storage *storage;
    struct dyno_forward *forward;
};

static struct bench bench_open(struct dyno_weights *weights, uint32_t workers,
                               uint32_t block_tokens, enum dyno_element kv,
                               const struct dyno_isa *isa)
{
    struct bench bench = {.weights = weights, .team = dyno_team_open(workers)};
    struct dyno_error error = {0};
    uint32_t blocks = SEQUENCES * ((LENGTH_MAX - 1) / block_tokens + 1) + 5;
    struct dyno_forward_config config = {
        .weights = weights, .team = bench.team, .isa = isa, .rows_max = SEQUENCES * LENGTH_MAX};

    ck_assert_msg(dyno_kv_storage_open(&bench.storage, &weights->model, blocks, block_tokens, kv,
                                       &error) == DYNO_OK,
                  "%s", error.text);
    config.storage = bench.storage;
    ck_assert_msg(dyno_forward_open(&bench.forward, &config, &error) == DYNO_OK, "%s", error.text);
    return bench;
}

static void bench_close(struct bench *bench)
{
    dyno_forward_close(bench->forward);
    dyno_kv_storage_close(bench->storage);
    dyno_team_close(bench->team);
}

/* A sequence and the blocks it lies in. */
struct sequence {
    uint32_t tokens[LENGTH_MAX], length, done;
    uint32_t table[LENGTH_MAX + 2]; /* random_tables hands out all blocks */
};

static struct sequence random_sequence(struct dyno_rng *rng, const struct dyno_weights *weights)
{
    struct sequence sequence = {.length = 1 + (uint32_t)dyno_rng_below(rng, LENGTH_MAX)};

    for (uint32_t i = 0; i < sequence.length; i++) {
        sequence.tokens[i] = (uint32_t)dyno_rng_below(rng, weights->model.vocab);
    }
    return sequence;
}

/* Every block of the storage in random order; sequence s takes from s x (blocks / SEQUENCES). */
static void random_tables(struct dyno_rng *rng, const struct bench *bench,
                          struct sequence *sequences)
{
    uint32_t blocks = bench->storage->blocks, all[SEQUENCES * LENGTH_MAX + 5];

    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t other = (uint32_t)dyno_rng_below(rng, i + 1);

        all[i] = all[other];
        all[other] = i;
    }
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        memcpy(sequences[s].table, all + s * (blocks / SEQUENCES),
               blocks / SEQUENCES * sizeof(uint32_t));
    }
}

static struct dyno_forward_slice next_slice(const struct sequence *sequence, uint32_t count)
{
    return (struct dyno_forward_slice){.tokens = sequence->tokens + sequence->done,
                                       .first = sequence->done,
                                       .count = count,
                                       .table = sequence->table,
                                       .yields = true};
}

/* The logits of the last position, the sequence computed alone and in one go. */
static float *alone(const struct bench *bench, struct sequence sequence)
{
    struct dyno_forward_slice slice = next_slice(&sequence, sequence.length);
    float *logits = array_of(bench->weights->model.vocab, sizeof(float));

    dyno_forward_run(bench->forward, &slice, 1, logits);
    return logits;
}

/* Random slices of all sequences in random passes until all is done.  logits[s] is of the last
 * position of sequence s. */
static void together(struct dyno_rng *rng, const struct bench *bench, struct sequence *sequences,
                     float *logits[SEQUENCES])
{
    uint32_t vocab = bench->weights->model.vocab;
    float *yielded = array_of((size_t)SEQUENCES * vocab, sizeof(float));

    for (;;) {
        struct dyno_forward_slice slices[SEQUENCES];
        uint32_t count = 0, yield = 0, of[SEQUENCES] = {0};

        for (uint32_t s = 0; s < SEQUENCES; s++) {
            uint32_t left = sequences[s].length - sequences[s].done;

            if (left == 0 || dyno_rng_below(rng, 3) == 0) {
                continue;
            }
            of[count] = s;
            slices[count] = next_slice(&sequences[s], 1 + (uint32_t)dyno_rng_below(rng, left));
            sequences[s].done += slices[count].count;
            slices[count].yields = sequences[s].done == sequences[s].length;
            count++;
        }
        if (count > 0) {
            dyno_forward_run(bench->forward, slices, count, yielded);
        }
        for (uint32_t i = 0; i < count; i++) {
            if (slices[i].yields) {
                memcpy(logits[of[i]], yielded + (size_t)yield++ * vocab, vocab * sizeof(float));
            }
        }
        if (sequences[0].done == sequences[0].length && sequences[1].done == sequences[1].length &&
            sequences[2].done == sequences[2].length) {
            return;
        }
    }
}

static void expect_same(const float *here, const float *there, uint32_t count, int seed,
                        const char *what)
{
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_msg(memcmp(&here[i], &there[i], sizeof(float)) == 0,
                      "seed %d, %s: logit %u is %a, not %a", seed, what, i, (double)here[i],
                      (double)there[i]);
    }
}

START_TEST(logits_agree_with_the_oracle)
{
    enum family family = (enum family)(_i % FAMILIES);
    enum dyno_element element = (enum dyno_element)(_i / FAMILIES % DYNO_ELEMENTS);

    for (int index = 0; index < ISAS_MAX; index++) {
        const struct dyno_isa *isa = isa_at(index);
        struct sequence sequences[SEQUENCES];
        struct dyno_rng rng;
        struct bench bench;

        if (!isa) {
            continue;
        }
        dyno_rng_init(&rng, (uint64_t)_i, "oracle");
        bench = bench_open(tiny_model(&rng, family, element), 1,
                           1 + (uint32_t)dyno_rng_below(&rng, 20), DYNO_ELEMENT_F32, isa);
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            sequences[s] = random_sequence(&rng, bench.weights);
        }
        random_tables(&rng, &bench, sequences);
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            uint32_t vocab = bench.weights->model.vocab, last = sequences[s].length - 1;
            const float *logits = alone(&bench, sequences[s]);
            const double *due =
                oracle_logits(bench.weights, sequences[s].tokens, sequences[s].length) +
                (size_t)last * vocab;
            double largest = 1.0;

            for (uint32_t i = 0; i < vocab; i++) {
                largest = fmax(largest, fabs(due[i]));
            }
            for (uint32_t i = 0; i < vocab; i++) {
                double error = fabs((double)logits[i] - due[i]);

                ck_assert_msg(error <= 2e-4 * largest,
                              "seed %d, %s, sequence %u: logit %u is %g, not %g (of %g)", _i,
                              isa->name, s, i, (double)logits[i], due[i], largest);
            }
        }
        bench_close(&bench);
    }
}
END_TEST

START_TEST(company_chunks_blocks_and_threads_do_not_show)
{
    static const enum dyno_element stored[] = {DYNO_ELEMENT_F32, DYNO_ELEMENT_F16,
                                               DYNO_ELEMENT_BF16};
    enum family family = (enum family)(_i % FAMILIES);
    enum dyno_element element = (enum dyno_element)(_i / FAMILIES % DYNO_ELEMENTS);
    enum dyno_element kv = stored[_i / FAMILIES % 3];

    for (int index = 0; index < ISAS_MAX; index++) {
        const struct dyno_isa *isa = isa_at(index);
        struct sequence sequences[SEQUENCES];
        float *logits[SEQUENCES];
        struct bench one, two;
        struct dyno_rng rng;
        uint32_t vocab;

        if (!isa) {
            continue;
        }
        dyno_rng_init(&rng, (uint64_t)_i, "company");
        one = bench_open(tiny_model(&rng, family, element), 1,
                         1 + (uint32_t)dyno_rng_below(&rng, 20), kv, isa);
        two = bench_open(one.weights, 2, 1 + (uint32_t)dyno_rng_below(&rng, 20), kv, isa);
        vocab = one.weights->model.vocab;
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            sequences[s] = random_sequence(&rng, one.weights);
            logits[s] = array_of(vocab, sizeof(float));
        }
        random_tables(&rng, &two, sequences);
        together(&rng, &two, sequences, logits);
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            sequences[s].done = 0;
        }
        random_tables(&rng, &one, sequences);
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            expect_same(logits[s], alone(&one, sequences[s]), vocab, _i, isa->name);
        }
        bench_close(&one);
        bench_close(&two);
    }
}
END_TEST

/* Two sequences with the same beginning, in the same blocks: in one pass both compute and write
 * it, or the second reads what the first writes, or it was there before. */
START_TEST(a_shared_beginning_does_not_show)
{
    enum { BLOCK = 4 };
    enum family family = (enum family)(_i % FAMILIES);
    struct sequence first, second;
    struct dyno_forward_slice slices[2];
    struct dyno_rng rng;
    struct bench bench;
    uint32_t vocab, shared;
    float *due, *logits;

    dyno_rng_init(&rng, (uint64_t)_i, "shared");
    bench =
        bench_open(tiny_model(&rng, family, DYNO_ELEMENT_BF16), 2, BLOCK, DYNO_ELEMENT_F32, NULL);
    vocab = bench.weights->model.vocab;
    first = random_sequence(&rng, bench.weights);
    second = random_sequence(&rng, bench.weights);
    shared = (first.length < second.length ? first.length : second.length) - 1;
    shared = shared / BLOCK * BLOCK;
    memcpy(second.tokens, first.tokens, shared * sizeof(uint32_t));
    for (uint32_t i = 0; i < LENGTH_MAX / BLOCK; i++) {
        first.table[i] = 3 * i;
        second.table[i] = i < shared / BLOCK ? 3 * i : 3 * i + 1;
    }
    due = alone(&bench, second);
    logits = array_of(2 * (size_t)vocab, sizeof(float));
    slices[0] = next_slice(&first, first.length);
    slices[1] = next_slice(&second, second.length);
    dyno_forward_run(bench.forward, slices, 2, logits);
    expect_same(logits + vocab, due, vocab, _i, "both write");

    second.done = shared;
    slices[1] = next_slice(&second, second.length - shared);
    dyno_forward_run(bench.forward, slices, 2, logits);
    expect_same(logits + vocab, due, vocab, _i, "one reads what the other writes");
    dyno_forward_run(bench.forward, slices + 1, 1, logits);
    expect_same(logits, due, vocab, _i, "it was there");
    bench_close(&bench);
}
END_TEST

/* Other tokens in the place of those that are cached: what was stored before is what is read, and
 * it stays. */
START_TEST(what_is_cached_is_read_and_not_stored)
{
    enum { BLOCK = 4 };
    struct dyno_forward_slice slice;
    struct sequence sequence;
    struct dyno_rng rng;
    struct bench bench;
    float *due, *logits;
    char *before, *after;
    size_t bytes;

    dyno_rng_init(&rng, (uint64_t)_i, "cached");
    bench = bench_open(tiny_model(&rng, (enum family)_i, DYNO_ELEMENT_BF16), 2, BLOCK,
                       DYNO_ELEMENT_F32, NULL);
    do {
        sequence = random_sequence(&rng, bench.weights);
    } while (sequence.length < 2 * BLOCK);
    for (uint32_t i = 0; i < LENGTH_MAX / BLOCK; i++) {
        sequence.table[i] = 3 * i;
    }
    due = alone(&bench, sequence);
    logits = array_of(bench.weights->model.vocab, sizeof(float));
    bytes = dyno_kv_storage_block_bytes(bench.storage);
    before = array_of(2, bytes);
    after = before + bytes;
    dyno_kv_storage_get(bench.storage, sequence.table[1], before);

    sequence.done = BLOCK + 1;
    for (uint32_t i = sequence.done; i + 1 < sequence.length; i++) {
        sequence.tokens[i] = (sequence.tokens[i] + 1) % bench.weights->model.vocab;
    }
    slice = next_slice(&sequence, sequence.length - sequence.done);
    slice.cached = slice.count - 1;
    dyno_forward_run(bench.forward, &slice, 1, logits);
    expect_same(logits, due, bench.weights->model.vocab, _i, "cached");
    dyno_kv_storage_get(bench.storage, sequence.table[1], after);
    ck_assert_mem_eq(before, after, bytes);
    bench_close(&bench);
}
END_TEST

/* What the model's last matrix makes of a hidden state. */
static float *logits_of(const struct bench *bench, const float *state)
{
    const struct dyno_model *model = &bench->weights->model;
    float *logits = array_of(model->vocab, sizeof(float));
    struct dyno_matmul_job job = {.weights = &bench->weights->logits,
                                  .x = state,
                                  .n = 1,
                                  .x_stride = model->hidden,
                                  .y_stride = model->vocab,
                                  .y = logits};

    dyno_matmul(dyno_isa_best(), bench->team, &job, 1);
    return logits;
}

/* Of three sequences in one pass, one gives its state: it is what its logits are made of, in any
 * company, and the logits of the others do not miss it. */
START_TEST(a_state_goes_out_in_the_place_of_logits)
{
    enum family family = (enum family)(_i % FAMILIES);
    struct sequence sequences[SEQUENCES];
    struct dyno_forward_slice slices[SEQUENCES];
    struct dyno_rng rng;
    struct bench bench;
    float *due[SEQUENCES], *logits, *state, *together_state;
    uint32_t vocab, hidden, which = (uint32_t)_i / FAMILIES % SEQUENCES;

    dyno_rng_init(&rng, (uint64_t)_i, "state");
    bench = bench_open(tiny_model(&rng, family, DYNO_ELEMENT_F32), 2, 4, DYNO_ELEMENT_F32, NULL);
    vocab = bench.weights->model.vocab;
    hidden = bench.weights->model.hidden;
    state = array_of(hidden, sizeof(float));
    together_state = array_of(hidden, sizeof(float));
    logits = array_of((size_t)SEQUENCES * vocab, sizeof(float));
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        sequences[s] = random_sequence(&rng, bench.weights);
    }
    random_tables(&rng, &bench, sequences);
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        due[s] = alone(&bench, sequences[s]);
        slices[s] = next_slice(&sequences[s], sequences[s].length);
    }
    slices[which].state = state;
    dyno_forward_run(bench.forward, &slices[which], 1, NULL);
    expect_same(logits_of(&bench, state), due[which], vocab, _i, "alone");

    slices[which].state = together_state;
    dyno_forward_run(bench.forward, slices, SEQUENCES, logits);
    expect_same(together_state, state, hidden, _i, "in company");
    for (uint32_t s = 0, row = 0; s < SEQUENCES; s++) {
        if (s != which) {
            expect_same(logits + (size_t)row++ * vocab, due[s], vocab, _i, "the others");
        }
    }
    bench_close(&bench);
}
END_TEST

/* A long sequence, and what passes tell of it. */
struct scored {
    struct bench bench;
    uint32_t tokens[SCORED_MAX], length, vocab;
    uint32_t index, told; /* its slice in the pass; positions told of */
    float *scores, *due;  /* [SCORED_MAX][vocab] */
    float *yielded;       /* [3][vocab] */
};

static void hear_scores(void *context, uint32_t slice, uint32_t first, uint32_t count,
                        const float *logits)
{
    struct scored *scored = context;

    ck_assert_uint_eq(slice, scored->index);
    ck_assert_uint_lt(first + count, scored->length);
    memcpy(scored->scores + (size_t)first * scored->vocab, logits,
           (size_t)count * scored->vocab * sizeof *logits);
    scored->told += count;
}

static void scored_open(struct scored *scored, struct dyno_rng *rng, struct dyno_weights *weights)
{
    struct dyno_forward_config config = {.weights = weights,
                                         .team = dyno_team_open(2),
                                         .rows_max = SCORED_MAX + 2,
                                         .score = hear_scores,
                                         .score_context = scored};
    struct dyno_error error;

    *scored = (struct scored){.bench = {.weights = weights, .team = config.team},
                              .vocab = weights->model.vocab};
    ck_assert_int_eq(dyno_kv_storage_open(&scored->bench.storage, &weights->model, 5, 24,
                                          DYNO_ELEMENT_F32, &error),
                     DYNO_OK);
    config.storage = scored->bench.storage;
    ck_assert_int_eq(dyno_forward_open(&scored->bench.forward, &config, &error), DYNO_OK);
    scored->length =
        dyno_forward_positions(scored->bench.forward) - (uint32_t)dyno_rng_below(rng, 9);
    scored->scores = array_of((size_t)SCORED_MAX * scored->vocab, sizeof(float));
    scored->due = array_of((size_t)SCORED_MAX * scored->vocab, sizeof(float));
    scored->yielded = array_of((size_t)3 * scored->vocab, sizeof(float));
    for (uint32_t i = 0; i < scored->length; i++) {
        scored->tokens[i] = (uint32_t)dyno_rng_below(rng, scored->vocab);
    }
}

static const uint32_t scored_table[] = {0, 1, 2, 3}, scored_company[] = {4};

/* The next `count` positions are scored, alone or between two sequences that yield: those are one
 * token, the first of ours. */
static void score_slice(struct scored *scored, uint32_t done, uint32_t count, bool is_alone,
                        int seed)
{
    struct dyno_forward_slice other = {
        .tokens = scored->tokens, .count = 1, .table = scored_company, .yields = true};
    struct dyno_forward_slice slice = {.tokens = scored->tokens + done,
                                       .first = done,
                                       .count = count,
                                       .table = scored_table,
                                       .yields = done + count == scored->length,
                                       .scored = true};
    struct dyno_forward_slice slices[] = {other, slice, other};
    const float *end = scored->yielded;

    scored->index = is_alone ? 0 : 1;
    dyno_forward_run(scored->bench.forward, is_alone ? &slice : slices, is_alone ? 1 : 3,
                     scored->yielded);
    if (!is_alone) {
        expect_same(end, scored->due, scored->vocab, seed, "before it");
        end += scored->vocab;
        expect_same(end + slice.yields * scored->vocab, scored->due, scored->vocab, seed,
                    "behind it");
    }
    if (slice.yields) {
        expect_same(end, scored->due + (size_t)(scored->length - 1) * scored->vocab, scored->vocab,
                    seed, "its end");
    }
}

/* Whatever the slices: each position but the last has the logits of a sequence that ends there. */
START_TEST(every_position_is_scored_as_the_end_of_what_comes_before)
{
    struct scored scored;
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "scores");
    scored_open(&scored, &rng, tiny_model(&rng, (enum family)(_i % FAMILIES), DYNO_ELEMENT_F32));
    for (uint32_t i = 0; i < scored.length; i++) {
        struct dyno_forward_slice end = {
            .tokens = scored.tokens, .count = i + 1, .table = scored_table, .yields = true};

        dyno_forward_run(scored.bench.forward, &end, 1, scored.due + (size_t)i * scored.vocab);
    }
    for (uint32_t done = 0, count; done < scored.length; done += count) {
        count = scored.length - done;
        count = _i % 2 ? count : 1 + (uint32_t)dyno_rng_below(&rng, count);
        score_slice(&scored, done, count, dyno_rng_below(&rng, 2) == 0, _i);
    }
    ck_assert_uint_eq(scored.told, scored.length - 1);
    expect_same(scored.scores, scored.due, (scored.length - 1) * scored.vocab, _i, "scored");
    bench_close(&scored.bench);
}
END_TEST

START_TEST(what_cannot_be_computed_is_refused)
{
    struct dyno_rng rng;
    struct dyno_weights *weights;
    struct dyno_kv_storage *storage = NULL;
    struct dyno_forward *forward = NULL;
    struct dyno_team *team = dyno_team_open(1);
    struct dyno_error error;
    struct dyno_forward_config config;

    dyno_rng_init(&rng, 1, "refused");
    weights = tiny_model(&rng, LLAMA3, DYNO_ELEMENT_F32);
    ck_assert_int_eq(
        dyno_kv_storage_open(&storage, &weights->model, 0, 16, DYNO_ELEMENT_F32, &error),
        DYNO_BAD_INPUT);
    ck_assert_int_eq(
        dyno_kv_storage_open(&storage, &weights->model, 4, 5000, DYNO_ELEMENT_F32, &error),
        DYNO_BAD_INPUT);
    ck_assert_int_eq(
        dyno_kv_storage_open(&storage, &weights->model, 4, 16, DYNO_ELEMENT_Q8_0, &error),
        DYNO_BAD_INPUT);
    ck_assert_ptr_null(storage);
    ck_assert_int_eq(
        dyno_kv_storage_open(&storage, &weights->model, 2, 16, DYNO_ELEMENT_F32, &error), DYNO_OK);
    config = (struct dyno_forward_config){
        .weights = weights, .storage = storage, .team = team, .rows_max = 0};
    ck_assert_int_eq(dyno_forward_open(&forward, &config, &error), DYNO_BAD_INPUT);
    config.rows_max = 4;
    weights->embedding.rows--;
    ck_assert_int_eq(dyno_forward_open(&forward, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "embedding"));
    weights->embedding.rows++;
    weights->activation = DYNO_ACTIVATION_GELU_TANH;
    ck_assert_int_eq(dyno_forward_open(&forward, &config, &error), DYNO_UNSUPPORTED);
    weights->activation = DYNO_ACTIVATION_SILU;
    ck_assert_ptr_null(forward);
    ck_assert_int_eq(dyno_forward_open(&forward, &config, &error), DYNO_OK);
    ck_assert_uint_eq(dyno_forward_positions(forward), 32); /* 2 blocks of 16, of 96 */
    dyno_forward_close(forward);
    dyno_kv_storage_close(storage);
    dyno_team_close(team);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("forward");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_loop_test(tcase, logits_agree_with_the_oracle, 0, ROUNDS * FAMILIES);
    tcase_add_loop_test(tcase, company_chunks_blocks_and_threads_do_not_show, 0, ROUNDS * FAMILIES);
    tcase_add_loop_test(tcase, a_shared_beginning_does_not_show, 0, 4 * FAMILIES);
    tcase_add_loop_test(tcase, what_is_cached_is_read_and_not_stored, 0, FAMILIES);
    tcase_add_loop_test(tcase, a_state_goes_out_in_the_place_of_logits, 0, SEQUENCES * FAMILIES);
    tcase_add_loop_test(tcase, every_position_is_scored_as_the_end_of_what_comes_before, 0,
                        2 * FAMILIES);
    tcase_add_test(tcase, what_cannot_be_computed_is_refused);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("forward", add_cases)

/* Tensor parallelism: a pass that several ranks share, against the same pass of one. */
#include "backends/cpu/ranks.h"

#include "backends/assets/default_model.h"
#include "tests/backends/tiny_models.h"
#include "tests/check_main.h"

enum {
    LENGTH_MAX = 40,
    SEQUENCES = 2,
    BLOCK_TOKENS = 8,
    TABLE = LENGTH_MAX / BLOCK_TOKENS,
    GREEDY = 64, /* tokens */
    MODEL_LAYERS_MAX = 8,
};

/* ThreadSanitizer takes minutes for what the other builds do in seconds. */
#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 1 };
#else
enum { ROUNDS = 2 * DYNO_ELEMENTS };
#endif

struct sequence {
    uint32_t tokens[LENGTH_MAX], length, done;
    uint32_t table[TABLE];
};

/* Sequence s in blocks s, s + SEQUENCES, ..., or in the same from the end. */
static void place(struct sequence *sequences, bool from_the_end)
{
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        for (uint32_t i = 0; i < TABLE; i++) {
            uint32_t block = i * SEQUENCES + s;

            sequences[s].table[i] = from_the_end ? TABLE * SEQUENCES - 1 - block : block;
        }
        sequences[s].done = 0;
    }
}

static void random_sequences(struct dyno_rng *rng, uint32_t vocab, struct sequence *sequences)
{
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        sequences[s].length = 1 + (uint32_t)dyno_rng_below(rng, LENGTH_MAX);
        for (uint32_t i = 0; i < sequences[s].length; i++) {
            sequences[s].tokens[i] = (uint32_t)dyno_rng_below(rng, vocab);
        }
    }
    place(sequences, false);
}

struct heard {
    float *logits; /* [LENGTH_MAX][vocab] of the sequence that is scored */
    uint32_t vocab, told;
};

static void hear(void *context, uint32_t slice, uint32_t first, uint32_t count, const float *logits)
{
    struct heard *heard = context;

    ck_assert_uint_eq(slice, 0);
    memcpy(heard->logits + (size_t)first * heard->vocab, logits,
           (size_t)count * heard->vocab * sizeof *logits);
    heard->told += count;
}

static struct dyno_ranks *ranks_open(const struct dyno_weights *weights, uint32_t ranks,
                                     uint32_t threads, struct heard *heard)
{
    struct dyno_ranks *out = NULL;
    struct dyno_error error = {0};
    struct dyno_ranks_config config = {.weights = weights,
                                       .ranks = ranks,
                                       .threads = threads,
                                       .blocks = SEQUENCES * TABLE,
                                       .block_tokens = BLOCK_TOKENS,
                                       .kv = DYNO_ELEMENT_F32,
                                       .rows_max = SEQUENCES * LENGTH_MAX,
                                       .score = heard ? hear : NULL,
                                       .score_context = heard};

    ck_assert_msg(dyno_ranks_open(&out, &config, &error) == DYNO_OK, "%s", error.text);
    return out;
}

static struct dyno_forward_slice next_slice(const struct sequence *sequence, uint32_t count)
{
    return (struct dyno_forward_slice){.tokens = sequence->tokens + sequence->done,
                                       .first = sequence->done,
                                       .count = count,
                                       .table = sequence->table,
                                       .yields = sequence->done + count == sequence->length};
}

/* The last logits of every sequence, all of it in one pass: [SEQUENCES][vocab]. */
static float *at_once(struct dyno_ranks *ranks, const struct sequence *sequences, uint32_t vocab)
{
    float *logits = array_of((size_t)SEQUENCES * vocab, sizeof *logits);
    struct dyno_forward_slice slices[SEQUENCES];

    for (uint32_t s = 0; s < SEQUENCES; s++) {
        slices[s] = next_slice(&sequences[s], sequences[s].length);
    }
    dyno_ranks_run(ranks, slices, SEQUENCES, logits);
    return logits;
}

static struct dyno_weights *model_to_share(struct dyno_rng *rng, int seed, const char *purpose)
{
    enum family family = (enum family)(seed % FAMILIES);
    enum dyno_element element = (enum dyno_element)(seed / FAMILIES % DYNO_ELEMENTS);
    struct dyno_model model;

    dyno_rng_init(rng, (uint64_t)seed, purpose);
    model = tiny_shapes_to_share(rng, family, element);
    return tiny_model_of(rng, family, element, &model);
}

/* Sums are split between ranks twice a layer: within 2^-14 of the largest logit, or of 1. */
START_TEST(two_and_four_ranks_agree_with_one)
{
    struct sequence sequences[SEQUENCES];
    struct dyno_rng rng;
    struct dyno_weights *weights = model_to_share(&rng, _i, "agree");
    uint32_t vocab = weights->model.vocab;
    struct dyno_ranks *one = ranks_open(weights, 1, 1, NULL);
    double largest = 1.0;
    float *due;

    random_sequences(&rng, vocab, sequences);
    due = at_once(one, sequences, vocab);
    for (uint32_t i = 0; i < SEQUENCES * vocab; i++) {
        largest = fmax(largest, fabs((double)due[i]));
    }
    for (uint32_t ranks = 2; ranks <= 4; ranks += 2) {
        struct dyno_ranks *several = ranks_open(weights, ranks, 1, NULL);
        const float *logits = at_once(several, sequences, vocab);

        for (uint32_t i = 0; i < SEQUENCES * vocab; i++) {
            double error = fabs((double)logits[i] - (double)due[i]);

            ck_assert_msg(error <= 0x1p-14 * largest, "seed %d, %u ranks: logit %u is %g, not %g",
                          _i, ranks, i, (double)logits[i], (double)due[i]);
        }
        dyno_ranks_close(several);
    }
    dyno_ranks_close(one);
}
END_TEST

/* What all ranks had stored of each layer when it was told of. */
struct told {
    struct dyno_ranks *ranks;
    uint32_t count, layers;
    char *keys[2][MODEL_LAYERS_MAX], *values[2][MODEL_LAYERS_MAX];
};

static char *copy_of(const char *bytes, size_t size)
{
    char *copied = array_of(size, 1);

    memcpy(copied, bytes, size);
    return copied;
}

static void tell(void *context, uint32_t layers)
{
    struct told *told = context;

    ck_assert_uint_eq(layers, ++told->layers);
    ck_assert_uint_le(layers, MODEL_LAYERS_MAX);
    for (uint32_t rank = 0; rank < told->count; rank++) {
        const struct dyno_kv_storage *storage = dyno_ranks_storage(told->ranks, rank);
        struct dyno_kv_parts parts = dyno_kv_storage_parts(storage, layers - 1, 0);

        told->keys[rank][layers - 1] = copy_of(parts.keys, storage->blocks * parts.keys_bytes);
        told->values[rank][layers - 1] =
            copy_of(parts.values, storage->blocks * parts.values_bytes);
    }
}

START_TEST(a_layer_is_told_of_when_all_ranks_have_stored_it)
{
    struct sequence sequences[SEQUENCES];
    struct dyno_error error = {0};
    struct dyno_rng rng;
    struct dyno_weights *weights = model_to_share(&rng, _i, "layers");
    struct told told = {.count = 1 + (uint32_t)_i / FAMILIES % 2};

    ck_assert_msg(dyno_ranks_open(&told.ranks,
                                  &(struct dyno_ranks_config){.weights = weights,
                                                              .ranks = told.count,
                                                              .threads = 2,
                                                              .blocks = SEQUENCES * TABLE,
                                                              .block_tokens = BLOCK_TOKENS,
                                                              .kv = DYNO_ELEMENT_F32,
                                                              .rows_max = SEQUENCES * LENGTH_MAX,
                                                              .layer_done = tell,
                                                              .layer_context = &told},
                                  &error) == DYNO_OK,
                  "%s", error.text);
    random_sequences(&rng, weights->model.vocab, sequences);
    (void)at_once(told.ranks, sequences, weights->model.vocab);
    ck_assert_uint_eq(told.layers, weights->model.layers);
    for (uint32_t i = 0; i < told.count * told.layers; i++) {
        uint32_t rank = i / told.layers, layer = i % told.layers;
        const struct dyno_kv_storage *storage = dyno_ranks_storage(told.ranks, rank);
        struct dyno_kv_parts parts = dyno_kv_storage_parts(storage, layer, 0);

        ck_assert_mem_eq(told.keys[rank][layer], parts.keys, storage->blocks * parts.keys_bytes);
        ck_assert_mem_eq(told.values[rank][layer], parts.values,
                         storage->blocks * parts.values_bytes);
    }
    dyno_ranks_close(told.ranks);
}
END_TEST

/* Columns from `kept` on become zeros, of F32. */
static void clear_columns(const struct dyno_matrix *matrix, uint32_t kept)
{
    float *data = (float *)(uintptr_t)matrix->data;

    for (uint32_t row = 0; data && row < matrix->rows; row++) {
        memset(data + (size_t)row * matrix->columns + kept, 0,
               (matrix->columns - kept) * sizeof *data);
    }
}

/* Of the sums that are split, all but rank 0's part is zero: what is left is split by rows alone.
 */
START_TEST(what_is_split_by_rows_alone_is_exact)
{
    struct sequence sequences[SEQUENCES];
    enum family family = (enum family)(_i % FAMILIES);
    uint32_t ranks = _i / FAMILIES % 2 ? 4 : 2;
    struct dyno_ranks *one, *several;
    struct dyno_weights *weights;
    struct dyno_model model;
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "exact");
    model = tiny_shapes_to_share(&rng, family, DYNO_ELEMENT_F32);
    weights = tiny_model_of(&rng, family, DYNO_ELEMENT_F32, &model);
    for (uint32_t i = 0; i < model.layers; i++) {
        const struct dyno_layer_weights *layer = &weights->layers[i];

        clear_columns(&layer->output, layer->output.columns / ranks);
        clear_columns(&layer->down, layer->down.columns / ranks);
        for (uint32_t e = 0; e < model.experts; e++) {
            clear_columns(&layer->expert_down[e], model.expert_intermediate / ranks);
        }
    }
    random_sequences(&rng, model.vocab, sequences);
    one = ranks_open(weights, 1, 1, NULL);
    several = ranks_open(weights, ranks, 1, NULL);
    ck_assert_msg(memcmp(at_once(several, sequences, model.vocab),
                         at_once(one, sequences, model.vocab),
                         (size_t)SEQUENCES * model.vocab * sizeof(float)) == 0,
                  "seed %d: %u ranks", _i, ranks);
    dyno_ranks_close(one);
    dyno_ranks_close(several);
}
END_TEST

/* Random slices in random passes until all is done; logits[s] of the last position. */
static void in_chunks(struct dyno_rng *rng, struct dyno_ranks *ranks, struct sequence *sequences,
                      uint32_t vocab, float *logits)
{
    float *yielded = array_of((size_t)SEQUENCES * vocab, sizeof *yielded);
    uint32_t ended = 0;

    while (ended < SEQUENCES) {
        struct dyno_forward_slice slices[SEQUENCES];
        uint32_t count = 0, yield = 0, of[SEQUENCES] = {0};

        for (uint32_t s = 0; s < SEQUENCES; s++) {
            uint32_t left = sequences[s].length - sequences[s].done;

            if (left > 0 && dyno_rng_below(rng, 3) > 0) {
                of[count] = s;
                slices[count] = next_slice(&sequences[s], 1 + (uint32_t)dyno_rng_below(rng, left));
                sequences[s].done += slices[count++].count;
            }
        }
        if (count > 0) {
            dyno_ranks_run(ranks, slices, count, yielded);
        }
        for (uint32_t i = 0; i < count; i++) {
            if (slices[i].yields) {
                memcpy(logits + (size_t)of[i] * vocab, yielded + (size_t)yield++ * vocab,
                       vocab * sizeof *logits);
                ended++;
            }
        }
    }
}

START_TEST(company_chunks_blocks_and_threads_do_not_show)
{
    struct sequence sequences[SEQUENCES];
    struct dyno_rng rng;
    struct dyno_weights *weights = model_to_share(&rng, _i, "company");
    uint32_t vocab = weights->model.vocab, ranks = _i % 2 ? 4 : 2;
    struct dyno_ranks *here = ranks_open(weights, ranks, 1, NULL);
    struct dyno_ranks *there = ranks_open(weights, ranks, 2, NULL);
    float *logits = array_of((size_t)SEQUENCES * vocab, sizeof *logits);
    const float *due;

    random_sequences(&rng, vocab, sequences);
    due = at_once(here, sequences, vocab);
    place(sequences, true);
    in_chunks(&rng, there, sequences, vocab, logits);
    ck_assert_msg(memcmp(logits, due, (size_t)SEQUENCES * vocab * sizeof *logits) == 0,
                  "seed %d: %u ranks", _i, ranks);
    dyno_ranks_close(here);
    dyno_ranks_close(there);
}
END_TEST

/* One sequence is scored, the other's state is wanted: rank 0 hands them out, once. */
START_TEST(scores_and_states_come_from_rank_0)
{
    struct sequence sequences[SEQUENCES];
    struct dyno_rng rng;
    struct dyno_weights *weights = model_to_share(&rng, _i, "scores");
    uint32_t vocab = weights->model.vocab, hidden = weights->model.hidden;
    struct heard heard = {.logits = array_of((size_t)LENGTH_MAX * vocab, sizeof(float)),
                          .vocab = vocab};
    struct dyno_ranks *ranks = ranks_open(weights, 2, 1, &heard);
    float *logits = array_of(vocab, sizeof *logits), *due = array_of(vocab, sizeof *due);
    float *alone = array_of(hidden, sizeof *alone), *state = array_of(hidden, sizeof *state);
    struct dyno_forward_slice slices[SEQUENCES];

    random_sequences(&rng, vocab, sequences);
    slices[0] = next_slice(&sequences[0], sequences[0].length);
    slices[1] = next_slice(&sequences[1], sequences[1].length);
    slices[1].state = alone;
    dyno_ranks_run(ranks, &slices[1], 1, NULL);
    slices[0].scored = true;
    slices[1].state = state;
    dyno_ranks_run(ranks, slices, 2, logits);
    ck_assert_mem_eq(state, alone, hidden * sizeof *state);
    ck_assert_uint_eq(heard.told, sequences[0].length - 1);
    memcpy(heard.logits + (size_t)heard.told * vocab, logits, vocab * sizeof *logits);
    slices[0].scored = false;
    for (uint32_t i = 0; i < sequences[0].length; i++) {
        slices[0].count = i + 1;
        dyno_ranks_run(ranks, slices, 1, due);
        ck_assert_mem_eq(heard.logits + (size_t)i * vocab, due, vocab * sizeof *due);
    }
    dyno_ranks_close(ranks);
}
END_TEST

static void write_greedy(const struct dyno_weights *weights, uint32_t count, uint32_t *tokens)
{
    uint32_t vocab = weights->model.vocab, table[GREEDY / BLOCK_TOKENS];
    float *logits = array_of(vocab, sizeof *logits);
    struct dyno_ranks *ranks;
    struct dyno_ranks_config config = {.weights = weights,
                                       .ranks = count,
                                       .threads = 1,
                                       .blocks = GREEDY / BLOCK_TOKENS,
                                       .block_tokens = BLOCK_TOKENS,
                                       .kv = DYNO_ELEMENT_F32,
                                       .rows_max = 1};

    for (uint32_t i = 0; i < GREEDY / BLOCK_TOKENS; i++) {
        table[i] = i;
    }
    ck_assert_int_eq(dyno_ranks_open(&ranks, &config, NULL), DYNO_OK);
    ck_assert_uint_eq(dyno_ranks_positions(ranks), GREEDY);
    tokens[0] = weights->bos;
    for (uint32_t i = 0; i < GREEDY; i++) {
        struct dyno_forward_slice slice = {
            .tokens = &tokens[i], .first = i, .count = 1, .table = table, .yields = true};

        dyno_ranks_run(ranks, &slice, 1, logits);
        tokens[i + 1] = dyno_isa_best()->largest(logits, vocab);
    }
    dyno_ranks_close(ranks);
}

/* It has 6 heads and 2 kv heads. */
START_TEST(the_default_model_writes_the_same_text)
{
    uint32_t due[GREEDY + 1], tokens[GREEDY + 1];
    struct dyno_ranks *ranks = NULL;
    struct dyno_weights *weights;
    struct dyno_error error = {0};
    char path[DYNO_MODEL_PATH_MAX];

    ck_assert_int_eq(dyno_default_model_find(path, DYNO_DEFAULT_MODEL, &error), DYNO_OK);
    ck_assert_msg(dyno_weights_open(&weights, path, &error) == DYNO_OK, "%s", error.text);
    write_greedy(weights, 1, due);
    write_greedy(weights, 2, tokens);
    ck_assert_mem_eq(tokens, due, sizeof due);
    ck_assert_int_eq(
        dyno_ranks_open(&ranks,
                        &(struct dyno_ranks_config){.weights = weights, .ranks = 4, .threads = 1},
                        &error),
        DYNO_BAD_INPUT);
    ck_assert_str_eq(error.text,
                     "6 attention heads cannot be shared by 4 ranks; by 3 or 6 they can");
    ck_assert_ptr_null(ranks);
    dyno_weights_close(weights);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("ranks");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_loop_test(tcase, two_and_four_ranks_agree_with_one, 0, ROUNDS * FAMILIES);
    tcase_add_loop_test(tcase, what_is_split_by_rows_alone_is_exact, 0, 4 * FAMILIES);
    tcase_add_loop_test(tcase, company_chunks_blocks_and_threads_do_not_show, 0, ROUNDS * FAMILIES);
    tcase_add_loop_test(tcase, scores_and_states_come_from_rank_0, 0, 2 * FAMILIES);
    tcase_add_loop_test(tcase, a_layer_is_told_of_when_all_ranks_have_stored_it, 0, 2 * FAMILIES);
    tcase_add_test(tcase, the_default_model_writes_the_same_text);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("ranks", add_cases)

/* The forward pass on a GPU, emulated: against the CPU's, and against itself in other company. */
#include "backends/cuda/forward.h"

#include "backends/cpu/forward.h"
#include "backends/cuda/plan.h"
#include "tests/backends/tiny_models.h"
#include "tests/check_main.h"
#include "tests/cuda_emulation/faults.h"

enum { LENGTH_MAX = 40, SEQUENCES = 3, BLOCK_TOKENS = 4, BLOCKS = 48 };

/* A tiny model of widths that the device takes; its heads have `head_dim` dimensions. */
static struct dyno_weights *cuda_model(struct dyno_rng *rng, enum family family, uint32_t head_dim)
{
    struct dyno_weights *weights = array_of(1, sizeof *weights);
    struct dyno_layer_weights *layers;
    struct dyno_model *model = &weights->model;

    *model = (struct dyno_model){.attention = DYNO_ATTENTION_GQA,
                                 .context_max = 96,
                                 .layers = 1 + (uint32_t)dyno_rng_below(rng, 3),
                                 .kv_heads = 1 + (uint32_t)dyno_rng_below(rng, 2),
                                 .head_dim = head_dim,
                                 .hidden = 8 * (1 + (uint32_t)dyno_rng_below(rng, 8)),
                                 .vocab = 50 + (uint32_t)dyno_rng_below(rng, 90),
                                 .intermediate = 8 * (1 + (uint32_t)dyno_rng_below(rng, 8))};
    model->heads = model->kv_heads * (1 + (uint32_t)dyno_rng_below(rng, 4));
    weights->rope = tiny_rope(rng, family, head_dim);
    weights->activation = DYNO_ACTIVATION_SILU;
    weights->norm_epsilon = 1e-5;
    weights->window = family == MISTRAL ? 1 + (uint32_t)dyno_rng_below(rng, 20) : 0;
    weights->embedding = random_matrix(rng, DYNO_ELEMENT_BF16, model->vocab, model->hidden, false);
    weights->logits =
        family == LLAMA3 ? weights->embedding
                         : random_matrix(rng, DYNO_ELEMENT_F16, model->vocab, model->hidden, false);
    weights->final_norm = scaled_floats(rng, model->hidden, 1.0F, 0.2F);
    layers = array_of(model->layers, sizeof *layers);
    for (uint32_t i = 0; i < model->layers; i++) {
        tiny_layer(rng, weights, family, DYNO_ELEMENT_BF16, &layers[i]);
    }
    weights->layers = layers;
    return weights;
}

struct bench {
    struct dyno_weights *weights;
    struct dyno_cuda_model *model;
    struct dyno_cuda_forward *forward;
};

static struct bench bench_open(struct dyno_weights *weights, enum dyno_element element,
                               enum dyno_cuda_kv_element kv, bool no_graphs)
{
    struct bench bench = {.weights = weights};
    struct dyno_error error = {0};
    struct dyno_cuda_forward_config config = {.kv = kv,
                                              .blocks = BLOCKS,
                                              .block_tokens = BLOCK_TOKENS,
                                              .rows_max = SEQUENCES * LENGTH_MAX,
                                              .sequences_max = SEQUENCES,
                                              .no_graphs = no_graphs};

    ck_assert_msg(dyno_cuda_model_open(&bench.model, weights, element, LENGTH_MAX, NULL, &error) ==
                      DYNO_OK,
                  "%s", error.text);
    config.model = bench.model;
    ck_assert_msg(dyno_cuda_forward_open(&bench.forward, &config, &error) == DYNO_OK, "%s",
                  error.text);
    return bench;
}

static void bench_close(struct bench *bench)
{
    dyno_cuda_forward_close(bench->forward);
    dyno_cuda_model_close(bench->model);
}

struct sequence {
    uint32_t tokens[LENGTH_MAX], length, done;
    uint32_t table[BLOCKS / SEQUENCES];
};

static void make_sequences(struct dyno_rng *rng, const struct dyno_weights *weights,
                           struct sequence sequences[SEQUENCES])
{
    uint32_t all[BLOCKS];

    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint32_t other = (uint32_t)dyno_rng_below(rng, i + 1);

        all[i] = all[other];
        all[other] = i;
    }
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        sequences[s].done = 0;
        sequences[s].length = 1 + (uint32_t)dyno_rng_below(rng, LENGTH_MAX);
        memcpy(sequences[s].table, all + s * (BLOCKS / SEQUENCES), sizeof sequences[s].table);
        for (uint32_t i = 0; i < LENGTH_MAX; i++) {
            sequences[s].tokens[i] = (uint32_t)dyno_rng_below(rng, weights->model.vocab);
        }
    }
}

/* The CPU's logits of the sequence's last position. */
static float *cpu_logits(struct dyno_weights *weights, const struct sequence *sequence)
{
    struct dyno_team *team = dyno_team_open(1);
    struct dyno_kv_storage *storage;
    struct dyno_forward *forward;
    struct dyno_forward_config config = {.weights = weights, .team = team, .rows_max = LENGTH_MAX};
    struct dyno_forward_slice slice = {.tokens = sequence->tokens,
                                       .count = sequence->length,
                                       .table = sequence->table,
                                       .yields = true};
    float *logits = array_of(weights->model.vocab, sizeof *logits);

    ck_assert(dyno_kv_storage_open(&storage, &weights->model, BLOCKS, BLOCK_TOKENS,
                                   DYNO_ELEMENT_F32, NULL) == DYNO_OK);
    config.storage = storage;
    ck_assert(dyno_forward_open(&forward, &config, NULL) == DYNO_OK);
    dyno_forward_run(forward, &slice, 1, logits);
    dyno_forward_close(forward);
    dyno_kv_storage_close(storage);
    dyno_team_close(team);
    return logits;
}

static uint32_t largest(const float *logits, uint32_t count)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < count; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    return best;
}

/* Within what rounding to 8 bits of mantissa, layer by layer, makes of logits of this size. */
static void expect_near(const float *got, const float *due, uint32_t vocab, double tolerance,
                        int seed)
{
    double size = 0.0, apart = 0.0;

    for (uint32_t i = 0; i < vocab; i++) {
        size += (double)due[i] * (double)due[i];
        apart += ((double)got[i] - (double)due[i]) * ((double)got[i] - (double)due[i]);
    }
    ck_assert_msg(sqrt(apart) <= tolerance * sqrt(size), "seed %d: logits are %g of %g apart", seed,
                  sqrt(apart), sqrt(size));
}

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

static const enum family families[] = {LLAMA2, LLAMA3, MISTRAL, QWEN2, QWEN3};
static const uint32_t head_dims[] = {64, 16, 128};

enum { FAMILY_COUNT = sizeof families / sizeof families[0] };

/* Of the logits, by their norms: tiny models of large random weights make much of a rounding.  That
 * F16 is an eighth of BF16 away says that it is the rounding. */
#define TOLERANCE_F16  0.02
#define TOLERANCE_BF16 0.35

START_TEST(logits_are_those_of_the_cpu)
{
    struct dyno_rng rng;
    struct sequence sequences[SEQUENCES];
    struct bench bench;
    float *logits[SEQUENCES];
    bool is_f16 = _i % 2;

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

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("forward");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, NULL, arrays_free);
    tcase_add_loop_test(tc, logits_are_those_of_the_cpu, 0, 30);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("cuda_forward", add_cases)

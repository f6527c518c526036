/* A forward pass on an emulated GPU, and sequences whose blocks lie anywhere, for tests. */
#ifndef DYNO_TESTS_BACKENDS_CUDA_BENCH_H
#define DYNO_TESTS_BACKENDS_CUDA_BENCH_H

#include "backends/cpu/forward.h"
#include "backends/cuda/forward.h"
#include "tests/backends/cuda_models.h"
#include "tests/check_main.h"

enum { LENGTH_MAX = 40, SEQUENCES = 3, BLOCK_TOKENS = 4, BLOCKS = 48 };

struct bench {
    struct dyno_weights *weights;
    struct dyno_cuda_model *model;
    struct dyno_cuda_forward *forward;
};

static inline struct dyno_cuda_forward_config bench_config(enum dyno_cuda_kv_element kv)
{
    return (struct dyno_cuda_forward_config){.kv = kv,
                                             .blocks = BLOCKS,
                                             .block_tokens = BLOCK_TOKENS,
                                             .rows_max = SEQUENCES * LENGTH_MAX,
                                             .sequences_max = SEQUENCES + 2};
}

/* `config` but for the model. */
static inline struct bench bench_open_as(struct dyno_weights *weights, enum dyno_element element,
                                         struct dyno_cuda_forward_config config)
{
    struct bench bench = {.weights = weights};
    struct dyno_error error = {0};

    ck_assert_msg(dyno_cuda_model_open(&bench.model,
                                       &(struct dyno_cuda_model_config){.weights = weights,
                                                                        .element = element,
                                                                        .narrow = config.narrow,
                                                                        .positions = LENGTH_MAX},
                                       NULL, &error) == DYNO_OK,
                  "%s", error.text);
    config.model = bench.model;
    ck_assert_msg(dyno_cuda_forward_open(&bench.forward, &config, &error) == DYNO_OK, "%s",
                  error.text);
    return bench;
}

static inline struct bench bench_open(struct dyno_weights *weights, enum dyno_element element,
                                      enum dyno_cuda_kv_element kv, bool no_graphs)
{
    struct dyno_cuda_forward_config config = bench_config(kv);

    config.no_graphs = no_graphs;
    return bench_open_as(weights, element, config);
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
    uint32_t all[BLOCKS] = {0};

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
static inline float *cpu_logits(struct dyno_weights *weights, const struct sequence *sequence)
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

static const enum family families[] = {LLAMA2, LLAMA3, MISTRAL, QWEN2, QWEN3, MIXTRAL, QWEN3_MOE};
static const uint32_t head_dims[] = {64, 16, 128};

/* Of experts, one as good as the other is another choice with a rounding of BF16. */
enum { FAMILY_COUNT = sizeof families / sizeof families[0], FIRST_OF_EXPERTS = 5 };

/* Of the logits, by their norms: tiny models of large random weights make much of a rounding.  That
 * F16 is an eighth of BF16 away says that it is the rounding. */
#define TOLERANCE_F16  0.02
#define TOLERANCE_BF16 0.35

static inline uint32_t largest(const float *logits, uint32_t count)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < count; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    return best;
}

/* Within what rounding to 8 bits of mantissa, layer by layer, makes of logits of this size. */
static inline void expect_near(const float *got, const float *due, uint32_t vocab, double tolerance,
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

#endif

/* A forward pass on an emulated GPU, and sequences whose blocks lie anywhere, for tests. */
#ifndef DYNO_TESTS_BACKENDS_CUDA_BENCH_H
#define DYNO_TESTS_BACKENDS_CUDA_BENCH_H

#include "backends/cuda/forward.h"
#include "tests/backends/cuda_models.h"
#include "tests/check_main.h"

enum { LENGTH_MAX = 40, SEQUENCES = 3, BLOCK_TOKENS = 4, BLOCKS = 48 };

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
                                              .sequences_max = SEQUENCES + 2,
                                              .no_graphs = no_graphs};

    ck_assert_msg(dyno_cuda_model_open(&bench.model, weights, NULL, element, LENGTH_MAX, NULL,
                                       &error) == DYNO_OK,
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

#endif

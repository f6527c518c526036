#include "backends/cuda/costs.h"

#include <stdlib.h>

enum { TOKENS_MAX = 1024, ROUNDS = 3 };

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* So many tokens behind as many others that are stored. */
static uint32_t tokens_of(const struct dyno_cuda_costs_config *config)
{
    uint64_t stored = (uint64_t)config->blocks * config->block_tokens;
    uint32_t most = smaller(TOKENS_MAX, smaller(config->rows_max, config->positions / 2));

    return stored / 2 < most ? (uint32_t)(stored / 2) : most;
}

/* What a pass of `count` tokens from `first` on takes, in ns. */
static dyno_status probe(double *out, struct dyno_cuda_ranks *ranks,
                         const struct dyno_cuda_costs_config *config, const uint32_t *zeros,
                         uint32_t first, uint32_t count, const uint32_t *table,
                         struct dyno_error *error)
{
    struct dyno_cuda_slice slice = {.tokens = zeros,
                                    .first = first,
                                    .count = count,
                                    .table = table,
                                    .want = DYNO_CUDA_WANT_TOKEN};
    dyno_ns least = DYNO_NEVER;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct dyno_cuda_yield yield;
        dyno_ns began = config->now(config->clock), took;

        DYNO_TRY(dyno_cuda_ranks_run(ranks, &slice, 1, &yield, error));
        took = config->now(config->clock) - began;
        least = took < least ? took : least;
    }
    *out = (double)least;
    return DYNO_OK;
}

static dyno_status probe_all(struct dyno_pass_costs *out, struct dyno_cuda_ranks *ranks,
                             const struct dyno_cuda_costs_config *config, const uint32_t *zeros,
                             uint32_t tokens, const uint32_t *table, struct dyno_error *error)
{
    double one, many, late;

    DYNO_TRY(probe(&one, ranks, config, zeros, 0, 1, table, error));
    DYNO_TRY(probe(&many, ranks, config, zeros, 0, tokens, table, error));
    DYNO_TRY(probe(&late, ranks, config, zeros, tokens, tokens, table, error));
    *out = dyno_pass_costs_from(one, many, late, tokens, tokens);
    return DYNO_OK;
}

dyno_status dyno_cuda_costs_measure(struct dyno_pass_costs *out, struct dyno_cuda_ranks *ranks,
                                    const struct dyno_cuda_costs_config *config,
                                    struct dyno_error *error)
{
    uint32_t tokens = tokens_of(config);
    uint32_t blocks = 2 * tokens / config->block_tokens + 1;
    uint32_t *zeros, *table;
    dyno_status status;

    if (tokens < 2) {
        return DYNO_OK;
    }
    zeros = calloc(tokens, sizeof *zeros);
    table = calloc(blocks, sizeof *table);
    for (uint32_t i = 0; table && i < blocks; i++) {
        table[i] = i;
    }
    status = zeros && table ? probe_all(out, ranks, config, zeros, tokens, table, error)
                            : dyno_fail(error, DYNO_NO_MEMORY, "no memory to measure passes");
    free(zeros);
    free(table);
    return status;
}

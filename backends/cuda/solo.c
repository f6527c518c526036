#include "backends/cuda/solo.h"

#include <stdlib.h>

#include "backends/cuda/forward.h"
#include "backends/cuda/plan.h"
#include "backends/cuda/runtime.h"
#include "kernels/team.h"

enum { BLOCK_TOKENS = 16 };

struct dyno_cuda_solo {
    struct dyno_cuda_model *model;
    struct dyno_cuda_forward *forward;
    uint32_t *table; /* [blocks]: the sequence lies in the blocks in order */
};

static struct dyno_cuda_forward_config config_of(uint32_t context, bool narrow)
{
    return (struct dyno_cuda_forward_config){
        .kv = DYNO_CUDA_KV_BF16,
        .blocks = (context + BLOCK_TOKENS - 1) / BLOCK_TOKENS,
        .block_tokens = BLOCK_TOKENS,
        .rows_max = DYNO_CUDA_SOLO_TOKENS,
        .sequences_max = 1,
        .narrow = narrow,
    };
}

static struct dyno_cuda_model_config model_config(const struct dyno_weights *weights,
                                                  uint32_t context, bool narrow)
{
    return (struct dyno_cuda_model_config){
        .weights = weights, .element = DYNO_ELEMENT_BF16, .narrow = narrow, .positions = context};
}

static dyno_status check_memory(const struct dyno_weights *weights, uint32_t context, bool narrow,
                                struct dyno_error *error)
{
    struct dyno_cuda_forward_config config = config_of(context, narrow);
    struct dyno_cuda_plan plan;
    size_t free_bytes, total_bytes;

    DYNO_CUDA_TRY(cudaSetDevice(0), error);
    DYNO_CUDA_TRY(cudaMemGetInfo(&free_bytes, &total_bytes), error);
    return dyno_cuda_plan_make(&plan, weights, DYNO_ELEMENT_BF16, context, &config,
                               &(struct dyno_cuda_load){.workers = 1}, free_bytes, error);
}

static dyno_status open_parts(struct dyno_cuda_solo *solo, const struct dyno_weights *weights,
                              uint32_t context, uint32_t threads, bool narrow,
                              struct dyno_error *error)
{
    struct dyno_cuda_forward_config config = config_of(context, narrow);
    struct dyno_cuda_model_config model = model_config(weights, context, narrow);
    struct dyno_team *team = dyno_team_open(threads);
    dyno_status status = dyno_cuda_model_open(&solo->model, &model, team, error);

    dyno_team_close(team);
    DYNO_TRY(status);
    config.model = solo->model;
    solo->table = calloc(config.blocks, sizeof *solo->table);
    if (!solo->table) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a table of %u blocks",
                         config.blocks);
    }
    for (uint32_t i = 0; i < config.blocks; i++) {
        solo->table[i] = i;
    }
    return dyno_cuda_forward_open(&solo->forward, &config, error);
}

dyno_status dyno_cuda_solo_open(struct dyno_cuda_solo **out, const struct dyno_weights *weights,
                                uint32_t context, uint32_t threads, bool narrow,
                                struct dyno_error *error)
{
    struct dyno_cuda_model_config model = model_config(weights, context, narrow);
    struct dyno_cuda_solo *solo;
    dyno_status status;

    DYNO_TRY(dyno_cuda_model_check(weights, error));
    DYNO_TRY(dyno_cuda_model_check_narrow(&model, error));
    DYNO_TRY(check_memory(weights, context, narrow, error));
    solo = calloc(1, sizeof *solo);
    if (!solo) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a sequence");
    }
    status = open_parts(solo, weights, context, threads, narrow, error);
    if (status != DYNO_OK) {
        dyno_cuda_solo_close(solo);
        return status;
    }
    *out = solo;
    return DYNO_OK;
}

void dyno_cuda_solo_close(struct dyno_cuda_solo *solo)
{
    if (!solo) {
        return;
    }
    dyno_cuda_forward_close(solo->forward);
    dyno_cuda_model_close(solo->model);
    free(solo->table);
    free(solo);
}

dyno_status dyno_cuda_solo_run(struct dyno_cuda_solo *solo, const uint32_t *tokens, uint32_t first,
                               uint32_t count, const float **logits, struct dyno_error *error)
{
    struct dyno_cuda_slice slice = {.tokens = tokens,
                                    .first = first,
                                    .count = count,
                                    .table = solo->table,
                                    .want =
                                        logits ? DYNO_CUDA_WANT_LOGITS : DYNO_CUDA_WANT_NOTHING};
    struct dyno_cuda_yield yield;

    DYNO_TRY(dyno_cuda_forward_run(solo->forward, &slice, 1, &yield, error));
    if (logits) {
        *logits = yield.logits;
    }
    return DYNO_OK;
}

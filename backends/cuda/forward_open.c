/* Opening and closing a forward pass: what it needs is counted by one walk and taken by the same.
 */
#include <stdlib.h>

#include "backends/cuda/forward_parts.h"

enum { LOGITS_VECTOR = 8, SCRATCH_CONTEXT = 8192 };
/* Of a matrix of 8 bits, what is widened stays in the second-level cache of an H100 (50 MB). */
enum { WIDENED_BYTES = 32 << 20 };

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What follows from the model and the configuration. */
static void derive(struct dyno_cuda_forward *forward, const struct dyno_model *shape)
{
    forward->shape = shape;
    forward->wide = shape->heads * shape->head_dim;
    forward->narrow = shape->kv_heads * shape->head_dim;
    forward->joint_width = forward->wide + 2 * forward->narrow;
    forward->logits_stride =
        ((uint64_t)shape->vocab + LOGITS_VECTOR - 1) / LOGITS_VECTOR * LOGITS_VECTOR;
    if (forward->config.narrow) {
        forward->widened_bytes =
            forward->config.widened_bytes > 0 ? forward->config.widened_bytes : WIDENED_BYTES;
    }
    if (forward->config.shard) {
        forward->share_stride = ((uint64_t)forward->config.shard->vocab_each + LOGITS_VECTOR - 1) /
                                LOGITS_VECTOR * LOGITS_VECTOR;
    }
}

static struct dyno_cuda_kv kv_shape(const struct dyno_cuda_forward *forward)
{
    return (struct dyno_cuda_kv){.element = forward->config.kv,
                                 .blocks = forward->config.blocks,
                                 .block_tokens = forward->config.block_tokens,
                                 .kv_heads = forward->shape->kv_heads,
                                 .head_dim = forward->shape->head_dim};
}

/* For one sequence as long as any, and for all of them up to SCRATCH_CONTEXT: longer ones take
 * turns. */
static uint64_t attention_scratch(const struct dyno_cuda_forward *forward, uint32_t positions)
{
    struct dyno_cuda_attention_job job = {.element = DYNO_ELEMENT_BF16,
                                          .heads = forward->shape->heads,
                                          .window = 0,
                                          .slice_max = 1,
                                          .slice_count = 1,
                                          .context_max = positions,
                                          .kv = kv_shape(forward)};
    uint64_t longest = dyno_cuda_decode_scratch(&job);

    job.slice_count = forward->config.sequences_max;
    job.context_max = positions < SCRATCH_CONTEXT ? positions : SCRATCH_CONTEXT;
    return larger(longest, dyno_cuda_decode_scratch(&job));
}

static void *take(struct dyno_cuda_arena *arena, uint64_t rows, uint64_t columns)
{
    return dyno_cuda_take(arena, rows * columns * sizeof(uint16_t));
}

static void lay_out_mlp(struct dyno_cuda_arena *arena, struct dyno_cuda_forward *forward)
{
    const struct dyno_model *shape = forward->shape;
    struct dyno_cuda_activations *on = &forward->on;
    uint64_t rows = forward->config.rows_max;
    uint64_t slots = shape->experts > 0 ? rows * shape->experts_per_token : 0;
    uint64_t width = larger(rows * shape->intermediate, slots * shape->expert_intermediate);

    on->gate_up = take(arena, 2, width);
    on->gated = take(arena, 1, width);
    on->router_logits = dyno_cuda_take(arena, rows * shape->experts * sizeof(float));
    on->expert = dyno_cuda_take(arena, slots * sizeof(uint32_t));
    on->place = dyno_cuda_take(arena, slots * sizeof(uint32_t));
    on->expert_weight = dyno_cuda_take(arena, slots * sizeof(float));
    on->expert_first = dyno_cuda_take(arena, ((uint64_t)shape->experts + 1) * sizeof(uint32_t));
    on->gathered = take(arena, slots, shape->hidden);
    on->mixed = take(arena, slots, shape->hidden);
}

/* Logits and what is chosen of them; of ranks, the first's. */
static void lay_out_choice(struct dyno_cuda_arena *arena, struct dyno_cuda_forward *forward)
{
    const struct dyno_shard *shard = forward->config.shard;
    struct dyno_cuda_activations *on = &forward->on;
    uint64_t sequences = forward->config.sequences_max;
    struct dyno_cuda_sample_job sample = {.rows = forward->config.sequences_max,
                                          .vocab = forward->shape->vocab};

    if (shard) {
        uint64_t bytes = sequences * forward->share_stride * sizeof(float);

        on->share = dyno_cuda_take(arena, bytes);
        on->shares = dyno_cuda_take(arena, bytes * shard->ranks);
    }
    if (dyno_cuda_leads(forward)) {
        on->logits = dyno_cuda_take(arena, sequences * forward->logits_stride * sizeof(float));
        on->token = dyno_cuda_take(arena, sequences * sizeof(uint32_t));
        on->sample_scratch = dyno_cuda_take(arena, dyno_cuda_sample_scratch(&sample));
    }
}

static void lay_out(struct dyno_cuda_arena *arena, struct dyno_cuda_forward *forward,
                    uint32_t positions)
{
    const struct dyno_model *shape = forward->shape;
    struct dyno_cuda_activations *on = &forward->on;
    uint64_t rows = forward->config.rows_max, sequences = forward->config.sequences_max;

    forward->attention_scratch_bytes = attention_scratch(forward, positions);
    on->hidden = take(arena, rows, shape->hidden);
    on->normed = take(arena, rows, shape->hidden);
    on->joint = take(arena, rows, forward->joint_width);
    on->attended = take(arena, rows, forward->wide);
    lay_out_mlp(arena, forward);
    on->last_hidden = take(arena, sequences, shape->hidden);
    on->last_joint = take(arena, sequences, forward->joint_width);
    lay_out_choice(arena, forward);
    on->attention_scratch = dyno_cuda_take(arena, forward->attention_scratch_bytes);
    on->told = dyno_cuda_take(arena, forward->told_bytes);
    on->widened = dyno_cuda_take(arena, forward->widened_bytes);
}

static uint64_t told_bytes(const struct dyno_cuda_forward *forward)
{
    struct dyno_cuda_shape most = dyno_cuda_shape_max(forward);
    struct dyno_cuda_arena arena = {0};

    (void)dyno_cuda_arrays_take(&arena, &most);
    return arena.used;
}

uint64_t dyno_cuda_forward_bytes(const struct dyno_weights *weights, uint32_t positions,
                                 const struct dyno_cuda_forward_config *config)
{
    struct dyno_cuda_model model = {.weights = weights, .positions = positions};
    struct dyno_cuda_forward forward = {.config = *config, .model = &model};
    struct dyno_cuda_arena arena = {0};

    derive(&forward, &weights->model);
    forward.told_bytes = told_bytes(&forward);
    lay_out(&arena, &forward, positions);
    return arena.used + DYNO_CUDA_WORKSPACE_BYTES;
}

uint64_t dyno_cuda_block_bytes(const struct dyno_model *model,
                               const struct dyno_cuda_forward_config *config)
{
    return 2 * (uint64_t)model->layers * model->kv_heads * config->block_tokens * model->head_dim *
           dyno_cuda_kv_bytes(config->kv);
}

struct dyno_cuda_kv_pool dyno_cuda_forward_pool(const struct dyno_cuda_forward *forward)
{
    return (struct dyno_cuda_kv_pool){.memory = forward->kv,
                                      .blocks = forward->config.blocks,
                                      .layers = forward->shape->layers,
                                      .piece_bytes =
                                          dyno_cuda_block_bytes(forward->shape, &forward->config) /
                                          forward->shape->layers};
}

/* ---- taking it ------------------------------------------------------------------------------- */

static dyno_status take_pinned(struct dyno_cuda_forward *forward, struct dyno_error *error)
{
    uint64_t sequences = forward->config.sequences_max, hidden = forward->shape->hidden;

    DYNO_CUDA_TRY(cudaHostAlloc((void **)&forward->told, forward->told_bytes, cudaHostAllocDefault),
                  error);
    if (!dyno_cuda_leads(forward)) {
        return DYNO_OK;
    }
    DYNO_CUDA_TRY(cudaHostAlloc((void **)&forward->token, 2 * sequences * sizeof(uint32_t),
                                cudaHostAllocDefault),
                  error);
    DYNO_CUDA_TRY(cudaEventCreateWithFlags(&forward->chosen, cudaEventDisableTiming), error);
    DYNO_CUDA_TRY(cudaHostAlloc((void **)&forward->logits,
                                sequences * forward->logits_stride * sizeof(float),
                                cudaHostAllocDefault),
                  error);
    DYNO_CUDA_TRY(cudaHostAlloc((void **)&forward->state, sequences * hidden * sizeof(uint16_t),
                                cudaHostAllocDefault),
                  error);
    forward->state_values = calloc(sequences * hidden, sizeof(float));
    return forward->state_values ? DYNO_OK
                                 : dyno_fail(error, DYNO_NO_MEMORY, "no memory for hidden states");
}

static dyno_status take_device(struct dyno_cuda_forward *forward, struct dyno_error *error)
{
    struct dyno_cuda_arena arena = {0};
    int code;

    DYNO_CUDA_TRY(cudaStreamCreateWithFlags(&forward->stream, cudaStreamNonBlocking), error);
    code = dyno_cuda_gemm_open(&forward->gemm, DYNO_CUDA_WORKSPACE_BYTES);
    if (code != 0) {
        return dyno_cuda_launch_fail(error, code, "dyno_cuda_gemm_open");
    }
    lay_out(&arena, forward, forward->model->positions);
    DYNO_CUDA_TRY(cudaMalloc(&forward->memory, arena.used), error);
    arena = (struct dyno_cuda_arena){.base = forward->memory};
    lay_out(&arena, forward, forward->model->positions);
    DYNO_CUDA_TRY(
        cudaMemsetAsync(forward->on.attended, 0,
                        (uint64_t)forward->config.rows_max * forward->wide * sizeof(uint16_t),
                        forward->stream),
        error);
    DYNO_CUDA_TRY(
        cudaMalloc(&forward->kv, forward->config.blocks *
                                     dyno_cuda_block_bytes(forward->shape, &forward->config)),
        error);
    return DYNO_OK;
}

static dyno_status check(const struct dyno_cuda_forward_config *config, struct dyno_error *error)
{
    enum dyno_cuda_kv_element same =
        config->model->element == DYNO_ELEMENT_F16 ? DYNO_CUDA_KV_F16 : DYNO_CUDA_KV_BF16;

    if (config->blocks == 0 || config->block_tokens == 0 ||
        (uint64_t)config->blocks * config->block_tokens >= UINT32_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%u blocks of %u tokens for keys and values: together from 1 to 2^32 "
                         "tokens are needed",
                         config->blocks, config->block_tokens);
    }
    if (config->rows_max == 0 || config->sequences_max == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT, "a pass of no rows computes nothing");
    }
    if (config->narrow != config->model->narrow) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "a pass and its model must agree on whether weights stay of 8 bits");
    }
    if (config->kv != same && config->kv != DYNO_CUDA_KV_E4M3) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "keys and values are stored as the model's activations, or as e4m3");
    }
    return DYNO_OK;
}

dyno_status dyno_cuda_forward_open(struct dyno_cuda_forward **out,
                                   const struct dyno_cuda_forward_config *config,
                                   struct dyno_error *error)
{
    struct dyno_cuda_forward *forward;
    dyno_status status;

    DYNO_TRY(check(config, error));
    forward = calloc(1, sizeof *forward);
    if (!forward) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a forward pass");
    }
    forward->config = *config;
    forward->model = config->model;
    derive(forward, &config->model->weights->model);
    forward->told_bytes = told_bytes(forward);
    status = take_device(forward, error);
    if (status == DYNO_OK) {
        status = take_pinned(forward, error);
    }
    if (status != DYNO_OK) {
        dyno_cuda_forward_close(forward);
        return status;
    }
    *out = forward;
    return DYNO_OK;
}

void dyno_cuda_forward_close(struct dyno_cuda_forward *forward)
{
    if (!forward) {
        return;
    }
    if (forward->running) {
        (void)cudaStreamSynchronize(forward->stream);
    }
    dyno_cuda_graphs_close(forward);
    dyno_cuda_gemm_close(forward->gemm);
    if (forward->chosen) {
        (void)cudaEventDestroy(forward->chosen);
    }
    if (forward->stream) {
        (void)cudaStreamDestroy(forward->stream);
    }
    (void)cudaFree(forward->kv);
    (void)cudaFree(forward->memory);
    (void)cudaFreeHost(forward->told);
    (void)cudaFreeHost(forward->token);
    (void)cudaFreeHost(forward->logits);
    (void)cudaFreeHost(forward->state);
    free(forward->state_values);
    free(forward);
}

/* The layout is one walk over the model (arena.h); the load is another one, in the same order. */
#include "backends/cuda/model.h"

#include <stdlib.h>

#include "backends/assets/rope_table.h"
#include "backends/cuda/arena.h"
#include "backends/cuda/runtime.h"
#include "backends/cuda/upload.h"
#include "kernels/cuda/moe.h"

enum { VECTOR = 8, HEAD_DIM_MAX = 256 };

/* ---- what can be computed -------------------------------------------------------------------- */

static dyno_status check_layer(const struct dyno_layer_weights *layer, struct dyno_error *error)
{
    if (!layer->router.data && (!layer->gate.data || layer->up_bias)) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "the CUDA device computes gated MLPs whose gate and up have no bias");
    }
    if (!layer->query_bias != !layer->key_bias || !layer->query_bias != !layer->value_bias) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "the CUDA device computes query, key and value with biases or without, "
                         "not some of them");
    }
    return DYNO_OK;
}

dyno_status dyno_cuda_model_check(const struct dyno_weights *weights, struct dyno_error *error)
{
    const struct dyno_model *model = &weights->model;

    if (model->attention != DYNO_ATTENTION_GQA || weights->layer_norm || weights->positions.data ||
        weights->rope.pairs == DYNO_ROPE_NONE) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "the CUDA device computes models with RMSNorm, rotary positions and "
                         "grouped queries (Llama, Mistral, Qwen)");
    }
    if (model->hidden % VECTOR != 0 || model->intermediate % VECTOR != 0 ||
        model->expert_intermediate % VECTOR != 0 || model->head_dim % VECTOR != 0 ||
        model->head_dim > HEAD_DIM_MAX) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "the CUDA device computes models whose widths are multiples of %d and "
                         "whose heads have at most %d dimensions; here hidden is %u, intermediate "
                         "%u, head_dim %u",
                         VECTOR, HEAD_DIM_MAX, model->hidden, model->intermediate, model->head_dim);
    }
    if (model->experts > DYNO_CUDA_EXPERTS_MAX || model->experts_per_token > DYNO_CUDA_CHOSEN_MAX ||
        model->experts_per_token > model->experts || model->shared_intermediate > 0) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "the CUDA device computes mixtures of up to %d experts, %d of a token, "
                         "and no shared ones",
                         DYNO_CUDA_EXPERTS_MAX, DYNO_CUDA_CHOSEN_MAX);
    }
    for (uint32_t i = 0; i < model->layers; i++) {
        DYNO_TRY(check_layer(&weights->layers[i], error));
    }
    return DYNO_OK;
}

/* ---- where everything lies ------------------------------------------------------------------- */

static void *take(struct dyno_cuda_arena *arena, uint64_t rows, uint64_t columns)
{
    return dyno_cuda_take(arena, rows * columns * sizeof(uint16_t));
}

static void *take_if(struct dyno_cuda_arena *arena, const void *there, uint64_t elements)
{
    return there ? take(arena, 1, elements) : NULL;
}

static uint64_t joint_width(const struct dyno_model *model)
{
    return ((uint64_t)model->heads + 2 * (uint64_t)model->kv_heads) * model->head_dim;
}

static struct dyno_cuda_layer lay_layer(struct dyno_cuda_arena *arena,
                                        const struct dyno_model *model,
                                        const struct dyno_layer_weights *from)
{
    struct dyno_cuda_layer layer = {0};
    uint64_t hidden = model->hidden, wide = (uint64_t)model->heads * model->head_dim;
    uint64_t experts = (uint64_t)model->experts * model->expert_intermediate; /* side by side */

    layer.attention_norm = take(arena, 1, hidden);
    layer.mlp_norm = take(arena, 1, hidden);
    layer.query_key_value = take(arena, joint_width(model), hidden);
    layer.query_key_value_bias = take_if(arena, from->query_bias, joint_width(model));
    layer.query_norm = take_if(arena, from->query_norm, model->head_dim);
    layer.key_norm = take_if(arena, from->key_norm, model->head_dim);
    layer.output = take(arena, hidden, wide);
    layer.output_bias = take_if(arena, from->output_bias, hidden);
    if (from->router.data) {
        layer.router = take(arena, model->experts, hidden);
        layer.expert_gate_up = take(arena, experts * 2, hidden);
        layer.expert_down = take(arena, experts, hidden);
        return layer;
    }
    layer.gate_up = take(arena, 2 * (uint64_t)model->intermediate, hidden);
    layer.down = take(arena, hidden, model->intermediate);
    layer.down_bias = take_if(arena, from->down_bias, hidden);
    return layer;
}

/* Whether the logits' matrix is the embedding, or rows of it; *row is its first there. */
static bool are_tied(const struct dyno_weights *weights, uint64_t *row)
{
    const struct dyno_matrix *embedding = &weights->embedding;
    uint64_t row_bytes = dyno_row_bytes(embedding->element, embedding->columns);
    uintptr_t begin = (uintptr_t)embedding->data, at = (uintptr_t)weights->logits.data;

    *row = at >= begin && row_bytes > 0 ? (at - begin) / row_bytes : 0;
    return at >= begin && *row < embedding->rows;
}

/* `model->layers` may be NULL: then layers are only counted. */
static void lay_out(struct dyno_cuda_arena *arena, struct dyno_cuda_model *model)
{
    const struct dyno_weights *weights = model->weights;
    const struct dyno_model *shape = &weights->model;
    uint64_t row;

    for (uint32_t i = 0; i < shape->layers; i++) {
        struct dyno_cuda_layer layer = lay_layer(arena, shape, &weights->layers[i]);

        if (model->layers) {
            model->layers[i] = layer;
        }
    }
    model->embedding = take(arena, shape->vocab, shape->hidden);
    if (!are_tied(weights, &row)) {
        model->logits = take(arena, weights->logits.rows, shape->hidden);
    } else if (model->embedding) {
        model->logits = (const uint16_t *)model->embedding + row * shape->hidden;
    }
    model->final_norm = take(arena, 1, shape->hidden);
    model->rope =
        dyno_cuda_take(arena, (uint64_t)model->positions * shape->head_dim * sizeof(float));
}

uint64_t dyno_cuda_model_bytes(const struct dyno_weights *weights, enum dyno_element element,
                               uint32_t positions)
{
    struct dyno_cuda_model model = {.weights = weights, .element = element, .positions = positions};
    struct dyno_cuda_arena arena = {0};

    lay_out(&arena, &model);
    return arena.used;
}

/* ---- the load -------------------------------------------------------------------------------- */

struct load {
    struct dyno_cuda_upload *upload;
    struct dyno_shard_part heads, intermediate, expert_intermediate; /* of the whole model's */
    enum dyno_element element;
    struct dyno_error *error;
};

/* The kernels read what they are given as const; here it is written. */
static void *writable(const void *memory, uint64_t elements)
{
    return (char *)(uintptr_t)memory + elements * sizeof(uint16_t);
}

static dyno_status load_matrix(const struct load *load, const void *to, uint64_t row,
                               const struct dyno_matrix *from)
{
    return dyno_cuda_upload_matrix(load->upload, writable(to, row * from->columns), from,
                                   load->element, load->error);
}

/* Of a matrix that ranks share out by columns, this one's. */
static dyno_status load_columns(const struct load *load, const void *to, uint64_t row,
                                const struct dyno_matrix *from, struct dyno_shard_part columns)
{
    return dyno_cuda_upload_columns(load->upload, writable(to, row * columns.count), from,
                                    columns.first, columns.count, load->element, load->error);
}

/* At element `at` of `to`. */
static dyno_status load_vector(const struct load *load, const void *to, uint64_t at,
                               const float *from, uint32_t count)
{
    struct dyno_matrix vector = {DYNO_ELEMENT_F32, 1, count, from};

    return from ? dyno_cuda_upload_matrix(load->upload, writable(to, at), &vector, load->element,
                                          load->error)
                : DYNO_OK;
}

static dyno_status load_attention(const struct load *load, const struct dyno_model *model,
                                  const struct dyno_cuda_layer *to,
                                  const struct dyno_layer_weights *from)
{
    uint32_t wide = model->heads * model->head_dim, narrow = model->kv_heads * model->head_dim;
    struct dyno_shard_part columns = {load->heads.first * model->head_dim, wide};

    DYNO_TRY(load_vector(load, to->attention_norm, 0, from->attention_norm, model->hidden));
    DYNO_TRY(load_matrix(load, to->query_key_value, 0, &from->query));
    DYNO_TRY(load_matrix(load, to->query_key_value, wide, &from->key));
    DYNO_TRY(load_matrix(load, to->query_key_value, wide + narrow, &from->value));
    DYNO_TRY(load_vector(load, to->query_key_value_bias, 0, from->query_bias, wide));
    DYNO_TRY(load_vector(load, to->query_key_value_bias, wide, from->key_bias, narrow));
    DYNO_TRY(load_vector(load, to->query_key_value_bias, wide + narrow, from->value_bias, narrow));
    DYNO_TRY(load_vector(load, to->query_norm, 0, from->query_norm, model->head_dim));
    DYNO_TRY(load_vector(load, to->key_norm, 0, from->key_norm, model->head_dim));
    DYNO_TRY(load_columns(load, to->output, 0, &from->output, columns));
    return load_vector(load, to->output_bias, 0, from->output_bias, model->hidden);
}

static dyno_status load_experts(const struct load *load, const struct dyno_model *model,
                                const struct dyno_cuda_layer *to,
                                const struct dyno_layer_weights *from)
{
    uint64_t width = model->expert_intermediate;

    DYNO_TRY(load_matrix(load, to->router, 0, &from->router));
    for (uint64_t i = 0; i < model->experts; i++) {
        DYNO_TRY(load_matrix(load, to->expert_gate_up, 2 * i * width, &from->expert_gate[i]));
        DYNO_TRY(load_matrix(load, to->expert_gate_up, (2 * i + 1) * width, &from->expert_up[i]));
        DYNO_TRY(load_columns(load, to->expert_down, i * model->hidden, &from->expert_down[i],
                              load->expert_intermediate));
    }
    return DYNO_OK;
}

static dyno_status load_mlp(const struct load *load, const struct dyno_model *model,
                            const struct dyno_cuda_layer *to, const struct dyno_layer_weights *from)
{
    DYNO_TRY(load_vector(load, to->mlp_norm, 0, from->mlp_norm, model->hidden));
    if (from->router.data) {
        return load_experts(load, model, to, from);
    }
    DYNO_TRY(load_matrix(load, to->gate_up, 0, &from->gate));
    DYNO_TRY(load_matrix(load, to->gate_up, model->intermediate, &from->up));
    DYNO_TRY(load_columns(load, to->down, 0, &from->down, load->intermediate));
    return load_vector(load, to->down_bias, 0, from->down_bias, model->hidden);
}

static dyno_status load_rope(const struct load *load, const struct dyno_cuda_model *model)
{
    const struct dyno_weights *weights = model->weights;
    uint32_t head_dim = weights->model.head_dim;
    float *table = dyno_rope_table_make(&weights->rope, head_dim, model->positions);
    dyno_status status;

    if (!table) {
        return dyno_fail(load->error, DYNO_NO_MEMORY, "no memory for %u positions",
                         model->positions);
    }
    status =
        dyno_cuda_upload_bytes(load->upload, writable(model->rope, 0), table,
                               (uint64_t)model->positions * head_dim * sizeof *table, load->error);
    free(table);
    return status;
}

static dyno_status load_all(const struct load *load, const struct dyno_cuda_model *model)
{
    const struct dyno_weights *weights = model->weights;
    uint64_t row;

    for (uint32_t i = 0; i < weights->model.layers; i++) {
        DYNO_TRY(load_attention(load, &weights->model, &model->layers[i], &weights->layers[i]));
        DYNO_TRY(load_mlp(load, &weights->model, &model->layers[i], &weights->layers[i]));
    }
    DYNO_TRY(load_matrix(load, model->embedding, 0, &weights->embedding));
    if (!are_tied(weights, &row)) {
        DYNO_TRY(load_matrix(load, model->logits, 0, &weights->logits));
    }
    DYNO_TRY(load_vector(load, model->final_norm, 0, weights->final_norm, weights->model.hidden));
    DYNO_TRY(load_rope(load, model));
    return dyno_cuda_upload_finish(load->upload, load->error);
}

/* What of the matrices that are split by columns is to be loaded. */
static struct load begin_load(const struct dyno_cuda_model *model, const struct dyno_shard *shard,
                              struct dyno_error *error)
{
    const struct dyno_model *shape = &model->weights->model;
    struct load load = {.heads = {0, shape->heads},
                        .intermediate = {0, shape->intermediate},
                        .expert_intermediate = {0, shape->expert_intermediate},
                        .element = model->element,
                        .error = error};

    if (shard) {
        load.heads = shard->heads;
        load.intermediate = shard->intermediate;
        load.expert_intermediate = shard->expert_intermediate;
    }
    return load;
}

static dyno_status fill(struct dyno_cuda_model *model, const struct dyno_shard *shard,
                        struct dyno_team *team, struct dyno_error *error)
{
    struct dyno_cuda_arena arena = {0};
    struct load load = begin_load(model, shard, error);
    dyno_status status;

    model->bytes = dyno_cuda_model_bytes(model->weights, model->element, model->positions);
    DYNO_CUDA_TRY(cudaMalloc(&model->memory, model->bytes), error);
    arena.base = model->memory;
    lay_out(&arena, model);
    DYNO_TRY(dyno_cuda_upload_open(&load.upload, team, error));
    status = load_all(&load, model);
    dyno_cuda_upload_close(load.upload);
    return status;
}

dyno_status dyno_cuda_model_open(struct dyno_cuda_model **out, const struct dyno_weights *weights,
                                 const struct dyno_shard *shard, enum dyno_element element,
                                 uint32_t positions, struct dyno_team *team,
                                 struct dyno_error *error)
{
    struct dyno_cuda_model *model;
    dyno_status status;

    DYNO_TRY(dyno_cuda_model_check(weights, error));
    model = calloc(1, sizeof *model);
    if (!model) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the model's layers");
    }
    model->weights = weights;
    model->element = element;
    model->positions = positions;
    model->layers = calloc(weights->model.layers, sizeof *model->layers);
    status = model->layers ? fill(model, shard, team, error)
                           : dyno_fail(error, DYNO_NO_MEMORY, "no memory for the model's layers");
    if (status != DYNO_OK) {
        dyno_cuda_model_close(model);
        return status;
    }
    *out = model;
    return DYNO_OK;
}

void dyno_cuda_model_close(struct dyno_cuda_model *model)
{
    if (!model) {
        return;
    }
    (void)cudaFree(model->memory);
    free(model->layers);
    free(model);
}

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

/* What is known of the model beside its layout. */
struct plan {
    const struct dyno_weights *weights;
    struct dyno_shard_part heads, intermediate, expert_intermediate; /* of the whole model's */
    bool narrow;
    uint32_t narrow_count; /* matrices of 8 bits, so far */
};

static struct plan plan_of(const struct dyno_cuda_model_config *config)
{
    const struct dyno_model *shape = &config->weights->model;
    struct plan plan = {.weights = config->weights,
                        .heads = {0, shape->heads},
                        .intermediate = {0, shape->intermediate},
                        .expert_intermediate = {0, shape->expert_intermediate},
                        .narrow = config->narrow};

    if (config->shard) {
        plan.heads = config->shard->heads;
        plan.intermediate = config->shard->intermediate;
        plan.expert_intermediate = config->shard->expert_intermediate;
    }
    return plan;
}

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

/* Columns of the output's matrix that are those of some heads. */
static struct dyno_shard_part columns_of(struct dyno_shard_part heads, uint32_t head_dim)
{
    return (struct dyno_shard_part){heads.first * head_dim, heads.count * head_dim};
}

/* `rows` of a matrix that is made of `parts`, of whose columns it has `columns`. */
static struct dyno_cuda_matrix take_matrix(struct dyno_cuda_arena *arena, struct plan *plan,
                                           const struct dyno_matrix *const *parts,
                                           uint32_t part_count, struct dyno_shard_part columns,
                                           uint64_t rows)
{
    struct dyno_cuda_matrix matrix = {.columns = columns.count};

    if (plan->narrow) {
        matrix = dyno_cuda_matrix_form(plan->weights, parts, part_count, columns);
    }
    plan->narrow_count += matrix.kind != DYNO_CUDA_WEIGHTS_16;
    dyno_cuda_matrix_take(&matrix, arena, rows);
    return matrix;
}

static void lay_attention(struct dyno_cuda_arena *arena, struct plan *plan,
                          struct dyno_cuda_layer *layer, const struct dyno_layer_weights *from)
{
    const struct dyno_model *model = &plan->weights->model;
    const struct dyno_matrix *joint[] = {&from->query, &from->key, &from->value};
    const struct dyno_matrix *output = &from->output;
    uint32_t hidden = model->hidden;

    layer->attention_norm = take(arena, 1, hidden);
    layer->query_key_value =
        take_matrix(arena, plan, joint, 3, (struct dyno_shard_part){0, hidden}, joint_width(model));
    layer->query_key_value_bias = take_if(arena, from->query_bias, joint_width(model));
    layer->query_norm = take_if(arena, from->query_norm, model->head_dim);
    layer->key_norm = take_if(arena, from->key_norm, model->head_dim);
    layer->output =
        take_matrix(arena, plan, &output, 1, columns_of(plan->heads, model->head_dim), hidden);
    layer->output_bias = take_if(arena, from->output_bias, hidden);
}

/* Of one more matrix beside a first: the form of both. */
static struct dyno_cuda_matrix form_beside(const struct plan *plan, const struct dyno_matrix *first,
                                           const struct dyno_matrix *more,
                                           struct dyno_shard_part columns)
{
    const struct dyno_matrix *both[] = {first, more};

    return dyno_cuda_matrix_form(plan->weights, both, 2, columns);
}

/* `rows` of each of the experts' matrices, `first` and where there is a second of each, `second`.
 */
static struct dyno_cuda_matrix take_experts(struct dyno_cuda_arena *arena, struct plan *plan,
                                            const struct dyno_matrix *first,
                                            const struct dyno_matrix *second,
                                            struct dyno_shard_part columns, uint64_t rows)
{
    uint32_t experts = plan->weights->model.experts;
    struct dyno_cuda_matrix matrix = {.columns = columns.count};

    for (uint32_t i = 0; plan->narrow && i < experts; i++) {
        matrix = form_beside(plan, &first[0], &first[i], columns);
        if (matrix.kind != DYNO_CUDA_WEIGHTS_16 && second) {
            matrix = form_beside(plan, &first[0], &second[i], columns);
        }
        if (matrix.kind == DYNO_CUDA_WEIGHTS_16) {
            break;
        }
    }
    plan->narrow_count += matrix.kind != DYNO_CUDA_WEIGHTS_16;
    dyno_cuda_matrix_take(&matrix, arena, experts * rows);
    return matrix;
}

static void lay_mlp(struct dyno_cuda_arena *arena, struct plan *plan, struct dyno_cuda_layer *layer,
                    const struct dyno_layer_weights *from)
{
    const struct dyno_model *model = &plan->weights->model;
    const struct dyno_matrix *gate_up[] = {&from->gate, &from->up}, *down = &from->down;
    uint32_t hidden = model->hidden;

    layer->mlp_norm = take(arena, 1, hidden);
    if (from->router.data) {
        layer->router = take(arena, model->experts, hidden);
        layer->expert_gate_up = take_experts(arena, plan, from->expert_gate, from->expert_up,
                                             (struct dyno_shard_part){0, hidden},
                                             2 * (uint64_t)model->expert_intermediate);
        layer->expert_down =
            take_experts(arena, plan, from->expert_down, NULL, plan->expert_intermediate, hidden);
        return;
    }
    layer->gate_up = take_matrix(arena, plan, gate_up, 2, (struct dyno_shard_part){0, hidden},
                                 2 * (uint64_t)model->intermediate);
    layer->down = take_matrix(arena, plan, &down, 1, plan->intermediate, hidden);
    layer->down_bias = take_if(arena, from->down_bias, hidden);
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

static void lay_logits(struct dyno_cuda_arena *arena, struct plan *plan,
                       struct dyno_cuda_model *model)
{
    const struct dyno_matrix *logits = &plan->weights->logits;
    uint32_t hidden = plan->weights->model.hidden;
    uint64_t row;

    model->embedding = take(arena, plan->weights->model.vocab, hidden);
    if (!are_tied(plan->weights, &row)) {
        model->logits =
            take_matrix(arena, plan, &logits, 1, (struct dyno_shard_part){0, hidden}, logits->rows);
    } else {
        model->logits = (struct dyno_cuda_matrix){.columns = hidden};
        model->logits.weights = arena->base && logits->rows > 0
                                    ? (const uint16_t *)model->embedding + row * hidden
                                    : NULL;
    }
}

/* `model->layers` may be NULL: then layers are only counted. */
static void lay_out(struct dyno_cuda_arena *arena, struct plan *plan, struct dyno_cuda_model *model,
                    uint32_t positions)
{
    const struct dyno_model *shape = &plan->weights->model;

    for (uint32_t i = 0; i < shape->layers; i++) {
        struct dyno_cuda_layer layer = {0};

        lay_attention(arena, plan, &layer, &plan->weights->layers[i]);
        lay_mlp(arena, plan, &layer, &plan->weights->layers[i]);
        if (model->layers) {
            model->layers[i] = layer;
        }
    }
    lay_logits(arena, plan, model);
    model->final_norm = take(arena, 1, shape->hidden);
    model->rope = dyno_cuda_take(arena, (uint64_t)positions * shape->head_dim * sizeof(float));
}

static uint64_t count_bytes(struct plan *plan, uint32_t positions)
{
    struct dyno_cuda_model model = {.layers = NULL};
    struct dyno_cuda_arena arena = {0};

    lay_out(&arena, plan, &model, positions);
    return arena.used;
}

uint64_t dyno_cuda_model_bytes(const struct dyno_cuda_model_config *config)
{
    struct plan plan = plan_of(config);

    return count_bytes(&plan, config->positions);
}

dyno_status dyno_cuda_model_check_narrow(const struct dyno_cuda_model_config *config,
                                         struct dyno_error *error)
{
    struct plan plan = plan_of(config);

    (void)count_bytes(&plan, config->positions);
    if (!config->narrow || plan.narrow_count > 0) {
        return DYNO_OK;
    }
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "weights are to stay of 8 bits, and the model's file has none that can: "
                     "matrices of e4m3 whose scales' blocks are a multiple of 8 columns wide, or "
                     "of Q8_0; bf16 takes any");
}

/* ---- the load -------------------------------------------------------------------------------- */

struct load {
    struct dyno_cuda_upload *upload;
    const struct plan *plan;
    enum dyno_element element;
    struct dyno_error *error;
};

/* The kernels read what they are given as const; here it is written. */
static void *writable(const void *memory, uint64_t elements)
{
    return (char *)(uintptr_t)memory + elements * sizeof(uint16_t);
}

/* Of 16 bits. */
static dyno_status load_elements(const struct load *load, const void *to, uint64_t row,
                                 const struct dyno_matrix *from)
{
    return dyno_cuda_upload_matrix(load->upload, writable(to, row * from->columns), from,
                                   load->element, load->error);
}

/* The columns `part` of `from`, as the matrix lies. */
static dyno_status load_part(const struct load *load, const struct dyno_cuda_matrix *to,
                             uint64_t row, const struct dyno_matrix *from,
                             struct dyno_shard_part part)
{
    return dyno_cuda_matrix_load(to, row, load->plan->weights, from, part, load->element,
                                 load->upload, load->error);
}

static dyno_status load_matrix(const struct load *load, const struct dyno_cuda_matrix *to,
                               uint64_t row, const struct dyno_matrix *from)
{
    return load_part(load, to, row, from, (struct dyno_shard_part){0, from->columns});
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

    DYNO_TRY(load_vector(load, to->attention_norm, 0, from->attention_norm, model->hidden));
    DYNO_TRY(load_matrix(load, &to->query_key_value, 0, &from->query));
    DYNO_TRY(load_matrix(load, &to->query_key_value, wide, &from->key));
    DYNO_TRY(load_matrix(load, &to->query_key_value, wide + narrow, &from->value));
    DYNO_TRY(load_vector(load, to->query_key_value_bias, 0, from->query_bias, wide));
    DYNO_TRY(load_vector(load, to->query_key_value_bias, wide, from->key_bias, narrow));
    DYNO_TRY(load_vector(load, to->query_key_value_bias, wide + narrow, from->value_bias, narrow));
    DYNO_TRY(load_vector(load, to->query_norm, 0, from->query_norm, model->head_dim));
    DYNO_TRY(load_vector(load, to->key_norm, 0, from->key_norm, model->head_dim));
    DYNO_TRY(load_part(load, &to->output, 0, &from->output,
                       columns_of(load->plan->heads, model->head_dim)));
    return load_vector(load, to->output_bias, 0, from->output_bias, model->hidden);
}

static dyno_status load_experts(const struct load *load, const struct dyno_model *model,
                                const struct dyno_cuda_layer *to,
                                const struct dyno_layer_weights *from)
{
    uint64_t width = model->expert_intermediate;

    DYNO_TRY(load_elements(load, to->router, 0, &from->router));
    for (uint64_t i = 0; i < model->experts; i++) {
        DYNO_TRY(load_matrix(load, &to->expert_gate_up, 2 * i * width, &from->expert_gate[i]));
        DYNO_TRY(load_matrix(load, &to->expert_gate_up, (2 * i + 1) * width, &from->expert_up[i]));
        DYNO_TRY(load_part(load, &to->expert_down, i * model->hidden, &from->expert_down[i],
                           load->plan->expert_intermediate));
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
    DYNO_TRY(load_matrix(load, &to->gate_up, 0, &from->gate));
    DYNO_TRY(load_matrix(load, &to->gate_up, model->intermediate, &from->up));
    DYNO_TRY(load_part(load, &to->down, 0, &from->down, load->plan->intermediate));
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
    DYNO_TRY(load_elements(load, model->embedding, 0, &weights->embedding));
    if (!are_tied(weights, &row)) {
        DYNO_TRY(load_matrix(load, &model->logits, 0, &weights->logits));
    }
    DYNO_TRY(load_vector(load, model->final_norm, 0, weights->final_norm, weights->model.hidden));
    DYNO_TRY(load_rope(load, model));
    return dyno_cuda_upload_finish(load->upload, load->error);
}

static dyno_status fill(struct dyno_cuda_model *model, struct plan *plan, struct dyno_team *team,
                        struct dyno_error *error)
{
    struct dyno_cuda_arena arena = {0};
    struct load load = {.plan = plan, .element = model->element, .error = error};
    dyno_status status;

    model->bytes = count_bytes(plan, model->positions);
    DYNO_CUDA_TRY(cudaMalloc(&model->memory, model->bytes), error);
    arena.base = model->memory;
    lay_out(&arena, plan, model, model->positions);
    DYNO_TRY(dyno_cuda_upload_open(&load.upload, team, error));
    status = load_all(&load, model);
    dyno_cuda_upload_close(load.upload);
    return status;
}

dyno_status dyno_cuda_model_open(struct dyno_cuda_model **out,
                                 const struct dyno_cuda_model_config *config,
                                 struct dyno_team *team, struct dyno_error *error)
{
    struct plan plan = plan_of(config);
    struct dyno_cuda_model *model;
    dyno_status status;

    DYNO_TRY(dyno_cuda_model_check(config->weights, error));
    model = calloc(1, sizeof *model);
    if (!model) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the model's layers");
    }
    model->weights = config->weights;
    model->element = config->element;
    model->narrow = config->narrow;
    model->positions = config->positions;
    model->layers = calloc(config->weights->model.layers, sizeof *model->layers);
    status = model->layers ? fill(model, &plan, team, error)
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

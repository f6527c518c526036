/* Every matrix and vector of a model, by name and by shape.
 *
 * A tensor that no part of the model asked for is refused too: it would be a bias that is not added
 * or a norm that is not applied, and the text would be wrong without a word. */
#include "backends/assets/weights_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/words.h"
#include "kernels/element.h"

enum { NAME_MAX = 160 };

/* Tensors that checkpoints carry and that follow from the configuration. */
static const char *const idle_endings[] = {
    ".rotary_emb.inv_freq",
    ".attn.bias",
    ".attn.masked_bias",
    "lm_head.weight",
};

struct binder {
    struct dyno_opening *opening;
    const struct dyno_tensor_names *names;
    const struct dyno_model *model;
    uint32_t layer;
    struct dyno_error *error;
};

static const char *name_of(char out[NAME_MAX], const struct binder *binder, const char *part,
                           const char *ending)
{
    (void)snprintf(out, NAME_MAX, "%s%s%s", binder->names->prefix, part, ending);
    return out;
}

static const char *layer_name(char out[NAME_MAX], const struct binder *binder, const char *part,
                              const char *ending)
{
    (void)snprintf(out, NAME_MAX, "%s%s%" PRIu32 ".%s%s", binder->names->prefix,
                   binder->names->layers, binder->layer, part, ending);
    return out;
}

static const char *expert_name(char out[NAME_MAX], const struct binder *binder, uint32_t expert,
                               const char *part)
{
    (void)snprintf(out, NAME_MAX, "%s%s%" PRIu32 ".%s%" PRIu32 ".%s.weight", binder->names->prefix,
                   binder->names->layers, binder->layer, binder->names->experts, expert, part);
    return out;
}

static bool has(const struct binder *binder, const char *name)
{
    return dyno_tensors_find(&binder->opening->tensors, name) != NULL;
}

/* The tensor `name` of exactly this shape and of a type that is computed with. */
static dyno_status need(struct dyno_opening *opening, const char *name, const uint64_t *shape,
                        uint32_t rank, struct dyno_tensor **out, struct dyno_error *error)
{
    struct dyno_tensor *tensor = dyno_tensors_find(&opening->tensors, name);
    char got[DYNO_TENSOR_SHAPE_TEXT], due[DYNO_TENSOR_SHAPE_TEXT];
    char path[DYNO_QUOTE_MAX], quoted[DYNO_QUOTE_MAX];

    (void)dyno_tensor_shape_text(due, shape, rank);
    if (!tensor) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s lacks the tensor %s of shape %s",
                         dyno_quote(path, opening->path), dyno_quote(quoted, name), due);
    }
    if (tensor->rank != rank || memcmp(tensor->shape, shape, rank * sizeof(*shape)) != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s: tensor %s has the shape %s where the configuration makes it %s",
                         dyno_quote(path, tensor->file->path), dyno_quote(quoted, name),
                         dyno_tensor_shape_text(got, tensor->shape, tensor->rank), due);
    }
    if (tensor->element == DYNO_ELEMENTS) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "%s: tensor %s is of type %s; F32, F16, BF16 and, in GGUF, Q8_0 can be "
                         "computed with",
                         dyno_quote(path, tensor->file->path), dyno_quote(quoted, name),
                         tensor->type);
    }
    if (!tensor->used) {
        tensor->used = true;
        opening->weights.bytes += tensor->bytes;
    }
    *out = tensor;
    return DYNO_OK;
}

static dyno_status no_memory(struct dyno_error *error)
{
    return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the vectors of a model");
}

dyno_status dyno_weights_vector(struct dyno_opening *opening, const char *name, uint32_t count,
                                const float **out, struct dyno_error *error)
{
    const uint64_t shape[] = {count};
    struct dyno_tensor *tensor = NULL;
    struct dyno_matrix row;
    float *values;

    DYNO_TRY(need(opening, name, shape, 1, &tensor, error));
    assert(tensor);
    values = dyno_memory_take(&opening->tensors.memory, count, sizeof(*values));
    if (!values) {
        return no_memory(error);
    }
    row = (struct dyno_matrix){tensor->element, 1, count, tensor->data};
    dyno_matrix_read(&row, 0, 0, count, values);
    *out = values;
    return DYNO_OK;
}

/* Kernels read whole elements: a tensor at an odd place is copied to an even one. */
static dyno_status align(const struct binder *binder, struct dyno_tensor *tensor)
{
    uintptr_t unit = tensor->element == DYNO_ELEMENT_F32 ? 4 : 2;
    uint8_t *copy;

    if ((uintptr_t)tensor->data % unit == 0) {
        return DYNO_OK;
    }
    copy = dyno_memory_take(&binder->opening->tensors.memory, (size_t)tensor->bytes, 1);
    if (!copy) {
        return no_memory(binder->error);
    }
    memcpy(copy, tensor->data, (size_t)tensor->bytes);
    tensor->data = copy;
    return DYNO_OK;
}

static dyno_status bind_matrix(const struct binder *binder, const char *name, uint32_t rows,
                               uint32_t columns, struct dyno_matrix *out)
{
    const uint64_t shape[] = {rows, columns};
    struct dyno_tensor *tensor = NULL;

    DYNO_TRY(need(binder->opening, name, shape, 2, &tensor, binder->error));
    assert(tensor);
    DYNO_TRY(align(binder, tensor));
    *out = (struct dyno_matrix){tensor->element, rows, columns, tensor->data};
    return DYNO_OK;
}

/* [rows][columns] of `unit` bytes from [columns][rows], tile by tile, so that both sides of a tile
 * stay in the cache. */
static void transpose(uint8_t *out, const uint8_t *in, uint32_t rows, uint32_t columns, size_t unit)
{
    enum { TILE = 32 };

    for (uint32_t row = 0; row < rows; row += TILE) {
        for (uint32_t column = 0; column < columns; column += TILE) {
            for (uint32_t r = row; r < rows && r < row + TILE; r++) {
                for (uint32_t c = column; c < columns && c < column + TILE; c++) {
                    memcpy(out + ((size_t)r * columns + c) * unit,
                           in + ((size_t)c * rows + r) * unit, unit);
                }
            }
        }
    }
}

static dyno_status bind_transposed(const struct binder *binder, const char *name, uint32_t rows,
                                   uint32_t columns, struct dyno_matrix *out)
{
    const uint64_t shape[] = {columns, rows};
    struct dyno_tensor *tensor = NULL;
    char path[DYNO_QUOTE_MAX];
    uint8_t *data;
    size_t unit;

    DYNO_TRY(need(binder->opening, name, shape, 2, &tensor, binder->error));
    assert(tensor);
    unit = dyno_row_bytes(tensor->element, 1);
    if (unit == 0) {
        return dyno_fail(binder->error, DYNO_UNSUPPORTED,
                         "%s: tensor '%s' is of blocks, which cannot be transposed",
                         dyno_quote(path, tensor->file->path), name);
    }
    data = dyno_memory_take(&binder->opening->tensors.memory, (size_t)tensor->bytes, 1);
    if (!data) {
        return no_memory(binder->error);
    }
    transpose(data, tensor->data, rows, columns, unit);
    *out = (struct dyno_matrix){tensor->element, rows, columns, data};
    return DYNO_OK;
}

static dyno_status layer_matrix(const struct binder *binder, const char *part, uint32_t rows,
                                uint32_t columns, struct dyno_matrix *out)
{
    char name[NAME_MAX];

    (void)layer_name(name, binder, part, ".weight");
    return binder->names->transposed ? bind_transposed(binder, name, rows, columns, out)
                                     : bind_matrix(binder, name, rows, columns, out);
}

static dyno_status layer_vector(const struct binder *binder, const char *part, const char *ending,
                                uint32_t count, const float **out)
{
    char name[NAME_MAX];

    return dyno_weights_vector(binder->opening, layer_name(name, binder, part, ending), count, out,
                               binder->error);
}

/* A bias where `wanted`; elsewhere *out stays NULL. */
static dyno_status layer_bias(const struct binder *binder, bool wanted, const char *part,
                              uint32_t count, const float **out)
{
    return wanted ? layer_vector(binder, part, ".bias", count, out) : DYNO_OK;
}

static uint32_t query_rows(const struct dyno_model *model)
{
    return model->heads * model->head_dim;
}

static uint32_t key_rows(const struct dyno_model *model)
{
    return model->kv_heads * model->head_dim;
}

/* Rows [first, first + rows) of a matrix. */
static struct dyno_matrix part_of(const struct dyno_matrix *whole, uint32_t first, uint32_t rows)
{
    struct dyno_matrix part = *whole;

    part.rows = rows;
    part.data =
        (const uint8_t *)whole->data + first * dyno_row_bytes(whole->element, whole->columns);
    return part;
}

static dyno_status bind_joint(const struct binder *binder, struct dyno_layer_weights *layer)
{
    uint32_t queries = query_rows(binder->model), keys = key_rows(binder->model);
    struct dyno_matrix joint;

    DYNO_TRY(layer_matrix(binder, binder->names->joint, queries + 2 * keys, binder->model->hidden,
                          &joint));
    layer->query = part_of(&joint, 0, queries);
    layer->key = part_of(&joint, queries, keys);
    layer->value = part_of(&joint, queries + keys, keys);
    DYNO_TRY(layer_bias(binder, binder->model->qkv_bias, binder->names->joint, queries + 2 * keys,
                        &layer->query_bias));
    if (layer->query_bias) {
        layer->key_bias = layer->query_bias + queries;
        layer->value_bias = layer->key_bias + keys;
    }
    return DYNO_OK;
}

static dyno_status bind_parted(const struct binder *binder, struct dyno_layer_weights *layer)
{
    uint32_t queries = query_rows(binder->model), keys = key_rows(binder->model);
    uint32_t hidden = binder->model->hidden;
    const struct dyno_tensor_names *names = binder->names;
    bool biased = binder->model->qkv_bias;

    DYNO_TRY(layer_matrix(binder, names->query, queries, hidden, &layer->query));
    DYNO_TRY(layer_matrix(binder, names->key, keys, hidden, &layer->key));
    DYNO_TRY(layer_matrix(binder, names->value, keys, hidden, &layer->value));
    DYNO_TRY(layer_bias(binder, biased, names->query, queries, &layer->query_bias));
    DYNO_TRY(layer_bias(binder, biased, names->key, keys, &layer->key_bias));
    return layer_bias(binder, biased, names->value, keys, &layer->value_bias);
}

static dyno_status bind_attention(const struct binder *binder, struct dyno_layer_weights *layer)
{
    const struct dyno_tensor_names *names = binder->names;
    const struct dyno_model *model = binder->model;

    DYNO_TRY(names->joint ? bind_joint(binder, layer) : bind_parted(binder, layer));
    DYNO_TRY(layer_matrix(binder, names->output, model->hidden, query_rows(model), &layer->output));
    DYNO_TRY(
        layer_bias(binder, model->output_bias, names->output, model->hidden, &layer->output_bias));
    if (model->qk_norm) {
        DYNO_TRY(layer_vector(binder, names->query_norm, ".weight", model->head_dim,
                              &layer->query_norm));
        DYNO_TRY(
            layer_vector(binder, names->key_norm, ".weight", model->head_dim, &layer->key_norm));
    }
    return DYNO_OK;
}

static dyno_status bind_dense(const struct binder *binder, struct dyno_layer_weights *layer)
{
    const struct dyno_tensor_names *names = binder->names;
    const struct dyno_model *model = binder->model;
    uint32_t width = model->intermediate;

    if (model->gated_mlp) {
        DYNO_TRY(layer_matrix(binder, names->gate, width, model->hidden, &layer->gate));
    }
    DYNO_TRY(layer_matrix(binder, names->up, width, model->hidden, &layer->up));
    DYNO_TRY(layer_matrix(binder, names->down, model->hidden, width, &layer->down));
    DYNO_TRY(layer_bias(binder, model->mlp_bias, names->up, width, &layer->up_bias));
    return layer_bias(binder, model->mlp_bias, names->down, model->hidden, &layer->down_bias);
}

/* One tensor [experts][rows][columns], parted. */
static dyno_status bind_stacked(const struct binder *binder, const char *part, uint32_t rows,
                                uint32_t columns, struct dyno_matrix *out)
{
    const uint64_t shape[] = {binder->model->experts, rows, columns};
    struct dyno_tensor *tensor = NULL;
    char name[NAME_MAX];
    struct dyno_matrix one;

    DYNO_TRY(need(binder->opening, layer_name(name, binder, part, ".weight"), shape, 3, &tensor,
                  binder->error));
    assert(tensor);
    DYNO_TRY(align(binder, tensor));
    one = (struct dyno_matrix){tensor->element, rows, columns, tensor->data};
    for (uint32_t i = 0; i < binder->model->experts; i++) {
        out[i] = one;
        out[i].data = tensor->data + (size_t)i * rows * dyno_row_bytes(tensor->element, columns);
    }
    return DYNO_OK;
}

static dyno_status bind_experts_of(const struct binder *binder, const char *part, uint32_t rows,
                                   uint32_t columns, const struct dyno_matrix **out)
{
    struct dyno_matrix *matrices = dyno_memory_take(&binder->opening->tensors.memory,
                                                    binder->model->experts, sizeof(*matrices));
    char name[NAME_MAX];

    if (!matrices) {
        return no_memory(binder->error);
    }
    *out = matrices;
    if (binder->names->stacked) {
        return bind_stacked(binder, part, rows, columns, matrices);
    }
    for (uint32_t i = 0; i < binder->model->experts; i++) {
        DYNO_TRY(
            bind_matrix(binder, expert_name(name, binder, i, part), rows, columns, &matrices[i]));
    }
    return DYNO_OK;
}

static dyno_status bind_experts(const struct binder *binder, struct dyno_layer_weights *layer)
{
    const struct dyno_tensor_names *names = binder->names;
    uint32_t hidden = binder->model->hidden, width = binder->model->expert_intermediate;

    DYNO_TRY(layer_matrix(binder, names->router, binder->model->experts, hidden, &layer->router));
    DYNO_TRY(bind_experts_of(binder, names->expert_gate, width, hidden, &layer->expert_gate));
    DYNO_TRY(bind_experts_of(binder, names->expert_up, width, hidden, &layer->expert_up));
    return bind_experts_of(binder, names->expert_down, hidden, width, &layer->expert_down);
}

static dyno_status bind_norms(const struct binder *binder, struct dyno_layer_weights *layer)
{
    const struct dyno_tensor_names *names = binder->names;
    uint32_t hidden = binder->model->hidden;
    bool biased = binder->model->norm_bias;

    DYNO_TRY(
        layer_vector(binder, names->attention_norm, ".weight", hidden, &layer->attention_norm));
    DYNO_TRY(layer_vector(binder, names->mlp_norm, ".weight", hidden, &layer->mlp_norm));
    DYNO_TRY(
        layer_bias(binder, biased, names->attention_norm, hidden, &layer->attention_norm_bias));
    return layer_bias(binder, biased, names->mlp_norm, hidden, &layer->mlp_norm_bias);
}

static dyno_status bind_layers(struct binder *binder)
{
    const struct dyno_model *model = binder->model;
    struct dyno_layer_weights *layers =
        dyno_memory_take(&binder->opening->tensors.memory, model->layers, sizeof(*layers));
    char path[DYNO_QUOTE_MAX], name[NAME_MAX];
    uint32_t dense = 0;

    if (!layers) {
        return no_memory(binder->error);
    }
    binder->opening->weights.layers = layers;
    for (; binder->layer < model->layers; binder->layer++) {
        struct dyno_layer_weights *layer = &layers[binder->layer];
        bool has_experts =
            model->experts &&
            (model->dense_layers == 0 ||
             has(binder, layer_name(name, binder, binder->names->router, ".weight")));

        DYNO_TRY(bind_norms(binder, layer));
        DYNO_TRY(bind_attention(binder, layer));
        DYNO_TRY(has_experts ? bind_experts(binder, layer) : bind_dense(binder, layer));
        dense += !has_experts;
    }
    if (dense != model->dense_layers) {
        return dyno_fail(binder->error, DYNO_BAD_INPUT,
                         "%s: %" PRIu32
                         " layers have no router where the configuration has %" PRIu32
                         " without experts",
                         dyno_quote(path, binder->opening->path), dense, model->dense_layers);
    }
    return DYNO_OK;
}

static dyno_status bind_ends(const struct binder *binder)
{
    struct dyno_weights *weights = &binder->opening->weights;
    const struct dyno_tensor_names *names = binder->names;
    const struct dyno_model *model = binder->model;
    char name[NAME_MAX];

    DYNO_TRY(bind_matrix(binder, name_of(name, binder, names->embedding, ".weight"), model->vocab,
                         model->hidden, &weights->embedding));
    if (model->positions) {
        DYNO_TRY(bind_matrix(binder, name_of(name, binder, names->positions, ".weight"),
                             model->positions, model->hidden, &weights->positions));
    }
    weights->logits = weights->embedding;
    if (!model->tied_embeddings) {
        (void)snprintf(name, sizeof(name), "%s%s.weight", names->bare_logits ? "" : names->prefix,
                       names->logits);
        DYNO_TRY(bind_matrix(binder, name, model->vocab, model->hidden, &weights->logits));
    }
    DYNO_TRY(dyno_weights_vector(binder->opening,
                                 name_of(name, binder, names->final_norm, ".weight"), model->hidden,
                                 &weights->final_norm, binder->error));
    if (model->norm_bias) {
        DYNO_TRY(dyno_weights_vector(binder->opening,
                                     name_of(name, binder, names->final_norm, ".bias"),
                                     model->hidden, &weights->final_norm_bias, binder->error));
    }
    return DYNO_OK;
}

static bool may_idle(const char *name)
{
    for (size_t i = 0; i < sizeof idle_endings / sizeof idle_endings[0]; i++) {
        size_t length = strlen(name), ending = strlen(idle_endings[i]);

        if (length >= ending && strcmp(name + length - ending, idle_endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

static dyno_status refuse_unused(const struct binder *binder)
{
    const struct dyno_tensors *tensors = &binder->opening->tensors;
    char path[DYNO_QUOTE_MAX], name[DYNO_QUOTE_MAX];

    for (size_t i = 0; i < tensors->count; i++) {
        const struct dyno_tensor *tensor = &tensors->items[i];

        if (!tensor->used && !may_idle(tensor->name)) {
            return dyno_fail(binder->error, DYNO_BAD_INPUT,
                             "%s: tensor %s has no place in the model that the configuration "
                             "describes; is the configuration that of these weights?",
                             dyno_quote(path, tensor->file->path), dyno_quote(name, tensor->name));
        }
    }
    return DYNO_OK;
}

dyno_status dyno_weights_bind(struct dyno_opening *opening, const struct dyno_tensor_names *names,
                              struct dyno_error *error)
{
    struct binder binder = {
        .opening = opening, .names = names, .model = &opening->weights.model, .error = error};

    DYNO_TRY(bind_ends(&binder));
    DYNO_TRY(bind_layers(&binder));
    return refuse_unused(&binder);
}

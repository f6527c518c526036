/* Descriptions of what a rank holds; the weights stay where they are. */
#include <stdlib.h>

#include "backends/engine/shard.h"

/* A view, and the arrays that only it has. */
struct view {
    struct dyno_weights weights;
    struct dyno_layer_weights *layers; /* [layers] */
    struct dyno_matrix *experts;       /* [layers][2][experts]: gates, ups; NULL: no mixture */
};

static struct dyno_matrix rows_of(const struct dyno_matrix *whole, uint32_t first, uint32_t count)
{
    struct dyno_matrix rows = *whole;

    if (whole->data) {
        rows.data =
            (const char *)whole->data + first * dyno_row_bytes(whole->element, whole->columns);
        rows.rows = count;
    }
    return rows;
}

/* A part of its columns, or of as many as it should have. */
static dyno_status check_columns(const struct dyno_matrix *whole, uint32_t width, const char *name,
                                 uint32_t ranks, struct dyno_error *error)
{
    if (whole->data && whole->columns != width * ranks) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the model's %s has %u columns, not %u", name,
                         whole->columns, width * ranks);
    }
    if (whole->data && whole->element == DYNO_ELEMENT_Q8_0 && width % DYNO_Q8_0_ELEMENTS != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%u ranks would have %u columns each of the model's %s, whose type Q8_0 "
                         "has a scale for every %d; fewer ranks, or weights of another type, would "
                         "do",
                         ranks, width, name, DYNO_Q8_0_ELEMENTS);
    }
    return DYNO_OK;
}

static dyno_status share_experts(struct dyno_layer_weights *layer, struct dyno_matrix *experts,
                                 uint32_t count, const struct dyno_shard *shard,
                                 struct dyno_error *error)
{
    struct dyno_shard_part part = shard->expert_intermediate;

    for (uint32_t i = 0; i < count; i++) {
        DYNO_TRY(
            check_columns(&layer->expert_down[i], part.count, "expert down", shard->ranks, error));
        experts[i] = rows_of(&layer->expert_gate[i], part.first, part.count);
        experts[count + i] = rows_of(&layer->expert_up[i], part.first, part.count);
    }
    layer->expert_gate = experts;
    layer->expert_up = experts + count;
    return DYNO_OK;
}

static const float *from(const float *vector, uint32_t first)
{
    return vector ? vector + first : NULL;
}

static void share_attention(struct dyno_layer_weights *layer, const struct dyno_shard *shard,
                            uint32_t head_dim)
{
    uint32_t wide = shard->heads.first * head_dim, narrow = shard->kv_heads.first * head_dim;

    layer->query = rows_of(&layer->query, wide, shard->heads.count * head_dim);
    layer->key = rows_of(&layer->key, narrow, shard->kv_heads.count * head_dim);
    layer->value = rows_of(&layer->value, narrow, shard->kv_heads.count * head_dim);
    layer->query_bias = from(layer->query_bias, wide);
    layer->key_bias = from(layer->key_bias, narrow);
    layer->value_bias = from(layer->value_bias, narrow);
}

static void share_mlp(struct dyno_layer_weights *layer, struct dyno_shard_part part)
{
    layer->gate = rows_of(&layer->gate, part.first, part.count);
    layer->up = rows_of(&layer->up, part.first, part.count);
    layer->up_bias = from(layer->up_bias, part.first);
}

static dyno_status share_layer(struct view *view, uint32_t index, const struct dyno_shard *shard,
                               struct dyno_error *error)
{
    struct dyno_layer_weights *layer = &view->layers[index];
    uint32_t head_dim = view->weights.model.head_dim, experts = view->weights.model.experts;

    DYNO_TRY(check_columns(&layer->output, shard->heads.count * head_dim, "output projection",
                           shard->ranks, error));
    DYNO_TRY(check_columns(&layer->down, shard->intermediate.count, "down", shard->ranks, error));
    share_attention(layer, shard, head_dim);
    share_mlp(layer, shard->intermediate);
    if (layer->router.data) {
        DYNO_TRY(share_experts(layer, view->experts + 2 * (size_t)index * experts, experts, shard,
                               error));
    }
    if (shard->rank > 0) {
        layer->output_bias = layer->down_bias = NULL;
    }
    return DYNO_OK;
}

static struct view *view_open(const struct dyno_weights *whole, const struct dyno_shard *shard)
{
    struct view *view = calloc(1, sizeof *view);
    const struct dyno_model *model = &whole->model;

    if (!view) {
        return NULL;
    }
    view->weights = *whole;
    view->weights.model.heads = shard->heads.count;
    view->weights.model.kv_heads = shard->kv_heads.count;
    view->weights.model.intermediate = shard->intermediate.count;
    view->weights.model.expert_intermediate = shard->expert_intermediate.count;
    view->weights.logits = rows_of(&whole->logits, shard->vocab.first, shard->vocab.count);
    view->layers = calloc(model->layers, sizeof *view->layers);
    view->experts = calloc(2 * (size_t)model->layers * model->experts + 1, sizeof *view->experts);
    view->weights.layers = view->layers;
    if (!view->layers || !view->experts) {
        dyno_shard_weights_close(&view->weights);
        return NULL;
    }
    return view;
}

dyno_status dyno_shard_weights_open(struct dyno_weights **out, const struct dyno_weights *whole,
                                    const struct dyno_shard *shard, struct dyno_error *error)
{
    struct view *view = view_open(whole, shard);
    dyno_status status = DYNO_OK;

    if (!view) {
        return dyno_fail(error, DYNO_NO_MEMORY, "there is no memory for a rank's view of weights");
    }
    for (uint32_t i = 0; i < whole->model.layers && status == DYNO_OK; i++) {
        view->layers[i] = whole->layers[i];
        status = share_layer(view, i, shard, error);
    }
    if (status != DYNO_OK) {
        dyno_shard_weights_close(&view->weights);
        return status;
    }
    *out = &view->weights;
    return DYNO_OK;
}

void dyno_shard_weights_close(struct dyno_weights *weights)
{
    struct view *view = (struct view *)weights;

    if (view) {
        free(view->layers);
        free(view->experts);
        free(view);
    }
}

/* Tiny random models of every family, for tests of the forward pass. */
#ifndef DYNO_TESTS_BACKENDS_TINY_MODELS_H
#define DYNO_TESTS_BACKENDS_TINY_MODELS_H

#include <math.h>

#include "backends/assets/weights.h"
#include "tests/kernels/arrays.h"

enum family {
    LLAMA2, /* rope pairs adjacent, as in llama2.c and GGUF */
    LLAMA3, /* scaled rope, grouped queries, tied embeddings */
    MISTRAL,
    QWEN2,
    QWEN3,
    QWEN3_MOE,
    MIXTRAL,
    GPT2,
    FAMILIES,
};

static inline float *scaled_floats(struct dyno_rng *rng, size_t count, float middle, float spread)
{
    float *values = random_floats(rng, count);

    for (size_t i = 0; i < count; i++) {
        values[i] = middle + spread * values[i];
    }
    return values;
}

static inline void tiny_layer(struct dyno_rng *rng, const struct dyno_weights *weights,
                              enum family family, enum dyno_element element,
                              struct dyno_layer_weights *layer)
{
    const struct dyno_model *model = &weights->model;
    uint32_t hidden = model->hidden, wide = model->heads * model->head_dim;
    uint32_t narrow = model->kv_heads * model->head_dim;
    bool biased = family == QWEN2 || family == GPT2;

    layer->attention_norm = scaled_floats(rng, hidden, 1.0F, 0.2F);
    layer->mlp_norm = scaled_floats(rng, hidden, 1.0F, 0.2F);
    layer->query = random_matrix(rng, element, wide, hidden, false);
    layer->key = random_matrix(rng, element, narrow, hidden, false);
    layer->value = random_matrix(rng, element, narrow, hidden, false);
    layer->output = random_matrix(rng, element, hidden, wide, false);
    layer->query_bias = biased ? random_floats(rng, wide) : NULL;
    layer->key_bias = biased ? random_floats(rng, narrow) : NULL;
    layer->value_bias = biased ? random_floats(rng, narrow) : NULL;
    if (family == QWEN3 || family == QWEN3_MOE) {
        layer->query_norm = scaled_floats(rng, model->head_dim, 1.0F, 0.2F);
        layer->key_norm = scaled_floats(rng, model->head_dim, 1.0F, 0.2F);
    }
    if (family == GPT2) {
        layer->attention_norm_bias = random_floats(rng, hidden);
        layer->mlp_norm_bias = random_floats(rng, hidden);
        layer->output_bias = random_floats(rng, hidden);
        layer->up_bias = random_floats(rng, model->intermediate);
        layer->down_bias = random_floats(rng, hidden);
    }
    if (model->experts == 0) {
        layer->up = random_matrix(rng, element, model->intermediate, hidden, false);
        layer->down = random_matrix(rng, element, hidden, model->intermediate, false);
        if (family != GPT2) {
            layer->gate = random_matrix(rng, element, model->intermediate, hidden, false);
        }
        return;
    }
    struct dyno_matrix *experts = array_of(3 * (size_t)model->experts, sizeof(*experts));

    layer->router = random_matrix(rng, DYNO_ELEMENT_F32, model->experts, hidden, false);
    for (uint32_t i = 0; i < model->experts; i++) {
        uint32_t width = model->expert_intermediate;

        experts[i] = random_matrix(rng, element, width, hidden, false);
        experts[model->experts + i] = random_matrix(rng, element, width, hidden, false);
        experts[2 * model->experts + i] = random_matrix(rng, element, hidden, width, false);
    }
    layer->expert_gate = experts;
    layer->expert_up = experts + model->experts;
    layer->expert_down = experts + 2 * (size_t)model->experts;
}

static inline struct dyno_model tiny_shapes(struct dyno_rng *rng, enum family family,
                                            enum dyno_element element)
{
    struct dyno_model model = {.attention = DYNO_ATTENTION_GQA, .context_max = 96};

    model.layers = 1 + (uint32_t)dyno_rng_below(rng, 3);
    model.kv_heads = 1 + (uint32_t)dyno_rng_below(rng, 3);
    model.heads = model.kv_heads * (1 + (uint32_t)dyno_rng_below(rng, 4));
    model.head_dim = 2 * (1 + (uint32_t)dyno_rng_below(rng, 12));
    model.hidden = 1 + (uint32_t)dyno_rng_below(rng, 50);
    model.vocab = 5 + (uint32_t)dyno_rng_below(rng, 90);
    model.intermediate = 1 + (uint32_t)dyno_rng_below(rng, 60);
    if (family == LLAMA2 || family == GPT2) {
        model.kv_heads = model.heads;
    }
    if (element == DYNO_ELEMENT_Q8_0) { /* every width is a multiple of 32 */
        model.head_dim = 32;
        model.hidden = 32 * (1 + model.hidden % 2);
        model.intermediate = 64;
    }
    if (family == QWEN3_MOE || family == MIXTRAL) {
        model.expert_intermediate = model.intermediate;
        model.intermediate = 0;
        model.experts = 2 + (uint32_t)dyno_rng_below(rng, 7);
        model.experts_per_token = 1 + (uint32_t)dyno_rng_below(rng, model.experts);
    }
    return model;
}

static inline struct dyno_rope tiny_rope(struct dyno_rng *rng, enum family family,
                                         uint32_t head_dim)
{
    struct dyno_rope rope = {.pairs = DYNO_ROPE_HALF_SPLIT, .theta = 10000.0};

    if (family == GPT2) {
        rope.pairs = DYNO_ROPE_NONE;
    } else if (family == LLAMA2) {
        rope.pairs = DYNO_ROPE_ADJACENT;
        if (dyno_rng_below(rng, 2)) {
            rope.scaling = DYNO_ROPE_TABLE;
            rope.factors = scaled_floats(rng, head_dim / 2, 2.0F, 1.0F);
        }
    } else if (family == LLAMA3) {
        rope.scaling = DYNO_ROPE_LLAMA3;
        rope.factor = 8.0;
        rope.low_freq_factor = 1.0;
        rope.high_freq_factor = 4.0;
        rope.original_context = 64;
    } else if (family == QWEN2) {
        rope.scaling = DYNO_ROPE_LINEAR;
        rope.factor = 2.5;
    } else if (family == QWEN3) { /* bounds within the head, for theta is small */
        rope.scaling = DYNO_ROPE_YARN;
        rope.theta = 100.0;
        rope.factor = 4.0;
        rope.beta_fast = 4.0;
        rope.beta_slow = 0.5;
        rope.original_context = 64;
        rope.length = 1.2;
        rope.exact = dyno_rng_below(rng, 2);
    }
    return rope;
}

/* A model of these shapes.  Its arrays are freed by arrays_free. */
static inline struct dyno_weights *tiny_model_of(struct dyno_rng *rng, enum family family,
                                                 enum dyno_element element,
                                                 const struct dyno_model *model)
{
    struct dyno_weights *weights = array_of(1, sizeof(*weights));
    struct dyno_layer_weights *layers;

    weights->model = *model;
    weights->rope = tiny_rope(rng, family, weights->model.head_dim);
    weights->activation = family == GPT2 ? DYNO_ACTIVATION_GELU_TANH : DYNO_ACTIVATION_SILU;
    weights->norm_epsilon = 1e-5;
    weights->layer_norm = family == GPT2;
    weights->normalize_top_k = family == MIXTRAL || dyno_rng_below(rng, 2);
    weights->window = family == MISTRAL ? 1 + (uint32_t)dyno_rng_below(rng, 20) : 0;
    weights->embedding =
        random_matrix(rng, element, weights->model.vocab, weights->model.hidden, false);
    weights->logits = weights->embedding;
    if (family != LLAMA3) {
        weights->logits =
            random_matrix(rng, element, weights->model.vocab, weights->model.hidden, false);
    }
    if (family == GPT2) {
        weights->positions = random_matrix(rng, element, 80, weights->model.hidden, false);
        weights->final_norm_bias = random_floats(rng, weights->model.hidden);
    }
    weights->final_norm = scaled_floats(rng, weights->model.hidden, 1.0F, 0.2F);
    layers = array_of(weights->model.layers, sizeof(*layers));
    for (uint32_t i = 0; i < weights->model.layers; i++) {
        tiny_layer(rng, weights, family, element, &layers[i]);
    }
    weights->layers = layers;
    return weights;
}

static inline struct dyno_weights *tiny_model(struct dyno_rng *rng, enum family family,
                                              enum dyno_element element)
{
    struct dyno_model model = tiny_shapes(rng, family, element);

    return tiny_model_of(rng, family, element, &model);
}

/* Shapes that 2 and 4 ranks can share: of kv heads there may be fewer than ranks, and of the
 * vocabulary the last ranks may have less, or nothing. */
static inline struct dyno_model tiny_shapes_to_share(struct dyno_rng *rng, enum family family,
                                                     enum dyno_element element)
{
    struct dyno_model model = tiny_shapes(rng, family, element);
    uint32_t width = 4 * (1 + (uint32_t)dyno_rng_below(rng, 15));

    width = element == DYNO_ELEMENT_Q8_0 ? 128 : width;
    model.heads = 4 * (1 + (uint32_t)dyno_rng_below(rng, 3));
    model.kv_heads = 1U << dyno_rng_below(rng, 3);
    if (family == LLAMA2 || family == GPT2) {
        model.kv_heads = model.heads;
    }
    model.intermediate = model.experts ? 0 : width;
    model.expert_intermediate = model.experts ? width : 0;
    return model;
}

#endif

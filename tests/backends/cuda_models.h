/* Tiny random models that the CUDA device computes. */
#ifndef DYNO_TESTS_BACKENDS_CUDA_MODELS_H
#define DYNO_TESTS_BACKENDS_CUDA_MODELS_H

#include "tests/backends/tiny_models.h"

/* Tiny shapes of widths that the device takes; heads have `head_dim` dimensions. */
static inline struct dyno_model cuda_shapes(struct dyno_rng *rng, enum family family,
                                            uint32_t head_dim)
{
    struct dyno_model model = {.attention = DYNO_ATTENTION_GQA,
                               .context_max = 96,
                               .layers = 1 + (uint32_t)dyno_rng_below(rng, 3),
                               .kv_heads = 1 + (uint32_t)dyno_rng_below(rng, 2),
                               .head_dim = head_dim,
                               .hidden = 8 * (1 + (uint32_t)dyno_rng_below(rng, 8)),
                               .vocab = 50 + (uint32_t)dyno_rng_below(rng, 90),
                               .intermediate = 8 * (1 + (uint32_t)dyno_rng_below(rng, 8))};

    if (family == MIXTRAL || family == QWEN3_MOE) {
        model.expert_intermediate = model.intermediate;
        model.intermediate = 0;
        model.experts = 2 + (uint32_t)dyno_rng_below(rng, 7);
        model.experts_per_token = 1 + (uint32_t)dyno_rng_below(rng, model.experts);
    }
    model.heads = model.kv_heads * (1 + (uint32_t)dyno_rng_below(rng, 4));
    return model;
}

/* Shapes that 2 and 4 ranks can share: of kv heads there may be fewer than ranks. */
static inline struct dyno_model cuda_shapes_to_share(struct dyno_rng *rng, enum family family,
                                                     uint32_t head_dim)
{
    struct dyno_model model = cuda_shapes(rng, family, head_dim);
    uint32_t width = 32 * (1 + (uint32_t)dyno_rng_below(rng, 2));

    model.heads = 4 * (1 + (uint32_t)dyno_rng_below(rng, 2));
    model.kv_heads = 1U << dyno_rng_below(rng, 3);
    model.intermediate = model.experts ? 0 : width;
    model.expert_intermediate = model.experts ? width : 0;
    return model;
}

static inline struct dyno_weights *cuda_model_of(struct dyno_rng *rng, enum family family,
                                                 const struct dyno_model *model)
{
    struct dyno_weights *weights = array_of(1, sizeof *weights);
    struct dyno_layer_weights *layers;

    weights->model = *model;
    weights->normalize_top_k = family == MIXTRAL;
    weights->rope = tiny_rope(rng, family, model->head_dim);
    weights->activation = DYNO_ACTIVATION_SILU;
    weights->norm_epsilon = 1e-5;
    weights->window = family == MISTRAL ? 1 + (uint32_t)dyno_rng_below(rng, 20) : 0;
    weights->embedding = random_matrix(rng, DYNO_ELEMENT_BF16, model->vocab, model->hidden, false);
    weights->logits =
        family == LLAMA3 ? weights->embedding
                         : random_matrix(rng, DYNO_ELEMENT_F16, model->vocab, model->hidden, false);
    weights->final_norm = scaled_floats(rng, model->hidden, 1.0F, 0.2F);
    layers = array_of(model->layers, sizeof *layers);
    for (uint32_t i = 0; i < model->layers; i++) {
        tiny_layer(rng, weights, family, DYNO_ELEMENT_BF16, &layers[i]);
    }
    weights->layers = layers;
    return weights;
}

static inline struct dyno_weights *cuda_model(struct dyno_rng *rng, enum family family,
                                              uint32_t head_dim)
{
    struct dyno_model model = cuda_shapes(rng, family, head_dim);

    return cuda_model_of(rng, family, &model);
}

#endif

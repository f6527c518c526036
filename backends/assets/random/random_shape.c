/* What a built-in model's name implies beyond its shapes.
 *
 * Sources: config.json of meta-llama/Llama-3.1-8B, Qwen/Qwen3-0.6B, mistralai/Mixtral-8x7B-v0.1. */
#include "backends/assets/random/random_model.h"

dyno_status dyno_random_shape(struct dyno_weights *out, const struct dyno_model *model,
                              struct dyno_error *error)
{
    struct dyno_weights shape = {.model = *model,
                                 .activation = DYNO_ACTIVATION_SILU,
                                 .norm_epsilon = 1e-5,
                                 .normalize_top_k = model->experts > 0,
                                 .bos = UINT32_MAX};

    shape.rope.pairs = DYNO_ROPE_HALF_SPLIT;
    shape.rope.theta = 1e6;
    if (model->sliding_layers && model->sliding_layers != model->layers) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "model \"%s\" has a window in some of its layers, which is not computed",
                         model->name);
    }
    shape.window = model->sliding_layers ? model->sliding_window : 0;
    if (model->qk_norm) {
        shape.norm_epsilon = 1e-6;
    } else if (model->experts == 0) {
        shape.rope = (struct dyno_rope){.pairs = DYNO_ROPE_HALF_SPLIT,
                                        .scaling = DYNO_ROPE_LLAMA3,
                                        .theta = 5e5,
                                        .factor = 8,
                                        .low_freq_factor = 1,
                                        .high_freq_factor = 4,
                                        .original_context = 8192};
    }
    *out = shape;
    return DYNO_OK;
}

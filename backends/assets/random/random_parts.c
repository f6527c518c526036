/* Which models are written, how far that is, and the one formula that a format wants evaluated. */
#include "backends/assets/random/random_parts.h"

#include <inttypes.h>

#include "backends/assets/random/random_tokens.h"
#include "core/base/math.h"

const char *dyno_random_family(const struct dyno_weights *shape)
{
    const struct dyno_model *model = &shape->model;

    if (model->attention != DYNO_ATTENTION_GQA || model->attention_sinks ||
        model->shared_intermediate || (model->experts && model->dense_layers)) {
        return NULL;
    }
    if (shape->rope.pairs == DYNO_ROPE_NONE) {
        return "gpt2";
    }
    if (model->qk_norm) {
        return model->experts ? "qwen3_moe" : "qwen3";
    }
    if (model->experts) {
        return "mixtral";
    }
    if (model->qkv_bias && !model->output_bias) {
        return "qwen2";
    }
    return shape->window ? "mistral" : "llama";
}

dyno_status dyno_random_check(const struct dyno_random_model *model, const char **family,
                              struct dyno_error *error)
{
    const struct dyno_model *shape = &model->shape.model;

    DYNO_TRY(dyno_model_check(shape, error));
    *family = dyno_random_family(&model->shape);
    if (!*family) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "model \"%s\" is not of a family that is computed: llama, mistral, qwen2, "
                         "qwen3, qwen3_moe, mixtral, gpt2",
                         shape->name);
    }
    if (shape->vocab < DYNO_RANDOM_TOKENS_MIN) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "a vocabulary of %" PRIu32 " tokens is too small: 256 for the bytes and "
                         "one for the end are needed",
                         shape->vocab);
    }
    if (model->shape.rope.pairs != DYNO_ROPE_NONE && shape->head_dim % 2 != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "heads of %" PRIu32 " cannot be rotated in pairs; an even number is "
                         "needed",
                         shape->head_dim);
    }
    if (model->shape.rope.pairs == DYNO_ROPE_NONE &&
        shape->hidden != shape->heads * shape->head_dim) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "GPT-2's heads share hidden equally: %" PRIu32 " is not %" PRIu32
                         " times %" PRIu32,
                         shape->hidden, shape->heads, shape->head_dim);
    }
    return DYNO_OK;
}

dyno_status dyno_random_wrote(const struct dyno_random_model *model, size_t size, uint64_t *bytes,
                              uint64_t bytes_total, struct dyno_error *error)
{
    *bytes += size;
    if (model->wrote && !model->wrote(model->context, *bytes, bytes_total)) {
        return dyno_fail(error, DYNO_INTERRUPTED, "interrupted: no model was written");
    }
    return DYNO_OK;
}

/* Transformers' _compute_llama3_parameters: wavelengths below context / high are left, those above
 * context / low divided by the factor, those between by a blend of both. */
double dyno_rope_divisor(const struct dyno_rope *rope, uint32_t head_dim, uint32_t pair)
{
    static const double two_pi = 6.283185307179586;
    double frequency = dyno_pow(rope->theta, -2.0 * pair / head_dim);
    double wavelength = two_pi / frequency, context = rope->original_context;
    double smooth = (context / wavelength - rope->low_freq_factor) /
                    (rope->high_freq_factor - rope->low_freq_factor);

    if (rope->scaling != DYNO_ROPE_LLAMA3 || wavelength < context / rope->high_freq_factor) {
        return 1;
    }
    if (wavelength > context / rope->low_freq_factor) {
        return rope->factor;
    }
    return 1 / ((1 - smooth) / rope->factor + smooth);
}

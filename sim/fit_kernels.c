/* What a measured kernel would take by the formulas of sim/timing_layers.c. */
#include "sim/fit.h"
#include "sim/timing_layers.h"

/* A model of one layer with the sample's heads. */
static void init_layer(struct dyno_layers *layers, const struct dyno_timing_config *config,
                       const struct dyno_kernel_sample *sample)
{
    struct dyno_timing_config one = *config;

    one.tp = 1;
    one.model.attention = DYNO_ATTENTION_GQA;
    one.model.layers = 1;
    one.model.dense_layers = 1;
    one.model.sliding_window = 0;
    one.model.heads = (uint32_t)sample->heads;
    one.model.kv_heads = (uint32_t)sample->kv_heads;
    one.model.head_dim = (uint32_t)sample->head_dim;
    one.kv = sample->dtype;
    dyno_layers_init(layers, &one);
}

static double attention_us(const struct dyno_timing_config *config,
                           const struct dyno_kernel_sample *sample)
{
    double tokens = sample->prompts * sample->prompt_tokens;
    double pairs = tokens * (sample->prompt_context + (sample->prompt_tokens + 1) / 2);
    struct dyno_layers layers;
    double us;

    init_layer(&layers, config, sample);
    us = dyno_layers_attention_launch_us(&layers);
    if (tokens > 0) {
        return us + dyno_layers_mixed_us(
                        &layers, &(struct dyno_layers_attention){
                                     .tokens = tokens,
                                     .pairs = pairs,
                                     .longest = sample->prompt_tokens,
                                     .decodes = sample->decodes,
                                     .decode_context = sample->decodes * sample->decode_context,
                                 });
    }
    us += dyno_layers_combine_us(&layers);
    return us + sample->decodes * (dyno_layers_decode_sequence_us(&layers) +
                                   sample->decode_context * dyno_layers_decode_context_us(&layers));
}

/* A model whose hidden state is the message, and which has no layers but the embedding's reduction.
 */
static double all_reduce_us(const struct dyno_timing_config *config,
                            const struct dyno_kernel_sample *sample)
{
    enum { HIDDEN = 64, BF16_BYTES = 2 };
    struct dyno_timing_config none = *config;
    struct dyno_layers layers;

    none.tp = (uint32_t)sample->gpus;
    none.expert_parallel = false;
    none.model.layers = 0;
    none.model.dense_layers = 0;
    none.model.hidden = HIDDEN;
    dyno_layers_init(&layers, &none);
    return dyno_layers_collective_us(&layers, sample->bytes / (HIDDEN * BF16_BYTES));
}

double dyno_kernel_us(const struct dyno_timing_config *config,
                      const struct dyno_kernel_sample *sample)
{
    const struct dyno_timing_parameters *parameters = &config->parameters;
    struct dyno_layers layers;

    switch (sample->kernel) {
    case DYNO_KERNEL_GEMM:
        dyno_layers_init(&layers, config);
        return dyno_layers_projection_us(&layers, sample->rows,
                                         (uint64_t)(sample->columns * sample->depth), sample->depth,
                                         sample->dtype);
    case DYNO_KERNEL_ATTENTION:
        return attention_us(config, sample);
    case DYNO_KERNEL_ALL_REDUCE:
        return all_reduce_us(config, sample);
    case DYNO_KERNEL_ELEMENTWISE:
        dyno_layers_init(&layers, config);
        return dyno_layers_elementwise_us(&layers, sample->rows) / layers.layers;
    case DYNO_KERNEL_SAMPLER:
        return parameters->sampling_us + sample->rows * parameters->sampling_us_per_sequence;
    }
    return 0;
}

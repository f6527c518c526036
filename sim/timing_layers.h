/* The physical formulas behind sim/timing.c: shapes and parameters in, microseconds out.  Internal
 * to sim/. */
#ifndef DYNO_SIM_TIMING_LAYERS_H
#define DYNO_SIM_TIMING_LAYERS_H

#include "sim/timing.h"

/* What the formulas need, computed once. */
struct dyno_layers {
    struct dyno_timing_config config;
    struct dyno_model_parts parts; /* of one GPU */
    double kv_heads;               /* of one GPU */
    double heads;
    double peak_bytes_per_us;
    double peak_flops_per_us; /* bf16 */
    double moe_layers, dense_layers, layers;
    double full_layers, window_layers; /* of attention: see dyno_model_full_layers */
    double decode_layer_context_us;    /* one layer, one token of context of a decode */
};

void dyno_layers_init(struct dyno_layers *layers, const struct dyno_timing_config *config);

/* One GEMM of `tokens` rows with a matrix of `weights` parameters, `in` rows of it. */
double dyno_layers_projection_us(const struct dyno_layers *layers, double tokens, uint64_t weights,
                                 double in, enum dyno_dtype dtype);

/* All layers, for a pass of `tokens` tokens. */
double dyno_layers_gemm_us(const struct dyno_layers *layers, double tokens);
double dyno_layers_elementwise_us(const struct dyno_layers *layers, double tokens);
double dyno_layers_collective_us(const struct dyno_layers *layers, double tokens);
double dyno_layers_attention_launch_us(const struct dyno_layers *layers);
double dyno_layers_combine_us(const struct dyno_layers *layers); /* more, of decodes alone */

/* Logits and sampling for `sequences` sequences; 0 for none. */
double dyno_layers_sampling_us(const struct dyno_layers *layers, double sequences);

/* Decode attention in all layers: of one token of context, and of one sequence beside its context
 * (scheduling its tiles, and the windows of short-window layers); in a pure decode pass. */
double dyno_layers_decode_context_us(const struct dyno_layers *layers);
double dyno_layers_decode_sequence_us(const struct dyno_layers *layers);

/* Prefill attention in all layers: `tokens` queries in all, `pairs` (query, context) pairs, of
 * which `window_pairs` within the short window. */
double dyno_layers_prefill_us(const struct dyno_layers *layers, double tokens, double pairs,
                              double window_pairs);

/* Attention of a pass with prompts, in all layers, without the launch. */
struct dyno_layers_attention {
    double tokens, pairs, window_pairs; /* of prompts, as above */
    double longest;                     /* prompt tokens of one sequence */
    double decodes, decode_context;     /* decoding sequences, and the sum of their contexts */
};

double dyno_layers_mixed_us(const struct dyno_layers *layers,
                            const struct dyno_layers_attention *attention);

#endif

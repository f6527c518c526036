/* What each kind of kernel costs.
 *
 * Every kernel is a floor (launching it, filling and draining the multiprocessors) plus the larger
 * of two times: its operations at a share of peak, its bytes at a share of peak bandwidth.  A share
 * is a parameter, measured for large shapes. */
#include "sim/timing_layers.h"

#include <string.h>

#include "sim/timing_gemm.h"

enum { ACTIVATION_BYTES = 2 }; /* bf16 */

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double whole(double value)
{
    double floor = (double)(uint64_t)value;

    return floor < value ? floor + 1 : floor;
}

static double parameter_share(uint64_t value, uint32_t by)
{
    uint64_t whole = (value + by - 1) / by;

    return (double)whole;
}

/* One layer, one token of context: reading it, or, where all heads share one latent, computing with
 * it (each head multiplies the latent twice). */
static double layer_context_us(const struct dyno_layers *layers)
{
    const struct dyno_timing_parameters *parameters = &layers->config.parameters;
    const struct dyno_model *model = &layers->config.model;
    double bytes =
        (double)dyno_model_kv_bytes_per_token_per_gpu(model, layers->config.kv, layers->config.tp) /
        layers->layers;
    double dims = model->attention == DYNO_ATTENTION_MLA
                      ? 2.0 * model->mla_kv_rank + model->mla_rope_dim
                      : 2.0 * model->head_dim;
    double flops = 2 * layers->heads * dims;
    double efficiency =
        parameters->decode_attention_efficiency *
        (layers->config.kv == DYNO_FP8 ? parameters->decode_attention_fp8_factor : 1);

    return larger(bytes / (layers->peak_bytes_per_us * efficiency),
                  flops / (layers->peak_flops_per_us * parameters->prefill_attention_efficiency));
}

void dyno_layers_init(struct dyno_layers *layers, const struct dyno_timing_config *config)
{
    const struct dyno_model *model = &config->model;

    memset(layers, 0, sizeof *layers);
    layers->config = *config;
    dyno_model_parts(model, config->tp, &layers->parts);
    layers->heads = parameter_share(model->heads, config->tp);
    layers->kv_heads = model->attention == DYNO_ATTENTION_MLA
                           ? 1 /* one latent, read by all heads */
                           : parameter_share(model->kv_heads, config->tp);
    layers->peak_bytes_per_us = config->gpu.memory_bytes_per_s * 1e-6;
    layers->peak_flops_per_us = config->gpu.flops[DYNO_BF16] * 1e-6;
    layers->layers = model->layers;
    layers->dense_layers = model->dense_layers;
    layers->moe_layers = model->layers - model->dense_layers;
    layers->full_layers = dyno_model_full_layers(model);
    layers->window_layers = layers->layers - layers->full_layers;
    layers->decode_layer_context_us = layer_context_us(layers);
}

double dyno_layers_projection_us(const struct dyno_layers *layers, double tokens, uint64_t weights,
                                 double in, enum dyno_dtype dtype)
{
    struct dyno_gemm gemm = {
        .tokens = tokens,
        .inputs = tokens,
        .weights = (double)weights,
        .flops = 2 * tokens * (double)weights,
        .in = in,
        .out = (double)weights / in,
        .efficiency = 1,
        .memory_efficiency = 1,
        .dtype = dtype,
    };

    return dyno_gemm_us(&layers->config, &gemm);
}

static double attention_gemms_us(const struct dyno_layers *layers, double tokens)
{
    const struct dyno_model *model = &layers->config.model;
    enum dyno_dtype dtype = model->quantized_experts ? DYNO_BF16 : layers->config.weights;
    double us = dyno_layers_projection_us(layers, tokens, layers->parts.qkv, model->hidden, dtype) +
                dyno_layers_projection_us(layers, tokens, layers->parts.output,
                                          (double)layers->parts.output / model->hidden, dtype);

    if (model->attention == DYNO_ATTENTION_MLA) { /* the latents' up-projections launch apart */
        us += 2 * layers->config.parameters.gemm_launch_us;
    }
    return us;
}

/* The matrices of an MLP with `weights` parameters: in (gate and up in one launch), and out. */
static double mlp_us(const struct dyno_layers *layers, double tokens, uint64_t weights)
{
    double hidden = layers->config.model.hidden;
    double matrices = layers->config.model.gated_mlp ? 3 : 2;
    uint64_t down = weights / (uint64_t)matrices;
    enum dyno_dtype dtype =
        layers->config.model.quantized_experts ? DYNO_BF16 : layers->config.weights;

    return dyno_layers_projection_us(layers, tokens, weights - down, hidden, dtype) +
           dyno_layers_projection_us(layers, tokens, down, (double)down / hidden, dtype);
}

/* Where matrix units do not take the weights as they are, each tile's are widened first. */
static double widening(const struct dyno_layers *layers)
{
    const struct dyno_gpu *gpu = &layers->config.gpu;
    enum dyno_dtype dtype = layers->config.weights;
    bool widens =
        dtype == DYNO_INT4 || (dtype == DYNO_FP8 && gpu->flops[DYNO_FP8] <= gpu->flops[DYNO_BF16]);

    return widens ? layers->config.parameters.moe_widened_efficiency : 1;
}

/* Grouped GEMMs over the experts that the pass's tokens reach: ragged edges cost operations, the
 * weights are read as those of any product.  Whether experts are split over the
 * GPUs or spread, a GPU reads and computes its tp-th part. */
static double experts_us(const struct dyno_layers *layers, double tokens)
{
    const struct dyno_model *model = &layers->config.model;
    double share = 1.0 / layers->config.tp;
    double rows = tokens * model->experts_per_token;
    double weights = dyno_model_experts_touched(model, tokens) * (double)layers->parts.expert;
    double flops = 2 * rows * (double)layers->parts.expert;
    double down = model->gated_mlp ? 1.0 / 3 : 1.0 / 2;
    double width = model->expert_intermediate * (layers->config.expert_parallel ? 1 : share);
    double row_share = layers->config.expert_parallel ? share : 1;
    struct dyno_gemm in = {
        .tokens = rows * row_share,
        .inputs = tokens * row_share,
        .weights = weights * share * (1 - down),
        .flops = flops * share * (1 - down),
        .in = model->hidden,
        .out = width * (1 / down - 1),
        .efficiency = layers->config.parameters.moe_efficiency * widening(layers),
        .memory_efficiency = widening(layers),
        .grouped = true,
        .dtype = layers->config.weights,
    };
    struct dyno_gemm out = in;

    out.inputs = in.tokens;
    out.weights = weights * share * down;
    out.flops = flops * share * down;
    out.in = width;
    out.out = model->hidden;
    return dyno_gemm_us(&layers->config, &in) + dyno_gemm_us(&layers->config, &out) +
           layers->config.parameters.moe_routing_us +
           dyno_layers_projection_us(layers, tokens, layers->parts.router, model->hidden,
                                     DYNO_BF16) +
           (layers->parts.shared ? mlp_us(layers, tokens, layers->parts.shared) : 0);
}

double dyno_layers_gemm_us(const struct dyno_layers *layers, double tokens)
{
    double us = layers->layers * attention_gemms_us(layers, tokens);

    if (layers->dense_layers > 0) {
        us += layers->dense_layers * mlp_us(layers, tokens, layers->parts.mlp);
    }
    if (layers->moe_layers > 0) {
        us += layers->moe_layers * experts_us(layers, tokens);
    }
    return us;
}

/* Bytes that the small kernels of all layers move for one token: two norms with their residual (4
 * vectors each), rotary (read and write queries and keys), the activation (read gate and up, write
 * one). */
static double elementwise_bytes(const struct dyno_layers *layers)
{
    const struct dyno_model *model = &layers->config.model;
    double tp = layers->config.tp;
    double norms = 8.0 * model->hidden;
    double rotary = 2.0 * model->head_dim * (layers->heads + layers->kv_heads);
    double columns = model->gated_mlp ? 3 : 2;
    double dense = columns * model->intermediate / tp;
    double experts = columns *
                     ((double)model->experts_per_token * model->expert_intermediate +
                      model->shared_intermediate) /
                     tp;

    return ACTIVATION_BYTES * (layers->layers * (norms + rotary) + layers->dense_layers * dense +
                               layers->moe_layers * experts);
}

double dyno_layers_elementwise_us(const struct dyno_layers *layers, double tokens)
{
    const struct dyno_timing_parameters *parameters = &layers->config.parameters;

    return larger(layers->layers * parameters->elementwise_us_per_layer,
                  tokens * elementwise_bytes(layers) /
                      (layers->peak_bytes_per_us * parameters->elementwise_memory_efficiency));
}

static double link_us(const struct dyno_layers *layers, double bytes)
{
    const struct dyno_timing_parameters *parameters = &layers->config.parameters;

    return parameters->collective_latency_us +
           bytes / (layers->config.gpu.link_bytes_per_s * 1e-6 * parameters->collective_efficiency);
}

/* In one exchange every GPU reads the whole message of each other one; in two, a tp-th part of
 * each, and then the sums of the other parts: 2 (tp - 1)/tp of the message. */
static double all_reduce_us(const struct dyno_layers *layers, double bytes, bool one_shot)
{
    double tp = layers->config.tp;
    double one_us = link_us(layers, (tp - 1) * bytes);
    double two_us = layers->config.parameters.collective_latency_us +
                    link_us(layers, 2 * (tp - 1) / tp * bytes);

    return one_shot || one_us < two_us ? one_us : two_us;
}

/* Dispatch and combine: each GPU owns tokens/tp tokens and sends each to experts_per_token experts,
 * all but 1/tp of which live elsewhere. */
static double all_to_all_us(const struct dyno_layers *layers, double tokens)
{
    const struct dyno_model *model = &layers->config.model;
    double tp = layers->config.tp;
    double bytes = tokens / tp * model->experts_per_token * model->hidden * ACTIVATION_BYTES;

    return 2 * link_us(layers, bytes * (tp - 1) / tp);
}

double dyno_layers_collective_us(const struct dyno_layers *layers, double tokens)
{
    double reduce_us;
    double moe_us;

    if (layers->config.tp == 1) {
        return 0;
    }
    reduce_us = all_reduce_us(layers, tokens * layers->config.model.hidden * ACTIVATION_BYTES,
                              tokens <= layers->config.parameters.collective_one_shot_tokens);
    moe_us = layers->config.expert_parallel ? all_to_all_us(layers, tokens) : reduce_us;
    return reduce_us /* the embedding's */ + layers->layers * reduce_us /* attention's */ +
           layers->dense_layers * reduce_us + layers->moe_layers * moe_us;
}

double dyno_layers_attention_launch_us(const struct dyno_layers *layers)
{
    const struct dyno_timing_parameters *parameters = &layers->config.parameters;

    return layers->layers * (parameters->attention_launch_us +
                             (layers->config.kv == DYNO_FP8 ? parameters->attention_fp8_us : 0));
}

double dyno_layers_combine_us(const struct dyno_layers *layers)
{
    return layers->layers * layers->config.parameters.decode_attention_combine_us;
}

double dyno_layers_sampling_us(const struct dyno_layers *layers, double sequences)
{
    enum { VOCABULARY_MEASURED = 128256 };
    const struct dyno_timing_parameters *parameters = &layers->config.parameters;
    double tp = layers->config.tp;
    double vocab = layers->config.model.vocab;
    double us;

    if (sequences <= 0) {
        return 0;
    }
    us = dyno_layers_projection_us(layers, sequences, layers->parts.embedding,
                                   layers->config.model.hidden, DYNO_BF16) +
         parameters->sampling_us +
         sequences * parameters->sampling_us_per_sequence * vocab / VOCABULARY_MEASURED;
    if (layers->config.tp > 1) { /* the logits are gathered */
        us += link_us(layers, sequences * vocab * ACTIVATION_BYTES * (tp - 1) / tp);
    }
    return us;
}

double dyno_layers_decode_context_us(const struct dyno_layers *layers)
{
    return layers->full_layers * layers->decode_layer_context_us;
}

double dyno_layers_decode_sequence_us(const struct dyno_layers *layers)
{
    const struct dyno_timing_parameters *parameters = &layers->config.parameters;
    double tiles_us = layers->kv_heads * parameters->decode_attention_tile_us /
                      layers->config.gpu.multiprocessors;

    return layers->layers * tiles_us + layers->window_layers * layers->config.model.sliding_window *
                                           layers->decode_layer_context_us;
}

double dyno_layers_prefill_us(const struct dyno_layers *layers, double tokens, double pairs,
                              double window_pairs)
{
    const struct dyno_timing_parameters *parameters = &layers->config.parameters;
    const struct dyno_model *model = &layers->config.model;
    double multiprocessors = layers->config.gpu.multiprocessors;
    double rows = tokens * layers->heads;
    double rows_full = parameters->prefill_attention_rows * multiprocessors;
    double used = rows < rows_full ? rows / rows_full : 1;
    double dims = model->attention == DYNO_ATTENTION_MLA
                      ? (double)model->mla_nope_dim + model->mla_rope_dim + model->mla_v_dim
                      : 2.0 * model->head_dim;
    double pairs_all = layers->full_layers * pairs + layers->window_layers * window_pairs;

    double kv_bytes = ACTIVATION_BYTES * 2 * layers->kv_heads * model->head_dim;

    if (tokens <= 0) {
        return 0;
    }
    return layers->layers * tokens * kv_bytes /
               (layers->peak_bytes_per_us * parameters->prefill_attention_kv_efficiency) +
           layers->layers * rows * parameters->prefill_attention_row_us / multiprocessors +
           2 * layers->heads * dims * pairs_all /
               (layers->peak_flops_per_us * parameters->prefill_attention_efficiency * used);
}

/* Operations of one layer with one token of context, on the whole GPU, of a decode that is served
 * like a prompt. */
static double tiled_flops_us(const struct dyno_layers *layers)
{
    const struct dyno_timing_parameters *parameters = &layers->config.parameters;
    double dims = 2.0 * layers->config.model.head_dim;
    double flops = 2 * layers->heads * dims * parameters->mixed_attention_tile_rows;

    return flops / (layers->peak_flops_per_us * parameters->prefill_attention_efficiency);
}

/* How often keys and values come from memory.  All sequences' tiles of a head are computed before
 * those of the next; heads that share keys and values but are not computed at the same time find
 * them in the cache as far as a head's fit. */
static double reads_of(const struct dyno_layers *layers, double decodes, double context)
{
    double group = layers->heads / layers->kv_heads;
    double at_once = (double)(uint64_t)(layers->config.gpu.multiprocessors / decodes);
    double reads = group / larger(1, at_once);
    double bytes =
        context * 2 * layers->config.model.head_dim * dyno_dtype_bytes(layers->config.kv);
    double missed = 1 - layers->config.parameters.cache_bytes / bytes;

    return reads > 1 && missed > 0 ? 1 + (reads - 1) * missed : 1;
}

/* Decodes beside prompts, a kernel that serves them like prompts: every query head of a decode is a
 * tile, and its context is not split.  Tiles that all fit on the GPU run side by side, else after
 * one another; the longest may take longer than all the rest. */
static double tiled_us(const struct dyno_layers *layers,
                       const struct dyno_layers_attention *attention, double prompts_us)
{
    const struct dyno_timing_parameters *parameters = &layers->config.parameters;
    double multiprocessors = layers->config.gpu.multiprocessors;
    double rows = parameters->mixed_attention_tile_rows;
    double window = layers->window_layers * layers->config.model.sliding_window;
    double context = attention->decode_context * layers->full_layers + attention->decodes * window;
    double tiles = attention->decodes * layers->heads;
    double depth = whole(attention->longest / rows);
    double tile_us = layers->layers * rows * parameters->prefill_attention_row_us;
    double flops_us = tiled_flops_us(layers);
    double read_us = layers->decode_layer_context_us *
                     reads_of(layers, attention->decodes, attention->decode_context);
    double work_us = tiles * tile_us / multiprocessors + context * larger(read_us, flops_us);
    double longest_us =
        tile_us + context / attention->decodes * flops_us * multiprocessors / layers->heads;
    double empty_us = layers->layers * tiles * depth * parameters->mixed_attention_empty_us;

    if (whole(attention->tokens / rows) * layers->heads + tiles <= multiprocessors) {
        work_us = 0;
    }
    return larger(prompts_us + work_us, longest_us) + empty_us / multiprocessors;
}

double dyno_layers_mixed_us(const struct dyno_layers *layers,
                            const struct dyno_layers_attention *attention)
{
    double prompts_us = dyno_layers_prefill_us(layers, attention->tokens, attention->pairs,
                                               attention->window_pairs);

    if (attention->decodes <= 0) {
        return prompts_us;
    }
    if (layers->config.parameters.mixed_attention_tile_rows <= 0 ||
        layers->config.model.attention == DYNO_ATTENTION_MLA) {
        return prompts_us + attention->decodes * dyno_layers_decode_sequence_us(layers) +
               attention->decode_context * dyno_layers_decode_context_us(layers);
    }
    return tiled_us(layers, attention, prompts_us);
}

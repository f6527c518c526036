/* What follows from a model's shapes, by counting.
 *
 * With h = hidden, a = heads, g = kv_heads, d = head_dim, i = intermediate, and m = 3 matrices in a
 * gated MLP or 2 in a plain one, a layer holds
 *   grouped-query attention   q, k, v: h d (a + 2g); output: a d h
 *   latent attention (MLA)    down: h (q_rank + kv_rank + rope); up: q_rank a (nope + rope) +
 *                             kv_rank a (nope + v); output: a v h
 *   dense MLP                 m h i
 *   mixture of experts        experts m h i_expert + m h i_shared + a router of h experts
 * and the model beside its layers an embedding of vocab h, and logits of the same size unless tied.
 */
#include "core/model/model.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "core/base/math.h"

static uint64_t divided(uint64_t value, uint32_t by)
{
    return (value + by - 1) / by;
}

static uint64_t mlp_matrices(const struct dyno_model *model)
{
    return model->gated_mlp ? 3 : 2;
}

static uint32_t moe_layers(const struct dyno_model *model)
{
    return model->layers - model->dense_layers;
}

static void attention_parts(const struct dyno_model *model, uint32_t tp,
                            struct dyno_model_parts *out)
{
    uint64_t hidden = model->hidden;
    uint64_t heads = divided(model->heads, tp);

    if (model->attention == DYNO_ATTENTION_MLA) {
        uint64_t query_dim = model->mla_nope_dim + model->mla_rope_dim;
        uint64_t queries = model->mla_q_rank ? model->mla_q_rank * (hidden + heads * query_dim)
                                             : hidden * heads * query_dim;

        out->qkv = queries + hidden * (model->mla_kv_rank + model->mla_rope_dim) +
                   model->mla_kv_rank * heads * (model->mla_nope_dim + model->mla_v_dim);
        out->output = heads * model->mla_v_dim * hidden;
    } else {
        out->qkv = hidden * model->head_dim * (heads + 2 * divided(model->kv_heads, tp));
        out->output = heads * model->head_dim * hidden;
    }
}

static uint64_t attention_vectors(const struct dyno_model *model)
{
    uint64_t count = 0;

    if (model->attention == DYNO_ATTENTION_MLA) {
        count += model->mla_q_rank + model->mla_kv_rank; /* norms of the two latents */
    }
    if (model->qk_norm) {
        count += 2 * (uint64_t)model->head_dim;
    }
    if (model->qkv_bias) {
        count += (uint64_t)model->head_dim * (model->heads + 2 * (uint64_t)model->kv_heads);
    }
    if (model->output_bias) {
        count += model->hidden;
    }
    return count + (model->attention_sinks ? model->heads : 0);
}

static uint64_t vectors(const struct dyno_model *model)
{
    uint64_t norm = model->norm_bias ? 2 * (uint64_t)model->hidden : model->hidden;
    uint64_t dense_bias =
        model->mlp_bias ? (mlp_matrices(model) - 1) * model->intermediate + model->hidden : 0;
    uint64_t router_bias = model->router_bias ? model->experts : 0;
    uint64_t gate = model->shared_gate ? model->hidden : 0;

    return model->layers * (attention_vectors(model) + 2 * norm) + norm +
           model->dense_layers * dense_bias + moe_layers(model) * (router_bias + gate) +
           (uint64_t)model->positions * model->hidden;
}

void dyno_model_parts(const struct dyno_model *model, uint32_t tp, struct dyno_model_parts *out)
{
    uint64_t hidden = model->hidden;
    uint64_t matrices = mlp_matrices(model);

    memset(out, 0, sizeof *out);
    attention_parts(model, tp, out);
    if (model->dense_layers) {
        out->mlp = matrices * hidden * divided(model->intermediate, tp);
    }
    if (moe_layers(model)) {
        out->expert = matrices * hidden * model->expert_intermediate;
        out->experts = divided(model->experts * out->expert, tp);
        out->shared = matrices * hidden * divided(model->shared_intermediate, tp);
        out->router = hidden * model->experts;
        out->expert_biases =
            model->mlp_bias
                ? divided(model->experts * ((matrices - 1) * model->expert_intermediate + hidden),
                          tp)
                : 0;
    }
    out->embedding = hidden * divided(model->vocab, tp);
    out->logits = model->tied_embeddings ? 0 : out->embedding;
    out->vectors = vectors(model);
}

/* Of everything but the experts: what all tokens touch. */
static uint64_t common_parameters(const struct dyno_model *model,
                                  const struct dyno_model_parts *parts)
{
    return model->layers * (parts->qkv + parts->output) + model->dense_layers * parts->mlp +
           moe_layers(model) * (parts->shared + parts->router) + parts->embedding + parts->logits +
           parts->vectors;
}

uint64_t dyno_model_parameters(const struct dyno_model *model)
{
    struct dyno_model_parts parts;

    dyno_model_parts(model, 1, &parts);
    return common_parameters(model, &parts) +
           moe_layers(model) * (parts.experts + parts.expert_biases);
}

uint64_t dyno_model_parameters_active(const struct dyno_model *model)
{
    struct dyno_model_parts parts;
    uint64_t chosen = 0;

    dyno_model_parts(model, 1, &parts);
    if (model->experts) {
        chosen = (parts.experts + parts.expert_biases) / model->experts * model->experts_per_token;
    }
    return common_parameters(model, &parts) + moe_layers(model) * chosen;
}

/* Bytes of the matrices that quantisation shrinks, without the experts. */
static double dense_bytes(const struct dyno_model *model, const struct dyno_model_parts *parts,
                          enum dyno_dtype weights)
{
    enum dyno_dtype outside_experts = model->quantized_experts ? DYNO_BF16 : weights;

    return dyno_dtype_bytes(outside_experts) *
           (double)(model->layers * (parts->qkv + parts->output) +
                    model->dense_layers * parts->mlp + moe_layers(model) * parts->shared);
}

static double plain_bytes(const struct dyno_model *model, const struct dyno_model_parts *parts)
{
    return dyno_dtype_bytes(DYNO_BF16) *
           (double)(moe_layers(model) * (parts->router + parts->expert_biases) + parts->logits +
                    parts->vectors);
}

uint64_t dyno_model_weight_bytes_per_gpu(const struct dyno_model *model, enum dyno_dtype weights,
                                         uint32_t tp)
{
    struct dyno_model_parts parts;

    dyno_model_parts(model, tp, &parts);
    return (uint64_t)(dense_bytes(model, &parts, weights) + plain_bytes(model, &parts) +
                      dyno_dtype_bytes(DYNO_BF16) * (double)parts.embedding +
                      dyno_dtype_bytes(weights) * (double)(moe_layers(model) * parts.experts));
}

uint64_t dyno_model_weight_bytes(const struct dyno_model *model, enum dyno_dtype weights)
{
    return dyno_model_weight_bytes_per_gpu(model, weights, 1);
}

static uint64_t kv_elements(const struct dyno_model *model, uint32_t tp)
{
    if (model->attention == DYNO_ATTENTION_MLA) {
        return (uint64_t)model->layers * (model->mla_kv_rank + model->mla_rope_dim);
    }
    return 2 * (uint64_t)model->layers * divided(model->kv_heads, tp) * model->head_dim;
}

uint64_t dyno_model_kv_bytes_per_token_per_gpu(const struct dyno_model *model, enum dyno_dtype kv,
                                               uint32_t tp)
{
    return (uint64_t)(dyno_dtype_bytes(kv) * (double)kv_elements(model, tp));
}

uint64_t dyno_model_kv_bytes_per_token(const struct dyno_model *model, enum dyno_dtype kv)
{
    return dyno_model_kv_bytes_per_token_per_gpu(model, kv, 1);
}

double dyno_model_flops_per_token(const struct dyno_model *model)
{
    struct dyno_model_parts parts;
    uint64_t touched;

    dyno_model_parts(model, 1, &parts);
    touched = common_parameters(model, &parts) - parts.vectors;
    if (!model->tied_embeddings) {
        touched -= parts.embedding; /* a row is looked up, not multiplied */
    }
    touched += moe_layers(model) * parts.expert * model->experts_per_token;
    return 2.0 * (double)touched;
}

uint32_t dyno_model_full_layers(const struct dyno_model *model)
{
    return model->sliding_window <= DYNO_WINDOW_SHORT ? model->layers - model->sliding_layers
                                                      : model->layers;
}

double dyno_model_flops_per_pair(const struct dyno_model *model)
{
    double dims = model->attention == DYNO_ATTENTION_MLA
                      ? (double)model->mla_nope_dim + model->mla_rope_dim + model->mla_v_dim
                      : 2.0 * model->head_dim;

    return 2.0 * model->heads * dims * dyno_model_full_layers(model);
}

double dyno_model_experts_touched(const struct dyno_model *model, double tokens)
{
    double share;

    if (!model->experts || tokens <= 0) {
        return 0;
    }
    share = (double)model->experts_per_token / model->experts;
    if (share >= 1) {
        return model->experts;
    }
    return model->experts * (1 - dyno_pow(1 - share, tokens));
}

double dyno_model_bytes_per_step(const struct dyno_model *model, enum dyno_dtype weights,
                                 double tokens)
{
    struct dyno_model_parts parts;
    double touched = dyno_model_experts_touched(model, tokens);
    uint64_t table;

    dyno_model_parts(model, 1, &parts);
    table = model->tied_embeddings ? parts.embedding : 0;
    return dense_bytes(model, &parts, weights) + plain_bytes(model, &parts) +
           dyno_dtype_bytes(DYNO_BF16) * (double)table +
           dyno_dtype_bytes(weights) * touched * (double)(moe_layers(model) * parts.expert);
}

const char *dyno_dtype_name(enum dyno_dtype dtype)
{
    static const char *const names[DYNO_DTYPES] = {"bf16", "fp8", "int4"};

    return dtype < DYNO_DTYPES ? names[dtype] : "unknown";
}

double dyno_dtype_bytes(enum dyno_dtype dtype)
{
    /* int4: 128 x 4 bits + a 16-bit scale + a 16-bit zero point = 544 bits = 68 bytes. */
    static const double bytes[DYNO_DTYPES] = {2.0, 1.0, 68.0 / 128.0};

    return bytes[dtype];
}

const struct dyno_model *dyno_model_find(const char *name)
{
    for (const struct dyno_model *model = dyno_model_table; model->name[0]; model++) {
        if (strcasecmp(model->name, name) == 0) {
            return model;
        }
    }
    return NULL;
}

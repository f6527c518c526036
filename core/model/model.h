/* A language model as numbers, and what follows from them: bytes of KV per token, weight bytes,
 * floating-point operations per token. */
#ifndef DYNO_CORE_MODEL_MODEL_H
#define DYNO_CORE_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

enum dyno_dtype { DYNO_BF16, DYNO_FP8, DYNO_INT4, DYNO_DTYPES };

const char *dyno_dtype_name(enum dyno_dtype dtype);
double dyno_dtype_bytes(enum dyno_dtype dtype); /* of one weight, scales included (int4: groups of
                                                   128 with a bf16 scale and zero point) */

enum dyno_attention { DYNO_ATTENTION_GQA, DYNO_ATTENTION_MLA };

struct dyno_model {
    char name[96];
    const char *source; /* where the figures are from */
    enum dyno_attention attention;
    bool tied_embeddings;
    bool gated_mlp; /* three matrices (SwiGLU) rather than two */
    uint32_t layers, hidden, heads, kv_heads, head_dim, vocab, context_max;
    uint32_t intermediate;      /* of a dense layer's MLP; 0 where every layer is MoE */
    uint32_t dense_layers;      /* layers with a dense MLP; = layers for a dense model */
    uint32_t experts, experts_per_token, expert_intermediate;
    uint32_t shared_intermediate; /* summed width of the shared experts, 0: none */
    uint32_t mla_q_rank, mla_kv_rank, mla_rope_dim, mla_nope_dim, mla_v_dim; /* MLA only */
    uint32_t sliding_window, sliding_layers; /* layers that attend to `sliding_window` tokens only */
};

/* The built-in models, by the names users type ("llama-3.1-8b"); NULL-name-terminated. */
extern const struct dyno_model dyno_model_table[];
const struct dyno_model *dyno_model_find(const char *name);

/* Derived figures; every formula is in model.c with a hand-computed test. */
uint64_t dyno_model_parameters(const struct dyno_model *model);        /* all weights */
uint64_t dyno_model_parameters_active(const struct dyno_model *model); /* touched by one token */
uint64_t dyno_model_weight_bytes(const struct dyno_model *model, enum dyno_dtype weights);
/* Of one GPU of a tensor-parallel group of `tp` (kv heads are replicated where tp > kv_heads; MLA's
 * latent is replicated). */
uint64_t dyno_model_weight_bytes_per_gpu(const struct dyno_model *model, enum dyno_dtype weights,
                                         uint32_t tp);
uint64_t dyno_model_kv_bytes_per_token(const struct dyno_model *model, enum dyno_dtype kv);
uint64_t dyno_model_kv_bytes_per_token_per_gpu(const struct dyno_model *model, enum dyno_dtype kv,
                                               uint32_t tp);
/* 2 x active parameters without the embedding lookup: operations of one token's matrices, logits
 * included. */
double dyno_model_flops_per_token(const struct dyno_model *model);
/* Operations of one (query, context) token pair over all layers: QK^T and PV, all heads. */
double dyno_model_flops_per_pair(const struct dyno_model *model);

#endif

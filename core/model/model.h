/* A language model as numbers, and what follows from them: bytes of KV per token, weight bytes,
 * floating-point operations per token.
 *
 * A model is a stack of `layers` blocks, each attention and then an MLP, between an embedding table
 * and a logits matrix.  The first `dense_layers` blocks have a dense MLP, the others a mixture of
 * experts.  Everything derived is counted from these shapes; nothing is looked up. */
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
    const char *source; /* where the figures are from; static text */
    enum dyno_attention attention;
    bool tied_embeddings;
    bool gated_mlp; /* three matrices (SwiGLU) rather than two */
    uint32_t layers, hidden, heads, kv_heads, head_dim, vocab, context_max;
    uint32_t intermediate; /* of a dense layer's MLP; 0 where every layer is MoE */
    uint32_t dense_layers; /* layers with a dense MLP; = layers for a dense model */
    uint32_t experts, experts_per_token, expert_intermediate;
    uint32_t shared_intermediate; /* summed width of the shared experts, 0: none */
    /* MLA only; q_rank 0: queries are not compressed. */
    uint32_t mla_q_rank, mla_kv_rank, mla_rope_dim, mla_nope_dim, mla_v_dim;
    uint32_t sliding_window;
    uint32_t sliding_layers; /* layers that attend to `sliding_window` tokens only */

    /* The vectors, which matter for exact parameter counts only. */
    uint32_t positions;     /* rows of a learned position table, 0: none (rotary) */
    bool qkv_bias;          /* of the query, key and value projections */
    bool output_bias;       /* of attention's output projection */
    bool mlp_bias;          /* of the MLP's or the experts' matrices */
    bool router_bias;       /* one value per expert, also DeepSeek's load-balance correction */
    bool norm_bias;         /* LayerNorm rather than RMSNorm */
    bool qk_norm;           /* a norm of head_dim for queries, one for keys */
    bool attention_sinks;   /* one learned logit per head */
    bool shared_gate;       /* the shared expert is weighted by a learned gate (Qwen2-MoE) */
    bool quantized_experts; /* fp8 and int4 hold the experts only, attention stays bf16 (gpt-oss) */
};

/* The built-in models, by the names users type ("llama-3.1-8b"); empty-name-terminated. */
extern const struct dyno_model dyno_model_table[];
const struct dyno_model *dyno_model_find(const char *name); /* case does not matter; NULL: none */

/* One sentence in `error` and DYNO_BAD_INPUT if the shapes contradict each other (a zero, heads
 * that kv_heads do not divide, more experts per token than experts ...). */
dyno_status dyno_model_check(const struct dyno_model *model, struct dyno_error *error);

/* Parameters of one GPU of a tensor-parallel group of `tp` (1: the whole model), by what holds
 * them. Heads, MLP columns, experts and vocabulary are split; kv heads are replicated where tp >
 * kv_heads; norms, the router and MLA's down-projections are replicated. */
struct dyno_model_parts {
    uint64_t qkv;     /* of one layer: all that makes queries, keys and values */
    uint64_t output;  /* of one layer: attention's output projection */
    uint64_t mlp;     /* of one dense layer; 0: there is none */
    uint64_t expert;  /* of one expert, whole (not split) */
    uint64_t experts; /* of one MoE layer, this GPU's share of all experts */
    uint64_t shared;  /* of one MoE layer: the shared experts */
    uint64_t router;  /* of one MoE layer */
    uint64_t embedding;
    uint64_t logits;  /* 0: tied to the embedding */
    uint64_t vectors; /* of the whole model: norms, biases, positions; experts' biases excluded */
    uint64_t expert_biases; /* of one MoE layer */
};

void dyno_model_parts(const struct dyno_model *model, uint32_t tp, struct dyno_model_parts *out);

/* Derived figures; every formula is in model.c with a hand-computed test. */
uint64_t dyno_model_parameters(const struct dyno_model *model); /* all weights */
/* All but the experts that one token is not sent to. */
uint64_t dyno_model_parameters_active(const struct dyno_model *model);
/* Matrices in `weights`; embedding, logits, router and vectors stay bf16, as in the checkpoints
 * that vLLM serves. */
uint64_t dyno_model_weight_bytes(const struct dyno_model *model, enum dyno_dtype weights);
/* Of one GPU of a tensor-parallel group of `tp` (kv heads are replicated where tp > kv_heads; MLA's
 * latent is replicated). */
uint64_t dyno_model_weight_bytes_per_gpu(const struct dyno_model *model, enum dyno_dtype weights,
                                         uint32_t tp);
/* Of one token in all layers.  Sliding-window layers count like the others: what is not kept past
 * the window is not modelled. */
uint64_t dyno_model_kv_bytes_per_token(const struct dyno_model *model, enum dyno_dtype kv);
uint64_t dyno_model_kv_bytes_per_token_per_gpu(const struct dyno_model *model, enum dyno_dtype kv,
                                               uint32_t tp);
/* 2 x active parameters in matrices without the embedding lookup: operations of one token's
 * matrices, logits included. */
double dyno_model_flops_per_token(const struct dyno_model *model);
/* Operations of one (query, context) token pair over all layers: QK^T and PV, all heads.  Layers
 * with a short window are left out (see below). */
double dyno_model_flops_per_pair(const struct dyno_model *model);

/* Layers whose attention is taken to read the whole context: all but those with a window of at most
 * DYNO_WINDOW_SHORT tokens, whose cost is taken not to grow with the context.  A longer window is
 * taken to be endless.  Error: at most the window, or the context beyond a long one. */
enum { DYNO_WINDOW_SHORT = 1024 };
uint32_t dyno_model_full_layers(const struct dyno_model *model);

/* Different experts of one layer that `tokens` tokens are expected to reach, if each picks its
 * experts_per_token uniformly: E (1 - (1 - k/E)^tokens).  0 for a dense model. */
double dyno_model_experts_touched(const struct dyno_model *model, double tokens);

/* Weight bytes that a pass of `tokens` tokens reads, over all GPUs of a worker, for model bandwidth
 * use: everything but the embedding table and the experts that no token reaches. */
double dyno_model_bytes_per_step(const struct dyno_model *model, enum dyno_dtype weights,
                                 double tokens);

#endif

/* A model that can be computed: what its layers do, and where its weights lie.
 *
 * Matrices stay where the file maps them, in the file's own type; vectors (norms, biases) are few
 * and are converted to float.  One object serves every device of a process; nothing in it changes
 * after it was opened, so threads may share it.
 */
#ifndef DYNO_BACKENDS_ASSETS_WEIGHTS_H
#define DYNO_BACKENDS_ASSETS_WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/model/model.h"
#include "kernels/matrix.h"

enum dyno_activation {
    DYNO_ACTIVATION_SILU,      /* x / (1 + exp(-x)) */
    DYNO_ACTIVATION_GELU_TANH, /* 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): GPT-2's */
};

/* Where rotary embeddings put the two halves of a pair. */
enum dyno_rope_pairs {
    DYNO_ROPE_NONE,       /* learned positions (GPT-2) */
    DYNO_ROPE_HALF_SPLIT, /* element i with i + head_dim/2: Hugging Face */
    DYNO_ROPE_ADJACENT,   /* element 2i with 2i+1: llama2.c, GGUF's llama */
};

/* inv_frequency[i] = theta^(-2i/head_dim), then scaled. */
enum dyno_rope_scaling {
    DYNO_ROPE_PLAIN,
    DYNO_ROPE_LINEAR, /* every frequency divided by `factor` */
    DYNO_ROPE_LLAMA3, /* long wavelengths divided, short ones left, between them a blend */
    DYNO_ROPE_YARN,   /* likewise by kernels/rope.h's struct dyno_rope_yarn, and pairs longer */
    DYNO_ROPE_TABLE,  /* every frequency divided by its own factor (GGUF's rope_freqs.weight) */
};

struct dyno_rope {
    enum dyno_rope_pairs pairs;
    enum dyno_rope_scaling scaling;
    double theta;
    double factor;                            /* LINEAR, LLAMA3, YARN */
    double low_freq_factor, high_freq_factor; /* LLAMA3 */
    double beta_fast, beta_slow;              /* YARN */
    double length;                            /* YARN: of a turned pair, was it 1 before */
    bool exact;                               /* YARN */
    uint32_t original_context;                /* LLAMA3, YARN: tokens */
    const float *factors;                     /* TABLE: [head_dim / 2] */
};

struct dyno_layer_weights {
    const float *attention_norm, *attention_norm_bias; /* [hidden]; bias: LayerNorm only */
    struct dyno_matrix query, key, value, output;      /* GPT-2's joint c_attn is parted */
    const float *query_bias, *key_bias, *value_bias;   /* NULL: none */
    const float *output_bias;                          /* NULL: none */
    const float *query_norm, *key_norm;                /* [head_dim], Qwen3; NULL: none */
    const float *mlp_norm, *mlp_norm_bias;             /* [hidden] */
    struct dyno_matrix gate, up, down;                 /* dense; gate.data NULL: not gated */
    const float *up_bias, *down_bias;                  /* NULL: none */
    struct dyno_matrix router;                         /* [experts][hidden]; MoE layers only */
    const struct dyno_matrix *expert_gate, *expert_up, *expert_down; /* [experts] each */
};

/* What a matrix of bf16 is in its file: e4m3 with scales, of which it is the rounded product. */
struct dyno_narrow {
    const uint16_t *wide;  /* the matrix, [rows][columns] */
    const uint8_t *narrow; /* likewise; no NaN */
    const float *scale;    /* [rows / block_rows][columns / block_columns], both rounded up */
    uint32_t rows, columns;
    uint32_t block_rows, block_columns; /* that share a scale */
};

/* A number that the model's makers suggest. */
struct dyno_suggestion {
    bool given;
    double value; /* 0 where it is not given */
};

/* For choosing tokens, as kernels/sample.h means them. */
struct dyno_suggested_sampling {
    struct dyno_suggestion temperature, top_k, top_p, min_p, repetition;
};

struct dyno_weights {
    /* Shapes; model.vocab, hidden, heads, kv_heads, head_dim, layers ... */
    struct dyno_model model;
    struct dyno_rope rope;
    enum dyno_activation activation;
    double norm_epsilon;
    bool layer_norm;      /* LayerNorm rather than RMSNorm */
    bool normalize_top_k; /* MoE: weights of the chosen experts are scaled to sum 1 */
    uint32_t window;      /* tokens that attention sees, itself included; 0: all */
    struct dyno_matrix embedding, positions, logits; /* logits: = embedding where tied */
    const float *final_norm, *final_norm_bias;
    const struct dyno_layer_weights *layers; /* [model.layers] */
    const struct dyno_narrow *narrow;        /* [narrow_count] by where `wide` lies */
    uint32_t narrow_count;
    /* What the model's files say of its special tokens; UINT32_MAX: nothing. */
    uint32_t bos, eos[8], eos_count;
    struct dyno_suggested_sampling sampling; /* of a folder's generation_config.json */
    uint64_t bytes; /* of all weights, as they lie in the file; e4m3 as the bf16 that it becomes */
};

/* Open the model at `path`: a Hugging Face directory (config.json and *.safetensors, also sharded
 * through model.safetensors.index.json), a .gguf file, or a llama2.c .bin file.  Every shape is
 * checked against the configuration and every weight is finite.  On success *out is the caller's
 * (dyno_weights_close); on failure it is untouched.
 * Errors: DYNO_NOT_FOUND, DYNO_IO, DYNO_BAD_INPUT (file, field, and what would be right),
 * DYNO_UNSUPPORTED (a type or a model that dyno does not compute), DYNO_NO_MEMORY. */
dyno_status dyno_weights_open(struct dyno_weights **out, const char *path,
                              struct dyno_error *error);
void dyno_weights_close(struct dyno_weights *weights); /* NULL: no effect */

/* What a matrix of the model, or some rows of one, is in its file, where that is e4m3; *row is its
 * first there.  NULL: something else. */
const struct dyno_narrow *dyno_weights_narrow(const struct dyno_weights *weights,
                                              const struct dyno_matrix *matrix, uint32_t *row);

/* What the config.json `path`, or the one in the directory `path`, says of a model, without its
 * weights: all that points to something is NULL.  Nothing to close.  Errors: as above. */
dyno_status dyno_weights_describe(struct dyno_weights *out, const char *path,
                                  struct dyno_error *error);

#endif

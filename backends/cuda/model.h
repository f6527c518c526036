/* A model's weights on one GPU, as its kernels want them: 16-bit elements; query, key and value of
 * a layer stacked into one matrix, and gate and up; and the table of its rotary embedding.
 *
 * It may be what one rank of several holds (backends/engine/shard.h): then the shapes below are the
 * rank's, but for `hidden` and the embedding.
 *
 * One piece of memory, read only once it is filled: all workers of the GPU share it. */
#ifndef DYNO_BACKENDS_CUDA_MODEL_H
#define DYNO_BACKENDS_CUDA_MODEL_H

#include <stdint.h>

#include "backends/assets/weights.h"
#include "backends/engine/shard.h"
#include "core/base/status.h"
#include "kernels/team.h"

/* Pointers are to the device's memory; a matrix is [rows][columns], a product of its rows. */
struct dyno_cuda_layer {
    const void *attention_norm, *mlp_norm; /* [hidden] */
    const void *query_key_value;           /* [(heads + 2 kv_heads) x head_dim][hidden] */
    const void *query_key_value_bias;      /* likewise; NULL: none */
    const void *query_norm, *key_norm;     /* [head_dim]; NULL: none */
    const void *output, *output_bias;      /* [hidden][heads x head_dim]; NULL: none */
    const void *gate_up;                   /* [2 x intermediate][hidden], gate first */
    const void *down, *down_bias;          /* [hidden][intermediate]; NULL: none */
    /* Mixtures of experts only, in the place of the MLP above; else NULL. */
    const void *router;         /* [experts][hidden] */
    const void *expert_gate_up; /* [experts][2 x expert_intermediate][hidden] */
    const void *expert_down;    /* [experts][hidden][expert_intermediate] */
};

struct dyno_cuda_model {
    const struct dyno_weights *weights; /* not owned */
    enum dyno_element element;          /* F16 or BF16 */
    uint32_t positions;                 /* rows of `rope` */
    struct dyno_cuda_layer *layers;     /* [layers], on the host */
    const void *embedding, *logits;     /* [vocab][hidden]; a rank's logits are some of the rows, or
                                           none (NULL); rows of the embedding where they are tied */
    const void *final_norm;             /* [hidden] */
    const float *rope;                  /* [positions][head_dim / 2][2] */
    void *memory;
    uint64_t bytes;
};

/* Whether this is a model that GPUs compute here.  Errors: DYNO_UNSUPPORTED, with what is in the
 * way. */
dyno_status dyno_cuda_model_check(const struct dyno_weights *weights, struct dyno_error *error);

/* Bytes of a GPU that it takes, for sequences of up to `positions` tokens. */
uint64_t dyno_cuda_model_bytes(const struct dyno_weights *weights, enum dyno_element element,
                               uint32_t positions);

/* Load it to the current device.  `shard` (NULL: the model is whole) says what of it `weights` are,
 * as dyno_shard_weights_open made them; it is read here only.  `team` converts; NULL: the caller
 * alone.  On success *out is the caller's; on failure it is untouched.  Errors: as
 * dyno_cuda_model_check, dyno_cuda_fail, DYNO_NO_MEMORY. */
dyno_status dyno_cuda_model_open(struct dyno_cuda_model **out, const struct dyno_weights *weights,
                                 const struct dyno_shard *shard, enum dyno_element element,
                                 uint32_t positions, struct dyno_team *team,
                                 struct dyno_error *error);
void dyno_cuda_model_close(struct dyno_cuda_model *model); /* NULL: nothing */

#endif

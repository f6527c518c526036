/* A model's weights on one GPU, as its kernels want them: 16-bit elements, or on demand the 8 bits
 * that a file has of some; query, key and value of a layer stacked into one matrix, and gate and
 * up; and the table of its rotary embedding.
 *
 * It may be what one rank of several holds (backends/engine/shard.h): then the shapes below are the
 * rank's, but for `hidden` and the embedding.
 *
 * One piece of memory, read only once it is filled: all workers of the GPU share it. */
#ifndef DYNO_BACKENDS_CUDA_MODEL_H
#define DYNO_BACKENDS_CUDA_MODEL_H

#include <stdint.h>

#include "backends/assets/weights.h"
#include "backends/cuda/matrix.h"
#include "backends/engine/shard.h"
#include "core/base/status.h"
#include "kernels/team.h"

/* Pointers are to the device's memory. */
struct dyno_cuda_layer {
    const void *attention_norm, *mlp_norm;   /* [hidden] */
    struct dyno_cuda_matrix query_key_value; /* [(heads + 2 kv_heads) x head_dim][hidden] */
    const void *query_key_value_bias;        /* of its rows; NULL: none */
    const void *query_norm, *key_norm;       /* [head_dim]; NULL: none */
    struct dyno_cuda_matrix output;          /* [hidden][heads x head_dim] */
    struct dyno_cuda_matrix gate_up;         /* [2 x intermediate][hidden], gate first */
    struct dyno_cuda_matrix down;            /* [hidden][intermediate] */
    const void *output_bias, *down_bias;     /* [hidden]; NULL: none */
    /* Mixtures of experts only, in the place of the MLP above; else NULL. */
    const void *router;                     /* [experts][hidden] */
    struct dyno_cuda_matrix expert_gate_up; /* [experts x 2 x expert_intermediate][hidden] */
    struct dyno_cuda_matrix expert_down;    /* [experts x hidden][expert_intermediate] */
};

struct dyno_cuda_model_config {
    const struct dyno_weights *weights; /* not owned */
    /* What of the model `weights` are, as dyno_shard_weights_open made them, read when it is opened
     * only; NULL: they are whole. */
    const struct dyno_shard *shard;
    enum dyno_element element; /* F16 or BF16 */
    bool narrow;               /* matrices that are of 8 bits in their file stay so, where kernels
                                  take them (matrix.h) */
    uint32_t positions;        /* of a sequence */
};

struct dyno_cuda_model {
    const struct dyno_weights *weights; /* not owned */
    enum dyno_element element;          /* F16 or BF16 */
    bool narrow;                        /* as it was opened */
    uint32_t positions;                 /* rows of `rope` */
    struct dyno_cuda_layer *layers;     /* [layers], on the host */
    const void *embedding;              /* [vocab][hidden] */
    struct dyno_cuda_matrix logits;     /* likewise; a rank's are some of the rows, or none; rows of
                                           the embedding where they are tied */
    const void *final_norm;             /* [hidden] */
    const float *rope;                  /* [positions][head_dim / 2][2] */
    void *memory;
    uint64_t bytes;
};

/* Whether this is a model that GPUs compute here.  Errors: DYNO_UNSUPPORTED, with what is in the
 * way. */
dyno_status dyno_cuda_model_check(const struct dyno_weights *weights, struct dyno_error *error);

/* Whether some matrix would stay of 8 bits, if any may.  Errors: DYNO_BAD_INPUT, with which can. */
dyno_status dyno_cuda_model_check_narrow(const struct dyno_cuda_model_config *config,
                                         struct dyno_error *error);

/* Bytes of a GPU that it takes. */
uint64_t dyno_cuda_model_bytes(const struct dyno_cuda_model_config *config);

/* Load it to the current device.  `team` converts; NULL: the caller alone.  On success *out is the
 * caller's; on failure it is untouched.  Errors: as dyno_cuda_model_check, dyno_cuda_fail,
 * DYNO_NO_MEMORY. */
dyno_status dyno_cuda_model_open(struct dyno_cuda_model **out,
                                 const struct dyno_cuda_model_config *config,
                                 struct dyno_team *team, struct dyno_error *error);
void dyno_cuda_model_close(struct dyno_cuda_model *model); /* NULL: nothing */

#endif

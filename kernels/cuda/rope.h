/* Queries and keys as attention wants them, and keys and values into their blocks: a token's heads
 * are normed if the model does so (QK-norm), turned to the token's position, and stored.
 *
 * Query heads are written in place; key and value heads go to the KV cache only.  Norm and turn are
 * computed in fp32 and rounded once.  The definitions are dyno_rms_norm_ref (kernels/norm.h),
 * dyno_rope_turn_ref and the scalings of kernels/rope.h (linear, Llama 3, YaRN, a table of
 * factors), of which dyno_rope_table makes the table.  These differ from them by the rounding of
 * the result, and less than 2^-18 of the pair's length.
 *
 * Bound by memory: 2 bytes an element read, and what is written.
 */
#ifndef DYNO_KERNELS_CUDA_ROPE_H
#define DYNO_KERNELS_CUDA_ROPE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/cuda/kv.h"
#include "kernels/cuda/launch.h"
#include "kernels/matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DYNO_CUDA_NO_SLOT UINT32_MAX

struct dyno_cuda_rope_job {
    enum dyno_element element; /* F16 or BF16: of query, key, value and the norms */
    uint32_t tokens, heads;
    uint32_t pairs;           /* turned: 2 x pairs <= head_dim, the first dimensions; 0: none */
    bool adjacent;            /* pair i is dimensions (2i, 2i + 1), else (i, i + pairs) */
    const float *table;       /* [positions][pairs][2] of dyno_rope_table; NULL with pairs 0 */
    uint32_t positions;       /* a token beyond is turned like the last */
    const uint32_t *position; /* [tokens] */
    const uint32_t *slot;     /* [tokens] block x block_tokens + token, all different, or
                               * DYNO_CUDA_NO_SLOT: nothing is stored */
    void *query;              /* [tokens][query_stride], heads x head_dim of each */
    const void *key, *value;  /* [tokens][kv_stride], kv_heads x head_dim of each */
    uint64_t query_stride, kv_stride;  /* elements */
    const void *query_norm, *key_norm; /* [head_dim]; NULL: none */
    float epsilon;
    struct dyno_cuda_kv kv;
};

/* A warp a head. */
int dyno_cuda_rope_plain(const struct dyno_cuda_rope_job *job, dyno_cuda_stream stream);

/* In vectors of 16 bytes: heads are turned in all of their 16, 32, 64, 128 or 256 dimensions,
 * strides and block_stride are multiples of 16 bytes, and all pointers aligned to 16. */
int dyno_cuda_rope_vector(const struct dyno_cuda_rope_job *job, dyno_cuda_stream stream);

/* The fastest that takes this shape. */
int dyno_cuda_rope(const struct dyno_cuda_rope_job *job, dyno_cuda_stream stream);

#ifdef __cplusplus
}
#endif

#endif

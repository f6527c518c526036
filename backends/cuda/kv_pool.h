/* Memories that hold blocks of keys and values as the CUDA device has them, and copies between.
 *
 * On a GPU a layer's blocks lie side by side, so that a block is one piece in every layer; in
 * pinned memory of the host a block is one piece, all of its layers one after another. */
#ifndef DYNO_BACKENDS_CUDA_KV_POOL_H
#define DYNO_BACKENDS_CUDA_KV_POOL_H

#include <stdint.h>

#include "backends/cuda/runtime.h"

enum { DYNO_CUDA_POOL_HOST = -1 };

struct dyno_cuda_kv_pool {
    int gpu;      /* or DYNO_CUDA_POOL_HOST */
    char *memory; /* not owned, but by who opened it */
    uint32_t blocks, layers;
    uint64_t piece_bytes; /* of a block in one layer */
};

/* Pinned memory for `blocks` blocks of the shape of those of `like`, for all GPUs.  On success
 * out->memory is the caller's (dyno_cuda_kv_pool_close); on failure *out is untouched.
 * Errors: DYNO_NO_MEMORY, and as dyno_cuda_fail. */
dyno_status dyno_cuda_kv_pool_open(struct dyno_cuda_kv_pool *out,
                                   const struct dyno_cuda_kv_pool *like, uint32_t blocks,
                                   struct dyno_error *error);
void dyno_cuda_kv_pool_close(struct dyno_cuda_kv_pool *pool); /* its memory may be NULL */

/* Queue that block to_blocks[i] of `to` becomes block from_blocks[i] of `from`, for `count` blocks:
 * pools of one shape, of which one at least is on a GPU, and `stream` on that, or on that of
 * `from`.  Errors: as dyno_cuda_fail. */
dyno_status dyno_cuda_kv_pool_copy(const struct dyno_cuda_kv_pool *to, const uint32_t *to_blocks,
                                   const struct dyno_cuda_kv_pool *from,
                                   const uint32_t *from_blocks, uint32_t count, cudaStream_t stream,
                                   struct dyno_error *error);

#endif

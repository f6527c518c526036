#include "backends/cuda/kv_pool.h"

#include <assert.h>
#include <stdbool.h>

dyno_status dyno_cuda_kv_pool_open(struct dyno_cuda_kv_pool *out,
                                   const struct dyno_cuda_kv_pool *like, uint32_t blocks,
                                   struct dyno_error *error)
{
    struct dyno_cuda_kv_pool pool = *like;
    uint64_t bytes = like->piece_bytes * like->layers * blocks;
    void *memory;
    cudaError_t code = cudaHostAlloc(&memory, bytes, cudaHostAllocPortable);

    if (code == cudaErrorMemoryAllocation) {
        return dyno_fail(error, DYNO_NO_MEMORY,
                         "%.2f GiB of pinned memory for %u KV blocks are not to be had on this "
                         "machine: a smaller tier would do",
                         (double)bytes / (1U << 30), blocks);
    }
    if (code != cudaSuccess) {
        return dyno_cuda_fail(error, code, "cudaHostAlloc");
    }
    pool.gpu = DYNO_CUDA_POOL_HOST;
    pool.memory = memory;
    pool.blocks = blocks;
    *out = pool;
    return DYNO_OK;
}

void dyno_cuda_kv_pool_close(struct dyno_cuda_kv_pool *pool)
{
    (void)cudaFreeHost(pool->memory);
    pool->memory = NULL;
}

/* Where the block begins, and from there how far it is from one layer's piece to the next. */
static char *block_at(const struct dyno_cuda_kv_pool *pool, uint32_t block, uint64_t *stride)
{
    bool is_host = pool->gpu == DYNO_CUDA_POOL_HOST;

    assert(block < pool->blocks);
    *stride = is_host ? pool->piece_bytes : pool->piece_bytes * pool->blocks;
    return pool->memory + (is_host ? pool->layers : 1) * pool->piece_bytes * block;
}

static bool are_peers(const struct dyno_cuda_kv_pool *one, const struct dyno_cuda_kv_pool *other)
{
    return one->gpu != other->gpu && one->gpu >= 0 && other->gpu >= 0;
}

/* Rows of a copy in two dimensions may not be longer: what all GPUs say that they take (memPitch).
 * Layers of a pool of many GiB are. */
static const uint64_t stride_max = INT32_MAX;

/* Layer by layer: a copy in two dimensions is not defined between two GPUs. */
static dyno_status copy_layers(const struct dyno_cuda_kv_pool *to, char *at, uint64_t to_stride,
                               const struct dyno_cuda_kv_pool *from, const char *source,
                               uint64_t from_stride, cudaStream_t stream, struct dyno_error *error)
{
    for (uint32_t layer = 0; layer < to->layers; layer++) {
        char *layer_at = at + layer * to_stride;
        const char *layer_source = source + layer * from_stride;

        if (are_peers(to, from)) {
            DYNO_CUDA_TRY(cudaMemcpyPeerAsync(layer_at, to->gpu, layer_source, from->gpu,
                                              to->piece_bytes, stream),
                          error);
        } else {
            DYNO_CUDA_TRY(
                cudaMemcpyAsync(layer_at, layer_source, to->piece_bytes, cudaMemcpyDefault, stream),
                error);
        }
    }
    return DYNO_OK;
}

dyno_status dyno_cuda_kv_pool_copy(const struct dyno_cuda_kv_pool *to, const uint32_t *to_blocks,
                                   const struct dyno_cuda_kv_pool *from,
                                   const uint32_t *from_blocks, uint32_t count, cudaStream_t stream,
                                   struct dyno_error *error)
{
    assert(to->layers == from->layers && to->piece_bytes == from->piece_bytes);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t to_stride, from_stride;
        char *at = block_at(to, to_blocks[i], &to_stride);
        const char *source = block_at(from, from_blocks[i], &from_stride);

        if (are_peers(to, from) || to_stride > stride_max || from_stride > stride_max) {
            DYNO_TRY(copy_layers(to, at, to_stride, from, source, from_stride, stream, error));
        } else {
            DYNO_CUDA_TRY(cudaMemcpy2DAsync(at, to_stride, source, from_stride, to->piece_bytes,
                                            to->layers, cudaMemcpyDefault, stream),
                          error);
        }
    }
    return DYNO_OK;
}

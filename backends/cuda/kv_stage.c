#include "backends/cuda/kv_stage.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { STAGED = 32 }; /* blocks at a time, as many as a file takes at a time */

struct dyno_cuda_kv_stage {
    uint32_t ranks, gpu_count;
    struct dyno_cuda_kv_pool *pools; /* [ranks] of STAGED blocks */
    cudaStream_t *streams;           /* [gpu_count] */
    uint32_t numbers[STAGED];        /* 0, 1, ... */
};

/* Blocks in pinned memory, as a file asks for them. */
struct pinned {
    const struct dyno_cuda_kv_pool *pools; /* [ranks] */
    uint32_t ranks;
    const uint32_t *blocks;
};

static char *part_of(const struct pinned *pinned, uint32_t rank, uint32_t block, uint64_t *bytes)
{
    const struct dyno_cuda_kv_pool *pool = &pinned->pools[rank];

    assert(pool->gpu == DYNO_CUDA_POOL_HOST && pinned->blocks[block] < pool->blocks);
    *bytes = pool->piece_bytes * pool->layers;
    return pool->memory + *bytes * pinned->blocks[block];
}

static void get(void *context, uint32_t block, void *bytes)
{
    const struct pinned *pinned = context;
    char *to = bytes;

    for (uint32_t rank = 0; rank < pinned->ranks; rank++) {
        uint64_t size;
        const char *from = part_of(pinned, rank, block, &size);

        memcpy(to, from, size);
        to += size;
    }
}

static void put(void *context, uint32_t block, void *bytes)
{
    const struct pinned *pinned = context;
    const char *from = bytes;

    for (uint32_t rank = 0; rank < pinned->ranks; rank++) {
        uint64_t size;
        char *to = part_of(pinned, rank, block, &size);

        memcpy(to, from, size);
        from += size;
    }
}

static dyno_status queue_copies(const struct dyno_cuda_kv_stage *stage,
                                const struct dyno_cuda_kv_pool *pools, const uint32_t *blocks,
                                uint32_t count, bool to_gpus, struct dyno_error *error)
{
    for (uint32_t rank = 0; rank < stage->ranks; rank++) {
        const struct dyno_cuda_kv_pool *staged = &stage->pools[rank], *pool = &pools[rank];
        cudaStream_t stream = stage->streams[pool->gpu];

        DYNO_CUDA_TRY(cudaSetDevice(pool->gpu), error);
        DYNO_TRY(to_gpus ? dyno_cuda_kv_pool_copy(pool, blocks, staged, stage->numbers, count,
                                                  stream, error)
                         : dyno_cuda_kv_pool_copy(staged, stage->numbers, pool, blocks, count,
                                                  stream, error));
    }
    return DYNO_OK;
}

/* Of all ranks, though one fails: the staging memory is used again. */
static dyno_status await_copies(const struct dyno_cuda_kv_stage *stage,
                                const struct dyno_cuda_kv_pool *pools, struct dyno_error *error)
{
    dyno_status status = DYNO_OK;

    for (uint32_t rank = 0; rank < stage->ranks; rank++) {
        cudaError_t code = cudaSetDevice(pools[rank].gpu);

        code = code == cudaSuccess ? cudaStreamSynchronize(stage->streams[pools[rank].gpu]) : code;
        if (code != cudaSuccess && status == DYNO_OK) {
            status = dyno_cuda_fail(error, code, "cudaStreamSynchronize");
        }
    }
    return status;
}

/* Between the staging memory's first `count` blocks and `blocks` of GPUs' pools. */
static dyno_status copy(const struct dyno_cuda_kv_stage *stage,
                        const struct dyno_cuda_kv_pool *pools, const uint32_t *blocks,
                        uint32_t count, bool to_gpus, struct dyno_error *error)
{
    dyno_status status = queue_copies(stage, pools, blocks, count, to_gpus, error);
    struct dyno_error later;
    dyno_status waited = await_copies(stage, pools, status == DYNO_OK ? error : &later);

    return status == DYNO_OK ? waited : status;
}

static bool is_pinned(const struct dyno_cuda_filing *filing)
{
    return filing->pools[0].gpu == DYNO_CUDA_POOL_HOST;
}

/* Where a file finds the filing's blocks: where they lie, or staged. */
static struct pinned pinned_of(const struct dyno_cuda_kv_stage *stage,
                               const struct dyno_cuda_filing *filing)
{
    return is_pinned(filing) ? (struct pinned){filing->pools, stage->ranks, filing->blocks}
                             : (struct pinned){stage->pools, stage->ranks, stage->numbers};
}

/* The next ones of the filing from the `first` on, as many as go at a time. */
static struct dyno_cuda_filing some_of(const struct dyno_cuda_filing *filing, uint32_t first)
{
    uint32_t left = filing->count - first;

    return (struct dyno_cuda_filing){.pools = filing->pools,
                                     .blocks = filing->blocks + first,
                                     .places = filing->places + first,
                                     .names = filing->names + first,
                                     .count = left < STAGED ? left : STAGED};
}

uint32_t dyno_cuda_kv_stage_write(struct dyno_cuda_kv_stage *stage, struct dyno_kv_file *file,
                                  const struct dyno_cuda_filing *filing, struct dyno_error *error)
{
    for (uint32_t first = 0; first < filing->count;) {
        struct dyno_cuda_filing some = some_of(filing, first);
        struct pinned pinned = pinned_of(stage, &some);
        uint32_t lost = 0;

        if (!is_pinned(&some) &&
            copy(stage, some.pools, some.blocks, some.count, false, error) != DYNO_OK) {
            return filing->count - first;
        }
        lost = dyno_kv_file_write(file, some.places, some.names, some.count, get, &pinned);
        first += some.count;
        if (lost > 0) {
            return filing->count - first + lost;
        }
    }
    return 0;
}

uint32_t dyno_cuda_kv_stage_read(struct dyno_cuda_kv_stage *stage, struct dyno_kv_file *file,
                                 const struct dyno_cuda_filing *filing, struct dyno_error *error)
{
    for (uint32_t first = 0; first < filing->count;) {
        struct dyno_cuda_filing some = some_of(filing, first);
        struct pinned pinned = pinned_of(stage, &some);
        uint32_t lost = dyno_kv_file_read(file, some.places, some.names, some.count, put, &pinned);

        if (!is_pinned(&some) && lost < some.count &&
            copy(stage, some.pools, some.blocks, some.count - lost, true, error) != DYNO_OK) {
            return filing->count - first;
        }
        first += some.count;
        if (lost > 0) {
            return filing->count - first + lost;
        }
    }
    return 0;
}

/* ---- opening and closing --------------------------------------------------------------------- */

void dyno_cuda_kv_stage_close(struct dyno_cuda_kv_stage *stage)
{
    if (!stage) {
        return;
    }
    for (uint32_t gpu = 0; stage->streams && gpu < stage->gpu_count; gpu++) {
        if (stage->streams[gpu]) {
            (void)cudaSetDevice((int)gpu);
            (void)cudaStreamDestroy(stage->streams[gpu]);
        }
    }
    for (uint32_t rank = 0; stage->pools && rank < stage->ranks; rank++) {
        dyno_cuda_kv_pool_close(&stage->pools[rank]);
    }
    free(stage->streams);
    free(stage->pools);
    free(stage);
}

static dyno_status open_all(struct dyno_cuda_kv_stage *stage, const struct dyno_cuda_kv_pool *likes,
                            struct dyno_error *error)
{
    stage->pools = calloc(stage->ranks, sizeof *stage->pools);
    stage->streams = calloc(stage->gpu_count, sizeof(cudaStream_t));
    if (!stage->pools || !stage->streams) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the way of KV blocks to files");
    }
    for (uint32_t rank = 0; rank < stage->ranks; rank++) {
        DYNO_TRY(dyno_cuda_kv_pool_open(&stage->pools[rank], &likes[rank], STAGED, error));
    }
    for (uint32_t gpu = 0; gpu < stage->gpu_count; gpu++) {
        DYNO_CUDA_TRY(cudaSetDevice((int)gpu), error);
        DYNO_CUDA_TRY(cudaStreamCreateWithFlags(&stage->streams[gpu], cudaStreamNonBlocking),
                      error);
    }
    return DYNO_OK;
}

dyno_status dyno_cuda_kv_stage_open(struct dyno_cuda_kv_stage **out,
                                    const struct dyno_cuda_kv_pool *likes, uint32_t ranks,
                                    uint32_t gpu_count, struct dyno_error *error)
{
    struct dyno_cuda_kv_stage *stage = calloc(1, sizeof *stage);
    dyno_status status;

    if (!stage) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the way of KV blocks to files");
    }
    stage->ranks = ranks;
    stage->gpu_count = gpu_count;
    for (uint32_t i = 0; i < STAGED; i++) {
        stage->numbers[i] = i;
    }
    status = open_all(stage, likes, error);
    if (status != DYNO_OK) {
        dyno_cuda_kv_stage_close(stage);
        return status;
    }
    *out = stage;
    return DYNO_OK;
}

#include "backends/cuda/kv_links.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/cuda/device_pools.h"
#include "backends/cuda/kv_pool.h"
#include "backends/cuda/kv_stage.h"
#include "backends/engine/threaded.h"

enum { MEASURED_BLOCKS = 16, MEASURED_ROUNDS = 4 };

/* Out of a GPU, and in; between GPUs: in; and to files or from there. */
enum path { WAY_OUT, WAY_IN, DISK, PATH_COUNT };

/* Streams of one GPU, one for each path's thread but that of files. */
struct ways {
    cudaStream_t stream[DISK];
};

struct memories {
    uint32_t first_count; /* workers of the first device */
    uint32_t worker_count, endpoint_count, ranks, gpu_count;
    struct dyno_device *devices[2];
    struct dyno_cuda_kv_pool *pools;  /* [pool_count][ranks], behind the workers */
    struct dyno_kv_file **files;      /* [pool_count] what lies in a file instead; else NULL */
    struct dyno_cuda_kv_stage *stage; /* NULL: there are no files */
    struct dyno_cuda_kv_pool *filed;  /* [ranks] of the end that is no file, of that thread */
    struct ways *ways;                /* [gpu_count] */
};

/* ---- copies ---------------------------------------------------------------------------------- */

/* NULL: the endpoint is a memory. */
static struct dyno_kv_file *file_of(const struct memories *memories, uint32_t endpoint)
{
    return endpoint < memories->worker_count ? NULL
                                             : memories->files[endpoint - memories->worker_count];
}

static uint32_t path(void *context, uint32_t from, uint32_t to)
{
    const struct memories *memories = context;

    if (file_of(memories, from) || file_of(memories, to)) {
        return DISK;
    }
    return to < memories->worker_count ? WAY_IN : WAY_OUT;
}

/* The endpoint's device, and its number there. */
static struct dyno_device *device_of(const struct memories *memories, uint32_t *endpoint)
{
    bool is_second = *endpoint >= memories->first_count;

    *endpoint -= is_second ? memories->first_count : 0;
    return memories->devices[is_second];
}

/* A worker that was started again has other memory. */
static struct dyno_cuda_kv_pool pool_of(const struct memories *memories, uint32_t endpoint,
                                        uint32_t rank)
{
    uint32_t workers = memories->worker_count;
    const struct dyno_device *device;

    if (endpoint >= workers) {
        return memories->pools[(uint64_t)(endpoint - workers) * memories->ranks + rank];
    }
    device = device_of(memories, &endpoint);
    return dyno_cuda_device_pool(device, endpoint, rank);
}

/* A rank's part of a transfer. */
struct part {
    struct dyno_cuda_kv_pool from, to;
    int gpu; /* that copies */
    cudaStream_t stream;
};

static struct part part_of(const struct memories *memories, const struct dyno_transfer *transfer,
                           uint32_t rank)
{
    struct part part = {.from = pool_of(memories, transfer->from, rank),
                        .to = pool_of(memories, transfer->to, rank)};

    part.gpu = part.from.gpu >= 0 ? part.from.gpu : part.to.gpu;
    part.stream =
        memories->ways[part.gpu].stream[transfer->to < memories->worker_count ? WAY_IN : WAY_OUT];
    return part;
}

/* All ranks' parts are queued before any is waited for. */
static dyno_status queue_all(const struct memories *memories, const struct dyno_transfer *transfer,
                             bool waits, struct dyno_error *error)
{
    for (uint32_t rank = 0; rank < memories->ranks; rank++) {
        struct part part = part_of(memories, transfer, rank);

        DYNO_CUDA_TRY(cudaSetDevice(part.gpu), error);
        if (waits) {
            DYNO_CUDA_TRY(cudaStreamSynchronize(part.stream), error);
        } else {
            DYNO_TRY(dyno_cuda_kv_pool_copy(&part.to, transfer->to_blocks, &part.from,
                                            transfer->from_blocks, transfer->blocks, part.stream,
                                            error));
        }
    }
    return DYNO_OK;
}

/* What was queued of a transfer that failed is not to come when its blocks are somebody else's. */
static void wait_for_rest(const struct memories *memories, const struct dyno_transfer *transfer)
{
    for (uint32_t rank = 0; rank < memories->ranks; rank++) {
        struct part part = part_of(memories, transfer, rank);

        if (cudaSetDevice(part.gpu) == cudaSuccess) {
            (void)cudaStreamSynchronize(part.stream);
        }
    }
}

/* Whether the worker is there: it may be started later, or have failed. */
static bool has(const struct memories *memories, uint32_t endpoint)
{
    const struct dyno_device *device = device_of(memories, &endpoint);

    return dyno_cuda_device_has(device, endpoint);
}

/* Whether its GPUs still do what they are told. */
static bool is_well(const struct memories *memories, uint32_t endpoint)
{
    if (!has(memories, endpoint)) {
        return false;
    }
    for (uint32_t rank = 0; rank < memories->ranks; rank++) {
        int gpu = pool_of(memories, endpoint, rank).gpu;

        if (cudaSetDevice(gpu) != cudaSuccess ||
            cudaStreamSynchronize(memories->ways[gpu].stream[WAY_IN]) != cudaSuccess) {
            return false;
        }
    }
    return true;
}

static void fail(const struct memories *memories, uint32_t endpoint)
{
    struct dyno_device *device = device_of(memories, &endpoint);

    dyno_threaded_device_fail(device, endpoint);
}

/* A request that waits for the blocks is to hear of it, also from workers that compute nothing. */
static void find_failed(const struct memories *memories, const struct dyno_transfer *transfer)
{
    bool source_is_well = is_well(memories, transfer->from);

    if (!source_is_well) {
        fail(memories, transfer->from);
    }
    if (source_is_well || !is_well(memories, transfer->to)) {
        fail(memories, transfer->to);
    }
}

static void say_lost(uint32_t blocks, const struct dyno_error *error)
{
    fprintf(stderr, "dyno: %u KV blocks on their way are lost: %s\n", blocks, error->text);
}

/* Of which one end is a file. */
static uint32_t move_file(const struct memories *memories, const struct dyno_transfer *transfer)
{
    struct dyno_kv_file *to = file_of(memories, transfer->to);
    struct dyno_kv_file *from = file_of(memories, transfer->from);
    struct dyno_cuda_filing filing = {.blocks = to ? transfer->from_blocks : transfer->to_blocks,
                                      .places = to ? transfer->to_blocks : transfer->from_blocks,
                                      .names = transfer->names,
                                      .count = transfer->blocks};
    struct dyno_error error = {0};
    uint32_t lost;

    if (!transfer->names) {
        return transfer->blocks; /* there was no memory to name them in */
    }
    for (uint32_t rank = 0; rank < memories->ranks; rank++) {
        memories->filed[rank] = pool_of(memories, to ? transfer->from : transfer->to, rank);
    }
    filing.pools = memories->filed;
    lost = to ? dyno_cuda_kv_stage_write(memories->stage, to, &filing, &error)
              : dyno_cuda_kv_stage_read(memories->stage, from, &filing, &error);
    if (error.text[0]) {
        say_lost(lost, &error);
    }
    return lost;
}

static uint32_t copy(void *context, const struct dyno_transfer *transfer)
{
    const struct memories *memories = context;
    struct dyno_error error = {0};
    dyno_status status;

    if (path(context, transfer->from, transfer->to) == DISK) {
        return move_file(memories, transfer);
    }
    status = queue_all(memories, transfer, false, &error);
    if (status == DYNO_OK) {
        status = queue_all(memories, transfer, true, &error);
    }
    if (status == DYNO_OK) {
        return 0;
    }
    say_lost(transfer->blocks, &error);
    wait_for_rest(memories, transfer);
    if (transfer->from < memories->worker_count && transfer->to < memories->worker_count) {
        find_failed(memories, transfer);
        return DYNO_COPY_NEVER;
    }
    return transfer->blocks;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void release(void *context)
{
    struct memories *memories = context;
    uint32_t pools = memories->endpoint_count - memories->worker_count;

    for (uint32_t gpu = 0; memories->ways && gpu < memories->gpu_count; gpu++) {
        for (uint32_t way = 0; way < DISK; way++) {
            if (memories->ways[gpu].stream[way]) {
                (void)cudaSetDevice((int)gpu);
                (void)cudaStreamDestroy(memories->ways[gpu].stream[way]);
            }
        }
    }
    for (uint64_t i = 0; memories->pools && i < (uint64_t)pools * memories->ranks; i++) {
        dyno_cuda_kv_pool_close(&memories->pools[i]);
    }
    dyno_cuda_kv_stage_close(memories->stage);
    free(memories->filed);
    free(memories->files);
    free(memories->pools);
    free(memories->ways);
    free(memories);
}

static dyno_status open_ways(struct memories *memories, struct dyno_error *error)
{
    memories->gpu_count = dyno_cuda_device_gpus(memories->devices[0]);
    assert(memories->gpu_count > 0); /* which clang-tidy cannot see */
    memories->ways = calloc(memories->gpu_count, sizeof *memories->ways);
    if (!memories->ways) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for links between workers");
    }
    for (uint32_t gpu = 0; gpu < memories->gpu_count; gpu++) {
        DYNO_CUDA_TRY(cudaSetDevice((int)gpu), error);
        for (uint32_t way = 0; way < DISK; way++) {
            DYNO_CUDA_TRY(
                cudaStreamCreateWithFlags(&memories->ways[gpu].stream[way], cudaStreamNonBlocking),
                error);
        }
    }
    return DYNO_OK;
}

/* A copy from one GPU to another goes over the host where neither sees the other's memory: that is
 * slower, and no error. */
static void introduce(int gpu, int peer)
{
    int sees = 0;

    if (cudaSetDevice(gpu) == cudaSuccess &&
        cudaDeviceCanAccessPeer(&sees, gpu, peer) == cudaSuccess && sees) {
        (void)cudaDeviceEnablePeerAccess(peer, 0);
        (void)cudaGetLastError(); /* NCCL may have done so */
    }
}

static void introduce_all(const struct memories *memories)
{
    int count = (int)memories->gpu_count;

    for (int gpu = 0; gpu < count; gpu++) {
        for (int peer = 0; peer < count; peer++) {
            if (peer != gpu) {
                introduce(gpu, peer);
            }
        }
    }
}

static dyno_status open_pools(struct memories *memories,
                              const struct dyno_cuda_links_config *config, struct dyno_error *error)
{
    uint32_t ranks = memories->ranks;

    for (uint32_t i = 0; i < config->pool_count * ranks; i++) {
        struct dyno_cuda_kv_pool like = pool_of(memories, 0, i % ranks);

        if (memories->files[i / ranks]) {
            continue;
        }
        DYNO_TRY(dyno_cuda_kv_pool_open(&memories->pools[i], &like, config->pool_blocks[i / ranks],
                                        error));
    }
    return DYNO_OK;
}

static dyno_status open_stage(struct memories *memories,
                              const struct dyno_cuda_links_config *config, struct dyno_error *error)
{
    if (!config->files) {
        return DYNO_OK;
    }
    for (uint32_t rank = 0; rank < memories->ranks; rank++) {
        memories->filed[rank] = pool_of(memories, 0, rank);
    }
    return dyno_cuda_kv_stage_open(&memories->stage, memories->filed, memories->ranks,
                                   memories->gpu_count, error);
}

/* The fastest of a few rounds; the latency is learned from what is moved. */
static dyno_status measure(const struct memories *memories, const struct dyno_transfer *transfer,
                           const struct dyno_cuda_links_config *config,
                           struct dyno_copier_speed *out, struct dyno_error *error)
{
    dyno_ns least = DYNO_NEVER;

    for (uint32_t i = 0; i < MEASURED_ROUNDS; i++) {
        dyno_ns began = config->now(config->clock), took;

        DYNO_TRY(queue_all(memories, transfer, false, error));
        DYNO_TRY(queue_all(memories, transfer, true, error));
        took = config->now(config->clock) - began;
        least = took < least ? took : least;
    }
    out->ns_per_byte = (double)least / (double)(transfer->blocks * transfer->block_bytes);
    return DYNO_OK;
}

/* The first pool that is a memory, or else the last worker that is there. */
static uint32_t other_of(const struct memories *memories)
{
    for (uint32_t i = memories->worker_count; i < memories->endpoint_count; i++) {
        if (!file_of(memories, i)) {
            return i;
        }
    }
    for (uint32_t i = memories->worker_count - 1; i > 0; i--) {
        if (has(memories, i)) {
            return i;
        }
    }
    return 0;
}

/* Between the first worker and another memory. */
static dyno_status measure_both(const struct memories *memories,
                                const struct dyno_cuda_links_config *config,
                                struct dyno_copier_speed *speeds, struct dyno_error *error)
{
    uint32_t other = other_of(memories);
    struct dyno_cuda_kv_pool one = pool_of(memories, 0, 0), two = pool_of(memories, other, 0);
    uint32_t most = one.blocks < two.blocks ? one.blocks : two.blocks, blocks[MEASURED_BLOCKS];
    struct dyno_transfer transfer = {.from = 0,
                                     .to = other,
                                     .blocks = most < MEASURED_BLOCKS ? most : MEASURED_BLOCKS,
                                     .block_bytes = one.piece_bytes * one.layers * memories->ranks,
                                     .from_blocks = blocks,
                                     .to_blocks = blocks};

    if (other == 0) {
        return DYNO_OK; /* there is nothing to copy between */
    }
    for (uint32_t i = 0; i < transfer.blocks; i++) {
        blocks[i] = i;
    }
    DYNO_TRY(measure(memories, &transfer, config, &speeds[WAY_OUT], error));
    transfer.from = other;
    transfer.to = 0;
    return measure(memories, &transfer, config, &speeds[WAY_IN], error);
}

static dyno_status open_all(struct dyno_links **out, struct memories *memories,
                            const struct dyno_cuda_links_config *config, struct dyno_error *error)
{
    struct dyno_copier_config copier = {.path_count = config->files ? PATH_COUNT : DISK,
                                        .path = path,
                                        .copy = copy,
                                        .release = release,
                                        .context = memories,
                                        .now = config->now,
                                        .wake = config->wake,
                                        .clock = config->clock,
                                        .speeds = {[DISK] = dyno_copier_disk_speed()}};

    DYNO_TRY(open_pools(memories, config, error));
    DYNO_TRY(open_ways(memories, error));
    DYNO_TRY(open_stage(memories, config, error));
    if (config->from_workers) {
        introduce_all(memories);
    }
    DYNO_TRY(measure_both(memories, config, copier.speeds, error));
    return dyno_copier_open(out, &copier, error);
}

dyno_status dyno_cuda_links_open(struct dyno_links **out,
                                 const struct dyno_cuda_links_config *config,
                                 struct dyno_error *error)
{
    struct memories *memories = calloc(1, sizeof *memories);
    dyno_status status;

    if (!memories) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for links between workers");
    }
    memories->devices[0] = config->devices[0];
    memories->devices[1] = config->devices[1];
    memories->first_count = dyno_cuda_device_workers(config->devices[0]);
    memories->worker_count =
        memories->first_count +
        (config->devices[1] ? dyno_cuda_device_workers(config->devices[1]) : 0);
    memories->endpoint_count = memories->worker_count + config->pool_count;
    memories->ranks = dyno_cuda_device_ranks(config->devices[0]);
    memories->pools =
        calloc((uint64_t)config->pool_count * memories->ranks + 1, sizeof *memories->pools);
    memories->files = calloc((size_t)config->pool_count + 1, sizeof(struct dyno_kv_file *));
    memories->filed = calloc(memories->ranks, sizeof *memories->filed);
    for (uint32_t i = 0; memories->files && config->files && i < config->pool_count; i++) {
        memories->files[i] = config->files[i];
    }
    if (!memories->pools || !memories->files || !memories->filed) {
        release(memories);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for links between workers");
    }
    status = open_all(out, memories, config, error);
    if (status != DYNO_OK) {
        release(memories);
    }
    return status;
}

#include "backends/cuda/ranks.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "backends/cuda/collective.h"
#include "backends/cuda/runtime.h"
#include "backends/engine/rank_threads.h"

struct rank {
    int gpu;
    struct dyno_collective *collective; /* NULL: there is one rank */
    struct dyno_cuda_forward *forward;
    struct dyno_error error; /* of who failed */
    dyno_status status;
};

enum task { TASK_WARM, TASK_STEP, TASK_REST };

/* What all ranks do at once. */
struct work {
    enum task task;
    const struct dyno_cuda_slice *slices; /* of a step */
    uint32_t slice_count, further;
    struct dyno_cuda_yield *yields; /* rank 0's */
};

struct dyno_cuda_ranks {
    uint32_t count;
    struct dyno_rank_threads *threads;
    _Atomic(struct rank *) lost; /* who failed first; NULL: nobody */
    struct rank rank[];          /* [count] */
};

/* ---- a rank ---------------------------------------------------------------------------------- */

/* Nobody is to wait for a rank that has failed. */
static void lose(struct dyno_cuda_ranks *ranks, struct rank *rank)
{
    struct rank *nobody = NULL;

    if (!atomic_compare_exchange_strong(&ranks->lost, &nobody, rank)) {
        return;
    }
    for (uint32_t i = 0; i < ranks->count; i++) {
        if (ranks->rank[i].collective) {
            dyno_cuda_collective_abort(ranks->rank[i].collective);
        }
    }
}

static dyno_status compute(const struct rank *rank, const struct work *work,
                           struct dyno_cuda_yield *yields, struct dyno_error *error)
{
    DYNO_CUDA_TRY(cudaSetDevice(rank->gpu), error); /* of this thread */
    switch (work->task) {
    case TASK_WARM:
        return dyno_cuda_forward_warm(rank->forward, error);
    case TASK_REST:
        return dyno_cuda_forward_rest(rank->forward, error);
    default:
        return dyno_cuda_forward_step(rank->forward, work->slices, work->slice_count, work->further,
                                      yields, error);
    }
}

static void take_part(void *context, uint32_t index, const void *argument)
{
    struct dyno_cuda_ranks *ranks = context;
    struct rank *rank = &ranks->rank[index];
    const struct work *work = argument;

    rank->status = compute(rank, work, index == 0 ? work->yields : NULL, &rank->error);
    if (rank->status != DYNO_OK) {
        lose(ranks, rank);
    }
}

/* ---- all of them ----------------------------------------------------------------------------- */

static dyno_status work_together(struct dyno_cuda_ranks *ranks, const struct work *work,
                                 struct dyno_error *error)
{
    const struct rank *failed;

    if (atomic_load(&ranks->lost)) {
        return dyno_fail(error, DYNO_WORKER_GONE, "an earlier pass failed");
    }
    dyno_rank_threads_run(ranks->threads, work);
    failed = atomic_load(&ranks->lost);
    if (!failed) {
        return DYNO_OK;
    }
    return ranks->count == 1
               ? dyno_fail(error, failed->status, "%s", failed->error.text)
               : dyno_fail(error, failed->status, "rank %u on GPU %d: %s",
                           (uint32_t)(failed - ranks->rank), failed->gpu, failed->error.text);
}

dyno_status dyno_cuda_ranks_warm(struct dyno_cuda_ranks *ranks, struct dyno_error *error)
{
    return work_together(ranks, &(struct work){.task = TASK_WARM}, error);
}

dyno_status dyno_cuda_ranks_run(struct dyno_cuda_ranks *ranks, const struct dyno_cuda_slice *slices,
                                uint32_t slice_count, struct dyno_cuda_yield *yields,
                                struct dyno_error *error)
{
    return dyno_cuda_ranks_step(ranks, slices, slice_count, 0, yields, error);
}

dyno_status dyno_cuda_ranks_step(struct dyno_cuda_ranks *ranks,
                                 const struct dyno_cuda_slice *slices, uint32_t slice_count,
                                 uint32_t further, struct dyno_cuda_yield *yields,
                                 struct dyno_error *error)
{
    return work_together(ranks, &(struct work){TASK_STEP, slices, slice_count, further, yields},
                         error);
}

bool dyno_cuda_ranks_is_ahead(const struct dyno_cuda_ranks *ranks)
{
    return dyno_cuda_forward_is_ahead(ranks->rank[0].forward);
}

dyno_status dyno_cuda_ranks_rest(struct dyno_cuda_ranks *ranks, struct dyno_error *error)
{
    return work_together(ranks, &(struct work){.task = TASK_REST}, error);
}

/* ---- opening and closing --------------------------------------------------------------------- */

/* Graphs that have operations of the group go before it does. */
void dyno_cuda_ranks_close(struct dyno_cuda_ranks *ranks)
{
    if (!ranks) {
        return;
    }
    dyno_rank_threads_close(ranks->threads);
    for (uint32_t i = 0; i < ranks->count; i++) {
        (void)cudaSetDevice(ranks->rank[i].gpu);
        dyno_cuda_forward_close(ranks->rank[i].forward);
    }
    for (uint32_t i = 0; i < ranks->count; i++) {
        struct dyno_collective *collective = ranks->rank[i].collective;

        if (collective) {
            collective->ops->close(collective);
        }
    }
    free(ranks);
}

static dyno_status open_collective(struct dyno_cuda_ranks *ranks, struct dyno_error *error)
{
    struct dyno_collective **members = calloc(ranks->count + 1, sizeof(struct dyno_collective *));
    int *gpus = calloc(ranks->count + 1, sizeof *gpus);
    dyno_status status;

    if (!members || !gpus) {
        free(members);
        free(gpus);
        return dyno_fail(error, DYNO_NO_MEMORY, "there is no memory for %u ranks", ranks->count);
    }
    for (uint32_t i = 0; i < ranks->count; i++) {
        gpus[i] = ranks->rank[i].gpu;
    }
    status = dyno_cuda_collective_open(members, ranks->count, gpus, error);
    for (uint32_t i = 0; status == DYNO_OK && i < ranks->count; i++) {
        ranks->rank[i].collective = members[i];
    }
    free(members);
    free(gpus);
    return status;
}

static dyno_status open_forward(struct rank *rank, const struct dyno_cuda_rank *on,
                                const struct dyno_cuda_ranks_config *config,
                                struct dyno_error *error)
{
    struct dyno_cuda_forward_config forward = config->forward;

    forward.model = on->model;
    forward.shard = on->shard;
    forward.collective = rank->collective;
    DYNO_CUDA_TRY(cudaSetDevice(rank->gpu), error);
    return dyno_cuda_forward_open(&rank->forward, &forward, error);
}

static dyno_status open_all(struct dyno_cuda_ranks *ranks,
                            const struct dyno_cuda_ranks_config *config, struct dyno_error *error)
{
    if (config->rank[0].shard) {
        DYNO_TRY(open_collective(ranks, error));
    }
    for (uint32_t i = 0; i < ranks->count; i++) {
        DYNO_TRY(open_forward(&ranks->rank[i], &config->rank[i], config, error));
    }
    return dyno_rank_threads_open(&ranks->threads,
                                  &(struct dyno_rank_threads_config){
                                      .ranks = ranks->count, .part = take_part, .context = ranks},
                                  error);
}

dyno_status dyno_cuda_ranks_open(struct dyno_cuda_ranks **out,
                                 const struct dyno_cuda_ranks_config *config,
                                 struct dyno_error *error)
{
    struct dyno_cuda_ranks *ranks =
        calloc(1, sizeof *ranks + config->ranks * sizeof ranks->rank[0]);
    dyno_status status;

    if (!ranks) {
        return dyno_fail(error, DYNO_NO_MEMORY, "there is no memory for %u ranks", config->ranks);
    }
    ranks->count = config->ranks;
    for (uint32_t i = 0; i < ranks->count; i++) {
        ranks->rank[i].gpu = config->rank[i].gpu;
    }
    status = open_all(ranks, config, error);
    if (status != DYNO_OK) {
        dyno_cuda_ranks_close(ranks);
        return status;
    }
    *out = ranks;
    return DYNO_OK;
}

struct dyno_cuda_kv_pool dyno_cuda_ranks_pool(const struct dyno_cuda_ranks *ranks, uint32_t rank)
{
    struct dyno_cuda_kv_pool pool = dyno_cuda_forward_pool(ranks->rank[rank].forward);

    pool.gpu = ranks->rank[rank].gpu;
    return pool;
}

#include "backends/cuda/collective_trial.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "backends/cuda/collective.h"
#include "backends/cuda/runtime.h"
#include "backends/engine/rank_threads.h"

enum {
    LARGEST_BYTES = 32 << 20,
    SMALLEST = 8,
    STEP = 4
}; /* sizes: each STEP times the one before */

struct rank {
    int gpu;
    cudaStream_t stream;
    void *values, *all; /* what is summed or given, and what is gathered */
    size_t before, after;
    struct dyno_collective *member;
    struct dyno_error error;
    dyno_status status;
};

struct group {
    struct dyno_cuda_trial trial;
    uint64_t sum_elements, gather_each; /* of the trial, bounded */
    _Atomic(struct rank *) lost;        /* who failed first; NULL: nobody */
    struct rank rank[];                 /* [ranks] */
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Memory of the trial's own, and how much is free beside it. */
static dyno_status prepare(const struct group *group, struct rank *rank, struct dyno_error *error)
{
    uint64_t values =
        larger(group->sum_elements * sizeof(uint16_t), group->gather_each * sizeof(float));
    uint64_t all = group->trial.ranks * group->gather_each * sizeof(float);
    size_t total;

    DYNO_CUDA_TRY(cudaSetDevice(rank->gpu), error);
    DYNO_CUDA_TRY(cudaStreamCreateWithFlags(&rank->stream, cudaStreamNonBlocking), error);
    DYNO_CUDA_TRY(cudaMalloc(&rank->values, values), error);
    DYNO_CUDA_TRY(cudaMalloc(&rank->all, all), error);
    DYNO_CUDA_TRY(cudaMemsetAsync(rank->values, 0, values, rank->stream), error);
    DYNO_CUDA_TRY(cudaMemGetInfo(&rank->before, &total), error);
    return DYNO_OK;
}

static dyno_status sum_and_gather(const struct group *group, const struct rank *rank)
{
    const struct dyno_collective_ops *ops = rank->member->ops;

    for (uint64_t count = smaller(SMALLEST, group->sum_elements);;
         count = smaller(count * STEP, group->sum_elements)) {
        DYNO_TRY(ops->all_reduce_sum(rank->member, rank->values, count, DYNO_ELEMENT_BF16,
                                     rank->stream));
        if (count == group->sum_elements) {
            break;
        }
    }
    for (uint64_t count = smaller(SMALLEST, group->gather_each);;
         count = smaller(count * STEP, group->gather_each)) {
        DYNO_TRY(ops->all_gather(rank->member, rank->values, count, DYNO_ELEMENT_F32, rank->all,
                                 rank->stream));
        if (count == group->gather_each) {
            return DYNO_OK;
        }
    }
}

static dyno_status try_all(const struct group *group, struct rank *rank)
{
    size_t total;
    dyno_status status;

    DYNO_CUDA_TRY(cudaSetDevice(rank->gpu), &rank->error); /* of this thread */
    status = sum_and_gather(group, rank);
    if (status != DYNO_OK) {
        return dyno_fail(&rank->error, status, "NCCL failed when it was tried on GPU %d",
                         rank->gpu);
    }
    DYNO_CUDA_TRY(cudaStreamSynchronize(rank->stream), &rank->error);
    DYNO_CUDA_TRY(cudaMemGetInfo(&rank->after, &total), &rank->error);
    return DYNO_OK;
}

/* Nobody is to wait for a rank that has failed. */
static void lose(struct group *group, struct rank *rank)
{
    struct rank *nobody = NULL;

    if (!atomic_compare_exchange_strong(&group->lost, &nobody, rank)) {
        return;
    }
    for (uint32_t i = 0; i < group->trial.ranks; i++) {
        dyno_cuda_collective_abort(group->rank[i].member);
    }
}

static void take_part(void *context, uint32_t index, const void *work)
{
    struct group *group = context;
    struct rank *rank = &group->rank[index];

    (void)work;
    rank->status = try_all(group, rank);
    if (rank->status != DYNO_OK) {
        lose(group, rank);
    }
}

static dyno_status bring_together(struct group *group, struct dyno_error *error)
{
    uint32_t ranks = group->trial.ranks;
    struct dyno_collective **members =
        calloc((size_t)ranks + 1, sizeof(struct dyno_collective *)); /* never of nothing */
    dyno_status status;

    if (!members) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for %u ranks", ranks);
    }
    status = dyno_cuda_collective_open(members, ranks, group->trial.gpus, error);
    for (uint32_t i = 0; status == DYNO_OK && i < ranks; i++) {
        group->rank[i].member = members[i];
    }
    free(members);
    return status;
}

static dyno_status run(struct group *group, struct dyno_error *error)
{
    struct dyno_rank_threads *threads;
    const struct rank *failed;

    for (uint32_t i = 0; i < group->trial.ranks; i++) {
        DYNO_TRY(prepare(group, &group->rank[i], error));
    }
    DYNO_TRY(bring_together(group, error));
    DYNO_TRY(dyno_rank_threads_open(&threads,
                                    &(struct dyno_rank_threads_config){.ranks = group->trial.ranks,
                                                                       .part = take_part,
                                                                       .context = group},
                                    error));
    dyno_rank_threads_run(threads, NULL);
    dyno_rank_threads_close(threads);
    failed = atomic_load(&group->lost);
    return failed ? dyno_fail(error, failed->status, "%s", failed->error.text) : DYNO_OK;
}

static void release(struct group *group)
{
    for (uint32_t i = 0; i < group->trial.ranks; i++) {
        struct rank *rank = &group->rank[i];

        (void)cudaSetDevice(rank->gpu);
        if (rank->member) {
            rank->member->ops->close(rank->member);
        }
        if (rank->stream) {
            (void)cudaStreamDestroy(rank->stream);
        }
        (void)cudaFree(rank->values);
        (void)cudaFree(rank->all);
    }
    free(group);
}

/* Others may have given memory back meanwhile. */
static uint64_t most_taken(const struct group *group)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < group->trial.ranks; i++) {
        const struct rank *rank = &group->rank[i];

        most = larger(most, rank->before > rank->after ? rank->before - rank->after : 0);
    }
    return most;
}

dyno_status dyno_cuda_collective_measure(uint64_t *out, const struct dyno_cuda_trial *trial,
                                         struct dyno_error *error)
{
    struct group *group = calloc(1, sizeof *group + trial->ranks * sizeof group->rank[0]);
    dyno_status status;

    if (!group) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for %u ranks", trial->ranks);
    }
    group->trial = *trial;
    group->sum_elements = smaller(trial->sum_elements, LARGEST_BYTES / sizeof(uint16_t));
    group->gather_each = smaller(trial->gather_each, LARGEST_BYTES / sizeof(float));
    for (uint32_t i = 0; i < trial->ranks; i++) {
        group->rank[i].gpu = trial->gpus[i];
    }
    status = run(group, error);
    if (status == DYNO_OK) {
        *out = most_taken(group);
    }
    release(group);
    return status;
}

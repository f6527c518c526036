/* Rank 0 computes on the caller's thread; the others wait for work on their own. */
#include "backends/cuda/ranks.h"

#include <pthread.h>
#include <stdlib.h>

#include "backends/cuda/collective.h"
#include "backends/cuda/runtime.h"

struct rank {
    struct dyno_cuda_ranks *all;
    int gpu;
    struct dyno_collective *collective; /* NULL: there is one rank */
    struct dyno_cuda_forward *forward;
    pthread_t thread; /* of rank 1 and on */
    dyno_status status;
    struct dyno_error error; /* where the status is not DYNO_OK */
};

/* What all ranks do at once: a pass, or without slices what is done before the first. */
struct work {
    const struct dyno_cuda_slice *slices;
    uint32_t slice_count;
    struct dyno_cuda_yield *yields; /* rank 0's */
};

struct dyno_cuda_ranks {
    uint32_t count, started; /* started: threads, count - 1 once it is open */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock: */
    uint64_t works;   /* begun */
    uint32_t working; /* of the threads, in this one */
    bool ending;
    const struct rank *lost; /* who failed first; NULL: nobody */
    struct work work;
    struct rank rank[]; /* [count] */
};

/* ---- a rank ---------------------------------------------------------------------------------- */

/* Nobody is to wait for a rank that has failed. */
static void lose(const struct rank *rank)
{
    struct dyno_cuda_ranks *ranks = rank->all;
    bool first;

    pthread_mutex_lock(&ranks->lock);
    first = !ranks->lost;
    if (first) {
        ranks->lost = rank;
    }
    pthread_mutex_unlock(&ranks->lock);
    for (uint32_t i = 0; first && i < ranks->count; i++) {
        if (ranks->rank[i].collective) {
            dyno_cuda_collective_abort(ranks->rank[i].collective);
        }
    }
}

static dyno_status compute(const struct rank *rank, const struct work *work,
                           struct dyno_cuda_yield *yields, struct dyno_error *error)
{
    DYNO_CUDA_TRY(cudaSetDevice(rank->gpu), error); /* of this thread */
    return work->slices ? dyno_cuda_forward_run(rank->forward, work->slices, work->slice_count,
                                                yields, error)
                        : dyno_cuda_forward_warm(rank->forward, error);
}

static void take_part(struct rank *rank, struct dyno_cuda_yield *yields)
{
    rank->status = compute(rank, &rank->all->work, yields, &rank->error);
    if (rank->status != DYNO_OK) {
        lose(rank);
    }
}

/* The work after the first `works`, once it has begun; false: there will be none. */
static bool await_work(struct dyno_cuda_ranks *ranks, uint64_t works)
{
    bool begun;

    pthread_mutex_lock(&ranks->lock);
    while (ranks->works == works && !ranks->ending) {
        pthread_cond_wait(&ranks->changed, &ranks->lock);
    }
    begun = ranks->works > works;
    pthread_mutex_unlock(&ranks->lock);
    return begun;
}

static void *run_thread(void *argument)
{
    struct rank *rank = argument;
    struct dyno_cuda_ranks *ranks = rank->all;

    for (uint64_t works = 0; await_work(ranks, works); works++) {
        take_part(rank, NULL);
        pthread_mutex_lock(&ranks->lock);
        if (--ranks->working == 0) {
            pthread_cond_broadcast(&ranks->changed);
        }
        pthread_mutex_unlock(&ranks->lock);
    }
    return NULL;
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* False: they are lost. */
static bool begin(struct dyno_cuda_ranks *ranks, const struct work *work)
{
    bool lost;

    pthread_mutex_lock(&ranks->lock);
    lost = ranks->lost != NULL;
    if (!lost) {
        ranks->work = *work;
        ranks->working = ranks->count - 1;
        ranks->works++;
        pthread_cond_broadcast(&ranks->changed);
    }
    pthread_mutex_unlock(&ranks->lock);
    return !lost;
}

static void await_others(struct dyno_cuda_ranks *ranks)
{
    pthread_mutex_lock(&ranks->lock);
    while (ranks->working > 0) {
        pthread_cond_wait(&ranks->changed, &ranks->lock);
    }
    pthread_mutex_unlock(&ranks->lock);
}

static dyno_status work_together(struct dyno_cuda_ranks *ranks, const struct work *work,
                                 struct dyno_error *error)
{
    const struct rank *failed;

    if (!begin(ranks, work)) {
        return dyno_fail(error, DYNO_WORKER_GONE, "an earlier pass failed");
    }
    take_part(&ranks->rank[0], work->yields);
    await_others(ranks);
    failed = ranks->lost; /* all have ended */
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
    return work_together(ranks, &(struct work){.slices = NULL}, error);
}

dyno_status dyno_cuda_ranks_run(struct dyno_cuda_ranks *ranks, const struct dyno_cuda_slice *slices,
                                uint32_t slice_count, struct dyno_cuda_yield *yields,
                                struct dyno_error *error)
{
    return work_together(ranks, &(struct work){slices, slice_count, yields}, error);
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void stop_threads(struct dyno_cuda_ranks *ranks)
{
    pthread_mutex_lock(&ranks->lock);
    ranks->ending = true;
    pthread_cond_broadcast(&ranks->changed);
    pthread_mutex_unlock(&ranks->lock);
    for (uint32_t i = 1; i <= ranks->started; i++) {
        pthread_join(ranks->rank[i].thread, NULL);
    }
}

/* Graphs that have operations of the group go before it does. */
void dyno_cuda_ranks_close(struct dyno_cuda_ranks *ranks)
{
    if (!ranks) {
        return;
    }
    stop_threads(ranks);
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
    pthread_cond_destroy(&ranks->changed);
    pthread_mutex_destroy(&ranks->lock);
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

static dyno_status open_forward(struct rank *rank, const struct dyno_cuda_ranks_config *config,
                                struct dyno_error *error)
{
    const struct dyno_cuda_rank *on = &config->rank[rank - rank->all->rank];
    struct dyno_cuda_forward_config forward = config->forward;

    forward.model = on->model;
    forward.shard = on->shard;
    forward.collective = rank->collective;
    DYNO_CUDA_TRY(cudaSetDevice(rank->gpu), error);
    return dyno_cuda_forward_open(&rank->forward, &forward, error);
}

static dyno_status start_threads(struct dyno_cuda_ranks *ranks, struct dyno_error *error)
{
    while (ranks->started + 1 < ranks->count) {
        struct rank *rank = &ranks->rank[ranks->started + 1];

        if (pthread_create(&rank->thread, NULL, run_thread, rank) != 0) {
            return dyno_fail(error, DYNO_NO_MEMORY, "the threads of %u ranks cannot be started",
                             ranks->count);
        }
        ranks->started++;
    }
    return DYNO_OK;
}

static dyno_status open_all(struct dyno_cuda_ranks *ranks,
                            const struct dyno_cuda_ranks_config *config, struct dyno_error *error)
{
    if (config->rank[0].shard) {
        DYNO_TRY(open_collective(ranks, error));
    }
    for (uint32_t i = 0; i < ranks->count; i++) {
        DYNO_TRY(open_forward(&ranks->rank[i], config, error));
    }
    return start_threads(ranks, error);
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
    pthread_mutex_init(&ranks->lock, NULL);
    pthread_cond_init(&ranks->changed, NULL);
    for (uint32_t i = 0; i < ranks->count; i++) {
        ranks->rank[i].all = ranks;
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

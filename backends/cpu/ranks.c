/* Rank 0 computes on the caller's thread; the others wait for a pass on their own. */
#include "backends/cpu/ranks.h"

#include <pthread.h>
#include <stdlib.h>

struct rank {
    struct dyno_ranks *all;
    struct dyno_shard shard;
    struct dyno_weights *weights;       /* the rank's view; NULL: there is one rank */
    struct dyno_collective *collective; /* likewise */
    struct dyno_team *team;
    struct dyno_kv_storage *storage;
    struct dyno_forward *forward;
    pthread_t thread; /* of rank 1 and on */
};

struct dyno_ranks {
    uint32_t count, started; /* started: threads, count - 1 once it is open */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock: */
    uint64_t passes;  /* begun */
    uint32_t working; /* of the threads, in this pass */
    bool ending;
    const struct dyno_forward_slice *slices; /* of this pass */
    uint32_t slice_count;
    struct rank rank[]; /* [count] */
};

/* The pass after the first `passes`, once it has begun; false: there will be none. */
static bool await_pass(struct dyno_ranks *ranks, uint64_t passes)
{
    bool begun;

    pthread_mutex_lock(&ranks->lock);
    while (ranks->passes == passes && !ranks->ending) {
        pthread_cond_wait(&ranks->changed, &ranks->lock);
    }
    begun = ranks->passes > passes;
    pthread_mutex_unlock(&ranks->lock);
    return begun;
}

static void end_pass(struct dyno_ranks *ranks)
{
    pthread_mutex_lock(&ranks->lock);
    if (--ranks->working == 0) {
        pthread_cond_broadcast(&ranks->changed);
    }
    pthread_mutex_unlock(&ranks->lock);
}

static void *work(void *argument)
{
    struct rank *rank = argument;
    struct dyno_ranks *ranks = rank->all;

    for (uint64_t passes = 0; await_pass(ranks, passes); passes++) {
        dyno_forward_run(rank->forward, ranks->slices, ranks->slice_count, NULL);
        end_pass(ranks);
    }
    return NULL;
}

void dyno_ranks_run(struct dyno_ranks *ranks, const struct dyno_forward_slice *slices,
                    uint32_t slice_count, float *logits)
{
    if (ranks->count == 1) {
        dyno_forward_run(ranks->rank[0].forward, slices, slice_count, logits);
        return;
    }
    pthread_mutex_lock(&ranks->lock);
    ranks->slices = slices;
    ranks->slice_count = slice_count;
    ranks->working = ranks->count - 1;
    ranks->passes++;
    pthread_cond_broadcast(&ranks->changed);
    pthread_mutex_unlock(&ranks->lock);
    dyno_forward_run(ranks->rank[0].forward, slices, slice_count, logits);
    pthread_mutex_lock(&ranks->lock);
    while (ranks->working > 0) {
        pthread_cond_wait(&ranks->changed, &ranks->lock);
    }
    pthread_mutex_unlock(&ranks->lock);
}

static void stop_threads(struct dyno_ranks *ranks)
{
    pthread_mutex_lock(&ranks->lock);
    ranks->ending = true;
    pthread_cond_broadcast(&ranks->changed);
    pthread_mutex_unlock(&ranks->lock);
    for (uint32_t i = 1; i <= ranks->started; i++) {
        pthread_join(ranks->rank[i].thread, NULL);
    }
}

static void close_rank(struct rank *rank)
{
    dyno_forward_close(rank->forward);
    dyno_kv_storage_close(rank->storage);
    dyno_team_close(rank->team);
    if (rank->collective) {
        rank->collective->ops->close(rank->collective);
    }
    dyno_shard_weights_close(rank->weights);
}

void dyno_ranks_close(struct dyno_ranks *ranks)
{
    if (!ranks) {
        return;
    }
    stop_threads(ranks);
    for (uint32_t i = 0; i < ranks->count; i++) {
        close_rank(&ranks->rank[i]);
    }
    pthread_cond_destroy(&ranks->changed);
    pthread_mutex_destroy(&ranks->lock);
    free(ranks);
}

/* What it holds of the weights. */
static dyno_status open_view(struct rank *rank, const struct dyno_ranks_config *config,
                             struct dyno_error *error)
{
    uint32_t index = (uint32_t)(rank - rank->all->rank);

    DYNO_TRY(dyno_shard_make(&rank->shard, &config->weights->model, index, config->ranks, error));
    return dyno_shard_weights_open(&rank->weights, config->weights, &rank->shard, error);
}

static dyno_status open_rank(struct rank *rank, const struct dyno_ranks_config *config,
                             struct dyno_error *error)
{
    struct dyno_forward_config forward = {.weights = config->weights,
                                          .isa = config->isa,
                                          .rows_max = config->rows_max,
                                          .score = config->score,
                                          .score_context = config->score_context};

    if (config->ranks > 1) {
        DYNO_TRY(open_view(rank, config, error));
        forward.weights = rank->weights;
        forward.shard = &rank->shard;
        forward.collective = rank->collective;
    }
    rank->team = forward.team = dyno_team_open(config->threads);
    if (!rank->team) {
        return dyno_fail(error, DYNO_NO_MEMORY, "%u threads of a worker cannot be started",
                         config->threads);
    }
    DYNO_TRY(dyno_kv_storage_open(&rank->storage, &forward.weights->model, config->blocks,
                                  config->block_tokens, config->kv, error));
    if (config->memory) {
        void *memory = config->memory(config->memory_context, (uint32_t)(rank - rank->all->rank),
                                      rank->storage->bytes);

        if (!memory) {
            return dyno_fail(error, DYNO_NO_MEMORY, "there is no memory for keys and values");
        }
        dyno_kv_storage_place(rank->storage, memory);
    }
    dyno_kv_storage_touch(rank->storage);
    forward.storage = rank->storage;
    return dyno_forward_open(&rank->forward, &forward, error);
}

static dyno_status open_collective(struct dyno_ranks *ranks, struct dyno_error *error)
{
    struct dyno_collective **members = calloc(ranks->count, sizeof(struct dyno_collective *));
    dyno_status status;

    if (!members) {
        return dyno_fail(error, DYNO_NO_MEMORY, "there is no memory for %u ranks", ranks->count);
    }
    status = dyno_local_collective_open(members, ranks->count, error);
    for (uint32_t i = 0; i < ranks->count && status == DYNO_OK; i++) {
        ranks->rank[i].collective = members[i];
    }
    free(members);
    return status;
}

static dyno_status start_threads(struct dyno_ranks *ranks, struct dyno_error *error)
{
    while (ranks->started + 1 < ranks->count) {
        struct rank *rank = &ranks->rank[ranks->started + 1];

        if (pthread_create(&rank->thread, NULL, work, rank) != 0) {
            return dyno_fail(error, DYNO_NO_MEMORY, "the threads of %u ranks cannot be started",
                             ranks->count);
        }
        ranks->started++;
    }
    return DYNO_OK;
}

static dyno_status open_all(struct dyno_ranks *ranks, const struct dyno_ranks_config *config,
                            struct dyno_error *error)
{
    if (ranks->count > 1) {
        DYNO_TRY(open_collective(ranks, error));
    }
    for (uint32_t i = 0; i < ranks->count; i++) {
        DYNO_TRY(open_rank(&ranks->rank[i], config, error));
    }
    return start_threads(ranks, error);
}

dyno_status dyno_ranks_open(struct dyno_ranks **out, const struct dyno_ranks_config *config,
                            struct dyno_error *error)
{
    struct dyno_ranks *ranks = calloc(1, sizeof *ranks + config->ranks * sizeof ranks->rank[0]);
    dyno_status status;

    if (!ranks) {
        return dyno_fail(error, DYNO_NO_MEMORY, "there is no memory for %u ranks", config->ranks);
    }
    ranks->count = config->ranks;
    pthread_mutex_init(&ranks->lock, NULL);
    pthread_cond_init(&ranks->changed, NULL);
    for (uint32_t i = 0; i < ranks->count; i++) {
        ranks->rank[i].all = ranks;
    }
    status = open_all(ranks, config, error);
    if (status != DYNO_OK) {
        dyno_ranks_close(ranks);
        return status;
    }
    *out = ranks;
    return DYNO_OK;
}

struct dyno_team *dyno_ranks_team(const struct dyno_ranks *ranks)
{
    return ranks->rank[0].team;
}

struct dyno_kv_storage *dyno_ranks_storage(const struct dyno_ranks *ranks, uint32_t rank)
{
    return ranks->rank[rank].storage;
}

uint32_t dyno_ranks_positions(const struct dyno_ranks *ranks)
{
    return dyno_forward_positions(ranks->rank[0].forward);
}

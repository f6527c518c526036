#include "backends/cpu/ranks.h"

#include <stdlib.h>

#include "backends/engine/rank_threads.h"

struct rank {
    struct dyno_shard shard;
    struct dyno_weights *weights;       /* the rank's view; NULL: there is one rank */
    struct dyno_collective *collective; /* likewise */
    struct dyno_team *team;
    struct dyno_kv_storage *storage;
    struct dyno_forward *forward;
};

struct dyno_ranks {
    uint32_t count;
    struct dyno_rank_threads *threads;
    struct rank rank[]; /* [count] */
};

struct pass {
    const struct dyno_forward_slice *slices;
    uint32_t slice_count;
    float *logits; /* rank 0's */
};

static void run_part(void *context, uint32_t rank, const void *work)
{
    const struct dyno_ranks *ranks = context;
    const struct pass *pass = work;

    dyno_forward_run(ranks->rank[rank].forward, pass->slices, pass->slice_count,
                     rank == 0 ? pass->logits : NULL);
}

void dyno_ranks_run(struct dyno_ranks *ranks, const struct dyno_forward_slice *slices,
                    uint32_t slice_count, float *logits)
{
    dyno_rank_threads_run(ranks->threads, &(struct pass){slices, slice_count, logits});
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
    dyno_rank_threads_close(ranks->threads);
    for (uint32_t i = 0; i < ranks->count; i++) {
        close_rank(&ranks->rank[i]);
    }
    free(ranks);
}

/* What it holds of the weights. */
static dyno_status open_view(struct rank *rank, uint32_t index,
                             const struct dyno_ranks_config *config, struct dyno_error *error)
{
    DYNO_TRY(dyno_shard_make(&rank->shard, &config->weights->model, index, config->ranks, error));
    return dyno_shard_weights_open(&rank->weights, config->weights, &rank->shard, error);
}

static dyno_status open_rank(struct rank *rank, uint32_t index,
                             const struct dyno_ranks_config *config, struct dyno_error *error)
{
    struct dyno_forward_config forward = {.weights = config->weights,
                                          .isa = config->isa,
                                          .rows_max = config->rows_max,
                                          .score = config->score,
                                          .score_context = config->score_context,
                                          .layer_done = config->layer_done,
                                          .layer_context = config->layer_context};

    if (config->ranks > 1) {
        DYNO_TRY(open_view(rank, index, config, error));
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
        void *memory = config->memory(config->memory_context, index, rank->storage->bytes);

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

static dyno_status open_all(struct dyno_ranks *ranks, const struct dyno_ranks_config *config,
                            struct dyno_error *error)
{
    if (ranks->count > 1) {
        DYNO_TRY(open_collective(ranks, error));
    }
    for (uint32_t i = 0; i < ranks->count; i++) {
        DYNO_TRY(open_rank(&ranks->rank[i], i, config, error));
    }
    return dyno_rank_threads_open(&ranks->threads,
                                  &(struct dyno_rank_threads_config){
                                      .ranks = ranks->count, .part = run_part, .context = ranks},
                                  error);
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

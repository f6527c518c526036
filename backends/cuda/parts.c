/* One rank a worker: worker i is on GPU i modulo their number.  Several: rank r of worker i has GPU
 * i x ranks + r to itself, as NCCL wants it. */
#include "backends/cuda/parts.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "backends/cuda/collective_trial.h"
#include "backends/cuda/plan.h"
#include "backends/cuda/runtime.h"
#include "kernels/team.h"

/* What one GPU holds. */
struct part {
    struct dyno_shard shard;
    struct dyno_weights *view; /* the rank's; NULL: the model is whole */
    struct dyno_cuda_model *model;
};

struct place {
    pthread_mutex_t lock;
    struct dyno_cuda_ranks **ranks; /* whose entered last; NULL: nobody */
};

struct dyno_cuda_parts {
    uint32_t ranks, count; /* count: GPUs in use */
    uint32_t place_count;
    struct place *place;         /* [place_count] of workers */
    struct part *part;           /* [count] */
    struct dyno_cuda_rank *rank; /* [count] the same for dyno_cuda_ranks_config */
};

/* ---- who is where ---------------------------------------------------------------------------- */

static dyno_status count_gpus(uint32_t *out, struct dyno_error *error)
{
    int count = 0;

    DYNO_CUDA_TRY(cudaGetDeviceCount(&count), error);
    if (count == 0) {
        return dyno_fail(error, DYNO_NOT_FOUND,
                         "there is no GPU: look at nvidia-smi and CUDA_VISIBLE_DEVICES");
    }
    *out = (uint32_t)count;
    return DYNO_OK;
}

/* How many GPUs are used. */
static dyno_status share_gpus(uint32_t *out, const struct dyno_cuda_parts_config *config,
                              struct dyno_error *error)
{
    uint32_t workers = config->workers + config->others;
    uint64_t ranks = (uint64_t)workers * config->ranks;
    uint32_t gpus = 0;

    DYNO_TRY(count_gpus(&gpus, error));
    if (config->ranks > 1 && ranks > gpus) {
        return dyno_fail(error, DYNO_NOT_FOUND,
                         "%u worker%s of %u ranks need%s %llu GPUs, one for every rank, and there "
                         "%s %u: fewer workers or ranks (--tp) would do",
                         workers, workers == 1 ? "" : "s", config->ranks, workers == 1 ? "s" : "",
                         (unsigned long long)ranks, gpus == 1 ? "is" : "are", gpus);
    }
    *out = ranks < gpus ? (uint32_t)ranks : gpus;
    return DYNO_OK;
}

/* What of the model a GPU is to hold; closed by close_part, also on failure. */
static dyno_status open_view(struct part *part, const struct dyno_cuda_parts_config *config,
                             uint32_t gpu, struct dyno_error *error)
{
    if (config->ranks <= 1) {
        return dyno_cuda_model_check(config->weights, error);
    }
    DYNO_TRY(dyno_shard_make(&part->shard, &config->weights->model, gpu % config->ranks,
                             config->ranks, error));
    DYNO_TRY(dyno_shard_weights_open(&part->view, config->weights, &part->shard, error));
    return dyno_cuda_model_check(part->view, error);
}

static const struct dyno_shard *shard_of(const struct part *part)
{
    return part->view ? &part->shard : NULL;
}

static void close_part(struct part *part)
{
    dyno_cuda_model_close(part->model);
    dyno_shard_weights_close(part->view);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Of workers 0, 1, ... on GPUs in turn, how many are on this one. */
static uint32_t share_of(uint32_t workers, uint32_t gpu, uint32_t gpus)
{
    return workers > gpu ? (workers - gpu + gpus - 1) / gpus : 0;
}

static struct dyno_cuda_load load_of(const struct dyno_cuda_parts_config *config, uint32_t gpu,
                                     uint32_t gpus)
{
    uint32_t ranks = config->ranks, place, places, workers;

    assert(ranks > 0 && gpus >= ranks); /* which clang-tidy cannot see */
    place = gpu / ranks;                /* of whole workers */
    places = gpus / ranks;
    workers = share_of(config->workers, place, places);
    return (struct dyno_cuda_load){
        .workers = workers,
        .others = share_of(config->workers + config->others, place, places) - workers,
        .others_blocks = config->others_blocks};
}

static struct dyno_cuda_model_config model_config(const struct dyno_cuda_parts_config *config,
                                                  const struct part *part)
{
    return (struct dyno_cuda_model_config){.weights = part->view ? part->view : config->weights,
                                           .shard = shard_of(part),
                                           .element = DYNO_ELEMENT_BF16,
                                           .narrow = config->forward->narrow,
                                           .positions = config->positions};
}

static dyno_status plan_gpu(struct dyno_cuda_plan *out, const struct dyno_cuda_parts_config *config,
                            const struct part *part, uint32_t gpu,
                            const struct dyno_cuda_load *load, struct dyno_error *error)
{
    struct dyno_cuda_forward_config forward = *config->forward;
    struct dyno_cuda_model_config model = model_config(config, part);
    size_t free_bytes, total_bytes;

    DYNO_TRY(dyno_cuda_model_check_narrow(&model, error));
    forward.shard = model.shard;
    DYNO_CUDA_TRY(cudaSetDevice((int)gpu), error);
    DYNO_CUDA_TRY(cudaMemGetInfo(&free_bytes, &total_bytes), error);
    return dyno_cuda_plan_make(out, model.weights, model.element, model.positions, &forward, load,
                               free_bytes, error);
}

/* What NCCL takes of the GPUs of the worker whose first one is `gpu`; one rank: nothing. */
static dyno_status measure_group(uint64_t *out, const struct dyno_cuda_parts_config *config,
                                 uint32_t gpu, struct dyno_error *error)
{
    const struct dyno_model *model = &config->weights->model;
    uint64_t each = ((uint64_t)model->vocab + config->ranks - 1) / config->ranks;
    struct dyno_cuda_trial trial = {
        .ranks = config->ranks,
        .sum_elements = (uint64_t)config->forward->rows_max * model->hidden,
        .gather_each = config->forward->sequences_max * each,
    };
    int *gpus = calloc((size_t)config->ranks + 1, sizeof *gpus); /* never of nothing */
    dyno_status status;

    if (!gpus) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for %u ranks", config->ranks);
    }
    for (uint32_t i = 0; i < config->ranks; i++) {
        gpus[i] = (int)(gpu + i);
    }
    trial.gpus = gpus;
    status = dyno_cuda_collective_measure(out, &trial, error);
    free(gpus);
    return status;
}

static dyno_status blocks_of(uint32_t *out, const struct dyno_cuda_parts_config *config,
                             uint32_t gpu, const struct dyno_cuda_load *load,
                             struct dyno_error *error)
{
    struct dyno_cuda_plan plan = {0};
    struct part part = {.view = NULL};
    dyno_status status = open_view(&part, config, gpu, error);

    if (status == DYNO_OK) {
        status = plan_gpu(&plan, config, &part, gpu, load, error);
    }
    close_part(&part);
    *out = plan.blocks;
    return status;
}

dyno_status dyno_cuda_parts_blocks(uint32_t *out, const struct dyno_cuda_parts_config *config,
                                   struct dyno_error *error)
{
    uint32_t gpus = 0, blocks = UINT32_MAX;
    uint64_t group_bytes = 0;

    DYNO_TRY(dyno_cuda_model_check(config->weights, error));
    DYNO_TRY(share_gpus(&gpus, config, error));
    for (uint32_t gpu = 0; gpu < gpus; gpu++) {
        struct dyno_cuda_load load = load_of(config, gpu, gpus);
        uint32_t fit = 0;

        if (config->ranks > 1 && gpu % config->ranks == 0) {
            DYNO_TRY(measure_group(&group_bytes, config, gpu, error));
        }
        load.group_bytes = group_bytes;
        DYNO_TRY(blocks_of(&fit, config, gpu, &load, error));
        blocks = fit < blocks ? fit : blocks;
    }
    *out = blocks;
    return DYNO_OK;
}

/* ---- weights --------------------------------------------------------------------------------- */

static dyno_status load(struct dyno_cuda_parts *parts, uint32_t gpu,
                        const struct dyno_cuda_parts_config *config, struct dyno_team *team,
                        struct dyno_error *error)
{
    struct part *part = &parts->part[gpu];
    struct dyno_cuda_model_config model;

    DYNO_TRY(open_view(part, config, gpu, error));
    DYNO_CUDA_TRY(cudaSetDevice((int)gpu), error);
    model = model_config(config, part);
    DYNO_TRY(dyno_cuda_model_open(&part->model, &model, team, error));
    parts->rank[gpu] = (struct dyno_cuda_rank){(int)gpu, part->model, shard_of(part)};
    return DYNO_OK;
}

static dyno_status open_all(struct dyno_cuda_parts *parts,
                            const struct dyno_cuda_parts_config *config, struct dyno_error *error)
{
    struct dyno_team *team;
    dyno_status status = DYNO_OK;

    DYNO_TRY(share_gpus(&parts->count, config, error));
    assert(parts->count > 0); /* which clang-tidy cannot see */
    parts->part = calloc(parts->count, sizeof *parts->part);
    parts->rank = calloc(parts->count, sizeof *parts->rank);
    if (!parts->part || !parts->rank) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for %u GPUs", parts->count);
    }
    team = dyno_team_open(config->threads);
    for (uint32_t gpu = 0; status == DYNO_OK && gpu < parts->count; gpu++) {
        status = load(parts, gpu, config, team, error);
    }
    dyno_team_close(team);
    return status;
}

static dyno_status open_places(struct dyno_cuda_parts *parts, uint32_t count,
                               struct dyno_error *error)
{
    parts->place = calloc((size_t)count + 1, sizeof *parts->place);
    if (!parts->place) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the places of %u workers", count);
    }
    for (; parts->place_count < count; parts->place_count++) {
        pthread_mutex_init(&parts->place[parts->place_count].lock, NULL);
    }
    return DYNO_OK;
}

dyno_status dyno_cuda_parts_open(struct dyno_cuda_parts **out,
                                 const struct dyno_cuda_parts_config *config,
                                 struct dyno_error *error)
{
    struct dyno_cuda_parts *parts = calloc(1, sizeof *parts);
    dyno_status status;

    if (!parts) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the parts of a model");
    }
    parts->ranks = config->ranks;
    status = open_places(parts, config->workers + config->others, error);
    if (status == DYNO_OK) {
        status = open_all(parts, config, error);
    }
    if (status != DYNO_OK) {
        dyno_cuda_parts_close(parts);
        return status;
    }
    *out = parts;
    return DYNO_OK;
}

void dyno_cuda_parts_close(struct dyno_cuda_parts *parts)
{
    if (!parts) {
        return;
    }
    for (uint32_t gpu = 0; parts->part && gpu < parts->count; gpu++) {
        (void)cudaSetDevice((int)gpu);
        close_part(&parts->part[gpu]);
    }
    for (uint32_t i = 0; i < parts->place_count; i++) {
        pthread_mutex_destroy(&parts->place[i].lock);
    }
    free(parts->place);
    free(parts->part);
    free(parts->rank);
    free(parts);
}

uint32_t dyno_cuda_parts_gpus(const struct dyno_cuda_parts *parts)
{
    return parts->count;
}

void dyno_cuda_parts_of(const struct dyno_cuda_parts *parts, uint32_t worker,
                        struct dyno_cuda_ranks_config *out)
{
    out->rank = &parts->rank[(uint64_t)worker * parts->ranks % parts->count];
    out->ranks = parts->ranks;
}

/* Whoever is there. */
static void clear(struct place *place)
{
    if (place->ranks) {
        dyno_cuda_ranks_close(*place->ranks);
        *place->ranks = NULL;
    }
    place->ranks = NULL;
}

void dyno_cuda_parts_enter(struct dyno_cuda_parts *parts, uint32_t worker,
                           struct dyno_cuda_ranks **ranks)
{
    struct place *place = &parts->place[worker];

    assert(worker < parts->place_count);
    pthread_mutex_lock(&place->lock);
    clear(place);
    place->ranks = ranks;
}

void dyno_cuda_parts_leave(struct dyno_cuda_parts *parts, uint32_t worker)
{
    pthread_mutex_unlock(&parts->place[worker].lock);
}

void dyno_cuda_parts_vacate(struct dyno_cuda_parts *parts, uint32_t worker,
                            struct dyno_cuda_ranks **ranks)
{
    struct place *place = &parts->place[worker];

    pthread_mutex_lock(&place->lock);
    if (place->ranks == ranks) {
        clear(place);
    }
    pthread_mutex_unlock(&place->lock);
}

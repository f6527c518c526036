#include "backends/cuda/device.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/cuda/forward.h"
#include "backends/cuda/plan.h"
#include "backends/cuda/runtime.h"
#include "kernels/team.h"

enum { SETTLE_GRAIN = 1, CACHE_LINE = 64 };

/* One worker. */
struct engine {
    int gpu;
    struct dyno_cuda_forward *forward;
    struct dyno_cuda_slice *slices;        /* [seqs_max], as many as a pass has pieces */
    struct dyno_cuda_yield *yields;        /* [seqs_max] */
    const struct dyno_engine_piece **from; /* [seqs_max] the yields' pieces */
    struct dyno_team *team;                /* chooses on the host */
    char *scratch;                         /* [team][scratch_bytes], of dyno_sample */
    size_t scratch_bytes;
};

struct cuda {
    uint32_t worker_count, gpu_count, vocab, hidden;
    struct dyno_cuda_model **models; /* [gpu_count] */
    struct engine *engines;          /* [worker_count] */
};

/* ---- a step ---------------------------------------------------------------------------------- */

/* What of the piece's last position is wanted; for tokens also how they are chosen. */
static enum dyno_cuda_want want_of(const struct dyno_engine_piece *piece,
                                   struct dyno_sampling *sampling)
{
    const struct dyno_generation *generation = piece->transcript->generation;

    if (!piece->yields) {
        return DYNO_CUDA_WANT_NOTHING;
    }
    if (!generation) {
        return DYNO_CUDA_WANT_TOKEN;
    }
    if (generation->ops->embed) {
        return DYNO_CUDA_WANT_STATE;
    }
    return generation->ops->plain && generation->ops->plain(generation, sampling)
               ? DYNO_CUDA_WANT_TOKEN
               : DYNO_CUDA_WANT_LOGITS;
}

/* The pieces as slices, and those that yield; returns how many. */
static uint32_t lay_out(const struct engine *engine, const struct dyno_engine_piece *pieces,
                        uint32_t piece_count)
{
    uint32_t yields = 0;

    for (uint32_t i = 0; i < piece_count; i++) {
        const struct dyno_engine_piece *piece = &pieces[i];

        engine->slices[i] = (struct dyno_cuda_slice){.tokens = piece->tokens + piece->first,
                                                     .first = piece->first,
                                                     .count = piece->count,
                                                     .table = piece->table};
        engine->slices[i].want = want_of(piece, &engine->slices[i].sampling);
        if (piece->yields) {
            engine->from[yields++] = piece;
        }
    }
    return yields;
}

struct settling {
    const struct cuda *cuda;
    const struct engine *engine;
    uint32_t *next;
};

/* What the yield's sequence goes on with. */
static uint32_t settle(const struct cuda *cuda, const struct engine *engine, uint32_t index,
                       void *scratch)
{
    const struct dyno_transcript *transcript = engine->from[index]->transcript;
    const struct dyno_cuda_yield *yield = &engine->yields[index];
    struct dyno_generation *generation = transcript->generation;

    if (yield->state) {
        generation->ops->embed(generation, yield->state, cuda->hidden);
        return DYNO_TOKEN_FILLER;
    }
    return yield->logits ? generation->ops->choose(generation, yield->logits, cuda->vocab,
                                                   transcript, scratch)
                         : yield->token;
}

/* Sequences have nothing in common that choosing writes, so they may go to different threads. */
static void settle_some(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct settling *settling = argument;
    const struct engine *engine = settling->engine;

    for (uint32_t i = first; i < last; i++) {
        settling->next[i] =
            settle(settling->cuda, engine, i, engine->scratch + worker * engine->scratch_bytes);
    }
}

/* Whether there is work for more threads than this one. */
static bool chooses_on_host(const struct engine *engine, uint32_t yields)
{
    for (uint32_t i = 0; i < yields; i++) {
        if (engine->yields[i].logits) {
            return true;
        }
    }
    return false;
}

/* A pass has no way to fail (core/worker/device.h). */
_Noreturn static void give_up(const struct engine *engine, const struct dyno_error *error)
{
    fprintf(stderr, "dyno: GPU %d: %s\n", engine->gpu, error->text);
    fflush(NULL);
    _Exit(EXIT_FAILURE);
}

static dyno_status compute(const struct engine *engine, uint32_t piece_count,
                           struct dyno_error *error)
{
    DYNO_CUDA_TRY(cudaSetDevice(engine->gpu), error); /* of this thread */
    return dyno_cuda_forward_run(engine->forward, engine->slices, piece_count, engine->yields,
                                 error);
}

static void step(void *context, uint32_t worker, const struct dyno_engine_piece *pieces,
                 uint32_t piece_count, uint32_t *next)
{
    const struct cuda *cuda = context;
    const struct engine *engine = &cuda->engines[worker];
    uint32_t yields = lay_out(engine, pieces, piece_count);
    struct settling settling = {cuda, engine, next};
    struct dyno_error error = {0};

    if (compute(engine, piece_count, &error) != DYNO_OK) {
        give_up(engine, &error);
    }
    if (chooses_on_host(engine, yields)) {
        dyno_team_run(engine->team, yields, SETTLE_GRAIN, settle_some, &settling);
    } else {
        settle_some(&settling, 0, yields, 0);
    }
}

/* ---- opening and closing --------------------------------------------------------------------- */

static struct dyno_cuda_forward_config forward_config(const struct dyno_cuda_config *config)
{
    return (struct dyno_cuda_forward_config){
        .kv = config->kv_fp8 ? DYNO_CUDA_KV_E4M3 : DYNO_CUDA_KV_BF16,
        .blocks = config->blocks,
        .block_tokens = config->block_tokens,
        .rows_max = config->batch_tokens_max,
        .sequences_max = config->threaded.seqs_max,
    };
}

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

/* The GPU's plan for so many workers. */
static dyno_status plan_gpu(struct dyno_cuda_plan *out, const struct dyno_cuda_config *config,
                            uint32_t gpu, uint32_t workers, struct dyno_error *error)
{
    struct dyno_cuda_forward_config forward = forward_config(config);
    size_t free_bytes, total_bytes;

    DYNO_CUDA_TRY(cudaSetDevice((int)gpu), error);
    DYNO_CUDA_TRY(cudaMemGetInfo(&free_bytes, &total_bytes), error);
    return dyno_cuda_plan_make(out, config->weights, DYNO_ELEMENT_BF16, config->context_max,
                               &forward, workers, free_bytes, error);
}

dyno_status dyno_cuda_device_blocks(uint32_t *out, const struct dyno_cuda_config *config,
                                    struct dyno_error *error)
{
    uint32_t gpus = 0, workers = config->threaded.worker_count, blocks = UINT32_MAX;

    DYNO_TRY(dyno_cuda_model_check(config->weights, error));
    DYNO_TRY(count_gpus(&gpus, error));
    for (uint32_t gpu = 0; gpu < gpus && gpu < workers; gpu++) {
        struct dyno_cuda_plan plan = {0};

        DYNO_TRY(plan_gpu(&plan, config, gpu, (workers - gpu + gpus - 1) / gpus, error));
        blocks = plan.blocks < blocks ? plan.blocks : blocks;
    }
    *out = blocks;
    return DYNO_OK;
}

static void release(void *context)
{
    struct cuda *cuda = context;

    for (uint32_t i = 0; cuda->engines && i < cuda->worker_count; i++) {
        struct engine *engine = &cuda->engines[i];

        (void)cudaSetDevice(engine->gpu);
        dyno_cuda_forward_close(engine->forward);
        free(engine->slices);
        free(engine->yields);
        free(engine->from);
        free(engine->scratch);
        dyno_team_close(engine->team);
    }
    for (uint32_t i = 0; cuda->models && i < cuda->gpu_count; i++) {
        (void)cudaSetDevice((int)i);
        dyno_cuda_model_close(cuda->models[i]);
    }
    free(cuda->engines);
    free(cuda->models);
    free(cuda);
}

static dyno_status load_models(struct cuda *cuda, const struct dyno_cuda_config *config,
                               struct dyno_error *error)
{
    struct dyno_team *team = dyno_team_open(config->threads);
    dyno_status status = DYNO_OK;

    for (uint32_t i = 0; status == DYNO_OK && i < cuda->gpu_count && i < cuda->worker_count; i++) {
        cudaError_t code = cudaSetDevice((int)i);

        status = code != cudaSuccess
                     ? dyno_cuda_fail(error, code, "cudaSetDevice")
                     : dyno_cuda_model_open(&cuda->models[i], config->weights, NULL,
                                            DYNO_ELEMENT_BF16, config->context_max, team, error);
    }
    dyno_team_close(team);
    return status;
}

static dyno_status open_engine(struct cuda *cuda, uint32_t worker, uint32_t blocks,
                               const struct dyno_cuda_config *config, struct dyno_error *error)
{
    struct engine *engine = &cuda->engines[worker];
    struct dyno_cuda_forward_config forward = forward_config(config);
    uint32_t seqs_max = config->threaded.seqs_max;

    engine->gpu = (int)(worker % cuda->gpu_count);
    engine->slices = calloc(seqs_max, sizeof *engine->slices);
    engine->yields = calloc(seqs_max, sizeof *engine->yields);
    engine->from = calloc(seqs_max, sizeof(const struct dyno_engine_piece *));
    engine->scratch_bytes =
        (dyno_sample_scratch(cuda->vocab) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    engine->scratch = malloc(config->threads * engine->scratch_bytes);
    engine->team = dyno_team_open(config->threads);
    if (!engine->slices || !engine->yields || !engine->from || !engine->scratch || !engine->team) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory or threads for %u sequences", seqs_max);
    }
    forward.blocks = blocks;
    forward.model = cuda->models[engine->gpu];
    DYNO_CUDA_TRY(cudaSetDevice(engine->gpu), error);
    DYNO_TRY(dyno_cuda_forward_open(&engine->forward, &forward, error));
    return dyno_cuda_forward_warm(engine->forward, error);
}

static dyno_status open_all(struct cuda *cuda, const struct dyno_cuda_config *config,
                            struct dyno_error *error)
{
    uint32_t blocks;

    DYNO_TRY(dyno_cuda_device_blocks(&blocks, config, error));
    DYNO_TRY(count_gpus(&cuda->gpu_count, error));
    assert(cuda->gpu_count > 0 && cuda->worker_count > 0); /* which clang-tidy cannot see */
    cuda->models = calloc(cuda->gpu_count, sizeof(struct dyno_cuda_model *));
    cuda->engines = calloc(cuda->worker_count, sizeof *cuda->engines);
    if (!cuda->models || !cuda->engines) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for %u workers", cuda->worker_count);
    }
    DYNO_TRY(load_models(cuda, config, error));
    for (uint32_t i = 0; i < cuda->worker_count; i++) {
        DYNO_TRY(open_engine(cuda, i, blocks, config, error));
    }
    return DYNO_OK;
}

static dyno_status open_threads(struct dyno_device **out, struct cuda *cuda,
                                const struct dyno_cuda_config *config, struct dyno_error *error)
{
    struct dyno_threaded_config threaded = config->threaded;
    dyno_status status;

    threaded.name = "cuda";
    threaded.help = "this machine's GPUs compute real tokens";
    threaded.step = step;
    threaded.release = release;
    threaded.context = cuda;
    threaded.eos = config->weights->eos;
    threaded.eos_count = config->weights->eos_count;
    status = dyno_threaded_device_open(out, &threaded);
    if (status != DYNO_OK) {
        return dyno_fail(error, status, "the threads of %u workers cannot be started",
                         threaded.worker_count);
    }
    return DYNO_OK;
}

dyno_status dyno_cuda_device_open(struct dyno_device **out, const struct dyno_cuda_config *config,
                                  struct dyno_error *error)
{
    struct cuda *cuda = calloc(1, sizeof *cuda);
    dyno_status status;

    if (!cuda) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the workers");
    }
    cuda->worker_count = config->threaded.worker_count;
    cuda->vocab = config->weights->model.vocab;
    cuda->hidden = config->weights->model.hidden;
    status = open_all(cuda, config, error);
    if (status == DYNO_OK) {
        status = open_threads(out, cuda, config, error);
    }
    if (status != DYNO_OK) {
        release(cuda);
    }
    return status;
}

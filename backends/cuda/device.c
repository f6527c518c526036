#include "backends/cuda/device.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/cuda/costs.h"
#include "backends/cuda/device_pools.h"
#include "backends/cuda/parts.h"
#include "backends/cuda/ranks.h"
#include "backends/cuda/runtime.h"
#include "backends/engine/scoring.h"
#include "kernels/team.h"

enum { SETTLE_GRAIN = 1, CACHE_LINE = 64 };

/* One worker. */
struct engine {
    int gpu;                       /* of its first rank */
    struct dyno_cuda_ranks *ranks; /* NULL: the worker is not there */
    uint32_t vocab;
    const struct dyno_engine_piece *pieces; /* of the step */
    uint32_t yield_count;                   /* of the step */
    uint32_t further;                       /* that may follow it */
    struct dyno_cuda_slice *slices;         /* [seqs_max], as many as a pass has pieces */
    struct dyno_cuda_yield *yields;         /* [seqs_max] */
    const struct dyno_engine_piece **from;  /* [seqs_max] the yields' pieces */
    struct dyno_team *team;                 /* chooses on the host */
    char *scratch;                          /* [team][scratch_bytes], of dyno_sample */
    size_t scratch_bytes;
};

struct cuda {
    struct dyno_cuda_forward_config forward; /* of each rank */
    uint32_t worker_count, ranks, vocab, hidden;
    uint32_t first;                /* the place of its first worker, of all that share the parts */
    uint32_t ready;                /* a worker that is there from the start */
    struct dyno_cuda_parts *parts; /* what is on the GPUs */
    bool shares;                   /* they are another device's */
    struct engine *engines;        /* [worker_count] */
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
static uint32_t lay_out(struct engine *engine, const struct dyno_engine_piece *pieces,
                        uint32_t piece_count)
{
    uint32_t yields = 0;

    engine->pieces = pieces;
    for (uint32_t i = 0; i < piece_count; i++) {
        const struct dyno_engine_piece *piece = &pieces[i];

        engine->slices[i] = (struct dyno_cuda_slice){.tokens = piece->tokens + piece->first,
                                                     .first = piece->first,
                                                     .count = piece->count,
                                                     .cached = piece->cached,
                                                     .table = piece->table};
        engine->slices[i].want = want_of(piece, &engine->slices[i].sampling);
        engine->slices[i].scored = dyno_transcript_is_scored(piece->transcript);
        if (piece->yields) {
            engine->from[yields++] = piece;
        }
    }
    return yields;
}

static void score(void *context, uint32_t slice, uint32_t first, uint32_t count,
                  const float *logits)
{
    const struct engine *engine = context;

    dyno_transcript_score(engine->pieces[slice].transcript, engine->team, first, count, logits,
                          engine->vocab);
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

static dyno_status say(const struct engine *engine, uint32_t worker, dyno_status status,
                       const struct dyno_error *error)
{
    if (status != DYNO_OK) {
        fprintf(stderr, "dyno: worker %u, GPU %d: %s\n", worker, engine->gpu, error->text);
    }
    return status;
}

/* What a GPU holds is lost with the call of CUDA that fails: so is the worker. */
static dyno_status step(void *context, uint32_t worker, const struct dyno_engine_piece *pieces,
                        uint32_t piece_count, uint32_t *next)
{
    const struct cuda *cuda = context;
    struct engine *engine = &cuda->engines[worker];
    struct dyno_error error = {0};
    dyno_status status;

    (void)next;
    engine->yield_count = lay_out(engine, pieces, piece_count);
    status = dyno_cuda_ranks_step(engine->ranks, engine->slices, piece_count, engine->further,
                                  engine->yields, &error);
    return say(engine, worker, status, &error);
}

static void expect(void *context, uint32_t worker, uint32_t further)
{
    const struct cuda *cuda = context;

    cuda->engines[worker].further = further;
}

static bool is_ahead(void *context, uint32_t worker)
{
    const struct cuda *cuda = context;

    return dyno_cuda_ranks_is_ahead(cuda->engines[worker].ranks);
}

static dyno_status rest(void *context, uint32_t worker)
{
    const struct cuda *cuda = context;
    const struct engine *engine = &cuda->engines[worker];
    struct dyno_error error = {0};
    dyno_status status = dyno_cuda_ranks_rest(engine->ranks, &error);

    return say(engine, worker, status, &error);
}

static void choose(void *context, uint32_t worker, const struct dyno_engine_piece *pieces,
                   uint32_t piece_count, uint32_t *next)
{
    const struct cuda *cuda = context;
    const struct engine *engine = &cuda->engines[worker];
    struct settling settling = {cuda, engine, next};

    (void)pieces;
    (void)piece_count;
    if (chooses_on_host(engine, engine->yield_count)) {
        dyno_team_run(engine->team, engine->yield_count, SETTLE_GRAIN, settle_some, &settling);
    } else {
        settle_some(&settling, 0, engine->yield_count, 0);
    }
}

/* ---- opening and closing --------------------------------------------------------------------- */

static const struct cuda *cuda_of(const struct dyno_device *device)
{
    return dyno_threaded_device_context(device);
}

static struct dyno_cuda_forward_config forward_config(const struct dyno_cuda_config *config)
{
    return (struct dyno_cuda_forward_config){
        .kv = config->kv_fp8 ? DYNO_CUDA_KV_E4M3 : DYNO_CUDA_KV_BF16,
        .blocks = config->blocks,
        .block_tokens = config->block_tokens,
        .rows_max = config->batch_tokens_max,
        .sequences_max = config->threaded.seqs_max,
        .narrow = config->weights_narrow,
    };
}

static struct dyno_cuda_parts_config parts_config(const struct dyno_cuda_config *config,
                                                  const struct dyno_cuda_forward_config *forward)
{
    return (struct dyno_cuda_parts_config){
        .weights = config->weights,
        .workers = config->threaded.worker_count,
        .ranks = config->ranks > 0 ? config->ranks : 1,
        .others = config->shares_places ? 0 : config->others,
        .others_blocks = config->others_blocks,
        .threads = config->threads,
        .positions = config->context_max,
        .forward = forward,
    };
}

dyno_status dyno_cuda_device_blocks(uint32_t *out, const struct dyno_cuda_config *config,
                                    struct dyno_error *error)
{
    struct dyno_cuda_forward_config forward = forward_config(config);
    struct dyno_cuda_parts_config parts = parts_config(config, &forward);

    DYNO_TRY(dyno_cuda_parts_blocks(out, &parts, error));
    if (config->shares_places && config->others_blocks > *out) { /* whether that fits, too */
        uint32_t same;

        forward.blocks = config->others_blocks;
        return dyno_cuda_parts_blocks(&same, &parts, error);
    }
    return DYNO_OK;
}

/* In its place. */
static dyno_status open_ranks(const struct cuda *cuda, uint32_t worker, struct dyno_error *error)
{
    struct engine *engine = &cuda->engines[worker];
    struct dyno_cuda_ranks_config ranks = {.forward = cuda->forward};

    ranks.forward.score = score;
    ranks.forward.score_context = engine;
    dyno_cuda_parts_of(cuda->parts, cuda->first + worker, &ranks);
    engine->gpu = ranks.rank[0].gpu;
    DYNO_TRY(dyno_cuda_ranks_open(&engine->ranks, &ranks, error));
    return dyno_cuda_ranks_warm(engine->ranks, error);
}

static void stop(void *context, uint32_t worker)
{
    const struct cuda *cuda = context;

    dyno_cuda_parts_vacate(cuda->parts, cuda->first + worker, &cuda->engines[worker].ranks);
}

/* Ranks that could not be warmed are closed with the place. */
static dyno_status start_quietly(const struct cuda *cuda, uint32_t worker, struct dyno_error *error)
{
    dyno_status status;

    dyno_cuda_parts_enter(cuda->parts, cuda->first + worker, &cuda->engines[worker].ranks);
    status = open_ranks(cuda, worker, error);
    dyno_cuda_parts_leave(cuda->parts, cuda->first + worker);
    return status;
}

/* The weights stay where they are.  A GPU on which an error of CUDA sticks starts nobody. */
static dyno_status start(void *context, uint32_t worker)
{
    struct dyno_error error = {0};
    dyno_status status = start_quietly(context, worker, &error);

    if (status != DYNO_OK) {
        fprintf(stderr, "dyno: worker %u cannot be started: %s\n", worker, error.text);
        stop(context, worker);
    }
    return status;
}

static void release(void *context)
{
    struct cuda *cuda = context;

    for (uint32_t i = 0; cuda->engines && i < cuda->worker_count; i++) {
        struct engine *engine = &cuda->engines[i];

        if (cuda->parts) {
            stop(cuda, i);
        }
        free(engine->slices);
        free(engine->yields);
        free(engine->from);
        free(engine->scratch);
        dyno_team_close(engine->team);
    }
    if (!cuda->shares) {
        dyno_cuda_parts_close(cuda->parts);
    }
    free(cuda->engines);
    free(cuda);
}

static dyno_status open_engine(struct cuda *cuda, uint32_t worker,
                               const struct dyno_cuda_config *config, struct dyno_error *error)
{
    struct engine *engine = &cuda->engines[worker];
    uint32_t seqs_max = config->threaded.seqs_max;

    engine->vocab = cuda->vocab;
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
    return DYNO_OK;
}

static dyno_status open_parts(struct cuda *cuda, const struct dyno_cuda_config *config,
                              struct dyno_error *error)
{
    struct dyno_cuda_forward_config forward = forward_config(config);
    struct dyno_cuda_parts_config parts = parts_config(config, &forward);

    cuda->forward = forward;
    if (config->beside) {
        const struct cuda *beside = cuda_of(config->beside);

        assert(config->blocks > 0 && beside->ranks == cuda->ranks);
        cuda->first = config->shares_places ? beside->first : beside->first + beside->worker_count;
        cuda->parts = beside->parts;
        cuda->shares = true;
        return DYNO_OK;
    }
    DYNO_TRY(dyno_cuda_parts_blocks(&cuda->forward.blocks, &parts, error));
    return dyno_cuda_parts_open(&cuda->parts, &parts, error);
}

static dyno_status start_ready(struct cuda *cuda, const struct dyno_cuda_config *config,
                               uint32_t ready, struct dyno_error *error)
{
    dyno_ns began = config->threaded.now(config->threaded.clock);

    assert(ready > 0); /* which clang-tidy cannot see */
    for (uint32_t i = 0; i < ready; i++) {
        DYNO_TRY(start_quietly(cuda, config->ready_first + i, error));
    }
    if (config->start_ns) {
        *config->start_ns = (config->threaded.now(config->threaded.clock) - began) / ready;
    }
    return DYNO_OK;
}

static dyno_status open_all(struct cuda *cuda, const struct dyno_cuda_config *config,
                            struct dyno_error *error)
{
    uint32_t ready = config->ready_count > 0 ? config->ready_count : cuda->worker_count;

    assert(config->ready_first + ready <= cuda->worker_count);
    cuda->ready = config->ready_first;
    DYNO_TRY(open_parts(cuda, config, error));
    assert(cuda->worker_count > 0); /* which clang-tidy cannot see */
    cuda->engines = calloc(cuda->worker_count, sizeof *cuda->engines);
    if (!cuda->engines) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for %u workers", cuda->worker_count);
    }
    for (uint32_t i = 0; i < cuda->worker_count; i++) {
        DYNO_TRY(open_engine(cuda, i, config, error));
    }
    return start_ready(cuda, config, ready, error);
}

static dyno_status measure_costs(struct dyno_pass_costs *out, const struct cuda *cuda,
                                 const struct dyno_cuda_config *config, struct dyno_error *error)
{
    struct dyno_cuda_ranks *ranks = cuda->engines[cuda->ready].ranks;
    struct dyno_cuda_costs_config costs = {.rows_max = config->batch_tokens_max,
                                           .positions = config->context_max,
                                           .blocks = dyno_cuda_ranks_pool(ranks, 0).blocks,
                                           .block_tokens = config->block_tokens,
                                           .now = config->threaded.now,
                                           .clock = config->threaded.clock};

    return dyno_cuda_costs_measure(out, ranks, &costs, error);
}

static dyno_status open_threads(struct dyno_device **out, struct cuda *cuda,
                                const struct dyno_cuda_config *config, struct dyno_error *error)
{
    struct dyno_threaded_config threaded = config->threaded;

    if (config->predicts) {
        DYNO_TRY(measure_costs(&threaded.costs, cuda, config, error));
    }
    threaded.name = "cuda";
    threaded.help = "this machine's GPUs compute real tokens";
    threaded.step = step;
    threaded.choose = choose;
    threaded.expect = expect;
    threaded.is_ahead = is_ahead;
    threaded.rest = rest;
    threaded.start = start;
    threaded.stop = stop;
    threaded.release = release;
    threaded.context = cuda;
    threaded.eos = config->weights->eos;
    threaded.eos_count = config->weights->eos_count;
    return dyno_threaded_device_open(out, &threaded, error);
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
    cuda->ranks = config->ranks > 0 ? config->ranks : 1;
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

/* ---- links ----------------------------------------------------------------------------------- */

uint32_t dyno_cuda_device_workers(const struct dyno_device *device)
{
    return cuda_of(device)->worker_count;
}

uint32_t dyno_cuda_device_ranks(const struct dyno_device *device)
{
    return cuda_of(device)->ranks;
}

uint32_t dyno_cuda_device_gpus(const struct dyno_device *device)
{
    return dyno_cuda_parts_gpus(cuda_of(device)->parts);
}

bool dyno_cuda_device_has(const struct dyno_device *device, uint32_t worker)
{
    return cuda_of(device)->engines[worker].ranks != NULL;
}

struct dyno_cuda_kv_pool dyno_cuda_device_pool(const struct dyno_device *device, uint32_t worker,
                                               uint32_t rank)
{
    return dyno_cuda_ranks_pool(cuda_of(device)->engines[worker].ranks, rank);
}

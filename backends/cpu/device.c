#include "backends/cpu/device.h"

#include <assert.h>
#include <stdlib.h>

#include "backends/cpu/ranks.h"
#include "backends/engine/scoring.h"
#include "kernels/isa.h"
#include "kernels/sample.h"

/* A sequence of the step that yields, and what. */
struct yield {
    const struct dyno_transcript *transcript;
    const float *logits; /* [vocab] */
    const float *state;  /* [hidden]; NULL: logits */
};

/* One worker. */
struct engine {
    const struct cpu *cpu;
    const struct dyno_engine_piece *pieces; /* of the step */
    uint32_t vocab;
    struct dyno_ranks *ranks;
    struct dyno_team *team;            /* of rank 0 */
    struct dyno_forward_slice *slices; /* [slice_capacity] */
    struct yield *yields;              /* [yield_capacity], yield_count of the step */
    float *logits;                     /* [logits_capacity][vocab] */
    float *states;                     /* [states_capacity][hidden] */
    uint32_t slice_capacity, yield_capacity, logits_capacity, states_capacity, yield_count;
    char *scratch; /* [threads][scratch_size], of dyno_sample */
    size_t scratch_size;
};

struct cpu {
    struct dyno_cpu_config config;
    uint32_t worker_count, vocab, hidden;
    struct engine *engines;     /* [worker_count] */
    struct dyno_device *device; /* NULL: it is not open yet */
};

/* Room for `count` in *array; false: there is no memory. */
static bool grow(void **array, uint32_t *capacity, uint32_t count, size_t size)
{
    void *grown;

    if (count <= *capacity) {
        return true;
    }
    assert(count > 0 && size > 0); /* which clang-tidy cannot see */
    grown = realloc(*array, count * size);
    if (grown) {
        *array = grown;
        *capacity = count;
    }
    return grown != NULL;
}

/* What the yield's sequence goes on with. */
static uint32_t settle(const struct cpu *cpu, const struct yield *yield, void *scratch)
{
    struct dyno_generation *generation = yield->transcript->generation;

    if (yield->state) {
        generation->ops->embed(generation, yield->state, cpu->hidden);
        return DYNO_TOKEN_FILLER;
    }
    return generation ? generation->ops->choose(generation, yield->logits, cpu->vocab,
                                                yield->transcript, scratch)
                      : dyno_isa_best()->largest(yield->logits, cpu->vocab);
}

struct settling {
    const struct cpu *cpu;
    const struct engine *engine;
    uint32_t *next;
};

/* Sequences have nothing in common that choosing writes, so they may go to different threads. */
static void settle_some(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    const struct settling *settling = argument;
    const struct engine *engine = settling->engine;

    for (uint32_t i = first; i < last; i++) {
        settling->next[i] = settle(settling->cpu, &engine->yields[i],
                                   engine->scratch + worker * engine->scratch_size);
    }
}

static bool wants_state(const struct dyno_engine_piece *piece)
{
    const struct dyno_generation *generation = piece->transcript->generation;

    return generation && generation->ops->embed;
}

static void score(void *context, uint32_t slice, uint32_t first, uint32_t count,
                  const float *logits)
{
    const struct engine *engine = context;

    dyno_transcript_score(engine->pieces[slice].transcript, engine->team, first, count, logits,
                          engine->vocab);
}

static void note_layer(void *context, uint32_t layers)
{
    const struct engine *engine = context;
    const struct cpu *cpu = engine->cpu;

    if (cpu->device) { /* else somebody sees how long passes take */
        dyno_layer_gate_note(
            dyno_threaded_device_gate(cpu->device, (uint32_t)(engine - cpu->engines)), layers);
    }
}

static bool make_room(const struct cpu *cpu, struct engine *engine,
                      const struct dyno_engine_piece *pieces, uint32_t piece_count)
{
    uint32_t logits = 0, states = 0;

    for (uint32_t i = 0; i < piece_count; i++) {
        logits += pieces[i].yields && !wants_state(&pieces[i]);
        states += pieces[i].yields && wants_state(&pieces[i]);
    }
    return grow((void **)&engine->slices, &engine->slice_capacity, piece_count,
                sizeof *engine->slices) &&
           grow((void **)&engine->yields, &engine->yield_capacity, logits + states,
                sizeof *engine->yields) &&
           grow((void **)&engine->logits, &engine->logits_capacity, logits,
                cpu->vocab * sizeof *engine->logits) &&
           grow((void **)&engine->states, &engine->states_capacity, states,
                cpu->hidden * sizeof *engine->states);
}

/* The pieces as slices, and those that yield; returns how many. */
static uint32_t lay_out(const struct cpu *cpu, struct engine *engine,
                        const struct dyno_engine_piece *pieces, uint32_t piece_count)
{
    float *logits = engine->logits, *state = engine->states;
    uint32_t count = 0;

    for (uint32_t i = 0; i < piece_count; i++) {
        const struct dyno_engine_piece *piece = &pieces[i];
        struct dyno_forward_slice *slice = &engine->slices[i];

        *slice =
            (struct dyno_forward_slice){.tokens = piece->tokens + piece->first,
                                        .first = piece->first,
                                        .count = piece->count,
                                        .cached = piece->cached,
                                        .table = piece->table,
                                        .yields = piece->yields,
                                        .scored = dyno_transcript_is_scored(piece->transcript)};
        if (piece->yields && wants_state(piece)) {
            slice->state = state;
            engine->yields[count++] = (struct yield){piece->transcript, NULL, state};
            state += cpu->hidden;
        } else if (piece->yields) {
            engine->yields[count++] = (struct yield){piece->transcript, logits, NULL};
            logits += cpu->vocab;
        }
    }
    return count;
}

static dyno_status step(void *context, uint32_t worker, const struct dyno_engine_piece *pieces,
                        uint32_t piece_count, uint32_t *next)
{
    const struct cpu *cpu = context;
    struct engine *engine = &cpu->engines[worker];

    (void)next;
    engine->pieces = pieces;
    if (!make_room(cpu, engine, pieces, piece_count)) {
        return DYNO_NO_MEMORY;
    }
    engine->yield_count = lay_out(cpu, engine, pieces, piece_count);
    dyno_ranks_run(engine->ranks, engine->slices, piece_count, engine->logits);
    return DYNO_OK;
}

static void choose(void *context, uint32_t worker, const struct dyno_engine_piece *pieces,
                   uint32_t piece_count, uint32_t *next)
{
    const struct cpu *cpu = context;
    const struct engine *engine = &cpu->engines[worker];
    struct settling settling = {cpu, engine, next};

    (void)pieces;
    (void)piece_count;
    dyno_team_run(engine->team, engine->yield_count, 1, settle_some, &settling);
}

/* All that it takes is given back. */
static void close_engine(struct engine *engine)
{
    dyno_ranks_close(engine->ranks);
    free(engine->slices);
    free(engine->yields);
    free(engine->logits);
    free(engine->states);
    free(engine->scratch);
    *engine = (struct engine){.cpu = engine->cpu};
}

static void release(void *context)
{
    struct cpu *cpu = context;

    for (uint32_t i = 0; cpu->engines && i < cpu->worker_count; i++) {
        close_engine(&cpu->engines[i]);
    }
    free(cpu->engines);
    free(cpu);
}

/* To a cache line, which threads would have in common otherwise. */
static size_t aligned(size_t size)
{
    return (size + 63) / 64 * 64;
}

static dyno_status open_engine(struct engine *engine, const struct dyno_cpu_config *config,
                               struct dyno_error *error)
{
    uint32_t ranks = config->ranks > 1 ? config->ranks : 1;
    uint32_t threads = config->threads > ranks ? config->threads / ranks : 1;

    DYNO_TRY(dyno_ranks_open(
        &engine->ranks,
        &(struct dyno_ranks_config){.weights = config->weights,
                                    .ranks = ranks,
                                    .threads = threads,
                                    .blocks = config->blocks,
                                    .block_tokens = config->block_tokens,
                                    .kv = DYNO_ELEMENT_F32,
                                    .rows_max = config->batch_tokens_max,
                                    .score = score,
                                    .score_context = engine,
                                    .layer_done = config->tells_layers ? note_layer : NULL,
                                    .layer_context = engine},
        error));
    engine->team = dyno_ranks_team(engine->ranks);
    engine->vocab = config->weights->model.vocab;
    engine->scratch_size = aligned(dyno_sample_scratch(engine->vocab));
    engine->scratch = malloc(threads * engine->scratch_size);
    if (!engine->scratch) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to choose tokens in");
    }
    return DYNO_OK;
}

static dyno_status start(void *context, uint32_t worker)
{
    const struct cpu *cpu = context;
    struct dyno_error ignored = {0};
    dyno_status status;

    close_engine(&cpu->engines[worker]);
    status = open_engine(&cpu->engines[worker], &cpu->config, &ignored);
    if (status != DYNO_OK) {
        close_engine(&cpu->engines[worker]);
    }
    return status;
}

static void stop(void *context, uint32_t worker)
{
    const struct cpu *cpu = context;

    close_engine(&cpu->engines[worker]);
}

/* A pass that is tried to see how long it takes. */
static void try_pass(void *context, const uint32_t *table, uint32_t first, uint32_t tokens)
{
    static const uint32_t zeros[DYNO_PASS_PROBE_TOKENS] = {0};
    const struct engine *engine = context;
    struct dyno_forward_slice slice = {
        .tokens = zeros, .first = first, .count = tokens, .table = table};

    dyno_ranks_run(engine->ranks, &slice, 1, NULL);
}

static dyno_status measure_costs(struct engine *engine, const struct dyno_cpu_config *config,
                                 struct dyno_pass_costs *out, struct dyno_error *error)
{
    return dyno_pass_costs_measure(
        out,
        &(struct dyno_pass_probe){.run = try_pass,
                                  .context = engine,
                                  .positions = dyno_ranks_positions(engine->ranks),
                                  .rows_max = config->batch_tokens_max,
                                  .blocks = config->blocks,
                                  .block_tokens = config->block_tokens,
                                  .now = config->threaded.now,
                                  .clock = config->threaded.clock},
        error);
}

static dyno_status open_threads(struct dyno_device **out, struct cpu *cpu,
                                const struct dyno_cpu_config *config, struct dyno_error *error)
{
    struct dyno_threaded_config threaded = config->threaded;

    assert(cpu->engines);
    if (config->predicts) {
        DYNO_TRY(measure_costs(&cpu->engines[config->ready_first], config, &threaded.costs, error));
    }
    threaded.name = "cpu";
    threaded.help = "this machine's processor computes real tokens";
    threaded.step = step;
    threaded.choose = choose;
    threaded.start = start;
    threaded.stop = stop;
    threaded.release = release;
    threaded.context = cpu;
    threaded.eos = config->weights->eos;
    threaded.eos_count = config->weights->eos_count;
    DYNO_TRY(dyno_threaded_device_open(&cpu->device, &threaded, error));
    *out = cpu->device;
    return DYNO_OK;
}

struct dyno_kv_storage *dyno_cpu_device_storage(const struct dyno_device *device, uint32_t worker,
                                                uint32_t rank)
{
    const struct cpu *cpu = dyno_threaded_device_context(device);

    return dyno_ranks_storage(cpu->engines[worker].ranks, rank);
}

dyno_status dyno_cpu_device_open(struct dyno_device **out, const struct dyno_cpu_config *config,
                                 struct dyno_error *error)
{
    struct cpu *cpu = calloc(1, sizeof *cpu);
    dyno_status status = DYNO_OK;
    uint32_t ready;

    if (!cpu) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the workers");
    }
    cpu->config = *config;
    cpu->worker_count = config->threaded.worker_count;
    ready = config->ready_count > 0 ? config->ready_count : cpu->worker_count;
    assert(config->ready_first + ready <= cpu->worker_count);
    cpu->vocab = config->weights->model.vocab;
    cpu->hidden = config->weights->model.hidden;
    cpu->engines = calloc(cpu->worker_count, sizeof *cpu->engines);
    if (!cpu->engines) {
        free(cpu);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for %u workers",
                         config->threaded.worker_count);
    }
    for (uint32_t i = 0; i < cpu->worker_count; i++) {
        cpu->engines[i].cpu = cpu;
    }
    for (uint32_t i = 0; status == DYNO_OK && i < ready; i++) {
        status = open_engine(&cpu->engines[config->ready_first + i], config, error);
    }
    if (status == DYNO_OK) {
        status = open_threads(out, cpu, config, error);
    }
    if (status != DYNO_OK) {
        release(cpu);
    }
    return status;
}

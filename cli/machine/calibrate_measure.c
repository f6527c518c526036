/* Measuring how long passes take on this machine.
 *
 * Passes are run through the very device that serves (threads, mailbox, wakeups), each kind in
 * turn, round after round, so that a disturbance falls on all alike; medians count.  What a pass
 * takes is then divided as sim/machine.h says.
 *
 * Prompts are measured in two ways: right after another pass, and as a request that comes after a
 * pause meets them, from the moment when it was due: with what the clock is late, with what it
 * takes to enter it, and with cold caches.
 */
#include "cli/machine/calibrate_measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/assets/default_model.h"
#include "backends/cpu/device.h"
#include "backends/cuda/device.h"
#include "backends/posix/wall_clock.h"
#include "cli/machine/calibrate_copies.h"
#include "cli/machine/calibrate_far.h"
#include "cli/machine/calibrate_starts.h"
#include "cli/machine/calibrate_turns.h"
#include "cli/machine/median.h"

enum {
    BLOCK_TOKENS = 16,
    SHORT_TOKENS = 64, /* of sequences without a long context */
    SHORT_CONTEXT = 8,
    PASS_STEPS = 16,   /* decode steps of a pass at most, as where it serves */
    FEW_SEQS = 4,      /* so many sequences ... */
    ANSWER_STEPS = 48, /* ... go on for as long as an answer does, ... */
    CROWD_STEPS = 8,   /* ... and more of them for so many steps */
    EXPERIMENTS_MAX = 4 * DYNO_MACHINE_POINTS_MAX,
};

/* The largest passes are those that the device makes unless it is told otherwise.  A GPU has a
 * large part of its context in use before that shows in a pass. */
const struct dyno_measure_config dyno_measure_cpu = {.batch_tokens_max = 512,
                                                     .seqs_max = 64,
                                                     .long_seqs = 4,
                                                     .long_tokens_max = 2048,
                                                     .chunk_tokens = 128,
                                                     .pause_ns = 50 * DYNO_MS,
                                                     .rounds = 25,
                                                     .budget_ns = 120 * DYNO_S,
                                                     .transport = "auto"};
const struct dyno_measure_config dyno_measure_cuda = {.is_cuda = true,
                                                      .batch_tokens_max = 8192,
                                                      .seqs_max = 256,
                                                      .long_seqs = 32,
                                                      .long_tokens_max = 8320,
                                                      .chunk_tokens = 2048,
                                                      .pause_ns = 50 * DYNO_MS,
                                                      .rounds = 25,
                                                      .budget_ns = 240 * DYNO_S,
                                                      .transport = "auto"};

enum kind { PREFILL, PREFILL_AFTER_PAUSE, DECODE };

/* A kind of pass. */
struct experiment {
    enum kind kind;
    uint32_t size;    /* rows of a prompt slice, or sequences that decode */
    uint32_t context; /* tokens before */
    double *ns;       /* [rounds] a step's; the bench's */
    double *around;   /* [rounds] beside the steps, from submit (after a pause: from when it was
                         due) to reap ... */
    double *heard;    /* [rounds] ... of that what lies behind their end; the bench's both */
};

struct bench {
    const struct dyno_measure_config *config;
    struct dyno_weights *weights;
    struct dyno_transcripts *transcripts;
    struct dyno_clock *clock;
    struct dyno_device *device;
    struct dyno_cpu_config cpu; /* of it, if it is one */
    uint32_t long_tokens, kv_tokens;
    uint32_t *numbers; /* of blocks */
    const uint32_t **tables;
    struct experiment experiments[EXPERIMENTS_MAX]; /* [experiment_count] those of all sizes ... */
    uint32_t size_count;                            /* ... first */
    const struct experiment *late_chunk, *long_few; /* behind a long context, and with one */
    const struct experiment *long_one;              /* NULL: not measured */
    uint32_t experiment_count, rounds;
    double *samples; /* [experiments][3][rounds]: where the experiments' are */
    double heard;    /* of the pass that was run last */
    uint64_t next_id;
};

/* ---- the stage ------------------------------------------------------------------------------- */

static uint32_t never_ends(void *context, uint64_t id)
{
    (void)context;
    (void)id;
    return UINT32_MAX;
}

/* Blocks of sequences follow each other: the first few sequences have long contexts. */
static dyno_status lay_tables(struct bench *bench, uint32_t *blocks)
{
    uint32_t seqs = bench->config->seqs_max, next = 0;
    uint32_t each = (bench->long_tokens + BLOCK_TOKENS - 1) / BLOCK_TOKENS + 1;
    uint32_t short_each = SHORT_TOKENS / BLOCK_TOKENS + 1;

    bench->numbers = calloc((size_t)seqs * each, sizeof *bench->numbers);
    bench->tables = calloc(seqs, sizeof *bench->tables);
    if (!bench->numbers || !bench->tables) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < seqs; i++) {
        uint32_t count = i < bench->config->long_seqs ? each : short_each;

        bench->tables[i] = bench->numbers + (size_t)i * each;
        for (uint32_t j = 0; j < count; j++) {
            bench->numbers[(size_t)i * each + j] = next++;
        }
    }
    *blocks = next;
    return DYNO_OK;
}

static dyno_status open_device(struct bench *bench, uint32_t blocks, struct dyno_error *error)
{
    const struct dyno_measure_config *config = bench->config;
    struct dyno_threaded_config threaded = {.worker_count = 1,
                                            .seqs_max = config->seqs_max,
                                            .steps_max = PASS_STEPS,
                                            .transcripts = bench->transcripts,
                                            .answer = never_ends,
                                            .now = dyno_wall_clock_now,
                                            .wake = dyno_wall_clock_wake,
                                            .clock = bench->clock};

    if (config->is_cuda) {
        return dyno_cuda_device_open(
            &bench->device,
            &(struct dyno_cuda_config){.weights = bench->weights,
                                       .ranks = config->ranks,
                                       .threads = config->threads,
                                       .blocks = blocks,
                                       .block_tokens = BLOCK_TOKENS,
                                       .batch_tokens_max = config->batch_tokens_max,
                                       .context_max = bench->long_tokens,
                                       .threaded = threaded},
            error);
    }
    bench->cpu = (struct dyno_cpu_config){.weights = bench->weights,
                                          .threads = config->threads,
                                          .ranks = config->ranks,
                                          .blocks = blocks,
                                          .block_tokens = BLOCK_TOKENS,
                                          .batch_tokens_max = config->batch_tokens_max,
                                          .threaded = threaded};
    return dyno_cpu_device_open(&bench->device, &bench->cpu, error);
}

/* Before weights are there, as a run finds it, with the block size and the sequences measured. */
static dyno_status measure_room(struct bench *bench, uint32_t *kv_tokens, struct dyno_error *error)
{
    const struct dyno_measure_config *config = bench->config;
    uint32_t blocks;

    DYNO_TRY(dyno_cuda_device_blocks(
        &blocks,
        &(struct dyno_cuda_config){.weights = bench->weights,
                                   .ranks = config->ranks,
                                   .threads = config->threads,
                                   .block_tokens = BLOCK_TOKENS,
                                   .batch_tokens_max = config->batch_tokens_max,
                                   .context_max = bench->weights->model.context_max,
                                   .threaded = {.worker_count = 1, .seqs_max = config->seqs_max}},
        error));
    *kv_tokens = blocks < INT32_MAX / BLOCK_TOKENS ? blocks * BLOCK_TOKENS : INT32_MAX;
    return DYNO_OK;
}

static dyno_status open_stage(struct bench *bench, struct dyno_error *error)
{
    const struct dyno_measure_config *config = bench->config;
    char path[DYNO_MODEL_PATH_MAX];
    uint32_t blocks, context;

    DYNO_TRY(dyno_default_model_find(path, config->model, error));
    DYNO_TRY(dyno_weights_open(&bench->weights, path, error));
    if (config->is_cuda) {
        DYNO_TRY(measure_room(bench, &bench->kv_tokens, error));
    }
    context = bench->weights->model.context_max;
    bench->long_tokens = context < config->long_tokens_max ? context : config->long_tokens_max;
    if (bench->long_tokens < config->chunk_tokens + 2 * SHORT_TOKENS) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "%s has a context of %u tokens; a machine is measured with at least %u",
                         config->model, context, config->chunk_tokens + 2 * SHORT_TOKENS);
    }
    if (dyno_transcripts_open(&bench->transcripts) != DYNO_OK ||
        dyno_wall_clock_open(&bench->clock, 1.0) != DYNO_OK ||
        lay_tables(bench, &blocks) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    return open_device(bench, blocks, error);
}

static void close_stage(struct bench *bench)
{
    if (bench->device) {
        bench->device->ops->close(bench->device);
    }
    dyno_wall_clock_close(bench->clock);
    dyno_transcripts_close(bench->transcripts);
    if (bench->weights) {
        dyno_weights_close(bench->weights);
    }
    free(bench->samples);
    free(bench->tables);
    free(bench->numbers);
}

/* ---- one pass -------------------------------------------------------------------------------- */

/* A sequence of `tokens` tokens in `slot`; its tokens are any. */
static dyno_status enter(struct bench *bench, uint32_t slot, uint32_t tokens)
{
    struct dyno_transcript *transcript;
    uint64_t id = bench->next_id + slot;

    DYNO_TRY(dyno_transcripts_add(bench->transcripts, id, tokens, ANSWER_STEPS + 2, &transcript));
    for (uint32_t i = 0; i < tokens; i++) {
        transcript->tokens[i] = (uint32_t)((id * 7919 + i) % bench->weights->model.vocab);
    }
    bench->device->ops->open(bench->device, 0, slot, id, 0, ANSWER_STEPS + 2);
    return DYNO_OK;
}

static void leave(struct bench *bench, uint32_t slots)
{
    for (uint32_t i = 0; i < slots; i++) {
        bench->device->ops->shut(bench->device, 0, i);
        dyno_transcripts_forget(bench->transcripts, bench->next_id + i);
    }
    bench->next_id += slots;
}

/* Run a pass to its end.  Returns what a step took; *around: what else passed since `due`. */
static double run_pass(struct bench *bench, dyno_ns due, const struct dyno_pass *pass,
                       double *around)
{
    struct dyno_device *device = bench->device;
    struct dyno_completion done;
    dyno_ns now = dyno_wall_clock_now(bench->clock);
    double steps_ns;

    device->ops->submit(device, now, pass);
    do {
        now = bench->clock->ops->wait_until(bench->clock, DYNO_NEVER);
    } while (!device->ops->reap(device, now, &done));
    steps_ns = (double)(done.boundaries[done.steps] - done.boundaries[0]);
    *around = (double)(now - due) - steps_ns;
    bench->heard = (double)(now - done.boundaries[done.steps]);
    return steps_ns / done.steps;
}

/* Let the machine rest, as the loop does where nothing is due.  Returns when that should end. */
static dyno_ns pause(const struct bench *bench)
{
    dyno_ns due = dyno_wall_clock_now(bench->clock) + bench->config->pause_ns;

    while (bench->clock->ops->wait_until(bench->clock, due) < due) {
    }
    return due;
}

static dyno_status run_prefill(struct bench *bench, const struct experiment *experiment, double *ns,
                               double *around)
{
    struct dyno_slice slice = {.first = experiment->context, .tokens = experiment->size};
    bool pauses = experiment->kind == PREFILL_AFTER_PAUSE;
    dyno_ns due = pauses ? pause(bench) : 0;

    DYNO_TRY(enter(bench, 0, experiment->context + experiment->size + 1));
    *ns = run_pass(bench, pauses ? due : dyno_wall_clock_now(bench->clock),
                   &(struct dyno_pass){
                       .steps_max = 1, .slice_count = 1, .slices = &slice, .tables = bench->tables},
                   around);
    leave(bench, 1);
    return DYNO_OK;
}

/* How long decoding is measured.  The first steps behind a prompt are dearer than those that follow
 * (threads that come back, caches that held something else), by as much as two or three steps of
 * one sequence: a mean over few of them would be the beginning of an answer, not the answer. */
static uint32_t decode_steps(uint32_t seqs)
{
    return seqs <= FEW_SEQS ? ANSWER_STEPS : CROWD_STEPS;
}

/* All sequences decode for `steps` steps.  Returns what one took. */
static double run_steps(struct bench *bench, uint32_t seqs, uint32_t steps, double *around)
{
    double ns = 0.0;

    for (uint32_t done = 0, count; done < steps; done += count) {
        count = steps - done < PASS_STEPS ? steps - done : PASS_STEPS;
        ns += count * run_pass(bench, dyno_wall_clock_now(bench->clock),
                               &(struct dyno_pass){.steps_max = count,
                                                   .decode = true,
                                                   .decode_count = seqs,
                                                   .tables = bench->tables},
                               around);
    }
    return ns / steps;
}

/* The last tokens of all prompts in one pass, then what is measured: decode steps. */
static dyno_status run_decode(struct bench *bench, const struct experiment *experiment, double *ns,
                              double *around)
{
    struct dyno_slice *slices = calloc(experiment->size, sizeof *slices);

    if (!slices) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < experiment->size; i++) {
        if (enter(bench, i, experiment->context) != DYNO_OK) {
            free(slices);
            return DYNO_NO_MEMORY;
        }
        slices[i] = (struct dyno_slice){
            .slot = i, .first = experiment->context - 1, .tokens = 1, .yields = true};
    }
    (void)run_pass(bench, 0,
                   &(struct dyno_pass){.steps_max = 1,
                                       .slice_count = experiment->size,
                                       .slices = slices,
                                       .tables = bench->tables},
                   around);
    *ns = run_steps(bench, experiment->size, decode_steps(experiment->size), around);
    leave(bench, experiment->size);
    free(slices);
    return DYNO_OK;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static const struct experiment *plan(struct bench *bench, enum kind kind, uint32_t size,
                                     uint32_t context)
{
    double *samples = bench->samples + (size_t)bench->experiment_count * 3 * bench->rounds;
    struct experiment *planned = &bench->experiments[bench->experiment_count++];

    *planned = (struct experiment){.kind = kind,
                                   .size = size,
                                   .context = context,
                                   .ns = samples,
                                   .around = samples + bench->rounds,
                                   .heard = samples + (size_t)2 * bench->rounds};
    return planned;
}

/* Powers of two, and the largest itself. */
static void plan_sizes(struct bench *bench, enum kind kind, uint32_t largest)
{
    uint32_t context = kind == DECODE ? SHORT_CONTEXT : 0;

    for (uint32_t size = 1; size < largest; size *= 2) {
        (void)plan(bench, kind, size, context);
    }
    (void)plan(bench, kind, largest, context);
}

static dyno_status plan_all(struct bench *bench)
{
    uint32_t rows = bench->config->batch_tokens_max, most = bench->long_tokens - 1;
    uint32_t chunk = bench->config->chunk_tokens;

    bench->samples = calloc((size_t)EXPERIMENTS_MAX * 3 * bench->rounds, sizeof *bench->samples);
    if (!bench->samples) {
        return DYNO_NO_MEMORY;
    }
    plan_sizes(bench, PREFILL, rows < most ? rows : most);
    plan_sizes(bench, PREFILL_AFTER_PAUSE, rows < most ? rows : most);
    plan_sizes(bench, DECODE, bench->config->seqs_max);
    bench->size_count = bench->experiment_count;
    bench->late_chunk = plan(bench, PREFILL, chunk, bench->long_tokens - chunk - 1);
    bench->long_few =
        plan(bench, DECODE, bench->config->long_seqs, bench->long_tokens - SHORT_TOKENS);
    if (!bench->config->is_cuda) {
        bench->long_one = plan(bench, DECODE, 1, bench->long_tokens - SHORT_TOKENS);
    }
    return DYNO_OK;
}

static dyno_status measure_round(struct bench *bench, uint32_t round)
{
    for (uint32_t i = 0; i < bench->experiment_count; i++) {
        struct experiment *is = &bench->experiments[i];

        DYNO_TRY(is->kind == DECODE ? run_decode(bench, is, &is->ns[round], &is->around[round])
                                    : run_prefill(bench, is, &is->ns[round], &is->around[round]));
        is->heard[round] = bench->heard;
    }
    return DYNO_OK;
}

static dyno_status measure(struct bench *bench, struct dyno_error *error)
{
    const struct dyno_measure_config *config = bench->config;
    dyno_ns until = config->budget_ns, left;
    uint32_t round = 0;

    for (; round < bench->rounds &&
           (round < DYNO_MEASURE_ROUNDS_MIN || dyno_wall_clock_now(bench->clock) < until);
         round++) {
        dyno_status status = measure_round(bench, round);

        if (status != DYNO_OK) {
            return dyno_fail(error, status, "out of memory while measuring");
        }
        if (config->progress) {
            config->progress(config->progress_context, round + 1, bench->rounds);
        }
        if (config->between) {
            left = dyno_wall_clock_now(bench->clock);
            DYNO_TRY(config->between(config->between_context, round + 1, bench->rounds, error));
            until += dyno_wall_clock_now(bench->clock) - left;
        }
    }
    bench->rounds = round;
    return DYNO_OK;
}

/* ---- dividing -------------------------------------------------------------------------------- */

static double at_least(double value, double least)
{
    return value > least ? value : least;
}

/* Tokens that decode steps read, on the mean, over the steps that were measured. */
static double mean_context(const struct experiment *experiment)
{
    return experiment->size *
           (experiment->context + 1 + (decode_steps(experiment->size) - 1) / 2.0 + 1);
}

static void add_point(struct dyno_machine_curve *curve, uint32_t at, double ns)
{
    curve->at[curve->count] = at;
    curve->ns[curve->count++] = ns;
}

/* The first of its kind and size: the one with a short context. */
static const struct experiment *find(const struct bench *bench, enum kind kind, uint32_t size)
{
    for (uint32_t i = 0; i < bench->experiment_count; i++) {
        if (bench->experiments[i].kind == kind && bench->experiments[i].size == size) {
            return &bench->experiments[i];
        }
    }
    return NULL;
}

/* By the differences within a round, so that what changes from round to round falls out; up to when
 * the pass ends, which may be before the loop hears of it.  Before medians are in ns[0], for it
 * needs every round; it leaves those of pauses in disorder. */
static void divide_pauses(const struct bench *bench, struct dyno_machine *machine)
{
    for (uint32_t i = 0; i < bench->experiment_count; i++) {
        const struct experiment *is = &bench->experiments[i];
        const struct experiment *at_once = find(bench, PREFILL, is->size);

        if (is->kind != PREFILL_AFTER_PAUSE) {
            continue;
        }
        for (uint32_t round = 0; round < bench->rounds; round++) {
            is->ns[round] +=
                is->around[round] - is->heard[round] - at_once->ns[round] - at_once->around[round];
        }
        add_point(&machine->idle, is->size, at_least(dyno_median(is->ns, bench->rounds), 0.0));
    }
}

/* What rows take where nothing yields.  A decode step computes as many and yields besides; if it
 * was faster, the prompt met caches that the pass before it had filled with something else. */
static double rows_ns(const struct bench *bench, const struct dyno_machine *machine,
                      const struct experiment *prefill)
{
    const struct experiment *decode = find(bench, DECODE, prefill->size);
    double ns = prefill->ns[0] - machine->pair_ns * prefill->size * (prefill->size + 1.0) / 2.0;
    double most = decode ? decode->ns[0] - machine->context_ns * mean_context(decode) : ns;

    return at_least(ns < most ? ns : most, 1.0);
}

static void divide_sizes(const struct bench *bench, struct dyno_machine *machine)
{
    for (uint32_t i = 0; i < bench->size_count; i++) {
        const struct experiment *is = &bench->experiments[i];

        if (is->kind == PREFILL) {
            add_point(&machine->rows, is->size, rows_ns(bench, machine, is));
        } else if (is->kind == DECODE) {
            add_point(&machine->yields, is->size,
                      at_least(is->ns[0] - machine->context_ns * mean_context(is) -
                                   dyno_machine_curve_ns(&machine->rows, is->size),
                               0.0));
        }
    }
}

/* What a token costs that decode steps read: as far as one sequence goes, and beyond. */
static void divide_contexts(const struct bench *bench, struct dyno_machine *machine)
{
    const struct experiment *one = find(bench, DECODE, 1), *long_one = bench->long_one;
    const struct experiment *few = find(bench, DECODE, bench->config->long_seqs);
    const struct experiment *long_few = bench->long_few;
    double more_ns = long_few->ns[0] - few->ns[0], most = mean_context(long_few), near;

    if (!long_one) {
        machine->context_ns = at_least(more_ns / (most - mean_context(few)), 0.0);
        return;
    }
    near = mean_context(long_one);
    machine->context_ns =
        at_least((long_one->ns[0] - one->ns[0]) / (near - mean_context(one)), 0.0);
    machine->context_near = (uint32_t)near;
    machine->context_far_ns =
        at_least((more_ns - machine->context_ns * (near - mean_context(few))) / (most - near), 0.0);
}

static void divide(struct bench *bench, struct dyno_machine *machine)
{
    const struct experiment *chunk = find(bench, PREFILL, bench->config->chunk_tokens);
    const struct experiment *late_chunk = bench->late_chunk;

    divide_pauses(bench, machine);
    for (uint32_t i = 0; i < bench->experiment_count; i++) {
        bench->experiments[i].ns[0] = dyno_median(bench->experiments[i].ns, bench->rounds);
        bench->experiments[i].around[0] = dyno_median(bench->experiments[i].around, bench->rounds);
    }
    machine->pair_ns = at_least(
        (late_chunk->ns[0] - chunk->ns[0]) / ((double)chunk->size * late_chunk->context), 0.0);
    divide_contexts(bench, machine);
    machine->pass_ns = at_least(bench->experiments[0].around[0], 0.0);
    divide_sizes(bench, machine);
}

/* What a CPU does besides passes. */
static dyno_status measure_rest(struct bench *bench, struct dyno_machine *machine,
                                struct dyno_error *error)
{
    const struct dyno_copies_pace pace = {.clock = bench->clock,
                                          .pause_ns = bench->config->pause_ns};

    DYNO_TRY(dyno_turns_measure(machine, bench->config, error));
    DYNO_TRY(dyno_copies_measure(machine, &bench->weights->model, &pace, error));
    DYNO_TRY(dyno_disk_measure(machine, &bench->weights->model, bench->config->file, &pace, error));
    return dyno_starts_measure(machine, &bench->cpu, error);
}

dyno_status dyno_machine_measure(struct dyno_machine *out, const struct dyno_measure_config *config,
                                 struct dyno_error *error)
{
    struct bench bench = {.config = config, .rounds = config->rounds};
    struct dyno_machine machine = {.threads = config->threads, .ranks = config->ranks};
    dyno_status status = open_stage(&bench, error);

    if (status == DYNO_OK && plan_all(&bench) != DYNO_OK) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    if (status == DYNO_OK) {
        status = measure(&bench, error);
    }
    if (status == DYNO_OK) {
        divide(&bench, &machine);
        machine.kv_tokens = bench.kv_tokens;
        (void)snprintf(machine.model, sizeof machine.model, "%s", config->model);
        (void)snprintf(machine.device, sizeof machine.device, "%s",
                       config->is_cuda ? "cuda" : "cpu");
        status = config->is_cuda ? DYNO_OK : measure_rest(&bench, &machine, error);
    }
    if (status == DYNO_OK && config->far) {
        status = dyno_far_measure(&machine, config, bench.weights, bench.clock, error);
    }
    if (status == DYNO_OK) {
        status = dyno_machine_check(&machine, error);
    }
    close_stage(&bench);
    if (status == DYNO_OK) {
        *out = machine;
    }
    return status;
}

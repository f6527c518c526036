/* Measuring how long passes take on this machine.
 *
 * Passes are run through the very device that serves (threads, mailbox, wakeups), each kind in
 * turn, round after round, so that a disturbance falls on all alike; medians count.  What a pass
 * takes is then divided (cli/machine/experiments.h).
 *
 * Prompts are measured in two ways: right after another pass, and as a request that comes after a
 * pause meets them, from the moment when it was due: with what the clock is late, with what it
 * takes to enter it, and with cold caches.  Decode steps are measured behind other decode steps,
 * and what the first pass of them takes more behind a prompt by itself.
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
#include "cli/machine/experiments.h"

enum {
    BLOCK_TOKENS = 16,
    WARM_TOKENS = 64, /* of a prompt that is not measured */
    PASS_STEPS = 16,  /* decode steps of a pass at most, as where it serves */
};

/* The largest passes are those that the device makes unless it is told otherwise.  A GPU has a
 * large part of its context in use before that shows in a pass. */
const struct dyno_measure_config dyno_measure_cpu = {.batch_tokens_max = 512,
                                                     .seqs_max = 64,
                                                     .long_seqs = 4,
                                                     .long_tokens_max = 2048,
                                                     .chunk_tokens = 128,
                                                     .pause_ns = 50 * DYNO_MS,
                                                     .in_bursts = true,
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
    struct dyno_experiments set;
    double heard; /* of the pass that was run last */
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
    uint32_t short_each = DYNO_EXPERIMENT_SHORT_TOKENS / BLOCK_TOKENS + 1;

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
    if (bench->long_tokens < config->chunk_tokens + 2 * DYNO_EXPERIMENT_SHORT_TOKENS) {
        return dyno_fail(error, DYNO_UNSUPPORTED,
                         "%s has a context of %u tokens; a machine is measured with at least %u",
                         config->model, context,
                         config->chunk_tokens + 2 * DYNO_EXPERIMENT_SHORT_TOKENS);
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
    dyno_experiments_release(&bench->set);
    free(bench->tables);
    free(bench->numbers);
}

/* ---- one pass -------------------------------------------------------------------------------- */

/* A sequence of `tokens` tokens in `slot`; its tokens are any. */
static dyno_status enter(struct bench *bench, uint32_t slot, uint32_t tokens)
{
    struct dyno_transcript *transcript;
    uint64_t id = bench->next_id + slot;

    DYNO_TRY(dyno_transcripts_add(bench->transcripts, id, tokens, DYNO_EXPERIMENT_STEPS_MAX + 2,
                                  &transcript));
    for (uint32_t i = 0; i < tokens; i++) {
        transcript->tokens[i] = (uint32_t)((id * 7919 + i) % bench->weights->model.vocab);
    }
    bench->device->ops->open(bench->device, 0, slot, id, 0, DYNO_EXPERIMENT_STEPS_MAX + 2);
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

static dyno_status run_prefill(struct bench *bench, const struct dyno_experiment *experiment,
                               double *ns, double *around)
{
    struct dyno_slice slice = {.first = experiment->context, .tokens = experiment->size};
    bool pauses = experiment->kind == DYNO_EXPERIMENT_PREFILL_AFTER_PAUSE;
    dyno_ns due = pauses ? pause(bench) : 0;

    DYNO_TRY(enter(bench, 0, experiment->context + experiment->size + 1));
    *ns = run_pass(bench, pauses ? due : dyno_wall_clock_now(bench->clock),
                   &(struct dyno_pass){
                       .steps_max = 1, .slice_count = 1, .slices = &slice, .tables = bench->tables},
                   around);
    leave(bench, 1);
    return DYNO_OK;
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

/* What a pass of decode steps takes more right behind a prompt than behind another one of them. */
static dyno_status run_behind(struct bench *bench, const struct dyno_experiment *experiment,
                              double *ns, double *around)
{
    const struct dyno_slice slice = {.tokens = experiment->size, .yields = true};
    double first, first_around, next;

    DYNO_TRY(enter(bench, 0, experiment->size));
    (void)run_pass(bench, 0,
                   &(struct dyno_pass){
                       .steps_max = 1, .slice_count = 1, .slices = &slice, .tables = bench->tables},
                   around);
    first = DYNO_EXPERIMENT_FIRST_STEPS *
            run_steps(bench, 1, DYNO_EXPERIMENT_FIRST_STEPS, &first_around);
    next = DYNO_EXPERIMENT_FIRST_STEPS * run_steps(bench, 1, DYNO_EXPERIMENT_FIRST_STEPS, around);
    *ns = first + first_around - next - *around;
    leave(bench, 1);
    return DYNO_OK;
}

/* The last tokens of all prompts in one pass, and the steps behind it, then what is measured. */
static dyno_status run_decode(struct bench *bench, const struct dyno_experiment *experiment,
                              double *ns, double *around)
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
    (void)run_steps(bench, experiment->size, dyno_experiment_first_steps(experiment->size), around);
    *ns = run_steps(bench, experiment->size, dyno_experiment_steps(experiment->size), around);
    leave(bench, experiment->size);
    free(slices);
    return DYNO_OK;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static dyno_status plan(struct bench *bench)
{
    const struct dyno_measure_config *config = bench->config;

    return dyno_experiments_plan(&bench->set,
                                 &(struct dyno_experiments_size){.rows = config->batch_tokens_max,
                                                                 .seqs = config->seqs_max,
                                                                 .long_seqs = config->long_seqs,
                                                                 .long_tokens = bench->long_tokens,
                                                                 .chunk = config->chunk_tokens,
                                                                 .has_long_one = !config->is_cuda,
                                                                 .rounds = config->rounds});
}

/* Before what is measured right behind something: a pause, and a short prompt where nothing else
 * comes before what counts.  A CPU that works for some milliseconds now and then, as it does where
 * it serves, was found slower than one that works without end (docs/live.md). */
static dyno_status rest_before(struct bench *bench, const struct dyno_experiment *experiment)
{
    const struct dyno_experiment warm = {.kind = DYNO_EXPERIMENT_PREFILL, .size = WARM_TOKENS};
    double ns, around;

    (void)pause(bench);
    return experiment->kind == DYNO_EXPERIMENT_PREFILL ? run_prefill(bench, &warm, &ns, &around)
                                                       : DYNO_OK;
}

static dyno_status measure_round(struct bench *bench, uint32_t round)
{
    static dyno_status (*const run[])(struct bench * bench,
                                      const struct dyno_experiment *experiment, double *ns,
                                      double *around) = {
        [DYNO_EXPERIMENT_PREFILL] = run_prefill,
        [DYNO_EXPERIMENT_PREFILL_AFTER_PAUSE] = run_prefill,
        [DYNO_EXPERIMENT_DECODE] = run_decode,
        [DYNO_EXPERIMENT_DECODE_BEHIND] = run_behind,
    };

    for (uint32_t i = 0; i < bench->set.count; i++) {
        struct dyno_experiment *is = &bench->set.list[i];

        if (bench->config->in_bursts && is->kind != DYNO_EXPERIMENT_PREFILL_AFTER_PAUSE) {
            DYNO_TRY(rest_before(bench, is));
        }
        DYNO_TRY(run[is->kind](bench, is, &is->ns[round], &is->around[round]));
        is->heard[round] = bench->heard;
    }
    return DYNO_OK;
}

static dyno_status measure(struct bench *bench, struct dyno_error *error)
{
    const struct dyno_measure_config *config = bench->config;
    dyno_ns until = config->budget_ns, left;
    uint32_t round = 0;

    for (; round < bench->set.rounds &&
           (round < DYNO_MEASURE_ROUNDS_MIN || dyno_wall_clock_now(bench->clock) < until);
         round++) {
        dyno_status status = measure_round(bench, round);

        if (status != DYNO_OK) {
            return dyno_fail(error, status, "out of memory while measuring");
        }
        if (config->progress) {
            config->progress(config->progress_context, round + 1, bench->set.rounds);
        }
        if (config->between) {
            left = dyno_wall_clock_now(bench->clock);
            DYNO_TRY(config->between(config->between_context, round + 1, bench->set.rounds, error));
            until += dyno_wall_clock_now(bench->clock) - left;
        }
    }
    bench->set.rounds = round;
    return DYNO_OK;
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
    struct bench bench = {.config = config};
    struct dyno_machine machine = {.threads = config->threads, .ranks = config->ranks};
    dyno_status status = open_stage(&bench, error);

    if (status == DYNO_OK && plan(&bench) != DYNO_OK) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    if (status == DYNO_OK) {
        status = measure(&bench, error);
    }
    if (status == DYNO_OK) {
        dyno_experiments_divide(&bench.set, &machine);
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

#include "cli/machine/experiments.h"

#include <stdlib.h>

#include "cli/machine/median.h"

enum {
    SHORT_CONTEXT = 8,
    FEW_SEQS = 4,    /* so many sequences go on for longer, as an answer does, ... */
    FEW_STEPS = 32,  /* ... of which so many steps count; */
    CROWD_STEPS = 8, /* of more sequences so many, behind as many */
};

_Static_assert((int)FEW_STEPS + DYNO_EXPERIMENT_FIRST_STEPS == DYNO_EXPERIMENT_STEPS_MAX &&
                   (int)CROWD_STEPS <= DYNO_EXPERIMENT_FIRST_STEPS,
               "callers make room for as many steps as the header says");

uint32_t dyno_experiment_steps(uint32_t seqs)
{
    return seqs <= FEW_SEQS ? FEW_STEPS : CROWD_STEPS;
}

uint32_t dyno_experiment_first_steps(uint32_t seqs)
{
    return seqs <= FEW_SEQS ? DYNO_EXPERIMENT_FIRST_STEPS : CROWD_STEPS;
}

/* ---- planning -------------------------------------------------------------------------------- */

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static const struct dyno_experiment *
plan(struct dyno_experiments *set, enum dyno_experiment_kind kind, uint32_t size, uint32_t context)
{
    double *samples = set->samples + (size_t)set->count * 3 * set->rounds;
    struct dyno_experiment *planned = &set->list[set->count++];

    *planned = (struct dyno_experiment){.kind = kind,
                                        .size = size,
                                        .context = context,
                                        .ns = samples,
                                        .around = samples + set->rounds,
                                        .heard = samples + (size_t)2 * set->rounds};
    return planned;
}

/* Powers of two, and the largest itself. */
static void plan_sizes(struct dyno_experiments *set, enum dyno_experiment_kind kind,
                       uint32_t largest)
{
    uint32_t context = kind == DYNO_EXPERIMENT_DECODE ? SHORT_CONTEXT : 0;

    for (uint32_t size = 1; size < largest; size *= 2) {
        (void)plan(set, kind, size, context);
    }
    (void)plan(set, kind, largest, context);
}

/* The first of its kind and size: the one with a short context. */
static const struct dyno_experiment *find(const struct dyno_experiments *set,
                                          enum dyno_experiment_kind kind, uint32_t size)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->list[i].kind == kind && set->list[i].size == size) {
            return &set->list[i];
        }
    }
    return NULL;
}

dyno_status dyno_experiments_plan(struct dyno_experiments *out,
                                  const struct dyno_experiments_size *size)
{
    uint32_t most = size->long_tokens - 1, late = size->long_tokens - DYNO_EXPERIMENT_SHORT_TOKENS;

    *out = (struct dyno_experiments){.rounds = size->rounds};
    out->samples = calloc((size_t)DYNO_EXPERIMENTS_MAX * 3 * size->rounds, sizeof *out->samples);
    if (!out->samples) {
        return DYNO_NO_MEMORY;
    }
    plan_sizes(out, DYNO_EXPERIMENT_PREFILL, lesser(size->rows, most));
    plan_sizes(out, DYNO_EXPERIMENT_PREFILL_AFTER_PAUSE, lesser(size->rows, most));
    plan_sizes(out, DYNO_EXPERIMENT_DECODE, size->seqs);
    plan_sizes(out, DYNO_EXPERIMENT_DECODE_BEHIND,
               lesser(size->rows, most - DYNO_EXPERIMENT_STEPS_MAX));
    out->size_count = out->count;
    out->chunk = find(out, DYNO_EXPERIMENT_PREFILL, size->chunk);
    out->late_chunk = plan(out, DYNO_EXPERIMENT_PREFILL, size->chunk, most - size->chunk);
    out->few = find(out, DYNO_EXPERIMENT_DECODE, size->long_seqs);
    out->long_few = plan(out, DYNO_EXPERIMENT_DECODE, size->long_seqs, late);
    if (size->has_long_one) {
        out->long_one = plan(out, DYNO_EXPERIMENT_DECODE, 1, late);
    }
    return DYNO_OK;
}

void dyno_experiments_release(struct dyno_experiments *experiments)
{
    free(experiments->samples);
    experiments->samples = NULL;
}

/* ---- dividing -------------------------------------------------------------------------------- */

static double at_least(double value, double least)
{
    return value > least ? value : least;
}

/* Tokens that decode steps read, on the mean, over the steps that were measured. */
static double mean_context(const struct dyno_experiment *experiment)
{
    return experiment->size *
           (experiment->context + 1 + dyno_experiment_first_steps(experiment->size) +
            (dyno_experiment_steps(experiment->size) - 1) / 2.0 + 1);
}

static void add_point(struct dyno_machine_curve *curve, uint32_t at, double ns)
{
    curve->at[curve->count] = at;
    curve->ns[curve->count++] = ns;
}

/* By the differences within a round, so that what changes from round to round falls out; up to when
 * the pass ends, which may be before the loop hears of it.  Before medians are in ns[0], for it
 * needs every round; it leaves those of pauses in disorder. */
static void divide_pauses(const struct dyno_experiments *set, struct dyno_machine *machine)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const struct dyno_experiment *is = &set->list[i];
        const struct dyno_experiment *at_once = find(set, DYNO_EXPERIMENT_PREFILL, is->size);

        if (is->kind != DYNO_EXPERIMENT_PREFILL_AFTER_PAUSE) {
            continue;
        }
        for (uint32_t round = 0; round < set->rounds; round++) {
            is->ns[round] +=
                is->around[round] - is->heard[round] - at_once->ns[round] - at_once->around[round];
        }
        add_point(&machine->idle, is->size, at_least(dyno_median(is->ns, set->rounds), 0.0));
    }
}

/* What rows take where nothing yields.  A decode step computes as many and yields besides; if it
 * was faster, the prompt met caches that the pass before it had filled with something else. */
static double rows_ns(const struct dyno_experiments *set, const struct dyno_machine *machine,
                      const struct dyno_experiment *prefill)
{
    const struct dyno_experiment *decode = find(set, DYNO_EXPERIMENT_DECODE, prefill->size);
    double ns = prefill->ns[0] - machine->pair_ns * prefill->size * (prefill->size + 1.0) / 2.0;
    double most = decode ? decode->ns[0] - machine->context_ns * mean_context(decode) : ns;

    return at_least(ns < most ? ns : most, 1.0);
}

static void divide_sizes(const struct dyno_experiments *set, struct dyno_machine *machine)
{
    for (uint32_t i = 0; i < set->size_count; i++) {
        const struct dyno_experiment *is = &set->list[i];

        if (is->kind == DYNO_EXPERIMENT_PREFILL) {
            add_point(&machine->rows, is->size, rows_ns(set, machine, is));
        } else if (is->kind == DYNO_EXPERIMENT_DECODE_BEHIND) {
            add_point(&machine->behind, is->size, at_least(is->ns[0], 0.0));
        } else if (is->kind == DYNO_EXPERIMENT_DECODE) {
            add_point(&machine->yields, is->size,
                      at_least(is->ns[0] - machine->context_ns * mean_context(is) -
                                   dyno_machine_curve_ns(&machine->rows, is->size),
                               0.0));
        }
    }
}

/* What a token costs that decode steps read: as far as one sequence goes, and beyond. */
static void divide_contexts(const struct dyno_experiments *set, struct dyno_machine *machine)
{
    const struct dyno_experiment *one = find(set, DYNO_EXPERIMENT_DECODE, 1),
                                 *long_one = set->long_one;
    const struct dyno_experiment *few = set->few, *long_few = set->long_few;
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

void dyno_experiments_divide(const struct dyno_experiments *set, struct dyno_machine *machine)
{
    const struct dyno_experiment *chunk = set->chunk, *late_chunk = set->late_chunk;

    divide_pauses(set, machine);
    for (uint32_t i = 0; i < set->count; i++) {
        set->list[i].ns[0] = dyno_median(set->list[i].ns, set->rounds);
        set->list[i].around[0] = dyno_median(set->list[i].around, set->rounds);
    }
    machine->pair_ns = at_least(
        (late_chunk->ns[0] - chunk->ns[0]) / ((double)chunk->size * late_chunk->context), 0.0);
    divide_contexts(set, machine);
    machine->pass_ns = at_least(set->list[0].around[0], 0.0);
    divide_sizes(set, machine);
}

/* What is measured of a machine, and how what was measured is divided into the costs of
 * sim/machine.h.  No clock and no device: the caller runs the passes.
 */
#ifndef DYNO_CLI_MACHINE_EXPERIMENTS_H
#define DYNO_CLI_MACHINE_EXPERIMENTS_H

#include <stdbool.h>

#include "core/base/status.h"
#include "sim/machine.h"

enum {
    DYNO_EXPERIMENTS_MAX = 4 * DYNO_MACHINE_POINTS_MAX,
    DYNO_EXPERIMENT_SHORT_TOKENS = 64, /* of sequences without a long context, at most */
    DYNO_EXPERIMENT_FIRST_STEPS = 16,  /* decode steps right behind a prompt, at most */
    DYNO_EXPERIMENT_STEPS_MAX = 48,    /* decode steps of a sequence, with those, at most */
};

enum dyno_experiment_kind {
    DYNO_EXPERIMENT_PREFILL,             /* a prompt slice right after another pass */
    DYNO_EXPERIMENT_PREFILL_AFTER_PAUSE, /* one that was due when a pause ended */
    DYNO_EXPERIMENT_DECODE,              /* decode steps behind others */
    DYNO_EXPERIMENT_DECODE_BEHIND, /* the first ones of a sequence, behind a prompt of `size` tokens
                                    */
};

/* A kind of pass. */
struct dyno_experiment {
    enum dyno_experiment_kind kind;
    uint32_t size;    /* rows of a prompt slice, or sequences that decode */
    uint32_t context; /* tokens before */
    double *ns;       /* [rounds] a step's; of DECODE_BEHIND what the pass takes more than one that
                         follows it */
    double *around;   /* [rounds] beside the steps, from submit (after a pause: from when it was
                         due) to reap ... */
    double *heard;    /* [rounds] ... of that what lies behind their end */
};

/* The list owns the samples of its experiments. */
struct dyno_experiments {
    struct dyno_experiment list[DYNO_EXPERIMENTS_MAX]; /* [count] those of all sizes ... */
    uint32_t count, size_count;                        /* ... first */
    const struct dyno_experiment *chunk, *late_chunk;  /* without a context and behind a long one */
    const struct dyno_experiment *few, *long_few;      /* sequences with short and long contexts */
    const struct dyno_experiment *long_one;            /* NULL: not measured */
    uint32_t rounds;                                   /* that were run: the caller may lower it */
    double *samples;                                   /* [DYNO_EXPERIMENTS_MAX][3][rounds] */
};

/* What is planned: powers of two up to the largest of each, and the largest itself. */
struct dyno_experiments_size {
    uint32_t rows, seqs;             /* of a pass at most */
    uint32_t long_seqs, long_tokens; /* sequences that have long contexts, and how long */
    uint32_t chunk;                  /* tokens of the slice behind a long context; a power of two,
                                        <= rows, and < long_tokens */
    bool has_long_one;               /* one sequence with a long context by itself, too */
    uint32_t rounds;
};

/* Error: DYNO_NO_MEMORY. */
dyno_status dyno_experiments_plan(struct dyno_experiments *out,
                                  const struct dyno_experiments_size *size);
void dyno_experiments_release(struct dyno_experiments *experiments);

/* Decode steps of so many sequences that are measured, ... */
uint32_t dyno_experiment_steps(uint32_t seqs);
/* ... behind so many steps that are not: the first ones behind a prompt are dearer than those that
 * follow (threads that come back, caches that held something else). */
uint32_t dyno_experiment_first_steps(uint32_t seqs);

/* Divide the medians of the rounds into rows, yields, idle, behind, pair_ns, context_ns (and _far)
 * and pass_ns of *machine, whose curves have no point yet; nothing is below 0.  Samples are in
 * disorder afterwards. */
void dyno_experiments_divide(const struct dyno_experiments *set, struct dyno_machine *machine);

#endif

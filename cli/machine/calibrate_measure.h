/* Measuring this machine as a device. */
#ifndef DYNO_CLI_MACHINE_CALIBRATE_MEASURE_H
#define DYNO_CLI_MACHINE_CALIBRATE_MEASURE_H

#include <stdbool.h>

#include "sim/machine.h"

enum { DYNO_MEASURE_ROUNDS_MIN = 5 };

struct dyno_measure_config {
    const char *model; /* as --model */
    bool is_cuda;      /* the first GPU; else the CPU */
    uint32_t threads;
    uint32_t ranks;                      /* of a worker, which share its passes */
    uint32_t batch_tokens_max, seqs_max; /* the largest passes */
    /* Powers of two, at most the above: sequences that may have a long context, of so many tokens
     * if the model has them; and the tokens of the prompt slice that is measured behind one. */
    uint32_t long_seqs, long_tokens_max, chunk_tokens;
    dyno_ns pause_ns;      /* before a prompt that is measured after a pause ... */
    bool in_bursts;        /* ... and before whatever else is measured as well */
    uint32_t rounds;       /* at most, >= DYNO_MEASURE_ROUNDS_MIN ... */
    dyno_ns budget_ns;     /* ... and no further ones after this time */
    const char *far;       /* the address of a `dyno worker` that is measured too; NULL: none */
    const char *transport; /* to it: auto, shm, tcp */
    const char *file;      /* of KV, that is measured; NULL: one without a name in $TMPDIR */
    void (*progress)(void *context, uint32_t rounds_done, uint32_t rounds); /* may be NULL */
    void *progress_context;
    /* Called after each round, as progress, for what should meet the machine as it is just now;
     * the time that it takes is no part of the budget.  May be NULL; an error ends the measuring.
     */
    dyno_status (*between)(void *context, uint32_t rounds_done, uint32_t rounds,
                           struct dyno_error *error);
    void *between_context;
};

/* What `dyno calibrate` measures of a CPU unless it is told otherwise, and of a GPU.  The model,
 * threads and ranks are left to the caller. */
extern const struct dyno_measure_config dyno_measure_cpu, dyno_measure_cuda;

/* Errors: the model's; DYNO_UNSUPPORTED (its context is too short), DYNO_NO_MEMORY; of `far` as
 * dyno_ucx_peers_open, of `file` as dyno_kv_file_open; those of `between`. */
dyno_status dyno_machine_measure(struct dyno_machine *out, const struct dyno_measure_config *config,
                                 struct dyno_error *error);

#endif

/* Measuring this machine as a device. */
#ifndef DYNO_CLI_MACHINE_CALIBRATE_MEASURE_H
#define DYNO_CLI_MACHINE_CALIBRATE_MEASURE_H

#include <stdbool.h>

#include "sim/machine.h"

struct dyno_measure_config {
    const char *model; /* as --model */
    bool is_cuda;      /* the first GPU; else the CPU */
    uint32_t threads;
    uint32_t ranks;                      /* of a worker, which share its passes */
    uint32_t batch_tokens_max, seqs_max; /* the largest passes */
    /* Powers of two, at most the above: sequences that may have a long context, of so many tokens
     * if the model has them; and the tokens of the prompt slice that is measured behind one. */
    uint32_t long_seqs, long_tokens_max, chunk_tokens;
    dyno_ns pause_ns;      /* before a prompt that is measured after a pause */
    uint32_t rounds;       /* at most, >= 5 ... */
    dyno_ns budget_ns;     /* ... and no further ones after this time */
    const char *far;       /* the address of a `dyno worker` that is measured too; NULL: none */
    const char *transport; /* to it: auto, shm, tcp */
    const char *file;      /* of KV, that is measured; NULL: one without a name in $TMPDIR */
    void (*progress)(void *context, uint32_t rounds_done, uint32_t rounds); /* may be NULL */
    void *progress_context;
};

/* Errors: the model's; DYNO_UNSUPPORTED (its context is too short), DYNO_NO_MEMORY; of `far` as
 * dyno_ucx_peers_open, of `file` as dyno_kv_file_open. */
dyno_status dyno_machine_measure(struct dyno_machine *out, const struct dyno_measure_config *config,
                                 struct dyno_error *error);

#endif

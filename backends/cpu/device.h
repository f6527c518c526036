/* The CPU as a device: workers that compute real tokens (backends/cpu/ranks.h) in threads of
 * their own (backends/engine/threaded.h), over one set of weights.
 *
 * The next token is the one with the largest logit; of equal ones, the first.  A request that
 * brings a generation is asked (backends/engine/generation.h); one that embeds costs no logits.
 */
#ifndef DYNO_BACKENDS_CPU_DEVICE_H
#define DYNO_BACKENDS_CPU_DEVICE_H

#include "backends/assets/weights.h"
#include "backends/cpu/kv_storage.h"
#include "backends/engine/threaded.h"

struct dyno_cpu_config {
    const struct dyno_weights *weights; /* not owned; shared by all workers */
    uint32_t threads;                   /* of each worker, >= 1; of each of its ranks an equal
                                           part, but at least one */
    uint32_t ranks;                     /* that share every pass of a worker; 0: as 1 */
    uint32_t blocks, block_tokens;      /* KV of each worker */
    uint32_t batch_tokens_max;          /* rows of a pass */
    /* Workers that are there when the device opens: [ready_first, ready_first + ready_count); 0:
     * all of them.  The others are started by dyno_threaded_device_start. */
    uint32_t ready_first, ready_count;
    bool tells_layers; /* of passes, to those who wait at dyno_threaded_device_gate */
    bool predicts; /* measure a few passes when it opens, so that it can say what one would take */
    /* worker_count, seqs_max, steps_max, transcripts, answers, clock; the rest is filled in. */
    struct dyno_threaded_config threaded;
};

/* On success *out is closed through its ops; on failure it is untouched.
 * Errors: as dyno_ranks_open and dyno_threaded_device_open. */
dyno_status dyno_cpu_device_open(struct dyno_device **out, const struct dyno_cpu_config *config,
                                 struct dyno_error *error);

/* Keys and values of a worker's rank, of a device that dyno_cpu_device_open opened: as
 * dyno_ranks_storage.  The worker is there, and they are others when it has been started again. */
struct dyno_kv_storage *dyno_cpu_device_storage(const struct dyno_device *device, uint32_t worker,
                                                uint32_t rank);

#endif

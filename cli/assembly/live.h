/* The real half of an assembly: a model with its weights, and the devices that compute it. */
#ifndef DYNO_CLI_ASSEMBLY_LIVE_H
#define DYNO_CLI_ASSEMBLY_LIVE_H

#include "backends/assets/weights.h"
#include "backends/engine/threaded.h"
#include "backends/engine/transcript.h"
#include "cli/scenario/live.h"
#include "cli/scenario/scenario.h"
#include "core/run/clock.h"
#include "core/worker/config.h"
#include "core/worker/device.h"
#include "sim/machine.h"

struct dyno_live {
    struct dyno_weights *weights;
    struct dyno_transcripts *transcripts;
};

/* What a worker is that computes, or was measured: as many KV blocks as kv.blocks says, or as its
 * sequences can fill, at most 1 GiB of them, or on GPUs what there is free; no scheduling ahead,
 * and no host time but the real one.  `live` is open where the device is real.
 * Errors: as dyno_cuda_device_blocks; DYNO_NO_MEMORY (more KV than this process may have). */
dyno_status dyno_live_configure(struct dyno_worker_config *worker, const struct dyno_live *live,
                                const struct dyno_scenario *scenario,
                                const struct dyno_model *model, struct dyno_error *error);

/* The path of the model that the scenario names, beside the program or anywhere. */
dyno_status dyno_live_model(struct dyno_model *out, const char *name, struct dyno_error *error);

/* Weights and transcripts.  What was opened is closed with dyno_live_close, also on failure. */
dyno_status dyno_live_open(struct dyno_live *live, const struct dyno_scenario *scenario,
                           struct dyno_error *error);
void dyno_live_close(struct dyno_live *live);

/* Bytes of one block of KV of a CPU's worker, on all of its ranks. */
uint64_t dyno_live_block_bytes(const struct dyno_worker_config *worker,
                               const struct dyno_model *model, uint32_t ranks);

/* The workers of a device: so many, of which [ready_first, ready_first + ready_count) are there
 * when it opens.  `beside` is the device of those who decode, if these compute prompts, and
 * `are_pulled` if others pull those, `tell_layers` if those move layer by layer.  *start_ns becomes
 * what starting one takes, where opening the device takes more than starting them. */
struct dyno_live_workers {
    uint32_t count, ready_first, ready_count;
    bool are_pulled, tell_layers;
    const struct dyno_device *beside;
    dyno_ns *start_ns;
};

/* The devices of these workers; `answers` is asked where the scenario says that requests
 * end as recorded.  On success *out is closed through its ops, before the rest. */
struct dyno_answers;
dyno_status dyno_live_device(struct dyno_device **out, const struct dyno_live *live,
                             const struct dyno_scenario *scenario,
                             const struct dyno_worker_config *worker,
                             struct dyno_live_workers workers, struct dyno_answers *answers,
                             struct dyno_clock *clock, struct dyno_error *error);

/* What they all are, but for who computes. */
struct dyno_threaded_config
dyno_live_threaded(const struct dyno_live *live, const struct dyno_scenario *scenario,
                   const struct dyno_worker_config *worker, const struct dyno_live_workers *workers,
                   struct dyno_answers *answers, struct dyno_clock *clock);

/* Threads of one worker. */
uint32_t dyno_live_threads(const struct dyno_scenario *scenario);

#endif

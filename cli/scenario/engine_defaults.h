/* What workers do where nobody says: as the engine profile, and how much they take at once as
 * vLLM and SGLang decide it, by the GPU. */
#ifndef DYNO_CLI_SCENARIO_ENGINE_DEFAULTS_H
#define DYNO_CLI_SCENARIO_ENGINE_DEFAULTS_H

#include "cli/scenario/scenario.h"
#include "core/model/gpu.h"
#include "core/worker/config.h"

/* The most that a worker takes at once. */
struct dyno_limits {
    uint32_t tokens; /* in a pass */
    uint32_t seqs;   /* running */
};

/* Those of the engine where nobody says.
 * `vllm serve`: 8,192 and 1,024 with 70 GiB of memory or more, but for the A100; 2,048 and 256 on
 * all other GPUs (get_batch_defaults in vllm/engine/arg_utils.py, 0.9 to 0.19).
 * SGLang's chunked_prefill_size: 2,048 tokens below 35 GiB, 4,096 below 60, 8,192 below 160, 16,384
 * above (_handle_gpu_memory_settings in python/sglang/srt/server_args.py, from 0.5.4).
 * All else: the profile's. */
struct dyno_limits dyno_limits_of_gpu(const char *engine, const struct dyno_gpu *gpu);

/* Put in place of `worker`'s limits, which are the profile's, those that follow from the GPU where
 * the scenario leaves them to it: engines vllm and sglang, simulated GPUs.  Under vllm running
 * sequences are no more than tokens in a pass.  Where prompts are not cut, passes have the
 * profile's tokens at least, because a prompt has to fit into one (vLLM: the longest context). */
void dyno_limits_fill(struct dyno_worker_config *worker, const struct dyno_scenario *scenario,
                      const struct dyno_gpu *gpu);

/* Set every option that is still the profile's.  A limit, or a share of memory, that is not the
 * same for all workers of the fleet stays "profile": each kind of worker finds its own
 * (dyno_limits_fill, dyno_timing_memory_share).  Of a GPU that is not known, which is refused
 * later, nothing is said. */
dyno_status dyno_engine_defaults_settle(const struct dyno_scenario *scenario,
                                        struct dyno_options *options, struct dyno_error *error);

#endif

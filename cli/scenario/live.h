/* What a scenario says of its devices: whether they compute, on what, and where. */
#ifndef DYNO_CLI_SCENARIO_LIVE_H
#define DYNO_CLI_SCENARIO_LIVE_H

#include <stdbool.h>

#include "cli/scenario/scenario.h"

/* Whether the scenario's device computes; whether it does, or pretends to be a machine that was
 * measured computing. */
bool dyno_live_is_real(const struct dyno_scenario *scenario);
bool dyno_live_is_machine(const struct dyno_scenario *scenario);

/* Whether it computes on GPUs. */
bool dyno_live_is_cuda(const struct dyno_scenario *scenario);

/* Whether it computes, and in other processes: prompts for those that decode; those that decode, or
 * serve whole requests; or any of them. */
bool dyno_live_prefill_is_far(const struct dyno_scenario *scenario);
bool dyno_live_fleet_is_far(const struct dyno_scenario *scenario);
bool dyno_live_is_far(const struct dyno_scenario *scenario);

/* Whether its workers are started and stopped for real, and outlive each other. */
bool dyno_live_starts(const struct dyno_scenario *scenario);

/* Whether it tells generations how likely prompts are (score, of backends/engine/generation.h). */
bool dyno_live_scores(const struct dyno_scenario *scenario);

/* Whether other servers take the workers' place. */
bool dyno_live_is_remote(const struct dyno_scenario *scenario);

/* What the options say together of workers in other processes.  DYNO_BAD_INPUT. */
dyno_status dyno_live_far_check(const struct dyno_scenario *scenario,
                                const struct dyno_options *options, struct dyno_error *error);

#endif

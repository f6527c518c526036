/* What the options of a scenario mean together: what follows from them, and what contradicts. */
#ifndef DYNO_CLI_SCENARIO_SETTLE_H
#define DYNO_CLI_SCENARIO_SETTLE_H

#include "cli/scenario/scenario.h"

/* Settle what follows from other options, keeping the origin of what it follows from:
 *   router.plugin            makes router.policy "plugin"
 *   generate.arrival concurrency:N beside trace.path   becomes trace.concurrency N
 *   disagg.policy            makes fleet.workers the sum of disagg.prefill and disagg.decode
 *   what is the engine profile's takes the profile's value
 * and refuse contradictions.  Settling twice changes nothing. */
dyno_status dyno_scenario_settle(struct dyno_scenario *scenario, struct dyno_options *options,
                                 struct dyno_error *error);

/* What serving changes, before the rest is settled: see dyno_scenario_load_to_serve. */
dyno_status dyno_scenario_settle_to_serve(const struct dyno_scenario *scenario,
                                          struct dyno_options *options, struct dyno_error *error);

/* There is something to replay, and an end to it. */
dyno_status dyno_scenario_check(const struct dyno_scenario *scenario,
                                const struct dyno_options *options, struct dyno_error *error);

#endif

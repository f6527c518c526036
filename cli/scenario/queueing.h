/* What a scenario says of when workers are busy, and of who waits then (docs/admission.md). */
#ifndef DYNO_CLI_SCENARIO_QUEUEING_H
#define DYNO_CLI_SCENARIO_QUEUEING_H

#include <stdbool.h>

#include "cli/scenario/scenario.h"

/* Whether a worker may be busy. */
bool dyno_queueing_is_on(const struct dyno_scenario *scenario);

/* What the options say together, and that somebody could have to wait where they are given. */
dyno_status dyno_queueing_check(const struct dyno_scenario *scenario,
                                const struct dyno_options *options, struct dyno_error *error);

#endif

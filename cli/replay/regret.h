/* What a planner cost that one which knew the requests would not have. */
#ifndef DYNO_CLI_REPLAY_REGRET_H
#define DYNO_CLI_REPLAY_REGRET_H

#include <signal.h>

#include "cli/assembly/assembly.h"

/* Serve the requests of `done`, a finished run with a planner, once more under the planner
 * clairvoyant, and compare.  Nothing of the second run is kept.  Errors: as of a run. */
dyno_status dyno_regret_compute(struct dyno_plan_regret *out, struct dyno_assembly *done,
                                const volatile sig_atomic_t *interrupted, struct dyno_error *error);

#endif

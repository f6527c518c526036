/* What a scenario says of faults (docs/faults.md). */
#ifndef DYNO_CLI_SCENARIO_FAULTING_H
#define DYNO_CLI_SCENARIO_FAULTING_H

#include <stdbool.h>

#include "cli/scenario/scenario.h"
#include "core/run/faults.h"

/* Whether anything may go wrong. */
bool dyno_faulting_is_on(const struct dyno_scenario *scenario);

/* Whether workers that fail by themselves take nobody along: they compute here.  Elsewhere the
 * program ends. */
bool dyno_faulting_guards(const struct dyno_scenario *scenario);

/* What the options say together: faults that can be read, of workers that there are, and nothing
 * that would make no difference.  DYNO_BAD_INPUT. */
dyno_status dyno_faulting_check(const struct dyno_scenario *scenario,
                                const struct dyno_options *options, struct dyno_error *error);

/* What it asks for and what is drawn, of so many workers.  On success *out is closed through its
 * ops.  Errors: DYNO_BAD_INPUT (faults.list, in words), DYNO_NO_MEMORY. */
dyno_status dyno_faulting_chaos(struct dyno_faults **out, const struct dyno_scenario *scenario,
                                uint32_t workers, struct dyno_error *error);

#endif

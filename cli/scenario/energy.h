/* What a scenario says of energy and costs. */
#ifndef DYNO_CLI_SCENARIO_ENERGY_H
#define DYNO_CLI_SCENARIO_ENERGY_H

#include "cli/scenario/scenario.h"

/* What the options say together.  DYNO_BAD_INPUT. */
dyno_status dyno_energy_check(const struct dyno_scenario *scenario,
                              const struct dyno_options *options, struct dyno_error *error);

/* Whether there is a price: without one nothing is known of costs. */
bool dyno_energy_is_priced(const struct dyno_scenario *scenario);

#endif

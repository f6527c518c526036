/* What a scenario says of a planner (docs/planner.md). */
#ifndef DYNO_CLI_SCENARIO_PLANNING_H
#define DYNO_CLI_SCENARIO_PLANNING_H

#include <stdbool.h>

#include "cli/scenario/scenario.h"
#include "traces/law.h"

/* In the place of a law: what a start takes is seen, or was measured. */
#define DYNO_START_MEASURED "measured"

/* As dyno_law_parse_seconds, or DYNO_START_MEASURED: `measured_ns`. */
dyno_status dyno_planning_law(struct dyno_law *out, const char *option, const char *text,
                              dyno_ns measured_ns, struct dyno_error *error);

/* Whether the scenario has a planner. */
bool dyno_planning_is_on(const struct dyno_scenario *scenario);

/* Whether it plans for two roles: workers that compute prompts, and workers that decode. */
bool dyno_planning_has_roles(const struct dyno_scenario *scenario);

/* The most workers that limits and budget allow. */
uint32_t dyno_planning_workers_max(const struct dyno_scenario *scenario);

/* How many serve when the run begins; those that compute prompts only are not among them. */
uint32_t dyno_planning_ready_first(const struct dyno_scenario *scenario);

/* What the options say together: limits that can be met, objectives where they are needed. */
dyno_status dyno_planning_check(const struct dyno_scenario *scenario, struct dyno_error *error);

#endif

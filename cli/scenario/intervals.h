/* What a scenario says of intervals: from how many replicas (cli/replay/intervals.h). */
#ifndef DYNO_CLI_SCENARIO_INTERVALS_H
#define DYNO_CLI_SCENARIO_INTERVALS_H

#include "cli/scenario/scenario.h"

enum { DYNO_INTERVALS_AUTO = 8 };

/* What `output.intervals` says, in replicas: 0 for "none" (NULL), DYNO_INTERVALS_AUTO for "auto",
 * or the number; UINT32_MAX where it says nothing of the kind. */
uint32_t dyno_intervals_asked(const char *text);

/* DYNO_BAD_INPUT where `output.intervals` is none of these, or asks for replicas of a run in real
 * time. */
dyno_status dyno_intervals_check(const struct dyno_scenario *scenario,
                                 const struct dyno_options *options, struct dyno_error *error);

#endif

/* In what respects a run went beyond what its timing was measured on. */
#ifndef DYNO_CLI_REPLAY_EXTRAPOLATION_H
#define DYNO_CLI_REPLAY_EXTRAPOLATION_H

#include "cli/assembly/assembly.h"
#include "reports/reports.h"

enum { DYNO_EXTRAPOLATIONS_MAX = 12 };

/* Fills `out` [DYNO_EXTRAPOLATIONS_MAX] for a finished run; returns how many. */
uint32_t dyno_extrapolations_find(const struct dyno_assembly *assembly,
                                  struct dyno_extrapolation *out);

#endif

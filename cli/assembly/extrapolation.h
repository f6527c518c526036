/* In what respects a run went beyond what its timing was measured on. */
#ifndef DYNO_CLI_ASSEMBLY_EXTRAPOLATION_H
#define DYNO_CLI_ASSEMBLY_EXTRAPOLATION_H

#include "reports/reports.h"

struct dyno_assembly;

enum { DYNO_EXTRAPOLATIONS_MAX = 12 }; /* as many as there are words for what it is */

/* Fills `out` [DYNO_EXTRAPOLATIONS_MAX] for a finished run; returns how many.  Workers that compute
 * prompts and workers of other models are held against what was measured of their own GPUs; of
 * several that go beyond it in the same respect the first is told, of GPUs that were not measured
 * all. */
uint32_t dyno_extrapolations_find(struct dyno_assembly *assembly, struct dyno_extrapolation *out);

#endif

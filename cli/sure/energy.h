/* What a run's GPUs draw from cell to cell of time: the inside of cli/sure/cells.c.
 *
 * A run tells the energy of all of it (docs/metrics.md, Cost): what GPUs draw that are up and idle,
 * and what they draw on top of that by what they do.  The first part goes to the cells by the
 * GPU-seconds that are up in them.  The second goes by the GPU-seconds that are busy in them, as
 * looks at the workers tell those (run.sample_every): a busy GPU is taken to do as much in one cell
 * as in another.  Cells add up to what the run tells. */
#ifndef DYNO_CLI_SURE_ENERGY_H
#define DYNO_CLI_SURE_ENERGY_H

#include "cli/arms/arm_runs.h"

/* Of a run whose cell i lies from edges[i] to edges[i + 1] ns, [cells + 1] of them, rising, the
 * first 0; gpu_seconds[cells] are up, and a worker has gpus_of(context, worker) GPUs.  Error:
 * DYNO_NO_MEMORY. */
dyno_status dyno_tune_energy(double *kwh, const struct dyno_arm_run *run, uint32_t cells,
                             const double *edges, const double *gpu_seconds,
                             double (*gpus_of)(const void *context, uint32_t worker),
                             const void *context);

/* Whether a run tells enough for that. */
bool dyno_tune_energy_is_known(const struct dyno_arm_run *run);

#endif

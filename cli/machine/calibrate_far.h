/* Measuring what a worker in another process costs more than one in this one: moving blocks from
 * its memory, and asking it for a step. */
#ifndef DYNO_CLI_MACHINE_CALIBRATE_FAR_H
#define DYNO_CLI_MACHINE_CALIBRATE_FAR_H

#include "backends/assets/weights.h"
#include "cli/machine/calibrate_measure.h"
#include "core/run/clock.h"

/* Fills the far_ fields, with the worker at config->far.  `clock` is a wall clock.
 * Errors: as dyno_ucx_peers_open, dyno_cpu_links_open and dyno_ucx_device_open. */
dyno_status dyno_far_measure(struct dyno_machine *out, const struct dyno_measure_config *config,
                             const struct dyno_weights *weights, struct dyno_clock *clock,
                             struct dyno_error *error);

#endif

/* Measuring what the loop's own turns take before something is sent that moves blocks. */
#ifndef DYNO_CLI_MACHINE_CALIBRATE_TURNS_H
#define DYNO_CLI_MACHINE_CALIBRATE_TURNS_H

#include "cli/machine/calibrate_measure.h"

/* Fills sent_ns and sent_after_pause_ns by a short replay on one worker.  Errors: as
 * dyno_assembly_open and dyno_assembly_run. */
dyno_status dyno_turns_measure(struct dyno_machine *out, const struct dyno_measure_config *config,
                               struct dyno_error *error);

#endif

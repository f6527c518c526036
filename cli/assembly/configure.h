/* What a scenario's model, GPU and engine come to: the timing and the workers of an assembly. */
#ifndef DYNO_CLI_ASSEMBLY_CONFIGURE_H
#define DYNO_CLI_ASSEMBLY_CONFIGURE_H

#include "cli/assembly/assembly.h"

/* Fills timing_config, worker, calibration, and live or machine where the scenario asks for them.
 * Errors: as dyno_assembly_open; what was opened is closed by dyno_assembly_close. */
dyno_status dyno_assembly_configure(struct dyno_assembly *assembly, struct dyno_error *error);

#endif

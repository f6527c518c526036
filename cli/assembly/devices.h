/* The devices of an assembly: those that compute, or pretend to, and who stands before them. */
#ifndef DYNO_CLI_ASSEMBLY_DEVICES_H
#define DYNO_CLI_ASSEMBLY_DEVICES_H

#include "cli/assembly/assembly.h"

/* Source and clock are open.  Errors: as of the devices; what was opened is the assembly's. */
dyno_status dyno_assembly_open_devices(struct dyno_assembly *assembly, struct dyno_error *error);

/* Whether its workers are started and stopped for real: not where a journal is fed back, or the
 * fleet serves several models, either. */
bool dyno_assembly_starts(const struct dyno_assembly *assembly);

#endif

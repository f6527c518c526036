/* What a scenario's model, GPU and engine come to: the timing and the workers of an assembly. */
#ifndef DYNO_CLI_ASSEMBLY_CONFIGURE_H
#define DYNO_CLI_ASSEMBLY_CONFIGURE_H

#include "cli/assembly/assembly.h"

/* Fills timing_config, worker, calibration, and live or machine where the scenario asks for them.
 * Errors: as dyno_assembly_open; what was opened is closed by dyno_assembly_close. */
dyno_status dyno_assembly_configure(struct dyno_assembly *assembly, struct dyno_error *error);

/* A GPU that dyno knows, or the one that a file describes.
 * Errors: DYNO_NOT_FOUND, with the word that was meant; as dyno_assets_gpu. */
dyno_status dyno_configure_gpu(struct dyno_gpu *out, const char *name, struct dyno_error *error);

#endif

/* Who asks of an assembly: its scenario's trace or generator, or somebody outside. */
#ifndef DYNO_CLI_ASSEMBLY_SOURCE_H
#define DYNO_CLI_ASSEMBLY_SOURCE_H

#include "cli/assembly/assembly.h"

/* Opens `source`, and `recorded` below it, of an assembly that is configured and has a clock and
 * answers.  In real time requests of which no worker could take one are refused: whoever asked
 * would wait through all of them to hear so.  They are read ahead up to the first that fits; not
 * where they could not be read again.  Errors: DYNO_BAD_INPUT, and as dyno_assembly_open. */
dyno_status dyno_assembly_open_source(struct dyno_assembly *assembly, unsigned flags,
                                      struct dyno_error *error);

#endif

/* Measuring what moving blocks of KV from one worker's memory to another's takes. */
#ifndef DYNO_CLI_MACHINE_CALIBRATE_COPIES_H
#define DYNO_CLI_MACHINE_CALIBRATE_COPIES_H

#include "core/model/model.h"
#include "core/run/clock.h"
#include "sim/machine.h"

/* Fills copy_byte_ns and copy_ns.  `clock` is a wall clock.  Errors: DYNO_NO_MEMORY, DYNO_IO (as
 * dyno_cpu_links_open). */
dyno_status dyno_copies_measure(struct dyno_machine *out, const struct dyno_model *model,
                                struct dyno_clock *clock, struct dyno_error *error);

#endif

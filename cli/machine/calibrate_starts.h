/* What starting a worker of this machine's CPU takes: `dyno calibrate`. */
#ifndef DYNO_CLI_MACHINE_CALIBRATE_STARTS_H
#define DYNO_CLI_MACHINE_CALIBRATE_STARTS_H

#include "backends/cpu/device.h"
#include "sim/machine.h"

/* Sets start_ns and start_byte_ns.  `config` is that of a device of one worker; its blocks do not
 * count.  Errors: as dyno_cpu_device_open; DYNO_NO_MEMORY: a start failed. */
dyno_status dyno_starts_measure(struct dyno_machine *out, const struct dyno_cpu_config *config,
                                struct dyno_error *error);

#endif

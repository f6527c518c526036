/* What was found in caches and tiers, and moved, for real and simulated. */
#ifndef DYNO_CLI_MACHINE_VALIDATION_MOVED_H
#define DYNO_CLI_MACHINE_VALIDATION_MOVED_H

#include <stdio.h>

#include "core/model/record.h"

/* A few lines, of which those of transfers are left out where there were none. */
void dyno_validation_print_moved(const struct dyno_fleet_totals *real,
                                 const struct dyno_fleet_totals *simulated, FILE *out);

#endif

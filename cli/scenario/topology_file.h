/* A topology from a YAML file (docs/links.md lists the keys). */
#ifndef DYNO_CLI_SCENARIO_TOPOLOGY_FILE_H
#define DYNO_CLI_SCENARIO_TOPOLOGY_FILE_H

#include "sim/topology.h"

/* On success *out is complete, but not yet checked against a fleet (dyno_topology_check); on
 * failure it is untouched.  Errors: DYNO_NOT_FOUND, DYNO_IO, DYNO_BAD_INPUT with line and column.
 */
dyno_status dyno_topology_read(struct dyno_topology *out, const char *path,
                               struct dyno_error *error);

#endif

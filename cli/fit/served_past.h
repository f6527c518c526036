/* A run of dyno's own, out of a database, as a recorded benchmark. */
#ifndef DYNO_CLI_FIT_SERVED_PAST_H
#define DYNO_CLI_FIT_SERVED_PAST_H

#include "backends/assets/served_run.h"

/* As dyno_served_run_read, and of a database of runs the last one in it that came to its end. */
dyno_status dyno_served_any_read(struct dyno_served_run *out, const char *path,
                                 struct dyno_error *error);

#endif

/* What a tuning starts from: its scenario as it was given, the requests, which of them are tuned
 * on, and the database. */
#ifndef DYNO_CLI_TUNE_LOAD_H
#define DYNO_CLI_TUNE_LOAD_H

#include "cli/tune/tune.h"

/* Load the scenario of argc and argv into `given`, and part its requests.  Where a goal counts
 * goodput and nobody gave objectives, the limits on latencies become the objectives; where nobody
 * named a database it is tune.db.  Both are then on the command line, which `tune` owns.  Errors
 * are of wrong use.  On failure dyno_tune_unload releases what there is. */
dyno_status dyno_tune_load(struct dyno_tune *tune, int argc, char **argv, struct dyno_error *error);

/* Open the database, if one is kept.  Errors: DYNO_BAD_INPUT (it holds another tuning), else as
 * dyno_database_open. */
dyno_status dyno_tune_open_database(struct dyno_tune *tune, struct dyno_error *error);

void dyno_tune_unload(struct dyno_tune *tune);

#endif

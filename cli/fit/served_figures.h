/* Means and percentiles of a recorded benchmark, and of its replay. */
#ifndef DYNO_CLI_FIT_SERVED_FIGURES_H
#define DYNO_CLI_FIT_SERVED_FIGURES_H

#include <stdio.h>

#include "cli/fit/served_replay.h"

/* A figure of the last replay, in milliseconds: the mean (fraction < 0), or a percentile, which
 * lies between two ranks as load generators put it; negative if no request has that metric. */
dyno_status dyno_served_predicted(const struct dyno_served_replay *replay,
                                  enum dyno_served_metric metric, double fraction, double *ms,
                                  struct dyno_error *error);

/* Measured beside predicted, as a table: mean, p50, p90 and p99 of TTFT, TPOT and E2E; where the
 * recording has figures only, those. */
dyno_status dyno_served_print(const struct dyno_served_replay *replay, FILE *out,
                              struct dyno_error *error);

#endif

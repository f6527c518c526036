/* How sure a tuning's figures are: the goals and limits of a few scenarios on the same requests,
 * and their differences, with 95 % intervals.
 *
 * With 5 seeds or more of a generator an interval is Student's t over them, moved by the skewness
 * of draws within the runs, as `dyno ab` has it; of a median around that of all seeds' requests, by
 * the jackknife.  (A p90 or more is of what one run shows: the mean over seeds.)  Else it is the
 * moving-block bootstrap of reports/stats/bootstrap.h over cells of time, drawn alike for all
 * scenarios, as `dyno ab` does; but here also of what a run has one of (goodput a GPU, GPU-hours),
 * from what each cell adds to it.  GPUs that are up come from the planner's looks. */
#ifndef DYNO_CLI_SURE_SURE_H
#define DYNO_CLI_SURE_SURE_H

#include "cli/sure/cells.h"
#include "reports/stats/bootstrap.h"

struct dyno_tune_sure {
    struct dyno_tune_result results[DYNO_TUNE_SIDES_MAX]; /* means over seeds; medians of all */
    struct dyno_estimate side[DYNO_TUNE_SIDES_MAX][DYNO_TUNE_METRICS_MAX];
    /* [i]: of side 1 less side i; 0 and 2 */
    struct dyno_estimate difference[DYNO_TUNE_SIDES_MAX][DYNO_TUNE_METRICS_MAX];
    bool by_seeds;
    double blocks; /* of time, where not */
};

/* `runs` has 2 or 3 arms.  An interval is NAN where it is not known.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_tune_sure_compute(struct dyno_tune_sure *out, const struct dyno_arm_runs *runs,
                                   const struct dyno_tune_aims *aims, uint32_t draws,
                                   struct dyno_error *error);

#endif

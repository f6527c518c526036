/* Fitting timing parameters to a recorded benchmark, by replaying it. */
#ifndef DYNO_CLI_FIT_RUN_H
#define DYNO_CLI_FIT_RUN_H

#include "cli/fit/served_replay.h"
#include "sim/regression.h"

/* What was found.  Parameters are the first `count` of `places`, places in dyno_timing_rows, as in
 * the regression: those that were looked for first, then those that only count as uncertain. */
struct dyno_fit_run {
    uint32_t count, candidates;
    size_t places[DYNO_REGRESSION_MAX];
    struct dyno_timing_parameters before, after;
    struct dyno_regression_result result;
    size_t requests, groups;
    /* Mean |log error|: a fit to the first half of the requests, on that and on the second; and
     * what there was before on the second.  Negative: too few requests. */
    double first_half, second_half, second_half_before;
};

/* `replay` is open; with `halves`, fit to the first half too.  The last replay in it is the one
 * with out->after.  Says how far it is on standard error. */
dyno_status dyno_fit_run(struct dyno_fit_run *out, struct dyno_served_replay *replay, bool halves,
                         struct dyno_error *error);

/* A calibration that says all that, over the one that the scenario had. */
void dyno_fit_run_calibrate(const struct dyno_fit_run *fit, const struct dyno_served_replay *replay,
                            struct dyno_calibration *out);

#endif

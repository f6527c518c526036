/* How well the timing's parameters are known, and worlds drawn from what is not known. */
#ifndef DYNO_SIM_UNCERTAINTY_H
#define DYNO_SIM_UNCERTAINTY_H

#include "core/base/rng.h"
#include "sim/calibration.h"
#include "sim/timing.h"

/* The relative standard deviation of a parameter (a row of dyno_timing_rows) that nobody measured
 * here: what its value on another board, driver or server of the same kind may differ by.  0: taken
 * as exact. */
double dyno_timing_spread(const struct dyno_timing_row *row);

/* The same of the parameter at `place` among the rows under `calibration`: the standard error that
 * it states, else the spread.  A standard error that was found from kernels says how well their
 * average is known; what the formula misses of one model's shapes is added to it (in squares). */
double dyno_timing_deviation(const struct dyno_calibration *calibration, size_t place);

/* Multiply every parameter by exp(d z), z normal.  d is its deviation
 * above.  The z are independent but for the correlations that it states: of
 * two parameters that only their sum was measured of, one is large where the other is small.
 *
 * Where no server was measured (no engine in the calibration), all that is part of a pass is slower
 * or faster together, besides: what stands between kernels, and other engines' kernels, are in no
 * table of kernels. */
void dyno_timing_draw(struct dyno_timing_parameters *parameters,
                      const struct dyno_calibration *calibration, struct dyno_rng *rng);

/* The relative standard deviation of what TTFT has beside the timing of passes, in the mean over
 * requests, where no server was measured; else 0. */
double dyno_timing_wait_spread(const struct dyno_calibration *calibration);

#endif

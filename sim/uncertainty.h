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
 * it states, else the spread. */
double dyno_timing_deviation(const struct dyno_calibration *calibration, size_t place);

/* Multiply every parameter by exp(d z), z normal.  d is its deviation
 * above.  The z are independent but for the correlations that it states: of
 * two parameters that only their sum was measured of, one is large where the other is small. */
void dyno_timing_draw(struct dyno_timing_parameters *parameters,
                      const struct dyno_calibration *calibration, struct dyno_rng *rng);

#endif

/* How well the timing's parameters are known, and worlds drawn from what is not known. */
#ifndef DYNO_SIM_UNCERTAINTY_H
#define DYNO_SIM_UNCERTAINTY_H

#include "core/base/rng.h"
#include "sim/timing.h"

/* The relative standard deviation of a parameter (a row of dyno_timing_rows): what its value on
 * another board, driver or server of the same kind may differ by.  0: taken as exact. */
double dyno_timing_spread(const struct dyno_timing_row *row);

/* Multiply every parameter by exp(spread z), z normal and independent. */
void dyno_timing_draw(struct dyno_timing_parameters *parameters, struct dyno_rng *rng);

#endif

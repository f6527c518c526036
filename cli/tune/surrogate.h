/* What is believed of a function that was looked at in a few places: a Gaussian process.
 *
 * Points lie in a box of unit sides; a coordinate that holds names is the index of one, and two
 * names are as far apart as the ends of a side.  The covariance is Matern's of smoothness 5/2 with
 * a length for each coordinate (Rasmussen and Williams, 2006, section 4.2), values are shifted and
 * scaled to mean 0 and deviation 1, and lengths and noise are the most likely ones, under weak
 * priors that keep them where few values say little.
 *
 * Memory and time: n^2 numbers and n^3 / 6 operations for n points; 0 < n <=
 * DYNO_SURROGATE_POINTS_MAX. */
#ifndef DYNO_CLI_TUNE_SURROGATE_H
#define DYNO_CLI_TUNE_SURROGATE_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/tune/optimiser.h"

enum { DYNO_SURROGATE_POINTS_MAX = 512, DYNO_SURROGATE_DIMENSIONS_MAX = 16 };

struct dyno_surrogate;

/* `is_name` [dimensions] is copied.  NULL: no memory. */
struct dyno_surrogate *dyno_surrogate_open(uint32_t dimensions, const bool *is_name);
void dyno_surrogate_close(struct dyno_surrogate *surrogate); /* NULL: no effect */

/* Learn from values[count] (finite) at points[count][dimensions], in place of all before.  With an
 * optimiser lengths and noise are fitted too, else they stay as they are.  Errors: DYNO_NO_MEMORY,
 * else as dyno_optimiser_run. */
dyno_status dyno_surrogate_learn(struct dyno_surrogate *surrogate, const double *points,
                                 const double *values, uint32_t count,
                                 const struct dyno_optimiser *optimiser, struct dyno_error *error);

/* What the value at a point is expected to be, and its standard deviation (without noise). */
void dyno_surrogate_predict(const struct dyno_surrogate *surrogate, const double *at, double *mean,
                            double *deviation);

/* Of a normal variable: how much above `best` it is expected to be, where it is; and how likely it
 * is to be above 0. */
double dyno_expected_improvement(double mean, double deviation, double best);
double dyno_probability_above(double mean, double deviation);

#endif

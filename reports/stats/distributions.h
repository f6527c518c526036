/* The standard distributions that intervals and tests need.
 *
 * Ours, from basic operations (core/base/math.h), so that the same inputs give the same digits on
 * any machine.  Absolute error of a probability is below 1e-12, relative error of a quantile below
 * 1e-9; tests hold them against printed tables. */
#ifndef DYNO_REPORTS_STATS_DISTRIBUTIONS_H
#define DYNO_REPORTS_STATS_DISTRIBUTIONS_H

#include <stdint.h>

double dyno_lgamma(double x); /* logarithm of the gamma function; x > 0 */

/* The regularised incomplete beta function I_x(a, b); a, b > 0, x in [0, 1]. */
double dyno_beta_inc(double a, double b, double x);

double dyno_normal_quantile(double p); /* 0 < p < 1 */

/* Student's t with `freedom` degrees, > 0: P(T <= t), and its inverse for 0 < p < 1. */
double dyno_t_cdf(double t, double freedom);
double dyno_t_quantile(double p, double freedom);

/* P(X >= successes) of `trials` with probability `p` each, 0 < p < 1. */
double dyno_binomial_upper(uint64_t successes, uint64_t trials, double p);

#endif

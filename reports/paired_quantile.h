/* How sure a median is.
 *
 * Of one arm (Woodruff, 1952): the share of requests that wait no longer than the median is a mean,
 * and known as one; the ends are the values whose shares are as far from a half as that may be off.
 * They stay where requests are, also where half of them do not wait at all.  Of the difference of
 * two arms the ends are those of both, put together as their errors go together (Zou and Donner,
 * 2008, "variance estimates recovery"):
 *
 *   low = b - a - sqrt(x^2 + y^2 - 2 r x y),  x = b - low of b,  y = high of a - a,
 *
 * r being the correlation of both shares, and likewise above. */
#ifndef DYNO_REPORTS_PAIRED_QUANTILE_H
#define DYNO_REPORTS_PAIRED_QUANTILE_H

#include "reports/paired_cells.h"
#include "reports/stats/bootstrap.h"

/* Values of an arm, in rising order. */
struct dyno_paired_ranked {
    const struct dyno_paired_placed *sorted; /* [count] */
    uint32_t count;
    const double *counts; /* [places] of values in a cell */
};

/* The value of rank ceil(share * count); count >= 1. */
double dyno_paired_ranked_at(const struct dyno_paired_ranked *ranked, double share);

/* Of `of` less `less`; of `of` itself where `less` is NULL.  `value` is what is told of it, and the
 * interval is moved with it.  `scratch` [2 * cells * streams].  An interval is NAN where it reaches
 * beyond the longest or there are no values. */
struct dyno_estimate dyno_paired_quantile(const struct dyno_bootstrap *bootstrap, double value,
                                          double quantile, const struct dyno_paired_ranked *of,
                                          const struct dyno_paired_ranked *less, double *scratch);

#endif

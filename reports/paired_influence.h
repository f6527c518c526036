/* What each cell of a comparison adds to its figures (struct dyno_drawn), added to `out` [places]
 * `times` as much. */
#ifndef DYNO_REPORTS_PAIRED_INFLUENCE_H
#define DYNO_REPORTS_PAIRED_INFLUENCE_H

#include "reports/paired_quantile.h"

/* To one sum over another. */
void dyno_paired_influence_ratio(double *out, double times, const double *above,
                                 const double *below, uint32_t places);

/* To the value that the share `quantile` does not exceed.  How densely values lie there is asked of
 * those around it. */
void dyno_paired_influence_quantile(double *out, double times, double quantile,
                                    const struct dyno_paired_ranked *ranked, uint32_t places);

#endif

/* The numbers that a report puts first, run beside run. */
#ifndef DYNO_REPORTS_HEADLINE_H
#define DYNO_REPORTS_HEADLINE_H

#include <stdbool.h>

#include "reports/database.h"
#include "reports/format.h"

struct dyno_headline {
    const char *metric; /* of run_metric; docs/metrics.md */
    const char *words;
    const char *unit; /* "%": a fraction is shown as percent */
    bool only_if_any; /* left out where it is 0 in all runs */
};

extern const struct dyno_headline dyno_headline_table[]; /* NULL-metric-terminated */

/* A metric of a run and its interval; each NAN where it is not known. */
struct dyno_headline_value {
    double value, low, high;
};

dyno_status dyno_headline_of(sqlite3 *database, int64_t run, const struct dyno_headline *headline,
                             struct dyno_headline_value *out, struct dyno_error *error);

/* Four digits that say something: "508.6", "26,105", "0.5412", "n/a"; a percentage for "%". */
char *dyno_headline_format(char out[DYNO_FORMAT_MAX], double value, const char *unit);

#endif

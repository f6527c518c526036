/* The numbers that a report puts first, run beside run. */
#ifndef DYNO_REPORTS_HEADLINE_H
#define DYNO_REPORTS_HEADLINE_H

#include <stdbool.h>

#include "reports/format.h"
#include "reports/run_set.h"

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

/* A headline of every run in detail. */
struct dyno_headline_line {
    struct dyno_headline_value values[DYNO_RUN_SET_DETAIL_MAX];
    size_t count;
    bool any; /* it says something */
};

/* Look it up in the database of the set.  Errors: DYNO_IO (in words). */
dyno_status dyno_headline_take(const struct dyno_run_set *set, const struct dyno_headline *headline,
                               struct dyno_headline_line *out, struct dyno_error *error);

/* The unit as it stands behind the words: ", ms"; nothing for "%". */
const char *dyno_headline_unit(const struct dyno_headline *headline);

/* How a value lies beside another: "−3.2 %", "+12.0 %", from ten times on "× 72.9", and of a share
 * "+4.1 points"; "" where that says nothing. */
char *dyno_headline_change(char out[DYNO_FORMAT_MAX], double value, double first, const char *unit);

/* Four digits that say something: "508.6", "26,105", "0.5412", "n/a"; a percentage for "%". */
char *dyno_headline_format(char out[DYNO_FORMAT_MAX], double value, const char *unit);

#endif

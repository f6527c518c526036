/* Laws of lengths and times: how a number is drawn.
 *
 *   "1024"                   always that
 *   "uniform:LOW,HIGH"       every value alike, both ends included
 *   "normal:MEAN,DEVIATION"
 *   "lognormal:MEDIAN,SIGMA" exp of a normal with mean ln MEDIAN and deviation SIGMA
 *   "exponential:MEAN"
 *   "percentiles:P0,P1,P5,P10,P20,...,P90,P95,P99,P100" as measured: 15 values, none below the one
 *                            before, straight lines between them
 */
#ifndef DYNO_TRACES_LAW_H
#define DYNO_TRACES_LAW_H

#include <stdint.h>

#include "core/base/rng.h"
#include "core/base/status.h"
#include "core/base/time.h"

enum dyno_law_kind {
    DYNO_LAW_FIXED,
    DYNO_LAW_UNIFORM,
    DYNO_LAW_NORMAL,
    DYNO_LAW_LOGNORMAL,
    DYNO_LAW_EXPONENTIAL,
    DYNO_LAW_PERCENTILES,
};

enum { DYNO_LAW_PERCENTILE_COUNT = 15 };
extern const double dyno_law_shares[DYNO_LAW_PERCENTILE_COUNT]; /* 0, 0.01, 0.05, 0.1, ..., 1 */

struct dyno_law {
    enum dyno_law_kind kind;
    double first, second; /* in the order written; of a lognormal: ln MEDIAN, SIGMA */
    double percentiles[DYNO_LAW_PERCENTILE_COUNT];
};

/* A law of token counts, and one of seconds.  `option` is whose value the text is, for errors. */
dyno_status dyno_law_parse_tokens(struct dyno_law *law, const char *option, const char *text,
                                  struct dyno_error *error);
dyno_status dyno_law_parse_seconds(struct dyno_law *law, const char *option, const char *text,
                                   struct dyno_error *error);

/* Rounded to the nearest whole number, then forced into [1, DYNO_ROW_TOKENS_MAX]. */
uint32_t dyno_law_tokens(const struct dyno_law *law, struct dyno_rng *rng);
/* Negative draws become 0, those above 1e9 s become 1e9 s. */
dyno_ns dyno_law_time(const struct dyno_law *law, struct dyno_rng *rng);

#endif

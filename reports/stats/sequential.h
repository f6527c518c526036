/* A sequential rank test: is one of two programs slower by more than a tolerance?
 *
 * Each round times both.  A success is a round in which the second took more than (1 + tolerance)
 * times the first.  If it is not slower by more than the tolerance (in the median) a success comes
 * with probability 1/2 at most, whatever the distribution of times; if it clearly is, nearly
 * always. Wald's sequential probability ratio test decides between 1/2 and 0.9 as soon as it can:
 *
 *   after s successes and f failures, L = s ln(0.9 / 0.5) + f ln(0.1 / 0.5)
 *   slower where L >= ln(1 / alpha); not slower where L <= ln(beta)
 *
 * The likelihood ratio is a martingale of mean 1 under 1/2 (and falls under less), so that by
 * Ville's inequality the probability of a false alarm is at most alpha, however many rounds. */
#ifndef DYNO_REPORTS_STATS_SEQUENTIAL_H
#define DYNO_REPORTS_STATS_SEQUENTIAL_H

#include <stdint.h>

enum dyno_sequential_verdict {
    DYNO_SEQUENTIAL_GOES_ON,
    DYNO_SEQUENTIAL_SLOWER,
    DYNO_SEQUENTIAL_NOT_SLOWER,
};

struct dyno_sequential {
    double tolerance;   /* 0.05: five per cent */
    double alpha, beta; /* of false alarms; of misses where nine of ten rounds succeed */
    uint32_t successes, failures;
};

/* One more round. */
enum dyno_sequential_verdict dyno_sequential_add(struct dyno_sequential *test, double first,
                                                 double second);

#endif

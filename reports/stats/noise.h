/* Is B different from A, where A differs from itself?
 *
 * Each round measures A, B and A again, close to each other in time.  What A differs by from itself
 * is the noise: with D = second A - first A, a measurement deviates by
 * s = sqrt(sum D^2 / (2 rounds)).  What B adds in a round is E = B - (first A + second A) / 2,
 * which deviates by s sqrt(1.5).  The mean of E is told from 0 where it is farther from it than t(1
 * - alpha / 2; rounds) s sqrt(1.5 / rounds) (the noise's mean is known to be 0, so that it has as
 * many degrees of freedom as rounds). */
#ifndef DYNO_REPORTS_STATS_NOISE_H
#define DYNO_REPORTS_STATS_NOISE_H

#include <stdbool.h>
#include <stdint.h>

struct dyno_noise_verdict {
    double base, head; /* means: of all of A, and base + the mean of E */
    double threshold;  /* how far apart they must be */
    bool differs;
};

struct dyno_noise_verdict dyno_noise_judge(const double *first, const double *head,
                                           const double *second, uint32_t rounds, double alpha);

#endif

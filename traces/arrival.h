/* When requests come: a process of arrival times, one after the other.
 *
 *   "constant:RATE"                 the i-th at i / RATE
 *   "poisson:RATE"                  exponential gaps
 *   "gamma:RATE,CV"                 gamma gaps with mean 1 / RATE and coefficient of variation CV:
 *                                   shape 1 / CV^2 (what benchmarks call burstiness); of CV 1 it
 *                                   is Poisson
 *   "sine:MEAN,AMPLITUDE,PERIOD"    Poisson with the rate MEAN + AMPLITUDE sin(2 pi t / PERIOD),
 *                                   by thinning one of rate MEAN + AMPLITUDE (Lewis and Shedler,
 *                                   1979)
 *   "rates:RATE@0s,RATE@60s,..."    Poisson with a rate that is constant between the times given
 *   "concurrency:N"                 no times: a closed loop of N clients
 *
 * Rates are per second. */
#ifndef DYNO_TRACES_ARRIVAL_H
#define DYNO_TRACES_ARRIVAL_H

#include <stdint.h>

#include "core/base/rng.h"
#include "core/base/status.h"
#include "core/base/time.h"

enum dyno_arrival_kind {
    DYNO_ARRIVAL_CONSTANT,
    DYNO_ARRIVAL_GAMMA,
    DYNO_ARRIVAL_SINE,
    DYNO_ARRIVAL_RATES, /* Poisson is one piece of this */
    DYNO_ARRIVAL_CLOSED,
};

struct dyno_arrival_piece {
    double begin; /* s */
    double rate;
};

struct dyno_arrival {
    enum dyno_arrival_kind kind;
    double rate;
    double variation;                  /* gamma: CV^2 */
    double amplitude, period;          /* sine; the period in s */
    struct dyno_arrival_piece *pieces; /* [piece_count] */
    uint32_t piece_count;
    uint32_t piece; /* the one that holds `now` */
    uint32_t concurrency;
    double now;     /* s: of the arrival told last */
    uint64_t count; /* told so far */
    struct dyno_rng rng;
};

/* The process that `text` writes, with a random stream of its own.  On failure there is nothing to
 * release.  Errors: DYNO_BAD_INPUT (in words), DYNO_NO_MEMORY. */
dyno_status dyno_arrival_init(struct dyno_arrival *arrival, const char *text, uint64_t seed,
                              struct dyno_error *error);
void dyno_arrival_release(struct dyno_arrival *arrival);

/* The next arrival; DYNO_NEVER if there is none any more (the last rate is 0).  0 if closed. */
dyno_ns dyno_arrival_next(struct dyno_arrival *arrival);

#endif

/* Nelder and Mead's downhill simplex: the least value of a function of a few numbers, without
 * derivatives.  Deterministic. */
#ifndef DYNO_SIM_SIMPLEX_H
#define DYNO_SIM_SIMPLEX_H

#include <stddef.h>
#include <stdint.h>

enum { DYNO_SIMPLEX_MAX = 12 };

struct dyno_simplex_problem {
    uint32_t count; /* of numbers, at most DYNO_SIMPLEX_MAX */
    double (*value)(const void *context, const double *at);
    const void *context;
    double step; /* of the first simplex, in every direction */
    uint32_t rounds;
};

/* Start at `at` ([count]) and leave the best point there.  Returns its value. */
double dyno_simplex(const struct dyno_simplex_problem *problem, double *at);

#endif

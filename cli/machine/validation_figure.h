/* A number of a whole run: of the live runs, and of the simulation. */
#ifndef DYNO_CLI_MACHINE_VALIDATION_FIGURE_H
#define DYNO_CLI_MACHINE_VALIDATION_FIGURE_H

#include <jansson.h>
#include <stdint.h>

enum { DYNO_VALIDATION_REPEATS_MAX = 100 };

struct dyno_validation_figure {
    double real, least, most; /* of the live runs, each by itself: the median, and both ends */
    double simulated;
};

/* Sorts live[repeats]. */
struct dyno_validation_figure dyno_validation_figure(double *live, uint32_t repeats,
                                                     double simulated);

/* As JSON: real, real_least, real_most and simulated.  NULL: no memory. */
json_t *dyno_validation_figure_json(const struct dyno_validation_figure *figure);

#endif

/* The greatest value of a function over a box, by NLopt (docs/dependencies.md), which is asked for
 * when it is needed: a program without it works, but for this. */
#ifndef DYNO_CLI_TUNE_OPTIMISER_H
#define DYNO_CLI_TUNE_OPTIMISER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

struct dyno_optimiser;

/* Errors: DYNO_NOT_FOUND (the library is not there), DYNO_UNSUPPORTED (it lacks something). */
dyno_status dyno_optimiser_open(struct dyno_optimiser **out, struct dyno_error *error);
void dyno_optimiser_close(struct dyno_optimiser *optimiser); /* NULL: no effect */

/* "2.7.1". */
void dyno_optimiser_version(const struct dyno_optimiser *optimiser, int version[3]);

typedef double dyno_optimiser_function(void *context, const double *at);

struct dyno_optimiser_task {
    uint32_t dimensions;
    const double *low, *high; /* [dimensions] */
    dyno_optimiser_function *function;
    void *context;
    /* true: the whole box, by DIRECT in its locally biased form (Gablonsky and Kelley, 2001);
     * false: from `at` uphill, by Subplex (Rowan, 1990).  Neither draws anything. */
    bool is_global;
    uint32_t calls_max; /* of the function */
};

/* `at` [dimensions]: where to begin, and on success where the greatest value found lies.  Errors:
 * DYNO_NO_MEMORY, DYNO_IO (the library failed). */
dyno_status dyno_optimiser_run(const struct dyno_optimiser *optimiser,
                               const struct dyno_optimiser_task *task, double *at,
                               struct dyno_error *error);

#endif

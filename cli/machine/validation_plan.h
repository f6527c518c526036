/* What the planner decided in the live runs, and in the simulation, look by look.  A look is a tick
 * for one role; a decision is a look after which another number of workers is wanted. */
#ifndef DYNO_CLI_MACHINE_VALIDATION_PLAN_H
#define DYNO_CLI_MACHINE_VALIDATION_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli/fit/request_listener.h"
#include "cli/machine/validation_figure.h"

/* Looks at the same tick for the same role in two runs, and at how many of them the same was
 * wanted. */
struct dyno_plan_agreement {
    uint64_t looks, looks_same;
    uint64_t decisions, decisions_same; /* in either run; the same: in both, to the same number */
    uint64_t alike, alike_same; /* both saw as many workers in each state, and requests, and wanted
                                   as many before */
};

struct dyno_validation_plan {
    struct dyno_validation_figure looks, decisions; /* of a run; looks.real 0: nobody plans */
    struct dyno_plan_agreement simulated; /* of the live runs with the simulation, summed ... */
    struct dyno_plan_agreement live;      /* ... and of every two live runs */
    bool differs;                         /* anywhere; the first of them by time: */
    uint32_t differs_run;                 /* of the live runs */
    struct dyno_plan_record real, pretended;
};

/* `every_ns`: between two ticks, which a wall clock reaches late. */
void dyno_validation_plan(struct dyno_validation_plan *out, const struct dyno_listener *live,
                          uint32_t repeats, const struct dyno_listener *simulated,
                          dyno_ns every_ns);

/* Nothing where nobody plans. */
void dyno_validation_plan_print(const struct dyno_validation_plan *plan, uint32_t repeats,
                                FILE *out);

/* A JSON null where nobody plans.  NULL: no memory. */
json_t *dyno_validation_plan_json(const struct dyno_validation_plan *plan);

#endif

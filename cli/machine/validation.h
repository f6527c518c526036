/* How far a simulation is from the machine that it pretends to be, and how far that machine is from
 * itself: the same requests, run live several times and simulated once. */
#ifndef DYNO_CLI_MACHINE_VALIDATION_H
#define DYNO_CLI_MACHINE_VALIDATION_H

#include <stdio.h>

#include "cli/accuracy/accuracy.h"
#include "cli/fit/request_listener.h"
#include "cli/machine/pass_watch.h"
#include "cli/machine/validation_figure.h"
#include "cli/machine/validation_moved.h"
#include "cli/machine/validation_plan.h"

/* TTFT, TPOT, E2E; and how long blocks came from lower tiers, and from who computed the prompt. */
enum { DYNO_VALIDATION_MEASURES = 5 };
enum { DYNO_VALIDATION_FIGURES = 4 }; /* mean, p50, p90, p99 */

/* One measure of the requests that completed in every run and have it. */
struct dyno_validation_measure {
    uint32_t requests;
    struct dyno_validation_figure figures[DYNO_VALIDATION_FIGURES]; /* ms */
    /* Of single requests.  The simulation against the median of the request's live runs, and each
     * live run against the median of the others: what another run of the machine would be off by
     * if it stood in place of the simulation.  The second's count is 0 with one live run. */
    struct dyno_error_figures error, machine;
};

struct dyno_validation {
    uint32_t repeats;  /* live runs */
    uint32_t requests; /* asked of each */
    struct dyno_validation_measure measures[DYNO_VALIDATION_MEASURES];
    struct dyno_pass_class passes[DYNO_PASS_KINDS];
    struct dyno_validation_moved moved;
    struct dyno_validation_plan plan;
};

/* Fill `measures`.  Listeners are sorted; requests of several runs belong together by their ids.
 * Errors: DYNO_NO_MEMORY; then *out is as it was. */
dyno_status dyno_validation_compare(struct dyno_validation *out, const struct dyno_listener *live,
                                    uint32_t repeats, const struct dyno_listener *simulated);

/* The table below the titles. */
void dyno_validation_print(const struct dyno_validation *validation, FILE *out);

/* The same as JSON (docs/live.md lists the keys).  Errors: DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_validation_json(const struct dyno_validation *validation, const char *path,
                                 struct dyno_error *error);

#endif

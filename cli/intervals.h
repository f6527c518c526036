/* Intervals for the headline figures of a run: what is not known of the timing, and what is chance
 * in the traffic.
 *
 * The scenario is run again `replicas` times, each with timing parameters drawn within their
 * uncertainty (sim/uncertainty.h), and each replica's requests are resampled in blocks of
 * consecutive ones (requests are not independent: a queue remembers), sqrt(n) long.  The spread of
 * a figure over the replicas, as a t interval on its logarithm around the run's own value, is its
 * 95 % interval.  What TTFT has beside the timing of passes is added to the spread of TTFT, and to
 * that of E2E by TTFT's share in it.  tests/system/test_intervals.c measures how often it covers.
 */
#ifndef DYNO_CLI_INTERVALS_H
#define DYNO_CLI_INTERVALS_H

#include "cli/scenario.h"
#include "reports/reports.h"

enum { DYNO_INTERVALS_MAX = 10 };

struct dyno_intervals {
    uint32_t replicas, count;
    struct dyno_interval items[DYNO_INTERVALS_MAX];
};

/* DYNO_BAD_INPUT where the traffic cannot be read again (standard input); else as
 * dyno_assembly_run. */
dyno_status dyno_intervals_compute(struct dyno_intervals *out, const struct dyno_scenario *asked,
                                   uint32_t replicas, struct dyno_error *error);

#endif

/* Intervals for the headline figures of a run: what is not known of the timing, and what is chance
 * in the traffic.
 *
 * The scenario is run again `replicas` times, each with timing parameters drawn within their
 * uncertainty (sim/uncertainty.h), and each replica's requests are resampled in blocks of
 * consecutive ones (requests are not independent: a queue remembers), sqrt(n) long.  The spread of
 * a figure over the replicas, as a t interval on its logarithm around the run's own value, is its
 * 95 % interval (of a share, on that of its odds).  A 99th percentile is known from what lies
 * beyond it: the t has no more degrees of freedom than requests do, and there is none where many of
 * them came at one instant at the beginning.  What TTFT has beside the timing of passes is added to
 * the spread of TTFT, and to that of E2E by TTFT's share in it. tests/system/test_intervals.c
 * measures how often it covers.
 *
 * Nobody has to ask: a replay of simulated GPUs has them from DYNO_INTERVALS_AUTO replicas, unless
 * those would take long.  How long is told by what the run itself did (turns of its loop, and
 * workers that its requests were held against), never by a clock, so that the same run always says
 * the same.
 */
#ifndef DYNO_CLI_REPLAY_INTERVALS_H
#define DYNO_CLI_REPLAY_INTERVALS_H

#include "cli/assembly/assembly.h"
#include "cli/scenario/intervals.h"
#include "cli/scenario/scenario.h"
#include "reports/reports.h"
#include "traces/input.h"

enum { DYNO_INTERVALS_MAX = 12 };

struct dyno_intervals {
    uint32_t replicas, count;
    struct dyno_interval items[DYNO_INTERVALS_MAX]; /* NAN where nothing was measured: no request
                                                       had a second token, say */
    const char *lacking;                            /* a word: why there are none; NULL otherwise */
    char why[160]; /* in words; with none lacking, why percentiles have none, or "" */
};

/* Before a run is opened: where its trace comes only once (standard input, a pipe) and its scenario
 * asks for intervals, keep what it reads of it in `copy`; a long one only if a number of replicas
 * is asked for.  The caller frees copy->data. */
void dyno_intervals_prepare(struct dyno_input_copy *copy, struct dyno_assembly *assembly,
                            const struct dyno_scenario *scenario);

/* The intervals of a finished run, as its scenario asks for them; none, and why, where "auto" does
 * without, and none without a word where nothing was predicted.  Errors: as below. */
dyno_status dyno_intervals_of_run(struct dyno_intervals *out, const struct dyno_assembly *finished,
                                  struct dyno_error *error);

/* What a report says of them; points into `intervals`. */
void dyno_intervals_report(const struct dyno_intervals *intervals, struct dyno_report *report);

/* Whatever a run of `asked` was.  DYNO_BAD_INPUT where the traffic cannot be read again (standard
 * input, a pipe); else as dyno_assembly_run. */
dyno_status dyno_intervals_compute(struct dyno_intervals *out, const struct dyno_scenario *asked,
                                   uint32_t replicas, struct dyno_error *error);

#endif

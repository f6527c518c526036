/* The figures of `dyno trace info --figures DIR`: the rate over time, lengths, and what a cache of
 * any size would have held.  Each is a script for gnuplot, traces/figures/NAME.gp, which finds its
 * numbers as those of a report do (reports/exhibit.h). */
#ifndef DYNO_CLI_TRACE_FIGURES_H
#define DYNO_CLI_TRACE_FIGURES_H

#include "core/base/status.h"
#include "traces/traces.h"

/* Write them into `folder` (made if there is none), in each of `formats` ("svg,png,pdf"); the curve
 * only where the trace names blocks.  Errors: DYNO_BAD_INPUT (another format), DYNO_NOT_FOUND (no
 * gnuplot), DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_trace_figures(const struct dyno_trace_summary *summary, const char *folder,
                               const char *formats, struct dyno_error *error);

#endif

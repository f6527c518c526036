/* AIPerf's folder: profile_export.jsonl, a request a line, and profile_export_aiperf.json, the
 * summary.
 *
 * Of the summary, as version 0.14 documents it: a block for each metric with unit, avg, min, max,
 * percentiles (interpolated, as NumPy does), std (of a sample: n - 1) and count; metrics without a
 * distribution have unit and avg only.  Only completed requests count.  inter_token_latency is our
 * TPOT; throughputs are over the time from the first request sent to the last token. */
#ifndef DYNO_CLI_EXPORT_AIPERF_H
#define DYNO_CLI_EXPORT_AIPERF_H

#include "backends/load/load.h"
#include "reports/past_requests.h"

struct dyno_export_aiperf;

/* The folder is made if need be.  On success *out is closed with finish or abandon.
 * Errors: DYNO_IO, DYNO_BAD_INPUT, DYNO_NO_MEMORY. */
dyno_status dyno_export_aiperf_open(struct dyno_export_aiperf **out, const char *folder,
                                    uint64_t origin_ns, struct dyno_error *error);
dyno_status dyno_export_aiperf_add(struct dyno_export_aiperf *exported,
                                   const struct dyno_load_answer *answer, struct dyno_error *error);
dyno_status dyno_export_aiperf_finish(struct dyno_export_aiperf *exported,
                                      const struct dyno_past_about *about,
                                      struct dyno_error *error);
void dyno_export_aiperf_abandon(struct dyno_export_aiperf *exported); /* NULL: no effect */

#endif

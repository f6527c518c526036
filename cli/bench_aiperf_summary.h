/* AIPerf's profile_export_aiperf.json: of every metric its unit, mean, extremes, percentiles and
 * deviation over the requests that completed, and rates of the whole.
 *
 * Names, units and definitions are AIPerf's (13992dbd and its manual 0.13): times count from when a
 * request was sent, inter_token_latency is a request's mean, and rates are over the time from the
 * first request's sending to the last answer's end.  Percentiles and deviations are NumPy's.
 */
#ifndef DYNO_CLI_BENCH_AIPERF_SUMMARY_H
#define DYNO_CLI_BENCH_AIPERF_SUMMARY_H

#include "backends/load/load.h"
#include "cli/values.h"

enum dyno_aiperf_metric {
    DYNO_AIPERF_TTFT,
    DYNO_AIPERF_TTST,
    DYNO_AIPERF_LATENCY,
    DYNO_AIPERF_ITL,
    DYNO_AIPERF_USER_THROUGHPUT,
    DYNO_AIPERF_OUTPUT_TOKENS,
    DYNO_AIPERF_INPUT_TOKENS,
    DYNO_AIPERF_METRICS,
};

struct dyno_aiperf_reason {
    char why[DYNO_LOAD_REASON_MAX];
    uint64_t count;
};

/* All zero to begin with. */
struct dyno_aiperf_summary {
    struct dyno_values values[DYNO_AIPERF_METRICS];
    struct dyno_aiperf_reason reasons[DYNO_LOAD_REASONS_MAX]; /* [reason_count]; the last one also
                                                                 counts those beyond */
    uint32_t reason_count;
    uint64_t completed, failed, cancelled;
    dyno_ns first_ns, last_ns; /* of those that completed: sent, ended */
};

void dyno_aiperf_summary_release(struct dyno_aiperf_summary *summary);

/* Error: DYNO_NO_MEMORY. */
dyno_status dyno_aiperf_summary_add(struct dyno_aiperf_summary *summary,
                                    const struct dyno_load_answer *answer);

/* Errors: those of dyno_output_open and dyno_output_finish. */
dyno_status dyno_aiperf_summary_write(struct dyno_aiperf_summary *summary, const char *path,
                                      struct dyno_error *error);

#endif

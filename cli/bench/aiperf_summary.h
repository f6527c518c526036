/* AIPerf's summary of a run, profile_export_aiperf.json and profile_export_aiperf.csv: of each
 * metric its mean, extremes, sum, percentiles and deviation, by that tool's names and definitions.
 *
 * Sources: AIPerf's docs/metrics-reference.md (@0176f594) for tags and formulas, its JSON schema
 * 1.5 and src/aiperf/exporters/metrics_csv_exporter.py (@309c4e8c) for the files, and
 * src/aiperf/metrics/metric_dicts.py (@0fec57a6) for percentiles (interpolated) and deviations
 * (over the number of values, not one less; the schema's page calls it a sample's).
 *
 * Only completed requests count, but in the counts of errors.  inter_token_latency is our TPOT.
 * Throughputs are over the time from the first of those requests sent to the last token.  What was
 * not measured is not there: inter_chunk_latency and time_to_second_token need the stamps of
 * chunks, goodput needs objectives.  Every value is kept until the end, 8 bytes each; with stamps
 * of chunks that is one a token. */
#ifndef DYNO_CLI_BENCH_AIPERF_SUMMARY_H
#define DYNO_CLI_BENCH_AIPERF_SUMMARY_H

#include "backends/load/load.h"
#include "cli/bench/aiperf_about.h"
#include "cli/values.h"

/* In the order of their tags, which is the CSV's. */
enum dyno_aiperf_metric {
    DYNO_AIPERF_E2E_THROUGHPUT,
    DYNO_AIPERF_INPUT_TOKENS,
    DYNO_AIPERF_CHUNK_GAP,
    DYNO_AIPERF_ITL,
    DYNO_AIPERF_OUTPUT_TOKENS,
    DYNO_AIPERF_USER_THROUGHPUT,
    DYNO_AIPERF_PREFILL_THROUGHPUT,
    DYNO_AIPERF_LATENCY,
    DYNO_AIPERF_TTFT,
    DYNO_AIPERF_TTST,
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
    uint64_t completed, failed;
    dyno_ns first_ns, last_ns; /* of those that completed: sent, ended */
};

void dyno_aiperf_summary_release(struct dyno_aiperf_summary *summary);

/* Error: DYNO_NO_MEMORY. */
dyno_status dyno_aiperf_summary_add(struct dyno_aiperf_summary *summary,
                                    const struct dyno_load_answer *answer);

/* Write both files; the values are in rising order afterwards.
 * Errors: DYNO_NO_MEMORY, those of dyno_output_open and dyno_output_finish. */
dyno_status dyno_aiperf_summary_write(struct dyno_aiperf_summary *summary,
                                      const struct dyno_aiperf_about *about, const char *json_path,
                                      const char *csv_path, struct dyno_error *error);

#endif

#include "cli/bench_aiperf_summary.h"

#include <inttypes.h>
#include <string.h>

#include "backends/assets/random/output_file.h"

#define MS(ns) ((double)(ns) / 1e6)

static const struct {
    const char *tag, *unit;
} metrics[DYNO_AIPERF_METRICS] = {
    [DYNO_AIPERF_TTFT] = {"time_to_first_token", "ms"},
    [DYNO_AIPERF_TTST] = {"time_to_second_token", "ms"},
    [DYNO_AIPERF_LATENCY] = {"request_latency", "ms"},
    [DYNO_AIPERF_ITL] = {"inter_token_latency", "ms"},
    [DYNO_AIPERF_USER_THROUGHPUT] = {"output_token_throughput_per_user", "tokens/sec/user"},
    [DYNO_AIPERF_OUTPUT_TOKENS] = {"output_sequence_length", "tokens"},
    [DYNO_AIPERF_INPUT_TOKENS] = {"input_sequence_length", "tokens"},
};

void dyno_aiperf_summary_release(struct dyno_aiperf_summary *summary)
{
    for (int i = 0; i < DYNO_AIPERF_METRICS; i++) {
        dyno_values_release(&summary->values[i]);
    }
}

/* ---- adding ---------------------------------------------------------------------------------- */

static void count_reason(struct dyno_aiperf_summary *summary, const char *why)
{
    uint32_t i = 0;

    while (i < summary->reason_count && strcmp(summary->reasons[i].why, why) != 0) {
        i++;
    }
    if (i == DYNO_LOAD_REASONS_MAX) {
        i--;
    } else if (i == summary->reason_count) {
        (void)snprintf(summary->reasons[i].why, sizeof summary->reasons[i].why, "%s", why);
        summary->reason_count++;
    }
    summary->reasons[i].count++;
}

/* Those of which there are two tokens at least. */
static dyno_status add_gaps(struct dyno_aiperf_summary *summary,
                            const struct dyno_load_answer *answer)
{
    const struct dyno_request_record *record = answer->record;
    double itl;

    if (answer->chunk_count > 1) {
        DYNO_TRY(dyno_values_add(&summary->values[DYNO_AIPERF_TTST],
                                 MS(answer->chunk_ns[1] - answer->chunk_ns[0])));
    }
    if (record->output_tokens < 2) {
        return DYNO_OK;
    }
    itl = MS(record->last_token_ns - record->first_token_ns) / (double)(record->output_tokens - 1);
    DYNO_TRY(dyno_values_add(&summary->values[DYNO_AIPERF_ITL], itl));
    return itl > 0 ? dyno_values_add(&summary->values[DYNO_AIPERF_USER_THROUGHPUT], 1e3 / itl)
                   : DYNO_OK;
}

static dyno_status add_completed(struct dyno_aiperf_summary *summary,
                                 const struct dyno_load_answer *answer)
{
    const struct dyno_request_record *record = answer->record;
    struct dyno_values *values = summary->values;

    if (summary->completed == 0 || answer->sent_ns < summary->first_ns) {
        summary->first_ns = answer->sent_ns;
    }
    if (record->last_token_ns > summary->last_ns) {
        summary->last_ns = record->last_token_ns;
    }
    summary->completed++;
    DYNO_TRY(
        dyno_values_add(&values[DYNO_AIPERF_TTFT], MS(record->first_token_ns - answer->sent_ns)));
    DYNO_TRY(
        dyno_values_add(&values[DYNO_AIPERF_LATENCY], MS(record->last_token_ns - answer->sent_ns)));
    DYNO_TRY(dyno_values_add(&values[DYNO_AIPERF_OUTPUT_TOKENS], record->output_tokens));
    DYNO_TRY(dyno_values_add(&values[DYNO_AIPERF_INPUT_TOKENS], record->prompt_tokens));
    return add_gaps(summary, answer);
}

dyno_status dyno_aiperf_summary_add(struct dyno_aiperf_summary *summary,
                                    const struct dyno_load_answer *answer)
{
    if (answer->record->outcome == DYNO_COMPLETED) {
        return add_completed(summary, answer);
    }
    if (answer->record->outcome == DYNO_FAILED) {
        summary->failed++;
        count_reason(summary, answer->why);
    } else {
        summary->cancelled++;
    }
    return DYNO_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

static dyno_status put_metric(struct dyno_output_file *file, int metric, struct dyno_values *values)
{
    static const int percents[] = {1, 5, 10, 25, 50, 75, 90, 95, 99};

    if (values->count == 0) {
        return DYNO_OK;
    }
    dyno_values_sort(values);
    DYNO_TRY(dyno_output_print(
        file, "  \"%s\": {\"unit\": \"%s\", \"avg\": %.17g, \"min\": %.17g, \"max\": %.17g",
        metrics[metric].tag, metrics[metric].unit, dyno_values_mean(values), values->values[0],
        values->values[values->count - 1]));
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++) {
        DYNO_TRY(dyno_output_print(file, ", \"p%d\": %.17g", percents[i],
                                   dyno_values_percentile(values, percents[i] / 100.0)));
    }
    return dyno_output_print(file, ", \"std\": %.17g},\n", dyno_values_deviation(values));
}

static dyno_status put_one(struct dyno_output_file *file, const char *tag, const char *unit,
                           double value)
{
    return dyno_output_print(file, "  \"%s\": {\"unit\": \"%s\", \"avg\": %.17g},\n", tag, unit,
                             value);
}

static dyno_status put_rates(struct dyno_output_file *file,
                             const struct dyno_aiperf_summary *summary)
{
    double seconds = (double)(summary->last_ns - summary->first_ns) / 1e9, tokens = 0;
    const struct dyno_values *outputs = &summary->values[DYNO_AIPERF_OUTPUT_TOKENS];

    for (size_t i = 0; i < outputs->count; i++) {
        tokens += outputs->values[i];
    }
    DYNO_TRY(put_one(file, "request_count", "requests", (double)summary->completed));
    DYNO_TRY(put_one(file, "error_request_count", "requests", (double)summary->failed));
    DYNO_TRY(put_one(file, "benchmark_duration", "sec", seconds));
    DYNO_TRY(put_one(file, "request_throughput", "requests/sec",
                     seconds > 0 ? (double)summary->completed / seconds : 0));
    return put_one(file, "output_token_throughput", "tokens/sec",
                   seconds > 0 ? tokens / seconds : 0);
}

/* A reason is printable ASCII. */
static dyno_status put_reason(struct dyno_output_file *file,
                              const struct dyno_aiperf_reason *reason)
{
    DYNO_TRY(dyno_output_print(
        file, "{\"error_details\": {\"code\": null, \"type\": \"RequestFailed\", \"message\": \""));
    for (const char *at = reason->why; *at; at++) {
        DYNO_TRY(dyno_output_print(file, *at == '"' || *at == '\\' ? "\\%c" : "%c", *at));
    }
    return dyno_output_print(file, "\"}, \"count\": %" PRIu64 "}", reason->count);
}

static dyno_status put_all(struct dyno_output_file *file, struct dyno_aiperf_summary *summary)
{
    DYNO_TRY(dyno_output_print(file, "{\n"));
    for (int i = 0; i < DYNO_AIPERF_METRICS; i++) {
        DYNO_TRY(put_metric(file, i, &summary->values[i]));
    }
    DYNO_TRY(put_rates(file, summary));
    DYNO_TRY(dyno_output_print(file, "  \"was_cancelled\": %s,\n  \"error_summary\": [",
                               summary->cancelled > 0 ? "true" : "false"));
    for (uint32_t i = 0; i < summary->reason_count; i++) {
        DYNO_TRY(dyno_output_print(file, i > 0 ? ", " : ""));
        DYNO_TRY(put_reason(file, &summary->reasons[i]));
    }
    return dyno_output_print(file, "]\n}\n");
}

dyno_status dyno_aiperf_summary_write(struct dyno_aiperf_summary *summary, const char *path,
                                      struct dyno_error *error)
{
    struct dyno_output_file file;
    dyno_status status;

    DYNO_TRY(dyno_output_open(&file, path, error));
    status = put_all(&file, summary);
    if (status != DYNO_OK) {
        dyno_output_abandon(&file);
        return status;
    }
    return dyno_output_finish(&file);
}

#include "cli/bench/aiperf_summary.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/assets/random/output_file.h"

#define MS(ns)      ((double)(ns) / 1e6)
#define SECONDS(ns) ((double)(ns) / 1e9)

struct metric {
    const char *tag, *header, *unit;
};

static const struct metric metrics[DYNO_AIPERF_METRICS] = {
    [DYNO_AIPERF_E2E_THROUGHPUT] = {"e2e_output_token_throughput", "E2E Output Token Throughput",
                                    "tokens/sec/user"},
    [DYNO_AIPERF_INPUT_TOKENS] = {"input_sequence_length", "Input Sequence Length", "tokens"},
    [DYNO_AIPERF_CHUNK_GAP] = {"inter_chunk_latency", "Inter Chunk Latency", "ms"},
    [DYNO_AIPERF_ITL] = {"inter_token_latency", "Inter Token Latency", "ms"},
    [DYNO_AIPERF_OUTPUT_TOKENS] = {"output_sequence_length", "Output Sequence Length", "tokens"},
    [DYNO_AIPERF_USER_THROUGHPUT] = {"output_token_throughput_per_user",
                                     "Output Token Throughput Per User", "tokens/sec/user"},
    [DYNO_AIPERF_PREFILL_THROUGHPUT] = {"prefill_throughput_per_user",
                                        "Prefill Throughput Per User", "tokens/sec/user"},
    [DYNO_AIPERF_LATENCY] = {"request_latency", "Request Latency", "ms"},
    [DYNO_AIPERF_TTFT] = {"time_to_first_token", "Time to First Token", "ms"},
    [DYNO_AIPERF_TTST] = {"time_to_second_token", "Time to Second Token", "ms"},
};

/* Those that are one number, in the order of their tags. */
enum total {
    DURATION,
    ERRORS,
    GOOD,
    GOOD_FRACTION,
    GOODPUT,
    OUTPUT_THROUGHPUT,
    COUNT,
    THROUGHPUT,
    INPUT_SUM,
    OUTPUT_SUM,
    TOKEN_THROUGHPUT,
    TOTALS,
};

static const struct metric totals[TOTALS] = {
    [DURATION] = {"benchmark_duration", "Benchmark Duration", "sec"},
    [ERRORS] = {"error_request_count", "Error Request Count", "requests"},
    [GOOD] = {"good_request_count", "Good Request Count", "requests"},
    [GOOD_FRACTION] = {"good_request_fraction", "GoodRequestFraction", "ratio"},
    [GOODPUT] = {"goodput", "Goodput", "requests/sec"},
    [OUTPUT_THROUGHPUT] = {"output_token_throughput", "Output Token Throughput", "tokens/sec"},
    [COUNT] = {"request_count", "Request Count", "requests"},
    [THROUGHPUT] = {"request_throughput", "Request Throughput", "requests/sec"},
    [INPUT_SUM] = {"total_isl", "Total Input Sequence Length", "tokens"},
    [OUTPUT_SUM] = {"total_osl", "Total Output Sequence Length", "tokens"},
    [TOKEN_THROUGHPUT] = {"total_token_throughput", "Total Token Throughput", "tokens/sec"},
};

static const int percents[] = {1, 5, 10, 25, 50, 75, 90, 95, 99};

enum { PERCENTS = sizeof percents / sizeof percents[0] };

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

/* What is a count over a time that may be nothing. */
static dyno_status add_rate(struct dyno_values *values, double count, dyno_ns during)
{
    return during > 0 ? dyno_values_add(values, count / SECONDS(during)) : DYNO_OK;
}

static dyno_status add_chunks(struct dyno_aiperf_summary *summary,
                              const struct dyno_load_answer *answer)
{
    for (uint32_t i = 1; i < answer->chunk_count; i++) {
        double gap = MS(answer->chunk_ns[i] - answer->chunk_ns[i - 1]);

        DYNO_TRY(dyno_values_add(&summary->values[DYNO_AIPERF_CHUNK_GAP], gap));
        if (i == 1) {
            DYNO_TRY(dyno_values_add(&summary->values[DYNO_AIPERF_TTST], gap));
        }
    }
    return DYNO_OK;
}

/* Those of which there are two tokens at least. */
static dyno_status add_decode(struct dyno_values *values, const struct dyno_request_record *record)
{
    dyno_ns decode = record->last_token_ns - record->first_token_ns;

    if (record->output_tokens < 2) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_values_add(&values[DYNO_AIPERF_ITL],
                             MS(decode) / (double)(record->output_tokens - 1)));
    return add_rate(&values[DYNO_AIPERF_USER_THROUGHPUT], record->output_tokens - 1, decode);
}

static dyno_status add_completed(struct dyno_aiperf_summary *summary,
                                 const struct dyno_load_answer *answer)
{
    const struct dyno_request_record *record = answer->record;
    struct dyno_values *values = summary->values;
    dyno_ns ttft = record->first_token_ns - answer->sent_ns;
    dyno_ns latency = record->last_token_ns - answer->sent_ns;

    if (summary->completed == 0 || answer->sent_ns < summary->first_ns) {
        summary->first_ns = answer->sent_ns;
    }
    if (record->last_token_ns > summary->last_ns) {
        summary->last_ns = record->last_token_ns;
    }
    summary->completed++;
    DYNO_TRY(dyno_values_add(&values[DYNO_AIPERF_TTFT], MS(ttft)));
    DYNO_TRY(dyno_values_add(&values[DYNO_AIPERF_LATENCY], MS(latency)));
    DYNO_TRY(dyno_values_add(&values[DYNO_AIPERF_OUTPUT_TOKENS], record->output_tokens));
    DYNO_TRY(dyno_values_add(&values[DYNO_AIPERF_INPUT_TOKENS], record->prompt_tokens));
    DYNO_TRY(add_rate(&values[DYNO_AIPERF_PREFILL_THROUGHPUT], record->prompt_tokens, ttft));
    DYNO_TRY(add_rate(&values[DYNO_AIPERF_E2E_THROUGHPUT], record->output_tokens, latency));
    DYNO_TRY(add_decode(values, record));
    return add_chunks(summary, answer);
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
    }
    return DYNO_OK;
}

/* ---- totals ---------------------------------------------------------------------------------- */

static double sum_of(const struct dyno_values *values)
{
    double sum = 0;

    for (size_t i = 0; i < values->count; i++) {
        sum += values->values[i];
    }
    return sum;
}

static double over(double count, double seconds)
{
    return seconds > 0 ? count / seconds : 0;
}

/* [TOTALS]; NAN: there is none. */
static void take_totals(double out[TOTALS], const struct dyno_aiperf_summary *summary,
                        const struct dyno_aiperf_about *about)
{
    double seconds = SECONDS(summary->last_ns - summary->first_ns);
    double input = sum_of(&summary->values[DYNO_AIPERF_INPUT_TOKENS]);
    double output = sum_of(&summary->values[DYNO_AIPERF_OUTPUT_TOKENS]);
    double good = about->has_slo ? (double)about->within_slo : (double)NAN;

    out[DURATION] = seconds;
    out[ERRORS] = (double)summary->failed;
    out[GOOD] = good;
    out[GOOD_FRACTION] = good / (double)(summary->completed + summary->failed);
    out[GOODPUT] = seconds > 0 ? good / seconds : (double)NAN;
    out[OUTPUT_THROUGHPUT] = over(output, seconds);
    out[COUNT] = (double)summary->completed;
    out[THROUGHPUT] = over((double)summary->completed, seconds);
    out[INPUT_SUM] = input;
    out[OUTPUT_SUM] = output;
    out[TOKEN_THROUGHPUT] = over(input + output, seconds);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static dyno_status put_metric(struct dyno_output_file *file, const struct metric *metric,
                              const struct dyno_values *values)
{
    if (values->count == 0) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_output_print(
        file, ",\n  \"%s\": {\"unit\": \"%s\", \"avg\": %.12g, \"min\": %.12g, \"max\": %.12g",
        metric->tag, metric->unit, dyno_values_mean(values), values->values[0],
        values->values[values->count - 1]));
    for (int i = 0; i < PERCENTS; i++) {
        DYNO_TRY(dyno_output_print(file, ", \"p%d\": %.12g", percents[i],
                                   dyno_values_percentile(values, percents[i] / 100.0)));
    }
    return dyno_output_print(file, ", \"std\": %.12g, \"count\": %zu, \"sum\": %.12g}",
                             dyno_values_deviation(values), values->count, sum_of(values));
}

static dyno_status put_total(struct dyno_output_file *file, const struct metric *metric,
                             double value)
{
    return isfinite(value)
               ? dyno_output_print(file, ",\n  \"%s\": {\"unit\": \"%s\", \"avg\": %.12g}",
                                   metric->tag, metric->unit, value)
               : DYNO_OK;
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

static dyno_status put_reasons(struct dyno_output_file *file,
                               const struct dyno_aiperf_summary *summary)
{
    DYNO_TRY(dyno_output_print(file, ",\n  \"error_summary\": ["));
    for (uint32_t i = 0; i < summary->reason_count; i++) {
        DYNO_TRY(dyno_output_print(file, i > 0 ? ", " : ""));
        DYNO_TRY(put_reason(file, &summary->reasons[i]));
    }
    return dyno_output_print(file, "]");
}

/* UTC, to the microsecond, as AIPerf's reader has times. */
static dyno_status put_time(struct dyno_output_file *file, const char *name, uint64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / DYNO_S);
    struct tm parts;
    char text[32];

    if (unix_ns == 0 || !gmtime_r(&seconds, &parts) ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        return DYNO_OK;
    }
    return dyno_output_print(file, ",\n  \"%s\": \"%s.%06uZ\"", name, text,
                             (unsigned)(unix_ns % DYNO_S / 1000));
}

static dyno_status put_about(struct dyno_output_file *file, const struct dyno_aiperf_about *about)
{
    char *text;
    dyno_status status;

    DYNO_TRY(put_time(file, "start_time", about->started_ns));
    DYNO_TRY(put_time(file, "end_time", about->ended_ns));
    if (dyno_aiperf_about_text(&text, about) != DYNO_OK) {
        return dyno_fail(file->error, DYNO_NO_MEMORY, "out of memory for a summary");
    }
    status = dyno_output_print(file, "%s", text);
    free(text);
    return status;
}

static dyno_status put_json(struct dyno_output_file *file,
                            const struct dyno_aiperf_summary *summary,
                            const struct dyno_aiperf_about *about)
{
    double figures[TOTALS];

    take_totals(figures, summary, about);
    DYNO_TRY(dyno_output_print(file, "{\n  \"schema_version\": \"1.5\""));
    for (int i = 0; i < DYNO_AIPERF_METRICS; i++) {
        DYNO_TRY(put_metric(file, &metrics[i], &summary->values[i]));
    }
    for (int i = 0; i < TOTALS; i++) {
        DYNO_TRY(put_total(file, &totals[i], figures[i]));
    }
    DYNO_TRY(dyno_output_print(file, ",\n  \"was_cancelled\": %s",
                               about->was_cancelled ? "true" : "false"));
    DYNO_TRY(put_reasons(file, summary));
    DYNO_TRY(put_about(file, about));
    return dyno_output_print(file, "\n}\n");
}

/* ---- CSV ------------------------------------------------------------------------------------- */

/* Its name with the unit, but where it only counts requests. */
static dyno_status put_name(struct dyno_output_file *file, const struct metric *metric)
{
    return strcmp(metric->unit, "requests") == 0
               ? dyno_output_print(file, "%s", metric->header)
               : dyno_output_print(file, "%s (%s)", metric->header, metric->unit);
}

static dyno_status put_row(struct dyno_output_file *file, const struct metric *metric,
                           const struct dyno_values *values)
{
    if (values->count == 0) {
        return DYNO_OK;
    }
    DYNO_TRY(put_name(file, metric));
    DYNO_TRY(dyno_output_print(file, ",%.2f,%.2f,%.2f,%.2f", dyno_values_mean(values),
                               values->values[0], values->values[values->count - 1],
                               sum_of(values)));
    for (int i = 0; i < PERCENTS; i++) {
        DYNO_TRY(
            dyno_output_print(file, ",%.2f", dyno_values_percentile(values, percents[i] / 100.0)));
    }
    return dyno_output_print(file, ",%.2f\r\n", dyno_values_deviation(values));
}

static dyno_status put_csv(struct dyno_output_file *file, const struct dyno_aiperf_summary *summary,
                           const struct dyno_aiperf_about *about)
{
    double figures[TOTALS];

    take_totals(figures, summary, about);
    if (summary->completed > 0) {
        DYNO_TRY(dyno_output_print(
            file, "Metric,avg,min,max,sum,p1,p5,p10,p25,p50,p75,p90,p95,p99,std\r\n"));
        for (int i = 0; i < DYNO_AIPERF_METRICS; i++) {
            DYNO_TRY(put_row(file, &metrics[i], &summary->values[i]));
        }
        DYNO_TRY(dyno_output_print(file, "\r\n"));
    }
    DYNO_TRY(dyno_output_print(file, "Metric,Value\r\n"));
    for (int i = 0; i < TOTALS; i++) {
        if (isfinite(figures[i])) {
            DYNO_TRY(put_name(file, &totals[i]));
            DYNO_TRY(dyno_output_print(file, ",%.2f\r\n", figures[i]));
        }
    }
    return DYNO_OK;
}

/* ---- both ------------------------------------------------------------------------------------ */

static dyno_status write_one(const struct dyno_aiperf_summary *summary,
                             const struct dyno_aiperf_about *about, const char *path,
                             dyno_status (*put)(struct dyno_output_file *file,
                                                const struct dyno_aiperf_summary *summary,
                                                const struct dyno_aiperf_about *about),
                             struct dyno_error *error)
{
    struct dyno_output_file file;
    dyno_status status;

    DYNO_TRY(dyno_output_open(&file, path, error));
    status = put(&file, summary, about);
    if (status != DYNO_OK) {
        dyno_output_abandon(&file);
        return status;
    }
    return dyno_output_finish(&file);
}

dyno_status dyno_aiperf_summary_write(struct dyno_aiperf_summary *summary,
                                      const struct dyno_aiperf_about *about, const char *json_path,
                                      const char *csv_path, struct dyno_error *error)
{
    for (int i = 0; i < DYNO_AIPERF_METRICS; i++) {
        dyno_values_sort(&summary->values[i]);
    }
    DYNO_TRY(write_one(summary, about, json_path, put_json, error));
    return write_one(summary, about, csv_path, put_csv, error);
}

#include "reports/headline.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct dyno_headline dyno_headline_table[] = {
    {"requests.completed", "Requests completed", "", false},
    {"requests.rejected", "Requests rejected", "", true},
    {"requests.cancelled", "Requests cancelled", "", true},
    {"requests.failed", "Requests failed", "", true},
    {"duration_s", "Duration", "s", false},
    {"ttft_ms.mean", "TTFT mean", "ms", false},
    {"ttft_ms.p50", "TTFT p50", "ms", false},
    {"ttft_ms.p95", "TTFT p95", "ms", false},
    {"ttft_ms.p99", "TTFT p99", "ms", false},
    {"tpot_ms.mean", "TPOT mean", "ms", false},
    {"tpot_ms.p50", "TPOT p50", "ms", false},
    {"tpot_ms.p99", "TPOT p99", "ms", false},
    {"itl_ms.p99", "ITL p99", "ms", false},
    {"e2e_ms.mean", "E2E mean", "ms", false},
    {"e2e_ms.p50", "E2E p50", "ms", false},
    {"e2e_ms.p99", "E2E p99", "ms", false},
    {"throughput.requests_per_s", "Requests", "1/s", false},
    {"throughput.output_tokens_per_s", "Output tokens", "1/s", false},
    {"goodput.requests_per_s", "Goodput", "1/s", false},
    {"goodput.fraction", "Requests within the objectives", "%", false},
    {"goodput.per_gpu", "Goodput per GPU", "1/s", false},
    {"fleet.gpus", "GPUs", "", false},
    {"fleet.gpu_hours", "GPU hours", "h", false},
    {"fleet.busy_fraction", "Busy", "%", false},
    {"fleet.mfu", "MFU", "%", false},
    {"fleet.kv_use", "KV in use", "%", false},
    {"kv.token_hit_rate", "Prompt tokens found in cache", "%", false},
    {"kv.belady_hit_rate", "… at most, with foresight", "%", false},
    {"kv.preemptions", "Preemptions", "", true},
    {"transfers.count", "Prompts moved between workers", "", true},
    {"planner.decisions", "Planner decisions", "", true},
    {"cost.gpu_watts", "Power of a GPU", "W", false},
    {"cost.energy_kwh", "Energy of GPUs", "kWh", false},
    {"cost.total", "Cost", "", true},
    {"cost.per_million_output_tokens", "Cost of a million output tokens", "", true},
    {"extrapolated.count", "Respects beyond what was measured", "", true},
    {"client.limited", "The client was the limit (1: yes)", "", true},
    {NULL, NULL, NULL, false},
};

static const char value_sql[] =
    "SELECT (SELECT value FROM run_metric WHERE run = ?1 AND metric = ?2),"
    " (SELECT value FROM run_metric WHERE run = ?1 AND metric = 'intervals.' || ?2 || '.low'),"
    " (SELECT value FROM run_metric WHERE run = ?1 AND metric = 'intervals.' || ?2 || '.high')";

static double number_of(sqlite3_stmt *row, int column)
{
    return sqlite3_column_type(row, column) == SQLITE_NULL ? NAN
                                                           : sqlite3_column_double(row, column);
}

static dyno_status ask(sqlite3 *database, int64_t run, const struct dyno_headline *headline,
                       struct dyno_headline_value *out, struct dyno_error *error)
{
    dyno_status status = DYNO_OK;
    sqlite3_stmt *row;

    DYNO_TRY(dyno_database_prepare(database, &row, value_sql, error));
    (void)sqlite3_bind_int64(row, 1, run);
    (void)sqlite3_bind_text(row, 2, headline->metric, -1, SQLITE_STATIC);
    if (sqlite3_step(row) == SQLITE_ROW) {
        *out =
            (struct dyno_headline_value){number_of(row, 0), number_of(row, 1), number_of(row, 2)};
    } else {
        status = dyno_database_failed(database, error);
    }
    (void)sqlite3_finalize(row);
    return status;
}

dyno_status dyno_headline_take(const struct dyno_run_set *set, const struct dyno_headline *headline,
                               struct dyno_headline_line *out, struct dyno_error *error)
{
    struct dyno_headline_line line = {.count = 0};
    dyno_status status = DYNO_OK;
    sqlite3_stmt *row;

    DYNO_TRY(
        dyno_database_prepare(set->database, &row, "SELECT run FROM detail ORDER BY place", error));
    while (status == DYNO_OK && line.count < DYNO_RUN_SET_DETAIL_MAX &&
           sqlite3_step(row) == SQLITE_ROW) {
        struct dyno_headline_value *value = &line.values[line.count++];

        status = ask(set->database, sqlite3_column_int64(row, 0), headline, value, error);
        line.any =
            line.any || (isfinite(value->value) && (value->value != 0 || !headline->only_if_any));
    }
    (void)sqlite3_finalize(row);
    if (status == DYNO_OK) {
        *out = line;
    }
    return status;
}

const char *dyno_headline_unit(const struct dyno_headline *headline)
{
    return strcmp(headline->unit, "ms") == 0    ? ", ms"
           : strcmp(headline->unit, "s") == 0   ? ", s"
           : strcmp(headline->unit, "h") == 0   ? ", h"
           : strcmp(headline->unit, "1/s") == 0 ? ", 1/s"
           : strcmp(headline->unit, "W") == 0   ? ", W"
           : strcmp(headline->unit, "kWh") == 0 ? ", kWh"
                                                : "";
}

char *dyno_headline_format(char out[DYNO_FORMAT_MAX], double value, const char *unit)
{
    double size = fabs(value);

    if (strcmp(unit, "%") == 0) {
        return dyno_format_percent(out, value);
    }
    if (size >= 1000 || value == rint(value)) {
        return dyno_format_fixed(out, value, 0);
    }
    return dyno_format_fixed(out, value, size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4);
}

char *dyno_headline_change(char out[DYNO_FORMAT_MAX], double value, double first, const char *unit)
{
    bool is_share = strcmp(unit, "%") == 0;
    double times = is_share ? 1 : value / first;
    double change = 100 * (is_share ? value - first : times - 1);

    *out = '\0';
    if (isfinite(times) && times >= 10) {
        (void)snprintf(out, DYNO_FORMAT_MAX, times >= 100 ? "× %.0f" : "× %.1f", times);
    } else if (isfinite(change) && fabs(change) >= 0.05) {
        (void)snprintf(out, DYNO_FORMAT_MAX, "%s%.1f %s", change < 0 ? "−" : "+", fabs(change),
                       is_share ? "points" : "%");
    }
    return out;
}

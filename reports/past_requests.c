#include "reports/past_requests.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/run_set.h"

static const char about_sql[] =
    "SELECT c.run, c.status, coalesce(h.started_at, ''), r.command, r.title FROM chosen AS c"
    " JOIN run AS r ON r.id = c.run LEFT JOIN host AS h ON h.run = c.run";

static const char option_sql[] =
    "SELECT coalesce(value, '') FROM run_option WHERE run = ?1 AND name = ?2";

static const char metric_sql[] = "SELECT value FROM run_metric WHERE run = ?1 AND metric = ?2";

#define REQUESTS_SQL(more)                                                                         \
    "SELECT id, session, tenant, worker, prefill_worker, outcome, prompt_tokens, output_tokens,"   \
    " cached_tokens, preemptions, scheduled_ns, arrival_ns, ready_ns, admitted_ns, first_token_ns" \
    ", last_token_ns, transfer_ns, " more " FROM request WHERE run = ?1 ORDER BY id"

static const char requests_sql[] = REQUESTS_SQL("priority, held_ns");
static const char requests_before_5_sql[] = REQUESTS_SQL("0, 0"); /* of the schema */

/* ---- what it was ----------------------------------------------------------------------------- */

/* The one row that `sql` has for a run and a name; NULL: there is none, or it failed. */
static sqlite3_stmt *find(sqlite3 *database, const char *sql, int64_t run, const char *name)
{
    sqlite3_stmt *row = NULL;

    if (sqlite3_prepare_v2(database, sql, -1, &row, NULL) == SQLITE_OK &&
        sqlite3_bind_int64(row, 1, run) == SQLITE_OK &&
        sqlite3_bind_text(row, 2, name, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(row) == SQLITE_ROW) {
        return row;
    }
    (void)sqlite3_finalize(row);
    return NULL;
}

/* "none" is as good as nothing. */
static void copy_option(char *out, size_t size, sqlite3 *database, int64_t run, const char *name)
{
    sqlite3_stmt *row = find(database, option_sql, run, name);
    const char *text = row ? (const char *)sqlite3_column_text(row, 0) : NULL;

    (void)snprintf(out, size, "%s", text && strcmp(text, "none") != 0 ? text : "");
    (void)sqlite3_finalize(row);
}

/* 0: a word stands there, such as "none" or "all". */
static uint64_t count_option(sqlite3 *database, int64_t run, const char *name)
{
    char text[32];

    copy_option(text, sizeof text, database, run, name);
    return strtoull(text, NULL, 10);
}

static double metric(sqlite3 *database, int64_t run, const char *name)
{
    sqlite3_stmt *row = find(database, metric_sql, run, name);
    double value = row && sqlite3_column_type(row, 0) != SQLITE_NULL ? sqlite3_column_double(row, 0)
                                                                     : (double)NAN;

    (void)sqlite3_finalize(row);
    return value;
}

/* "MODEL at HOST:PORT, ENDPOINT": the title of a run that asked a server. */
static void copy_asked_model(struct dyno_past_about *about, const char *title)
{
    const char *at = NULL;

    for (const char *found = strstr(title, " at "); found; found = strstr(found + 1, " at ")) {
        at = found;
    }
    if (at) {
        (void)snprintf(about->model, sizeof about->model, "%.*s", (int)(at - title), title);
    }
}

static void fill(struct dyno_past_about *about, const char *title, sqlite3 *database)
{
    static const char *const itl[] = {"itl_ms.mean", "itl_ms.p50", "itl_ms.std", "itl_ms.p99"};
    int64_t run = about->id;

    copy_option(about->model, sizeof about->model, database, run, "model.name");
    copy_option(about->url, sizeof about->url, database, run, "bench.url");
    copy_option(about->endpoint, sizeof about->endpoint, database, run, "bench.endpoint");
    if (about->url[0]) {
        copy_asked_model(about, title);
    }
    copy_option(about->trace, sizeof about->trace, database, run, "trace.path");
    copy_option(about->arrival, sizeof about->arrival, database, run, "generate.arrival");
    copy_option(about->input_tokens, sizeof about->input_tokens, database, run,
                "generate.input_tokens");
    copy_option(about->output_tokens, sizeof about->output_tokens, database, run,
                "generate.output_tokens");
    about->requests = count_option(database, run, "trace.requests");
    about->seed = count_option(database, run, "run.seed");
    about->concurrency = (uint32_t)count_option(database, run, "trace.concurrency");
    about->inflight_max = (uint32_t)count_option(database, run, "trace.max_concurrency");
    about->goodput_per_s = metric(database, run, "goodput.requests_per_s");
    about->has_slo = isfinite(about->goodput_per_s);
    about->is_client = isfinite(metric(database, run, "client.cpu_fraction"));
    about->duration_s = metric(database, run, "duration_s");
    for (size_t i = 0; i < sizeof itl / sizeof itl[0]; i++) {
        about->itl_ms[i] = metric(database, run, itl[i]);
    }
}

static dyno_status read_about(struct dyno_past_about *about, const struct dyno_run_set *set,
                              const char *spec, struct dyno_error *error)
{
    sqlite3_stmt *row;

    if (set->chosen != 1) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "one run is exported at a time; '%s' chooses %lld: write its number, or "
                         "last",
                         spec, (long long)set->chosen);
    }
    DYNO_TRY(dyno_database_prepare(set->database, &row, about_sql, error));
    if (sqlite3_step(row) != SQLITE_ROW) {
        (void)sqlite3_finalize(row);
        return dyno_database_failed(set->database, error);
    }
    *about = (struct dyno_past_about){.id = sqlite3_column_int64(row, 0)};
    (void)snprintf(about->status, sizeof about->status, "%s", sqlite3_column_text(row, 1));
    (void)snprintf(about->started_at, sizeof about->started_at, "%s", sqlite3_column_text(row, 2));
    (void)snprintf(about->command, sizeof about->command, "%s", sqlite3_column_text(row, 3));
    fill(about, (const char *)sqlite3_column_text(row, 4), set->database);
    (void)sqlite3_finalize(row);
    return DYNO_OK;
}

/* ---- requests -------------------------------------------------------------------------------- */

static dyno_ns stamp(sqlite3_stmt *row, int column)
{
    return sqlite3_column_type(row, column) == SQLITE_NULL
               ? DYNO_NEVER
               : (dyno_ns)sqlite3_column_int64(row, column);
}

static uint32_t number(sqlite3_stmt *row, int column)
{
    return (uint32_t)sqlite3_column_int64(row, column);
}

static struct dyno_request_record record_of(sqlite3_stmt *row)
{
    bool is_routed = sqlite3_column_type(row, 3) != SQLITE_NULL;

    return (struct dyno_request_record){
        .id = (uint64_t)sqlite3_column_int64(row, 0),
        .session = (uint64_t)sqlite3_column_int64(row, 1),
        .tenant = number(row, 2),
        .worker = is_routed ? number(row, 3) : DYNO_NO_WORKER,
        .prefill_worker = number(row, 4),
        .outcome = (enum dyno_outcome)number(row, 5),
        .prompt_tokens = number(row, 6),
        .output_tokens = number(row, 7),
        .cached_tokens = number(row, 8),
        .preemptions = number(row, 9),
        .scheduled_ns = stamp(row, 10),
        .arrival_ns = stamp(row, 11),
        .ready_ns = stamp(row, 12),
        .admitted_ns = stamp(row, 13),
        .first_token_ns = stamp(row, 14),
        .last_token_ns = stamp(row, 15),
        .transfer_ns = (dyno_ns)sqlite3_column_int64(row, 16),
        .priority = sqlite3_column_int(row, 17),
        .held_ns = (dyno_ns)sqlite3_column_int64(row, 18),
    };
}

static dyno_status tell(const struct dyno_run_set *set, int64_t run,
                        const struct dyno_past_listener *listener, struct dyno_error *error)
{
    struct dyno_request_record record;
    dyno_status status = DYNO_OK;
    sqlite3_stmt *row;
    int step;

    if (dyno_database_prepare(set->database, &row, requests_sql, NULL) != DYNO_OK) {
        DYNO_TRY(dyno_database_prepare(set->database, &row, requests_before_5_sql, error));
    }
    (void)sqlite3_bind_int64(row, 1, run);
    while ((step = sqlite3_step(row)) == SQLITE_ROW && status == DYNO_OK) {
        record = record_of(row);
        status = listener->take(listener->context, &record, error);
    }
    if (status == DYNO_OK && step != SQLITE_DONE) {
        status = dyno_database_failed(set->database, error);
    }
    (void)sqlite3_finalize(row);
    return status;
}

dyno_status dyno_past_requests_tell(const char *path, const char *spec,
                                    const struct dyno_past_listener *listener,
                                    struct dyno_error *error)
{
    struct dyno_past_about about;
    struct dyno_run_set set;
    dyno_status status;

    DYNO_TRY(dyno_run_set_open(&set, path, spec, error));
    status = read_about(&about, &set, spec, error);
    if (status == DYNO_OK) {
        status = listener->begin(listener->context, &about, error);
    }
    if (status == DYNO_OK) {
        status = tell(&set, about.id, listener, error);
    }
    dyno_run_set_close(&set);
    return status;
}

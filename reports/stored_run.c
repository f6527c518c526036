#include "reports/stored_run.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/database.h"

static const char runs_sql[] =
    "SELECT id, command FROM run WHERE status = 'finished' ORDER BY id DESC";
static const char metrics_sql[] =
    "SELECT metric, value FROM run_metric WHERE run = ? ORDER BY metric";
static const char requests_sql[] =
    "SELECT id, outcome, worker, session, tenant, prompt_tokens, output_tokens, cached_tokens,"
    " preemptions, scheduled_ns, arrival_ns, ready_ns, admitted_ns, first_token_ns, last_token_ns"
    " FROM request WHERE run = ? ORDER BY id";

/* "dyno replay sim/gate/chat.yaml --db ..." is of chat.yaml. */
static bool is_of(const char *command, const char *scenario)
{
    size_t length = strlen(scenario);

    for (const char *at = strstr(command, scenario); at; at = strstr(at + 1, scenario)) {
        bool begins = at > command && strchr("/ '", at[-1]);

        if (begins && (at[length] == '\0' || strchr(" '", at[length]))) {
            return true;
        }
    }
    return false;
}

static dyno_status find_run(struct dyno_stored_run *run, sqlite3 *database, const char *path,
                            const char *scenario, struct dyno_error *error)
{
    sqlite3_stmt *row;
    int step;

    DYNO_TRY(dyno_database_prepare(database, &row, runs_sql, error));
    while ((step = sqlite3_step(row)) == SQLITE_ROW && run->id == 0) {
        const char *command = (const char *)sqlite3_column_text(row, 1);

        if (!scenario || (command && is_of(command, scenario))) {
            run->id = sqlite3_column_int64(row, 0);
        }
    }
    (void)sqlite3_finalize(row);
    if (run->id != 0) {
        return DYNO_OK;
    }
    if (step != SQLITE_DONE) {
        return dyno_database_failed(database, error);
    }
    return dyno_fail(error, DYNO_NOT_FOUND, "%s holds no finished run%s%s", path,
                     scenario ? " of " : "", scenario ? scenario : "");
}

static void take_metric(struct dyno_stored_run *run, sqlite3_stmt *row)
{
    struct dyno_stored_metric *metric = &run->metrics[run->metric_count++];

    (void)snprintf(metric->name, sizeof metric->name, "%s",
                   (const char *)sqlite3_column_text(row, 0));
    metric->value =
        sqlite3_column_type(row, 1) == SQLITE_NULL ? NAN : sqlite3_column_double(row, 1);
}

static dyno_ns stamp_of(sqlite3_stmt *row, int column)
{
    return sqlite3_column_type(row, column) == SQLITE_NULL
               ? DYNO_NEVER
               : (dyno_ns)sqlite3_column_int64(row, column);
}

static void take_request(struct dyno_stored_run *run, sqlite3_stmt *row)
{
    run->records[run->record_count++] = (struct dyno_request_record){
        .id = (uint64_t)sqlite3_column_int64(row, 0),
        .outcome = (enum dyno_outcome)sqlite3_column_int(row, 1),
        .worker = sqlite3_column_type(row, 2) == SQLITE_NULL
                      ? DYNO_NO_WORKER
                      : (uint32_t)sqlite3_column_int64(row, 2),
        .session = (uint64_t)sqlite3_column_int64(row, 3),
        .tenant = (uint32_t)sqlite3_column_int64(row, 4),
        .prompt_tokens = (uint32_t)sqlite3_column_int64(row, 5),
        .output_tokens = (uint32_t)sqlite3_column_int64(row, 6),
        .cached_tokens = (uint32_t)sqlite3_column_int64(row, 7),
        .preemptions = (uint32_t)sqlite3_column_int64(row, 8),
        .scheduled_ns = stamp_of(row, 9),
        .arrival_ns = stamp_of(row, 10),
        .ready_ns = stamp_of(row, 11),
        .admitted_ns = stamp_of(row, 12),
        .first_token_ns = stamp_of(row, 13),
        .last_token_ns = stamp_of(row, 14),
    };
}

/* Room for one more; false: no memory. */
static bool make_room(void **array, uint32_t count, size_t size)
{
    void *larger;

    if ((count & (count - 1)) != 0) {
        return true; /* grown at powers of two */
    }
    larger = realloc(*array, (count > 0 ? 2 * (size_t)count : 1) * size);
    if (!larger) {
        return false;
    }
    *array = larger;
    return true;
}

static dyno_status take_rows(struct dyno_stored_run *run, sqlite3 *database, const char *sql,
                             struct dyno_error *error)
{
    bool of_metrics = sql == metrics_sql, is_room = true;
    sqlite3_stmt *row;
    int step;

    DYNO_TRY(dyno_database_prepare(database, &row, sql, error));
    (void)sqlite3_bind_int64(row, 1, run->id);
    while ((step = sqlite3_step(row)) == SQLITE_ROW && is_room) {
        is_room = of_metrics
                      ? make_room((void **)&run->metrics, run->metric_count, sizeof *run->metrics)
                      : make_room((void **)&run->records, run->record_count, sizeof *run->records);
        if (is_room && of_metrics) {
            take_metric(run, row);
        } else if (is_room) {
            take_request(run, row);
        }
    }
    (void)sqlite3_finalize(row);
    if (!is_room) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a stored run");
    }
    return step == SQLITE_DONE ? DYNO_OK : dyno_database_failed(database, error);
}

dyno_status dyno_stored_run_read(struct dyno_stored_run *out, const char *path,
                                 const char *scenario, struct dyno_error *error)
{
    struct dyno_stored_run run = {.id = 0};
    sqlite3 *database;
    dyno_status status;

    DYNO_TRY(dyno_database_read(&database, path, error));
    status = find_run(&run, database, path, scenario, error);
    if (status == DYNO_OK) {
        status = take_rows(&run, database, metrics_sql, error);
    }
    if (status == DYNO_OK) {
        status = take_rows(&run, database, requests_sql, error);
    }
    (void)sqlite3_close(database);
    if (status != DYNO_OK) {
        dyno_stored_run_release(&run);
        return status;
    }
    *out = run;
    return DYNO_OK;
}

void dyno_stored_run_release(struct dyno_stored_run *run)
{
    free(run->metrics);
    free(run->records);
    *run = (struct dyno_stored_run){.id = 0};
}

double dyno_stored_run_metric(const struct dyno_stored_run *run, const char *name)
{
    for (uint32_t i = 0; i < run->metric_count; i++) {
        if (strcmp(run->metrics[i].name, name) == 0) {
            return run->metrics[i].value;
        }
    }
    return NAN;
}

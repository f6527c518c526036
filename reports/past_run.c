#include "reports/past_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/database.h"

static const char last_sql[] =
    "SELECT run.id, coalesce(host.started_at, ''),"
    " (SELECT count(*) FROM request WHERE run = run.id AND outcome <> 0)"
    " FROM run LEFT JOIN host ON host.run = run.id"
    " WHERE run.status IN ('finished', 'interrupted') ORDER BY run.id DESC LIMIT 1";

static const char options_sql[] =
    "SELECT name, coalesce(value, '') FROM run_option WHERE run = ? AND name IN"
    " ('model.name', 'generate.arrival', 'trace.concurrency', 'trace.max_concurrency')";

static const char requests_sql[] =
    "SELECT prompt_tokens, output_tokens, scheduled_ns, arrival_ns, first_token_ns, last_token_ns"
    " FROM request WHERE run = ? AND outcome = 0 ORDER BY id";

static void copy_text(char *to, size_t size, sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    (void)snprintf(to, size, "%s", text ? text : "");
}

static dyno_status take_last(struct dyno_past_run *run, sqlite3 *database, const char *path,
                             struct dyno_error *error)
{
    sqlite3_stmt *row;
    int step;

    DYNO_TRY(dyno_database_prepare(database, &row, last_sql, error));
    step = sqlite3_step(row);
    if (step == SQLITE_ROW) {
        run->id = sqlite3_column_int64(row, 0);
        copy_text(run->started_at, sizeof run->started_at, row, 1);
        run->left_out = (uint64_t)sqlite3_column_int64(row, 2);
    }
    (void)sqlite3_finalize(row);
    if (step == SQLITE_DONE) {
        return dyno_fail(error, DYNO_NOT_FOUND, "%s holds no run that came to its end", path);
    }
    return step == SQLITE_ROW ? DYNO_OK : dyno_database_failed(database, error);
}

static void take_option(struct dyno_past_run *run, sqlite3_stmt *row)
{
    const char *name = (const char *)sqlite3_column_text(row, 0);
    const char *text = (const char *)sqlite3_column_text(row, 1);

    if (!name || !text) {
        return;
    }
    if (strcmp(name, "model.name") == 0) {
        copy_text(run->model, sizeof run->model, row, 1);
    } else if (strcmp(name, "generate.arrival") == 0 && strcmp(text, "none") != 0) {
        copy_text(run->arrival, sizeof run->arrival, row, 1);
    } else if (strcmp(name, "trace.concurrency") == 0) {
        run->concurrency = (uint32_t)strtoul(text, NULL, 10); /* "none": 0 */
    } else if (strcmp(name, "trace.max_concurrency") == 0) {
        run->inflight_max = (uint32_t)strtoul(text, NULL, 10);
    }
}

static dyno_status take_request(struct dyno_past_run *run, uint64_t *room, sqlite3_stmt *row,
                                struct dyno_error *error)
{
    if (run->request_count == *room) {
        uint64_t more = *room ? 2 * *room : 1024;
        struct dyno_past_request *requests = realloc(run->requests, more * sizeof *requests);

        if (!requests) {
            return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the requests of run %" PRId64,
                             run->id);
        }
        run->requests = requests;
        *room = more;
    }
    run->requests[run->request_count++] = (struct dyno_past_request){
        .prompt_tokens = (uint32_t)sqlite3_column_int64(row, 0),
        .output_tokens = (uint32_t)sqlite3_column_int64(row, 1),
        .scheduled_ns = (dyno_ns)sqlite3_column_int64(row, 2),
        .arrival_ns = (dyno_ns)sqlite3_column_int64(row, 3),
        .first_token_ns = (dyno_ns)sqlite3_column_int64(row, 4),
        .last_token_ns = (dyno_ns)sqlite3_column_int64(row, 5),
    };
    return DYNO_OK;
}

/* Every row of `sql` for this run: options, or requests. */
static dyno_status take_rows(struct dyno_past_run *run, sqlite3 *database, const char *sql,
                             struct dyno_error *error)
{
    dyno_status status = DYNO_OK;
    uint64_t room = 0;
    sqlite3_stmt *row;
    int step;

    DYNO_TRY(dyno_database_prepare(database, &row, sql, error));
    (void)sqlite3_bind_int64(row, 1, run->id);
    while ((step = sqlite3_step(row)) == SQLITE_ROW && status == DYNO_OK) {
        if (sql == options_sql) {
            take_option(run, row);
        } else {
            status = take_request(run, &room, row, error);
        }
    }
    if (status == DYNO_OK && step != SQLITE_DONE) {
        status = dyno_database_failed(database, error);
    }
    (void)sqlite3_finalize(row);
    return status;
}

dyno_status dyno_past_run_read(struct dyno_past_run *out, const char *path,
                               struct dyno_error *error)
{
    struct dyno_past_run run = {.id = 0};
    sqlite3 *database;
    dyno_status status;

    DYNO_TRY(dyno_database_read(&database, path, error));
    status = take_last(&run, database, path, error);
    if (status == DYNO_OK) {
        status = take_rows(&run, database, options_sql, error);
    }
    if (status == DYNO_OK) {
        status = take_rows(&run, database, requests_sql, error);
    }
    (void)sqlite3_close(database);
    if (status != DYNO_OK) {
        dyno_past_run_release(&run);
        return status;
    }
    *out = run;
    return DYNO_OK;
}

void dyno_past_run_release(struct dyno_past_run *run)
{
    free(run->requests);
    run->requests = NULL;
    run->request_count = 0;
}

#include "reports/runs_edit.h"

#include <inttypes.h>

#include "core/base/words.h"
#include "reports/run_set.h"

/* What is done to every run that was chosen: ?1 is its number, ?2 the tag. */
static dyno_status change(const struct dyno_run_set *set, const char *sql, const char *tag,
                          struct dyno_error *error)
{
    dyno_status status = DYNO_OK;
    sqlite3_stmt *runs, *statement;

    DYNO_TRY(dyno_database_prepare(set->database, &statement, sql, error));
    status = dyno_database_prepare(set->database, &runs, "SELECT run FROM chosen", error);
    if (status != DYNO_OK) {
        (void)sqlite3_finalize(statement);
        return status;
    }
    while (status == DYNO_OK && sqlite3_step(runs) == SQLITE_ROW) {
        (void)sqlite3_bind_int64(statement, 1, sqlite3_column_int64(runs, 0));
        (void)sqlite3_bind_text(statement, 2, tag, -1, SQLITE_STATIC); /* where there is one */
        if (sqlite3_step(statement) != SQLITE_DONE) {
            status = dyno_database_failed(set->database, error);
        }
        (void)sqlite3_reset(statement);
    }
    (void)sqlite3_finalize(runs);
    (void)sqlite3_finalize(statement);
    return status;
}

/* In one transaction: all of them or none. */
static dyno_status change_all(const struct dyno_run_set *set, const char *sql, const char *tag,
                              struct dyno_error *error)
{
    dyno_status status;

    DYNO_TRY(dyno_database_run(set->database,
                               "PRAGMA query_only = OFF; PRAGMA foreign_keys = ON; BEGIN IMMEDIATE",
                               error));
    status = change(set, sql, tag, error);
    if (status == DYNO_OK) {
        status = dyno_database_run(set->database, "COMMIT", error);
    }
    if (status != DYNO_OK) {
        (void)sqlite3_exec(set->database, "ROLLBACK", NULL, NULL, NULL);
    }
    return status;
}

dyno_status dyno_runs_tag(const char *path, const char *spec, const char *tag, bool remove,
                          struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];
    struct dyno_run_set set;
    dyno_status status;

    if (!dyno_run_tag_is_good(tag)) {
        return dyno_fail(
            error, DYNO_BAD_INPUT,
            "%s is no tag: one begins with a letter, has no blank and no comma, at most "
            "%d bytes, and is not last or all",
            dyno_quote(quoted, tag), DYNO_RUN_TAG_MAX - 1);
    }
    DYNO_TRY(dyno_run_set_open(&set, path, spec, error));
    status = change_all(&set,
                        remove ? "DELETE FROM run_tag WHERE run = ?1 AND tag = ?2"
                               : "INSERT OR IGNORE INTO run_tag (run, tag) VALUES (?1, ?2)",
                        tag, error);
    dyno_run_set_close(&set);
    return status;
}

/* A server or a replay would go on writing rows of a run that is not there. */
static dyno_status refuse_running(const struct dyno_run_set *set, struct dyno_error *error)
{
    dyno_status status = DYNO_OK;
    sqlite3_stmt *row;

    DYNO_TRY(dyno_database_prepare(set->database, &row,
                                   "SELECT run FROM chosen WHERE status = 'running'", error));
    if (sqlite3_step(row) == SQLITE_ROW) {
        status = dyno_fail(error, DYNO_BAD_INPUT,
                           "run %" PRId64 " is still running: end it first, then delete it",
                           (int64_t)sqlite3_column_int64(row, 0));
    }
    (void)sqlite3_finalize(row);
    return status;
}

dyno_status dyno_runs_delete(const char *path, const char *spec, int64_t *count,
                             struct dyno_error *error)
{
    struct dyno_run_set set;
    dyno_status status;

    DYNO_TRY(dyno_run_set_open(&set, path, spec, error));
    status = refuse_running(&set, error);
    if (status == DYNO_OK) {
        status = change_all(&set, "DELETE FROM run WHERE id = ?1", NULL, error);
    }
    if (status == DYNO_OK) {
        *count = set.chosen;
        /* That the file stays as large as it was, for somebody reads it, is no failure. */
        (void)sqlite3_exec(set.database, "VACUUM", NULL, NULL, NULL);
    }
    dyno_run_set_close(&set);
    return status;
}

/* Deleting the oldest rows.
 *
 * Requests and decisions are numbered in the order of time and samples are keyed by it, so that the
 * oldest of a run stand first in their tables and none is searched for. */
#include "reports/trim.h"

#include <stddef.h>

enum { STEP_ROWS = 1000 };

static const char *const statement_sql[TRIM_STATEMENTS] = {
    [TRIM_FIND_RUN] = "SELECT run FROM run_option AS o WHERE name = '" DYNO_TRIM_OPTION "' AND"
                      " (EXISTS (SELECT 1 FROM request WHERE run = o.run) OR"
                      " EXISTS (SELECT 1 FROM sample WHERE run = o.run) OR"
                      " EXISTS (SELECT 1 FROM decision WHERE run = o.run)) ORDER BY run LIMIT 1",
    [TRIM_STARTED] = "SELECT CAST(strftime('%s', started_at) AS INTEGER) FROM host WHERE run = ?1",
    /* When the row behind the next STEP_ROWS was; none: there are fewer. */
    [TRIM_REQUEST_AT] =
        "SELECT coalesce(arrival_ns, 0) FROM request WHERE run = ?1 ORDER BY id LIMIT 1 OFFSET ?2",
    [TRIM_SAMPLE_AT] = "SELECT at_ns FROM sample WHERE run = ?1 ORDER BY at_ns LIMIT 1 OFFSET ?2",
    [TRIM_DECISION_AT] =
        "SELECT at_ns FROM decision WHERE run = ?1 ORDER BY number LIMIT 1 OFFSET ?2",
    /* All before the first row that is not earlier than ?2; all, if there is none. */
    [TRIM_REQUESTS] = "DELETE FROM request WHERE run = ?1 AND id < coalesce((SELECT id FROM request"
                      " WHERE run = ?1 AND arrival_ns >= ?2 ORDER BY id LIMIT 1),"
                      " 9223372036854775807)",
    [TRIM_SAMPLES] = "DELETE FROM sample WHERE run = ?1 AND at_ns < ?2",
    [TRIM_TIER_SAMPLES] = "DELETE FROM tier_sample WHERE run = ?1 AND at_ns < ?2",
    [TRIM_LINK_SAMPLES] = "DELETE FROM link_sample WHERE run = ?1 AND at_ns < ?2",
    [TRIM_GPU_SAMPLES] = "DELETE FROM gpu_sample WHERE run = ?1 AND at_ns < ?2",
    [TRIM_CANDIDATES] =
        "DELETE FROM decision_candidate WHERE run = ?1 AND number < coalesce((SELECT number FROM"
        " decision WHERE run = ?1 AND at_ns >= ?2 ORDER BY number LIMIT 1), 9223372036854775807)",
    [TRIM_DECISIONS] =
        "DELETE FROM decision WHERE run = ?1 AND number < coalesce((SELECT number FROM decision"
        " WHERE run = ?1 AND at_ns >= ?2 ORDER BY number LIMIT 1), 9223372036854775807)",
    [TRIM_PAGES] =
        "SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count",
};

/* The integer that a statement yields; `none` if it yields no row, or NULL. */
static dyno_status ask(const struct dyno_trim *trim, enum trim_statement which, int64_t first,
                       int64_t second, int64_t none, int64_t *out, struct dyno_error *error)
{
    sqlite3_stmt *statement = trim->statements[which];
    dyno_status status = DYNO_OK;
    int result;

    if (sqlite3_bind_parameter_count(statement) > 0) {
        sqlite3_bind_int64(statement, 1, first);
    }
    if (sqlite3_bind_parameter_count(statement) > 1) {
        sqlite3_bind_int64(statement, 2, second);
    }
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL) {
        *out = sqlite3_column_int64(statement, 0);
    } else if (result == SQLITE_ROW || result == SQLITE_DONE) {
        *out = none;
    } else {
        status = dyno_database_failed(trim->database, error);
    }
    sqlite3_reset(statement);
    return status;
}

static dyno_status find_run(struct dyno_trim *trim, struct dyno_error *error)
{
    return trim->run ? DYNO_OK : ask(trim, TRIM_FIND_RUN, 0, 0, 0, &trim->run, error);
}

static dyno_status is_too_large(const struct dyno_trim *trim, uint64_t room_bytes, bool *out,
                                struct dyno_error *error)
{
    int64_t pages = 0;

    *out = false;
    if (trim->bytes_max == 0) {
        return DYNO_OK;
    }
    DYNO_TRY(ask(trim, TRIM_PAGES, 0, 0, 0, &pages, error));
    *out = (uint64_t)pages * (uint64_t)trim->page_bytes > trim->bytes_max - room_bytes;
    return DYNO_OK;
}

/* The run's time before which rows are too old; INT64_MIN: never. */
static dyno_status find_cutoff(const struct dyno_trim *trim, int64_t now_s, int64_t *out,
                               struct dyno_error *error)
{
    int64_t started_s = 0, cutoff_s;

    *out = INT64_MIN;
    if (trim->age_max_s == 0) {
        return DYNO_OK;
    }
    DYNO_TRY(ask(trim, TRIM_STARTED, trim->run, 0, INT64_MAX, &started_s, error));
    if (started_s == INT64_MAX || trim->age_max_s > (uint64_t)now_s) {
        return DYNO_OK;
    }
    cutoff_s = now_s - (int64_t)trim->age_max_s - started_s;
    *out = cutoff_s > INT64_MAX / 1000000000 ? INT64_MAX : cutoff_s * 1000000000;
    return DYNO_OK;
}

/* The time up to which one step deletes: at most STEP_ROWS of each table are before it. */
static dyno_status find_step(const struct dyno_trim *trim, int64_t *out, struct dyno_error *error)
{
    int64_t at = 0;

    *out = INT64_MAX;
    for (int which = TRIM_REQUEST_AT; which <= TRIM_DECISION_AT; which++) {
        DYNO_TRY(
            ask(trim, (enum trim_statement)which, trim->run, STEP_ROWS, INT64_MAX, &at, error));
        *out = at < *out ? at : *out;
    }
    return DYNO_OK;
}

static dyno_status delete_before(const struct dyno_trim *trim, int64_t at, bool *any,
                                 struct dyno_error *error)
{
    int64_t unused;

    *any = false;
    for (int which = TRIM_REQUESTS; which <= TRIM_DECISIONS; which++) {
        DYNO_TRY(ask(trim, (enum trim_statement)which, trim->run, at, 0, &unused, error));
        *any = *any || sqlite3_changes(trim->database) > 0;
    }
    return DYNO_OK;
}

/* Rows at one instant may be more than a step: then none is before it, and that instant goes. */
static dyno_status delete_step(struct dyno_trim *trim, int64_t cutoff, bool is_too_large_now,
                               bool *any, struct dyno_error *error)
{
    int64_t at = 0;

    DYNO_TRY(find_step(trim, &at, error));
    at = is_too_large_now || at < cutoff ? at : cutoff;
    DYNO_TRY(delete_before(trim, at, any, error));
    if (!*any && is_too_large_now && at < INT64_MAX) {
        DYNO_TRY(delete_before(trim, at + 1, any, error));
    }
    return DYNO_OK;
}

/* Up to `steps_max` steps, over as many runs as that takes. */
static dyno_status delete_steps(struct dyno_trim *trim, int64_t now_s, uint64_t room_bytes,
                                uint32_t steps_max, bool *is_done, struct dyno_error *error)
{
    *is_done = false;
    for (uint32_t i = 0; i < steps_max && !*is_done; i++) {
        int64_t cutoff = 0;
        bool is_large = false, any = false;

        DYNO_TRY(find_run(trim, error));
        if (trim->run == 0) {
            *is_done = true;
            return DYNO_OK;
        }
        DYNO_TRY(is_too_large(trim, room_bytes, &is_large, error));
        DYNO_TRY(find_cutoff(trim, now_s, &cutoff, error));
        if (is_large || cutoff > 0) {
            DYNO_TRY(delete_step(trim, cutoff, is_large, &any, error));
        }
        if (!any) {
            int64_t run = trim->run;

            trim->run = 0; /* it may have no rows any more: look for another one */
            DYNO_TRY(find_run(trim, error));
            *is_done = trim->run == run;
        }
    }
    return DYNO_OK;
}

dyno_status dyno_trim_run(struct dyno_trim *trim, int64_t now_s, uint64_t room_bytes,
                          uint32_t steps_max, bool *is_done, struct dyno_error *error)
{
    dyno_status status;
    bool done = false;

    DYNO_TRY(dyno_database_run(trim->database, "BEGIN IMMEDIATE", error));
    status = delete_steps(trim, now_s, room_bytes, steps_max, &done, error);
    if (status == DYNO_OK) {
        status = dyno_database_run(trim->database, "COMMIT", error);
    }
    if (status != DYNO_OK) {
        sqlite3_exec(trim->database, "ROLLBACK", NULL, NULL,
                     NULL); /* may have rolled back itself */
        trim->run = 0;
        return status;
    }
    *is_done = done;
    return DYNO_OK;
}

dyno_status dyno_trim_init(struct dyno_trim *trim, sqlite3 *database, uint64_t bytes_max,
                           uint64_t age_max_s, struct dyno_error *error)
{
    sqlite3_stmt *page_size = NULL;
    dyno_status status;

    *trim =
        (struct dyno_trim){.database = database, .bytes_max = bytes_max, .age_max_s = age_max_s};
    for (int i = 0; i < TRIM_STATEMENTS; i++) {
        DYNO_TRY(dyno_database_prepare(database, &trim->statements[i], statement_sql[i], error));
    }
    status = dyno_database_prepare(database, &page_size, "PRAGMA page_size", error);
    if (status == DYNO_OK && sqlite3_step(page_size) == SQLITE_ROW) {
        trim->page_bytes = sqlite3_column_int64(page_size, 0);
    } else if (status == DYNO_OK) {
        status = dyno_database_failed(database, error);
    }
    sqlite3_finalize(page_size);
    return status;
}

void dyno_trim_release(struct dyno_trim *trim)
{
    for (int i = 0; i < TRIM_STATEMENTS; i++) {
        sqlite3_finalize(trim->statements[i]);
        trim->statements[i] = NULL;
    }
}

#include "reports/tuning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/words.h"
#include "reports/database.h"

static const char find_sql[] = "SELECT t.run FROM trial AS t JOIN run AS r ON r.id = t.run"
                               " WHERE t.settings = ?1 AND r.status = 'finished'";
static const char point_sql[] = "UPDATE trial SET point = ?2, part = ?3, share = ?4 WHERE run = ?1";
static const char note_sql[] = "INSERT OR REPLACE INTO trial (run, settings, point, part, share)"
                               " VALUES (?1, ?5, ?2, ?3, ?4)";
static const char metric_sql[] = "SELECT value FROM run_metric WHERE run = ?1 AND metric = ?2";

struct dyno_tuning {
    sqlite3 *database;
    char *path;
    sqlite3_stmt *find, *point, *note, *metric;
};

/* ---- is it this one? ------------------------------------------------------------------------- */

static const char *text_of(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    return text ? text : "none";
}

static dyno_status refuse(const char *path, const char *what, const char *there, const char *here,
                          struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s holds another tuning: its %s is %.200s, not %.200s; name another --db",
                     dyno_quote(quoted, path), what, there, here);
}

static const char *value_here(const struct dyno_tuning_facts *facts, const char *name)
{
    for (uint32_t i = 0; i < facts->option_count; i++) {
        if (strcmp(facts->options[i].name, name) == 0) {
            return facts->options[i].value;
        }
    }
    return "not set";
}

/* The first option, by name, that is not what it is here; those that one side alone knows (another
 * version) are passed over. */
static dyno_status compare_options(struct dyno_tuning *tuning,
                                   const struct dyno_tuning_facts *facts, struct dyno_error *error)
{
    dyno_status status = DYNO_OK;
    sqlite3_stmt *rows;
    int step = SQLITE_DONE;

    DYNO_TRY(dyno_database_prepare(tuning->database, &rows,
                                   "SELECT name, value FROM tuning_option ORDER BY name", error));
    while (status == DYNO_OK && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        const char *name = text_of(rows, 0), *here = value_here(facts, name);

        if (strcmp(here, "not set") != 0 && strcmp(here, text_of(rows, 1)) != 0) {
            status = refuse(tuning->path, name, text_of(rows, 1), here, error);
        }
    }
    if (status == DYNO_OK && step != SQLITE_DONE) {
        status = dyno_database_failed(tuning->database, error);
    }
    (void)sqlite3_finalize(rows);
    return status;
}

/* Compare with what the database holds; *is_there is false where it holds none. */
static dyno_status compare(struct dyno_tuning *tuning, const struct dyno_tuning_facts *facts,
                           bool *is_there, struct dyno_error *error)
{
    const char *trace = facts->trace ? facts->trace : "none";
    dyno_status status = DYNO_OK;
    sqlite3_stmt *row;
    int step;

    DYNO_TRY(
        dyno_database_prepare(tuning->database, &row, "SELECT varied, trace FROM tuning", error));
    step = sqlite3_step(row);
    *is_there = step == SQLITE_ROW;
    if (*is_there && strcmp(text_of(row, 0), facts->varied) != 0) {
        status =
            refuse(tuning->path, "list of what is varied", text_of(row, 0), facts->varied, error);
    } else if (*is_there && strcmp(text_of(row, 1), trace) != 0) {
        status = refuse(tuning->path, "trace", text_of(row, 1), trace, error);
    } else if (!*is_there && step != SQLITE_DONE) {
        status = dyno_database_failed(tuning->database, error);
    }
    (void)sqlite3_finalize(row);
    return status == DYNO_OK && *is_there ? compare_options(tuning, facts, error) : status;
}

/* ---- making it this one's -------------------------------------------------------------------- */

static void bind_text(sqlite3_stmt *statement, int place, const char *text)
{
    (void)sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC); /* NULL stays NULL */
}

static dyno_status run_once(struct dyno_tuning *tuning, sqlite3_stmt *statement,
                            struct dyno_error *error)
{
    dyno_status status = sqlite3_step(statement) == SQLITE_DONE
                             ? DYNO_OK
                             : dyno_database_failed(tuning->database, error);

    (void)sqlite3_reset(statement);
    return status;
}

static dyno_status write_facts(struct dyno_tuning *tuning, const struct dyno_tuning_facts *facts,
                               struct dyno_error *error)
{
    dyno_status status;
    sqlite3_stmt *insert;

    DYNO_TRY(dyno_database_prepare(tuning->database, &insert,
                                   "INSERT INTO tuning (id, varied, trace) VALUES (1, ?1, ?2)",
                                   error));
    bind_text(insert, 1, facts->varied);
    bind_text(insert, 2, facts->trace);
    status = run_once(tuning, insert, error);
    (void)sqlite3_finalize(insert);
    DYNO_TRY(status);
    DYNO_TRY(dyno_database_prepare(tuning->database, &insert,
                                   "INSERT INTO tuning_option (name, value) VALUES (?1, ?2)",
                                   error));
    for (uint32_t i = 0; i < facts->option_count && status == DYNO_OK; i++) {
        bind_text(insert, 1, facts->options[i].name);
        bind_text(insert, 2, facts->options[i].value);
        status = run_once(tuning, insert, error);
    }
    (void)sqlite3_finalize(insert);
    return status;
}

static dyno_status write_aims(struct dyno_tuning *tuning, const struct dyno_tuning_aim *aims,
                              uint32_t count, struct dyno_error *error)
{
    dyno_status status = DYNO_OK;
    sqlite3_stmt *insert;

    DYNO_TRY(dyno_database_run(tuning->database,
                               "DELETE FROM tuning_aim; UPDATE trial SET point = NULL", error));
    DYNO_TRY(dyno_database_prepare(
        tuning->database, &insert,
        "INSERT INTO tuning_aim (place, metric, sign, bound) VALUES (?1, ?2, ?3, ?4)", error));
    for (uint32_t i = 0; i < count && status == DYNO_OK; i++) {
        (void)sqlite3_bind_int64(insert, 1, i);
        bind_text(insert, 2, aims[i].metric);
        (void)sqlite3_bind_int(insert, 3, aims[i].sign);
        (void)(aims[i].is_limit ? sqlite3_bind_double(insert, 4, aims[i].bound)
                                : sqlite3_bind_null(insert, 4));
        status = run_once(tuning, insert, error);
    }
    (void)sqlite3_finalize(insert);
    return status;
}

static dyno_status settle(struct dyno_tuning *tuning, const struct dyno_tuning_facts *facts,
                          const struct dyno_tuning_aim *aims, uint32_t aim_count,
                          struct dyno_error *error)
{
    bool is_there;
    dyno_status status;

    DYNO_TRY(dyno_database_run(tuning->database, "BEGIN IMMEDIATE", error));
    status = compare(tuning, facts, &is_there, error);
    if (status == DYNO_OK && !is_there) {
        status = write_facts(tuning, facts, error);
    }
    if (status == DYNO_OK) {
        status = write_aims(tuning, aims, aim_count, error);
    }
    if (status == DYNO_OK) {
        status = dyno_database_run(tuning->database, "COMMIT", error);
    }
    if (status != DYNO_OK) {
        sqlite3_exec(tuning->database, "ROLLBACK", NULL, NULL, NULL);
        return status;
    }
    DYNO_TRY(dyno_database_prepare(tuning->database, &tuning->find, find_sql, error));
    DYNO_TRY(dyno_database_prepare(tuning->database, &tuning->point, point_sql, error));
    DYNO_TRY(dyno_database_prepare(tuning->database, &tuning->note, note_sql, error));
    return dyno_database_prepare(tuning->database, &tuning->metric, metric_sql, error);
}

dyno_status dyno_tuning_open(struct dyno_tuning **out, const char *path,
                             const struct dyno_tuning_facts *facts,
                             const struct dyno_tuning_aim *aims, uint32_t aim_count,
                             struct dyno_error *error)
{
    struct dyno_tuning *tuning = calloc(1, sizeof *tuning);
    dyno_status status;

    if (!tuning || !(tuning->path = strdup(path))) {
        free(tuning);
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = dyno_database_open(&tuning->database, path, error);
    if (status == DYNO_OK) {
        status = settle(tuning, facts, aims, aim_count, error);
    }
    if (status != DYNO_OK) {
        dyno_tuning_close(tuning);
        return status;
    }
    *out = tuning;
    return DYNO_OK;
}

void dyno_tuning_close(struct dyno_tuning *tuning)
{
    if (!tuning) {
        return;
    }
    (void)sqlite3_finalize(tuning->find);
    (void)sqlite3_finalize(tuning->point);
    (void)sqlite3_finalize(tuning->note);
    (void)sqlite3_finalize(tuning->metric);
    (void)sqlite3_close(tuning->database);
    free(tuning->path);
    free(tuning);
}

/* ---- trials ---------------------------------------------------------------------------------- */

/* What both statements that place a trial bind alike. */
static void bind_trial(sqlite3_stmt *statement, int64_t run, const struct dyno_trial_row *row)
{
    (void)sqlite3_bind_int64(statement, 1, run);
    (void)sqlite3_bind_int64(statement, 2, row->point);
    bind_text(statement, 3, row->is_held_out ? "held out" : "tuned");
    (void)sqlite3_bind_double(statement, 4, row->share);
}

dyno_status dyno_tuning_find(struct dyno_tuning *tuning, const struct dyno_trial_row *row,
                             int64_t *run, struct dyno_error *error)
{
    int step;

    bind_text(tuning->find, 1, row->settings);
    step = sqlite3_step(tuning->find);
    *run = step == SQLITE_ROW ? sqlite3_column_int64(tuning->find, 0) : 0;
    (void)sqlite3_reset(tuning->find);
    if (step != SQLITE_ROW && step != SQLITE_DONE) {
        return dyno_database_failed(tuning->database, error);
    }
    if (*run == 0) {
        return DYNO_OK;
    }
    bind_trial(tuning->point, *run, row);
    return run_once(tuning, tuning->point, error);
}

dyno_status dyno_tuning_metric(struct dyno_tuning *tuning, int64_t run, const char *metric,
                               double *out, struct dyno_error *error)
{
    int step;

    (void)sqlite3_bind_int64(tuning->metric, 1, run);
    bind_text(tuning->metric, 2, metric);
    step = sqlite3_step(tuning->metric);
    *out = step == SQLITE_ROW && sqlite3_column_type(tuning->metric, 0) != SQLITE_NULL
               ? sqlite3_column_double(tuning->metric, 0)
               : NAN;
    (void)sqlite3_reset(tuning->metric);
    return step == SQLITE_ROW || step == SQLITE_DONE
               ? DYNO_OK
               : dyno_database_failed(tuning->database, error);
}

dyno_status dyno_tuning_note(struct dyno_tuning *tuning, int64_t run,
                             const struct dyno_trial_row *row, struct dyno_error *error)
{
    bind_trial(tuning->note, run, row);
    bind_text(tuning->note, 5, row->settings);
    return run_once(tuning, tuning->note, error);
}

/* ---- another database's trials -----------------------------------------------------------------
 */

/* Those that finished there and not here, with the numbers that their runs get here. */
static const char incoming_sql[] =
    "CREATE TEMP TABLE incoming AS SELECT t.run AS old,"
    " (SELECT coalesce(max(id), 0) FROM main.run) + row_number() OVER (ORDER BY t.run) AS new"
    " FROM other.trial AS t JOIN other.run AS r ON r.id = t.run AND r.status = 'finished'"
    " WHERE t.settings NOT IN (SELECT h.settings FROM main.trial AS h"
    " JOIN main.run AS q ON q.id = h.run AND q.status = 'finished')";

/* A trial's requests are not kept, but where it was a check: those are made here. */
static const char copy_sql[] =
    "INSERT INTO main.run (id, title, command, status)"
    " SELECT new, title, command, status FROM incoming JOIN other.run ON id = old;"
    "INSERT INTO main.run_option (run, name, value, origin)"
    " SELECT new, name, value, origin FROM incoming JOIN other.run_option ON run = old;"
    "INSERT INTO main.run_metric (run, metric, value)"
    " SELECT new, metric, value FROM incoming JOIN other.run_metric ON run = old;"
    "INSERT INTO main.host SELECT new, started_at, ended_at, machine, process, wall_s,"
    " requests_per_wall_s, peak_rss_bytes FROM incoming JOIN other.host ON run = old;"
    "INSERT OR REPLACE INTO main.trial (run, settings, point, part, share)"
    " SELECT new, settings, NULL, part, share FROM incoming JOIN other.trial ON run = old;";

static const char differs_sql[] =
    "SELECT 'list of what is varied', b.varied, a.varied FROM main.tuning AS a"
    " JOIN other.tuning AS b ON a.varied IS NOT b.varied UNION ALL "
    "SELECT 'trace', b.trace, a.trace FROM main.tuning AS a"
    " JOIN other.tuning AS b ON a.trace IS NOT b.trace UNION ALL "
    "SELECT name, b.value, a.value FROM main.tuning_option AS a"
    " JOIN other.tuning_option AS b USING (name) WHERE a.value IS NOT b.value";

/* The attached database holds the same tuning. */
static dyno_status check_other(struct dyno_tuning *tuning, const char *path,
                               struct dyno_error *error)
{
    dyno_status status = DYNO_OK;
    sqlite3_stmt *row;
    int step;

    DYNO_TRY(dyno_database_prepare(tuning->database, &row, differs_sql, error));
    step = sqlite3_step(row);
    if (step == SQLITE_ROW) {
        status = refuse(path, text_of(row, 0), text_of(row, 1), text_of(row, 2), error);
    } else if (step != SQLITE_DONE) {
        status = dyno_database_failed(tuning->database, error);
    }
    (void)sqlite3_finalize(row);
    return status;
}

static dyno_status copy_all(struct dyno_tuning *tuning, const char *path, uint64_t *count,
                            struct dyno_error *error)
{
    dyno_status status;

    DYNO_TRY(check_other(tuning, path, error));
    DYNO_TRY(dyno_database_run(tuning->database, "BEGIN IMMEDIATE", error));
    status = dyno_database_run(tuning->database, incoming_sql, error);
    if (status == DYNO_OK) {
        status = dyno_database_run(tuning->database, copy_sql, error);
    }
    if (status == DYNO_OK) {
        sqlite3_stmt *row;

        status =
            dyno_database_prepare(tuning->database, &row, "SELECT count(*) FROM incoming", error);
        if (status == DYNO_OK && sqlite3_step(row) == SQLITE_ROW) {
            *count = (uint64_t)sqlite3_column_int64(row, 0);
        }
        (void)sqlite3_finalize(row);
    }
    if (status == DYNO_OK) {
        status = dyno_database_run(tuning->database, "DROP TABLE incoming; COMMIT", error);
    }
    if (status != DYNO_OK) {
        sqlite3_exec(tuning->database, "ROLLBACK", NULL, NULL, NULL);
    }
    return status;
}

dyno_status dyno_tuning_merge(struct dyno_tuning *tuning, const char *other, uint64_t *count,
                              struct dyno_error *error)
{
    sqlite3 *looked_at;
    sqlite3_stmt *attach;
    dyno_status status;

    DYNO_TRY(dyno_database_read_now(&looked_at, other, error)); /* is it one, of this version? */
    (void)sqlite3_close(looked_at);
    DYNO_TRY(dyno_database_prepare(tuning->database, &attach, "ATTACH ?1 AS other", error));
    bind_text(attach, 1, other);
    status = run_once(tuning, attach, error);
    (void)sqlite3_finalize(attach);
    if (status == DYNO_OK) {
        status = copy_all(tuning, other, count, error);
        sqlite3_exec(tuning->database, "DETACH other", NULL, NULL, NULL);
    }
    return status;
}

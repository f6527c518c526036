#include "reports/run_set.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "chosen_sql.h"
#include "core/base/words.h"
#include "reports/functions.h"

static dyno_status bad_choice(const char *spec, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(
        error, DYNO_BAD_INPUT,
        "%s chooses no runs: write numbers, spans and tags, such as 3,5-7,base, or last, "
        "or all",
        dyno_quote(quoted, spec));
}

/* Add to choice what `sql` selects: for a span of numbers, or a tag. */
static dyno_status choose(sqlite3 *database, const char *sql, int64_t first, int64_t last,
                          const char *tag, struct dyno_error *error)
{
    sqlite3_stmt *insert;
    dyno_status status = DYNO_OK;

    DYNO_TRY(dyno_database_prepare(database, &insert, sql, error));
    (void)(tag ? sqlite3_bind_text(insert, 1, tag, -1, SQLITE_TRANSIENT)
               : sqlite3_bind_int64(insert, 1, first));
    (void)sqlite3_bind_int64(insert, 2, last); /* where the statement has it */
    if (sqlite3_step(insert) != SQLITE_DONE) {
        status = dyno_database_failed(database, error);
    }
    (void)sqlite3_finalize(insert);
    return status;
}

/* A run that was chosen twice keeps its first place. */
static const char span_sql[] = "INSERT OR IGNORE INTO choice (run) SELECT id FROM main.run"
                               " WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
static const char tag_sql[] = "INSERT OR IGNORE INTO choice (run)"
                              " SELECT run FROM main.run_tag WHERE tag = ?1 ORDER BY run";
static const char last_sql[] = "INSERT OR IGNORE INTO choice (run)"
                               " SELECT max(id) FROM main.run WHERE ?1 < ?2 HAVING max(id) > 0";

/* "3" or "5-7" at *at, which is moved past it; false: it is none. */
static bool take_span(const char **at, int64_t *first, int64_t *last)
{
    char *end;

    if (**at < '0' || **at > '9') {
        return false;
    }
    *first = *last = strtoll(*at, &end, 10);
    if (*end == '-') {
        *at = end + 1;
        if (**at < '0' || **at > '9') {
            return false;
        }
        *last = strtoll(*at, &end, 10);
    }
    *at = end;
    return *first <= *last;
}

/* A tag at *at, which is moved past it: it begins with a letter and has no comma. */
static bool take_tag(const char **at, char tag[DYNO_RUN_TAG_MAX])
{
    size_t length = strcspn(*at, ",");

    if (length == 0 || length >= DYNO_RUN_TAG_MAX) {
        return false;
    }
    memcpy(tag, *at, length);
    tag[length] = '\0';
    *at += length;
    return dyno_run_tag_is_good(tag);
}

static dyno_status choose_word(sqlite3 *database, const char **at, const char *spec,
                               struct dyno_error *error)
{
    int before = sqlite3_total_changes(database);
    const char *start = *at;
    char tag[DYNO_RUN_TAG_MAX];
    int64_t first, last;

    if (strcmp(*at, "last") == 0 || strncmp(*at, "last,", 5) == 0) {
        *at += 4;
        return choose(database, last_sql, 0, 1, NULL, error);
    }
    if (take_span(at, &first, &last)) {
        DYNO_TRY(choose(database, span_sql, first, last, NULL, error));
    } else if (take_tag(at, tag)) {
        DYNO_TRY(choose(database, tag_sql, 0, 0, tag, error));
    } else {
        return bad_choice(spec, error);
    }
    if (sqlite3_total_changes(database) == before) {
        return dyno_fail(error, DYNO_NOT_FOUND,
                         "there is no run %.*s in this database, or it was chosen twice; `dyno "
                         "runs` lists them",
                         (int)(*at - start), start);
    }
    return DYNO_OK;
}

static dyno_status choose_all(sqlite3 *database, const char *spec, struct dyno_error *error)
{
    const char *at = spec;

    if (!spec || strcmp(spec, "all") == 0) {
        return choose(database, span_sql, 0, INT64_MAX, NULL, error);
    }
    for (;;) {
        DYNO_TRY(choose_word(database, &at, spec, error));
        if (*at == '\0') {
            return DYNO_OK;
        }
        if (*at++ != ',') {
            return bad_choice(spec, error);
        }
    }
}

static int64_t count_of(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *row = NULL;
    int64_t count = 0;

    if (sqlite3_prepare_v2(database, sql, -1, &row, NULL) == SQLITE_OK &&
        sqlite3_step(row) == SQLITE_ROW) {
        count = sqlite3_column_int64(row, 0);
    }
    (void)sqlite3_finalize(row);
    return count;
}

static dyno_status fill(struct dyno_run_set *set, const char *spec, struct dyno_error *error)
{
    sqlite3 *database = set->database;

    (void)dyno_functions_add(database); /* without them the queries say so */
    DYNO_TRY(dyno_database_run(database,
                               "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536;"
                               "CREATE TEMP TABLE choice (place INTEGER PRIMARY KEY,"
                               " run INTEGER NOT NULL UNIQUE)",
                               error));
    DYNO_TRY(choose_all(database, spec, error));
    DYNO_TRY(dyno_database_run(database, dyno_chosen_sql, error));
    set->chosen = count_of(database, "SELECT count(*) FROM chosen");
    set->detail = count_of(database, "SELECT count(*) FROM detail");
    return dyno_database_run(database, "PRAGMA query_only = ON", error);
}

dyno_status dyno_run_set_open(struct dyno_run_set *out, const char *path, const char *spec,
                              struct dyno_error *error)
{
    const char *slash = strrchr(path, '/');
    struct dyno_run_set set = {.name = strdup(slash ? slash + 1 : path)};
    dyno_status status = DYNO_OK;

    if (!set.name) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the name of a file");
    }
    status = dyno_database_read_now(&set.database, path, error);
    if (status == DYNO_OK) {
        status = fill(&set, spec, error);
    }
    if (status != DYNO_OK) {
        dyno_run_set_close(&set);
        return status;
    }
    *out = set;
    return DYNO_OK;
}

bool dyno_run_tag_is_good(const char *tag)
{
    bool is_letter = (*tag >= 'a' && *tag <= 'z') || (*tag >= 'A' && *tag <= 'Z');

    return is_letter && strlen(tag) < DYNO_RUN_TAG_MAX && dyno_text_is_clean(tag) &&
           !strpbrk(tag, ", ") && strcmp(tag, "last") != 0 && strcmp(tag, "all") != 0;
}

void dyno_run_set_close(struct dyno_run_set *set)
{
    (void)sqlite3_close(set->database);
    free(set->name);
    *set = (struct dyno_run_set){.database = NULL};
}

/* `dyno runs`: what a database holds, a line a run. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "reports/database.h"
#include "reports/format.h"
#include "reports/functions.h"
#include "reports/reports.h"

/* The columns of the view run_overview, as asked for below. */
enum field {
    FIELD_ID,
    FIELD_STATUS,
    FIELD_REQUESTS,
    FIELD_TTFT_P50,
    FIELD_TTFT_P99,
    FIELD_TPOT_P50,
    FIELD_RATE,
    FIELD_HIT_RATE,
    FIELD_TITLE,
    FIELDS_SHOWN,
    FIELD_STARTED_AT = FIELDS_SHOWN,
    FIELD_COMMAND,
};

#define OVERVIEW(title)                                                                            \
    "SELECT o.id, true_status(o.status, h.machine, h.process, strftime('%s', o.started_at)),"      \
    " requests, ttft_ms_p50, ttft_ms_p99, tpot_ms_p50, requests_per_s, token_hit_rate, " title     \
    ", o.started_at, command FROM run_overview AS o LEFT JOIN host AS h ON h.run = o.id ORDER BY " \
    "o.id"

static const char overview_sql[] =
    OVERVIEW("title || coalesce((SELECT '  [' || group_concat(tag, ', ') || ']' FROM run_tag"
             " WHERE run = o.id HAVING count(*) > 0), '')");
static const char untagged_sql[] = OVERVIEW("title"); /* before version 5 there were no tags */

static const char *const heads[FIELDS_SHOWN] = {
    "run",         "status", "requests", "TTFT p50 ms", "TTFT p99 ms",
    "TPOT p50 ms", "req/s",  "hit rate", "title",
};

static bool is_text(enum field field)
{
    return field == FIELD_STATUS || field == FIELD_TITLE;
}

static const char *text_of(sqlite3_stmt *row, enum field field)
{
    const char *text = (const char *)sqlite3_column_text(row, (int)field);

    return text ? text : "";
}

/* A field as shown; points into `buffer` or into the row. */
static const char *show(sqlite3_stmt *row, enum field field, char buffer[DYNO_FORMAT_MAX])
{
    double value = sqlite3_column_double(row, (int)field);

    if (is_text(field)) {
        return text_of(row, field);
    }
    if (sqlite3_column_type(row, (int)field) == SQLITE_NULL) {
        return "-";
    }
    switch (field) {
    case FIELD_ID:
    case FIELD_REQUESTS:
        return dyno_format_count(buffer, (uint64_t)sqlite3_column_int64(row, (int)field));
    case FIELD_HIT_RATE:
        return dyno_format_percent(buffer, value);
    default:
        return dyno_format_fixed(buffer, value, 2);
    }
}

static void widen(size_t *width, const char *text)
{
    size_t needed = dyno_format_width(text);

    *width = needed > *width ? needed : *width;
}

/* The width of every column; `*runs` counts the rows. */
static int measure(sqlite3_stmt *overview, size_t widths[FIELDS_SHOWN], size_t *runs)
{
    char buffer[DYNO_FORMAT_MAX];
    int result;

    for (int i = 0; i < FIELDS_SHOWN; i++) {
        widths[i] = dyno_format_width(heads[i]);
    }
    for (*runs = 0; (result = sqlite3_step(overview)) == SQLITE_ROW; (*runs)++) {
        for (int i = 0; i < FIELDS_SHOWN; i++) {
            widen(&widths[i], show(overview, (enum field)i, buffer));
        }
    }
    sqlite3_reset(overview);
    return result;
}

/* Text stands to the left, numbers to the right; no blanks at the end of a line. */
static void put_cell(FILE *out, enum field field, size_t width, const char *text)
{
    int blanks = (int)(width - dyno_format_width(text));

    if (field == FIELDS_SHOWN - 1) {
        fprintf(out, "%s%s\n", *text ? "  " : "", text);
    } else if (is_text(field)) {
        fprintf(out, "  %s%*s", text, blanks, "");
    } else {
        fprintf(out, "%s%*s%s", field > 0 ? "  " : "", blanks, "", text);
    }
}

static int put_table(sqlite3_stmt *overview, FILE *out)
{
    size_t widths[FIELDS_SHOWN];
    char buffer[DYNO_FORMAT_MAX];
    size_t runs;
    int result = measure(overview, widths, &runs);

    if (result != SQLITE_DONE) {
        return result;
    }
    if (runs == 0) {
        fputs("no runs yet\n", out);
        return result;
    }
    for (int i = 0; i < FIELDS_SHOWN; i++) {
        put_cell(out, (enum field)i, widths[i], heads[i]);
    }
    while ((result = sqlite3_step(overview)) == SQLITE_ROW) {
        for (int i = 0; i < FIELDS_SHOWN; i++) {
            put_cell(out, (enum field)i, widths[i], show(overview, (enum field)i, buffer));
        }
    }
    return result;
}

static json_t *number_of(sqlite3_stmt *row, enum field field)
{
    if (sqlite3_column_type(row, (int)field) == SQLITE_NULL) {
        return json_null();
    }
    return json_real(sqlite3_column_double(row, (int)field));
}

/* A command may name a file in bytes that are no UTF-8; JSON gets a question mark for each. */
static json_t *string_of(sqlite3_stmt *row, enum field field)
{
    const char *text = text_of(row, field);
    json_t *string = json_string(text);
    char *plain = string ? NULL : strdup(text);

    for (char *at = plain; at && *at; at++) {
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    }
    if (plain) {
        string = json_string(plain);
        free(plain);
    }
    return string;
}

/* Numbers stand where the JSON summary of the run has them. */
static json_t *object_of(sqlite3_stmt *row)
{
    return json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:I, s:{s:o, s:o}, s:{s:o}, s:{s:o}, s:{s:o}}", "id",
        (json_int_t)sqlite3_column_int64(row, FIELD_ID), "title", string_of(row, FIELD_TITLE),
        "status", string_of(row, FIELD_STATUS), "started_at", string_of(row, FIELD_STARTED_AT),
        "command", string_of(row, FIELD_COMMAND), "requests",
        (json_int_t)sqlite3_column_int64(row, FIELD_REQUESTS), "ttft_ms", "p50",
        number_of(row, FIELD_TTFT_P50), "p99", number_of(row, FIELD_TTFT_P99), "tpot_ms", "p50",
        number_of(row, FIELD_TPOT_P50), "throughput", "requests_per_s", number_of(row, FIELD_RATE),
        "kv", "token_hit_rate", number_of(row, FIELD_HIT_RATE));
}

static int put_json(sqlite3_stmt *overview, FILE *out)
{
    json_t *runs = json_array();
    int result;

    while ((result = sqlite3_step(overview)) == SQLITE_ROW) {
        if (json_array_append_new(runs, object_of(overview)) != 0) {
            result = SQLITE_NOMEM;
            break;
        }
    }
    if (result == SQLITE_DONE) {
        json_dumpf(runs, out, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
        fputc('\n', out);
    }
    json_decref(runs);
    return result;
}

static dyno_status list(const char *path, FILE *out, int (*put)(sqlite3_stmt *overview, FILE *out),
                        struct dyno_error *error)
{
    sqlite3_stmt *overview = NULL;
    sqlite3 *database;
    dyno_status status;
    int result;

    DYNO_TRY(dyno_database_read(&database, path, error));
    (void)dyno_functions_add(database);                   /* without them the query says so */
    status = dyno_database_run(database, "BEGIN", error); /* one state for both passes */
    if (status == DYNO_OK) {
        bool has_tags = sqlite3_table_column_metadata(database, "main", "run_tag", "tag", NULL,
                                                      NULL, NULL, NULL, NULL) == SQLITE_OK;

        status = dyno_database_prepare(database, &overview, has_tags ? overview_sql : untagged_sql,
                                       error);
    }
    if (status == DYNO_OK) {
        result = put(overview, out);
        if (result == SQLITE_NOMEM) {
            status = dyno_fail(error, DYNO_NO_MEMORY, "no memory for the list of runs");
        } else if (result != SQLITE_DONE) {
            status = dyno_database_failed(database, error);
        } else if (fflush(out) != 0) {
            status = dyno_fail(error, DYNO_IO, "the list of runs cannot be written");
        }
    }
    sqlite3_finalize(overview);
    sqlite3_close(database);
    return status;
}

dyno_status dyno_runs_table(const char *path, FILE *out, struct dyno_error *error)
{
    return list(path, out, put_table, error);
}

dyno_status dyno_runs_json(const char *path, FILE *out, struct dyno_error *error)
{
    return list(path, out, put_json, error);
}

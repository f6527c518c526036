#include "reports/query.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/words.h"
#include "reports/csv.h"
#include "reports/exhibit.h"
#include "reports/format.h"

enum { CELL_MAX = 64 };

/* ---- reading only ---------------------------------------------------------------------------- */

/* What a query may do: look.  (query_only would let it attach other files.) */
static int allow(void *context, int action, const char *first, const char *second,
                 const char *where, const char *view)
{
    (void)context, (void)first, (void)where, (void)view;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_FUNCTION:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_PRAGMA: /* without a value it asks */
        return second ? SQLITE_DENY : SQLITE_OK;
    default:
        return SQLITE_DENY;
    }
}

/* ---- a table --------------------------------------------------------------------------------- */

/* A cell as shown; points into `buffer` or into the row. */
static const char *show(sqlite3_stmt *row, int column, char buffer[CELL_MAX])
{
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_NULL:
        return "-";
    case SQLITE_INTEGER:
        (void)snprintf(buffer, CELL_MAX, "%" PRId64, (int64_t)sqlite3_column_int64(row, column));
        return buffer;
    case SQLITE_FLOAT:
        (void)snprintf(buffer, CELL_MAX, "%.10g", sqlite3_column_double(row, column));
        return buffer;
    default: {
        const char *text = (const char *)sqlite3_column_text(row, column);

        return text ? text : ""; /* a blob of no bytes */
    }
    }
}

struct column {
    size_t width;
    bool is_text; /* stands to the left */
};

static void measure_cell(struct column *column, sqlite3_stmt *row, int index)
{
    char buffer[CELL_MAX];
    size_t width = dyno_format_width(show(row, index, buffer));

    column->width = width > column->width ? width : column->width;
    column->is_text = column->is_text || sqlite3_column_type(row, index) == SQLITE_TEXT;
}

static int measure(sqlite3_stmt *rows, struct column *columns, int count)
{
    int step;

    for (int i = 0; i < count; i++) {
        columns[i] = (struct column){.width = dyno_format_width(sqlite3_column_name(rows, i))};
    }
    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        for (int i = 0; i < count; i++) {
            measure_cell(&columns[i], rows, i);
        }
    }
    (void)sqlite3_reset(rows);
    return step;
}

/* No blanks at the end of a line; a line stays a line, and a terminal hears no commands. */
static void put_cell(FILE *out, const struct column *column, const char *text, bool is_last)
{
    int blanks = (int)(column->width - dyno_format_width(text));

    if (!column->is_text) {
        (void)fprintf(out, "%*s", blanks, "");
    }
    for (; *text; text++) {
        fputc((unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text, out);
    }
    if (column->is_text && !is_last) {
        (void)fprintf(out, "%*s", blanks, "");
    }
    fputs(is_last ? "\n" : "  ", out);
}

/* Twice over the rows: first for the widths. */
static int put_table(sqlite3_stmt *rows, FILE *out)
{
    int count = sqlite3_column_count(rows), step;
    struct column *columns = calloc((size_t)count + 1, sizeof *columns);
    char buffer[CELL_MAX];

    if (!columns) {
        return SQLITE_NOMEM;
    }
    step = measure(rows, columns, count);
    for (int i = 0; step == SQLITE_DONE && i < count; i++) {
        put_cell(out, &columns[i], sqlite3_column_name(rows, i), i + 1 == count);
    }
    while (step != SQLITE_ERROR && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        for (int i = 0; i < count; i++) {
            put_cell(out, &columns[i], show(rows, i, buffer), i + 1 == count);
        }
    }
    free(columns);
    return step;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *value_of(sqlite3_stmt *row, int column)
{
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_NULL:
        return json_null();
    case SQLITE_INTEGER:
        return json_integer(sqlite3_column_int64(row, column));
    case SQLITE_FLOAT: {
        json_t *number = json_real(sqlite3_column_double(row, column));

        return number ? number : json_null(); /* infinity */
    }
    default: {
        json_t *text = json_string((const char *)sqlite3_column_text(row, column));

        return text ? text : json_string("?"); /* no UTF-8 */
    }
    }
}

static int put_json(sqlite3_stmt *rows, FILE *out)
{
    int count = sqlite3_column_count(rows), step;
    bool any = false;

    fputc('[', out);
    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        json_t *object = json_object();

        for (int i = 0; i < count; i++) {
            if (json_object_set_new(object, sqlite3_column_name(rows, i), value_of(rows, i)) != 0) {
                json_decref(object);
                return SQLITE_NOMEM;
            }
        }
        fputs(any ? ",\n " : "", out);
        any = true;
        (void)json_dumpf(object, out, JSON_REAL_PRECISION(12));
        json_decref(object);
    }
    fputs("]\n", out);
    return step;
}

/* ---- statements ------------------------------------------------------------------------------ */

static dyno_status failed(sqlite3 *database, int result, struct dyno_error *error)
{
    if ((result & 0xff) == SQLITE_AUTH || (result & 0xff) == SQLITE_READONLY) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "dyno sql only reads; what changes a database is refused (`dyno runs` "
                         "tags and deletes)");
    }
    if ((result & 0xff) == SQLITE_NOMEM) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the rows");
    }
    return dyno_fail(error, DYNO_BAD_INPUT, "the query fails: %s", sqlite3_errmsg(database));
}

static int put_rows(sqlite3_stmt *rows, enum dyno_query_style style, FILE *out)
{
    return style == DYNO_QUERY_CSV    ? dyno_csv_put(out, rows)
           : style == DYNO_QUERY_JSON ? put_json(rows, out)
                                      : put_table(rows, out);
}

/* Every statement of `sql`; `only_first`: not those behind it. */
static dyno_status run_all(sqlite3 *database, const char *sql, bool only_first,
                           enum dyno_query_style style, FILE *out, struct dyno_error *error)
{
    bool any = false;

    while (*sql && !(any && only_first)) {
        sqlite3_stmt *rows = NULL;
        int result = sqlite3_prepare_v2(database, sql, -1, &rows, &sql);

        if (result == SQLITE_OK && rows) {
            fputs(any ? "\n" : "", out);
            any = true;
            result = put_rows(rows, style, out);
        }
        (void)sqlite3_finalize(rows);
        if (result != SQLITE_OK && result != SQLITE_DONE) {
            return failed(database, result, error);
        }
    }
    if (!any) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the query is empty");
    }
    return fflush(out) == 0 ? DYNO_OK : dyno_fail(error, DYNO_IO, "the rows cannot be written");
}

static dyno_status unknown_name(const struct dyno_exhibits *exhibits, const char *name,
                                struct dyno_error *error)
{
    struct dyno_nearest nearest;
    char quoted[DYNO_QUOTE_MAX];
    const char *near;

    dyno_nearest_start(&nearest, name);
    for (size_t i = 0; i < exhibits->count; i++) {
        dyno_nearest_offer(&nearest, exhibits->at[i].name);
    }
    near = dyno_nearest_word(&nearest);
    return dyno_fail(error, DYNO_NOT_FOUND, "there is no query %s; %s%s%s",
                     dyno_quote(quoted, name), near ? "did you mean ':" : "`dyno sql --names`",
                     near ? near : " lists them", near ? "'?" : "");
}

dyno_status dyno_query_run(const struct dyno_query *query, FILE *out, struct dyno_error *error)
{
    struct dyno_exhibits exhibits;
    const struct dyno_exhibit *named;
    struct dyno_run_set set = {.database = NULL};
    bool is_name = query->sql[0] == ':';
    dyno_status status;

    DYNO_TRY(dyno_exhibits_load(&exhibits, query->from, error));
    named = is_name ? dyno_exhibits_find(&exhibits, query->sql + 1) : NULL;
    status = is_name && !named ? unknown_name(&exhibits, query->sql + 1, error)
                               : dyno_run_set_open(&set, query->database, query->runs, error);
    if (status == DYNO_OK) {
        /* Its first use makes a table of it, which is not for queries to do. */
        (void)sqlite3_exec(set.database, "SELECT 1 FROM json_each('[]')", NULL, NULL, NULL);
        (void)sqlite3_set_authorizer(set.database, allow, NULL);
        status = run_all(set.database, named ? named->sql : query->sql, is_name, query->style, out,
                         error);
        dyno_run_set_close(&set);
    }
    dyno_exhibits_release(&exhibits);
    return status;
}

dyno_status dyno_query_names(const char *from, FILE *out, struct dyno_error *error)
{
    struct dyno_exhibits exhibits;

    DYNO_TRY(dyno_exhibits_load(&exhibits, from, error));
    for (size_t i = 0; i < exhibits.count; i++) {
        (void)fprintf(out, ":%-14s %s\n", exhibits.at[i].name, exhibits.at[i].title);
    }
    dyno_exhibits_release(&exhibits);
    return DYNO_OK;
}

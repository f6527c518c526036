/* `dyno runs show` and `dyno runs compare`: runs as aligned text. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "reports/headline.h"
#include "reports/run_set.h"
#include "reports/runs_edit.h"

enum { WORDS_WIDTH = 34, VALUE_WIDTH = 18, DIFFERENCE_WIDTH = 14 };

/* Rows of one text column, each behind `indent`. */
static dyno_status put_texts(const struct dyno_run_set *set, const char *sql, const char *indent,
                             FILE *out, struct dyno_error *error)
{
    sqlite3_stmt *row;
    int step;

    DYNO_TRY(dyno_database_prepare(set->database, &row, sql, error));
    while ((step = sqlite3_step(row)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(row, 0);

        (void)fprintf(out, "%s%s\n", indent, text ? text : "");
    }
    (void)sqlite3_finalize(row);
    return step == SQLITE_DONE ? DYNO_OK : dyno_database_failed(set->database, error);
}

/* ---- headlines ------------------------------------------------------------------------------- */

/* Blanks so that what follows ends in this column; none are left at the end of a line. */
static void put_right(FILE *out, int *at, int column, const char *text)
{
    (void)fprintf(out, "%*s%s", column - *at - (int)dyno_format_width(text), "", text);
    *at = column;
}

static int column_of(size_t run)
{
    return WORDS_WIDTH + VALUE_WIDTH + (int)run * (VALUE_WIDTH + DIFFERENCE_WIDTH);
}

/* Behind its column, "+3.2 %" against the first run. */
static void put_difference(FILE *out, int *at, double value, double first, const char *unit)
{
    char text[DYNO_FORMAT_MAX];

    if (*dyno_headline_change(text, value, first, unit)) {
        put_right(out, at, *at + DIFFERENCE_WIDTH, text);
    }
}

static void put_line(const struct dyno_headline *headline, const struct dyno_headline_line *line,
                     FILE *out)
{
    int at =
        (int)(dyno_format_width(headline->words) + dyno_format_width(dyno_headline_unit(headline)));
    char text[DYNO_FORMAT_MAX];

    (void)fprintf(out, "%s%s", headline->words, dyno_headline_unit(headline));
    for (size_t i = 0; i < line->count; i++) {
        put_right(out, &at, column_of(i),
                  dyno_headline_format(text, line->values[i].value, headline->unit));
        if (i > 0) {
            put_difference(out, &at, line->values[i].value, line->values[0].value, headline->unit);
        }
    }
    fputc('\n', out);
}

static dyno_status put_headlines(const struct dyno_run_set *set, FILE *out,
                                 struct dyno_error *error)
{
    struct dyno_headline_line line;

    for (const struct dyno_headline *row = dyno_headline_table; row->metric; row++) {
        DYNO_TRY(dyno_headline_take(set, row, &line, error));
        if (line.any) {
            put_line(row, &line, out);
        }
    }
    return DYNO_OK;
}

/* ---- one run --------------------------------------------------------------------------------- */

static const char about_sql[] =
    "SELECT 'Run ' || c.run || ', ' || c.status || ': ' || c.title FROM chosen AS c";
static const char tags_sql[] = "SELECT 'Tags: ' || group_concat(tag, ', ') FROM run_tag"
                               " WHERE run = (SELECT run FROM chosen) HAVING count(*) > 0";
static const char host_sql[] =
    "SELECT 'Begun ' || started_at || coalesce(' on ' || machine, '') FROM host"
    " WHERE run = (SELECT run FROM chosen)";
static const char command_sql[] = "SELECT r.command FROM run AS r JOIN chosen AS c ON c.run = r.id";
static const char extrapolated_sql[] =
    "SELECT 'Extrapolated: ' || group_concat(substr(metric, length('extrapolated.') + 1), ', ')"
    " FROM run_metric WHERE run = (SELECT run FROM chosen) AND metric LIKE 'extrapolated.%'"
    " AND metric <> 'extrapolated.count' HAVING count(*) > 0";
static const char options_sql[] =
    "SELECT name || ' = ' || coalesce(value, 'none') || '  (' || origin || ')' FROM run_option"
    " WHERE run = (SELECT run FROM chosen) AND origin <> 'default' ORDER BY name";

static dyno_status show(const struct dyno_run_set *set, const char *spec, FILE *out,
                        struct dyno_error *error)
{
    if (set->chosen != 1) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "one run is shown at a time; '%s' chooses %" PRId64
                         ": `dyno runs compare` takes more",
                         spec, set->chosen);
    }
    DYNO_TRY(put_texts(set, about_sql, "", out, error));
    DYNO_TRY(put_texts(set, host_sql, "", out, error));
    DYNO_TRY(put_texts(set, tags_sql, "", out, error));
    fputs("\n", out);
    DYNO_TRY(put_texts(set, command_sql, "    ", out, error));
    fputs("\n", out);
    DYNO_TRY(put_headlines(set, out, error));
    DYNO_TRY(put_texts(set, extrapolated_sql, "", out, error));
    fputs("\nOptions that are not dyno's defaults\n", out);
    return put_texts(set, options_sql, "    ", out, error);
}

dyno_status dyno_runs_show(const char *path, const char *spec, FILE *out, struct dyno_error *error)
{
    struct dyno_run_set set;
    dyno_status status;

    DYNO_TRY(dyno_run_set_open(&set, path, spec, error));
    status = show(&set, spec, out, error);
    dyno_run_set_close(&set);
    return status;
}

/* ---- runs beside each other ------------------------------------------------------------------ */

static const char differing_sql[] =
    "SELECT name || ' = ' || value || '  (run ' || group_concat(run, ', ') || ')' FROM"
    " (SELECT o.name, o.value, d.run, d.place FROM detail AS d JOIN run_option AS o USING (run)"
    "  WHERE o.name IN (SELECT name FROM differing) AND o.value IS NOT NULL ORDER BY d.place)"
    " GROUP BY name, value ORDER BY name, min(place)";

/* What was chosen and stands nowhere. */
static const char left_out_sql[] =
    "SELECT 'run ' || run || ' is left out: ' || iif(status IN ('finished', 'interrupted'),"
    " 'only the last six stand beside each other', status)"
    " FROM chosen WHERE run NOT IN (SELECT run FROM detail) ORDER BY place";

static dyno_status put_heads(const struct dyno_run_set *set, FILE *out, struct dyno_error *error)
{
    sqlite3_stmt *row;
    char text[32];
    size_t run = 0;
    int at = 0;

    DYNO_TRY(
        dyno_database_prepare(set->database, &row, "SELECT run FROM detail ORDER BY place", error));
    while (sqlite3_step(row) == SQLITE_ROW) {
        (void)snprintf(text, sizeof text, "run %" PRId64, (int64_t)sqlite3_column_int64(row, 0));
        put_right(out, &at, column_of(run++), text);
    }
    fputc('\n', out);
    (void)sqlite3_finalize(row);
    return DYNO_OK;
}

static dyno_status compare(const struct dyno_run_set *set, FILE *out, struct dyno_error *error)
{
    if (set->detail < 2) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "runs are compared that came to their end, two at least; of those chosen "
                         "%" PRId64 " did",
                         set->detail);
    }
    DYNO_TRY(put_texts(set,
                       "SELECT label || '  ' || title FROM detail JOIN chosen USING (run, label)",
                       "", out, error));
    DYNO_TRY(put_texts(set, left_out_sql, "", out, error));
    fputs("\n", out);
    DYNO_TRY(put_heads(set, out, error));
    DYNO_TRY(put_headlines(set, out, error));
    fputs("\nOptions that tell them apart\n", out);
    return put_texts(set, differing_sql, "    ", out, error);
}

dyno_status dyno_runs_compare(const char *path, const char *spec, FILE *out,
                              struct dyno_error *error)
{
    struct dyno_run_set set;
    dyno_status status;

    DYNO_TRY(dyno_run_set_open(&set, path, spec, error));
    status = compare(&set, out, error);
    dyno_run_set_close(&set);
    return status;
}

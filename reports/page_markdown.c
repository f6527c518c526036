#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports/headline.h"
#include "reports/page.h"

/* What all parts of the page are written with. */
struct writer {
    FILE *out;
    const struct dyno_page *page;
    sqlite3 *database;
    struct dyno_error *error;
};

/* `text` as Markdown: in one line, and nothing in it means anything. */
static void put_plain(FILE *out, const char *text)
{
    for (; text && *text; text++) {
        if (strchr("\\`*_{}[]<>#|", *text)) {
            fputc('\\', out);
        }
        fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
}

static const char *text_of(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    return text ? text : "";
}

static dyno_status finish(const struct writer *writer, sqlite3_stmt *row, int step)
{
    dyno_status status =
        step == SQLITE_DONE ? DYNO_OK : dyno_database_failed(writer->database, writer->error);

    (void)sqlite3_finalize(row);
    return status;
}

static dyno_status put_runs(const struct writer *writer)
{
    sqlite3_stmt *row;
    int step;

    DYNO_TRY(dyno_database_prepare(writer->database, &row,
                                   "SELECT c.label, c.status, r.title, r.command FROM chosen AS c "
                                   "JOIN run AS r ON r.id = c.run ORDER BY c.place",
                                   writer->error));
    fputs("## What was run\n\n", writer->out);
    while ((step = sqlite3_step(row)) == SQLITE_ROW) {
        fputs("* **", writer->out);
        put_plain(writer->out, text_of(row, 0));
        (void)fprintf(writer->out, "** (%s): ", text_of(row, 1));
        put_plain(writer->out, text_of(row, 2));
        (void)fprintf(writer->out, "\n\n      %s\n\n", text_of(row, 3));
    }
    return finish(writer, row, step);
}

/* ---- headlines ------------------------------------------------------------------------------- */

static dyno_status put_headline_head(const struct writer *writer)
{
    sqlite3_stmt *row;
    int step;

    DYNO_TRY(dyno_database_prepare(writer->database, &row,
                                   "SELECT label FROM detail ORDER BY place", writer->error));
    fputs("## Headlines\n\n| |", writer->out);
    while ((step = sqlite3_step(row)) == SQLITE_ROW) {
        fputc(' ', writer->out);
        put_plain(writer->out, text_of(row, 0));
        fputs(" |", writer->out);
    }
    fputs("\n|---|", writer->out);
    for (int64_t i = 0; i < writer->page->set->detail; i++) {
        fputs("---:|", writer->out);
    }
    fputc('\n', writer->out);
    return finish(writer, row, step);
}

static dyno_status put_headline(const struct writer *writer, const struct dyno_headline *headline)
{
    struct dyno_headline_line line;
    char text[DYNO_FORMAT_MAX];

    DYNO_TRY(dyno_headline_take(writer->page->set, headline, &line, writer->error));
    if (!line.any) {
        return DYNO_OK;
    }
    (void)fprintf(writer->out, "| %s%s |", headline->words, dyno_headline_unit(headline));
    for (size_t i = 0; i < line.count; i++) {
        const struct dyno_headline_value *value = &line.values[i];

        (void)fprintf(writer->out, " %s", dyno_headline_format(text, value->value, headline->unit));
        if (isfinite(value->low) && isfinite(value->high)) {
            (void)fprintf(writer->out, " (%s",
                          dyno_headline_format(text, value->low, headline->unit));
            (void)fprintf(writer->out, " – %s)",
                          dyno_headline_format(text, value->high, headline->unit));
        }
        fputs(" |", writer->out);
    }
    fputc('\n', writer->out);
    return DYNO_OK;
}

static dyno_status put_headlines(const struct writer *writer)
{
    if (writer->page->set->detail == 0) {
        fputs("## Headlines\n\nNo run came to its end, so there is nothing to sum up.\n\n",
              writer->out);
        return DYNO_OK;
    }
    DYNO_TRY(put_headline_head(writer));
    for (const struct dyno_headline *row = dyno_headline_table; row->metric; row++) {
        DYNO_TRY(put_headline(writer, row));
    }
    fputs("\nIn brackets: 95 % intervals, where a run has them.\n\n", writer->out);
    return DYNO_OK;
}

/* ---- figures and tables ---------------------------------------------------------------------- */

static void put_figure(const struct writer *writer, const struct dyno_shown *shown)
{
    fputs("### ", writer->out);
    put_plain(writer->out, shown->exhibit->title);
    fputs("\n\n![", writer->out);
    put_plain(writer->out, shown->data.words[0] ? shown->data.words : shown->exhibit->caption);
    (void)fprintf(writer->out, "](%s/%s.svg)\n\n", writer->page->figures, shown->exhibit->name);
    put_plain(writer->out, shown->exhibit->caption);
    fputs("\n\n", writer->out);
}

static void put_cell(FILE *out, sqlite3_stmt *row, int column)
{
    char text[DYNO_FORMAT_MAX];

    fputc(' ', out);
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_NULL:
        fputs("–", out);
        break;
    case SQLITE_TEXT:
        put_plain(out, text_of(row, column));
        break;
    default:
        fputs(dyno_headline_format(text, sqlite3_column_double(row, column), ""), out);
    }
    fputs(" |", out);
}

static void put_table_begin(const struct writer *writer, const struct dyno_exhibit *exhibit,
                            sqlite3_stmt *row)
{
    int columns = sqlite3_column_count(row);

    fputs("## ", writer->out);
    put_plain(writer->out, exhibit->title);
    fputs("\n\n", writer->out);
    put_plain(writer->out, exhibit->caption);
    fputs("\n\n|", writer->out);
    for (int i = 0; i < columns; i++) {
        fputc(' ', writer->out);
        put_plain(writer->out, sqlite3_column_name(row, i));
        fputs(" |", writer->out);
    }
    fputs("\n|", writer->out);
    for (int i = 0; i < columns; i++) {
        fputs(sqlite3_column_type(row, i) == SQLITE_TEXT ? "---|" : "---:|", writer->out);
    }
    fputc('\n', writer->out);
}

static dyno_status put_table(const struct writer *writer, const struct dyno_exhibit *exhibit)
{
    bool any = false;
    sqlite3_stmt *row;
    int step;

    DYNO_TRY(dyno_database_prepare(writer->database, &row, exhibit->sql, writer->error));
    while ((step = sqlite3_step(row)) == SQLITE_ROW) {
        if (!any) {
            put_table_begin(writer, exhibit, row);
        }
        any = true;
        fputc('|', writer->out);
        for (int i = 0; i < sqlite3_column_count(row); i++) {
            put_cell(writer->out, row, i);
        }
        fputc('\n', writer->out);
    }
    fputs(any ? "\n" : "", writer->out);
    return finish(writer, row, step);
}

dyno_status dyno_page_markdown(FILE *out, const struct dyno_page *page, struct dyno_error *error)
{
    struct writer writer = {
        .out = out, .page = page, .database = page->set->database, .error = error};

    fputs("# ", out);
    put_plain(out, page->title);
    (void)fprintf(out, "\n\n%" PRId64 " %s of ", page->set->chosen,
                  page->set->chosen == 1 ? "run" : "runs");
    put_plain(out, page->set->name);
    fputs("\n\n", out);
    DYNO_TRY(put_runs(&writer));
    DYNO_TRY(put_headlines(&writer));
    for (size_t i = 0; i < page->shown_count; i++) {
        if (page->figures && page->shown[i].svg) {
            put_figure(&writer, &page->shown[i]);
        }
    }
    for (size_t i = 0; i < page->shown_count; i++) {
        if (!page->shown[i].exhibit->gp) {
            DYNO_TRY(put_table(&writer, page->shown[i].exhibit));
        }
    }
    (void)fprintf(out, "Made by dyno %s.", page->version);
    return DYNO_OK;
}

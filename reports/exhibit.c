#include "reports/exhibit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "look_gp.h"
#include "reports/colours.h"
#include "reports/gnuplot.h"

enum { SERIES_MAX = 64, NAME_MAX_BYTES = 64 };

/* ---- numbers --------------------------------------------------------------------------------- */

static dyno_status wrong(const struct dyno_exhibit *exhibit, const struct dyno_run_set *set,
                         struct dyno_error *error)
{
    return dyno_fail(error, DYNO_BAD_INPUT, "the query of the figure %s: %s", exhibit->name,
                     sqlite3_errmsg(set->database));
}

/* A name or a text as gnuplot reads it between double quotes, whatever it holds. */
static void put_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (size_t i = 0; i < 2 * NAME_MAX_BYTES && text[i]; i++) {
        unsigned char letter = (unsigned char)text[i];

        fputc(letter < ' ' || strchr("\"\\`$@{}", letter) ? '\'' : letter, out);
    }
    fputc('"', out);
}

static void put_value(FILE *out, sqlite3_stmt *row, int column)
{
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_NULL:
        fputs(" NaN", out);
        break;
    case SQLITE_TEXT:
        fputc(' ', out);
        put_quoted(out, (const char *)sqlite3_column_text(row, column));
        break;
    case SQLITE_INTEGER:
        (void)fprintf(out, " %" PRId64, (int64_t)sqlite3_column_int64(row, column));
        break;
    default:
        (void)fprintf(out, " %.9g", sqlite3_column_double(row, column));
    }
}

/* Numbers under way. */
struct blocks {
    FILE *out, *names;
    char name[NAME_MAX_BYTES]; /* of the series */
    uint32_t series;
};

/* A row; where the series changes, two empty lines and the name of the next. */
static void put_row(struct blocks *blocks, sqlite3_stmt *row)
{
    const char *text = (const char *)sqlite3_column_text(row, 0);
    char is[NAME_MAX_BYTES];

    (void)snprintf(is, sizeof is, "%s", text ? text : "");
    if (blocks->series == 0 || strcmp(is, blocks->name) != 0) {
        fputs(blocks->series > 0 ? "\n\n" : "", blocks->out);
        put_quoted(blocks->out, is);
        fputc('\n', blocks->out);
        memcpy(blocks->name, is, sizeof is);
        blocks->series++;
        (void)fprintf(blocks->names, "name[%" PRIu32 "] = ", blocks->series);
        put_quoted(blocks->names, is);
        fputc('\n', blocks->names);
    }
    for (int column = 1; column < sqlite3_column_count(row); column++) {
        put_value(blocks->out, row, column);
    }
    fputc('\n', blocks->out);
}

static dyno_status put_rows(struct blocks *blocks, const struct dyno_exhibit *exhibit,
                            const struct dyno_run_set *set, sqlite3_stmt *row,
                            struct dyno_error *error)
{
    int step;

    while ((step = sqlite3_step(row)) == SQLITE_ROW) {
        put_row(blocks, row);
        if (blocks->series > SERIES_MAX) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "the query of the figure %s yields more than %d series", exhibit->name,
                             SERIES_MAX);
        }
    }
    return step == SQLITE_DONE ? DYNO_OK : wrong(exhibit, set, error);
}

/* The statement at *at, which is moved past it; *row is NULL at the end. */
static dyno_status next_statement(const struct dyno_exhibit *exhibit,
                                  const struct dyno_run_set *set, const char **at,
                                  sqlite3_stmt **row, struct dyno_error *error)
{
    *row = NULL;
    return sqlite3_prepare_v2(set->database, *at, -1, row, at) == SQLITE_OK
               ? DYNO_OK
               : wrong(exhibit, set, error);
}

static bool close_stream(FILE *stream)
{
    return stream && fclose(stream) == 0;
}

static dyno_status ask_numbers(const struct dyno_exhibit *exhibit, const struct dyno_run_set *set,
                               const char **at, struct dyno_exhibit_data *data,
                               struct dyno_error *error)
{
    struct blocks blocks = {.series = 0};
    dyno_status status = DYNO_OK;
    size_t size, names_size;
    sqlite3_stmt *row;
    bool is_whole;

    DYNO_TRY(next_statement(exhibit, set, at, &row, error));
    blocks.out = open_memstream(&data->blocks, &size);
    blocks.names = open_memstream(&data->names, &names_size);
    if (!row) {
        status = dyno_fail(error, DYNO_BAD_INPUT, "the figure %s has no query", exhibit->name);
    } else if (blocks.out && blocks.names) {
        status = put_rows(&blocks, exhibit, set, row, error);
        data->series = blocks.series;
    }
    (void)sqlite3_finalize(row);
    is_whole = close_stream(blocks.out);
    is_whole = close_stream(blocks.names) && is_whole;
    if (!is_whole && status == DYNO_OK) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "no memory for the figure %s", exhibit->name);
    }
    return status;
}

static dyno_status ask_words(const struct dyno_exhibit *exhibit, const struct dyno_run_set *set,
                             const char *at, struct dyno_exhibit_data *data,
                             struct dyno_error *error)
{
    const char *text = NULL;
    sqlite3_stmt *row;
    int step = SQLITE_DONE;

    DYNO_TRY(next_statement(exhibit, set, &at, &row, error));
    if (row && (step = sqlite3_step(row)) == SQLITE_ROW) {
        text = (const char *)sqlite3_column_text(row, 0);
    }
    data->words = strdup(text ? text : "");
    (void)sqlite3_finalize(row);
    if (step != SQLITE_ROW && step != SQLITE_DONE) {
        return wrong(exhibit, set, error);
    }
    return data->words ? DYNO_OK
                       : dyno_fail(error, DYNO_NO_MEMORY, "no memory for the figure's words");
}

dyno_status dyno_exhibit_ask(const struct dyno_exhibit *exhibit, const struct dyno_run_set *set,
                             struct dyno_exhibit_data *out, struct dyno_error *error)
{
    struct dyno_exhibit_data data = {.blocks = NULL};
    const char *at = exhibit->sql;
    dyno_status status = ask_numbers(exhibit, set, &at, &data, error);

    if (status == DYNO_OK) {
        status = ask_words(exhibit, set, at, &data, error);
    }
    if (status != DYNO_OK) {
        dyno_exhibit_data_release(&data);
        return status;
    }
    *out = data;
    return DYNO_OK;
}

void dyno_exhibit_data_release(struct dyno_exhibit_data *data)
{
    free(data->blocks);
    free(data->names);
    free(data->words);
    *data = (struct dyno_exhibit_data){.blocks = NULL};
}

/* ---- script ---------------------------------------------------------------------------------- */

static void put_terminal(FILE *out, const struct dyno_exhibit *exhibit,
                         const struct dyno_exhibit_data *data, const char *format)
{
    int height = exhibit->height + exhibit->height_per_series * (int)data->series;

    (void)fprintf(out, "height = %d\n", height);
    if (strcmp(format, "png") == 0) {
        (void)fprintf(out,
                      "set terminal pngcairo size %d,%d noenhanced font 'sans-serif,13' "
                      "fontscale 1.5 linewidth 2 pointscale 2\n",
                      2 * exhibit->width, 2 * height);
    } else if (strcmp(format, "pdf") == 0) {
        (void)fprintf(out, "set terminal pdfcairo size %.3f,%.3f noenhanced font 'sans-serif,10'\n",
                      exhibit->width / 96.0, height / 96.0);
    } else {
        (void)fprintf(out, "set terminal svg size %d,%d noenhanced font 'sans-serif,13'%s\n",
                      exhibit->width, height,
                      strcmp(format, "inline") == 0 ? "" : " background '#ffffff'");
    }
}

/* The colours by name, and as line types. */
static void put_colours(FILE *out)
{
    const struct dyno_colour *row = dyno_colour_table;

    for (int i = 0; row->name; row++, i++) {
        (void)fprintf(out, "%s = '#%06" PRIx32 "'\n", row->name, row->light);
        if (i < DYNO_COLOUR_LINES) {
            (void)fprintf(out, "set linetype %d lc rgb %s lw 2 dt %d pt 7 ps 0.5\n", i + 1,
                          row->name, i + 1);
        }
    }
    (void)fprintf(out, "set linetype cycle %d\narray shade[%d]\n", DYNO_COLOUR_LINES,
                  DYNO_COLOUR_SHADES);
    for (int i = 0; i < DYNO_COLOUR_SHADES; i++) {
        (void)fprintf(out, "shade[%d] = 0x%06" PRIx32 "\n", i + 1,
                      dyno_colour_table[DYNO_COLOUR_LINES + i].light);
    }
}

static void put_script(FILE *out, const struct dyno_exhibit *exhibit,
                       const struct dyno_exhibit_data *data, const char *format)
{
    fputs("set encoding utf8\n", out);
    put_terminal(out, exhibit, data, format);
    put_colours(out);
    (void)fprintf(out, "series = %" PRIu32 "\narray name[series]\n%s", data->series, data->names);
    (void)fprintf(out, "$data << END_OF_DATA\n%sEND_OF_DATA\n", data->blocks);
    (void)fprintf(out, "%s%s", dyno_look_gp, exhibit->gp);
}

dyno_status dyno_exhibit_draw(const struct dyno_exhibit *exhibit,
                              const struct dyno_exhibit_data *data, const char *format, char **out,
                              size_t *size, struct dyno_error *error)
{
    char *script = NULL;
    size_t script_size;
    struct dyno_error why;
    dyno_status status;
    FILE *stream = open_memstream(&script, &script_size);

    if (stream) {
        put_script(stream, exhibit, data, format);
    }
    if (!stream || fclose(stream) != 0) {
        free(script);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the figure %s", exhibit->name);
    }
    status = dyno_gnuplot_run(out, size, script, &why);
    free(script);
    return status == DYNO_OK || status == DYNO_NOT_FOUND
               ? (status == DYNO_OK ? DYNO_OK : dyno_fail(error, status, "%s", why.text))
               : dyno_fail(error, status, "the figure %s: %s", exhibit->name, why.text);
}

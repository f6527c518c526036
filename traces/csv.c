/* CSV by libcsv, a line at a time; the header tells which column stands where. */
#include <csv.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "traces/format.h"

enum { FIELDS_MAX = 64, TEXT_BYTES = 4096 };

struct field {
    size_t begin, length; /* in text */
};

struct dyno_csv {
    struct csv_parser parser;
    size_t count; /* fields of the line read last, also past FIELDS_MAX */
    size_t rows;  /* lines ended in it; 1 unless a quote is open */
    struct field fields[FIELDS_MAX];
    char text[TEXT_BYTES]; /* the fields' contents, one after the other */
    size_t text_used;
    bool is_overlong;
    size_t columns_count;                          /* of the header */
    const struct dyno_column *columns[FIELDS_MAX]; /* NULL: passed over */
};

dyno_status dyno_csv_open(struct dyno_csv **out, struct dyno_error *error)
{
    struct dyno_csv *csv = calloc(1, sizeof *csv);

    if (!csv || csv_init(&csv->parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        free(csv);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory to read CSV");
    }
    *out = csv;
    return DYNO_OK;
}

void dyno_csv_close(struct dyno_csv *csv)
{
    if (csv) {
        csv_free(&csv->parser);
        free(csv);
    }
}

static void take_field(void *data, size_t length, void *context)
{
    struct dyno_csv *csv = context;

    if (csv->count < FIELDS_MAX && length <= TEXT_BYTES - csv->text_used) {
        csv->fields[csv->count] = (struct field){.begin = csv->text_used, .length = length};
        memcpy(csv->text + csv->text_used, data, length);
        csv->text_used += length;
    } else {
        csv->is_overlong = true;
    }
    csv->count++;
}

static void take_row(int end, void *context)
{
    struct dyno_csv *csv = context;

    (void)end;
    csv->rows++;
}

/* Where field `index` begins in the line, from 1: commas within quotes do not count. */
static size_t column_of(const char *text, size_t length, size_t index)
{
    bool quoted = false;
    size_t at = 0;

    for (; at < length && index > 0; at++) {
        quoted ^= text[at] == '"';
        index -= !quoted && text[at] == ',';
    }
    while (at < length && text[at] == ' ') {
        at++;
    }
    return at + 1;
}

/* Cut the line into fields. */
static dyno_status split(struct dyno_csv *csv, const struct dyno_line *line, const char *text,
                         size_t length)
{
    size_t taken;

    csv->count = csv->rows = csv->text_used = 0;
    csv->is_overlong = false;
    taken = csv_parse(&csv->parser, text, length, take_field, take_row, csv);
    if (taken == length) {
        taken += csv_parse(&csv->parser, "\n", 1, take_field, take_row, csv);
    }
    if (csv->rows == 1 && taken == length + 1 && !csv->is_overlong) {
        return DYNO_OK;
    }
    csv_free(&csv->parser); /* forget the state of the broken line */
    if (csv_init(&csv->parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        return dyno_fail(line->error, DYNO_NO_MEMORY, "no memory to read CSV");
    }
    if (csv->is_overlong) {
        return dyno_line_refuse(line, 1, "more than %d fields or %d bytes; expected a row of %s",
                                FIELDS_MAX, TEXT_BYTES, line->format->name);
    }
    if (csv->rows > 1) {
        return dyno_line_refuse(line, 1, "a carriage return within the line; expected one row");
    }
    return dyno_line_refuse(line, taken < length ? taken + 1 : length,
                            "a double quote is %s; expected fields as in CSV",
                            taken < length ? "out of place" : "left open");
}

static struct dyno_cell cell_at(const struct dyno_csv *csv, size_t index, const char *text,
                                size_t length)
{
    return (struct dyno_cell){.kind = DYNO_CELL_BARE,
                              .text = csv->text + csv->fields[index].begin,
                              .length = csv->fields[index].length,
                              .column = column_of(text, length, index)};
}

dyno_status dyno_csv_read_header(struct dyno_csv *csv, struct dyno_line *line, const char *text,
                                 size_t length)
{
    const struct dyno_column *needed;

    DYNO_TRY(split(csv, line, text, length));
    csv->columns_count = csv->count;
    for (size_t i = 0; i < csv->count; i++) {
        struct dyno_cell cell = cell_at(csv, i, text, length);

        DYNO_TRY(dyno_line_find(line, cell.text, cell.length, cell.column, &csv->columns[i]));
        if (csv->columns[i]) {
            DYNO_TRY(dyno_line_note(line, csv->columns[i], cell.column));
        }
    }
    for (needed = line->format->columns; needed->name; needed++) {
        if (needed->is_required && line->column_of[needed->field] == 0) {
            return dyno_line_refuse(line, length + 1, "the header has no column %s, which %s needs",
                                    needed->name, line->format->name);
        }
    }
    return DYNO_OK;
}

dyno_status dyno_csv_read(struct dyno_csv *csv, struct dyno_line *line, const char *text,
                          size_t length)
{
    DYNO_TRY(split(csv, line, text, length));
    if (csv->count != csv->columns_count) {
        return dyno_line_refuse(line, csv->count < csv->columns_count ? length + 1 : 1,
                                "%zu fields; expected %zu, as in the header", csv->count,
                                csv->columns_count);
    }
    for (size_t i = 0; i < csv->count; i++) {
        const struct dyno_column *column = csv->columns[i];
        struct dyno_cell cell;

        if (!column || dyno_line_ignores(line, column)) {
            continue;
        }
        cell = cell_at(csv, i, text, length);
        DYNO_TRY(dyno_line_note(line, column, cell.column));
        DYNO_TRY(dyno_cell_apply(line, column, &cell));
    }
    return dyno_line_finish(line, length + 1);
}

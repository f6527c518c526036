/* Reads tables of measurements by the names of their columns. */
#include "cli/fit/measured.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cut the line into fields; fields[i] of those asked for.  Returns how many the line has. */
static uint32_t cut(struct dyno_measured *measured, const char *text)
{
    uint32_t count = 0;
    char *rest = measured->row;

    (void)snprintf(measured->row, sizeof measured->row, "%s", text);
    for (uint32_t i = 0; i < measured->column_count; i++) {
        measured->fields[i] = "";
    }
    while (rest) {
        char *field = rest;
        char *end = strchr(rest, measured->separator);

        if (end) {
            *end = '\0';
        }
        rest = end ? end + 1 : NULL;
        for (uint32_t i = 0; i < measured->column_count; i++) {
            if (measured->place[i] == count) {
                measured->fields[i] = field;
            }
        }
        count++;
    }
    return count;
}

static dyno_status find_column(struct dyno_measured *measured, const char *header,
                               const char *column, struct dyno_error *error)
{
    size_t length = strlen(column);
    uint32_t place = 0;

    for (const char *at = header; at; place++) {
        const char *end = strchr(at, measured->separator);
        size_t field_length = end ? (size_t)(end - at) : strlen(at);

        if (field_length == length && memcmp(at, column, length) == 0) {
            measured->place[measured->column_count++] = place;
            return DYNO_OK;
        }
        at = end ? end + 1 : NULL;
    }
    return dyno_fail(error, DYNO_BAD_INPUT, "%s: its header has no column '%s'", measured->path,
                     column);
}

static dyno_status read_header(struct dyno_measured *measured, const char *const *columns,
                               struct dyno_error *error)
{
    const char *header;
    size_t length;
    bool got;

    DYNO_TRY(dyno_lines_next(&measured->lines, &header, &length, &got, error));
    if (!got) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s is empty; expected a table with a header",
                         measured->path);
    }
    measured->separator = strchr(header, '\t') ? '\t' : ',';
    for (uint32_t i = 0; i < DYNO_MEASURED_COLUMNS_MAX && columns[i]; i++) {
        DYNO_TRY(find_column(measured, header, columns[i], error));
    }
    return DYNO_OK;
}

dyno_status dyno_measured_open(struct dyno_measured *measured, const char *path,
                               const char *const *columns, struct dyno_error *error)
{
    dyno_status status;

    memset(measured, 0, sizeof *measured);
    (void)snprintf(measured->path, sizeof measured->path, "%s", path);
    DYNO_TRY(dyno_lines_open(&measured->lines, measured->path, NULL, 0, error));
    status = read_header(measured, columns, error);
    if (status != DYNO_OK) {
        dyno_measured_close(measured);
    }
    return status;
}

void dyno_measured_close(struct dyno_measured *measured)
{
    dyno_lines_close(&measured->lines);
}

dyno_status dyno_measured_next(struct dyno_measured *measured, bool *got, struct dyno_error *error)
{
    const char *text;
    size_t length;

    DYNO_TRY(dyno_lines_next(&measured->lines, &text, &length, got, error));
    if (!*got) {
        return DYNO_OK;
    }
    if (length >= sizeof measured->row || memchr(text, '\0', length)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s:%" PRIu64 ": not a row of a table",
                         measured->path, measured->lines.number);
    }
    (void)cut(measured, text);
    return DYNO_OK;
}

dyno_status dyno_measured_number(const struct dyno_measured *measured, uint32_t column, double *out,
                                 struct dyno_error *error)
{
    const char *text = measured->fields[column];
    char *end;

    *out = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(*out)) {
        return dyno_fail(error, DYNO_BAD_INPUT, "%s:%" PRIu64 ": '%.40s' is not a number",
                         measured->path, measured->lines.number, text);
    }
    return DYNO_OK;
}

/* Tables of measurements: CSV or tab-separated text with a header, plain or gzipped.  Fields are
 * not quoted in them. */
#ifndef DYNO_CLI_FIT_MEASURED_H
#define DYNO_CLI_FIT_MEASURED_H

#include <stdbool.h>

#include "core/base/status.h"
#include "traces/lines.h"

enum { DYNO_MEASURED_COLUMNS_MAX = 24 };

struct dyno_measured {
    struct dyno_lines lines;
    char path[1024];
    uint32_t column_count;                         /* asked for */
    uint32_t place[DYNO_MEASURED_COLUMNS_MAX];     /* of each of them in a line */
    const char *fields[DYNO_MEASURED_COLUMNS_MAX]; /* of the row last read, in the order asked */
    char row[4096];                                /* what the fields point into */
    char separator;
};

/* Open `path` and find `columns` (NULL-terminated) in its header.  Errors: DYNO_NOT_FOUND (no such
 * file), DYNO_BAD_INPUT (no such column), DYNO_IO, DYNO_NO_MEMORY.  On failure nothing is open. */
dyno_status dyno_measured_open(struct dyno_measured *measured, const char *path,
                               const char *const *columns, struct dyno_error *error);
void dyno_measured_close(struct dyno_measured *measured);

/* The next row; *got is false at the end. */
dyno_status dyno_measured_next(struct dyno_measured *measured, bool *got, struct dyno_error *error);

/* Field `column` of it as a number.  DYNO_BAD_INPUT, with file and line, if it is none. */
dyno_status dyno_measured_number(const struct dyno_measured *measured, uint32_t column, double *out,
                                 struct dyno_error *error);

#endif

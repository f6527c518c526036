/* The lines of a trace: numbered from 1, without their end (LF or CRLF), without a byte-order mark.
 */
#ifndef DYNO_TRACES_LINES_H
#define DYNO_TRACES_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "traces/input.h"

enum { DYNO_LINE_BYTES_MAX = 16 << 20 }; /* a longer line ends the reading */

struct dyno_lines {
    struct dyno_input *input; /* owned */
    const char *name;         /* of the file, for errors; the caller's */
    char *buffer;             /* [capacity]; a line is followed by a NUL */
    size_t capacity, start, end;
    uint64_t number; /* of the line last returned; 0 before the first */
    bool ended;
    bool is_cut; /* the line last returned ended with the input, without an end of its own */
};

/* Opens the input too (see dyno_input_open).  `path` must outlive the lines. */
dyno_status dyno_lines_open(struct dyno_lines *lines, const char *path, const void *data,
                            size_t size, struct dyno_error *error);
void dyno_lines_close(struct dyno_lines *lines);

/* The next line, valid until the next call; *got is false at the end.  A missing end of the last
 * line is no error.  The text may hold NUL bytes: the length tells.  Errors: those of
 * dyno_input_read and DYNO_BAD_INPUT for an over-long line, with file and line. */
dyno_status dyno_lines_next(struct dyno_lines *lines, const char **text, size_t *length, bool *got,
                            struct dyno_error *error);

#endif

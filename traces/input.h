/* The bytes of a trace, whatever they come from: a file, standard input or memory, plain or
 * gzip-compressed (several members in a row are one stream). */
#ifndef DYNO_TRACES_INPUT_H
#define DYNO_TRACES_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/status.h"

struct dyno_input;

/* What was read of bytes that come only once, for whoever reads them again.  Zero but for size_max
 * at first. */
struct dyno_input_copy {
    char *data; /* [size] as they came, compressed if they were; free() it */
    size_t size, capacity, size_max;
    bool is_lost; /* there were more than size_max, or no memory: nothing is kept */
};

/* Open `path` ("-": standard input), or the `size` bytes at `data` if that is not NULL (they stay
 * the caller's and must outlive the input).  gzip is recognised by its first two bytes; a name in
 * .gz without them is refused.  Errors: DYNO_NOT_FOUND, DYNO_IO, DYNO_BAD_INPUT (a directory),
 * DYNO_NO_MEMORY. */
dyno_status dyno_input_open(struct dyno_input **out, const char *path, const void *data,
                            size_t size, struct dyno_error *error);
void dyno_input_close(struct dyno_input *input);

/* From here on keep what is read in `copy`, which is the caller's.  Call it before the first read.
 */
void dyno_input_keep(struct dyno_input *input, struct dyno_input_copy *copy);

/* Up to `size` bytes into `buffer`; *got is 0 at the end only.  The error's text does not name the
 * file: the caller knows the line.  Errors: DYNO_IO; DYNO_BAD_INPUT (truncated or damaged gzip). */
dyno_status dyno_input_read(struct dyno_input *input, void *buffer, size_t size, size_t *got,
                            struct dyno_error *error);

#endif

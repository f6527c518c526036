/* A trace file being written (inside this room): formats as lines, and a file that appears only
 * when all of it is there.
 *
 * A file's identities stand for blocks of its own size.  Such a block belongs to the segment that
 * holds its last token and is numbered within it (as in dyno_row_spans), which keeps who shares
 * what.  Identities, sessions and names are numbered densely, in the order in which they appear, or
 * hashed with a salt: nothing of the keys that rows have is written. */
#ifndef DYNO_TRACES_WRITER_H
#define DYNO_TRACES_WRITER_H

#include "core/base/status.h"
#include "traces/row.h"
#include "traces/salt.h"

struct dyno_trace_writer;

/* `path` may be "-"; a name in .gz is compressed.  `block_tokens` 0: the format's own; if it is
 * `row_block_tokens`, the size of the rows' own blocks, identities are taken over one by one, that
 * of a partial last block too.  `salt` may be NULL; it is copied.  Errors: DYNO_BAD_INPUT (the
 * format), DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_trace_writer_open(struct dyno_trace_writer **out, const char *path,
                                   const char *format, uint32_t block_tokens,
                                   uint32_t row_block_tokens, const struct dyno_salt *salt,
                                   struct dyno_error *error);

/* The next row.  Errors: DYNO_BAD_INPUT (what the format cannot say), DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_trace_writer_put(struct dyno_trace_writer *writer, const struct dyno_row *row,
                                  struct dyno_error *error);

uint32_t dyno_trace_writer_block_tokens(const struct dyno_trace_writer *writer);

/* With DYNO_OK the file gets its name; with anything else, or when that fails, nothing is left.
 * Frees the writer; returns `status`, or why the file could not be finished. */
dyno_status dyno_trace_writer_close(struct dyno_trace_writer *writer, dyno_status status,
                                    struct dyno_error *error);

#endif

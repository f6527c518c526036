/* What the two files of the writer share: where text goes, and the numbers of keys. */
#ifndef DYNO_TRACES_WRITER_PARTS_H
#define DYNO_TRACES_WRITER_PARTS_H

#include <stdbool.h>
#include <zlib.h>

#include "core/base/map.h"
#include "traces/format.h"
#include "traces/writer.h"

/* Keys of one kind, numbered from 0 (blocks) or 1, or hashed. */
struct dyno_trace_keys {
    struct dyno_map numbers;
    uint64_t used, kind; /* the kind tells hashes of different kinds apart */
};

struct dyno_trace_writer {
    const struct dyno_format *format;
    uint32_t block_tokens;
    const char *path;
    char *partial; /* where it is written until it is whole; NULL: it is written straight to the
                      path (standard output, a device, a pipe) */
    gzFile file;
    struct dyno_trace_keys blocks, sessions, names;
    struct dyno_map last_of; /* session -> the name of its row before; where names make sessions */
    struct dyno_salt salt;
    bool is_salted;
    bool names_last; /* a partial last block's identity is written too */
};

/* The lines of each format.  False when writing failed or memory is out. */
bool dyno_trace_put_header(struct dyno_trace_writer *writer);
bool dyno_trace_put_row(struct dyno_trace_writer *writer, const struct dyno_row *row);

/* What the writer's format cannot say of a row, as a sentence; NULL if it can say all. */
const char *dyno_trace_cannot_say(const struct dyno_trace_writer *writer,
                                  const struct dyno_row *row);

#endif

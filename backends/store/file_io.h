/* Reads and writes of one file, many at a time: through io_uring where the system grants it, else
 * by a few threads.
 */
#ifndef DYNO_BACKENDS_STORE_FILE_IO_H
#define DYNO_BACKENDS_STORE_FILE_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/status.h"

enum { DYNO_FILE_OPS_MAX = 32 };

/* One read or write. */
struct dyno_file_op {
    bool is_write;
    void *bytes; /* [size] */
    uint32_t size;
    uint64_t offset;
    int result; /* 0: all of it was read or written; else an errno, EIO for a file that ends before
                 */
};

struct dyno_file_io;

enum dyno_file_way {
    DYNO_FILE_BEST,    /* io_uring, or threads where it is refused or not in this build */
    DYNO_FILE_THREADS, /* threads only */
};

/* On success *out is closed with dyno_file_io_close, before the descriptor.  DYNO_NO_MEMORY. */
dyno_status dyno_file_io_open(struct dyno_file_io **out, int descriptor, enum dyno_file_way way);
void dyno_file_io_close(struct dyno_file_io *io); /* NULL: nothing */

/* "io_uring" or "threads". */
const char *dyno_file_io_name(const struct dyno_file_io *io);

/* Do them all, in any order, and wait: count <= DYNO_FILE_OPS_MAX.  From one thread at a time. */
void dyno_file_io_run(struct dyno_file_io *io, struct dyno_file_op *ops, uint32_t count);

#endif

/* A whole file as memory that cannot be written.
 *
 * Pages come from the page cache, so that several openers of one file, in one process or in many,
 * share them.  Cutting the file short while it is mapped kills the process (SIGBUS): replace a
 * model's files by renaming new ones over them. */
#ifndef DYNO_BACKENDS_ASSETS_MAPPING_H
#define DYNO_BACKENDS_ASSETS_MAPPING_H

#include <stdint.h>

#include "core/base/status.h"

struct dyno_mapping {
    char *path;          /* for errors */
    const uint8_t *data; /* [size] */
    uint64_t size;
};

/* Map the regular file `path`.  On success dyno_mapping_close; on failure there is nothing to
 * close.  Errors: DYNO_NOT_FOUND, DYNO_IO, DYNO_BAD_INPUT (not a regular file; an empty one),
 * DYNO_NO_MEMORY. */
dyno_status dyno_mapping_open(struct dyno_mapping *out, const char *path, struct dyno_error *error);
void dyno_mapping_close(struct dyno_mapping *mapping);

/* Weights of `bytes` must lie in memory at once, or every pass would read the disk.  DYNO_NO_MEMORY
 * and a sentence where they are more than `memory_bytes` (dyno_allowed_memory_bytes). */
dyno_status dyno_memory_check(const char *path, uint64_t bytes, uint64_t memory_bytes,
                              struct dyno_error *error);

#endif

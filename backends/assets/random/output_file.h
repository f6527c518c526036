/* A file that appears under its name only when all of it is written. */
#ifndef DYNO_BACKENDS_ASSETS_RANDOM_OUTPUT_FILE_H
#define DYNO_BACKENDS_ASSETS_RANDOM_OUTPUT_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "core/base/status.h"

struct dyno_output_file {
    FILE *stream;
    char *path;
    char *partial; /* where it is written until then: beside it */
    uint64_t bytes;
    struct dyno_error *error;
};

/* On success dyno_output_finish or dyno_output_abandon.  Errors: DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_output_open(struct dyno_output_file *out, const char *path,
                             struct dyno_error *error);

/* Error: DYNO_IO. */
dyno_status dyno_output_put(struct dyno_output_file *file, const void *data, size_t size);
dyno_status dyno_output_print(struct dyno_output_file *file, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Write zeros up to the next multiple of `alignment`. */
dyno_status dyno_output_align(struct dyno_output_file *file, uint32_t alignment);

/* Give the file its name; or remove what was written.  Either way it is closed. */
dyno_status dyno_output_finish(struct dyno_output_file *file);
void dyno_output_abandon(struct dyno_output_file *file);

#endif

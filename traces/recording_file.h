/* The files of a recording (inside this room; recording.h says what happens to them). */
#ifndef DYNO_TRACES_RECORDING_FILE_H
#define DYNO_TRACES_RECORDING_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

/* All lines in it are whole: what could not be written to its end was cut off again. */
struct dyno_recording_file {
    char *path;
    int fd; /* -1: closed */
    uint64_t size;
    uint64_t bytes_max; /* 0: without end */
    uint32_t files_max;
};

/* Open `path` to append lines that are labelled `label`.  `file` is released with close, also when
 * this fails.  Errors: as dyno_recording_open. */
dyno_status dyno_recording_file_open(struct dyno_recording_file *file, const char *path,
                                     const char *label, uint64_t bytes_max, uint32_t files_max,
                                     struct dyno_error *error);
void dyno_recording_file_close(struct dyno_recording_file *file);

/* Append whole lines, in a new file if this one would become too large.  All of them are in the
 * file, or none.  Errors: DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_recording_file_append(struct dyno_recording_file *file, const char *lines,
                                       size_t size, struct dyno_error *error);

#endif

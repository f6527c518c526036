/* One event as one line of text or JSON (inside this room; log.h is the contract). */
#ifndef DYNO_BACKENDS_POSIX_LOG_LINE_H
#define DYNO_BACKENDS_POSIX_LOG_LINE_H

#include <time.h>

#include "backends/posix/log.h"

/* Write the event into `text`; returns how many bytes it has, its line end among them.  There is no
 * NUL. */
size_t dyno_log_line(char text[DYNO_LOG_LINE_BYTES_MAX], enum dyno_log_format format,
                     const struct timespec *at, enum dyno_log_level level, const char *request_id,
                     const char *event, const struct dyno_log_field *fields);

#endif

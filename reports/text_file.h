/* A text as a file: whole, or not at all. */
#ifndef DYNO_REPORTS_TEXT_FILE_H
#define DYNO_REPORTS_TEXT_FILE_H

#include "core/base/status.h"

/* Write `text` and a line end to `path`; "-" is standard output.  A file is written beside its name
 * and renamed over it, so that a reader sees all of it or none.  What exists and is no regular file
 * (a pipe, /dev/stdout, a link) is written in place: a rename would put a file where something else
 * was meant.  Errors: DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_text_write(const char *path, const char *text, struct dyno_error *error);

#endif

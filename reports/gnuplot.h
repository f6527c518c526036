/* Gnuplot, as a child that reads a script and writes a figure. */
#ifndef DYNO_REPORTS_GNUPLOT_H
#define DYNO_REPORTS_GNUPLOT_H

#include <stddef.h>

#include "core/base/status.h"

/* Run `script`; what it prints is *out, [*size] and a NUL, to be freed.  No start-up file of
 * anybody's is read.
 * Errors: DYNO_NOT_FOUND (there is no gnuplot), DYNO_BAD_INPUT (it refuses the script; the sentence
 * ends in its own words), DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_gnuplot_run(char **out, size_t *size, const char *script,
                             struct dyno_error *error);

#endif

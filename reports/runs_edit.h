/* `dyno runs`: one run in detail, runs beside each other; tags; and runs that are to go. */
#ifndef DYNO_REPORTS_RUNS_EDIT_H
#define DYNO_REPORTS_RUNS_EDIT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/status.h"

/* What a run was and what it came to, as aligned text; the last six that `spec` chooses and that
 * came to their end stand beside each other, with their differences from the first.
 * Errors: as dyno_run_set_open, DYNO_NOT_FOUND (none came to its end). */
dyno_status dyno_runs_show(const char *path, const char *spec, FILE *out, struct dyno_error *error);
dyno_status dyno_runs_compare(const char *path, const char *spec, FILE *out,
                              struct dyno_error *error);

/* Give the chosen runs a tag, or take it away.  Errors: DYNO_BAD_INPUT (no tag), else as above. */
dyno_status dyno_runs_tag(const char *path, const char *spec, const char *tag, bool remove,
                          struct dyno_error *error);

/* Delete the chosen runs with all that is known of them, and make the file smaller; *count of them.
 * Errors: DYNO_BAD_INPUT (one of them is still running), else as above. */
dyno_status dyno_runs_delete(const char *path, const char *spec, int64_t *count,
                             struct dyno_error *error);

#endif

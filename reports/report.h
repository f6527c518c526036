/* `dyno report`: runs of a database as a page with figures. */
#ifndef DYNO_REPORTS_REPORT_H
#define DYNO_REPORTS_REPORT_H

#include "core/base/status.h"

struct dyno_report_config {
    const char *database;
    const char *runs;         /* as in reports/run_set.h; NULL: all */
    const char *output;       /* FILE.html, FILE.md or FILE.csv */
    const char *title;        /* NULL: one is made */
    const char *version;      /* of dyno, for its foot */
    const char *figures;      /* folder for the figures as files; NULL: none; it is made */
    const char *formats;      /* of those: words of svg, png, pdf with commas between */
    const char *figures_from; /* folder with figures of the user's own; NULL: none */
};

/* Make it.  What is worth knowing of a report that was made (figures that could not be) is *note,
 * to be freed; NULL: nothing.  The same database and the same gnuplot give the same bytes.
 * Errors: DYNO_BAD_INPUT (another ending; a mistake in somebody's query), DYNO_NOT_FOUND,
 * DYNO_UNSUPPORTED (another version of the schema), DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_report_make(const struct dyno_report_config *config, char **note,
                             struct dyno_error *error);

#endif

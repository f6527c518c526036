/* `dyno sql`: ask a database of runs. */
#ifndef DYNO_REPORTS_QUERY_H
#define DYNO_REPORTS_QUERY_H

#include <stdio.h>

#include "core/base/status.h"

enum dyno_query_style { DYNO_QUERY_TABLE, DYNO_QUERY_CSV, DYNO_QUERY_JSON };

struct dyno_query {
    const char *database;
    const char *sql;  /* statements that only read; or ":NAME", the query of a figure or a table */
    const char *runs; /* what the tables of reports/run_set.h hold; NULL: all */
    const char *from; /* folder with figures of the user's own; NULL: none */
    enum dyno_query_style style;
};

/* Run it and write the rows: aligned under their heads, as CSV, or as a JSON array of objects.
 * Whatever would change a database is refused.  Beside the database's own tables there are those of
 * reports/run_set.h.
 * Errors: DYNO_BAD_INPUT (a mistake in the SQL, in SQLite's words), DYNO_NOT_FOUND (no such name or
 * file), DYNO_IO, else as dyno_run_set_open. */
dyno_status dyno_query_run(const struct dyno_query *query, FILE *out, struct dyno_error *error);

/* The names that may stand behind a colon, a line each with their titles. */
dyno_status dyno_query_names(const char *from, FILE *out, struct dyno_error *error);

#endif

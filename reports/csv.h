/* Rows of a query as CSV (RFC 4180, with lines that end in \n): a head, then a line a row.  NULL is
 * an empty field, an empty text "". */
#ifndef DYNO_REPORTS_CSV_H
#define DYNO_REPORTS_CSV_H

#include <sqlite3.h>
#include <stdio.h>

/* Returns what the last step of the statement returned. */
int dyno_csv_put(FILE *out, sqlite3_stmt *rows);

#endif

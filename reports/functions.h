/* Functions that queries on a database of runs may call beside SQLite's own.
 *
 *   true_status(status, machine, process, since)   how a run stands: 'running' only while its
 *                  process is there, else 'crashed', or 'unfinished' where nobody can know
 *   span_words(ms) a span as it is read out: '458.2 ms', '54.5 s', '2 min 04 s'
 *   bins(ns)       aggregate: a histogram of whole numbers, as JSON [[most, count], ...] in order,
 *                  only bins that hold any; NULLs are left out.  A bin is no wider than 1/64 of
 *                  what lies in it; numbers below 64 are exact. */
#ifndef DYNO_REPORTS_FUNCTIONS_H
#define DYNO_REPORTS_FUNCTIONS_H

#include <sqlite3.h>

/* Returns SQLite's code; without the functions a query that calls one says so. */
int dyno_functions_add(sqlite3 *database);

#endif

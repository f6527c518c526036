/* Keeping a database of servers' runs within a size and an age: the oldest rows go.
 *
 * Rows are deleted, a thousand of each table at a time, from the oldest run of a server that has
 * any; the run itself and its summary stay.  A file for each day would bound the size as well, but
 * then every question about yesterday and today is one to two files, and renaming a database that
 * somebody reads, with a journal beside it, is a way to lose both.  Deleted rows leave pages that
 * new ones take, so that the file stops growing without being written anew. */
#ifndef DYNO_REPORTS_TRIM_H
#define DYNO_REPORTS_TRIM_H

#include <stdbool.h>
#include <stdint.h>

#include "reports/database.h"

/* By this option a run is known to be a server's, whose rows may be deleted. */
#define DYNO_TRIM_OPTION "recorder.live"

enum trim_statement {
    TRIM_FIND_RUN,
    TRIM_STARTED,
    TRIM_REQUEST_AT,
    TRIM_SAMPLE_AT,
    TRIM_DECISION_AT,
    TRIM_REQUESTS,
    TRIM_SAMPLES,
    TRIM_TIER_SAMPLES,
    TRIM_LINK_SAMPLES,
    TRIM_GPU_SAMPLES,
    TRIM_CANDIDATES,
    TRIM_DECISIONS,
    TRIM_PAGES,
    TRIM_STATEMENTS,
};

struct dyno_trim {
    sqlite3 *database;
    uint64_t bytes_max; /* 0: without end */
    uint64_t age_max_s; /* 0: for ever */
    int64_t page_bytes;
    int64_t run; /* the oldest with rows; 0: not known */
    sqlite3_stmt *statements[TRIM_STATEMENTS];
};

/* `trim` is released in any case.  The connection is the caller's, and must outlive it. */
dyno_status dyno_trim_init(struct dyno_trim *trim, sqlite3 *database, uint64_t bytes_max,
                           uint64_t age_max_s, struct dyno_error *error);
void dyno_trim_release(struct dyno_trim *trim);

/* Delete what must go, in a transaction of its own and at most `steps_max` thousand rows of each
 * table: what is too old at `now_s` (Unix time), and what leaves less than `room_bytes` of
 * bytes_max free.  *is_done says that nothing is left to delete.  After a failure nothing was
 * deleted. */
dyno_status dyno_trim_run(struct dyno_trim *trim, int64_t now_s, uint64_t room_bytes,
                          uint32_t steps_max, bool *is_done, struct dyno_error *error);

#endif

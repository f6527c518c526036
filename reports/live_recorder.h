/* A recorder for a server that runs for weeks: the rows of recorder.c in the same schema, under the
 * opposite promise.  A simulation may wait and must not lose a row; a server may lose a row and
 * must not wait.
 *
 * Records cross in a buffer to a thread of its own, which writes them in transactions half a second
 * apart: so much is what a process that is killed loses.  While the database cannot be written (it
 * is locked, its disk is full) the buffer fills and the thread tries again; what comes when it is
 * full is lost and counted.  That it begins and that it ends is said, each once.
 *
 * Bounds.  The file does not grow beyond bytes_max: the oldest rows of runs of servers are deleted
 * to make room, as are those older than age_max_s, and their pages are used again (trim.h); rows of
 * other runs in the file are left alone.  The journal (SQLite's write-ahead log) is bounded too: if
 * a reader keeps it from being emptied, writing pauses as above. */
#ifndef DYNO_REPORTS_LIVE_RECORDER_H
#define DYNO_REPORTS_LIVE_RECORDER_H

#include <sqlite3.h>

#include "reports/reports.h"

#define DYNO_LIVE_BYTES_MIN ((uint64_t)4 << 20) /* a smaller file cannot be kept small */

enum {
    DYNO_LIVE_RECORDS_MAX = 65536,      /* that may wait */
    DYNO_LIVE_JOURNAL_PAGES_MAX = 16384 /* 64 MiB */
};

struct dyno_live_recorder_config {
    const char *path; /* of the database */
    const char *command, *title;
    const struct dyno_run_option_row *options; /* [option_count] */
    uint32_t option_count;
    uint64_t bytes_max;   /* of the file; 0: without end */
    uint64_t age_max_s;   /* of a row; 0: for ever */
    uint32_t records_max; /* that may wait; 0: DYNO_LIVE_RECORDS_MAX */
    /* Of the journal, from which on writing pauses; 0: DYNO_LIVE_JOURNAL_PAGES_MAX. */
    int journal_pages_max;
    /* Told what an operator should know, from the recorder's thread; may be NULL. */
    void (*say)(void *context, const char *text);
    void *context;
};

struct dyno_live_counts {
    uint64_t written; /* requests, samples and decisions in the database (some deleted since) */
    uint64_t lost;
};

struct dyno_live_recorder;

/* Open the database and add the row of this run, with status 'running'; texts are copied.  On
 * success *out is closed with dyno_live_recorder_close.  Errors: as dyno_recorder_open, and
 * DYNO_BAD_INPUT for a bytes_max below DYNO_LIVE_BYTES_MIN. */
dyno_status dyno_live_recorder_open(struct dyno_live_recorder **out,
                                    const struct dyno_live_recorder_config *config,
                                    struct dyno_error *error);

/* Hears requests, decisions and samples; never fails, never waits for the database. */
struct dyno_sink *dyno_live_recorder_sink(struct dyno_live_recorder *recorder);
/* The same. */
dyno_status dyno_live_recorder_gpu(struct dyno_live_recorder *recorder,
                                   const struct dyno_gpu_record *record);
int64_t dyno_live_recorder_run_id(const struct dyno_live_recorder *recorder);

/* So far; from any thread. */
struct dyno_live_counts dyno_live_recorder_counts(struct dyno_live_recorder *recorder);

/* Write what waits (tried once more, if the database cannot be written), how the run ended as
 * dyno_recorder_close does, and close.  *counts (may be NULL) are the last.  A failure is one to
 * write how it ended: the run then reads as crashed. */
dyno_status dyno_live_recorder_close(struct dyno_live_recorder *recorder,
                                     const struct dyno_report *report,
                                     const struct dyno_host_facts *facts,
                                     struct dyno_live_counts *counts, struct dyno_error *error);

/* For tests that make its disk fail: the connection.  To be used before the first record only. */
sqlite3 *dyno_live_recorder_database(const struct dyno_live_recorder *recorder);

#endif

/* A run that a database holds, whole: its summary and its requests, to be compared. */
#ifndef DYNO_REPORTS_STORED_RUN_H
#define DYNO_REPORTS_STORED_RUN_H

#include "core/base/status.h"
#include "core/model/record.h"

struct dyno_stored_metric {
    char name[64];
    double value; /* NAN: undefined */
};

struct dyno_stored_run {
    int64_t id;
    struct dyno_stored_metric *metrics; /* [metric_count] by name */
    uint32_t metric_count;
    struct dyno_request_record *records; /* [record_count] by id */
    uint32_t record_count;
};

/* The last finished run in the database `path`; with `scenario`, the last whose command replays a
 * scenario file of that name (without folders).  On success released by dyno_stored_run_release.
 * Errors: DYNO_NOT_FOUND (no such file or run), DYNO_BAD_INPUT, DYNO_UNSUPPORTED, DYNO_IO,
 * DYNO_NO_MEMORY. */
dyno_status dyno_stored_run_read(struct dyno_stored_run *out, const char *path,
                                 const char *scenario, struct dyno_error *error);
void dyno_stored_run_release(struct dyno_stored_run *run); /* zeroed memory: no effect */

/* NAN: undefined, or not there. */
double dyno_stored_run_metric(const struct dyno_stored_run *run, const char *name);

#endif

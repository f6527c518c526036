/* A run that a database holds: its requests, to be sent again. */
#ifndef DYNO_REPORTS_PAST_RUN_H
#define DYNO_REPORTS_PAST_RUN_H

#include <stdint.h>

#include "core/base/status.h"
#include "core/base/time.h"

struct dyno_past_request {
    uint32_t prompt_tokens, output_tokens;
    dyno_ns scheduled_ns, arrival_ns, first_token_ns, last_token_ns;
};

struct dyno_past_run {
    int64_t id;
    char started_at[32];                /* UTC, ISO 8601; may be empty */
    char model[96];                     /* of its options; a name or a path */
    char arrival[64];                   /* generate.arrival; empty: a trace */
    uint32_t concurrency;               /* trace.concurrency; 0: none */
    uint32_t inflight_max;              /* trace.max_concurrency; 0: none */
    uint64_t left_out;                  /* requests that were not completed */
    struct dyno_past_request *requests; /* [request_count] completed, in the order of their ids */
    uint64_t request_count;
};

/* The last run in the database `path` that came to its end.  On success released by
 * dyno_past_run_release.  Errors: DYNO_NOT_FOUND (no such file or no such run), DYNO_BAD_INPUT (not
 * a database of runs), DYNO_UNSUPPORTED, DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_past_run_read(struct dyno_past_run *out, const char *path,
                               struct dyno_error *error);
void dyno_past_run_release(struct dyno_past_run *run);

#endif

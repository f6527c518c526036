/* A run that a database holds, request by request: what is exported in the shapes of other tools.
 */
#ifndef DYNO_REPORTS_PAST_REQUESTS_H
#define DYNO_REPORTS_PAST_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/model/record.h"

struct dyno_past_about {
    int64_t id;
    char status[16];             /* as reports/run_set.h has it */
    char started_at[32];         /* UTC, ISO 8601; may be empty */
    char command[2048];          /* what repeats it, cut if it is longer */
    char model[96];              /* of its options, a name or a path; of a run that asked a
                                    server, what that called it */
    char url[256], endpoint[32]; /* of such a run: bench.url, bench.endpoint; else empty */
    char trace[256];             /* trace.path; empty: none */
    char arrival[64];            /* generate.arrival; empty: a trace */
    char input_tokens[64], output_tokens[64]; /* generate.input_tokens, generate.output_tokens */
    uint64_t requests, seed;                  /* trace.requests, 0: all; run.seed */
    uint32_t concurrency, inflight_max; /* trace.concurrency, trace.max_concurrency; 0: none */
    bool is_client; /* a server was asked (dyno bench): a request was sent at its ready_ns, not at
                       its arrival_ns, when it was due */
    bool has_slo;
    double goodput_per_s; /* NAN without objectives */
    double itl_ms[4];     /* mean, p50, std, p99; NAN: not known */
    double duration_s;    /* NAN: not known */
};

struct dyno_past_listener {
    void *context;
    /* First what the run was, then its requests in the order of their numbers; whatever is returned
     * but DYNO_OK ends it. */
    dyno_status (*begin)(void *context, const struct dyno_past_about *about,
                         struct dyno_error *error);
    dyno_status (*take)(void *context, const struct dyno_request_record *record,
                        struct dyno_error *error);
};

/* Tell of one run of the database; `spec` chooses it ("3", "last").
 * Errors: DYNO_BAD_INPUT (it chooses none or several), else as dyno_run_set_open, and what the
 * listener returned. */
dyno_status dyno_past_requests_tell(const char *path, const char *spec,
                                    const struct dyno_past_listener *listener,
                                    struct dyno_error *error);

#endif

/* Seam: who listens.  Every event reaches every sink once, in the order things happened.
 * Records are plain data, valid only during the call. */
#ifndef DYNO_CORE_RUN_SINK_H
#define DYNO_CORE_RUN_SINK_H

#include <stdint.h>

#include "core/base/status.h"
#include "core/base/time.h"

enum dyno_outcome {
    DYNO_COMPLETED,
    DYNO_REJECTED_PROMPT_TOO_LONG, /* more blocks than a worker has, or past the model's context */
    DYNO_REJECTED_QUEUE_FULL,
    DYNO_CANCELLED_BY_CLIENT,
    DYNO_CANCELLED_AT_END, /* the run was interrupted while it was in flight */
    DYNO_FAILED,
};

enum { DYNO_NO_WORKER = UINT32_MAX };

/* One request's whole life, told when it ends.  Stamps are DYNO_NEVER where it never came so far.
 *
 *   scheduled <= arrival <= ready <= admitted <= first_token <= last_token
 *
 * client_wait = arrival - scheduled (outside e2e)   ingest = ready - arrival
 * queue = admitted - ready    prefill = first_token - admitted    decode = last_token - first_token
 * e2e = last_token - arrival = ingest + queue + prefill + decode.   ttft = first_token - arrival.
 */
struct dyno_request_record {
    uint64_t id;
    uint64_t session;
    uint32_t tenant;
    uint32_t worker; /* DYNO_NO_WORKER: never routed */
    enum dyno_outcome outcome;
    uint32_t prompt_tokens;
    uint32_t output_tokens; /* generated */
    uint32_t cached_tokens; /* prompt tokens found in cache when first admitted */
    uint32_t preemptions;
    dyno_ns scheduled_ns;
    dyno_ns arrival_ns;
    dyno_ns ready_ns;
    dyno_ns admitted_ns;
    dyno_ns first_token_ns;
    dyno_ns last_token_ns;
};

/* One routing decision, with its candidates when they were asked for. */
struct dyno_decision_record {
    uint64_t request;
    dyno_ns at;
    uint32_t worker;         /* chosen */
    uint32_t overlap_blocks; /* of the chosen, as the router believed */
    dyno_ns view_age;        /* how old the oldest cache event not yet applied is; 0: exact */
    uint32_t candidate_count;
    const uint32_t *candidates; /* [candidate_count] worker, or NULL when not asked for */
    const double *scores;       /* [candidate_count] lower is better, or NULL */
};

/* One worker, looked at every sample interval. */
struct dyno_sample_record {
    dyno_ns at;
    uint32_t worker;
    uint32_t running;
    uint32_t waiting;
    uint32_t blocks_used; /* held by sequences */
    uint32_t blocks_idle; /* cached, held by none */
    uint32_t blocks_total;
    uint64_t tokens_out; /* generated so far */
    dyno_ns busy_ns;     /* time in passes so far */
};

struct dyno_sink;

struct dyno_sink_ops {
    const char *name;
    /* Any of these may be NULL.  A failure ends the run. */
    dyno_status (*request)(struct dyno_sink *sink, const struct dyno_request_record *record);
    dyno_status (*decision)(struct dyno_sink *sink, const struct dyno_decision_record *record);
    dyno_status (*sample)(struct dyno_sink *sink, const struct dyno_sample_record *record);
    /* Simulated time moved on; called now and then (at most once a turn), for progress bars. */
    void (*progress)(struct dyno_sink *sink, dyno_ns now, uint64_t requests_ended);
};

struct dyno_sink {
    const struct dyno_sink_ops *ops;
    struct dyno_sink *next; /* the loop calls them in this order */
};

#endif

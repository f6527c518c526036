/* What a run's numbers mean, defined once and computed by the same code in every world.
 *
 * struct dyno_metrics listens as a sink for what is told per request and is fed token gaps by the
 * workers.  Definitions (docs/metrics.md): ttft, itl, tpot, e2e as in core/run/sink.h; itl pools
 * every gap between consecutive tokens of one request; tpot = decode / (output_tokens - 1), per
 * request with more than one token.  Only completed requests count towards latencies.
 */
#ifndef DYNO_CORE_RUN_METRICS_H
#define DYNO_CORE_RUN_METRICS_H

#include "core/base/histogram.h"
#include "core/run/sink.h"

/* Objectives a request must meet to count towards goodput; 0: not set. */
struct dyno_slo {
    dyno_ns ttft_ns;
    dyno_ns tpot_ns;
    dyno_ns itl_ns; /* of the request's mean gap, which is its tpot: its gaps are not kept */
    dyno_ns e2e_ns;
};

struct dyno_metrics {
    struct dyno_sink sink;
    struct dyno_slo slo;
    struct dyno_histogram ttft, itl, tpot, e2e;
    struct dyno_histogram client_wait, ingest, queue, onboard, prefill, transfer,
        decode;                 /* parts, completed requests */
    struct dyno_histogram held; /* of queue: until a worker might take it, of those that waited */
    uint64_t requests;          /* all that ended */
    uint64_t completed, rejected, cancelled, failed;
    uint64_t rejected_full, rejected_timeout; /* of those rejected, by a queue */
    uint64_t within_slo;
    uint64_t input_tokens;          /* of all requests that ended */
    uint64_t admitted_input_tokens; /* of those that were ever admitted (admitted_ns is known): what
                                       cached_tokens is a part of */
    uint64_t output_tokens;         /* generated, all requests */
    uint64_t cached_tokens;
    uint64_t completed_input_tokens, completed_output_tokens;
    dyno_ns first_arrival_ns; /* DYNO_NEVER while empty */
    dyno_ns last_event_ns;    /* the last token or rejection */
};

/* `slo` is copied.  DYNO_NO_MEMORY: nothing to release. */
dyno_status dyno_metrics_init(struct dyno_metrics *metrics, const struct dyno_slo *slo);
void dyno_metrics_release(struct dyno_metrics *metrics);

#endif

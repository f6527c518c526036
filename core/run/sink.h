/* Seam: who listens.  Every event reaches every sink once, in the order things happened.
 * Records are plain data, valid only during the call. */
#ifndef DYNO_CORE_RUN_SINK_H
#define DYNO_CORE_RUN_SINK_H

#include <stdint.h>

#include "core/base/status.h"
#include "core/base/time.h"
#include "core/model/record.h"

/* One routing decision, with its candidates when they were asked for. */
struct dyno_decision_record {
    uint64_t request;
    dyno_ns at;
    uint32_t router;         /* whose decision it was, where there are several */
    uint32_t worker;         /* chosen */
    uint32_t overlap_blocks; /* of the chosen, as the router believed */
    dyno_ns view_age;        /* how old the oldest cache event not yet applied is; 0: exact */
    uint32_t candidate_count;
    const uint32_t *candidates; /* [candidate_count] worker, or NULL when not asked for */
    const double *scores;       /* [candidate_count] lower is better, or NULL */
};

struct dyno_sink;

struct dyno_sink_ops {
    const char *name;
    /* Any of these may be NULL.  A failure ends the run. */
    dyno_status (*request)(struct dyno_sink *sink, const struct dyno_request_record *record);
    dyno_status (*decision)(struct dyno_sink *sink, const struct dyno_decision_record *record);
    dyno_status (*plan)(struct dyno_sink *sink, const struct dyno_plan_record *record);
    dyno_status (*fault)(struct dyno_sink *sink, const struct dyno_fault_record *record);
    dyno_status (*sample)(struct dyno_sink *sink, const struct dyno_sample_record *record);
    dyno_status (*link)(struct dyno_sink *sink, const struct dyno_link_record *record);
    /* Simulated time moved on; called now and then (at most once a turn), for progress bars. */
    void (*progress)(struct dyno_sink *sink, dyno_ns now, uint64_t requests_ended);
};

struct dyno_sink {
    const struct dyno_sink_ops *ops;
    struct dyno_sink *next; /* the loop calls them in this order */
};

#endif

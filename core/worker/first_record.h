/* What is known of a request before anything has become of it. */
#ifndef DYNO_CORE_WORKER_FIRST_RECORD_H
#define DYNO_CORE_WORKER_FIRST_RECORD_H

#include "core/model/record.h"
#include "core/model/request.h"

/* Begin its record on `worker`, which is all zeroes: who it is and when it came; every later stamp
 * is DYNO_NEVER. */
static inline void dyno_first_record_begin(struct dyno_request_record *zeroed,
                                           const struct dyno_request *request, uint32_t worker)
{
    zeroed->id = request->id;
    zeroed->session = request->session;
    zeroed->tenant = request->tenant;
    zeroed->model = request->model;
    zeroed->priority = request->priority;
    zeroed->worker = worker;
    zeroed->prompt_tokens = request->prompt_tokens;
    zeroed->scheduled_ns = request->scheduled_ns;
    zeroed->arrival_ns = request->arrival_ns;
    zeroed->held_ns = request->held_ns;
    zeroed->ready_ns = DYNO_NEVER;
    zeroed->admitted_ns = DYNO_NEVER;
    zeroed->first_token_ns = DYNO_NEVER;
    zeroed->last_token_ns = DYNO_NEVER;
}

static inline struct dyno_request_record dyno_first_record(const struct dyno_request *request,
                                                           uint32_t worker)
{
    struct dyno_request_record record = {0};

    dyno_first_record_begin(&record, request, worker);
    return record;
}

#endif

/* What is known of a request before anything has become of it. */
#ifndef DYNO_CORE_WORKER_FIRST_RECORD_H
#define DYNO_CORE_WORKER_FIRST_RECORD_H

#include "core/model/record.h"
#include "core/model/request.h"

/* Its record on `worker`: who it is and when it came; every later stamp is DYNO_NEVER. */
static inline struct dyno_request_record dyno_first_record(const struct dyno_request *request,
                                                           uint32_t worker)
{
    return (struct dyno_request_record){.id = request->id,
                                        .session = request->session,
                                        .tenant = request->tenant,
                                        .model = request->model,
                                        .priority = request->priority,
                                        .worker = worker,
                                        .prompt_tokens = request->prompt_tokens,
                                        .scheduled_ns = request->scheduled_ns,
                                        .arrival_ns = request->arrival_ns,
                                        .held_ns = request->held_ns,
                                        .ready_ns = DYNO_NEVER,
                                        .admitted_ns = DYNO_NEVER,
                                        .first_token_ns = DYNO_NEVER,
                                        .last_token_ns = DYNO_NEVER};
}

#endif

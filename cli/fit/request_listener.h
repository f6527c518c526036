/* A sink that remembers every request, every look at the first worker and all that a planner saw
 * and decided. */
#ifndef DYNO_CLI_FIT_REQUEST_LISTENER_H
#define DYNO_CLI_FIT_REQUEST_LISTENER_H

#include <stddef.h>

#include "core/run/sink.h"

struct dyno_listener {
    struct dyno_sink sink;
    struct dyno_request_record *records; /* [record_count] by id, once the run has ended */
    size_t record_count;
    uint32_t record_capacity;
    struct dyno_sample_record *samples; /* [sample_count] in time order */
    size_t sample_count;
    uint32_t sample_capacity;
    struct dyno_plan_record *plans; /* [plan_count] likewise */
    size_t plan_count;
    uint32_t plan_capacity;
};

void dyno_listener_init(struct dyno_listener *listener);
void dyno_listener_release(struct dyno_listener *listener); /* zeroed memory: no effect */
/* Put the records in the order of their ids. */
void dyno_listener_sort(struct dyno_listener *listener);

#endif

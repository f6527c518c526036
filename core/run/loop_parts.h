/* What the loop is made of.  Private to core/run/loop*.c. */
#ifndef DYNO_CORE_RUN_LOOP_PARTS_H
#define DYNO_CORE_RUN_LOOP_PARTS_H

#include "core/run/loop.h"

struct dyno_loop {
    struct dyno_loop_config config;
    struct dyno_workers *workers;
    dyno_ns now;
    dyno_ns next_sample;
    dyno_ns next_cancel; /* when a client gives up; DYNO_NEVER: not known */
    uint64_t in_flight;
    uint64_t ended;
    struct dyno_lobby lobby;
    bool wants_events, ticks, has_thresholds; /* of the dispatch */
    bool may_wait; /* workers may all be busy or away, so that the lobby is there for something */
    bool out_of_memory; /* found where no status can be returned */
    struct dyno_loop_result result;
};

/* ---- loop_hear.c: what workers tell ---- */
/* A request has ended: the books, the source and the sinks hear of it. */
dyno_status dyno_loop_on_ended(void *context, const struct dyno_request_record *record);
dyno_status dyno_loop_tell_decision(const struct dyno_loop *loop,
                                    const struct dyno_decision_record *record);

#endif

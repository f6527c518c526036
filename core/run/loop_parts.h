/* What the loop is made of.  Private to core/run/loop*.c. */
#ifndef DYNO_CORE_RUN_LOOP_PARTS_H
#define DYNO_CORE_RUN_LOOP_PARTS_H

#include "core/base/heap.h"
#include "core/run/flight.h"
#include "core/run/loop.h"

struct dyno_loop {
    struct dyno_loop_config config;
    struct dyno_workers *workers;
    struct dyno_link_watch *watch; /* NULL: there are no links */
    dyno_ns now;
    dyno_ns next_sample;
    dyno_ns next_cancel; /* when a client gives up; DYNO_NEVER: not known */
    uint64_t in_flight;
    uint64_t ended;
    struct dyno_lobby lobby;
    /* Where there are faults (loop_faults.c): */
    struct dyno_flight flight;
    struct dyno_heap silent; /* workers that died, by when that will be noticed ... */
    dyno_ns *mended_at;      /* [worker_count] ... and when their places are mended */
    uint64_t *lost;          /* [lost_count] requests of workers that are found to be dead */
    uint32_t lost_count, lost_capacity;
    struct dyno_fault_totals fault_totals;
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

/* ---- loop.c ---- */
/* Choose a worker and submit to it; some worker serves and is not busy. */
dyno_status dyno_loop_route(struct dyno_loop *loop, struct dyno_request request,
                            struct dyno_error *error);
bool dyno_loop_can_route(const struct dyno_loop *loop);
/* It ends where it is on no worker. */
dyno_status dyno_loop_end_unrouted(struct dyno_loop *loop, const struct dyno_request *request,
                                   enum dyno_outcome outcome);
/* Somebody who waits does so no longer. */
dyno_status dyno_loop_turn_away(struct dyno_loop *loop, struct dyno_lobby_seat *seat,
                                enum dyno_outcome outcome);

/* ---- loop_faults.c: what goes wrong; all: loop->config.faults ---- */
dyno_status dyno_loop_faults_init(struct dyno_loop *loop);
void dyno_loop_faults_release(struct dyno_loop *loop);
/* What went wrong up to now.  True in *any: something did, and requests may be elsewhere now. */
dyno_status dyno_loop_faults_settle(struct dyno_loop *loop, bool *any, struct dyno_error *error);
/* `next`, or what comes before it.  Faults alone keep no run alive, and hide no lost wakeup. */
dyno_ns dyno_loop_faults_next(const struct dyno_loop *loop, dyno_ns next);
/* Of the listener of workers. */
dyno_status dyno_loop_on_lost(void *context, const struct dyno_resume *how_far);

#endif

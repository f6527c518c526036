/* What the loop is made of.  Private to core/run/loop*.c. */
#ifndef DYNO_CORE_RUN_LOOP_PARTS_H
#define DYNO_CORE_RUN_LOOP_PARTS_H

#include "core/base/heap.h"
#include "core/base/usual.h"
#include "core/run/flight.h"
#include "core/run/loop.h"

/* What serves one model. */
struct dyno_lane {
    struct dyno_loop *loop;
    struct dyno_dispatch *dispatch;
    struct dyno_kv_trie *trie;
    struct dyno_roster *roster;
    struct dyno_planner *planner;
    struct dyno_lobby lobby;
};

struct dyno_loop {
    struct dyno_loop_config config;
    struct dyno_workers *workers;
    struct dyno_link_watch *watch; /* NULL: there are no links */
    dyno_ns now;
    dyno_ns next_sample;
    dyno_ns next_cancel; /* when a client gives up; DYNO_NEVER: not known */
    dyno_ns due;         /* when the next turn is, as of the last one */
    dyno_ns end;         /* nothing happens after it; DYNO_NEVER: the run has none */
    bool is_over;        /* there is none */
    uint64_t in_flight;
    uint64_t ended;
    struct dyno_lane *lanes; /* [lane_count] by model */
    uint32_t lane_count;
    uint32_t waiting; /* in the lobbies of all lanes */
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
dyno_status dyno_loop_ended(struct dyno_lane *lane, const struct dyno_request_record *record);
dyno_status dyno_loop_tell_decision(const struct dyno_loop *loop,
                                    const struct dyno_decision_record *record);

/* ---- loop.c ---- */
/* Choose a worker and submit to it; some worker serves and is not busy.  A new request's spans are
 * rewritten as few long ones. */
dyno_status dyno_loop_route(struct dyno_loop *loop, struct dyno_request *request,
                            struct dyno_error *error);
/* It ends where it is on no worker. */
dyno_status dyno_loop_end_unrouted(struct dyno_loop *loop, const struct dyno_request *request,
                                   enum dyno_outcome outcome);

/* ---- loop_lobby.c: who waits ---- */
/* Some worker of the lane serves and is not busy. */
bool dyno_loop_has_place(const struct dyno_loop *loop, const struct dyno_lane *lane);
static inline bool dyno_loop_can_route(const struct dyno_loop *loop, const struct dyno_lane *lane)
{
    return !DYNO_RARELY(loop->may_wait) || dyno_loop_has_place(loop, lane);
}
/* A request waits for such a worker; errors as dyno_lobby_enter. */
dyno_status dyno_loop_enter_lobby(struct dyno_loop *loop, struct dyno_lane *lane,
                                  const struct dyno_request *request);
/* Its client has given it up; it may not be here. */
dyno_status dyno_loop_cancel_in_lobby(struct dyno_loop *loop, uint64_t id);
/* Workers that have started, and those who waited. */
dyno_status dyno_loop_settle_fleet(struct dyno_loop *loop, struct dyno_lane *lane,
                                   struct dyno_error *error);
/* Nobody will ever serve who waits. */
dyno_status dyno_loop_give_up_lobby(struct dyno_loop *loop, struct dyno_lane *lane,
                                    enum dyno_outcome outcome);
/* Of those who wait somebody may be let in. */
bool dyno_loop_could_let_in(const struct dyno_loop *loop);

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

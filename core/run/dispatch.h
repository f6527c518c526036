/* Dispatch: brings a routing policy, the fleet index and the books together.
 *
 * It keeps what a router may know: exact counts by the loop's own events, and the fleet index fed
 * by the workers' cache events, which may be delayed (each is applied `event_delay_ns` after it
 * happened) or dropped (with a seeded probability).  kv_approx reads no events: a guess index holds
 * what was routed where, each entry for a time to live, pruned to a maximum size.
 *
 * There may be several routers over the fleet (dispatch_routers.h): then each has such a view, what
 * the others did comes to it late or not at all, and what is "exact" of it is its own part.
 */
#ifndef DYNO_CORE_RUN_DISPATCH_H
#define DYNO_CORE_RUN_DISPATCH_H

#include <stdbool.h>

#include "core/base/status.h"
#include "core/model/request.h"
#include "core/route/policy.h"
#include "core/run/sink.h"

/* From how much on a worker is busy, by the loop's own counts; 0: by that it never is. */
struct dyno_dispatch_busy {
    uint32_t inflight;       /* requests */
    uint64_t prefill_tokens; /* believed uncached, of requests without their first token */
    uint64_t blocks;         /* distinct prompt blocks of requests in flight */
};

struct dyno_dispatch_config {
    const struct dyno_route_policy *policy;
    struct dyno_route_config route;
    uint64_t seed;
    uint32_t worker_count;
    uint32_t block_tokens;
    dyno_ns event_delay_ns;         /* router.event_delay: from the cache's change to the router */
    double event_loss;              /* router.event_loss: probability that an event never comes */
    dyno_ns guess_ttl_ns;           /* router.approx.ttl */
    uint32_t guess_blocks_max;      /* router.approx.size_max: pruned to 4/5 of it when passed */
    struct dyno_dispatch_busy busy; /* a busy worker is not picked (but see repick) */
    uint32_t router_count;          /* router.replicas: over one fleet, each with a view; 0 is 1 */
    bool routers_by_session;        /* router.spread: a session is one router's; else by turns */
    dyno_ns sync_delay_ns; /* router.sync_delay: from one to the others; DYNO_NEVER: never */
};

struct dyno_dispatch;

/* Who knows what lies in tiers below the workers' caches. */
struct dyno_dispatch_tiers {
    void *context;
    /* credit[worker]: what its tiers are worth to the request beyond the first overlap[worker]
     * blocks of its prompt, in blocks; anything where eligible[worker] is 0. */
    void (*fill)(void *context, const struct dyno_request *request, const uint8_t *eligible,
                 const uint32_t *overlap, double *credit);
};

/* What `config` points to outlives *out, which is closed with dyno_dispatch_close.  Errors:
 * DYNO_BAD_INPUT (no workers, an option that the policy does not take), DYNO_NO_MEMORY. */
dyno_status dyno_dispatch_open(struct dyno_dispatch **out,
                               const struct dyno_dispatch_config *config, struct dyno_error *error);
void dyno_dispatch_close(struct dyno_dispatch *dispatch);

/* True if workers must tell their cache events (the policy needs them). */
int dyno_dispatch_wants_events(const struct dyno_dispatch *dispatch);

/* True if every event is wanted with its own time (they are delayed or lost one by one); false if
 * several changes of a span may be told as one, so long as the last is told before the next pick.
 */
int dyno_dispatch_wants_times(const struct dyno_dispatch *dispatch);

/* From now on policies that ask for overlaps see the workers' tiers too.  DYNO_NO_MEMORY. */
dyno_status dyno_dispatch_use_tiers(struct dyno_dispatch *dispatch,
                                    const struct dyno_dispatch_tiers *tiers);

/* A worker's cache changed; events of one worker come in time order.  Without a delay the next pick
 * sees it.  Ignored: events of a worker that is gone, or when none are wanted.  A lost event is
 * never repaired, but a later one of the same span replaces it.  DYNO_NO_MEMORY: the next pick
 * fails with it too, so that a caller who cannot stop here may go on until then. */
dyno_status dyno_dispatch_kv_event(struct dyno_dispatch *dispatch,
                                   const struct dyno_kv_event *event);

/* Choose a worker for `request` at `now` (never less than before) and book it there.  `record` is
 * filled for the decision log; its candidate arrays are only filled when `want_candidates` (scores
 * only if the policy scores), and stay valid until the next pick.  The candidates are the eligible
 * workers, ascending.  DYNO_REJECTED: no worker is eligible, or all that are are busy.
 * DYNO_BAD_INPUT: the request is booked already, or a plug-in named a worker that does not exist or
 * may not be picked.  DYNO_NO_MEMORY.
 * Nothing is booked then. */
dyno_status dyno_dispatch_pick(struct dyno_dispatch *dispatch, dyno_ns now,
                               const struct dyno_request *request, int want_candidates,
                               struct dyno_decision_record *record);

/* There is a worker to choose. */
bool dyno_dispatch_is_anybody(const struct dyno_dispatch *dispatch);

/* True while all eligible workers are busy, and there are any; never without thresholds. */
bool dyno_dispatch_all_busy(const struct dyno_dispatch *dispatch);
bool dyno_dispatch_has_thresholds(const struct dyno_dispatch *dispatch);

/* The worker that has `request`, which is booked and has no token yet, cannot serve it: choose and
 * book again, among the others, busy ones too: who was let in once does not wait again.  Errors: as
 * dyno_dispatch_pick; with DYNO_REJECTED it stays booked where it was if there are no others, and
 * is booked nowhere if the policy wants none of them. */
dyno_status dyno_dispatch_repick(struct dyno_dispatch *dispatch, dyno_ns now,
                                 const struct dyno_request *request, int want_candidates,
                                 struct dyno_decision_record *record);

/* Where there are several routers, what is told from here on (first tokens, ends) happens at `now`.
 */
void dyno_dispatch_tick(struct dyno_dispatch *dispatch, dyno_ns now);
bool dyno_dispatch_wants_ticks(const struct dyno_dispatch *dispatch);

/* The request's first token came, and: it ended (first_token is implied), also when its worker
 * refused it.  Both take the request as it was picked: dispatch keeps its own copy of what it
 * needs, keyed by id.  An id that is not booked: no effect. */
void dyno_dispatch_first_token(struct dyno_dispatch *dispatch, uint64_t request_id);
void dyno_dispatch_ended(struct dyno_dispatch *dispatch, uint64_t request_id);

/* Where the request is booked; DYNO_NO_WORKER: nowhere, or not any more. */
uint32_t dyno_dispatch_worker_of(const struct dyno_dispatch *dispatch, uint64_t request_id);

/* Which of several routers booked it; 0 where there is one. */
uint32_t dyno_dispatch_router_of(const struct dyno_dispatch *dispatch, uint64_t request_id);

/* Where a request is decided twice, among workers of two kinds, by as many routers: from now on it
 * is decided here by the one that booked it in `leader`, which is not owned.  Of a single router
 * there is no effect. */
void dyno_dispatch_follow(struct dyno_dispatch *dispatch, const struct dyno_dispatch *leader);

/* Among how many workers a pick chooses now. */
uint32_t dyno_dispatch_open_count(const struct dyno_dispatch *dispatch);

/* Requests booked on a worker and not ended. */
uint32_t dyno_dispatch_inflight(const struct dyno_dispatch *dispatch, uint32_t worker);

/* Take a worker out of the eligible set (and forget its cache), or put it back.  Requests booked
 * there stay booked until they end. */
void dyno_dispatch_worker_gone(struct dyno_dispatch *dispatch, uint32_t worker);
void dyno_dispatch_worker_back(struct dyno_dispatch *dispatch, uint32_t worker);

#endif

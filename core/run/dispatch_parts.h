/* What dispatch is made of.  Private to core/run/dispatch*.c. */
#ifndef DYNO_CORE_RUN_DISPATCH_PARTS_H
#define DYNO_CORE_RUN_DISPATCH_PARTS_H

#include <stdbool.h>

#include "core/base/heap.h"
#include "core/base/id_map.h"
#include "core/base/map.h"
#include "core/base/pool.h"
#include "core/base/slab.h"
#include "core/kv/index.h"
#include "core/route/dice.h"
#include "core/run/dispatch.h"

/* --- Cache events on their way (dispatch_events.c) --- */

/* Each worker's events in the order they happened; a heap over the workers' oldest. */
struct dyno_mail {
    struct dyno_pool items;
    uint32_t *first, *last; /* [workers] */
    struct dyno_heap due;   /* worker -> when its oldest event is due */
    dyno_ns delay_ns;
};

/* Zero-initialise first. */
dyno_status dyno_mail_init(struct dyno_mail *mail, uint32_t worker_count, dyno_ns delay_ns);
void dyno_mail_release(struct dyno_mail *mail);

dyno_status dyno_mail_post(struct dyno_mail *mail, const struct dyno_kv_event *event);
/* Tell `index` what is due at `now`. */
dyno_status dyno_mail_deliver(struct dyno_mail *mail, struct dyno_kv_index *index, dyno_ns now);
/* How long ago the oldest event not delivered happened; 0: none is on its way. */
dyno_ns dyno_mail_age(const struct dyno_mail *mail, dyno_ns now);
void dyno_mail_drop_worker(struct dyno_mail *mail, uint32_t worker);

/* --- What may be cached, by what was routed where (dispatch_guess.c) --- */

struct dyno_guess {
    struct dyno_map entry_of; /* (span, worker) -> its place in entries */
    struct dyno_pool entries;
    uint32_t oldest, newest;
    uint64_t blocks; /* of all entries */
    uint64_t blocks_max;
    dyno_ns ttl_ns;
};

void dyno_guess_init(struct dyno_guess *guess, dyno_ns ttl_ns, uint32_t blocks_max);
void dyno_guess_release(struct dyno_guess *guess);

/* Forget what is too old at `now`, also in `index`. */
dyno_status dyno_guess_expire(struct dyno_guess *guess, struct dyno_kv_index *index, dyno_ns now);
/* A prompt was routed to `worker`: believe that it holds it from now on. */
dyno_status dyno_guess_note(struct dyno_guess *guess, struct dyno_kv_index *index, uint32_t worker,
                            const struct dyno_span *spans, uint32_t span_count, dyno_ns now);
/* Forget a worker's entries; its part of the index is the caller's to drop. */
void dyno_guess_drop_worker(struct dyno_guess *guess, uint32_t worker);

/* --- Prompt blocks of requests in flight (dispatch_active.c) --- */

/* One span of a booked request. */
struct dyno_active_ref {
    uint32_t node;
    uint32_t blocks;
};

struct dyno_active {
    struct dyno_map node_of; /* span -> its place in nodes */
    struct dyno_pool nodes;
    struct dyno_slab slab;
    struct dyno_kv_index *wide; /* of large fleets; NULL: a small one */
};

/* Zero-initialise first. */
dyno_status dyno_active_init(struct dyno_active *active, uint32_t worker_count);
void dyno_active_release(struct dyno_active *active);

/* As dyno_kv_index_match, over what requests in flight share. */
uint32_t dyno_active_match(const struct dyno_active *active, const struct dyno_span *spans,
                           uint32_t span_count, uint32_t *overlap, uint32_t *touched);

/* Reference a prompt's spans on `worker`; refs [span_count] is filled for unbook.  `*blocks` grows
 * by the blocks that no other request in flight there has. */
dyno_status dyno_active_book(struct dyno_active *active, uint32_t worker,
                             const struct dyno_span *spans, uint32_t span_count,
                             struct dyno_active_ref *refs, uint64_t *blocks);
/* The reverse; `*blocks` shrinks by the blocks that nobody else has. */
void dyno_active_unbook(struct dyno_active *active, uint32_t worker,
                        const struct dyno_active_ref *refs, uint32_t ref_count, uint64_t *blocks);

/* --- All of it --- */

/* A request in flight. */
struct dyno_booking {
    uint32_t worker;
    uint32_t prefill_tokens; /* believed uncached; 0: its first token came */
    uint32_t own_blocks;     /* of the prompt, in no span */
    uint32_t ref_count;
    struct dyno_active_ref *refs; /* [ref_count] */
    bool waits;                   /* for its first token */
    bool is_own;                  /* this router decided it */
};

struct dyno_dispatch {
    struct dyno_dispatch_config config;
    const struct dyno_route_policy *policy;
    void *policy_state;
    struct dyno_route_dice dice;
    uint64_t loss_seed;
    bool wants_events, guesses, wants_active;
    bool is_watched; /* thresholds or several routers want to know of every change in the books */
    dyno_status trouble; /* an event that could not be kept: the next pick fails with it */

    struct dyno_kv_index *index; /* of what workers told, or of guesses; NULL: neither is needed */
    struct dyno_mail mail;       /* used with a delay */
    struct dyno_guess guess;
    struct dyno_active active;
    struct dyno_pool bookings;
    struct dyno_id_map booking_of; /* request id -> its place in bookings */
    struct dyno_slab refs;

    struct dyno_route_view view; /* points at the arrays below, each [workers] */
    uint8_t *eligible;
    uint8_t *open; /* eligible and not busy; without thresholds: `eligible` itself */
    uint32_t eligible_count, open_count;
    uint32_t *inflight;
    uint64_t *prefill_tokens;
    uint64_t *active_blocks;
    uint32_t *overlap, *active_overlap; /* zero between picks */
    uint32_t *touched, *active_touched; /* whose overlap is not zero during a pick */
    uint32_t touched_count, active_touched_count;
    struct dyno_dispatch_tiers tiers; /* NULL function: there are none */
    double *tier_credit;              /* [workers] of the request at hand */
    uint64_t *events_told;
    double *costs, *scores;
    uint32_t *candidates;
    struct dyno_routers *routers; /* that decide in its place; NULL: it does */
};

/* The request's prompt in blocks, the last one perhaps partial. */
static inline uint32_t dyno_dispatch_prompt_blocks(const struct dyno_dispatch *d,
                                                   const struct dyno_request *request)
{
    uint32_t whole = request->prompt_tokens / d->config.block_tokens;

    return whole + (request->prompt_tokens % d->config.block_tokens != 0);
}

/* A worker's counts, or whether it is eligible, changed: whether it is open (dispatch_busy.c). */
void dyno_dispatch_judge(struct dyno_dispatch *d, uint32_t worker);

/* Book `request` on `worker`, with so many tokens believed uncached (dispatch_book.c); `is_own`:
 * this router chose it, and hooks and guesses hear of it.  DYNO_BAD_INPUT: it is booked already.
 * DYNO_NO_MEMORY. */
dyno_status dyno_dispatch_book(struct dyno_dispatch *d, const struct dyno_request *request,
                               uint32_t worker, uint32_t prefill_tokens, bool is_own);
/* Of a request that is booked and has no token yet. */
uint32_t dyno_dispatch_booked_tokens(const struct dyno_dispatch *d, uint64_t request_id);

#endif

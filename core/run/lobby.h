/* The lobby: requests that no worker may take now wait here, because none serves or because all
 * that serve are busy (core/run/dispatch.h), and are let in by the order of a policy
 * (core/route/admit.h).
 *
 * They are copies: a source's spans are its own until its next take.  So many wait at most, with so
 * many prompt tokens at most, and each for a bounded time; the loop refuses the others.
 */
#ifndef DYNO_CORE_RUN_LOBBY_H
#define DYNO_CORE_RUN_LOBBY_H

#include <stdbool.h>

#include "core/base/map.h"
#include "core/base/pool.h"
#include "core/base/slab.h"
#include "core/base/status.h"
#include "core/model/record.h"
#include "core/model/request.h"
#include "core/route/admit.h"

struct dyno_lobby_config {
    struct dyno_admit_config admit;
    dyno_ns wait_ns;     /* the longest wait; 0: without end */
    uint32_t count_max;  /* so many wait at most; 0: nobody */
    uint64_t tokens_max; /* of their prompts, summed; 0: any */
    /* Prompt tokens that a generated one is charged as, when its request ends. */
    double output_cost;
};

struct dyno_lobby_seat {
    struct dyno_lobby_seat *prev, *next; /* in order of coming */
    uint32_t place;                      /* its number among those who wait */
    dyno_ns leaves_at;                   /* if nobody has come for it by then */
    struct dyno_request request;
    struct dyno_span spans[];
};

/* What happened here in a run. */
struct dyno_lobby_totals {
    uint64_t waited; /* requests that came in */
    uint32_t count_peak;
    uint64_t tokens_peak;
};

struct dyno_lobby {
    struct dyno_lobby_config config;
    struct dyno_admit *admit;
    struct dyno_slab slab;
    struct dyno_map place_of; /* request id -> its place ... */
    struct dyno_pool seats;   /* ... which holds a pointer to its seat */
    struct dyno_lobby_seat *first, *last;
    uint32_t count;
    uint64_t tokens;
    struct dyno_lobby_totals totals;
};

/* Zero-initialise first.  DYNO_NO_MEMORY. */
dyno_status dyno_lobby_init(struct dyno_lobby *lobby, const struct dyno_lobby_config *config);
void dyno_lobby_release(struct dyno_lobby *lobby);

/* `request` waits from `now`, which never goes back.  DYNO_REJECTED: it is full, which is no reason
 * against one whose worker was lost; DYNO_NO_MEMORY. */
dyno_status dyno_lobby_enter(struct dyno_lobby *lobby, dyno_ns now,
                             const struct dyno_request *request);

/* A request has ended: what it generated is charged to its class or tenant, if that waits. */
void dyno_lobby_charge(struct dyno_lobby *lobby, const struct dyno_request_record *record);

/* When somebody's patience ends first; DYNO_NEVER: nobody's. */
static inline dyno_ns dyno_lobby_next(const struct dyno_lobby *lobby)
{
    return lobby->first ? lobby->first->leaves_at : DYNO_NEVER;
}

/* Take one out, who must be there: the one to be let in, or the one who came first; or request
 * `id`, NULL if it is not there.  The seat is the caller's to give back. */
struct dyno_lobby_seat *dyno_lobby_take(struct dyno_lobby *lobby);
struct dyno_lobby_seat *dyno_lobby_first(struct dyno_lobby *lobby);
struct dyno_lobby_seat *dyno_lobby_find(struct dyno_lobby *lobby, uint64_t id);
void dyno_lobby_give(struct dyno_lobby *lobby, struct dyno_lobby_seat *seat);

#endif

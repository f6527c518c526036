/* The lobby: requests that came while no worker was ready wait here, first come first served.
 *
 * They are copies: a source's spans are its own until its next take.  A request waits for a bounded
 * time, and so many wait at most; the loop refuses the others.
 */
#ifndef DYNO_CORE_RUN_LOBBY_H
#define DYNO_CORE_RUN_LOBBY_H

#include <stdbool.h>

#include "core/base/slab.h"
#include "core/base/status.h"
#include "core/model/request.h"

struct dyno_lobby_seat {
    struct dyno_lobby_seat *next;
    dyno_ns leaves_at; /* if nobody has come for it by then */
    struct dyno_request request;
    struct dyno_span spans[];
};

struct dyno_lobby {
    struct dyno_slab slab;
    struct dyno_lobby_seat *first, *last;
    uint32_t count;
};

/* Zero-initialise first. */
void dyno_lobby_release(struct dyno_lobby *lobby);

/* `request` waits until `leaves_at`, which never goes back from one to the next.  DYNO_NO_MEMORY.
 */
dyno_status dyno_lobby_enter(struct dyno_lobby *lobby, const struct dyno_request *request,
                             dyno_ns leaves_at);

/* When the first one's patience ends; DYNO_NEVER: nobody waits. */
dyno_ns dyno_lobby_next(const struct dyno_lobby *lobby);

/* Take out the first, who must be there, or request `id`, NULL if it is not.  The seat is the
 * caller's to give back. */
struct dyno_lobby_seat *dyno_lobby_first(struct dyno_lobby *lobby);
struct dyno_lobby_seat *dyno_lobby_find(struct dyno_lobby *lobby, uint64_t id);
void dyno_lobby_give(struct dyno_lobby *lobby, struct dyno_lobby_seat *seat);

#endif

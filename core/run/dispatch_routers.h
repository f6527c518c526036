/* Several routers over one fleet, each with a view of its own.  Private to core/run/dispatch*.c.
 *
 * A request is one router's to decide, by turns or by its session, or as another dispatch has it.
 * That router books it at once; the others hear of it, of its first token and of its end
 * `sync_delay_ns` later, in the order in which these happened, or never.  Cache events reach all of
 * them alike.  The dispatch that has routers keeps the exact books (who is where, who is busy) and
 * decides nothing itself.
 */
#ifndef DYNO_CORE_RUN_DISPATCH_ROUTERS_H
#define DYNO_CORE_RUN_DISPATCH_ROUTERS_H

#include "core/run/dispatch_parts.h"

struct dyno_note;

struct dyno_routers {
    struct dyno_dispatch **list; /* [count] */
    uint32_t count;
    uint32_t turn; /* whose is the next request that has no session, or all of them */
    bool by_session, tells;
    const struct dyno_dispatch *leader; /* whose router a request's is; NULL: nobody's */
    dyno_ns delay_ns;
    dyno_ns now;                    /* when what is told happens */
    struct dyno_map home_of;        /* request -> its router */
    struct dyno_note *first, *last; /* on their way */
    struct dyno_slab slab;
};

/* As many as `config` says, with all else as it says.  On failure nothing is left open. */
dyno_status dyno_routers_open(struct dyno_routers **out, const struct dyno_dispatch_config *config,
                              struct dyno_error *error);
void dyno_routers_close(struct dyno_routers *routers); /* NULL: no effect */

/* Choose among those whom `eligible` [workers] lets be; the request is booked at its router, and
 * `*prefill_tokens` are what that believes to be uncached.  Errors as dyno_dispatch_pick. */
dyno_status dyno_routers_pick(struct dyno_routers *routers, dyno_ns now, const uint8_t *eligible,
                              const struct dyno_request *request, int want_candidates,
                              struct dyno_decision_record *record, uint32_t *prefill_tokens);

void dyno_routers_first_token(struct dyno_routers *routers, uint64_t request_id);
void dyno_routers_ended(struct dyno_routers *routers, uint64_t request_id);

#endif

/* What the roster is made of.  Private to core/run/roster*.c. */
#ifndef DYNO_CORE_RUN_ROSTER_PARTS_H
#define DYNO_CORE_RUN_ROSTER_PARTS_H

#include "core/base/heap.h"
#include "core/run/roster.h"

/* What the starter is still to be told of a worker. */
enum dyno_order { DYNO_ORDER_NONE, DYNO_ORDER_START, DYNO_ORDER_STOP };

struct dyno_place {
    enum dyno_worker_state state;
    enum dyno_order order;
    bool fails;      /* the start under way */
    bool was_lost;   /* who served here last, in either role; kept with the first of the two */
    bool goes_over;  /* draining: its GPUs change their role then */
    bool came_over;  /* starting: they have just done so */
    dyno_ns since;   /* in that state */
    dyno_ns decided; /* the change under way */
};

struct dyno_roster {
    struct dyno_roster_config config;
    struct dyno_place *places; /* [workers of all roles] */
    uint32_t total;            /* that many */
    struct dyno_heap starts;
    struct dyno_heap mends; /* places that are broken, but not for good */
    uint32_t counts[DYNO_WORKER_ROLES][DYNO_WORKER_STATES];
    uint32_t coming[DYNO_WORKER_ROLES]; /* places that go over to it */
    uint32_t desired[DYNO_WORKER_ROLES];
    struct dyno_roster_totals totals;
    dyno_ns startup_ns; /* of those that succeeded, summed ... */
    uint64_t started;   /* ... and their number */
    dyno_ns change_ns;  /* likewise */
    uint64_t changed;
    dyno_ns counted_at; /* worker_ns holds what was until then */
};

static inline enum dyno_worker_role dyno_roster_role_of(const struct dyno_roster *roster,
                                                        uint32_t worker)
{
    return worker < roster->config.worker_count ? DYNO_ROLE_SERVE : DYNO_ROLE_PREFILL;
}

static inline enum dyno_worker_role dyno_roster_other_role(enum dyno_worker_role role)
{
    return role == DYNO_ROLE_SERVE ? DYNO_ROLE_PREFILL : DYNO_ROLE_SERVE;
}

static inline uint32_t dyno_roster_first_of(const struct dyno_roster *roster,
                                            enum dyno_worker_role role)
{
    return role == DYNO_ROLE_SERVE ? 0 : roster->config.worker_count;
}

static inline uint32_t dyno_roster_in_state(const struct dyno_roster *roster,
                                            enum dyno_worker_state state)
{
    return roster->counts[DYNO_ROLE_SERVE][state] + roster->counts[DYNO_ROLE_PREFILL][state];
}

/* ---- roster.c: one step from a state to the next ---- */
/* Nobody is at the place, in whatever role, and it is not broken. */
bool dyno_roster_is_empty(const struct dyno_roster *roster, uint32_t place);
void dyno_roster_start(struct dyno_roster *roster, uint32_t worker, dyno_ns now);
void dyno_roster_call_off(struct dyno_roster *roster, uint32_t worker, dyno_ns now);
void dyno_roster_drain(struct dyno_roster *roster, uint32_t worker, dyno_ns now);
/* A worker that drains will have the other role; or will not after all. */
void dyno_roster_send_over(struct dyno_roster *roster, uint32_t worker, dyno_ns now);
void dyno_roster_keep_back(struct dyno_roster *roster, uint32_t worker);

/* ---- roster_aim.c ---- */
/* As many steps towards what is desired as can be made now. */
void dyno_roster_reconcile(struct dyno_roster *roster, dyno_ns now);

#endif

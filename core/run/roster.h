/* The roster: which workers of a fleet serve, which are on their way, and what they all cost.
 *
 *   STOPPED  -> STARTING [set, retry]   its startup time and its luck are drawn now
 *   STARTING -> READY    [settle]       it serves from now on, with an empty cache
 *   STARTING -> STOPPED  [settle, set]  the start failed (it is tried again), or nobody wants it
 *   READY    -> DRAINING [set]          routed to no more; what it has it finishes
 *   DRAINING -> STOPPED  [rest]         nothing is left on it: its cache is forgotten
 *   any      -> LOST     [lose]         its place broke, with whatever was there
 *   LOST     -> STOPPED  [settle]       the place is mended: somebody may be started there again
 *
 *   Always: stopped + starting + ready + draining + lost == worker_count, and a GPU is paid for in
 *   every state but STOPPED and LOST.
 *
 * How long a start takes, and whether it fails, is drawn, or it is seen: where there is a starter.
 * Nobody is killed by the roster, and nobody who drains comes back before it has stopped: the
 * router has forgotten what its cache holds.  Every start has a random stream of its own, named by
 * its number, so that the luck of one does not depend on how many numbers another drew.
 *
 * Where prompts are computed by other workers than those that decode (core/worker/handoff.h), a
 * place has a worker of either role: worker p, which serves, and worker worker_count + p, which
 * computes prompts.  They are the same GPUs, so that at most one of the two is not STOPPED, and the
 * sum above holds for each role by itself.  Where one role has too many and the other too few, a
 * place changes its role: the one worker drains, and when it has stopped the other one STARTs at
 * once, in the time that a change takes.  The GPUs are paid for all along.  As a worker that stops
 * does, it forgets its cache: the other role lays out its memory by itself.  A place breaks in
 * whatever role it has.  Where so many are broken that none is left to decode, one that computes
 * prompts goes over.
 */
#ifndef DYNO_CORE_RUN_ROSTER_H
#define DYNO_CORE_RUN_ROSTER_H

#include <stdbool.h>

#include "core/base/rng.h"
#include "core/base/status.h"
#include "core/base/time.h"
#include "core/run/dispatch.h"
#include "core/worker/worker.h"

enum dyno_worker_state {
    DYNO_WORKER_STOPPED,
    DYNO_WORKER_STARTING,
    DYNO_WORKER_READY,
    DYNO_WORKER_DRAINING,
    DYNO_WORKER_LOST,
};

enum { DYNO_WORKER_STATES = DYNO_WORKER_LOST + 1 };

const char *dyno_worker_state_name(enum dyno_worker_state state); /* "stopped", "starting", ... */

enum dyno_worker_role {
    DYNO_ROLE_SERVE,   /* serves requests whole, or decodes them */
    DYNO_ROLE_PREFILL, /* computes prompts */
};

enum { DYNO_WORKER_ROLES = DYNO_ROLE_PREFILL + 1 };

/* GPUs that the rosters of several models share.  Never more are up than there are; who lacks one
 * gets it as soon as somebody else's worker has stopped. */
struct dyno_roster_budget {
    uint32_t gpus_max;
    uint32_t gpus_up;   /* the rosters' to count; 0 before the first is opened ... */
    uint32_t gpus_most; /* ... and the most there were */
};

enum dyno_start { DYNO_START_GOES_ON, DYNO_START_DONE, DYNO_START_FAILED };

/* Who brings workers up and takes them down, where that is real: asked at the end of a turn
 * (dyno_roster_launch), when nothing of the worker that was there is in use any more. */
struct dyno_starter {
    /* Begin; a worker that is there, or on its way, begins anew. */
    void (*start)(void *context, uint32_t worker);
    /* How the last start that was asked for goes.  When it ends the loop's clock is woken. */
    enum dyno_start (*look)(void *context, uint32_t worker);
    /* Nobody needs it any more, or it is not to come. */
    void (*stop)(void *context, uint32_t worker);
    void *context;
};

struct dyno_roster_config {
    uint32_t worker_count;             /* places */
    uint32_t first_worker;             /* what dispatch and workers call the first of them */
    uint32_t worker_gpus;              /* of each; only counted against: */
    struct dyno_roster_budget *budget; /* not owned; NULL: it is not shared */
    uint32_t up_max;        /* of them, so many at once, those that drain among them; 0: all */
    uint32_t ready_first;   /* these many serve from the start ... */
    uint32_t prefill_first; /* ... and the next ones compute prompts; both <= worker_count */
    uint64_t seed;
    double start_failure; /* probability that a start fails, in [0, 1) */
    /* How long a start takes (one that fails, too); at least 1 ns is taken.  NULL: that. */
    dyno_ns (*startup)(const void *context, struct dyno_rng *rng);
    const void *startup_context;
    /* And a start in another role on GPUs that had one, as of startup. */
    dyno_ns (*change)(const void *context, struct dyno_rng *rng);
    const void *change_context;
    /* A start takes as long as it takes, and fails if it does; the above is not asked.  One that
     * failed is tried again DYNO_START_PAUSE later.  NULL: starts are pretended. */
    const struct dyno_starter *starter; /* stays where it is */
    struct dyno_dispatch *dispatch;     /* told who is gone and who is back; not owned */
    struct dyno_dispatch *prefill;      /* likewise, for the other role; NULL: there is none */
};

#define DYNO_START_PAUSE DYNO_S

struct dyno_roster;

/* Errors: DYNO_NO_MEMORY. */
dyno_status dyno_roster_open(struct dyno_roster **out, const struct dyno_roster_config *config);
void dyno_roster_close(struct dyno_roster *roster);

/* Bring the workers of a role that are ready or starting to `desired`, at most worker_count, from
 * now on: missing ones are started as soon as there may be more, the lowest first; of those that
 * are too many, changes to the role and then starts are called off first, then those drain that
 * have the fewest requests, the highest first.  Again with the same number: no effect. */
void dyno_roster_set(struct dyno_roster *roster, dyno_ns now, uint32_t desired); /* who serve */

/* Both roles at once, so that a place may go over from one to the other. */
void dyno_roster_set_roles(struct dyno_roster *roster, dyno_ns now,
                           const uint32_t desired[DYNO_WORKER_ROLES]);

/* What others that share the budget have left may be taken now. */
void dyno_roster_go_on(struct dyno_roster *roster, dyno_ns now);

/* Starts that end at or before `now` end, and places are mended; true if a worker became ready. */
bool dyno_roster_settle(struct dyno_roster *roster, dyno_ns now);

/* The worker of a place, in whatever role it is there; one that decodes, if there is none. */
uint32_t dyno_roster_who(const struct dyno_roster *roster, uint32_t place);

/* A worker's place is broken until `mended_at` (DYNO_NEVER: for good), longer if it already is; if
 * that is not later than `now`, another start there begins at once.  What it has is the caller's to
 * take away.  Returns true if a worker was there, which serves or did until it was to drain. */
bool dyno_roster_lose(struct dyno_roster *roster, dyno_ns now, uint32_t worker, dyno_ns mended_at);

/* No worker is there or will ever be again: all places are broken for good. */
bool dyno_roster_is_gone(const struct dyno_roster *roster);

/* Workers that drain and have nothing left stop. */
void dyno_roster_rest(struct dyno_roster *roster, struct dyno_workers *workers, dyno_ns now);

/* The starter is told whom to start and to stop since it was told last. */
void dyno_roster_launch(struct dyno_roster *roster);

/* When the next start ends or a place is mended; DYNO_NEVER: nothing is under way, or nobody knows
 * when it ends. */
dyno_ns dyno_roster_next(const struct dyno_roster *roster);

enum dyno_worker_state dyno_roster_state(const struct dyno_roster *roster, uint32_t worker);
dyno_ns dyno_roster_since(const struct dyno_roster *roster, uint32_t worker); /* in that state */
uint32_t dyno_roster_count(const struct dyno_roster *roster, enum dyno_worker_role role,
                           enum dyno_worker_state state);
/* Places that will have the role, and whose workers of the other one drain. */
uint32_t dyno_roster_coming(const struct dyno_roster *roster, enum dyno_worker_role role);
/* Nobody more may be up: who is missing in one role can only come from the other. */
bool dyno_roster_is_full(const struct dyno_roster *roster);
/* How long starts that succeeded took, on average, and changes from when they were decided; 0: none
 * did. */
dyno_ns dyno_roster_startup_mean(const struct dyno_roster *roster);
dyno_ns dyno_roster_change_mean(const struct dyno_roster *roster);
uint32_t dyno_roster_desired(const struct dyno_roster *roster, enum dyno_worker_role role);
uint32_t dyno_roster_places(const struct dyno_roster *roster); /* how many */
/* Requests that the workers' router has booked on one. */
uint32_t dyno_roster_inflight(const struct dyno_roster *roster, uint32_t worker);

/* What it came to until `now`. */
struct dyno_roster_totals {
    uint64_t starts, start_failures, drains;
    uint64_t changes;            /* of role; the starts that they end in are not among `starts` */
    uint64_t losses;             /* of workers that served, or drained ... */
    uint64_t restarts;           /* ... and starts where one was lost, that succeeded */
    unsigned __int128 worker_ns; /* time that workers were there, summed ... */
    unsigned __int128 ready_ns;  /* ... and that they served or drained */
    uint32_t up_max;             /* most that were not stopped at once */
};

struct dyno_roster_totals dyno_roster_totals(const struct dyno_roster *roster, dyno_ns now);

#endif

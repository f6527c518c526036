/* The loop: the only one.  Live or simulated is a matter of what is plugged into its seams. */
#ifndef DYNO_CORE_RUN_LOOP_H
#define DYNO_CORE_RUN_LOOP_H

#include <signal.h>
#include <stdbool.h>

#include "core/kv/trie.h"
#include "core/run/clock.h"
#include "core/run/dispatch.h"
#include "core/run/faults.h"
#include "core/run/link_watch.h"
#include "core/run/lobby.h"
#include "core/run/planner.h"
#include "core/run/roster.h"
#include "core/run/sink.h"
#include "core/run/source.h"
#include "core/worker/worker.h"

/* What serves one model more, where there are several.  Its workers are numbered after those of the
 * models before it, also by its dispatch, which knows of the others that they are gone. */
struct dyno_loop_model {
    struct dyno_dispatch *dispatch;
    struct dyno_kv_trie *trie;  /* NULL: spans stay as they come */
    struct dyno_roster *roster; /* NULL only where there is none for the first model either */
    struct dyno_planner *planner;
};

/* Nothing here is owned by the loop, and `more` is copied. */
struct dyno_loop_config {
    struct dyno_clock *clock;
    struct dyno_source *source;
    struct dyno_answers *answers; /* told when an answer is not needed any more; may be NULL */
    struct dyno_dispatch *dispatch;
    struct dyno_kv_trie *trie; /* rewrites chains; NULL: spans stay as they come */
    /* Models beside the first, which has the dispatch, trie, roster and planner of this struct; a
     * request names its model by its number. */
    const struct dyno_loop_model *more; /* [more_count] */
    uint32_t more_count;
    uint32_t worker_count;      /* of all models */
    struct dyno_roster *roster; /* who serves; NULL: everybody always does.  With one, requests that
                                   find nobody ready wait for somebody: */
    /* What goes wrong, to places; needs a roster, whose workers come first, and another one for
     * those behind them (which compute prompts for the others) if it does not have both roles, and
     * there is one model.  NULL: nothing does. */
    struct dyno_faults *faults;
    struct dyno_roster *roster_behind;
    dyno_ns notice_ns;       /* from a worker's death until it is noticed */
    uint32_t migrations_max; /* a request goes on elsewhere so many times, then it has failed */
    struct dyno_planner *planner;   /* decides how many serve; needs a roster; NULL: nobody does */
    struct dyno_lobby_config lobby; /* of those who wait, and of those who find all workers busy;
                                       each model has one */
    struct dyno_sink *sinks;        /* list */
    dyno_ns sample_every_ns;        /* 0: no samples */
    dyno_ns duration_max_ns;        /* the run ends there; 0: never */
    bool live;                      /* turns are few and last: tell sinks of progress every turn */
    bool decisions;                 /* tell sinks of every decision */
    bool candidates;                /* with candidates and scores */
    const volatile sig_atomic_t *interrupted; /* non-zero: end now; may be NULL */
};

struct dyno_loop_result {
    bool cut;            /* interrupted, or duration_max was reached */
    uint64_t requests;   /* taken from the source */
    uint64_t unfinished; /* of these, in flight when it was cut */
    dyno_ns end_ns;
    uint64_t turns;
};

struct dyno_loop;

/* What `config` points to outlives *out; none of it is owned.  DYNO_NO_MEMORY. */
dyno_status dyno_loop_open(struct dyno_loop **out, const struct dyno_loop_config *config);
void dyno_loop_close(struct dyno_loop *loop);

/* What happened to those who waited for workers of a model. */
const struct dyno_lobby_totals *dyno_loop_lobby(const struct dyno_loop *loop, uint32_t model);

/* What became of those whom faults hit. */
const struct dyno_fault_totals *dyno_loop_fault_totals(const struct dyno_loop *loop);

/* What the workers of a model must be opened with; those of several are one to the loop
 * (core/worker/several.h). */
struct dyno_worker_listener dyno_loop_listener_of(struct dyno_loop *loop, uint32_t model);

/* Of the first model, or the only one. */
struct dyno_worker_listener dyno_loop_listener(struct dyno_loop *loop);

/* Look at links with every sample, and when the run ends; before it begins.  Not owned; NULL: no
 * links. */
void dyno_loop_watch(struct dyno_loop *loop, struct dyno_link_watch *watch);

/* Serve the source to its end.  Errors: whatever a seam returned, with `error` filled. */
dyno_status dyno_loop_run(struct dyno_loop *loop, struct dyno_workers *workers,
                          struct dyno_loop_result *result, struct dyno_error *error);

/* The same a turn at a time, for who waits himself: begin, then turns until it is over, then end;
 * never two of them at once, but not always from the same thread.  A turn asks the clock to wait
 * until it is due.  Errors as above: then the run has ended, and there is no result. */
dyno_status dyno_loop_begin(struct dyno_loop *loop, struct dyno_workers *workers,
                            struct dyno_error *error);
dyno_status dyno_loop_turn(struct dyno_loop *loop, struct dyno_error *error);
void dyno_loop_end(struct dyno_loop *loop, struct dyno_loop_result *result);

/* Whether there is no turn any more; else when the next one is due, unless something comes from
 * outside before. */
bool dyno_loop_is_over(const struct dyno_loop *loop);
dyno_ns dyno_loop_due(const struct dyno_loop *loop);

#endif

/* What a routing policy is: one table of small functions, and the whole contract of a plug-in.
 *
 * This header stands alone (no other header of the tree), so that a policy can be a shared object
 * built with `cc -shared -fPIC -I<tree> my_policy.c -o my_policy.so`; the same object file judges
 * in simulation and in service.  A plug-in exports one symbol:
 *
 *     const struct dyno_route_policy *dyno_route_plugin(void);
 *
 * A policy judges from what it is given; the mechanism (core/run/dispatch) keeps the books.  What
 * state a policy needs is its own, of bounded size, and changed only by its hooks.  A policy never
 * reads a clock, never rolls its own dice, and never prints.
 */
#ifndef DYNO_CORE_ROUTE_POLICY_H
#define DYNO_CORE_ROUTE_POLICY_H

#include <stdint.h>

#define DYNO_ROUTE_ABI  1u
#define DYNO_ROUTE_NONE UINT32_MAX /* no worker may take it */

/* What a policy needs the mechanism to compute before pick. */
enum {
    DYNO_ROUTE_NEEDS_OVERLAP = 1u << 0, /* overlap_blocks: from the workers' cache events */
    DYNO_ROUTE_NEEDS_ACTIVE = 1u << 1,  /* active_overlap_blocks, active_blocks */
    DYNO_ROUTE_NEEDS_GUESSED = 1u << 2, /* overlap_blocks: from the router's own decisions instead
                                           of events (no events: time to live and pruning) */
};

struct dyno_route_request {
    uint64_t id;
    uint64_t session; /* 0: none */
    uint64_t prefix;  /* identity of the first shared span; 0: none */
    uint32_t prompt_tokens;
    uint32_t prompt_blocks; /* ceil(prompt_tokens / block_tokens) */
    uint32_t max_tokens;
};

/* The fleet as the router knows it: arrays over workers, kept up to date in place, never copied.
 * "exact" is the loop's own count; "stale" is as of the last cache event applied. */
struct dyno_route_view {
    uint64_t now_ns;
    uint64_t overlap_age_ns; /* stale inputs may miss what happened this recently; 0: nothing */
    uint32_t worker_count;
    uint32_t block_tokens;
    const uint8_t *eligible;        /* [workers] 1: may be picked */
    const uint32_t *inflight;       /* [workers] exact: requests routed and not ended */
    const uint64_t *prefill_tokens; /* [workers] exact: prompt tokens routed, believed uncached, of
                                       requests without their first token */
    const uint64_t *active_blocks; /* [workers] exact: distinct prompt blocks of requests routed and
                                      not ended (NEEDS_ACTIVE, else zeros) */
    const uint32_t *overlap_blocks; /* [workers] stale: leading prompt blocks found in its cache */
    const uint32_t *active_overlap_blocks; /* [workers] exact: leading prompt blocks shared with
                                              its requests not ended (NEEDS_ACTIVE) */
    const double *tier_credit; /* [workers] exact: leading prompt blocks beyond those in its cache
                                  that lie in lower tiers of its own, each worth what
                                  router.tier_credit says; NULL: there are no such tiers */
};

/* Every number a built-in policy can be tuned by (names as in `dyno help scenario`, router.*);
 * plug-ins read `args`. */
struct dyno_route_config {
    double temperature;        /* router.temperature: 0 = the best, ties drawn uniformly */
    int temperature_absolute;  /* router.temperature_absolute: in blocks, not relative to the spread
                                */
    double overlap_credit;     /* router.kv.overlap_credit */
    double overlap_decay;      /* router.kv.overlap_decay */
    double prefill_load_scale; /* router.kv.prefill_load_scale */
    double decode_request_weight; /* router.kv.decode_request_weight */
    int track_prefill_tokens;     /* router.kv.track_prefill_tokens */
    int track_active_blocks;      /* router.kv.track_active_blocks */
    uint32_t session_replicas;    /* router.session.replicas: points of a worker on the hash ring */
    const char *args;             /* router.args: free text for plug-ins; never NULL */
    int session_sticky; /* router.session.sticky: a session that had to move stays where it went */
};

struct dyno_route_dice; /* the policy's own random stream */

/* Services a policy may call during pick. */
struct dyno_route_services {
    uint64_t (*below)(struct dyno_route_dice *dice, uint64_t bound); /* uniform in [0, bound) */
    double (*unit)(struct dyno_route_dice *dice);                    /* uniform in [0, 1) */
    /* Choose from costs (lower is better) at a temperature, as the built-in policies do: 0 draws
     * uniformly among the equal best; above, softmax over costs normalised to their spread.
     * Ineligible workers are skipped.  DYNO_ROUTE_NONE if none is eligible. */
    uint32_t (*choose)(struct dyno_route_dice *dice, const struct dyno_route_view *view,
                       const double *costs, double temperature, int absolute);
};

struct dyno_route_policy {
    uint32_t abi; /* DYNO_ROUTE_ABI */
    uint32_t needs;
    const char *name;
    const char *help; /* one line */

    /* State for `worker_count` workers; NULL `open` means no state (the hooks get NULL).
     * Returns 0, or -1 (no memory, bad args). */
    int (*open)(void **state, const struct dyno_route_config *config, uint32_t worker_count);
    void (*close)(void *state);

    /* The worker's index, or DYNO_ROUTE_NONE.  `costs` [worker_count] is scratch; a policy that
     * scores leaves its scores there (lower is better) for the decision log and sets *scored. */
    uint32_t (*pick)(void *state, const struct dyno_route_config *config,
                     const struct dyno_route_request *request, const struct dyno_route_view *view,
                     const struct dyno_route_services *services, struct dyno_route_dice *dice,
                     double *costs, int *scored);

    /* Hooks; any may be NULL.  Every request routed ends exactly once; a request that was refused,
     * cancelled or lost before its first token ends without one. */
    void (*routed)(void *state, const struct dyno_route_request *request, uint32_t worker);
    void (*first_token)(void *state, uint64_t request_id, uint32_t worker);
    void (*ended)(void *state, uint64_t request_id, uint32_t worker);
    void (*worker_gone)(void *state, uint32_t worker);
};

/* What a plug-in exports.  Dyno itself has no such function. */
const struct dyno_route_policy *dyno_route_plugin(void);

#endif

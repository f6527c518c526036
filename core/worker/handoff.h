/* One request over two workers: its prompt is computed by one, its answer by another.
 *
 * A fleet of workers (core/worker/worker.h) made of two fleets of local ones.  Workers [0, D)
 * decode, and compute prompts where a request is served whole; workers [D, D + P) compute prompts
 * only.  Whoever routes chooses among the first; the second are chosen when their turn comes, by a
 * router of their own.
 *
 *   WAIT -> PREFILL [reserved]     the decoding worker has taken a slot and blocks for the prompt
 *   PREFILL -> MOVE [prompt_done]  the first token is out; the blocks of the prompt are leased, and
 *                                  those that the decoding worker does not have begin to move
 *   MOVE -> local   [arrived]      the lease ends; the request decodes with its prompt in place
 *   WAIT -> local   [expire]       no blocks within the deadline: it is served whole where it waits
 *   PREFILL -> gone [prompt_ended] its first token was its last, or it was refused or cancelled
 *   any -> gone     [cancel]       in PREFILL when the pass, in MOVE when the transfer has ended
 *
 *   a worker is lost, or no blocks arrive in time: handoff_lost.c
 *
 * That is to push.  With `layers`, all but the last layer's part of the blocks begins to move when
 * the pass begins that yields the first token, as if each layer were computed just before it moves
 * (a layer's time too early, and a prompt's earlier passes too late); the last layer's follows the
 * token.  A request that ends with its first token, or whose client goes, holds its place where it
 * would decode until what moves has arrived; between devices that store KV that is dropped instead.
 * There each layer moves when it is computed (core/worker/link.h).
 *
 * Where the decoding worker pulls, as vLLM's does behind a proxy:
 *
 *   PREFILL -> HOP  [prompt_done]  the prompt's worker has answered the proxy, and keeps the blocks
 *   HOP -> WAIT     [expire]       the proxy has sent the request to the worker that decodes ...
 *   WAIT -> MOVE    [reserved]     ... which asks for the blocks in the pass that has room for them
 *   MOVE -> local   [arrived]      and computes the prompt's last token again, which yields the
 *                                  first token that the client sees
 *
 * And both at once: the prompt is sent to its worker when the request comes, while it is in WAIT
 * where it will decode; when it has its blocks (PREFILL, until the first token is out) and its
 * prompt is computed (whose blocks are leased until then), they move.
 *
 * In MOVE, and where it is pushed in PREFILL, both workers hold blocks for the request, else one at
 * most.
 */
#ifndef DYNO_CORE_WORKER_HANDOFF_H
#define DYNO_CORE_WORKER_HANDOFF_H

#include "core/plan/capacity.h"
#include "core/worker/halves.h"
#include "core/worker/link.h"

/* What is known of a request when it is decided whether it is served in halves. */
struct dyno_handoff_view {
    uint32_t prompt_tokens;
    uint32_t cached_tokens; /* of it, in the cache of the worker that would decode it */
    uint64_t tokens_ahead;  /* prompt tokens to be computed before, a prefill worker ... */
    uint32_t pass_tokens;   /* ... which computes so many in a pass at most */
    /* Only for a policy that predicts. */
    uint32_t decoding, waiting; /* requests where it would be decoded */
    bool costs_known;
    struct dyno_capacity_costs decode, prefill; /* on either kind of worker */
    double move_s;                              /* for as many blocks, as it has taken so far */
};

struct dyno_handoff_policy {
    const char *name;
    const char *help;
    bool takes_tokens; /* "NAME:TOKENS" */
    bool in_halves_ever;
    bool predicts;
    bool (*in_halves)(uint32_t tokens, const struct dyno_handoff_view *view);
};

extern const struct dyno_handoff_policy dyno_handoff_table[]; /* NULL-name-terminated */

/* "always", "threshold:2048", ... .  Errors: DYNO_BAD_INPUT with what is known. */
dyno_status dyno_handoff_parse(const struct dyno_handoff_policy **policy, uint32_t *tokens,
                               const char *text, struct dyno_error *error);

/* Who chooses among the workers that compute prompts, and hears what became of it; the worker is
 * from 0 to P - 1. */
struct dyno_handoff_router {
    void *context;
    /* Among how many it chooses now; NULL: always among all. */
    uint32_t (*open_count)(void *context);
    dyno_status (*pick)(void *context, dyno_ns now, const struct dyno_request *request,
                        uint32_t *worker);
    bool (*is_anybody)(void *context); /* to pick; NULL: there always is */
    void (*first_token)(void *context, dyno_ns now, uint64_t request);
    void (*ended)(void *context, dyno_ns now, uint64_t request);
    /* As of struct dyno_worker_listener; NULL: it does not want to know. */
    void (*kv_changed)(void *context, uint32_t worker, dyno_ns at, uint64_t span, uint32_t blocks);
    bool kv_times;
};

enum dyno_handoff_style { DYNO_HANDOFF_PUSH, DYNO_HANDOFF_PULL, DYNO_HANDOFF_BOTH };

struct dyno_handoff_config {
    /* The two fleets, without listeners.  A block has the same tokens in both. */
    struct dyno_local_config decode, prefill;
    struct dyno_worker_listener listener;
    struct dyno_handoff_router router;
    bool same_gpus; /* D is P, and worker i of either fleet is the same GPUs in another role: one of
                       the two serves at most (core/run/roster.h) */
    struct dyno_links *links; /* between workers, which are endpoints from 0 on where they decode,
                                 and from prefill.endpoint on where they compute prompts: also from
                                 0 on, where both are the same GPUs; not owned */
    uint64_t block_bytes;     /* of KV */
    dyno_ns relayout_ns;      /* more for each block, where the two split it otherwise */
    const struct dyno_handoff_policy *policy;
    uint32_t policy_tokens;
    dyno_ns deadline_ns; /* to wait for blocks before the request is served whole; 0: for ever */
    uint32_t layers; /* of the model, to push them one by one; 0: a prompt's blocks move whole */
    dyno_ns move_deadline_ns; /* for blocks to arrive once they move; 0: for ever ... */
    uint32_t move_retries;    /* ... and so often they are sent again, then it is served whole */
    enum dyno_handoff_style style;
    dyno_ns hop_ns; /* if it pulls: from a prompt's answer to when the other worker is asked */
};

/* On success *out is closed through its ops.  Errors: DYNO_BAD_INPUT (in words), DYNO_NO_MEMORY. */
dyno_status dyno_handoff_open(struct dyno_workers **out, const struct dyno_handoff_config *config,
                              struct dyno_error *error);

/* What either fleet did, without what moved between them. */
void dyno_handoff_totals_of(const struct dyno_workers *workers, struct dyno_fleet_totals *decode,
                            struct dyno_fleet_totals *prefill);

/* dyno_local_check of both fleets; and when nothing is in flight, nobody is between them. */
void dyno_handoff_check(const struct dyno_workers *workers);

#endif

/* The parts of local workers that local.c and the files around it share; private to this
 * folder.
 *
 * The one idea: nothing is done per token.  A sequence in the decode set is not touched by a step:
 * its tokens are a function of the worker's step counter, its blocks a function of its tokens.  A
 * worker keeps, for the whole set, the number of sequences, the sum of their tokens, and how many
 * of them need a new block at each phase (step number modulo block size).
 */
#ifndef DYNO_CORE_WORKER_FLEET_H
#define DYNO_CORE_WORKER_FLEET_H

#include <stdbool.h>

#include "core/base/alarms.h"
#include "core/base/slab.h"
#include "core/base/usual.h"
#include "core/kv/cache.h"
#include "core/kv/places.h"
#include "core/worker/link.h"
#include "core/worker/local.h"
#include "core/worker/takers.h"

enum { DYNO_NO_SEQ = UINT32_MAX };

/* Which part of a request a worker computes. */
enum dyno_half { DYNO_WHOLE, DYNO_PROMPT_HALF, DYNO_DECODE_HALF };

/*   INGEST -> WAITING [take_ready] -> PROMPT [start_prompt] -> DECODE [join_decode]
 *   DECODE -> gone [finish]
 *   PROMPT, DECODE -> WAITING [preempt], at the head of the queue, everything to be recomputed
 *   any but ENDED -> gone [cancel], where a pass computes it when that has ended
 *   DECODE -> ENDED [finish] -> gone [release_ended], where passes are scheduled ahead: it was told
 *   of, but the pass scheduled meanwhile finds its memory taken, and may compute it once more
 *
 *   Of the half that decodes: WAITING -> RESERVED [dyno_half_reserve] -> ARRIVED [dyno_half_arrive]
 *   -> DECODE [dyno_half_join]; of the half that is a prompt: DECODE -> LEASED [dyno_half_lease],
 * at once, -> gone [dyno_half_release]
 *
 *   Where there are lower tiers: WAITING -> ONBOARD [dyno_onboard] -> WAITING, at the head of the
 *   queue, its blocks held */
enum dyno_seq_state {
    SEQ_INGEST,
    SEQ_WAITING,
    SEQ_PROMPT,
    SEQ_DECODE,
    SEQ_ENDED,
    SEQ_RESERVED, /* it has a slot and the blocks of its prompt; what goes into them is awaited */
    SEQ_ARRIVED,  /* they are filled: it decodes with the next pass that knows of it */
    SEQ_ONBOARD,  /* blocks of its prompt are on their way from a lower tier */
    SEQ_LEASED,   /* its prompt is computed; it has no slot, and keeps its blocks for a transfer */
};

struct dyno_seq {
    struct dyno_request_record record;
    struct dyno_kv_link *links; /* [spans + 1]: the request's spans, and room for its private one */
    uint32_t span_count;        /* of the request */
    uint32_t link_count;        /* spans, and the private link after a preemption */
    uint32_t chain_blocks;      /* blocks of all links */
    uint32_t held_blocks;       /* leading blocks of the chain it holds */
    uint32_t tokens_max;        /* it may generate here */
    uint32_t tokens_in_all;     /* and in all: more, of a prompt that goes on elsewhere */
    uint32_t target;            /* tokens in KV before its next token is yielded */
    uint32_t computed;          /* tokens in KV; in the decode set: when it joined */
    uint32_t generated;         /* likewise */
    uint32_t ahead;             /* tokens beyond those that it has blocks for, but for what rounding
                                   adds; in the decode set: when it joined */
    uint32_t reserved;          /* of the worker's tokens_reserved, until it decodes */
    uint64_t joined_step;       /* the worker's step counter when it joined the decode set ... */
    uint32_t phase;             /* ... and the phase at which it takes a block from then on */
    dyno_ns last_token_at;      /* device stamp; in the decode set: when it joined */
    dyno_ns arrived_at;         /* what was computed elsewhere */
    enum dyno_half half;
    uint32_t move;       /* what is onboarded for it, plus one; 0: nothing */
    uint32_t slot;       /* while it is leased: the table of its blocks, if they have places */
    uint32_t prev, next; /* in the one list it is in; next also links unused ones */
    enum dyno_seq_state state;
    bool pulls_no_more;       /* its peer was too slow once: else it might wait for ever */
    bool cancelled;           /* its client has gone: it leaves when the pass in flight ends */
    bool is_orphan;           /* of a prompt: nobody wants it any more, nor hears of it */
    bool is_resumed;          /* from a worker that was lost; no token has come since */
    uint32_t computed_before; /* tokens it had in KV there; 0 once it has started here */
    const struct dyno_resume *before; /* how far it came there; NULL: it is new */
};

struct dyno_seq_list {
    uint32_t first, last, count;
};

/* Sequences that joined the decode set at one instant and have not decoded yet. */
struct dyno_joiners {
    dyno_ns at;
    uint32_t count;
};

struct dyno_worker {
    struct dyno_kv_cache cache;
    struct dyno_kv_places *places; /* where blocks lie; NULL: the device stores nothing */
    struct dyno_seq_list ingest, waiting, running; /* running: in order of admission */
    struct dyno_seq_list ended; /* in the last pass; empty but while the next one is formed ... */
    struct dyno_seq_list reserved, arrived; /* of them; not running yet, but with slots */
    struct dyno_seq_list leased;            /* not running any more, but with blocks */
    struct dyno_seq_list onboarding; /* not waiting any more, with blocks, without slots, and ... */
    uint32_t blocks_storing;         /* that stores hold */
    uint32_t onboarded;              /* ... those of them whose blocks are there */
    uint32_t moves_on_way, moves_held; /* that hold blocks: transfers, and what was onboarded for
                                          those who wait */
    uint32_t ghost_count;              /* ... and those of them that it computes once more */
    uint64_t ghost_context;
    uint32_t partial;      /* the running sequence whose prompt is not all computed, or none */
    uint32_t *seq_of_slot; /* [seqs_max]; NULL until the first request */
    uint32_t *slots_free;  /* [seqs_max] stack */
    uint32_t slots_free_count;
    /* The decode set. */
    uint32_t decode_count;
    uint64_t decode_tokens; /* in KV, summed */
    uint64_t step;          /* decode steps completed since the start */
    uint32_t phase;         /* step modulo block_tokens */
    struct dyno_takers takers;
    uint32_t catch_up; /* blocks that those who have not decoded yet take for their look-ahead */
    uint64_t tokens_reserved; /* for the answers of prompts in work (admission by estimate) */
    uint64_t tokens_left;     /* that may still be generated, summed (admission by estimate) ... */
    uint32_t long_count; /* ... and sequences that had more left than counts when they joined */
    uint64_t ratio;      /* of tokens_left that is set aside after step ratio_step, in 2^-32 */
    uint64_t ratio_step;
    bool full;   /* somebody was refused for want of memory or slots: nobody is asked again until
                    the decode set has become smaller (DYNO_ORDER_PREFILL_FIRST) */
    bool shrunk; /* it has */
    bool mixed;  /* the last pass was one of prompts with decodes along (mixed_chunk) */
    uint32_t tokens_along, blocks_along; /* of decodes that may go along in the pass being formed */
    uint64_t blocks_promised, blocks_held; /* running sequences (admission without eviction) */
    dyno_ns last_decode_at;                /* end of the last decode step */
    dyno_ns last_step_start;               /* of the last pass's last step */
    dyno_ns settled_at;  /* now, when that pass was settled; under a clock that may be late this
                            is after its end */
    bool hidden;         /* somebody waits whom the pass being formed cannot see yet */
    uint64_t rounds;     /* steps of any kind since the last pause (prefill_interval) */
    bool prefills_bound; /* when prompts could go last, not all who waited went */
    struct dyno_joiners *joiners;
    uint32_t joiners_count, joiners_capacity, joined_count; /* joined_count: summed over joiners */
    bool halted; /* it has fallen silent, until it is lost */
    /* The pass in flight. */
    bool busy, pass_decode, dirty;
    uint32_t cancelled_count; /* sequences that leave when it ends */
    uint32_t pass_steps;      /* at most */
    uint32_t steps_taken;     /* steps of it whose blocks are taken */
    struct dyno_slice *slices;
    uint32_t slice_count, slice_capacity;
    uint32_t budget;      /* tokens left in the pass being formed */
    uint64_t host_ticks;  /* what the host does more in the pass being formed: ask for blocks, or
                             warm up */
    uint32_t passes_cold; /* first passes still to come */
    /* The books. */
    dyno_ns ingest_free_at;
    dyno_ns busy_ns, busy_since;
    uint64_t tokens_out;
    uint64_t steps_done, prefill_tokens;
    dyno_ns sampled_at;
    uint64_t sampled_used; /* blocks held then */
};

struct dyno_local {
    struct dyno_workers base;
    struct dyno_local_config config;
    struct dyno_kv_listener kv_listener;
    struct dyno_worker *workers; /* [worker_count] */
    struct dyno_seq *seqs;       /* [seqs_capacity] */
    uint32_t seqs_capacity, seqs_unused;
    struct dyno_slab slab;
    struct dyno_alarms ingest;  /* by idle worker (of a real device: by any): when its first request
                                 is ingested */
    struct dyno_alarms visible; /* by worker: start of the step that will evict something */
    uint32_t *dirty;            /* [worker_count] workers that may start a pass */
    uint32_t dirty_count;
    uint32_t watermark_blocks;
    uint64_t ratio_first, ratio_min; /* of the estimate, in 2^-32 */
    struct dyno_map asked;           /* spans of waiting prompts: scratch of dyno_queue_sort */
    struct dyno_links *links;        /* of the tiers; NULL: there are none */
    struct dyno_peers *peers;        /* prompts that are pulled from one another; likewise ... */
    dyno_ns pulls_due;               /* ... and when somebody is asked next for some; else NEVER */
    bool pulls_wait;                 /* or when a pass has ended */
    dyno_ns pulls_late;              /* when the next of them is given up; else NEVER */
    struct dyno_fleet_totals totals;
    bool abandoned; /* passes are settled as far as they came; nobody leaves yet */
};

/* As `next`, or before it, when blocks arrive, are to be asked for, or are too late. */
static inline dyno_ns dyno_local_next_of_tiers(const struct dyno_local *local, dyno_ns next)
{
    dyno_ns way = local->links ? dyno_links_next(local->links) : DYNO_NEVER;

    next = way < next ? way : next;
    next = local->pulls_due < next ? local->pulls_due : next;
    return local->pulls_late < next ? local->pulls_late : next;
}

/* When there is something to settle: a pass that has ended, a request that is ingested on an idle
 * worker, blocks that have arrived. */
static inline dyno_ns dyno_local_next(const struct dyno_local *local)
{
    dyno_ns pass = dyno_device_next(local->config.device);
    dyno_ns ready = dyno_alarms_next(&local->ingest);
    dyno_ns next = pass < ready ? pass : ready;

    return DYNO_RARELY(local->config.tiers) ? dyno_local_next_of_tiers(local, next) : next;
}

/* Whether blocks that are on their way, or wait for it, may be given back while a pass runs: which
 * ones its later steps would take cannot be said beforehand then. */
static inline bool dyno_worker_moves(const struct dyno_worker *worker)
{
    return worker->reserved.count + worker->arrived.count + worker->leased.count +
               worker->onboarding.count + worker->moves_on_way + worker->moves_held >
           0;
}

/* ---- lists of sequences: a request moves from one to the next ---- */
static inline void dyno_seq_append(struct dyno_local *local, struct dyno_seq_list *list,
                                   uint32_t seq)
{
    local->seqs[seq].prev = list->last;
    local->seqs[seq].next = DYNO_NO_SEQ;
    if (list->last == DYNO_NO_SEQ) {
        list->first = seq;
    } else {
        local->seqs[list->last].next = seq;
    }
    list->last = seq;
    list->count++;
}

static inline void dyno_seq_unlink(struct dyno_local *local, struct dyno_seq_list *list,
                                   uint32_t seq)
{
    uint32_t prev = local->seqs[seq].prev, next = local->seqs[seq].next;

    if (prev == DYNO_NO_SEQ) {
        list->first = next;
    } else {
        local->seqs[prev].next = next;
    }
    if (next == DYNO_NO_SEQ) {
        list->last = prev;
    } else {
        local->seqs[next].prev = prev;
    }
    list->count--;
}

/* ---- sequence.c: sequences, lists, and a sequence's blocks ---- */
dyno_status dyno_seq_make(struct dyno_local *local, const struct dyno_request *request,
                          uint32_t worker, uint32_t *out);
void dyno_seq_free(struct dyno_local *local, uint32_t index);
void dyno_seq_prepend(struct dyno_local *local, struct dyno_seq_list *list, uint32_t seq);
/* Tokens it has in KV now, and has generated, also while it is in the decode set. */
uint32_t dyno_seq_tokens(const struct dyno_worker *worker, const struct dyno_seq *seq);
uint32_t dyno_seq_generated(const struct dyno_worker *worker, const struct dyno_seq *seq);
dyno_status dyno_seq_join_decode(struct dyno_local *local, struct dyno_worker *worker,
                                 uint32_t index, dyno_ns at);
void dyno_seq_leave_decode(struct dyno_local *local, struct dyno_worker *worker, uint32_t index);
/* Give back everything and put it at the head of the queue, to be recomputed. */
dyno_status dyno_seq_preempt(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                             dyno_ns now);
/* The same as SGLang does it: what it generated is not kept, and it joins the queue's end. */
dyno_status dyno_seq_retract(struct dyno_local *local, struct dyno_worker *worker, uint32_t index);
/* Give back its blocks, deepest first; what only it has stays behind, idle, if `keep`. */
dyno_status dyno_seq_give_blocks(struct dyno_local *local, struct dyno_worker *worker,
                                 struct dyno_seq *seq, bool keep);
/* It gives back the slot and blocks that it had reserved, and waits, first in line. */
dyno_status dyno_seq_unreserve(struct dyno_local *local, struct dyno_worker *worker,
                               uint32_t index);
/* Leave the running list with its slot given back, and all blocks held: see SEQ_LEASED. */
dyno_status dyno_seq_lease(struct dyno_local *local, struct dyno_worker *worker, uint32_t index);
/* Its worker is lost: give back everything, tell how far it came, forget. */
dyno_status dyno_seq_lose(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                          uint32_t computed);
/* Its life is over: give back everything, tell, forget; where passes are scheduled ahead, a
 * completed one gives back when the next pass has been formed. */
dyno_status dyno_seq_finish(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                            enum dyno_outcome outcome);
dyno_status dyno_seq_release_ended(struct dyno_local *local, struct dyno_worker *worker);

/* ---- batch.c: forming a pass ---- */
dyno_status dyno_batch_form(struct dyno_local *local, uint32_t index, dyno_ns now);
/* Schedule the next `tokens` of a running sequence's prompt: blocks, slice, and what may be hit. */
dyno_status dyno_batch_prompt(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                              uint32_t tokens, uint32_t blocks, dyno_ns now);

/* ---- estimate.c: SGLang's estimate of the memory that answers will need ---- */
/* Tokens set aside for an answer of which `left` tokens may still come. */
static inline uint32_t dyno_estimate_clip(uint32_t left)
{
    enum { CLIP_TOKENS = 4096 };

    return left < CLIP_TOKENS ? left : CLIP_TOKENS;
}
/* Whether a waiting sequence, with so many blocks in cache of which some are idle, fits: its
 * prompt, its answer, the answers of prompts in work and a share of the answers being decoded must
 * be less than what there is. */
bool dyno_estimate_fits(const struct dyno_local *local, const struct dyno_worker *worker,
                        const struct dyno_seq *seq, uint32_t hit_blocks, uint32_t idle_blocks);
/* The ratio as it is now, in 2^-32. */
uint64_t dyno_estimate_ratio(const struct dyno_local *local, const struct dyno_worker *worker);
void dyno_estimate_reset(const struct dyno_local *local, struct dyno_worker *worker);
/* Retract until the decode set's next step fits, at least one sequence. */
dyno_status dyno_estimate_retract(struct dyno_local *local, struct dyno_worker *worker);

/* ---- queue.c: the order of those who wait ---- */
dyno_status dyno_queue_sort(struct dyno_local *local, struct dyno_worker *worker, dyno_ns now);

/* ---- ledger.c: the blocks that decode steps take ---- */
/* How many blocks `count` decode steps from step `from` of the pass in flight take. */
uint64_t dyno_ledger_demand(const struct dyno_worker *worker, uint32_t from, uint32_t count);
/* How many steps, at most `steps_max` >= 1 and the first already served, can be served. */
uint32_t dyno_ledger_steps(const struct dyno_worker *worker, uint32_t steps_max);
/* Take what steps [steps_taken, to) need.  `boundary(context, step)` tells when a step starts. */
void dyno_ledger_take(struct dyno_local *local, struct dyno_worker *worker, uint32_t to,
                      dyno_ns (*boundary)(const void *context, uint32_t step), const void *context);
/* The first step from steps_taken on that will evict something that is listened for; pass_steps if
 * none will. */
uint32_t dyno_ledger_next_eviction(const struct dyno_local *local,
                                   const struct dyno_worker *worker);

/* ---- tables.c: where blocks lie, for a device that stores KV ---- */
/* The blocks that the first step of the pass just took go to the sequences that need them ... */
dyno_status dyno_tables_first_step(struct dyno_local *local, struct dyno_worker *worker);
/* ... those that its further steps will take are shown to them; ... */
dyno_status dyno_tables_look_ahead(struct dyno_local *local, struct dyno_worker *worker);
/* ... and after `steps` of them were done, only what those took stays. */
void dyno_tables_settle(struct dyno_local *local, struct dyno_worker *worker, uint32_t steps);
/* Of the sequence's next `tokens` of prompt, those that lie in blocks which it holds or is about to
 * be given in place of its own, as its chain before block `to` can be hit: from the first on. */
uint32_t dyno_tables_cached(const struct dyno_local *local, const struct dyno_worker *worker,
                            const struct dyno_seq *seq, uint32_t tokens, uint32_t to);

/* ---- cancel.c: clients that have gone ---- */
dyno_status dyno_cancel(struct dyno_local *local, dyno_ns now, uint32_t index, uint64_t id);
/* The pass has ended: those whose clients went meanwhile leave. */
dyno_status dyno_cancel_settle(struct dyno_local *local, struct dyno_worker *worker);

/* ---- settle.c: what a finished pass did ---- */
dyno_status dyno_settle_completion(struct dyno_local *local,
                                   const struct dyno_completion *completion, dyno_ns now);

/* ---- halves.c: requests whose prompt is computed by one worker and decoded by another ---- */
/* What the worker's next pass may find of those who arrived joins the decode set. */
dyno_status dyno_half_join(struct dyno_local *local, struct dyno_worker *worker, dyno_ns now);
/* The same where their first token is still to be computed: each gets a slice of the pass. */
dyno_status dyno_half_start(struct dyno_local *local, struct dyno_worker *worker, dyno_ns now);
/* The first in line has a slot and its blocks, of which `hit_blocks` are filled already. */
dyno_status dyno_half_reserve(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                              uint32_t hit_blocks, uint32_t blocks, dyno_ns now);
/* After a pass that ended at `at`: if the slice ended a half that is a prompt, it is leased. */
dyno_status dyno_half_lease(struct dyno_local *local, struct dyno_worker *worker, uint32_t slot,
                            dyno_ns at);

/* ---- store.c, onboard.c, tiers.c: tiers below the worker's memory; all: local->config.tiers ----
 */
/* The first `blocks` blocks of the chain, which the sequence holds, are copied below. */
dyno_status dyno_store(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                       dyno_ns now);
/* The first in line, with `hit_blocks` in the worker's cache of which `idle_blocks` are idle, could
 * start.  True in *waits: it waits for blocks from below instead. */
dyno_status dyno_onboard(struct dyno_local *local, struct dyno_worker *worker, uint32_t index,
                         uint32_t hit_blocks, uint32_t idle_blocks, dyno_ns now, bool *waits);
/* Those whose blocks are there, as far as the worker's next pass may know, wait again, first. */
void dyno_onboard_join(struct dyno_local *local, struct dyno_worker *worker, dyno_ns now);
/* Its blocks are in its own hands, or it is ended: what was onboarded for it is let go. */
void dyno_onboard_end(struct dyno_local *local, struct dyno_worker *worker, uint32_t index);
/* Memory is scarce: whoever waits with onboarded blocks gives them back, the last first.  False:
 * nobody does. */
bool dyno_onboard_yield(struct dyno_local *local, struct dyno_worker *worker);
/* It was admitted for the first time: the books. */
void dyno_onboard_count(struct dyno_local *local, struct dyno_seq *seq);
/* Who holds what, where workers pull from one another.  DYNO_NO_MEMORY. */
dyno_status dyno_peers_open(struct dyno_peers **out, uint32_t workers);
void dyno_peers_close(struct dyno_peers *peers); /* NULL: no effect */
/* A worker's cache has changed. */
void dyno_peers_hear(struct dyno_peers *peers, uint32_t worker, dyno_ns at, uint64_t span,
                     uint32_t blocks);
/* Those who are to be asked by now are, and what they have is on its way. */
dyno_status dyno_peers_ask(struct dyno_local *local, dyno_ns now);
/* What was to come by now, and has not, is computed. */
dyno_status dyno_peers_expire(struct dyno_local *local, dyno_ns now);
/* Transfers that have arrived.  True in *any: there were some. */
dyno_status dyno_tiers_settle(struct dyno_local *local, dyno_ns now, bool *any);
/* The pools that a worker uses. */
void dyno_tiers_sample(const struct dyno_local *local, uint32_t worker,
                       struct dyno_sample_record *out);
/* The run is given up: both ends of what is on its way let go. */
void dyno_tiers_abandon(struct dyno_local *local);
/* A worker that has let go of all it had stops: nothing moves from or to host memory that only it
 * uses; and what lies there is gone. */
bool dyno_tiers_is_at_rest(const struct dyno_local *local, uint32_t worker);
void dyno_tiers_stop(struct dyno_local *local, uint32_t worker, dyno_ns now);
/* A worker is lost, and has let go of its requests: what is on its way from and to it is given up,
 * and what lies in host memory that only it uses is gone; who waits for blocks of its GPU goes on
 * without them. */
dyno_status dyno_tiers_lose(struct dyno_local *local, uint32_t worker, dyno_ns now);

/* Somebody else than a pass is about to change what the worker holds: its ledger is brought to
 * `now`, and a leap in flight ends at its next step; an idle worker is asked to form a pass. */
void dyno_local_touch(struct dyno_local *local, uint32_t index, dyno_ns now);
/* As submit; *out is where it is, DYNO_NO_SEQ if it was refused. */
dyno_status dyno_local_enter(struct dyno_local *local, dyno_ns now, uint32_t index,
                             const struct dyno_request *request, enum dyno_half half,
                             uint32_t *out);
/* Whether a worker could ever hold such a request. */
bool dyno_local_could_hold(const struct dyno_local *local, const struct dyno_request *request);

/* ---- lose.c: workers that fall silent, and are found to be lost ---- */
dyno_status dyno_local_halt(struct dyno_workers *workers, dyno_ns now, uint32_t index);
dyno_status dyno_local_lose(struct dyno_workers *workers, dyno_ns now, uint32_t index);
/* A sequence from a worker that was lost starts here: what is not found is computed again. */
void dyno_seq_count_recomputed(struct dyno_local *local, struct dyno_seq *seq, uint32_t hit_blocks);

/* ---- abandon.c: the run is given up ---- */
/* End a leap at the last step boundary that lies behind, so that it settles as its steps would
 * have: they are done, and the next one has taken its blocks. */
void dyno_local_end_leap(struct dyno_local *local, uint32_t index, dyno_ns now);
/* A pass in flight never ends: the sequences it computes keep the blocks it took for them, and give
 * them back like any other. */
void dyno_local_forget_pass(struct dyno_local *local, struct dyno_worker *worker);
dyno_status dyno_local_abandon(struct dyno_workers *workers, dyno_ns now,
                               enum dyno_outcome outcome);

/* ---- local.c ---- */
/* A worker's pass in flight, and when its step `step` starts, as the ledger asks for it. */
struct dyno_in_flight {
    struct dyno_device *device;
    uint32_t worker;
};

dyno_ns dyno_local_boundary(const void *in_flight, uint32_t step);

/* Bring a worker's ledger to `now`: steps that started before it have taken their blocks.  Returns
 * how many steps of the pass in flight have ended. */
uint32_t dyno_local_sync_worker(struct dyno_local *local, uint32_t index, dyno_ns now);

/* ---- ingest.c: from arrival to being ready ---- */
/* When a request that comes now is ready. */
dyno_ns dyno_ingested_at(const struct dyno_local *local, const struct dyno_worker *worker,
                         uint32_t prompt_tokens, dyno_ns now);
/* Those whose ingest is over by `now` join the waiting. */
void dyno_ingest_take_ready(struct dyno_local *local, struct dyno_worker *worker, dyno_ns now);
/* See to it that a pass can be formed when the first of those being ingested is ready. */
void dyno_ingest_await(struct dyno_local *local, struct dyno_worker *worker);
/* The first of those being ingested, or their number, has changed. */
void dyno_ingest_changed(struct dyno_local *local, struct dyno_worker *worker);
/* Who is ready by `now` and has to be seen to at once. */
void dyno_ingest_settle(struct dyno_local *local, dyno_ns now);

static inline uint32_t dyno_worker_index(const struct dyno_local *local,
                                         const struct dyno_worker *worker)
{
    return (uint32_t)(worker - local->workers);
}

/* The worker may start a pass. */
static inline void dyno_local_mark_dirty(struct dyno_local *local, struct dyno_worker *worker)
{
    if (!worker->dirty) {
        worker->dirty = true;
        local->dirty[local->dirty_count++] = dyno_worker_index(local, worker);
    }
}

/* With asynchronous scheduling the pass that starts now was scheduled when the step before it
 * started, and saw who was ready then; after a pause it is scheduled now. */
static inline bool dyno_seq_is_seen(const struct dyno_local *local,
                                    const struct dyno_worker *worker, const struct dyno_seq *seq,
                                    dyno_ns now)
{
    return !local->config.worker.async_scheduling || worker->settled_at != now ||
           seq->record.ready_ns <= worker->last_step_start;
}

/* The phase of step `step` of the pass that starts at the worker's step counter. */
static inline uint32_t dyno_worker_phase(const struct dyno_worker *worker, uint32_t step)
{
    uint64_t phase = (uint64_t)worker->phase + step;

    return (uint32_t)(phase < worker->takers.size ? phase : phase % worker->takers.size);
}

/* Blocks that the decode set's next step takes. */
static inline uint32_t dyno_ledger_next(const struct dyno_worker *worker)
{
    return worker->takers.at[worker->phase] + worker->catch_up;
}

static inline uint32_t dyno_blocks_of(const struct dyno_local *local, uint64_t tokens)
{
    return (uint32_t)((tokens + local->config.worker.block_tokens - 1) /
                      local->config.worker.block_tokens);
}

/* Blocks of a sequence that is not in the decode set. */
static inline uint32_t dyno_seq_blocks(const struct dyno_local *local, const struct dyno_seq *seq)
{
    return dyno_blocks_of(local, (uint64_t)seq->computed + seq->ahead);
}

/* Blocks that a sequence takes when it first decodes, for its look-ahead. */
static inline uint32_t dyno_seq_catch_up(const struct dyno_local *local, const struct dyno_seq *seq)
{
    uint32_t lookahead = local->config.worker.lookahead;

    return lookahead == 0 ? 0
                          : dyno_blocks_of(local, (uint64_t)seq->computed + lookahead) -
                                dyno_seq_blocks(local, seq);
}

/* Nobody else holds anything.  Alone a request always fits: submit saw to that. */
static inline bool dyno_worker_is_alone(const struct dyno_worker *worker)
{
    return worker->running.count + worker->ended.count + worker->reserved.count +
               worker->arrived.count + worker->leased.count + worker->moves_on_way +
               worker->moves_held ==
           0;
}

/* The most blocks it may ever need. */
static inline uint32_t dyno_seq_blocks_max(const struct dyno_local *local,
                                           const struct dyno_seq *seq)
{
    return dyno_blocks_of(local, (uint64_t)seq->record.prompt_tokens + seq->tokens_max +
                                     local->config.worker.lookahead);
}

#endif

/* What handoff.c and the two ways to hand a request over share; private to this folder. */
#ifndef DYNO_CORE_WORKER_HANDOFF_PARTS_H
#define DYNO_CORE_WORKER_HANDOFF_PARTS_H

#include "core/base/heap.h"
#include "core/worker/fleet.h"
#include "core/worker/handoff.h"
#include "core/worker/passages.h"

/* In the name of a transfer: no request has it, and links that two fleets share (link_split.h) have
 * room for a bit of their own. */
#define DYNO_FIRST_PART ((uint64_t)1 << 62)

struct dyno_handoff {
    struct dyno_workers base;
    struct dyno_handoff_config config;
    struct dyno_workers *decode, *prefill;
    struct dyno_passages passages;
    struct dyno_heap deadlines; /* of those in WAIT and HOP, by their place */
    uint32_t *ready; /* [ready_count] places, in the order of requests.  While passes are formed:
                        whose blocks are reserved, then whose prompt's last pass has begun; while
                        settling: whose hop is over */
    uint32_t ready_count, ready_capacity;
    dyno_ns now;
    bool stirred;   /* one fleet has changed what the other must settle */
    bool giving_up; /* the run is */
    bool abandoned; /* and the fleet that decodes has ended what it had */
    uint64_t transfers, given_up, sent_again;
    unsigned __int128 bytes, wait_ns;
    uint64_t moved_blocks;
    uint64_t tokens_ahead; /* of prompts on their way to being computed */
    /* For a policy that predicts: what either kind of worker was seen to take. */
    struct dyno_capacity decode_capacity, prefill_capacity;
    struct dyno_sample_record *heard; /* [workers of both fleets] at the last look */
    dyno_ns look_at_ns;               /* the next one, at the earliest */
};

static inline uint32_t dyno_handoff_find(const struct dyno_handoff *handoff, uint64_t id)
{
    return dyno_passages_find(&handoff->passages, id);
}

static inline struct dyno_passage *dyno_handoff_at(const struct dyno_handoff *handoff,
                                                   uint32_t place)
{
    return dyno_passages_at(&handoff->passages, place);
}

static inline uint32_t dyno_handoff_decoders(const struct dyno_handoff *handoff)
{
    return handoff->config.decode.worker_count;
}

/* When a fleet has something to settle, without a call: either consists of local workers. */
static inline dyno_ns dyno_handoff_fleet_next(const struct dyno_workers *fleet)
{
    return dyno_local_next((const void *)fleet); /* its first member */
}

/* Settle a fleet where it has something to.  A device that is real does not say when it has. */
static inline dyno_status dyno_handoff_fleet_settle(struct dyno_workers *fleet, dyno_ns now)
{
    const struct dyno_local *local = (const void *)fleet;

    return dyno_handoff_fleet_next(fleet) <= now || local->config.device->ops->is_real
               ? fleet->ops->settle(fleet, now)
               : DYNO_OK;
}

/* A passage in WAIT.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_handoff_begin(struct dyno_handoff *handoff, const struct dyno_request *request,
                               uint32_t decode_worker, uint32_t *place);
void dyno_handoff_end(struct dyno_handoff *handoff, uint32_t place);
/* It waits for blocks from now on, no longer than the deadline. */
void dyno_handoff_await(struct dyno_handoff *handoff, uint32_t place);
/* Among those that are ready, in the order of requests. */
void dyno_handoff_note_ready(struct dyno_handoff *handoff, uint32_t place);
void dyno_handoff_tell_first_token(const struct dyno_handoff *handoff, uint64_t id);
/* Choose who computes the prompt, and send it there.  *entered: false if it was refused, and has
 * ended, and its passage with it. */
dyno_status dyno_handoff_send_prompt(struct dyno_handoff *handoff, uint32_t place,
                                     uint32_t tokens_max, bool *entered);
/* The half that decodes hears of its prompt. */
void dyno_handoff_note_prompt(struct dyno_handoff *handoff, const struct dyno_passage *passage,
                              const struct dyno_request_record *record, dyno_ns first_token_at);
/* They are to arrive in time from now on. */
void dyno_handoff_await_move(struct dyno_handoff *handoff, const struct dyno_passage *passage);
/* Its blocks begin to move. */
dyno_status dyno_handoff_move(struct dyno_handoff *handoff, struct dyno_passage *passage);
/* Or only the part of them that is layers [from, to) of those of the configuration. */
dyno_status dyno_handoff_move_layers(struct dyno_handoff *handoff, struct dyno_passage *passage,
                                     uint32_t from, uint32_t to);
/* The worker that computed the prompt gives back its blocks, unless it has already. */
dyno_status dyno_handoff_give_lease(struct dyno_handoff *handoff, struct dyno_passage *passage);

/* ---- handoff_lost.c ---- */
/* Whatever is on its way for it is not any more. */
void dyno_handoff_drop_parts(struct dyno_handoff *handoff, struct dyno_passage *passage);
dyno_status dyno_handoff_halt(struct dyno_workers *workers, dyno_ns now, uint32_t worker);
dyno_status dyno_handoff_lose(struct dyno_workers *workers, dyno_ns now, uint32_t worker);
/* Of the listeners of either fleet. */
dyno_status dyno_handoff_on_lost(void *context, const struct dyno_resume *how_far);
dyno_status dyno_handoff_on_prompt_lost(void *context, const struct dyno_resume *how_far);
/* The whole request is served where it decodes. */
dyno_status dyno_handoff_fall_back(struct dyno_handoff *handoff, uint32_t place);
/* Its blocks have not arrived in time. */
dyno_status dyno_handoff_overdue(struct dyno_handoff *handoff, uint32_t place);
/* Somebody computes prompts. */
bool dyno_handoff_is_anybody(const struct dyno_handoff *handoff);

/* Whether the request goes by two workers. */
bool dyno_handoff_is_in_halves(struct dyno_handoff *handoff, uint32_t worker,
                               const struct dyno_request *request);
/* Learn what things cost, if it is time. */
void dyno_handoff_look(struct dyno_handoff *handoff);
struct dyno_handoff_view dyno_handoff_view_of(struct dyno_handoff *handoff, uint32_t worker,
                                              const struct dyno_request *request);

/* The seam's: of both fleets, and of what went from one to the other. */
void dyno_handoff_totals(const struct dyno_workers *workers, struct dyno_fleet_totals *out);

/* The half that decodes hears of a prompt that ended, perhaps with its first token. */
void dyno_handoff_note_ended(struct dyno_handoff *handoff, const struct dyno_passage *passage,
                             const struct dyno_request_record *record);
/* It ends with its prompt, as the record says. */
dyno_status dyno_handoff_end_with_prompt(struct dyno_handoff *handoff,
                                         const struct dyno_passage *passage,
                                         const struct dyno_request_record *record);

/* One way to hand a request over. */
struct dyno_handoff_way {
    bool first_token_here; /* as of struct dyno_half_listener */
    bool cancels_waiting;  /* cancel is for those in WAIT, too */
    dyno_status (*submit)(struct dyno_handoff *handoff, dyno_ns now, uint32_t worker,
                          const struct dyno_request *request);
    /* Of a request that is in neither WAIT nor MOVE. */
    dyno_status (*cancel)(struct dyno_handoff *handoff, uint32_t place);
    /* The place is among those whose blocks were reserved in the passes just formed. */
    dyno_status (*reserved)(struct dyno_handoff *handoff, uint32_t place);
    dyno_status (*prompt_done)(struct dyno_handoff *handoff, uint32_t place,
                               const struct dyno_request_record *record, dyno_ns when);
    /* It ended before anything was moved: its first token was its last, or there was none. */
    dyno_status (*prompt_ended)(struct dyno_handoff *handoff, uint32_t place,
                                const struct dyno_request_record *record);
    /* Its deadline is over: it is to be served whole.  NULL: nobody computes its prompt. */
    dyno_status (*give_up)(struct dyno_handoff *handoff, uint32_t place);
    /* Those whose prompt's last pass has begun: [ready_count].  May be NULL. */
    dyno_status (*begun)(struct dyno_handoff *handoff);
    /* Those whose hop is over: [ready_count].  May be NULL. */
    dyno_status (*hopped)(struct dyno_handoff *handoff);
};

extern const struct dyno_handoff_way dyno_handoff_push, dyno_handoff_pull, dyno_handoff_both;

#endif

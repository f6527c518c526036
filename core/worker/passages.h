/* Requests that are on their way between two workers: what handoff.c keeps of each.  A place holds
 * until the passage ends. */
#ifndef DYNO_CORE_WORKER_PASSAGES_H
#define DYNO_CORE_WORKER_PASSAGES_H

#include <stdbool.h>

#include "core/base/map.h"
#include "core/base/pool.h"
#include "core/base/slab.h"
#include "core/base/status.h"
#include "core/base/time.h"
#include "core/model/record.h"
#include "core/model/request.h"

/* The diagram is at the head of handoff.h. */
enum dyno_passage_phase {
    DYNO_PASSAGE_WAIT,
    DYNO_PASSAGE_PREFILL,
    DYNO_PASSAGE_HOP,
    DYNO_PASSAGE_MOVE,
};

/* A request that is not in one place yet. */
struct dyno_passage {
    struct dyno_request request; /* its spans are ours */
    enum dyno_passage_phase phase;
    uint32_t decode_worker, prefill_worker;
    uint32_t decode_place, prompt_place; /* prompt_place: DYNO_NO_WORKER when it is given back */
    uint32_t blocks;                     /* to be moved */
    dyno_ns started_at;                  /* the transfer, or the way to it */
    uint32_t tokens_ahead;               /* of others: 0 when its prompt is computed */
    uint32_t parts;                      /* of its blocks that are on their way */
    bool is_computed;                    /* its prompt, before there were blocks for it */
    bool begun;                          /* the first part of them is, or has been */
    bool is_over;                        /* it ends, as `outcome` says, when they have arrived */
    enum dyno_outcome outcome;
    bool cancelled;                    /* its client went while it was on its way */
    bool leaves;                       /* its prompt the worker that computes it, for it has taken
                                          too long: where it decodes it is served whole then */
    bool is_taken;                     /* its place */
    uint32_t tries;                    /* to move its blocks, beyond the first */
    struct dyno_request_record prompt; /* what there is to tell of it, when it is computed */
};

struct dyno_passages {
    struct dyno_pool pool;
    struct dyno_map place_of; /* by request id */
    struct dyno_slab spans;
};

void dyno_passages_init(struct dyno_passages *passages);
void dyno_passages_release(struct dyno_passages *passages);

/* DYNO_POOL_NONE: the request is in one place. */
uint32_t dyno_passages_find(const struct dyno_passages *passages, uint64_t id);
struct dyno_passage *dyno_passages_at(const struct dyno_passages *passages, uint32_t place);

/* Whether somebody has the place. */
bool dyno_passages_is_taken(const struct dyno_passages *passages, uint32_t place);

/* A passage in DYNO_PASSAGE_WAIT, of a copy of the request.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_passages_begin(struct dyno_passages *passages, const struct dyno_request *request,
                                uint32_t *place);
void dyno_passages_end(struct dyno_passages *passages, uint32_t place);

#endif

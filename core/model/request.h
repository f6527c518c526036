/* A request as core sees it: how long the prompt is and which blocks it shares with others.
 *
 * Core never hashes tokens.  A prompt arrives with a chain of spans: a span is a run of consecutive
 * engine blocks under one 64-bit identity, which names the blocks and all that stands before them
 * (identities are chained by whoever makes the request).  Two prompts whose first k spans have
 * equal identities share them; where two equal identities differ in length they share the shorter.
 * Spans hold only whole engine blocks that others may share; what follows them in the prompt (the
 * partial last block, or everything where the trace knows no identities) is the request's own.
 */
#ifndef DYNO_CORE_MODEL_REQUEST_H
#define DYNO_CORE_MODEL_REQUEST_H

#include <stdint.h>

#include "core/base/time.h"

struct dyno_resume; /* core/model/record.h */

enum { DYNO_MODELS_MAX = 16 }; /* that one fleet serves */

struct dyno_span {
    uint64_t id;     /* opaque, chained; never 0 or UINT64_MAX */
    uint32_t blocks; /* engine blocks, >= 1 */
};

struct dyno_request {
    uint64_t id;      /* 0, 1, 2, ... in the order the source gave them out */
    uint64_t session; /* 0: none; equal sessions belong to one conversation */
    uint32_t tenant;  /* 0: none */
    uint32_t model;   /* < DYNO_MODELS_MAX: which of those that the fleet serves; 0: the first */
    int32_t priority; /* lower is earlier, as in vLLM; 0: as most are */
    uint32_t prompt_tokens; /* >= 1 */
    uint32_t max_tokens;    /* most that may be generated, >= 1 */
    uint32_t span_count;
    const struct dyno_span *spans; /* [span_count]; the source's until its next take */
    dyno_ns scheduled_ns;          /* when the client wanted to send it */
    dyno_ns arrival_ns;            /* when it was sent: >= scheduled_ns; latency counts from here */
    dyno_ns held_ns;               /* so long it waited until a worker might take it */
    /* How far it came on a worker that was lost; stays until the request ends.  NULL: it is new. */
    const struct dyno_resume *before;
};

/* A worker's cache gained or lost leading blocks of a span. */
struct dyno_kv_event {
    dyno_ns at;
    uint64_t span; /* identity */
    uint32_t worker;
    uint32_t blocks; /* leading blocks of the span that the worker holds from now on; 0: none */
};

#endif

/* One request as a trace or the generator tells it, before it is paced. */
#ifndef DYNO_TRACES_ROW_H
#define DYNO_TRACES_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/time.h"
#include "core/model/request.h"

/* Limits on what a row may say. */
enum { DYNO_ROW_TOKENS_MAX = 16777216 }; /* of a prompt, and of an answer */

/* A run of prompt tokens under one identity, which names them and all before them. */
struct dyno_segment {
    uint64_t id;  /* chained; never 0 or UINT64_MAX */
    uint32_t end; /* prompt tokens up to here; segments are in order and do not overlap */
};

struct dyno_row {
    uint64_t line;                    /* in the file; 0: generated */
    uint32_t at_column, waits_column; /* of these in the line, for errors */
    dyno_ns at;                       /* when it was sent, from the first request of the trace */
    dyno_ns delay;                    /* from the end of what it waits for */
    uint64_t session;                 /* 0: none */
    uint32_t tenant;                  /* 0: none */
    uint32_t model;                   /* 1: the first, as the line names it; 0: it names none */
    int32_t priority;                 /* lower is earlier */
    uint64_t name;                    /* others may wait for it under this name; 0: none */
    uint64_t parent;                  /* a name it waits for if it is known; 0: none */
    uint32_t input_tokens;
    uint32_t output_tokens;
    uint32_t block_refs;    /* blocks of the trace's own size that have identities */
    bool has_at;            /* false: only what it waits for says when */
    bool is_ordered;        /* waits for the session's row before it */
    bool ends_session;      /* no later row of the session: it may be forgotten */
    bool is_failed;         /* recorded as failed: to be counted and dropped */
    uint64_t recording;     /* what its identities were salted with; 0: it is not recorded by us */
    uint64_t number;        /* of those that came at one instant, the lower came first ... */
    uint64_t place;         /* ... and then the one that stands first: 0, 1, 2, ... in the file */
    uint64_t lost;          /* requests before it that could not be recorded */
    uint8_t outcome;        /* of a recorded one: an enum dyno_outcome */
    uint32_t segment_count; /* identities may end before the prompt does */
    uint32_t segment_capacity;
    struct dyno_segment *segments; /* [segment_count] */
    uint32_t wait_count;
    uint32_t wait_capacity;
    uint64_t *waits; /* [wait_count]: names it waits for, which must exist */
    bool is_counted; /* it was counted when it was read ahead */
};

void dyno_row_release(struct dyno_row *row);

/* Forget what it says, keep the memory. */
void dyno_row_clear(struct dyno_row *row);

/* Room for `count` segments in all; false when memory is out. */
bool dyno_row_reserve_segments(struct dyno_row *row, uint32_t count);
/* Append; false when memory is out. */
bool dyno_row_add_segment(struct dyno_row *row, uint64_t id, uint32_t end);
bool dyno_row_add_wait(struct dyno_row *row, uint64_t name);

/* Identities of trace blocks of `block_tokens` tokens, as segments: chain what the segments' ids
 * hold (the trace's own ids) and set their ends. */
void dyno_row_chain(struct dyno_row *row, uint32_t block_tokens);

/* The spans of the row's prompt in engine blocks of `block_tokens` tokens.
 *
 * Engine block k covers tokens [kB, (k+1)B).  It belongs to the segment that holds its last token
 * and is told apart by its place among the engine blocks that end in that segment; as the identity
 * of a segment is chained, two blocks are equal exactly if all tokens up to their end are.  A
 * segment in which n >= 1 blocks end becomes one span of n blocks.  Only whole blocks count: the
 * rest of the prompt is the request's own.
 *
 * `spans` has room for segment_count of them; returns how many there are. */
uint32_t dyno_row_spans(const struct dyno_row *row, uint32_t block_tokens, struct dyno_span *spans);

#endif

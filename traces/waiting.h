/* Who waits for whom: turns of a session for the turn before, rows for those named in wait_for.
 *
 * A node stands for a request that others may wait for.
 *
 *   (none) -> UNDEFINED [dyno_waiting_admit]  a row waits for a name that was not read yet
 *   (none), UNDEFINED -> OPEN [dyno_waiting_admit]  its row was read
 *   OPEN -> ENDED [dyno_waiting_end]  its request ended; who waited for it is told
 *   ENDED -> (none)  no session or name leads to it any more, or it is the oldest of more than
 *                    DYNO_WAITING_ENDED_MAX that ended
 *
 * Memory is bounded: open nodes by the caller's look-ahead and requests in flight, ended ones by
 * DYNO_WAITING_ENDED_MAX.  A session or name that was forgotten so is unknown from then on. */
#ifndef DYNO_TRACES_WAITING_H
#define DYNO_TRACES_WAITING_H

#include <stdbool.h>

#include "core/base/map.h"
#include "core/base/status.h"
#include "core/base/time.h"
#include "traces/row.h"

enum { DYNO_WAITING_ENDED_MAX = 262144 }; /* ended requests remembered */
enum { DYNO_WAITING_AHEAD_MAX = 65536 };  /* rows in which a name waited for must appear */

#define DYNO_NODE_NONE UINT32_MAX

struct dyno_node;
struct dyno_edge;

struct dyno_waiting {
    struct dyno_node *nodes; /* [node_capacity], node_used of them touched so far */
    uint32_t node_capacity, node_used, node_free;
    struct dyno_edge *edges;
    uint32_t edge_capacity, edge_used, edge_free;
    struct dyno_map sessions;                      /* session -> node of its latest row */
    struct dyno_map names;                         /* name -> node */
    uint32_t ended_first, ended_last, ended_count; /* nodes in the order in which they ended */
    uint32_t undefined_first, undefined_last; /* nodes in the order in which they were asked for */
    uint64_t rows;                            /* admitted so far */
};

/* What a row waits for, as far as it is known when it is read. */
struct dyno_admission {
    uint32_t node;       /* DYNO_NODE_NONE: nobody can wait for this row */
    uint32_t waits_left; /* requests it waits for that have not ended */
    bool has_waited;     /* it waits or waited for something */
    bool begins_session;
    dyno_ns ended_ns; /* the latest end among those that have */
};

void dyno_waiting_init(struct dyno_waiting *waiting);
void dyno_waiting_release(struct dyno_waiting *waiting);

/* Take in a row that the caller keeps in `slot`; sets the row's session from its parent's where it
 * has a parent.  `file` is for errors.  Errors: DYNO_BAD_INPUT (a name given twice, a row that
 * waits for itself; then nothing was changed), DYNO_NO_MEMORY. */
dyno_status dyno_waiting_admit(struct dyno_waiting *waiting, uint32_t slot, struct dyno_row *row,
                               const char *file, struct dyno_admission *out,
                               struct dyno_error *error);

/* The request of `node` ended at `at`: `release` is called for each slot that waited for it, in the
 * order in which they were admitted. */
void dyno_waiting_end(struct dyno_waiting *waiting, uint32_t node, dyno_ns at,
                      void (*release)(void *context, uint32_t slot, dyno_ns at), void *context);

/* Refuse a name waited for that did not appear in time (`is_end`: that never will). */
dyno_status dyno_waiting_check(const struct dyno_waiting *waiting, const char *file, bool is_end,
                               struct dyno_error *error);

#endif

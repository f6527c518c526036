/* What must hold of a run, whatever its world: looked at after every turn, at every record, and at
 * the end.  The first promise that breaks is kept as a sentence; a broken cache aborts at once. */
#ifndef DYNO_CLI_SWARM_PROMISES_H
#define DYNO_CLI_SWARM_PROMISES_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/assembly/assembly.h"

enum { DYNO_SWARM_BROKEN_BYTES = 400 };

struct dyno_swarm_promises {
    struct dyno_sink sink; /* to be given to the assembly */
    struct dyno_clock clock;
    struct dyno_clock *inner; /* the assembly's own */
    struct dyno_assembly *assembly;
    uint64_t seed;
    double storm;         /* share of clients that give up */
    bool is_stormy;       /* the source is a storm */
    unsigned char *ended; /* [capacity]: how often each request ended, 255 at most */
    uint64_t capacity;
    uint64_t turns, records, completed, tokens_out;
    uint64_t cached, preemptions, refused, cancelled; /* what the world reached ... */
    uint64_t faults, migrated, failed;                /* ... and what went wrong in it */
    uint64_t gaps;        /* of tokens, as records tell them: the ledger */
    uint64_t digest;      /* of all that was told */
    uint32_t desired, up; /* workers of both roles, at the planner's last tick */
    dyno_ns now;
    char broken[DYNO_SWARM_BROKEN_BYTES]; /* "": nothing */
};

/* Zero-initialise first; set seed and storm.  Stands before the assembly's clock and source: to be
 * given to it as put_before with the promises as its context. */
dyno_status dyno_swarm_put_before(void *context, struct dyno_assembly *assembly,
                                  struct dyno_error *error);

/* The run is over. */
void dyno_swarm_conclude(struct dyno_swarm_promises *promises);
void dyno_swarm_promises_release(struct dyno_swarm_promises *promises);

/* The sink's table. */
extern const struct dyno_sink_ops dyno_swarm_sink_ops;

#endif

/* A storm of cancellations: a source some of whose clients give up, at a time drawn for each. */
#ifndef DYNO_CLI_SWARM_STORM_H
#define DYNO_CLI_SWARM_STORM_H

#include <stdbool.h>

#include "core/run/source.h"

/* `share` of the clients (0 to 1) give up within a while of being sent; `answers` (sim/answers.h)
 * know how long answers are.  On success *out owns
 * `inner` and closes it.  Error: DYNO_NO_MEMORY. */
dyno_status dyno_swarm_storm_open(struct dyno_source **out, struct dyno_source *inner,
                                  struct dyno_answers *answers, uint64_t seed, double share);

/* What a client was promised. */
struct dyno_swarm_client {
    dyno_ns gives_up; /* DYNO_NEVER: does not */
    uint32_t tokens;  /* as long as the answer is, or as many as were asked for */
};

/* Of request `id`, which was taken. */
struct dyno_swarm_client dyno_swarm_storm_client(const struct dyno_source *storm, uint64_t id);

#endif

/* Threads of the ranks that share a worker's passes (tensor parallelism): what all of them do at
 * once.  Rank 0 does its part on the caller's thread, the others on threads of their own, which
 * wait for the next work in between. */
#ifndef DYNO_BACKENDS_ENGINE_RANK_THREADS_H
#define DYNO_BACKENDS_ENGINE_RANK_THREADS_H

#include <stdint.h>

#include "core/base/status.h"

struct dyno_rank_threads;

struct dyno_rank_threads_config {
    uint32_t ranks; /* >= 1; of one there are no threads */
    /* A rank's part of the work, which is what was given to dyno_rank_threads_run.  Parts may wait
     * for one another. */
    void (*part)(void *context, uint32_t rank, const void *work);
    void *context; /* not owned */
};

/* On success *out is the caller's (dyno_rank_threads_close); on failure it is untouched.
 * Errors: DYNO_NO_MEMORY (also threads that cannot be started). */
dyno_status dyno_rank_threads_open(struct dyno_rank_threads **out,
                                   const struct dyno_rank_threads_config *config,
                                   struct dyno_error *error);
void dyno_rank_threads_close(struct dyno_rank_threads *threads); /* NULL: nothing */

/* Have every rank do its part, and wait for all of them: what they wrote is seen then.  From any
 * thread, never twice at once. */
void dyno_rank_threads_run(struct dyno_rank_threads *threads, const void *work);

#endif

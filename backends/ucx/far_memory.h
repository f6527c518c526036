/* The memory of a worker in another process: its blocks are read and written where they lie. */
#ifndef DYNO_BACKENDS_UCX_FAR_MEMORY_H
#define DYNO_BACKENDS_UCX_FAR_MEMORY_H

#include <pthread.h>

#include "backends/ucx/peer.h"

struct dyno_ucx_far_memory;

struct dyno_ucx_far_memory_config {
    const struct dyno_weights *weights;
    uint32_t ranks, blocks, block_tokens;
    struct dyno_ucx_peer *peer; /* who has it, and is told where it cannot be reached */
    pthread_mutex_t *turn;      /* held by who uses the channel, once it is open; not owned */
    bool is_shared;             /* it is mapped here: all of it is touched when it is opened */
};

/* Over `channel`, not owned; what the other end told of it is read from `reader`.  On success *out
 * is the caller's, to be closed before the channel.  Errors: DYNO_BAD_INPUT (what it told),
 * DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_ucx_far_memory_open(struct dyno_ucx_far_memory **out,
                                     struct dyno_ucx_channel *channel,
                                     struct dyno_ucx_reader *reader,
                                     const struct dyno_ucx_far_memory_config *config,
                                     struct dyno_error *error);
void dyno_ucx_far_memory_close(struct dyno_ucx_far_memory *memory); /* NULL: nothing */

struct dyno_kv_peer *dyno_ucx_far_memory_peer(struct dyno_ucx_far_memory *memory);

#endif

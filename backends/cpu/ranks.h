/* All ranks that share a model's passes (tensor parallelism), in one process: each has a thread, or
 * a team of them, its keys and values, and its part of the weights, which stay where they are.
 *
 * One rank is a forward pass and nothing else.  Several agree with it within the rounding of a
 * changed order of summation; for a given number of them, all that forward.h promises of a position
 * holds bit for bit.
 */
#ifndef DYNO_BACKENDS_CPU_RANKS_H
#define DYNO_BACKENDS_CPU_RANKS_H

#include "backends/cpu/forward.h"

struct dyno_ranks;

struct dyno_ranks_config {
    const struct dyno_weights *weights; /* not owned, whole */
    uint32_t ranks, threads;            /* >= 1; threads of each */
    uint32_t blocks, block_tokens;      /* KV of each */
    enum dyno_element kv;
    const struct dyno_isa *isa; /* these six as forward.h has them */
    uint32_t rows_max;
    void (*score)(void *context, uint32_t slice, uint32_t first, uint32_t count,
                  const float *logits);
    void *score_context;
    void (*layer_done)(void *context, uint32_t layers);
    void *layer_context;
    /* Where the keys and values of a rank are to lie: memory[bytes], as dyno_kv_storage_place has
     * it; NULL: there is none.  NULL: anywhere. */
    void *(*memory)(void *context, uint32_t rank, uint64_t bytes);
    void *memory_context;
};

/* On success *out is the caller's (dyno_ranks_close); on failure it is untouched.
 * Errors: as dyno_forward_open, dyno_kv_storage_open, dyno_shard_make, dyno_shard_weights_open and
 * dyno_local_collective_open; DYNO_NO_MEMORY (threads that cannot be started, no memory given). */
dyno_status dyno_ranks_open(struct dyno_ranks **out, const struct dyno_ranks_config *config,
                            struct dyno_error *error);
void dyno_ranks_close(struct dyno_ranks *ranks); /* NULL: nothing */

/* Rank 0's, for other work between passes, and while config.score is told. */
struct dyno_team *dyno_ranks_team(const struct dyno_ranks *ranks);

/* Keys and values of one rank, for copies in and out between passes, and of blocks that no pass
 * touches meanwhile. */
struct dyno_kv_storage *dyno_ranks_storage(const struct dyno_ranks *ranks, uint32_t rank);

uint32_t dyno_ranks_positions(const struct dyno_ranks *ranks);

/* As dyno_forward_run. */
void dyno_ranks_run(struct dyno_ranks *ranks, const struct dyno_forward_slice *slices,
                    uint32_t slice_count, float *logits);

#endif

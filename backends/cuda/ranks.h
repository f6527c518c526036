/* All ranks that share a model's passes (tensor parallelism), in one process: each has a GPU, its
 * part of the weights there, a forward pass over it, and a thread; what they tell each other goes
 * over NCCL.
 *
 * One rank is a forward pass and nothing else.  Once an operation has failed all that a rank can do
 * is to be closed: what the others have under way is ended, so that nobody waits for it. */
#ifndef DYNO_BACKENDS_CUDA_RANKS_H
#define DYNO_BACKENDS_CUDA_RANKS_H

#include "backends/cuda/forward.h"
#include "backends/cuda/kv_pool.h"

struct dyno_cuda_ranks;

/* What a rank computes on, not owned. */
struct dyno_cuda_rank {
    int gpu;
    const struct dyno_cuda_model *model; /* there */
    const struct dyno_shard *shard;      /* what of the whole model that is; NULL: all of it */
};

struct dyno_cuda_ranks_config {
    const struct dyno_cuda_rank *rank; /* [ranks], in their order, on different GPUs */
    uint32_t ranks;                    /* >= 1; more than one have shards */
    /* Of each; the model, the shard and the collective are filled in. */
    struct dyno_cuda_forward_config forward;
};

/* On success *out is the caller's (dyno_cuda_ranks_close); on failure it is untouched.  One rank
 * with a shard is a group of one.  Errors: as dyno_cuda_forward_open and dyno_cuda_collective_open;
 * DYNO_NO_MEMORY (threads that cannot be started). */
dyno_status dyno_cuda_ranks_open(struct dyno_cuda_ranks **out,
                                 const struct dyno_cuda_ranks_config *config,
                                 struct dyno_error *error);
void dyno_cuda_ranks_close(struct dyno_cuda_ranks *ranks); /* NULL: nothing */

/* As dyno_cuda_forward_warm and dyno_cuda_forward_run, of all ranks; from any thread, whose current
 * device is the first rank's then.  Never two at once. */
dyno_status dyno_cuda_ranks_warm(struct dyno_cuda_ranks *ranks, struct dyno_error *error);
dyno_status dyno_cuda_ranks_run(struct dyno_cuda_ranks *ranks, const struct dyno_cuda_slice *slices,
                                uint32_t slice_count, struct dyno_cuda_yield *yields,
                                struct dyno_error *error);

/* As dyno_cuda_forward_step and its like: only of one rank steps go ahead. */
dyno_status dyno_cuda_ranks_step(struct dyno_cuda_ranks *ranks,
                                 const struct dyno_cuda_slice *slices, uint32_t slice_count,
                                 uint32_t further, struct dyno_cuda_yield *yields,
                                 struct dyno_error *error);
bool dyno_cuda_ranks_is_ahead(const struct dyno_cuda_ranks *ranks);
dyno_status dyno_cuda_ranks_rest(struct dyno_cuda_ranks *ranks, struct dyno_error *error);

/* Keys and values of one rank, for copies in and out of blocks that no pass touches meanwhile. */
struct dyno_cuda_kv_pool dyno_cuda_ranks_pool(const struct dyno_cuda_ranks *ranks, uint32_t rank);

#endif

/* Which GPU holds what of a model: the whole of it, for every worker that is there, or what one
 * rank of one worker has. */
#ifndef DYNO_BACKENDS_CUDA_PARTS_H
#define DYNO_BACKENDS_CUDA_PARTS_H

#include "backends/cuda/ranks.h"

struct dyno_cuda_parts;

struct dyno_cuda_parts_config {
    const struct dyno_weights *weights; /* not owned, whole */
    uint32_t workers, ranks;            /* >= 1; ranks of each */
    uint32_t others;                    /* workers that are numbered behind these */
    uint32_t others_blocks;             /* KV of each of those; 0: as much as these have */
    uint32_t threads;                   /* load the weights */
    uint32_t positions;                 /* of a sequence */
    /* Of each rank, as plan.h reads it; not owned. */
    const struct dyno_cuda_forward_config *forward;
};

/* How many KV blocks each worker can have, but for the others: what the GPU with the least room has
 * room for.  Takes nothing for good; of several ranks their groups are tried (collective_trial.h).
 * Errors: DYNO_UNSUPPORTED (the model), DYNO_NOT_FOUND (no GPU, or too
 * few for the ranks), as dyno_shard_make, dyno_shard_weights_open and dyno_cuda_plan_make. */
dyno_status dyno_cuda_parts_blocks(uint32_t *out, const struct dyno_cuda_parts_config *config,
                                   struct dyno_error *error);

/* Load the weights.  On success *out is the caller's (dyno_cuda_parts_close); on failure it is
 * untouched.  Errors: likewise, and as dyno_cuda_model_open. */
dyno_status dyno_cuda_parts_open(struct dyno_cuda_parts **out,
                                 const struct dyno_cuda_parts_config *config,
                                 struct dyno_error *error);
void dyno_cuda_parts_close(struct dyno_cuda_parts *parts); /* NULL: nothing */

uint32_t dyno_cuda_parts_gpus(const struct dyno_cuda_parts *parts); /* that are in use */

/* The ranks of the worker, or of another, which are there until the parts are closed. */
void dyno_cuda_parts_of(const struct dyno_cuda_parts *parts, uint32_t worker,
                        struct dyno_cuda_ranks_config *out);

/* The memory that is planned for a worker is its place, and may be somebody else's in turn, from
 * other threads: of those who enter it by the same number one is there at a time.  `ranks` is where
 * the caller keeps its own; what is there, its own too, is closed, and not used by anybody then.
 * Nobody else gets in before dyno_cuda_parts_leave. */
void dyno_cuda_parts_enter(struct dyno_cuda_parts *parts, uint32_t worker,
                           struct dyno_cuda_ranks **ranks);
void dyno_cuda_parts_leave(struct dyno_cuda_parts *parts, uint32_t worker);

/* Close the caller's own, if they are still there; *ranks is NULL then. */
void dyno_cuda_parts_vacate(struct dyno_cuda_parts *parts, uint32_t worker,
                            struct dyno_cuda_ranks **ranks);

#endif

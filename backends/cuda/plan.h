/* Where a GPU's memory goes, worked out before any of it is taken: the weights, and for each worker
 * what its passes need and the blocks of its KV cache. */
#ifndef DYNO_BACKENDS_CUDA_PLAN_H
#define DYNO_BACKENDS_CUDA_PLAN_H

#include <stdint.h>

#include "backends/cuda/forward.h"

struct dyno_cuda_plan {
    uint64_t weights; /* bytes, of all workers together */
    uint64_t passes;  /* of a worker: activations, logits, workspace, what a pass is told */
    uint64_t block;   /* of one KV block, all layers */
    uint64_t reserve; /* is left to CUDA: its context, code, graphs */
    uint64_t group;   /* takes NCCL, where ranks share */
    uint64_t others;  /* of all others that have a number of blocks of their own */
    uint64_t total;   /* of all of that with `blocks` blocks a worker */
    uint32_t blocks;  /* of each worker */
};

/* Who shares a GPU. */
struct dyno_cuda_load {
    uint32_t workers;       /* whose blocks are to be found */
    uint32_t others;        /* the same passes ... */
    uint32_t others_blocks; /* ... and so many blocks each; 0: as many as the workers have */
    uint64_t group_bytes;   /* that NCCL takes (collective_trial.h); one rank: 0 */
};

/* For those who share one GPU of which `free_bytes` are free.  config->blocks 0: as many blocks as
 * fit, up to what sequences_max sequences of `positions` tokens can fill.  config->model and
 * config->collective are not read.  Of a rank, `weights` are its view and config->shard says which.
 * Errors: DYNO_NO_MEMORY, with the arithmetic and what to change. */
dyno_status dyno_cuda_plan_make(struct dyno_cuda_plan *out, const struct dyno_weights *weights,
                                enum dyno_element element, uint32_t positions,
                                const struct dyno_cuda_forward_config *config,
                                const struct dyno_cuda_load *load, uint64_t free_bytes,
                                struct dyno_error *error);

#endif

/* GPUs as a device: workers that compute real tokens (backends/cuda/ranks.h) in threads of their
 * own (backends/engine/threaded.h).  Worker i computes on GPU i modulo their number; those of one
 * GPU share its weights.  With several ranks a worker, every rank has a GPU that nobody else has:
 * worker i those from i x ranks on.
 *
 * The next token is the one with the largest logit; of equal ones, the first.  A request that
 * brings a generation is asked (backends/engine/generation.h).
 *
 * An error of CUDA while a pass is computed takes the worker along, having said on stderr which
 * call failed; whether the others go on is the caller's to say (threaded.survives).  It may be
 * started again, which fails where the error sticks.
 */
#ifndef DYNO_BACKENDS_CUDA_DEVICE_H
#define DYNO_BACKENDS_CUDA_DEVICE_H

#include "backends/assets/weights.h"
#include "backends/engine/threaded.h"

struct dyno_cuda_config {
    const struct dyno_weights *weights; /* not owned */
    uint32_t ranks;                     /* that share every pass of a worker; 0: as 1 */
    uint32_t threads;                   /* of each worker on the host: to load weights, and to
                                           choose tokens that GPUs do not; >= 1 */
    bool kv_fp8;                        /* keys and values as e4m3; else as the activations, bf16 */
    bool weights_narrow;                /* weights of 8 bits stay so (model.h); else all are bf16 */
    uint32_t blocks, block_tokens; /* KV of each worker; blocks 0: see dyno_cuda_device_blocks */
    uint32_t batch_tokens_max;     /* rows of a pass */
    uint32_t context_max;          /* tokens of a sequence */
    /* Workers that are numbered behind these and on the same GPUs by the same rule, which is how
     * one GPU may have two roles: so many, with so many KV blocks each (0: as many as these).
     * Memory is planned for them too.  They are a device of their own, which is opened with this
     * one `beside` it: weights of a GPU that both use are there once. */
    uint32_t others, others_blocks;
    /* Those others are in the places of these, by number: of the two one is there at a time (what
     * is to start takes the other's memory), so that memory is planned for the larger one. */
    bool shares_places;
    /* [ready_first, ready_first + ready_count) are there when it opens; count 0: all.  The rest may
     * be started. */
    uint32_t ready_first, ready_count;
    const struct dyno_device *beside; /* not owned, and closes later; then `blocks` is given, and
                                         NULL: these are the first */
    dyno_ns *start_ns; /* becomes what starting a worker took, on average, without the weights;
                          NULL: nobody wants to know */
    bool predicts; /* measure a few passes when it opens, so that it can say what one would take */
    /* worker_count, seqs_max, steps_max, transcripts, answers, clock; the rest is filled in. */
    struct dyno_threaded_config threaded;
};

/* How many KV blocks each worker can have on these GPUs: as many as its sequences can fill, or what
 * memory there is free.  config->blocks > 0: that many, if they fit.
 * Errors: DYNO_UNSUPPORTED (the model, or a build without CUDA), DYNO_BAD_INPUT (weights_narrow,
 * and there are none of 8 bits), DYNO_NOT_FOUND (no GPU, or fewer than ranks), DYNO_NO_MEMORY, with
 * the arithmetic, and as dyno_shard_make. */
dyno_status dyno_cuda_device_blocks(uint32_t *out, const struct dyno_cuda_config *config,
                                    struct dyno_error *error);

/* On success *out is closed through its ops; on failure it is untouched.
 * Errors: as dyno_cuda_device_blocks, dyno_cuda_ranks_open and dyno_threaded_device_open. */
dyno_status dyno_cuda_device_open(struct dyno_device **out, const struct dyno_cuda_config *config,
                                  struct dyno_error *error);

#endif

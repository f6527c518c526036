/* What a group of GPUs takes of their memory, found by trying it.
 *
 * NCCL takes buffers by the channels, the neighbours and the protocols that it chooses, which
 * depend on its version, on the links between the GPUs and on the sizes that it is asked for; it
 * takes some of them only when an operation wants them.  No formula says how much that is, so it is
 * brought together once, before memory is planned, and does what passes will ask of it. */
#ifndef DYNO_BACKENDS_CUDA_COLLECTIVE_TRIAL_H
#define DYNO_BACKENDS_CUDA_COLLECTIVE_TRIAL_H

#include <stdint.h>

#include "core/base/status.h"

struct dyno_cuda_trial {
    uint32_t ranks;
    const int *gpus;       /* [ranks] */
    uint64_t sum_elements; /* BF16, of the largest sum; >= 1 */
    uint64_t gather_each;  /* F32, of the most that a rank gives to a gather; >= 1 */
};

/* Bytes of the GPU that it takes most of.  All is given back; sums and gathers beyond some 32 MiB
 * are tried with that, as all larger ones are alike.  Takes a second or two.
 * Errors: as dyno_cuda_collective_open; DYNO_WORKER_GONE (an operation failed); DYNO_NO_MEMORY. */
dyno_status dyno_cuda_collective_measure(uint64_t *out, const struct dyno_cuda_trial *trial,
                                         struct dyno_error *error);

#endif

/* Choosing tokens on the device, a block a sequence.
 *
 * What is chosen is dyno_sample's choice (kernels/sample.h, the definition): the same steps in the
 * same order, logits changed in double, weights in whole units of 2^-44 whose sums are exact, the
 * draw from (seed, position).  So it does not depend on the batch.  One step may differ: e^x is the
 * device's, within a unit of the last place of the host's, so that a weight may be a unit of 2^-44
 * more or less, and another token drawn if the drawn share lies within that of a border: for a
 * vocabulary of 128k about once in 10^8 draws.  Greedy choices are always the same.
 */
#ifndef DYNO_KERNELS_CUDA_SAMPLE_H
#define DYNO_KERNELS_CUDA_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/cuda/launch.h"
#include "kernels/sample.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The pointers in `sampling` and `history` are to the device's memory. */
struct dyno_cuda_sample_row {
    struct dyno_sampling sampling; /* tokens of bias that are not below vocab count for nothing */
    struct dyno_sample_history history; /* likewise */
    uint64_t position;
};

struct dyno_cuda_sample_job {
    uint32_t rows, vocab;                   /* vocab: 1 to DYNO_SAMPLE_VOCAB_MAX */
    const struct dyno_cuda_sample_row *row; /* [rows], on the device */
    const float *logits;                    /* [rows][stride] */
    uint64_t stride;
    void *scratch;   /* dyno_cuda_sample_scratch, aligned to 8 bytes */
    uint32_t *token; /* [rows] the choices */
};

size_t dyno_cuda_sample_scratch(const struct dyno_cuda_sample_job *job);

int dyno_cuda_sample(const struct dyno_cuda_sample_job *job, dyno_cuda_stream stream);

#ifdef __cplusplus
}
#endif

#endif

/* Choosing tokens on the device.
 *
 * What is chosen is dyno_sample's choice (kernels/sample.h, the definition): the same steps in the
 * same order, logits changed in double, weights in whole units of 2^-44 whose sums are exact, the
 * draw from (seed, position).  So it does not depend on the batch.  One step may differ: a weight
 * is within 2^-46 of the definition's before it is cut off to whole units, so that it may be a unit
 * more or less, and another token drawn if the drawn share lies within as much of a border: for a
 * vocabulary of 128k less than once in 10^8 draws.  Greedy choices are always the same.
 *
 * Bound by memory: 4 bytes a token; drawing reads them twice.
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
    void *scratch;   /* as many bytes as the version asks for, aligned to 8 */
    uint32_t *token; /* [rows] the choices */
};

/* A block a row, in steps over weights of all tokens in double. */
size_t dyno_cuda_sample_plain_scratch(const struct dyno_cuda_sample_job *job);
int dyno_cuda_sample_plain(const struct dyno_cuda_sample_job *job, dyno_cuda_stream stream);

/* In three passes, a row shared out over several blocks; at most 2^20 rows. */
size_t dyno_cuda_sample_scratch(const struct dyno_cuda_sample_job *job);
int dyno_cuda_sample(const struct dyno_cuda_sample_job *job, dyno_cuda_stream stream);

#ifdef __cplusplus
}
#endif

#endif

/* What the next step of decoding is told, made on the device from what this one was told and the
 * tokens that it chose: so that the one can follow the other without the host. */
#ifndef DYNO_KERNELS_CUDA_ADVANCE_H
#define DYNO_KERNELS_CUDA_ADVANCE_H

#include <stdint.h>

#include "kernels/cuda/attention.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/sample.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Row i is one position of a sequence, which lies where row i of the table says:
 *
 *   token[i] = chosen[i];  position[i], slices[i].first and sample[i].position go up by 1
 *   slot[i] = block x block_tokens + position[i] % block_tokens, where
 *   block = table[i][position[i] / block_tokens], or DYNO_CUDA_NO_SLOT beyond table_width
 *
 * A row without a token (UINT32_MAX) stays as it is.  Bound by memory, and by the launch. */
struct dyno_cuda_advance_job {
    uint32_t rows, block_tokens, table_width;
    const uint32_t *chosen;                   /* [rows] */
    const uint32_t *table;                    /* [rows][table_width] */
    uint32_t *token, *position, *slot;        /* [rows] */
    struct dyno_cuda_attention_slice *slices; /* [rows] */
    struct dyno_cuda_sample_row *sample;      /* [rows] */
};

int dyno_cuda_advance(const struct dyno_cuda_advance_job *job, dyno_cuda_stream stream);

#ifdef __cplusplus
}
#endif

#endif

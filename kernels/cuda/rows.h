/* What is done to rows between the products, on the device: embedding lookup and the MLP's gate. */
#ifndef DYNO_KERNELS_CUDA_ROWS_H
#define DYNO_KERNELS_CUDA_ROWS_H

#include <stdint.h>

#include "kernels/cuda/launch.h"
#include "kernels/matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out[t] = table[token[t]], copied.  A token that is not below vocab gives zeros: nothing is read.
 * Bound by memory: 4 bytes an element. */
struct dyno_cuda_embedding_job {
    uint32_t tokens, vocab, columns; /* columns: a multiple of 8, of 16 bits each */
    const void *table;               /* [vocab][columns], aligned to 16 bytes */
    const uint32_t *token;           /* [tokens] */
    void *out;                       /* [tokens][columns], likewise */
};

int dyno_cuda_embedding(const struct dyno_cuda_embedding_job *job, dyno_cuda_stream stream);

/* out[r][i] = silu(gate[r][i]) up[r][i]: dyno_silu_multiply_ref (kernels/activation.h), from which
 * it differs by the rounding of the result and 2^-18 of it.  Bound by memory: 6 bytes an element.
 */
struct dyno_cuda_silu_job {
    enum dyno_element element; /* F16 or BF16 */
    uint32_t rows, columns;    /* columns: a multiple of 8 */
    const void *gate, *up;     /* [rows][stride], aligned to 16 bytes; may be one matrix's halves */
    uint64_t stride;           /* elements, a multiple of 8 */
    void *out;                 /* [rows][columns], aligned to 16 bytes; neither gate nor up */
};

int dyno_cuda_silu(const struct dyno_cuda_silu_job *job, dyno_cuda_stream stream);

#ifdef __cplusplus
}
#endif

#endif

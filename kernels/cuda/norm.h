/* RMSNorm on the device, with the residual added before it where there is one.
 *
 *   sum[r][i]      = x[r][i] + residual[r][i], rounded to the element  (x itself without residual)
 *   residual[r][i] = sum[r][i]
 *   out[r][i]      = sum[r][i] / sqrt(mean over i of sum[r]^2 + epsilon) weight[i]
 *
 * The definition is dyno_rms_norm_ref (kernels/norm.h) of the rounded sums; these differ from it by
 * the rounding of the result to its element and less than 2^-18 of it.  What a row becomes does not
 * depend on the other rows.
 *
 * Bound by memory: (2, with residual 4) x columns x 2 bytes a row.
 */
#ifndef DYNO_KERNELS_CUDA_NORM_H
#define DYNO_KERNELS_CUDA_NORM_H

#include <stdint.h>

#include "kernels/cuda/launch.h"
#include "kernels/matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

struct dyno_cuda_norm_job {
    enum dyno_element element; /* F16 or BF16: of x, residual, weight and out */
    uint32_t rows, columns;    /* columns >= 1; no rows: nothing is done */
    float epsilon;
    const void *x;      /* [rows][x_stride] */
    void *residual;     /* [rows][columns]; NULL: none */
    const void *weight; /* [columns] */
    void *out;          /* [rows][columns]; may be x where x_stride is columns, never residual */
    uint64_t x_stride;  /* elements */
};

/* A block a row, an element at a time. */
int dyno_cuda_norm_plain(const struct dyno_cuda_norm_job *norm, dyno_cuda_stream stream);

/* The row stays in registers, and moves in vectors of 16 bytes: columns and x_stride are multiples
 * of 8, columns at most 32768, and all pointers aligned to 16 bytes. */
int dyno_cuda_norm_vector(const struct dyno_cuda_norm_job *norm, dyno_cuda_stream stream);

/* The fastest that takes this shape. */
int dyno_cuda_norm(const struct dyno_cuda_norm_job *norm, dyno_cuda_stream stream);

#ifdef __cplusplus
}
#endif

#endif

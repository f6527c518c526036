/* The product of a matrix with few activations, bound by reading the matrix once:
 *
 *   y[i][r] = sum over k of W[r][k] x[i][k], plus bias[r], plus residual[i][r], each where there is
 *
 * The definition is dyno_matmul_ref (kernels/matmul.h) of the matrix as it is read, from which this
 * differs by the rounding of the result and 2^-14 (sum over k of |W[r][k] x[i][k]| + |bias| +
 * |residual|). What an activation becomes is summed in the same order whatever the others are.
 *
 * Weights of 8 and 4 bits are turned into floats on their way: groups of `group` columns have a
 * scale, and W[r][k] = scale[r][k / group] quantum[r][k].  Of 4 bits, column 2j is the lower half
 * of byte j, and the quantum is the half minus 8.  Of e4m3 the quantum is the number itself, not
 * one that is none (0x7f, 0xff).
 */
#ifndef DYNO_KERNELS_CUDA_GEMV_H
#define DYNO_KERNELS_CUDA_GEMV_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/cuda/launch.h"
#include "kernels/matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { DYNO_CUDA_GEMV_MAX = 16 }; /* activations */

enum dyno_cuda_weights {
    DYNO_CUDA_WEIGHTS_16, /* of the activations' element */
    DYNO_CUDA_WEIGHTS_INT8,
    DYNO_CUDA_WEIGHTS_INT4,
    DYNO_CUDA_WEIGHTS_E4M3, /* in gemm.h: of a tensor, with one scale */
};

struct dyno_cuda_gemv_job {
    enum dyno_element element; /* F16 or BF16: of x, residual, bias, y, and integers' scales */
    enum dyno_cuda_weights kind;
    bool y_is_float;             /* y is fp32; then there is no residual */
    uint32_t n;                  /* activations, up to DYNO_CUDA_GEMV_MAX */
    uint32_t rows, columns;      /* columns: a multiple of 8; but for 16 bits also of group */
    uint32_t group;              /* a multiple of 8; 16-bit weights: not read */
    const void *weights;         /* [rows][columns], aligned to 16 bytes */
    const void *scales;          /* [rows][columns / group], of E4M3 floats; 16 bits: not read */
    const void *x;               /* [n][x_stride], aligned to 16 bytes */
    const void *residual;        /* [n][y_stride]; NULL: none; may be y */
    const void *bias;            /* [rows]; NULL: none */
    void *y;                     /* [n][y_stride] */
    uint64_t x_stride, y_stride; /* elements; x_stride: a multiple of 8 */
};

/* A warp a row of the matrix, 8 columns a lane, up to 8 activations at a time. */
int dyno_cuda_gemv_plain(const struct dyno_cuda_gemv_job *job, dyno_cuda_stream stream);

/* On tensor cores, 16 or 32 rows a warp; what they cannot do (groups that are not a power of two,
 * or below 32; of E4M3 a whole row may be one) as above.  From Hopper on it may begin while the
 * kernel before it still runs, and waits for that one's results; it must not be what writes weights
 * or scales. */
int dyno_cuda_gemv(const struct dyno_cuda_gemv_job *job, dyno_cuda_stream stream);

#ifdef __cplusplus
}
#endif

#endif

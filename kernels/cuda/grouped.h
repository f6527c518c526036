/* The products of a mixture's experts, in one launch: rows that are sorted by expert, each
 * multiplied with the matrix of its own.
 *
 *   y[place][r] = sum over k of W[expert of place][r][k] x[place][k]
 *   expert of place: the e with expert_first[e] <= place < expert_first[e + 1]
 *
 * Places and expert_first are moe.h's; the host need not know how many each expert has.  The
 * definition is dyno_matmul_ref (kernels/matmul.h) expert by expert, from which this differs by the
 * rounding of the result and 2^-14 (sum over k of |W[r][k] x[k]|).  Sums are in the order of k,
 * whatever else is in the batch; those of wgmma may differ from those of mma in their last bits.
 *
 * Weights of 8 bits are those of widen.h: on their way they become the 16-bit elements that it
 * makes of them, and are multiplied as such.
 *
 * Bound by memory (the matrices of the experts that have rows) up to some hundred rows an expert,
 * by the tensor cores above.
 */
#ifndef DYNO_KERNELS_CUDA_GROUPED_H
#define DYNO_KERNELS_CUDA_GROUPED_H

#include <stdint.h>

#include "kernels/cuda/gemv.h"
#include "kernels/cuda/launch.h"
#include "kernels/matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

struct dyno_cuda_grouped_job {
    enum dyno_element element;    /* F16 or BF16: of x, y, weights of 16 bits, integers' scales */
    enum dyno_cuda_weights kind;  /* 16, INT8 or E4M3; others are refused */
    uint32_t group;               /* a multiple of 8, columns of it; 16 bits: not read */
    uint32_t experts;             /* up to DYNO_CUDA_EXPERTS_MAX (moe.h) */
    uint32_t slots;               /* places: expert_first[experts] */
    uint32_t rows, columns;       /* multiples of 8 */
    const uint32_t *expert_first; /* [experts + 1] */
    const void *weights;          /* [experts][rows][columns], aligned to 16 bytes, as below */
    const void *scales;           /* [experts][rows][columns / group], of E4M3 floats; 16 bits: not
                                   * read */
    const void *x;                /* [slots][x_stride]; not y */
    void *y;                      /* [slots][y_stride] */
    uint64_t x_stride, y_stride;  /* elements; multiples of 8 */
};

/* By sm_80's instructions, in tiles of 16 to 128 places and 128 rows. */
int dyno_cuda_grouped_mma(const struct dyno_cuda_grouped_job *job, dyno_cuda_stream stream);

/* By TMA and wgmma, in tiles of 128 places and 256 rows, with weights of 16 bits; refused where the
 * GPU is not Hopper's. */
int dyno_cuda_grouped_wgmma(const struct dyno_cuda_grouped_job *job, dyno_cuda_stream stream);

/* The one that is faster, by the places that an expert has on average. */
int dyno_cuda_grouped(const struct dyno_cuda_grouped_job *job, dyno_cuda_stream stream);

#ifdef __cplusplus
}
#endif

#endif

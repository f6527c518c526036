/* Matrices of 8 bits as 16-bit elements, for products of more activations than gemv.h takes:
 *
 *   out[r][k] = scale[r][k / group] quantum[r][k], rounded to nearest even
 *
 * which is bit for bit what backends/assets makes of a checkpoint's e4m3 and of Q8_0 whose scales
 * are of the element.
 *
 * Bound by memory: 3 bytes a weight.
 */
#ifndef DYNO_KERNELS_CUDA_WIDEN_H
#define DYNO_KERNELS_CUDA_WIDEN_H

#include <stdint.h>

#include "kernels/cuda/gemv.h"
#include "kernels/cuda/launch.h"
#include "kernels/matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

struct dyno_cuda_widen_job {
    enum dyno_element element;   /* F16 or BF16: of out, and of integers' scales */
    enum dyno_cuda_weights kind; /* INT8 or E4M3; others are refused */
    uint32_t rows, columns;      /* columns: a multiple of 8 and of group */
    uint32_t group;              /* a multiple of 8 */
    const void *weights;         /* [rows][columns], aligned to 8 bytes */
    const void *scales;          /* [rows][columns / group], of E4M3 floats */
    void *out;                   /* [rows][columns], aligned to 16 bytes */
};

int dyno_cuda_widen(const struct dyno_cuda_widen_job *job, dyno_cuda_stream stream);

#ifdef __cplusplus
}
#endif

#endif

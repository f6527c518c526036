/* The product of a matrix with any number of activations:
 *
 *   y[i][r] = sum over k of W[r][k] x[i][k], plus bias[r], plus residual[i][r], each where there is
 *
 * by cuBLASLt, or by gemv.h where that is faster.  The definition is dyno_matmul_ref
 * (kernels/matmul.h), from which this differs by the rounding of the result and
 * 2^-14 (sum over k of |W[r][k] x[i][k]| + |bias| + |residual|).
 *
 * Where there are both a bias and a residual, cuBLASLt may round to the element before it adds the
 * second, so twice.
 *
 * E4M3: weights and x are of e4m3, and what is multiplied is weight_scale W x_scale x; its sums are
 * the tensor cores', whose precision NVIDIA does not publish: 2^-8 in place of 2^-14.
 *
 * Which algorithm cuBLASLt uses depends on the shape, n's bucket included, so unlike gemv.h's the
 * sum of an activation is in an order that may be another one for another n.
 *
 * Bound by memory for few activations (the bytes of W), by the tensor cores for many.
 */
#ifndef DYNO_KERNELS_CUDA_GEMM_H
#define DYNO_KERNELS_CUDA_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/cuda/gemv.h"
#include "kernels/cuda/launch.h"
#include "kernels/matrix.h"

#ifdef __cplusplus
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* a function that is called as a struct is */
extern "C" {
#endif

/* A handle of cuBLASLt, its workspace, and the algorithms chosen so far.  Of one device and one
 * thread; its products share the workspace, so they go to one stream, or wait for each other. */
struct dyno_cuda_gemm;

struct dyno_cuda_gemm_job {
    enum dyno_element element;   /* F16 or BF16: of x, weights, residual, bias, y */
    enum dyno_cuda_weights kind; /* 16, or E4M3: of x and weights; others are refused */
    bool y_is_float;             /* y is fp32 (logits); then there is no bias and no residual */
    uint32_t n, rows, columns;   /* columns: a multiple of 8; E4M3: columns and rows of 16 */
    const void *weights;         /* [rows][columns], aligned to 16 bytes */
    const void *x;               /* [n][x_stride], aligned to 16 bytes; not y */
    const void *residual;        /* [n][y_stride]; NULL: none; may be y */
    const void *bias;            /* [rows]; NULL: none */
    void *y;                     /* [n][y_stride] */
    uint64_t x_stride, y_stride; /* elements; x_stride: a multiple of 8, E4M3: of 16 */
    float weight_scale, x_scale; /* E4M3 only */
};

/* Takes the workspace on the current device: the only allocation.  On success *out is the caller's
 * (dyno_cuda_gemm_close); on failure it is untouched.  0, or DYNO_CUDA_FAILED. */
int dyno_cuda_gemm_open(struct dyno_cuda_gemm **out, size_t workspace_bytes);
void dyno_cuda_gemm_close(struct dyno_cuda_gemm *gemm); /* NULL: nothing */

/* The n' >= n whose algorithm n has: n up to 16, then 8 between powers of two.  Who prepares n = 1,
 * bucket(n) + 1 and so on has prepared all. */
uint32_t dyno_cuda_gemm_bucket(uint32_t n);

/* Looks up how the job will be computed, and launches nothing; the pointers matter by their
 * alignment, and by which of them are NULL or equal.  0, DYNO_CUDA_REFUSED, DYNO_CUDA_FAILED. */
int dyno_cuda_gemm_prepare(struct dyno_cuda_gemm *gemm, const struct dyno_cuda_gemm_job *job);

/* Prepares the job by trying cuBLASLt's eight best guesses and keeping the fastest, for all n of
 * its bucket.  Computes the job several times, waits for the stream, and leaves anything in y.  For
 * products bound by arithmetic: repeated, a small matrix would come from the cache. */
int dyno_cuda_gemm_tune(struct dyno_cuda_gemm *gemm, const struct dyno_cuda_gemm_job *job,
                        dyno_cuda_stream stream);

/* May be captured in a graph.  REFUSED also where the GPU has no e4m3. */
int dyno_cuda_gemm(struct dyno_cuda_gemm *gemm, const struct dyno_cuda_gemm_job *job,
                   dyno_cuda_stream stream);

#ifdef __cplusplus
}
#pragma GCC diagnostic pop
#endif

#endif

/* What the launchers of kernels/cuda share.
 *
 * A launcher checks the shapes, queues its kernel on `stream` (a cudaStream_t; NULL: the default
 * one) and returns without waiting:
 *
 *    0  queued;
 *   -1  the shape, the type or an alignment is not supported: nothing was queued or written;
 *   -2  the device refused the launch: said on stderr, with what to do about it.
 *
 * All pointers are to device memory.  16-bit rows are those of enum dyno_element (F16, BF16);
 * arithmetic between is in fp32.
 */
#ifndef DYNO_KERNELS_CUDA_LAUNCH_H
#define DYNO_KERNELS_CUDA_LAUNCH_H

#ifdef __cplusplus
extern "C" {
#endif

enum {
    DYNO_CUDA_REFUSED = -1,
    DYNO_CUDA_FAILED = -2,
};

typedef struct CUstream_st *dyno_cuda_stream;

/* The outcome of a call to CUDA: 0, or DYNO_CUDA_FAILED having said on stderr which call at which
 * place failed, why, and what to do about the common causes. */
int dyno_cuda_check(int error, const char *call, const char *file, int line);

/* What to do about the commonest causes of an error of CUDA, which its own words do not say. */
const char *dyno_cuda_advice(int error);

#define DYNO_CUDA_CHECK(call) dyno_cuda_check((int)(call), #call, __FILE__, __LINE__)

#ifdef __cplusplus
}
#endif

#endif

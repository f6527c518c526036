/* Calls to CUDA's runtime and to the launchers of kernels/cuda, whose failures become sentences. */
#ifndef DYNO_BACKENDS_CUDA_RUNTIME_H
#define DYNO_BACKENDS_CUDA_RUNTIME_H

#include <cuda_runtime_api.h>

#include "core/base/status.h"

/* That `call` returned `code`, which is not cudaSuccess: DYNO_NO_MEMORY where there was none,
 * DYNO_NOT_FOUND where there is no GPU or no driver, else DYNO_WORKER_GONE. */
dyno_status dyno_cuda_fail(struct dyno_error *error, cudaError_t code, const char *call);

/* That the launcher `call` returned `code` (kernels/cuda/launch.h), which is not 0. */
dyno_status dyno_cuda_launch_fail(struct dyno_error *error, int code, const char *call);

/* Return early with what became of a call that failed. */
#define DYNO_CUDA_TRY(call, error)                                                                 \
    do {                                                                                           \
        cudaError_t dyno_cuda_try_code = (call);                                                   \
        if (dyno_cuda_try_code != cudaSuccess) {                                                   \
            return dyno_cuda_fail(error, dyno_cuda_try_code, #call);                               \
        }                                                                                          \
    } while (0)

#define DYNO_CUDA_LAUNCH(call, error)                                                              \
    do {                                                                                           \
        int dyno_cuda_launch_code = (call);                                                        \
        if (dyno_cuda_launch_code != 0) {                                                          \
            return dyno_cuda_launch_fail(error, dyno_cuda_launch_code, #call);                     \
        }                                                                                          \
    } while (0)

#endif

#include "backends/cuda/runtime.h"

#include <string.h>

#include "kernels/cuda/launch.h"

/* A call's name, without its arguments. */
static int name_length(const char *call)
{
    return (int)strcspn(call, "(");
}

static dyno_status status_of(cudaError_t code)
{
    switch (code) {
    case cudaErrorMemoryAllocation:
        return DYNO_NO_MEMORY;
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorInsufficientDriver:
        return DYNO_NOT_FOUND;
    default:
        return DYNO_WORKER_GONE;
    }
}

dyno_status dyno_cuda_fail(struct dyno_error *error, cudaError_t code, const char *call)
{
    return dyno_fail(error, status_of(code), "%.*s failed: %s: %s; %s", name_length(call), call,
                     cudaGetErrorName(code), cudaGetErrorString(code), dyno_cuda_advice(code));
}

dyno_status dyno_cuda_launch_fail(struct dyno_error *error, int code, const char *call)
{
    if (code == DYNO_CUDA_REFUSED) {
        return dyno_fail(error, DYNO_UNSUPPORTED, "%.*s does not take shapes of this model",
                         name_length(call), call);
    }
    return dyno_fail(error, DYNO_WORKER_GONE, "%.*s failed: the line above says why",
                     name_length(call), call);
}

/* What is said of a call to CUDA that failed. */
#include <cstdio>
#include <cuda_runtime.h>

#include "kernels/cuda/launch.h"

const char *dyno_cuda_advice(int error)
{
    switch (static_cast<cudaError_t>(error)) {
    case cudaErrorNoDevice:
        return "no GPU is visible: look at nvidia-smi and CUDA_VISIBLE_DEVICES";
    case cudaErrorInsufficientDriver:
        return "NVIDIA's driver is not installed, or older than the CUDA toolkit: install or "
               "update it, or build with an older toolkit";
    case cudaErrorMemoryAllocation:
        return "the GPU's memory is full: use fewer KV blocks, or see in nvidia-smi who holds it";
    case cudaErrorNoKernelImageForDevice:
        return "the kernels were not built for this GPU: add its architecture to "
               "DYNO_CUDA_ARCHITECTURES";
    case cudaErrorIllegalAddress:
        return "a kernel read or wrote outside of its memory: compute-sanitizer names it";
    default:
        return "see the CUDA Runtime API's table of errors";
    }
}

int dyno_cuda_check(int error, const char *call, const char *file, int line)
{
    auto code = static_cast<cudaError_t>(error);

    if (code == cudaSuccess) {
        return 0;
    }
    fprintf(stderr, "%s:%d: %s: %s: %s; %s\n", file, line, call, cudaGetErrorName(code),
            cudaGetErrorString(code), dyno_cuda_advice(error));
    return DYNO_CUDA_FAILED;
}

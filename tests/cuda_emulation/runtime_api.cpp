/* CUDA's runtime API over memory of the host. */
#include "tests/cuda_emulation/cuda_runtime_api.h"

#include <cstring>

#include "tests/cuda_emulation/cuda.h"
#include "tests/cuda_emulation/memory.h"

static cudaError_t last_error;

cudaError_t dyno_emulation_refuse(cudaError_t error);
cudaError_t dyno_emulation_refuse(cudaError_t error)
{
    return last_error = error;
}

cudaError_t cudaMalloc(void **out, size_t bytes)
{
    void *memory = emulation::memory_take(bytes);

    if (!memory) {
        return cudaErrorMemoryAllocation;
    }
    *out = memory;
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory)
{
    return !memory || emulation::memory_give(memory) ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind)
{
    if (!emulation::memory_within(from, bytes) || !emulation::memory_written(to, bytes)) {
        return cudaErrorIllegalAddress;
    }
    memcpy(to, from, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemset(void *memory, int value, size_t bytes)
{
    if (!emulation::memory_written(memory, bytes)) {
        return cudaErrorIllegalAddress;
    }
    memset(memory, value, bytes);
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize()
{
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device)
{
    *device = 0;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int)
{
    *value = attribute == cudaDevAttrMultiProcessorCount ? 3 : 9;
    return cudaSuccess;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char *symbol, void **entry, unsigned,
                                             unsigned long long,
                                             enum cudaDriverEntryPointQueryResult *result)
{
    bool known = strcmp(symbol, "cuTensorMapEncodeTiled") == 0;

    *entry = known ? reinterpret_cast<void *>(&cuTensorMapEncodeTiled) : nullptr;
    *result = known ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *, enum cudaFuncAttribute, int value)
{
    constexpr int shared_bytes_max = 227 * 1024;

    return value <= shared_bytes_max ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaGetLastError()
{
    cudaError_t told = last_error;

    last_error = cudaSuccess;
    return told;
}

const char *cudaGetErrorName(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return "cudaSuccess";
    case cudaErrorInvalidValue:
        return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
        return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
        return "cudaErrorInvalidConfiguration";
    case cudaErrorInsufficientDriver:
        return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
        return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
        return "cudaErrorInvalidDevice";
    case cudaErrorNoKernelImageForDevice:
        return "cudaErrorNoKernelImageForDevice";
    case cudaErrorIllegalAddress:
        return "cudaErrorIllegalAddress";
    }
    return "an unknown error";
}

const char *cudaGetErrorString(cudaError_t error)
{
    return cudaGetErrorName(error);
}

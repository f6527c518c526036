/* CUDA's runtime API over memory of the host. */
#include "tests/cuda_emulation/cuda_runtime_api.h"

#include <cstdlib>
#include <cstring>

#include "tests/cuda_emulation/cuda.h"
#include "tests/cuda_emulation/devices.h"
#include "tests/cuda_emulation/faults.h"
#include "tests/cuda_emulation/limits.h"
#include "tests/cuda_emulation/memory.h"
#include "tests/cuda_emulation/stream.h"

static thread_local cudaError_t last_error;
static size_t free_bytes_told = size_t{8} << 30;
static size_t free_taken[8]; /* of each device; by several threads */

cudaError_t dyno_emulation_refuse(cudaError_t error);
cudaError_t dyno_emulation_refuse(cudaError_t error)
{
    return last_error = error;
}

cudaError_t cudaMalloc(void **out, size_t bytes)
{
    emulation::turn turn;
    cudaError_t fault = emulation::fault();
    void *memory = fault == cudaSuccess ? emulation::memory_take(bytes) : nullptr;

    if (fault != cudaSuccess) {
        return fault;
    }
    if (!memory) {
        return cudaErrorMemoryAllocation;
    }
    *out = memory;
    return cudaSuccess;
}

/* CUDA waits for all of the device; here who frees what a stream still uses is to be found. */
cudaError_t cudaFree(void *memory)
{
    emulation::turn turn;

    emulation::finish_legacy();
    return !memory || emulation::memory_give(memory) ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t emulation::copy(void *to, const void *from, size_t bytes)
{
    if (!memory_within(from, bytes) || !memory_written(to, bytes)) {
        return cudaErrorIllegalAddress;
    }
    memcpy(to, from, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind)
{
    cudaError_t fault = emulation::fault();

    return fault != cudaSuccess
               ? fault
               : emulation::do_now([=]() { return emulation::copy(to, from, bytes); });
}

cudaError_t emulation::set(void *memory, int value, size_t bytes)
{
    if (!memory_written(memory, bytes)) {
        return cudaErrorIllegalAddress;
    }
    memset(memory, value, bytes);
    memory_all_ended();
    return cudaSuccess;
}

/* Of the device's memory: nobody waits for it. */
cudaError_t cudaMemset(void *memory, int value, size_t bytes)
{
    return cudaMemsetAsync(memory, value, bytes, nullptr);
}

void emulation::take_free(int device, size_t bytes)
{
    __atomic_fetch_add(&free_taken[device], bytes, __ATOMIC_RELAXED);
}

void emulation::give_free(int device, size_t bytes)
{
    __atomic_fetch_sub(&free_taken[device], bytes, __ATOMIC_RELAXED);
}

void dyno_emulation_free_bytes(size_t bytes)
{
    free_bytes_told = bytes;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    size_t taken = __atomic_load_n(&free_taken[emulation::device_current()], __ATOMIC_RELAXED);

    *total_bytes = free_bytes_told;
    *free_bytes = free_bytes_told > taken ? free_bytes_told - taken : 0;
    return emulation::fault();
}

cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned)
{
    emulation::turn turn;
    cudaError_t fault = emulation::fault();

    if (fault != cudaSuccess) {
        return fault;
    }
    *out = malloc(bytes + (bytes == 0));
    if (!*out) {
        return cudaErrorMemoryAllocation;
    }
    emulation::memory_pin(*out, bytes);
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *memory)
{
    emulation::turn turn;

    emulation::memory_unpin(memory);
    free(memory);
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int)
{
    emulation::capability capability = emulation::capability_of_device();

    switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
        *value = 3;
        break;
    case cudaDevAttrComputeCapabilityMajor:
        *value = capability.major;
        break;
    case cudaDevAttrComputeCapabilityMinor:
        *value = capability.minor;
        break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = static_cast<int>(capability.shared_max);
        break;
    }
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

cudaError_t cudaGetLastError()
{
    cudaError_t told = last_error, fault = emulation::fault();

    last_error = cudaSuccess;
    return told == cudaSuccess ? fault : told;
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
    case cudaErrorInvalidPitchValue:
        return "cudaErrorInvalidPitchValue";
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
    case cudaErrorInvalidResourceHandle:
        return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady:
        return "cudaErrorNotReady";
    case cudaErrorIllegalAddress:
        return "cudaErrorIllegalAddress";
    case cudaErrorPeerAccessAlreadyEnabled:
        return "cudaErrorPeerAccessAlreadyEnabled";
    case cudaErrorStreamCaptureUnsupported:
        return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureImplicit:
        return "cudaErrorStreamCaptureImplicit";
    }
    return "an unknown error";
}

const char *cudaGetErrorString(cudaError_t error)
{
    return cudaGetErrorName(error);
}

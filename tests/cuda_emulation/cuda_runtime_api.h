/* The part of CUDA's runtime API that the kernels' launchers and their tests call, over memory of
 * the host: the device is this process, every call has ended when it returns.
 *
 * Names and meanings are CUDA's; a program compiled against this header compiles against NVIDIA's.
 * cudaMalloc's memory is poisoned (every byte 0xff, a NaN in all float formats), lies between zones
 * that belong to nobody, and is watched byte by byte (tests/cuda_emulation/memory.h).
 */
#ifndef DYNO_TESTS_CUDA_EMULATION_CUDA_RUNTIME_API_H
#define DYNO_TESTS_CUDA_EMULATION_CUDA_RUNTIME_API_H

#include <stddef.h>

#define DYNO_CUDA_EMULATION 1

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorNoKernelImageForDevice = 209,
    cudaErrorIllegalAddress = 700,
} cudaError_t;

enum cudaMemcpyKind {
    cudaMemcpyHostToHost = 0,
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost = 2,
    cudaMemcpyDeviceToDevice = 3,
    cudaMemcpyDefault = 4,
};

enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

enum cudaDeviceAttr {
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrComputeCapabilityMajor = 75,
};

enum { cudaEnableDefault = 0 };
enum cudaDriverEntryPointQueryResult {
    cudaDriverEntryPointSuccess = 0,
    cudaDriverEntryPointSymbolNotFound = 1,
};

typedef struct CUstream_st *cudaStream_t;

cudaError_t cudaMalloc(void **out, size_t bytes);
cudaError_t cudaFree(void *memory); /* NULL: nothing */
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind);
cudaError_t cudaMemset(void *memory, int value, size_t bytes);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaGetDevice(int *device);
/* A device of compute capability 9 with few multiprocessors, so that a block has several turns. */
cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device);
/* cuTensorMapEncodeTiled, and nothing else. */
cudaError_t cudaGetDriverEntryPointByVersion(const char *symbol, void **entry, unsigned version,
                                             unsigned long long flags,
                                             enum cudaDriverEntryPointQueryResult *result);
cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value);

/* The error of the last launch that was refused; it is forgotten when told. */
cudaError_t cudaGetLastError(void);
const char *cudaGetErrorName(cudaError_t error);
const char *cudaGetErrorString(cudaError_t error);

#ifdef __cplusplus
}
#endif

#endif

/* What a launcher for Hopper asks of the driver and of the device. */
#ifndef DYNO_KERNELS_CUDA_HOPPER_HOST_CUH
#define DYNO_KERNELS_CUDA_HOPPER_HOST_CUH

#include <cuda.h>
#include <cuda_runtime.h>

namespace dyno
{

/* cuTensorMapEncodeTiled, which is the driver's, without linking it; null if it has none. */
static inline decltype(&cuTensorMapEncodeTiled) map_encoder()
{
    constexpr unsigned since = 12000; /* CUDA's version */
    cudaDriverEntryPointQueryResult found;
    void *entry = nullptr;

    if (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, since, cudaEnableDefault,
                                         &found) != cudaSuccess ||
        found != cudaDriverEntryPointSuccess) {
        return nullptr;
    }
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(entry);
}

/* Multiprocessors of the current device if it is Hopper's, or 0. */
static inline unsigned hopper_processors()
{
    int device, major = 0, count = 0;

    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) != cudaSuccess ||
        cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device) != cudaSuccess) {
        return 0;
    }
    return major == 9 ? static_cast<unsigned>(count) : 0;
}

} /* namespace dyno */

#endif

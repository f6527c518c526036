/* For the kernels: the launch, shared memory, and sums over a warp or a block.
 *
 * A host's compiler finds another cuda_runtime.h, the tests' emulation, which has these macros of
 * its own.
 */
#ifndef DYNO_KERNELS_CUDA_DEVICE_CUH
#define DYNO_KERNELS_CUDA_DEVICE_CUH

#include <cstddef>
#include <cstdint>
#include <cuda_runtime.h>

#if defined(__CUDACC__)
/* `kernel` in parentheses if there are commas in it. */
#define DYNO_LAUNCH(kernel, grid, block, dynamic_bytes, stream, ...)                               \
    kernel<<<grid, block, dynamic_bytes, stream>>>(__VA_ARGS__)
/* The launch's dynamic_bytes of shared memory. */
#define DYNO_DYNAMIC_SHARED(name) extern __shared__ __align__(16) unsigned char name[]
#endif

namespace dyno
{

constexpr unsigned warp_lanes = 32, all_lanes = ~0U;

__device__ __forceinline__ unsigned lane_index()
{
    return threadIdx.x % warp_lanes;
}

__device__ __forceinline__ unsigned warp_index()
{
    return threadIdx.x / warp_lanes;
}

/* Over groups of `lanes` neighbours (a power of two); every lane gets the result. */
template <class T> __device__ __forceinline__ T lanes_sum(T value, unsigned lanes = warp_lanes)
{
    for (unsigned step = lanes / 2; step > 0; step /= 2) {
        value += __shfl_xor_sync(all_lanes, value, step);
    }
    return value;
}

template <class T> __device__ __forceinline__ T lanes_max(T value, unsigned lanes = warp_lanes)
{
    for (unsigned step = lanes / 2; step > 0; step /= 2) {
        T other = __shfl_xor_sync(all_lanes, value, step);

        value = other > value ? other : value;
    }
    return value;
}

/* Over a block of whole warps, in one dimension; every thread gets the result.  `partial` is shared
 * memory of one T a warp, which nobody uses meanwhile; it may be used again after a barrier. */
template <class T> __device__ __forceinline__ T block_sum(T value, T *partial)
{
    T total = 0;

    value = lanes_sum(value);
    if (lane_index() == 0) {
        partial[warp_index()] = value;
    }
    __syncthreads();
    for (unsigned i = 0; i < blockDim.x / warp_lanes; i++) {
        total += partial[i];
    }
    return total;
}

/* Whether vectors of 16 bytes can be read there. */
static inline bool is_aligned(const void *address, size_t stride_bytes)
{
    return reinterpret_cast<uintptr_t>(address) % 16 == 0 && stride_bytes % 16 == 0;
}

template <class T> __host__ __device__ constexpr T divide_up(T count, T by)
{
    return (count + by - 1) / by;
}

} /* namespace dyno */

#endif

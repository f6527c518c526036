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
/* May start while the launch before it on the stream still runs: its blocks call
 * wait_for_launch_before before they read what that one writes, or write. */
#define DYNO_LAUNCH_AFTER(kernel, grid, block, dynamic_bytes, stream, ...)                         \
    dyno::launch_after(kernel, grid, block, dynamic_bytes, stream, __VA_ARGS__)
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

#if defined(__CUDACC__)

__device__ __forceinline__ void wait_for_launch_before()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;\n" ::: "memory");
#endif
}

/* The next launch, if it may start early, may do so when every block of this one has said so. */
__device__ __forceinline__ void let_launch_after_start()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
#endif
}

/* Before Hopper, where there is no such overlap, an ordinary launch. */
template <class... Parameters, class... Arguments>
void launch_after(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t dynamic_bytes,
                  cudaStream_t stream, Arguments... arguments)
{
    constexpr int hopper = 9;
    int device = 0, major = 0;
    cudaLaunchAttribute attribute = {};
    cudaLaunchConfig_t config = {};

    (void)cudaGetDevice(&device);
    (void)cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = dynamic_bytes;
    config.stream = stream;
    config.attrs = &attribute;
    config.numAttrs = major >= hopper ? 1 : 0;
    (void)cudaLaunchKernelEx(&config, kernel, arguments...);
}

#endif

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

/* Whether a block of the current device can have so much shared memory, its static part included.
 */
static inline bool block_can_share(size_t bytes)
{
    int device, most = 0;

    return cudaGetDevice(&device) == cudaSuccess &&
           cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device) ==
               cudaSuccess &&
           bytes <= static_cast<size_t>(most);
}

template <class T> __host__ __device__ constexpr T divide_up(T count, T by)
{
    return (count + by - 1) / by;
}

} /* namespace dyno */

#endif

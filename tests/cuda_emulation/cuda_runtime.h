/* CUDA C++ as the kernels use it, for a host's C++ compiler: qualifiers, built-in variables,
 * barriers, warp operations, atomics, vector types and intrinsics, and the launch.
 *
 * `#include <cuda_runtime.h>` finds this where tests/cuda_emulation is on the path of includes.
 * What a kernel may not do here: rely on warps running in step, start kernels, allocate.
 */
#ifndef DYNO_TESTS_CUDA_EMULATION_CUDA_RUNTIME_H
#define DYNO_TESTS_CUDA_EMULATION_CUDA_RUNTIME_H

#include <cmath>
#include <cstdint>
#include <cstring>

#include "tests/cuda_emulation/block.h"
#include "tests/cuda_emulation/cuda_runtime_api.h"
#include "tests/cuda_emulation/hopper.h"
#include "tests/cuda_emulation/limits.h"
#include "tests/cuda_emulation/memory.h"
#include "tests/cuda_emulation/stream.h"
#include "tests/cuda_emulation/tensor.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
/* As many bytes before the kernel's code as its blocks may have threads (limits.h). */
#define DYNO_EMULATION_FIRST(first, ...) (first)
#define __launch_bounds__(...)                                                                     \
    __attribute__((patchable_function_entry(DYNO_EMULATION_FIRST(__VA_ARGS__, 0),                  \
                                            DYNO_EMULATION_FIRST(__VA_ARGS__, 0))))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __grid_constant__
#if defined(__SANITIZE_ADDRESS__)
#define __shared__ static /* between red zones */
#else
#define __shared__ static __attribute__((section("dyno_shared")))
#endif

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_of = 1, unsigned y_of = 1, unsigned z_of = 1) : x(x_of), y(y_of), z(z_of)
    {
    }
};

#define threadIdx (emulation::here.thread_index)
#define blockIdx  (emulation::here.block_index)
#define blockDim  (emulation::here.block_dim)
#define gridDim   (emulation::here.grid_dim)

struct __align__(8) uint2
{
    unsigned x, y;
};
struct __align__(16) uint4
{
    unsigned x, y, z, w;
};
struct __align__(8) float2
{
    float x, y;
};
struct __align__(16) float4
{
    float x, y, z, w;
};

static inline uint2 make_uint2(unsigned x, unsigned y)
{
    return {x, y};
}
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w)
{
    return {x, y, z, w};
}
static inline float2 make_float2(float x, float y)
{
    return {x, y};
}
static inline float4 make_float4(float x, float y, float z, float w)
{
    return {x, y, z, w};
}

/* Barriers. */

static inline void __syncthreads(const char *file = __builtin_FILE(),
                                 unsigned line = __builtin_LINE())
{
    emulation::barrier(file, line);
}

namespace emulation
{
void warp_epoch_ends(void *const *, unsigned mask);

template <class T> struct exchange {
    T value;
    unsigned argument; /* the other lane, or a step to it */
    T result;
};

template <class T, class Lane> void swap_lanes(void *const *arguments, unsigned mask, Lane lane_of)
{
    for (unsigned lane = 0; lane < warp_lanes; lane++) {
        auto *own = static_cast<exchange<T> *>(arguments[lane]);
        unsigned from = own ? lane_of(lane, own->argument) : 0;

        if (!own) {
            continue;
        }
        if (!(mask >> from & 1)) {
            complain("a shuffle reads lane %u, which takes no part", from);
        }
        own->result = static_cast<exchange<T> *>(arguments[from])->value;
    }
}
} /* namespace emulation */

static inline void __syncwarp(unsigned mask = ~0U)
{
    emulation::meet(mask, "__syncwarp", nullptr, emulation::warp_epoch_ends);
}

/* Shuffles, votes. */

template <class T> T __shfl_sync(unsigned mask, T value, unsigned lane)
{
    emulation::exchange<T> own = {value, lane, value};

    emulation::meet(mask, "__shfl_sync", &own, [](void *const *arguments, unsigned lanes) {
        emulation::swap_lanes<T>(
            arguments, lanes, [](unsigned, unsigned from) { return from % emulation::warp_lanes; });
    });
    return own.result;
}

template <class T> T __shfl_xor_sync(unsigned mask, T value, unsigned step)
{
    emulation::exchange<T> own = {value, step, value};

    emulation::meet(mask, "__shfl_xor_sync", &own, [](void *const *arguments, unsigned lanes) {
        emulation::swap_lanes<T>(arguments, lanes,
                                 [](unsigned self, unsigned by) { return self ^ by; });
    });
    return own.result;
}

template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned step)
{
    emulation::exchange<T> own = {value, step, value};

    emulation::meet(mask, "__shfl_up_sync", &own, [](void *const *arguments, unsigned lanes) {
        emulation::swap_lanes<T>(arguments, lanes, [](unsigned self, unsigned by) {
            return self >= by ? self - by : self;
        });
    });
    return own.result;
}

static inline unsigned __ballot_sync(unsigned mask, int predicate)
{
    emulation::exchange<unsigned> own = {predicate != 0, 0, 0};

    emulation::meet(mask, "__ballot_sync", &own, [](void *const *arguments, unsigned) {
        unsigned votes = 0;

        for (unsigned lane = 0; lane < emulation::warp_lanes; lane++) {
            auto *other = static_cast<emulation::exchange<unsigned> *>(arguments[lane]);

            votes |= other ? other->value << lane : 0;
        }
        for (unsigned lane = 0; lane < emulation::warp_lanes; lane++) {
            if (arguments[lane]) {
                static_cast<emulation::exchange<unsigned> *>(arguments[lane])->result = votes;
            }
        }
    });
    return own.result;
}

static inline int __any_sync(unsigned mask, int predicate)
{
    return __ballot_sync(mask, predicate) != 0;
}

static inline int __all_sync(unsigned mask, int predicate)
{
    return __ballot_sync(mask, predicate) == mask;
}

static inline unsigned __reduce_or_sync(unsigned mask, unsigned value)
{
    emulation::exchange<unsigned> own = {value, 0, 0};

    emulation::meet(mask, "__reduce_or_sync", &own, [](void *const *arguments, unsigned) {
        unsigned all = 0;

        for (unsigned lane = 0; lane < emulation::warp_lanes; lane++) {
            auto *other = static_cast<emulation::exchange<unsigned> *>(arguments[lane]);

            all |= other ? other->value : 0;
        }
        for (unsigned lane = 0; lane < emulation::warp_lanes; lane++) {
            if (arguments[lane]) {
                static_cast<emulation::exchange<unsigned> *>(arguments[lane])->result = all;
            }
        }
    });
    return own.result;
}

/* Atomics: nobody runs between the read and the write. */

namespace emulation
{
/* As the runtime sees memory: not watched. */
void copy_unwatched(void *to, const void *from, size_t bytes);

template <class T, class F> T update(T *address, F next)
{
    T before, after;

    watch(address, sizeof(T), access::atomic);
    copy_unwatched(&before, address, sizeof before);
    after = next(before);
    copy_unwatched(address, &after, sizeof after);
    return before;
}
} /* namespace emulation */

template <class T> T atomicAdd(T *address, T value)
{
    return emulation::update(address, [&](T before) { return static_cast<T>(before + value); });
}

template <class T> T atomicMax(T *address, T value)
{
    return emulation::update(address, [&](T before) { return before > value ? before : value; });
}

template <class T> T atomicMin(T *address, T value)
{
    return emulation::update(address, [&](T before) { return before < value ? before : value; });
}

template <class T> T atomicOr(T *address, T value)
{
    return emulation::update(address, [&](T before) { return before | value; });
}

/* Arithmetic. */

static inline unsigned min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static inline float rsqrtf(float x)
{
    return 1.0F / sqrtf(x);
}
#define __expf(x) expf(x) /* glibc has the name already */
static inline float __fdividef(float a, float b)
{
    return a / b;
}
static inline double __dmul_rn(double a, double b)
{
    return a * b;
}
static inline double __dsub_rn(double a, double b)
{
    return a - b;
}
static inline double __dadd_rd(double a, double b)
{
    double sum = a + b;

    /* Exact where |a| <= |b|, as where a whole number is cut off. */
    return a - (sum - b) < 0.0 ? nextafter(sum, -INFINITY) : sum;
}
static inline unsigned __float_as_uint(float value)
{
    unsigned bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}
static inline float __uint_as_float(unsigned bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline long long __double_as_longlong(double value)
{
    long long bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}
static inline double __longlong_as_double(long long bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{
    return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}
static inline int __popc(unsigned bits)
{
    return __builtin_popcount(bits);
}
static inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector)
{
    unsigned long long bytes = static_cast<unsigned long long>(high) << 32 | low;
    unsigned result = 0;

    for (unsigned i = 0; i < 4; i++) { /* the sign's copies (selector bit 3) are not there */
        result |= static_cast<unsigned>(bytes >> 8 * (selector >> 4 * i & 7) & 0xff) << 8 * i;
    }
    return result;
}
static inline int __ffs(int bits)
{
    return __builtin_ffs(bits);
}
template <class T> T __ldg(const T *address)
{
    return *address;
}

/* The launch.  Arguments are copied, as to a device. */

extern "C++" cudaError_t dyno_emulation_refuse(cudaError_t error);

template <class T>
cudaError_t cudaFuncSetAttribute(T *function, enum cudaFuncAttribute attribute, int value)
{
    return cudaFuncSetAttribute(reinterpret_cast<const void *>(function), attribute, value);
}

template <class T>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *count, T *, int, size_t)
{
    *count = 2;
    return cudaSuccess;
}

namespace emulation
{
template <class Body> void run_body(const void *argument)
{
    (*static_cast<const Body *>(argument))();
}

/* What is launched, and how. */
struct launched {
    const char *name;
    const void *kernel;
    index3 grid, block;
    size_t dynamic_bytes;
    bool is_early;
};

static inline index3 index3_of(dim3 from)
{
    return {from.x, from.y, from.z};
}

template <class T> const void *address_of(T *kernel)
{
    return reinterpret_cast<const void *>(kernel);
}

template <class Call, class... Arguments>
void launch_call(const launched &what, cudaStream_t stream, Call call, Arguments... arguments)
{
    auto body = [=]() { call(arguments...); };
    cudaError_t refusal = is_here(stream) ? look_at_launch(what.name, what.kernel, what.grid,
                                                           what.block, what.dynamic_bytes)
                                          : cudaErrorInvalidResourceHandle;

    if (refusal == cudaSuccess) {
        refusal = queue(stream, [=]() {
            auto own = body; /* on the stack, where kernels find their arguments */

            launch(what.name, what.grid, what.block, what.dynamic_bytes, what.is_early,
                   run_body<decltype(own)>, &own);
            return cudaSuccess;
        });
    }
    if (refusal != cudaSuccess) {
        dyno_emulation_refuse(refusal);
    }
}
} /* namespace emulation */

#define DYNO_EMULATION_LAUNCH(kernel, grid, block, dynamic_bytes, is_early, stream, ...)           \
    emulation::launch_call(                                                                        \
        {#kernel, emulation::address_of(kernel), emulation::index3_of(grid),                       \
         emulation::index3_of(block), dynamic_bytes, is_early},                                    \
        stream, [](auto... arguments) { (kernel)(arguments...); }, __VA_ARGS__)

#define DYNO_LAUNCH(kernel, grid, block, dynamic_bytes, stream, ...)                               \
    DYNO_EMULATION_LAUNCH(kernel, grid, block, dynamic_bytes, false, stream, __VA_ARGS__)

/* Launches end before the next begins; but who depends on that is found (block.h). */
#define DYNO_LAUNCH_AFTER(kernel, grid, block, dynamic_bytes, stream, ...)                         \
    DYNO_EMULATION_LAUNCH(kernel, grid, block, dynamic_bytes,                                      \
                          emulation::capability_of_device().major >= 9, stream, __VA_ARGS__)
static inline void wait_for_launch_before()
{
    emulation::wait_for_launch();
}
static inline void let_launch_after_start()
{
}

#define DYNO_DYNAMIC_SHARED(name) unsigned char *const name = emulation::here.dynamic_shared

#endif

/* Hopper's own instructions as the kernels use them: barriers in shared memory that count bytes,
 * boxes of a tensor by TMA, products of a warp group (wgmma), and registers handed between warp
 * groups.  PTX ISA 8.0 and later, sm_90a only. */
#ifndef DYNO_KERNELS_CUDA_HOPPER_CUH
#define DYNO_KERNELS_CUDA_HOPPER_CUH

#include <cuda.h>

#include "kernels/cuda/hopper_layout.h"
#include "kernels/cuda/mma.cuh"

namespace dyno
{

constexpr unsigned group_threads = 128; /* a warp group */

#if defined(__CUDACC__)

/* Barriers in shared memory.  A phase ends when all arrivals and all bytes that it expects have
 * come; who waits names the parity of the phase, 0 first. */

__device__ __forceinline__ void barrier_init(uint64_t *barrier, unsigned arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;\n" ::"r"(shared_address(barrier)),
                 "r"(arrivals));
}

/* After barrier_init, before __syncthreads: TMA sees them too. */
__device__ __forceinline__ void barriers_are_set()
{
    asm volatile("fence.mbarrier_init.release.cluster;\n" ::: "memory");
}

__device__ __forceinline__ void barrier_arrive(uint64_t *barrier)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];\n" ::"r"(shared_address(barrier))
                 : "memory");
}

/* Arrives, and expects bytes from boxes in this phase. */
__device__ __forceinline__ void barrier_expect(uint64_t *barrier, unsigned bytes)
{
    asm volatile(
        "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;\n" ::"r"(shared_address(barrier)),
        "r"(bytes)
        : "memory");
}

__device__ __forceinline__ void barrier_wait(uint64_t *barrier, unsigned parity)
{
    asm volatile("{\n"
                 ".reg .pred done;\n"
                 "again:\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
                 "@done bra ready;\n"
                 "bra again;\n"
                 "ready:\n"
                 "}\n" ::"r"(shared_address(barrier)),
                 "r"(parity)
                 : "memory");
}

/* Barriers by number, of some of a block's threads (0 is __syncthreads'). */
__device__ __forceinline__ void threads_wait(unsigned barrier, unsigned threads)
{
    asm volatile("bar.sync %0, %1;\n" ::"r"(barrier), "r"(threads) : "memory");
}

__device__ __forceinline__ void threads_arrive(unsigned barrier, unsigned threads)
{
    asm volatile("bar.arrive %0, %1;\n" ::"r"(barrier), "r"(threads) : "memory");
}

/* What this thread wrote to shared memory is there for wgmma, after the next barrier. */
__device__ __forceinline__ void shared_is_written()
{
    asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory");
}

/* A box of a tensor of five dimensions to shared memory; its bytes arrive at `barrier`.  What lies
 * outside of the tensor becomes zeros. */
__device__ __forceinline__ void fetch_box(const CUtensorMap *map, void *to, uint64_t *barrier,
                                          const unsigned (&at)[5])
{
    asm volatile(
        "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], "
        "[%1, {%3, %4, %5, %6, %7}], [%2];\n" ::"r"(shared_address(to)),
        "l"(map), "r"(shared_address(barrier)), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]),
        "r"(at[4])
        : "memory");
}

__device__ __forceinline__ void map_prefetch(const CUtensorMap *map)
{
    asm volatile("prefetch.tensormap [%0];\n" ::"l"(map) : "memory");
}

/* A warp group's registers a thread, from here on. */
template <int count> __device__ __forceinline__ void registers_less()
{
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;\n" ::"n"(count));
}

template <int count> __device__ __forceinline__ void registers_more()
{
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;\n" ::"n"(count));
}

/* Products.  Operands of what was begun may not be touched before it was waited for. */

__device__ __forceinline__ void products_begin()
{
    asm volatile("wgmma.fence.sync.aligned;\n" ::: "memory");
}

__device__ __forceinline__ void products_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;\n" ::: "memory");
}

/* Until all but the last `groups` groups are done. */
template <int groups> __device__ __forceinline__ void products_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;\n" ::"n"(groups) : "memory");
}

/* Nothing that uses these registers moves across. */
template <unsigned count> __device__ __forceinline__ void registers_fence(float (&of)[count])
{
#pragma unroll
    for (unsigned i = 0; i < count; i++) {
        asm volatile("" : "+f"(of[i])::"memory");
    }
}

#define DYNO_REGISTERS_8(of, i)                                                                    \
    "+f"(of[i]), "+f"(of[i + 1]), "+f"(of[i + 2]), "+f"(of[i + 3]), "+f"(of[i + 4]),               \
        "+f"(of[i + 5]), "+f"(of[i + 6]), "+f"(of[i + 7])
#define DYNO_REGISTERS_32(of, i)                                                                   \
    DYNO_REGISTERS_8(of, i), DYNO_REGISTERS_8(of, i + 8), DYNO_REGISTERS_8(of, i + 16),            \
        DYNO_REGISTERS_8(of, i + 24)
#define DYNO_NAMES_32                                                                              \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                       \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define DYNO_NAMES_64                                                                              \
    DYNO_NAMES_32                                                                                  \
    ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "           \
    "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"

/* c = a b + (add ? c : 0), m64n128k16: both operands in shared memory, K contiguous.
 * c[4 j + i] of lane l of warp w: row 16 w + l / 4 + 8 (i / 2), column 8 j + 2 (l % 4) + i % 2. */
#define DYNO_MULTIPLY_SHARED(type, name)                                                           \
    __device__ __forceinline__ void multiply_shared(type, float(&c)[64], uint64_t a, uint64_t b,   \
                                                    bool add)                                      \
    {                                                                                              \
        asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %66, 0;\n"                              \
                     "wgmma.mma_async.sync.aligned.m64n128k16.f32." name "." name                  \
                     " {" DYNO_NAMES_64 "}, %64, %65, add, 1, 1, 0, 0;\n}\n"                       \
                     : DYNO_REGISTERS_32(c, 0), DYNO_REGISTERS_32(c, 32)                           \
                     : "l"(a), "l"(b), "r"(static_cast<int>(add)));                                \
    }

/* c += a b, m64n128k16 and m64n64k16: a in registers (a[i] as in mma.cuh, of each warp's 16 rows),
 * b in shared memory, k being its row. */
#define DYNO_MULTIPLY_WEIGHTS(type, name)                                                          \
    __device__ __forceinline__ void multiply_weights(type, float(&c)[64], const uint32_t *a,       \
                                                     uint64_t b)                                   \
    {                                                                                              \
        asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, 1, 0;\n"                                \
                     "wgmma.mma_async.sync.aligned.m64n128k16.f32." name "." name                  \
                     " {" DYNO_NAMES_64 "}, {%64, %65, %66, %67}, %68, add, 1, 1, 1;\n}\n"         \
                     : DYNO_REGISTERS_32(c, 0), DYNO_REGISTERS_32(c, 32)                           \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));                        \
    }                                                                                              \
    __device__ __forceinline__ void multiply_weights(type, float(&c)[32], const uint32_t *a,       \
                                                     uint64_t b)                                   \
    {                                                                                              \
        asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, 1, 0;\n"                                \
                     "wgmma.mma_async.sync.aligned.m64n64k16.f32." name "." name                   \
                     " {" DYNO_NAMES_32 "}, {%32, %33, %34, %35}, %36, add, 1, 1, 1;\n}\n"         \
                     : DYNO_REGISTERS_32(c, 0)                                                     \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));                        \
    }

DYNO_MULTIPLY_SHARED(bf16, "bf16")
DYNO_MULTIPLY_SHARED(f16, "f16")
DYNO_MULTIPLY_WEIGHTS(bf16, "bf16")
DYNO_MULTIPLY_WEIGHTS(f16, "f16")

#undef DYNO_MULTIPLY_SHARED
#undef DYNO_MULTIPLY_WEIGHTS
#undef DYNO_REGISTERS_8
#undef DYNO_REGISTERS_32
#undef DYNO_NAMES_32
#undef DYNO_NAMES_64

/* 2^x, to about 2 units in the last place; results below 2^-126 are 0. */
__device__ __forceinline__ float exp2_fast(float x)
{
    float y;

    asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
    return y;
}

/* Two floats as a register of two elements, by one instruction. */
__device__ __forceinline__ uint32_t pack_pair_fast(bf16, float low, float high)
{
    uint32_t both;

    asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(both) : "f"(high), "f"(low));
    return both;
}

__device__ __forceinline__ uint32_t pack_pair_fast(f16, float low, float high)
{
    uint32_t both;

    asm("cvt.rn.f16x2.f32 %0, %1, %2;\n" : "=r"(both) : "f"(high), "f"(low));
    return both;
}

#else

static inline unsigned shared_address(const void *shared)
{
    return emulation::shared_offset(shared);
}

static inline void barrier_init(uint64_t *barrier, unsigned arrivals)
{
    emulation::phases_init(barrier, arrivals);
}

static inline void barriers_are_set()
{
    emulation::phases_are_set();
}

static inline void barrier_arrive(uint64_t *barrier)
{
    emulation::phases_arrive(barrier, 0);
}

static inline void barrier_expect(uint64_t *barrier, unsigned bytes)
{
    emulation::phases_arrive(barrier, bytes);
}

static inline void barrier_wait(uint64_t *barrier, unsigned parity)
{
    emulation::phases_wait(barrier, parity);
}

static inline void threads_wait(unsigned barrier, unsigned threads)
{
    emulation::threads_wait(barrier, threads);
}

static inline void threads_arrive(unsigned barrier, unsigned threads)
{
    emulation::threads_arrive(barrier, threads);
}

static inline void shared_is_written()
{
    emulation::fence_async();
}

static inline void fetch_box(const CUtensorMap *map, void *to, uint64_t *barrier,
                             const unsigned (&at)[5])
{
    emulation::fetch_box(map, to, barrier, at);
}

static inline void map_prefetch(const CUtensorMap *)
{
}

template <int count> static inline void registers_less()
{
}

template <int count> static inline void registers_more()
{
}

static inline void products_begin()
{
    emulation::products_fence();
}

static inline void products_commit()
{
    emulation::products_commit();
}

template <int groups> static inline void products_wait()
{
    emulation::products_wait(groups);
}

template <unsigned count> static inline void registers_fence(float (&)[count])
{
}

static inline float (*to_float_of(bf16))(uint16_t)
{
    return dyno_bf16_to_float;
}

static inline float (*to_float_of(f16))(uint16_t)
{
    return dyno_half_to_float;
}

template <class T>
static inline void multiply_shared(T type, float (&c)[64], uint64_t a, uint64_t b, bool add)
{
    emulation::product_begin({c, 128, nullptr, a, b, add, to_float_of(type), 0});
}

template <class T, unsigned count>
static inline void multiply_weights(T type, float (&c)[count], const uint32_t *a, uint64_t b)
{
    emulation::product_begin({c, 2 * count, a, 0, b, true, to_float_of(type), 0});
}

static inline float exp2_fast(float x)
{
    return exp2f(x);
}

template <class T> static inline uint32_t pack_pair_fast(T, float low, float high)
{
    return pack_pair<T>(low, high);
}

#endif

} /* namespace dyno */

#endif

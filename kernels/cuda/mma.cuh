/* Tensor cores and asynchronous copies, as the kernels use them: sm_80's instructions, which later
 * ones have too.  On the host they are the emulation's.
 *
 * Fragments of m16n8k16, lane l, g = l / 4, t = l % 4, two 16-bit elements a register, the lower
 * index in the lower half:
 *
 *   A  a[0] (row g, k 2t)   a[1] (row g + 8, k 2t)   a[2] (row g, k 2t + 8)   a[3] (row g + 8, k 2t
 * + 8) B  b[0] (k 2t, column g)   b[1] (k 2t + 8, column g) C  c[0], c[1] (row g, columns 2t, 2t +
 * 1)   c[2], c[3] (row g + 8, likewise)
 */
#ifndef DYNO_KERNELS_CUDA_MMA_CUH
#define DYNO_KERNELS_CUDA_MMA_CUH

#include "kernels/cuda/number.cuh"

namespace dyno
{

#if defined(__CUDACC__)

__device__ __forceinline__ unsigned shared_address(const void *shared)
{
    return static_cast<unsigned>(__cvta_generic_to_shared(shared));
}

/* 16 bytes from device memory to shared; zeros, and nothing is read, if not `seen`. */
__device__ __forceinline__ void copy_async(void *shared, const void *from, bool seen)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(shared)),
                 "l"(from), "r"(seen ? 16 : 0));
}

/* The copies since the last call are a group. */
__device__ __forceinline__ void copies_commit()
{
    asm volatile("cp.async.commit_group;\n" ::);
}

/* Until all but the last `groups` groups of this thread have arrived. */
template <int groups> __device__ __forceinline__ void copies_wait()
{
    asm volatile("cp.async.wait_group %0;\n" ::"n"(groups));
}

/* Four matrices of 8 x 8 elements of 16 bits from shared memory: lane l gives the address of row l
 * % 8 of matrix l / 8, 16 bytes.  out[i] holds of matrix i: row l / 4, columns 2 (l % 4) and the
 * next. */
__device__ __forceinline__ void load_matrices(uint32_t (&out)[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(shared_address(row))
                 : "memory");
}

/* Of matrix i: rows 2 (l % 4) and the next, column l / 4. */
__device__ __forceinline__ void load_matrices_turned(uint32_t (&out)[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(shared_address(row))
                 : "memory");
}

/* c += a b. */
__device__ __forceinline__ void multiply_add(bf16, float (&c)[4], const uint32_t (&a)[4],
                                             uint32_t b0, uint32_t b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ __forceinline__ void multiply_add(f16, float (&c)[4], const uint32_t (&a)[4],
                                             uint32_t b0, uint32_t b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* 16, 8 or 4 bytes that are read once: past the first-level cache, which keeps what is read again.
 */
__device__ __forceinline__ uint4 load_once(const uint4 *from)
{
    uint4 to;

    asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(to.x), "=r"(to.y), "=r"(to.z), "=r"(to.w)
                 : "l"(from));
    return to;
}

__device__ __forceinline__ uint2 load_once(const uint2 *from)
{
    uint2 to;

    asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v2.u32 {%0, %1}, [%2];\n"
                 : "=r"(to.x), "=r"(to.y)
                 : "l"(from));
    return to;
}

__device__ __forceinline__ unsigned load_once(const unsigned *from)
{
    unsigned to;

    asm volatile("ld.global.nc.L1::no_allocate.L2::128B.u32 %0, [%1];\n" : "=r"(to) : "l"(from));
    return to;
}

/* The line of 128 bytes to the second-level cache. */
__device__ __forceinline__ void prefetch_line(const void *from)
{
    asm volatile("prefetch.global.L2 [%0];\n" ::"l"(from));
}

/* bits & mask | base, by one instruction. */
__device__ __forceinline__ uint32_t masked_over(uint32_t bits, uint32_t mask, uint32_t base)
{
    constexpr int and_or = 0xea; /* (0xf0 & 0xcc) | 0xaa */
    uint32_t out;

    asm("lop3.b32 %0, %1, %2, %3, %4;\n"
        : "=r"(out)
        : "r"(bits), "r"(mask), "r"(base), "n"(and_or));
    return out;
}

/* a - b of two elements each. */
__device__ __forceinline__ uint32_t subtract_pairs(bf16, uint32_t a, uint32_t b)
{
    union {
        uint32_t word;
        __nv_bfloat162 pair;
    } left = {a}, right = {b};

    left.pair = __hsub2(left.pair, right.pair);
    return left.word;
}

__device__ __forceinline__ uint32_t subtract_pairs(f16, uint32_t a, uint32_t b)
{
    union {
        uint32_t word;
        __half2 pair;
    } left = {a}, right = {b};

    left.pair = __hsub2(left.pair, right.pair);
    return left.word;
}

#else

static inline void copy_async(void *shared, const void *from, bool seen)
{
    emulation::copy_async(shared, from, seen);
}

static inline void copies_commit()
{
    emulation::copies_commit();
}

template <int groups> static inline void copies_wait()
{
    emulation::copies_wait(groups);
}

static inline void load_matrices(uint32_t (&out)[4], const void *row)
{
    emulation::load_matrices(out, row, false);
}

static inline void load_matrices_turned(uint32_t (&out)[4], const void *row)
{
    emulation::load_matrices(out, row, true);
}

static inline void multiply_add(bf16, float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                                uint32_t b1)
{
    emulation::multiply_add(c, a, b0, b1, dyno_bf16_to_float);
}

static inline void multiply_add(f16, float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                                uint32_t b1)
{
    emulation::multiply_add(c, a, b0, b1, dyno_half_to_float);
}

template <class V> static inline V load_once(const V *from)
{
    return *from;
}

static inline void prefetch_line(const void *)
{
}

static inline uint32_t masked_over(uint32_t bits, uint32_t mask, uint32_t base)
{
    return (bits & mask) | base;
}

template <class T> static inline uint32_t subtract_pairs(T, uint32_t a, uint32_t b)
{
    uint32_t difference = 0;

    for (unsigned shift = 0; shift < 32; shift += 16) {
        T left = {static_cast<uint16_t>(a >> shift)}, right = {static_cast<uint16_t>(b >> shift)},
          out;

        from_float(to_float(left) - to_float(right), &out);
        difference |= static_cast<uint32_t>(out.bits) << shift;
    }
    return difference;
}

#endif

/* Two floats as a register of two elements. */
template <class T> __device__ __forceinline__ uint32_t pack_pair(float low, float high)
{
    return of_float<T>(low).bits | static_cast<uint32_t>(of_float<T>(high).bits) << 16;
}

/* The address of a 16-byte chunk of a tile in shared memory whose rows have `chunks` of them (a
 * multiple of 8): eight rows at one chunk lie in different banks. */
template <unsigned chunks, class T>
__device__ __forceinline__ T *tile_chunk(T *tile, unsigned row, unsigned chunk)
{
    return tile + (row * chunks + (chunk ^ (row & 7))) * (16 / sizeof(T));
}

} /* namespace dyno */

#endif

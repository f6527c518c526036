/* The element types of activations and of keys and values, and their way to fp32 and back: rounded
 * to nearest even, e4m3 saturating at 448.
 *
 * On the device by its own instructions; on the host by kernels/half.h and kernels/fp8.h, which
 * define them.
 */
#ifndef DYNO_KERNELS_CUDA_NUMBER_CUH
#define DYNO_KERNELS_CUDA_NUMBER_CUH

#include "kernels/cuda/device.cuh"

#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#else
#include "kernels/fp8.h"
#include "kernels/half.h"
#endif

namespace dyno
{

struct bf16 {
    uint16_t bits;
};
struct f16 {
    uint16_t bits;
};
struct e4m3 {
    uint8_t bits;
};

#if defined(__CUDACC__)

__device__ __forceinline__ float to_float(bf16 value)
{
    return __uint_as_float(static_cast<unsigned>(value.bits) << 16);
}
__device__ __forceinline__ float to_float(f16 value)
{
    return __half2float(__ushort_as_half(value.bits));
}
__device__ __forceinline__ float to_float(e4m3 value)
{
    return __half2float(__half(__nv_cvt_fp8_to_halfraw(value.bits, __NV_E4M3)));
}
__device__ __forceinline__ void from_float(float value, bf16 *out)
{
    out->bits = __bfloat16_as_ushort(__float2bfloat16_rn(value));
}
__device__ __forceinline__ void from_float(float value, f16 *out)
{
    out->bits = __half_as_ushort(__float2half_rn(value));
}
__device__ __forceinline__ void from_float(float value, e4m3 *out)
{
    out->bits = __nv_cvt_float_to_fp8(value, __NV_SATFINITE, __NV_E4M3);
}

/* Two floats as a register of two elements, by one instruction; of e4m3 its lower half. */
__device__ __forceinline__ uint32_t round_pair(bf16, float low, float high)
{
    uint32_t pair;

    asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

__device__ __forceinline__ uint32_t round_pair(f16, float low, float high)
{
    uint32_t pair;

    asm("cvt.rn.f16x2.f32 %0, %1, %2;\n" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

__device__ __forceinline__ uint32_t round_pair(e4m3, float low, float high)
{
    return __nv_cvt_float2_to_fp8x2(make_float2(low, high), __NV_SATFINITE, __NV_E4M3);
}

/* Four of e4m3 as two registers of two of f16, in order; exact. */
__device__ __forceinline__ void f16_of_e4m3(uint32_t four, uint32_t (&pairs)[2])
{
#if __CUDA_ARCH__ >= 890
    /* The instruction takes either half of a register, so nothing is shifted. */
    asm("{\n"
        ".reg .b16 low, high;\n"
        "mov.b32 {low, high}, %2;\n"
        "cvt.rn.f16x2.e4m3x2 %0, low;\n"
        "cvt.rn.f16x2.e4m3x2 %1, high;\n"
        "}\n"
        : "=r"(pairs[0]), "=r"(pairs[1])
        : "r"(four));
#else
    /* Sign, exponent and mantissa at f16's places make a number that is too small by the difference
     * of the exponents' biases, 8.  (What is not a number becomes 480.) */
    constexpr unsigned pair_places[2] = {0x1404, 0x3424}, power = 0x5c005c00; /* 2^8, twice */

#pragma unroll
    for (unsigned i = 0; i < 2; i++) {
        uint32_t placed = __byte_perm(four, 0, pair_places[i]);

        placed = (placed & 0x80008000) | (placed & 0x7f007f00) >> 1;
        asm("mul.rn.f16x2 %0, %1, %2;\n" : "=r"(pairs[i]) : "r"(placed), "r"(power));
    }
#endif
}

/* Likewise of bf16: in its place an exponent is 2^-120 of the number's, also of subnormals.  (What
 * is not a number becomes 480.) */
__device__ __forceinline__ void bf16_of_e4m3(uint32_t four, uint32_t (&pairs)[2])
{
    constexpr unsigned pair_places[2] = {0x1404, 0x3424}; /* sign and exponent in the upper byte */
    constexpr unsigned power = 0x7b807b80, zero = 0x80008000; /* 2^120 and -0, twice */

#pragma unroll
    for (unsigned i = 0; i < 2; i++) {
        uint32_t placed = __byte_perm(four, 0, pair_places[i]);

        placed = (placed & 0x80008000) | (placed & 0x7f007f00) >> 4;
        asm("fma.rn.bf16x2 %0, %1, %2, %3;\n"
            : "=r"(pairs[i])
            : "r"(placed), "r"(power), "r"(zero));
    }
}

#else

static inline float to_float(bf16 value)
{
    return dyno_bf16_to_float(value.bits);
}
static inline float to_float(f16 value)
{
    return dyno_half_to_float(value.bits);
}
static inline float to_float(e4m3 value)
{
    return dyno_e4m3_to_float(value.bits);
}
static inline void from_float(float value, bf16 *out)
{
    out->bits = dyno_bf16_of_float(value);
}
static inline void from_float(float value, f16 *out)
{
    out->bits = dyno_half_of_float(value);
}
static inline void from_float(float value, e4m3 *out)
{
    out->bits = dyno_e4m3_of_float(value);
}
template <class T> static inline uint32_t round_pair(T, float low, float high)
{
    T first, second;

    from_float(low, &first);
    from_float(high, &second);
    return first.bits | static_cast<uint32_t>(second.bits) << 8 * sizeof(T);
}
template <class T> static inline void pairs_of_e4m3(uint32_t four, uint32_t (&pairs)[2])
{
    for (unsigned i = 0; i < 2; i++) {
        T low, high;

        from_float(dyno_e4m3_to_float(static_cast<uint8_t>(four >> 16 * i)), &low);
        from_float(dyno_e4m3_to_float(static_cast<uint8_t>(four >> (16 * i + 8))), &high);
        pairs[i] = low.bits | static_cast<uint32_t>(high.bits) << 16;
    }
}
static inline void f16_of_e4m3(uint32_t four, uint32_t (&pairs)[2])
{
    pairs_of_e4m3<f16>(four, pairs);
}
static inline void bf16_of_e4m3(uint32_t four, uint32_t (&pairs)[2])
{
    pairs_of_e4m3<bf16>(four, pairs);
}

#endif

template <class T> __device__ __forceinline__ T of_float(float value)
{
    T out;

    from_float(value, &out);
    return out;
}

/* 16 bytes of elements: one load or store. */
template <class T> struct __align__(16) vector_of
{
    static constexpr unsigned count = 16 / sizeof(T);
    T at[count];
};

template <class T> __device__ __forceinline__ vector_of<T> load_vector(const T *from)
{
    union {
        uint4 words;
        vector_of<T> vector;
    } both;

    both.words = *reinterpret_cast<const uint4 *>(from);
    return both.vector;
}

template <class T> __device__ __forceinline__ void store_vector(T *to, const vector_of<T> &vector)
{
    union {
        uint4 words;
        vector_of<T> vector;
    } both;

    both.vector = vector;
    *reinterpret_cast<uint4 *>(to) = both.words;
}

} /* namespace dyno */

#endif

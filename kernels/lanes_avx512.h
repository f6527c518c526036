/* Sixteen floats at once: AVX-512F.  What each function promises is in lanes.h. */
#ifndef DYNO_KERNELS_LANES_AVX512_H
#define DYNO_KERNELS_LANES_AVX512_H

#include <immintrin.h>
#include <stdint.h>

typedef __m512 lanes;

enum {
    LANES = 16,
    TILE_ROWS = 6, /* of weights: with 4 of activations, 24 sums, 6 + 1 operands of 32 registers */
};

static inline lanes lanes_set(float value)
{
    return _mm512_set1_ps(value);
}

static inline lanes lanes_load(const float *from)
{
    return _mm512_loadu_ps(from);
}

static inline void lanes_store(float *to, lanes a)
{
    _mm512_storeu_ps(to, a);
}

static inline lanes lanes_load_f16(const void *from)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256(from));
}

static inline lanes lanes_load_bf16(const void *from)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from));

    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

static inline lanes lanes_load_i8(const void *from)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from)));
}

static inline float lanes_float_of_f16(uint16_t bits)
{
    return _cvtsh_ss(bits);
}

static inline void lanes_store_f16(void *to, lanes a)
{
    _mm256_storeu_si256(to, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return _mm512_add_ps(a, b);
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    return _mm512_sub_ps(a, b);
}

static inline lanes lanes_mul(lanes a, lanes b)
{
    return _mm512_mul_ps(a, b);
}

static inline lanes lanes_div(lanes a, lanes b)
{
    return _mm512_div_ps(a, b);
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline lanes lanes_max(lanes a, lanes b)
{
    return _mm512_max_ps(a, b);
}

static inline lanes lanes_min(lanes a, lanes b)
{
    return _mm512_min_ps(a, b);
}

static inline lanes lanes_round(lanes a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline lanes lanes_power_of_2(lanes a)
{
    __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(a), _mm512_set1_epi32(127));

    return _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
}

static inline float lanes_sum(lanes a)
{
    return _mm512_reduce_add_ps(a);
}

static inline float lanes_highest(lanes a)
{
    return _mm512_reduce_max_ps(a);
}

#endif

/* The AVX-512 that kernels/isa_avx512.c is written in, as two halves of AVX2 each, so that it runs
 * where there is no such CPU.  The compiler reads it before that file, whose own inclusion of the
 * compiler's header then finds everything said.  Each function does to sixteen lanes what the
 * instruction does; what is not here does not compile, and is to be added by the manual.
 *
 * The order of a sum over all lanes is the compiler's own (there is no instruction for it): halves,
 * quarters, and so on.
 */
#ifndef DYNO_TESTS_AVX512_EMULATION_AVX512_H
#define DYNO_TESTS_AVX512_EMULATION_AVX512_H

#include <immintrin.h>

struct emulated_floats {
    __m256 low, high;
};

struct emulated_words {
    __m256i low, high;
};

#define __m512  struct emulated_floats
#define __m512i struct emulated_words

#define EMULATED_OF_TWO(name, half)                                                                \
    static inline __m512 emulated_##name(__m512 a, __m512 b)                                       \
    {                                                                                              \
        return (__m512){half(a.low, b.low), half(a.high, b.high)};                                 \
    }

EMULATED_OF_TWO(add, _mm256_add_ps)
EMULATED_OF_TWO(sub, _mm256_sub_ps)
EMULATED_OF_TWO(mul, _mm256_mul_ps)
EMULATED_OF_TWO(div, _mm256_div_ps)
EMULATED_OF_TWO(max, _mm256_max_ps)
EMULATED_OF_TWO(min, _mm256_min_ps)

static inline __m512 emulated_set1(float value)
{
    return (__m512){_mm256_set1_ps(value), _mm256_set1_ps(value)};
}

static inline __m512i emulated_set1_words(int value)
{
    return (__m512i){_mm256_set1_epi32(value), _mm256_set1_epi32(value)};
}

static inline __m512 emulated_load(const float *from)
{
    return (__m512){_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)};
}

static inline void emulated_store(float *to, __m512 a)
{
    _mm256_storeu_ps(to, a.low);
    _mm256_storeu_ps(to + 8, a.high);
}

static inline __m512 emulated_of_halves(__m256i from)
{
    return (__m512){_mm256_cvtph_ps(_mm256_castsi256_si128(from)),
                    _mm256_cvtph_ps(_mm256_extracti128_si256(from, 1))};
}

#define emulated_to_halves(a, rounding)                                                            \
    _mm256_set_m128i(_mm256_cvtps_ph((a).high, rounding), _mm256_cvtps_ph((a).low, rounding))

static inline __m512i emulated_widen_unsigned(__m256i from)
{
    return (__m512i){_mm256_cvtepu16_epi32(_mm256_castsi256_si128(from)),
                     _mm256_cvtepu16_epi32(_mm256_extracti128_si256(from, 1))};
}

static inline __m512i emulated_widen_bytes(__m128i from)
{
    return (__m512i){_mm256_cvtepi8_epi32(from), _mm256_cvtepi8_epi32(_mm_srli_si128(from, 8))};
}

static inline __m512 emulated_of_words(__m512i a)
{
    return (__m512){_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)};
}

static inline __m512i emulated_to_words(__m512 a)
{
    return (__m512i){_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high)};
}

static inline __m512 emulated_cast(__m512i a)
{
    return (__m512){_mm256_castsi256_ps(a.low), _mm256_castsi256_ps(a.high)};
}

static inline __m512i emulated_add_words(__m512i a, __m512i b)
{
    return (__m512i){_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}

#define emulated_shift_left(a, count)                                                              \
    ((__m512i){_mm256_slli_epi32((a).low, count), _mm256_slli_epi32((a).high, count)})

/* With a scale of 0, the upper four bits of the instruction's byte, the same byte is vroundps's. */
#define emulated_round(a, how)                                                                     \
    ((__m512){_mm256_round_ps((a).low, how), _mm256_round_ps((a).high, how)})

static inline __m512 emulated_fma(__m512 a, __m512 b, __m512 c)
{
    return (__m512){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}

static inline float emulated_sum(__m512 a)
{
    __m256 eight = _mm256_add_ps(a.low, a.high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));

    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline float emulated_highest(__m512 a)
{
    __m256 eight = _mm256_max_ps(a.low, a.high);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));

    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

#undef _mm512_cvtps_ph
#undef _mm512_slli_epi32
#undef _mm512_roundscale_ps
#define _mm512_add_ps         emulated_add
#define _mm512_sub_ps         emulated_sub
#define _mm512_mul_ps         emulated_mul
#define _mm512_div_ps         emulated_div
#define _mm512_max_ps         emulated_max
#define _mm512_min_ps         emulated_min
#define _mm512_set1_ps        emulated_set1
#define _mm512_set1_epi32     emulated_set1_words
#define _mm512_loadu_ps       emulated_load
#define _mm512_storeu_ps      emulated_store
#define _mm512_cvtph_ps       emulated_of_halves
#define _mm512_cvtps_ph       emulated_to_halves
#define _mm512_cvtepu16_epi32 emulated_widen_unsigned
#define _mm512_cvtepi8_epi32  emulated_widen_bytes
#define _mm512_cvtepi32_ps    emulated_of_words
#define _mm512_cvtps_epi32    emulated_to_words
#define _mm512_castsi512_ps   emulated_cast
#define _mm512_add_epi32      emulated_add_words
#define _mm512_slli_epi32     emulated_shift_left
#define _mm512_roundscale_ps  emulated_round
#define _mm512_fmadd_ps       emulated_fma
#define _mm512_reduce_add_ps  emulated_sum
#define _mm512_reduce_max_ps  emulated_highest

#endif

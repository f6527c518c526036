/* What inner loops are written in: a few floats at once.  One of lanes_portable.h, lanes_avx2.h and
 * lanes_avx512.h is included before, and defines
 *
 *   lanes               a vector of LANES floats (LANES divides 16)
 *   TILE_ROWS           weight rows that a register tile of matmul_body.h holds
 *   lanes_set           the same value in every lane
 *   lanes_load, store   at any alignment of a float
 *   lanes_load_f16, _bf16, _i8   LANES elements of that type, exact, at any alignment
 *   lanes_store_f16     rounds to nearest even
 *   lanes_fma           a b + c, in one rounding where the CPU can
 *   lanes_max, _min     of two numbers; b if either is a NaN
 *   lanes_round         to the nearest whole number, |a| < 2^22
 *   lanes_power_of_2    2^a for a whole number a in [-126, 127]
 *   lanes_sum           all lanes in one fixed order
 *   lanes_highest       the largest lane, none of them a NaN
 *
 * Here is what is made of them.  Every function is the same for each lane whatever the others hold,
 * so a result never depends on where in a vector its element lies.
 */
#ifndef DYNO_KERNELS_LANES_H
#define DYNO_KERNELS_LANES_H

#include <stdint.h>
#include <string.h>

/* Complete unrolling turns an array of sums into registers. */
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define INLINE static inline __attribute__((always_inline))

/* The first `count` < LANES elements, and zeros. */
INLINE lanes lanes_load_part(const float *from, uint32_t count)
{
    float all[LANES] = {0};

    memcpy(all, from, count * sizeof(float));
    return lanes_load(all);
}

INLINE void lanes_store_part(float *to, lanes a, uint32_t count)
{
    float all[LANES];

    lanes_store(all, a);
    memcpy(to, all, count * sizeof(float));
}

/* e^a within 2 units in the last place of a float for a in [-87, 88]; clamped to that range, so
 * that everything below -87 gives about 1.6e-38, never a subnormal.
 * e^a = 2^k e^r, k = round(a / ln 2), |r| <= ln 2 / 2; ln 2 is taken away in two parts of which the
 * first has few bits (Cody and Waite), and e^r is its Taylor polynomial of degree 7. */
INLINE lanes lanes_exp(lanes a)
{
    static const float coefficient[] = {1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6,
                                        0.5F,       1.0F,       1.0F};
    lanes k, r, sum = lanes_set(1.0F / 5040);

    a = lanes_min(lanes_max(a, lanes_set(-87.0F)), lanes_set(88.0F));
    k = lanes_round(lanes_mul(a, lanes_set(0x1.715476p0F)));
    r = lanes_fma(k, lanes_set(-0x1.62ep-1F), a);
    r = lanes_fma(k, lanes_set(-0x1.0bfbe8p-15F), r);
    UNROLL
    for (int i = 0; i < 7; i++) {
        sum = lanes_fma(sum, r, lanes_set(coefficient[i]));
    }
    return lanes_mul(sum, lanes_power_of_2(k));
}

#endif

/* The 8-bit float e4m3 (Micikevicius et al., "FP8 formats for deep learning", 2022), one element at
 * a time: 1 sign, 4 exponent (bias 7), 3 mantissa; no infinity, NaN is 0x7f and 0xff, the largest
 * is 448.  Exact to float; from it rounded to nearest even, what is larger than 448 becomes 448, as
 * NVIDIA's saturating conversion has it.
 */
#ifndef DYNO_KERNELS_FP8_H
#define DYNO_KERNELS_FP8_H

#include <stdint.h>

#include "kernels/half.h"

static inline float dyno_e4m3_to_float(uint8_t value)
{
    uint32_t sign = (uint32_t)(value & 0x80U) << 24, magnitude = value & 0x7fU;

    if (magnitude == 0x7fU) {
        return dyno_float_of_bits(sign | 0x7fc00000U);
    }
    /* In a float's place the exponent is 2^-120 of the value's, also of subnormals. */
    magnitude = dyno_float_bits(dyno_float_of_bits(magnitude << 20) * 0x1p120F);
    return dyno_float_of_bits(sign | magnitude);
}

static inline uint8_t dyno_e4m3_of_float(float value)
{
    uint32_t bits = dyno_float_bits(value), sign = bits >> 24 & 0x80U;

    bits &= 0x7fffffffU;
    if (bits > 0x7f800000U) {
        return (uint8_t)(sign | 0x7fU);
    }
    if (bits >= 0x43e00000U) {
        return (uint8_t)(sign | 0x7eU);
    }
    if (bits < 0x3c800000U) {
        /* Below 2^-6: one unit is 2^-9, that of the floats from 2^14 to 2^15. */
        return (uint8_t)(sign |
                         (dyno_float_bits(dyno_float_of_bits(bits) + 0x1p14F) - 0x46800000U));
    }
    bits += (bits >> 20 & 1U) + 0x7ffffU - (120U << 23);
    return (uint8_t)(sign | bits >> 20);
}

#endif

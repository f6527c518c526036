/* The two 16-bit floats, one element at a time: exact to float, rounded to nearest even from it.
 *
 * Portable C on the bits of IEEE 754 floats; without a branch on the way to float, so that a loop
 * over it becomes vector code.  The rounding mode must be the default one.
 */
#ifndef DYNO_KERNELS_HALF_H
#define DYNO_KERNELS_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t dyno_float_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float dyno_float_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* binary16: 1 sign, 5 exponent, 10 mantissa.  The exponent and mantissa, moved to a float's place,
 * are 2^-112 times the value, also for subnormals; infinity and NaN get their exponent back. */
static inline float dyno_half_to_float(uint16_t half)
{
    uint32_t magnitude = half & 0x7fffU;
    uint32_t bits = dyno_float_bits(dyno_float_of_bits(magnitude << 13) * 0x1p112F);

    bits |= magnitude >= 0x7c00U ? 0x7f800000U : 0;
    return dyno_float_of_bits(bits | (uint32_t)(half & 0x8000U) << 16);
}

/* Beyond 65,520 infinity; NaN stays NaN. */
static inline uint16_t dyno_half_of_float(float value)
{
    uint32_t bits = dyno_float_bits(value), sign = bits >> 16 & 0x8000U;

    bits &= 0x7fffffffU;
    if (bits > 0x7f800000U) {
        return (uint16_t)(sign | 0x7e00U);
    }
    if (bits >= 0x477ff000U) {
        return (uint16_t)(sign | 0x7c00U);
    }
    if (bits < 0x38800000U) {
        /* Below 2^-14: one unit is 2^-24, that of the floats from 0.5 to 1. */
        return (uint16_t)(sign | (dyno_float_bits(dyno_float_of_bits(bits) + 0.5F) - 0x3f000000U));
    }
    bits += (bits >> 13 & 1U) + 0xfffU - (112U << 23);
    return (uint16_t)(sign | bits >> 13);
}

/* bfloat16: the upper half of a float. */
static inline float dyno_bf16_to_float(uint16_t half)
{
    return dyno_float_of_bits((uint32_t)half << 16);
}

static inline uint16_t dyno_bf16_of_float(float value)
{
    uint32_t bits = dyno_float_bits(value);

    if ((bits & 0x7fffffffU) > 0x7f800000U) {
        return (uint16_t)(bits >> 16 | 0x40U); /* quiet, lest rounding make it infinity */
    }
    return (uint16_t)((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

#endif

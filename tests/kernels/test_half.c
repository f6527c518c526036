/* The 16-bit floats against their definition, over all of them, and rounding against the nearest of
 * two neighbours. */
#include "kernels/half.h"

#include <math.h>

#include "core/base/rng.h"

#include "tests/check_main.h"

enum { FLOATS = 200000 };

/* The value by IEEE 754's words: (-1)^sign 2^(exponent - bias) (1 + mantissa / 2^bits). */
static double defined_value(uint16_t half, int exponent_bits)
{
    int mantissa_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = half >> mantissa_bits & ((1 << exponent_bits) - 1);
    int mantissa = half & ((1 << mantissa_bits) - 1);
    double sign = half & 0x8000 ? -1 : 1;

    if (exponent == (1 << exponent_bits) - 1) {
        return mantissa ? (double)NAN : sign * (double)INFINITY;
    }
    if (exponent == 0) {
        return sign * ldexp(mantissa, 1 - bias - mantissa_bits);
    }
    return sign * ldexp((1 << mantissa_bits) + mantissa, exponent - bias - mantissa_bits);
}

static void assert_same(float got, double due, uint32_t half)
{
    if (isnan(due)) {
        ck_assert_msg(isnan(got), "%04x is %g, not NaN", half, (double)got);
    } else {
        ck_assert_msg((double)got == due && !signbit(got) == !signbit(due), "%04x is %g, not %g",
                      half, (double)got, due);
    }
}

START_TEST(every_half_is_its_definition_and_comes_back)
{
    for (uint32_t i = 0; i <= UINT16_MAX; i++) {
        uint16_t half = (uint16_t)i;
        float binary16 = dyno_half_to_float(half), bf16 = dyno_bf16_to_float(half);

        assert_same(binary16, defined_value(half, 5), i);
        assert_same(bf16, defined_value(half, 8), i);
        ck_assert_msg(isnan(binary16) ? isnan(dyno_half_to_float(dyno_half_of_float(binary16)))
                                      : dyno_half_of_float(binary16) == half,
                      "binary16 %04x", i);
        ck_assert_msg(isnan(bf16) ? isnan(dyno_bf16_to_float(dyno_bf16_of_float(bf16)))
                                  : dyno_bf16_of_float(bf16) == half,
                      "bfloat16 %04x", i);
    }
}
END_TEST

/* Of the halves at and around `got`, none is nearer to `value`, and of two as near the even one was
 * taken.  A value beyond the largest rounds as if exponents went on: `infinity` stands for that. */
static void assert_nearest(float value, uint16_t got, int exponent_bits, double infinity)
{
    double here = defined_value(got, exponent_bits);
    double distance;

    here = isinf(here) ? copysign(infinity, here) : here;
    distance = fabs(here - (double)value);
    for (int step = -1; step <= 1; step += 2) {
        uint16_t other = (uint16_t)(got + step);
        double there = defined_value(other, exponent_bits);

        if (isnan(there) || (other ^ got) & 0x8000) {
            continue;
        }
        there = isinf(there) ? copysign(infinity, there) : there;
        ck_assert_msg(distance < fabs(there - (double)value) ||
                          (distance == fabs(there - (double)value) && got % 2 == 0),
                      "%a became %04x, %04x is nearer or even", (double)value, got, other);
    }
}

START_TEST(floats_round_to_the_nearest_and_then_to_even)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, 1, "half");
    for (uint32_t i = 0; i < FLOATS; i++) {
        /* Half of them with few bits, so that many lie midway. */
        uint32_t bits = (uint32_t)dyno_rng_u64(&rng) & (i % 2 ? 0xffffffffU : 0xfffff000U);
        float value = dyno_float_of_bits(bits);
        /* Exponents of binary16 and a little beyond, from 2^-27 to 2^17. */
        float narrow = dyno_float_of_bits((bits & 0x807fffffU) |
                                          (uint32_t)(100 + dyno_rng_below(&rng, 45)) << 23);

        if (!isfinite(value)) {
            continue;
        }
        assert_nearest(value, dyno_bf16_of_float(value), 8, ldexp(1, 128));
        if (fabsf(narrow) < 131008) {
            assert_nearest(narrow, dyno_half_of_float(narrow), 5, 65536);
        }
    }
}
END_TEST

START_TEST(edges_by_hand)
{
    ck_assert_uint_eq(dyno_half_of_float(65504), 0x7bff);
    ck_assert_uint_eq(dyno_half_of_float(65519.996F), 0x7bff);
    ck_assert_uint_eq(dyno_half_of_float(65520), 0x7c00);
    ck_assert_uint_eq(dyno_half_of_float(-1e30F), 0xfc00);
    ck_assert_uint_eq(dyno_half_of_float(0x1p-24F), 0x0001);
    ck_assert_uint_eq(dyno_half_of_float(0x1p-25F), 0x0000);
    ck_assert_uint_eq(dyno_half_of_float(0x1.8p-25F), 0x0001);
    ck_assert_uint_eq(dyno_half_of_float(-0.0F), 0x8000);
    ck_assert_uint_eq(dyno_half_of_float(0x1p-14F), 0x0400);
    ck_assert_uint_eq(dyno_half_of_float(1), 0x3c00);
    ck_assert_uint_eq(dyno_bf16_of_float(1), 0x3f80);
    ck_assert_uint_eq(dyno_bf16_of_float(0x1.ffp127F), 0x7f80);
    ck_assert_uint_eq(dyno_bf16_of_float(0x1.fep127F), 0x7f7f);
    ck_assert(isnan(dyno_half_to_float(dyno_half_of_float(NAN))));
    ck_assert(isnan(dyno_bf16_to_float(dyno_bf16_of_float(dyno_float_of_bits(0x7f800001)))));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("half");

    tcase_add_test(tcase, every_half_is_its_definition_and_comes_back);
    tcase_add_test(tcase, floats_round_to_the_nearest_and_then_to_even);
    tcase_add_test(tcase, edges_by_hand);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("kernels/half", add_cases)

/* e4m3: every value by its definition, and rounding against a search through all of them. */
#include <math.h>

#include "core/base/rng.h"
#include "kernels/fp8.h"
#include "tests/check_main.h"

START_TEST(every_value_is_its_definition_and_comes_back)
{
    for (int i = 0; i < 256; i++) {
        int exponent = i >> 3 & 15, mantissa = i & 7;
        double due = exponent == 0 ? ldexp(mantissa, -9) : ldexp(8 + mantissa, exponent - 10);
        float value = dyno_e4m3_to_float((uint8_t)i);

        if ((i & 127) == 127) {
            ck_assert(isnan(value));
            ck_assert(isnan(dyno_e4m3_to_float(dyno_e4m3_of_float(value))));
            continue;
        }
        ck_assert_double_eq((double)value, i < 128 ? due : -due);
        ck_assert_uint_eq(dyno_e4m3_of_float(value), (unsigned)i);
    }
}
END_TEST

static uint8_t nearest(float value)
{
    uint8_t best = 0;

    for (int i = 0; i < 127; i++) {
        double distance = fabs((double)dyno_e4m3_to_float((uint8_t)i) - fabs((double)value));
        double least = fabs((double)dyno_e4m3_to_float(best) - fabs((double)value));

        if (distance < least || (distance == least && i % 2 == 0)) {
            best = (uint8_t)i;
        }
    }
    return (uint8_t)(best | (signbit(value) ? 128 : 0));
}

/* Exponents from 2^-12 to 2^12; half of the values with few bits, so that many lie midway. */
START_TEST(floats_round_to_the_nearest_and_then_to_even)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, 1, "fp8");
    for (int i = 0; i < 20000; i++) {
        uint32_t bits = (uint32_t)dyno_rng_u64(&rng) & (i % 2 ? 0x807fffffU : 0x80780000U);
        float value = dyno_float_of_bits(bits | (uint32_t)(115 + dyno_rng_below(&rng, 24)) << 23);

        ck_assert_msg(dyno_e4m3_of_float(value) == nearest(value), "%a became %02x, not %02x",
                      (double)value, dyno_e4m3_of_float(value), nearest(value));
    }
}
END_TEST

START_TEST(what_is_too_large_becomes_the_largest)
{
    ck_assert_uint_eq(dyno_e4m3_of_float(448), 0x7e);
    ck_assert_uint_eq(dyno_e4m3_of_float(1e30F), 0x7e);
    ck_assert_uint_eq(dyno_e4m3_of_float(-INFINITY), 0xfe);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("fp8");

    tcase_add_test(tcase, every_value_is_its_definition_and_comes_back);
    tcase_add_test(tcase, floats_round_to_the_nearest_and_then_to_even);
    tcase_add_test(tcase, what_is_too_large_becomes_the_largest);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("kernels/fp8", add_cases)

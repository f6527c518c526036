/* Numbers as people write them: what is read, what is refused, and that printing reads back. */
#include "core/base/units.h"

#include <string.h>

#include "tests/check_main.h"

static void expect_duration(const char *text, dyno_ns expected)
{
    dyno_ns value = 77;

    ck_assert_msg(dyno_parse_duration(text, &value) == DYNO_UNITS_OK, "%s refused", text);
    ck_assert_msg(value == expected, "%s read as %llu", text, (unsigned long long)value);
}

START_TEST(a_duration_is_exact_to_the_nanosecond)
{
    expect_duration("250ms", 250000000);
    expect_duration("1.5s", 1500000000);
    expect_duration("0.000000001s", 1);
    expect_duration("5min", 300000000000);
    expect_duration("1h", 3600000000000);
    expect_duration("2.5us", 2500);
    expect_duration("7ns", 7);
    expect_duration("0", 0);
    expect_duration("0.0", 0);
    expect_duration("0s", 0);
    expect_duration("18446744073709551615ns", UINT64_MAX);
}
END_TEST

START_TEST(a_duration_without_its_unit_is_told_from_nonsense)
{
    static const char *const nonsense[] = {"",     "s",     "-1s",  "+1s",  " 1s", "1 s",
                                           "1s ",  "1m",    "1S",   "1e3s", ".5s", "1.s",
                                           "1..s", "0.5ns", "1sec", "0x1s", "nan", "inf"};
    dyno_ns value = 77;

    ck_assert_int_eq(dyno_parse_duration("2", &value), DYNO_UNITS_NO_UNIT);
    ck_assert_int_eq(dyno_parse_duration("2.5", &value), DYNO_UNITS_NO_UNIT);
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        ck_assert_msg(dyno_parse_duration(nonsense[i], &value) == DYNO_UNITS_MALFORMED, "%s taken",
                      nonsense[i]);
    }
    ck_assert_int_eq(dyno_parse_duration("18446744073709551616ns", &value), DYNO_UNITS_TOO_BIG);
    ck_assert_int_eq(dyno_parse_duration("18446744073s", &value), DYNO_UNITS_OK);
    ck_assert_int_eq(dyno_parse_duration("18446744074s", &value), DYNO_UNITS_TOO_BIG);
    ck_assert_int_eq(dyno_parse_duration("0.1234567890123456789s", &value), DYNO_UNITS_MALFORMED);
}
END_TEST

START_TEST(a_size_tells_thousands_from_powers_of_two)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = {{"8GiB", UINT64_C(8) << 30},
                {"512MB", 512000000},
                {"1.5KiB", 1536},
                {"3kB", 3000},
                {"3KB", 3000},
                {"17B", 17},
                {"0", 0},
                {"2TiB", UINT64_C(2) << 40},
                {"1TB", 1000000000000}};
    uint64_t value;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_msg(dyno_parse_bytes(rows[i].text, &value) == DYNO_UNITS_OK, "%s refused",
                      rows[i].text);
        ck_assert_uint_eq(value, rows[i].bytes);
    }
    ck_assert_int_eq(dyno_parse_bytes("80", &value), DYNO_UNITS_NO_UNIT);
    ck_assert_int_eq(dyno_parse_bytes("80gb", &value), DYNO_UNITS_MALFORMED);
    ck_assert_int_eq(dyno_parse_bytes("0.3B", &value), DYNO_UNITS_MALFORMED);
    ck_assert_int_eq(dyno_parse_bytes("16777216TiB", &value), DYNO_UNITS_TOO_BIG);
}
END_TEST

START_TEST(a_whole_number_is_digits_and_fits)
{
    static const char *const nonsense[] = {"", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "1k"};
    uint64_t value = 77;

    ck_assert_int_eq(dyno_parse_u64("18446744073709551615", &value), DYNO_UNITS_OK);
    ck_assert_uint_eq(value, UINT64_MAX);
    ck_assert_int_eq(dyno_parse_u64("18446744073709551616", &value), DYNO_UNITS_TOO_BIG);
    ck_assert_int_eq(dyno_parse_u64("99999999999999999999999x", &value), DYNO_UNITS_MALFORMED);
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        ck_assert_msg(dyno_parse_u64(nonsense[i], &value) == DYNO_UNITS_MALFORMED, "%s taken",
                      nonsense[i]);
    }
    ck_assert_uint_eq(value, UINT64_MAX);
}
END_TEST

START_TEST(a_decimal_is_finite_and_decimal)
{
    static const char *const nonsense[] = {"",     "nan", "inf", "-inf", "0x1p3", "1e",  "e3",
                                           "1.5.", "1,5", " 1",  "1 ",   "+1",    "--1", "."};
    double value = 77;

    ck_assert_int_eq(dyno_parse_double("-1.5e3", &value), DYNO_UNITS_OK);
    ck_assert(value == -1500);
    ck_assert_int_eq(dyno_parse_double("1e999", &value), DYNO_UNITS_TOO_BIG);
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        ck_assert_msg(dyno_parse_double(nonsense[i], &value) == DYNO_UNITS_MALFORMED, "%s taken",
                      nonsense[i]);
    }
    ck_assert(value == -1500);
}
END_TEST

START_TEST(what_is_printed_reads_back)
{
    static const uint64_t wholes[] = {
        0,           1,       999,        1000,       1001,           1024,      1500000000,
        60000000000, 1 << 20, 3600000000, 1000000000, 90000000000000, 123456789, UINT64_MAX};
    static const double reals[] = {0, 1, 0.1, 0.9, 1e-9, 2.0 / 3, 1e300, 123456.789, 64, -1};
    char text[DYNO_UNITS_TEXT_MAX];
    uint64_t whole;
    double real;

    for (size_t i = 0; i < sizeof(wholes) / sizeof(wholes[0]); i++) {
        dyno_print_duration(text, wholes[i]);
        ck_assert_int_eq(dyno_parse_duration(text, &whole), DYNO_UNITS_OK);
        ck_assert_uint_eq(whole, wholes[i]);
        dyno_print_bytes(text, wholes[i]);
        ck_assert_int_eq(dyno_parse_bytes(text, &whole), DYNO_UNITS_OK);
        ck_assert_uint_eq(whole, wholes[i]);
    }
    for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++) {
        dyno_print_double(text, reals[i]);
        ck_assert_int_eq(dyno_parse_double(text, &real), DYNO_UNITS_OK);
        ck_assert(real == reals[i]);
    }
    dyno_print_duration(text, 120 * DYNO_S);
    ck_assert_str_eq(text, "2min");
    dyno_print_duration(text, 1500 * DYNO_MS);
    ck_assert_str_eq(text, "1500ms");
    dyno_print_bytes(text, 3000);
    ck_assert_str_eq(text, "3kB");
    dyno_print_double(text, 0.1);
    ck_assert_str_eq(text, "0.1");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *units = tcase_create("units");

    tcase_add_test(units, a_duration_is_exact_to_the_nanosecond);
    tcase_add_test(units, a_duration_without_its_unit_is_told_from_nonsense);
    tcase_add_test(units, a_size_tells_thousands_from_powers_of_two);
    tcase_add_test(units, a_whole_number_is_digits_and_fits);
    tcase_add_test(units, a_decimal_is_finite_and_decimal);
    tcase_add_test(units, what_is_printed_reads_back);
    suite_add_tcase(suite, units);
}

DYNO_CHECK_MAIN("units", add_cases)

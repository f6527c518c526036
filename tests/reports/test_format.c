/* Numbers as people read them. */
#include <math.h>

#include "reports/format.h"
#include "tests/check_main.h"

START_TEST(counts_have_their_thousands_separated)
{
    char text[DYNO_FORMAT_MAX];

    ck_assert_str_eq(dyno_format_count(text, 0), "0");
    ck_assert_str_eq(dyno_format_count(text, 999), "999");
    ck_assert_str_eq(dyno_format_count(text, 1000), "1,000");
    ck_assert_str_eq(dyno_format_count(text, 144793823), "144,793,823");
    ck_assert_str_eq(dyno_format_count(text, UINT64_MAX), "18,446,744,073,709,551,615");
}
END_TEST

START_TEST(decimals_are_kept_and_signs_not_separated)
{
    char text[DYNO_FORMAT_MAX];

    ck_assert_str_eq(dyno_format_fixed(text, 1234.567, 2), "1,234.57");
    ck_assert_str_eq(dyno_format_fixed(text, -123.4, 1), "-123.4");
    ck_assert_str_eq(dyno_format_fixed(text, -123456, 0), "-123,456");
    ck_assert_str_eq(dyno_format_fixed(text, 0.05, 2), "0.05");
}
END_TEST

START_TEST(what_is_undefined_is_said_to_be)
{
    char text[DYNO_FORMAT_MAX];

    ck_assert_str_eq(dyno_format_fixed(text, NAN, 2), "n/a");
    ck_assert_str_eq(dyno_format_fixed(text, INFINITY, 2), "n/a");
    ck_assert_str_eq(dyno_format_fixed(text, 1e300, 9), "n/a");
    ck_assert_str_eq(dyno_format_percent(text, -1), "n/a");
    ck_assert_str_eq(dyno_format_percent(text, NAN), "n/a");
    ck_assert_str_eq(dyno_format_span(text, NAN), "n/a");
}
END_TEST

START_TEST(spans_show_their_two_largest_units)
{
    char text[DYNO_FORMAT_MAX];

    ck_assert_str_eq(dyno_format_span(text, 0), "0 ms");
    ck_assert_str_eq(dyno_format_span(text, 0.85), "850 ms");
    ck_assert_str_eq(dyno_format_span(text, 0.9999), "1.0 s");
    ck_assert_str_eq(dyno_format_span(text, 12.34), "12.3 s");
    ck_assert_str_eq(dyno_format_span(text, 59.97), "1 min 00 s");
    ck_assert_str_eq(dyno_format_span(text, 245), "4 min 05 s");
    ck_assert_str_eq(dyno_format_span(text, 3599.7), "1 h 00 min");
    ck_assert_str_eq(dyno_format_span(text, 7380), "2 h 03 min");
    ck_assert_str_eq(dyno_format_span(text, 4e6), "1,111 h 07 min");
}
END_TEST

START_TEST(width_counts_letters_not_bytes)
{
    ck_assert_uint_eq(dyno_format_width(""), 0);
    ck_assert_uint_eq(dyno_format_width("38.2 %"), 6);
    ck_assert_uint_eq(dyno_format_width("█░─é"), 4);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("format");

    tcase_add_test(tc, counts_have_their_thousands_separated);
    tcase_add_test(tc, decimals_are_kept_and_signs_not_separated);
    tcase_add_test(tc, what_is_undefined_is_said_to_be);
    tcase_add_test(tc, spans_show_their_two_largest_units);
    tcase_add_test(tc, width_counts_letters_not_bytes);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("reports/format", add_cases)

/* Exact decimals and dates. */
#include <check.h>
#include <string.h>

#include "core/base/time.h"

#include "tests/check_main.h"
#include "traces/number.h"

static uint64_t scaled(const char *text, int power)
{
    struct dyno_decimal decimal;
    uint64_t value = 0;

    ck_assert_uint_eq(dyno_decimal_parse(text, strlen(text), &decimal), strlen(text));
    ck_assert_msg(dyno_decimal_scale(&decimal, power, &value, NULL), "%s does not fit", text);
    return value;
}

static void ck_not_number(const char *text)
{
    struct dyno_decimal decimal;
    uint64_t value;

    ck_assert_msg(dyno_decimal_parse(text, strlen(text), &decimal) != strlen(text) ||
                      !dyno_decimal_scale(&decimal, 9, &value, NULL),
                  "%s was taken", text);
}

static uint64_t date(const char *text)
{
    uint64_t ns = 1;

    ck_assert_msg(dyno_date_parse(text, strlen(text), &ns), "%s was refused", text);
    return ns;
}

static void ck_not_date(const char *text)
{
    uint64_t ns;

    ck_assert_msg(!dyno_date_parse(text, strlen(text), &ns), "%s was taken", text);
}

START_TEST(decimals_are_exact)
{
    ck_assert_uint_eq(scaled("61.114", 9), 61114000000ULL);
    ck_assert_uint_eq(scaled("0.1", 9), 100000000);
    ck_assert_uint_eq(scaled("18446744073709551615", 0), UINT64_MAX);
    ck_assert_uint_eq(scaled("1e3", 0), 1000);
    ck_assert_uint_eq(scaled("1.5E-2", 9), 15000000);
    ck_assert_uint_eq(scaled("18446744073709551", 3), 18446744073709551000ULL);
    ck_assert_uint_eq(scaled("0.00000000099", 9), 0); /* below a nanosecond: cut off */
    ck_assert_uint_eq(scaled("1.99999999999999999999999999", 0), 1);
    ck_assert_uint_eq(scaled("0e99999999999", 9), 0);
    ck_assert_uint_eq(scaled("5e-99999999999", 9), 0);
    ck_assert_uint_eq(scaled("-0", 0), 0);
}
END_TEST

START_TEST(what_is_no_number_or_does_not_fit_is_told)
{
    static const char *const bad[] = {"-",
                                      ".5",
                                      "nan",
                                      "inf",
                                      "0x",
                                      "1e",
                                      "1.",
                                      "+1",
                                      "99999999999999999999999",
                                      "--",
                                      "1e99",
                                      "1 2",
                                      "1e20",
                                      "18446744073709551616"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_not_number(bad[i]);
    }
}
END_TEST

START_TEST(dates_are_exact)
{
    ck_assert_uint_eq(date("1970-01-01 00:00:00"), 0);
    ck_assert_uint_eq(date("2000-03-01 00:00:00"), 951868800ULL * DYNO_S);
    ck_assert_uint_eq(date("2023-11-16 18:15:46.6805900"), 1700158546680590000ULL);
    ck_assert_uint_eq(date("2024-02-29T23:59:59.999999999Z"), 1709251199999999999ULL);
    ck_assert_uint_eq(date("2024-05-10 00:00:00.009930+00:00"), 1715299200009930000ULL);
    ck_assert_uint_eq(date("2024-05-10 00:00:00-0130"), date("2024-05-10 01:30:00+00"));
    ck_assert_uint_eq(date("2024-05-10 00:00:00.12345678999"),
                      date("2024-05-10 00:00:00.123456789"));
}
END_TEST

START_TEST(what_is_no_date_is_told)
{
    static const char *const bad[] = {
        "",
        "2023-11-16",
        "2023-13-16 18:15:46",
        "2023-02-29 18:15:46",
        "2023-11-31 18:15:46",
        "2023-11-16 24:15:46",
        "2023-11-16 18:60:46",
        "2023-11-16 18:15:61",
        "2023-11-16 18:15:46.",
        "2023-11-16 18:15:46 ",
        "2023-11-16 18:15:46+",
        "2023-11-16 18:15:46+99",
        "2023-11-16 18:15:46Zx",
        "1969-12-31 23:59:59",
        "1970-01-01 00:00:00+01:00",
        "9999-01-01 00:00:00",
        "23-11-16 18:15:46",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_not_date(bad[i]);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("number");

    tcase_add_test(tcase, decimals_are_exact);
    tcase_add_test(tcase, what_is_no_number_or_does_not_fit_is_told);
    tcase_add_test(tcase, dates_are_exact);
    tcase_add_test(tcase, what_is_no_date_is_told);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("traces/number", add_cases)

/* What users typed: the nearest word, quoting, clean text. */
#include "core/base/words.h"

#include <string.h>

#include "tests/check_main.h"

static const char *nearest_of(const char *word, const char *a, const char *b, const char *c)
{
    static struct dyno_nearest nearest;

    dyno_nearest_start(&nearest, word);
    dyno_nearest_offer(&nearest, a);
    dyno_nearest_offer(&nearest, b);
    dyno_nearest_offer(&nearest, c);
    return dyno_nearest_word(&nearest);
}

START_TEST(a_slip_of_the_finger_finds_its_word)
{
    ck_assert_str_eq(nearest_of("wrokers", "trace", "workers", "router"), "workers");
    ck_assert_str_eq(nearest_of("WORKERS", "trace", "workers", "router"), "workers");
    ck_assert_str_eq(nearest_of("max_concurrency", "max-concurrency", "concurrency", NULL),
                     "max-concurrency");
    ck_assert_str_eq(nearest_of("routr", "trace", "workers", "router"), "router");
    ck_assert_str_eq(nearest_of("tftt", "ttft", "tpot", "itl"), "ttft");
}
END_TEST

START_TEST(of_equally_near_words_the_first_is_kept)
{
    ck_assert_str_eq(nearest_of("cat", "bat", "hat", "rat"), "bat");
}
END_TEST

START_TEST(what_is_far_from_everything_suggests_nothing)
{
    char long_word[200];

    memset(long_word, 'a', sizeof(long_word) - 1);
    long_word[sizeof(long_word) - 1] = '\0';
    ck_assert_ptr_null(nearest_of("xyzzy", "trace", "workers", "router"));
    ck_assert_ptr_null(nearest_of("", "kv", "tp", "db"));
    ck_assert_ptr_null(nearest_of(long_word, "trace", "workers", "router"));
    ck_assert_ptr_null(nearest_of("trace", NULL, NULL, NULL));
}
END_TEST

START_TEST(a_quoted_text_is_short_and_has_no_control_bytes)
{
    char out[DYNO_QUOTE_MAX], long_text[400];

    ck_assert_str_eq(dyno_quote(out, "a\nb\x1b[31m"), "'a?b?[31m'");
    ck_assert_str_eq(dyno_quote(out, ""), "''");
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    dyno_quote(out, long_text);
    ck_assert_uint_lt(strlen(out), DYNO_QUOTE_MAX);
    ck_assert_str_eq(out + strlen(out) - 5, "x...'");
    for (size_t i = 0; i + 3 < sizeof(long_text); i += 3) {
        memcpy(long_text + i, "\xe2\x82\xac", 3); /* cut between letters, never inside one */
    }
    long_text[396] = '\0';
    dyno_quote(out, long_text);
    ck_assert_str_eq(out + strlen(out) - 7, "\xe2\x82\xac...'");
}
END_TEST

START_TEST(clean_text_is_utf8_without_control_characters)
{
    static const char *const clean[] = {"", "a b", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    static const char *const dirty[] = {"\n",           "\x7f",
                                        "\xc2\x85",     "\xff",
                                        "\xc0\x80",     "\xc3",
                                        "\xe2\x82",     "\xed\xa0\x80",
                                        "\xe0\x80\x80", "\xf4\x90\x80\x80",
                                        "\x80",         "\xf0\x80\x80\x80"};

    char mixed[] = "a\xff\xc3\xa9\n\xe2\x82";

    dyno_text_clean(mixed);
    ck_assert_str_eq(mixed, "a?\xc3\xa9???");
    for (size_t i = 0; i < sizeof(clean) / sizeof(clean[0]); i++) {
        ck_assert_msg(dyno_text_is_clean(clean[i]), "clean %zu refused", i);
    }
    for (size_t i = 0; i < sizeof(dirty) / sizeof(dirty[0]); i++) {
        ck_assert_msg(!dyno_text_is_clean(dirty[i]), "dirty %zu taken", i);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *words = tcase_create("words");

    tcase_add_test(words, a_slip_of_the_finger_finds_its_word);
    tcase_add_test(words, of_equally_near_words_the_first_is_kept);
    tcase_add_test(words, what_is_far_from_everything_suggests_nothing);
    tcase_add_test(words, a_quoted_text_is_short_and_has_no_control_bytes);
    tcase_add_test(words, clean_text_is_utf8_without_control_characters);
    suite_add_tcase(suite, words);
}

DYNO_CHECK_MAIN("words", add_cases)

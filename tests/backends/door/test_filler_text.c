/* Filler: the same for the same place, plain text, and never what an answer was to stop at. */
#include "backends/door/filler_text.h"

#include <string.h>

#include "tests/check_main.h"

enum { TOKENS = 200, TEXT_MAX = TOKENS * 12 };

static void write_answer(char text[TEXT_MAX], uint32_t words, uint64_t id)
{
    size_t used = 0;

    for (uint32_t i = 0; i < TOKENS; i++) {
        struct dyno_text_piece piece = dyno_filler_text(words, id, i);

        ck_assert_uint_lt(used + piece.size, TEXT_MAX);
        memcpy(text + used, piece.bytes, piece.size);
        used += piece.size;
    }
    text[used] = '\0';
}

START_TEST(an_answer_begins_with_a_word_and_can_be_repeated)
{
    char first[TEXT_MAX], again[TEXT_MAX];

    for (uint64_t id = 0; id < 300; id++) {
        write_answer(first, dyno_filler_words(NULL, 0), id);
        write_answer(again, dyno_filler_words(NULL, 0), id);
        ck_assert_str_eq(first, again);
        ck_assert_msg(first[0] >= 'a' && first[0] <= 'z', "'%s'", first);
    }
    write_answer(again, dyno_filler_words(NULL, 0), 7);
    ck_assert_str_ne(first, again);
}
END_TEST

START_TEST(no_stop_string_is_ever_met)
{
    static const char *const stops[] = {"e",    "s r",     " on",      ".",
                                        "\n\n", "earnest", "\xc3\xa9", "y d"};
    char text[TEXT_MAX];

    for (uint32_t count = 1; count <= 8; count++) {
        uint32_t words = dyno_filler_words(stops, count);

        for (uint64_t id = 0; id < 100; id++) {
            write_answer(text, words, id);
            ck_assert_uint_gt(strlen(text), TOKENS);
            for (uint32_t i = 0; i < count; i++) {
                ck_assert_msg(!strstr(text, stops[i]), "'%s' in '%s'", stops[i], text);
            }
        }
    }
}
END_TEST

START_TEST(where_no_word_is_left_there_is_no_text)
{
    static const char *const stops[] = {" ", "."};
    char text[TEXT_MAX];

    write_answer(text, dyno_filler_words(stops, 2), 1);
    ck_assert_str_eq(text, "");
    write_answer(text, dyno_filler_words(stops, 1), 1); /* full stops, but not at the beginning */
    ck_assert_uint_eq(strlen(text), TOKENS - 1);
    ck_assert_uint_eq(strspn(text, "."), TOKENS - 1);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("filler text");

    tcase_add_test(cases, an_answer_begins_with_a_word_and_can_be_repeated);
    tcase_add_test(cases, no_stop_string_is_ever_met);
    tcase_add_test(cases, where_no_word_is_left_there_is_no_text);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("door/filler_text", add_cases)

/* UTF-8: every code point, every way to begin one, and texts of random bytes against the table of
 * well-formed sequences (Unicode 15, table 3-7). */
#include "core/base/utf8.h"

#include <string.h>

#include "core/base/rng.h"

#include "tests/check_main.h"

/* First byte, then the other bytes: the least and the greatest. */
static const struct row {
    uint8_t first, last, least[3], greatest[3];
    size_t size;
} rows[] = {
    {0x00, 0x7F, {0}, {0}, 1},
    {0xC2, 0xDF, {0x80}, {0xBF}, 2},
    {0xE0, 0xE0, {0xA0, 0x80}, {0xBF, 0xBF}, 3},
    {0xE1, 0xEC, {0x80, 0x80}, {0xBF, 0xBF}, 3},
    {0xED, 0xED, {0x80, 0x80}, {0x9F, 0xBF}, 3},
    {0xEE, 0xEF, {0x80, 0x80}, {0xBF, 0xBF}, 3},
    {0xF0, 0xF0, {0x90, 0x80, 0x80}, {0xBF, 0xBF, 0xBF}, 4},
    {0xF1, 0xF3, {0x80, 0x80, 0x80}, {0xBF, 0xBF, 0xBF}, 4},
    {0xF4, 0xF4, {0x80, 0x80, 0x80}, {0x8F, 0xBF, 0xBF}, 4},
};

/* As dyno_utf8_look, by the table. */
static enum dyno_utf8_kind look_up(const uint8_t *text, size_t size, size_t *length)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];

        if (text[0] < row->first || text[0] > row->last) {
            continue;
        }
        for (*length = 1; *length < row->size; (*length)++) {
            if (*length == size) {
                return DYNO_UTF8_SHORT;
            }
            if (text[*length] < row->least[*length - 1] ||
                text[*length] > row->greatest[*length - 1]) {
                return DYNO_UTF8_BAD;
            }
        }
        return DYNO_UTF8_GOOD;
    }
    *length = 1;
    return DYNO_UTF8_BAD;
}

START_TEST(every_code_point_is_read_as_it_was_written)
{
    for (uint32_t point = 0; point <= 0x10FFFF; point++) {
        char text[DYNO_UTF8_SIZE_MAX];
        size_t size, length = 0;

        if (point == 0xD800) {
            point = 0xE000; /* surrogates are none */
        }
        size = dyno_utf8_put(text, point);
        ck_assert_msg(dyno_utf8_look(text, size, &length) == DYNO_UTF8_GOOD && length == size &&
                          dyno_utf8_point(text, &length) == point && length == size &&
                          dyno_utf8_valid(text, size, NULL) == size,
                      "U+%04X", point);
        for (size_t cut = 1; cut < size; cut++) {
            ck_assert_msg(dyno_utf8_look(text, cut, &length) == DYNO_UTF8_SHORT && length == cut,
                          "U+%04X cut to %zu", point, cut);
        }
    }
}
END_TEST

/* Bytes from where the table has its bounds. */
START_TEST(bytes_are_judged_by_the_table)
{
    static const uint8_t bytes[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                    0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                    0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFE, 0xFF};
    struct dyno_rng rng;
    uint8_t text[12];

    dyno_rng_init(&rng, (uint64_t)_i, "bytes");
    for (int round = 0; round < 20000; round++) {
        size_t size = 1 + dyno_rng_below(&rng, sizeof text), length = 0, due = 0, good = 0;

        for (size_t i = 0; i < size; i++) {
            text[i] = bytes[dyno_rng_below(&rng, sizeof bytes)];
        }
        ck_assert_msg(dyno_utf8_look((const char *)text, size, &length) ==
                              look_up(text, size, &due) &&
                          length == due,
                      "seed %d, round %d: %zu, not %zu", _i, round, length, due);
        while (good < size && look_up(text + good, size - good, &due) == DYNO_UTF8_GOOD) {
            good += due;
        }
        ck_assert_msg(dyno_utf8_valid((const char *)text, size, NULL) == good, "seed %d, round %d",
                      _i, round);
    }
}
END_TEST

START_TEST(what_is_ascii_is_said)
{
    static const char text[] = "sixteen or more plain letters, then \xC3\xA9";
    bool ascii = false;

    ck_assert_uint_eq(dyno_utf8_valid(text, 30, &ascii), 30);
    ck_assert(ascii);
    ck_assert_uint_eq(dyno_utf8_valid(text, sizeof text - 1, &ascii), sizeof text - 1);
    ck_assert(!ascii);
    ck_assert_uint_eq(dyno_utf8_valid(text, sizeof text - 2, &ascii), sizeof text - 3);
    ck_assert_uint_eq(dyno_utf8_valid("", 0, &ascii), 0);
    ck_assert(ascii);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("utf8");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_code_point_is_read_as_it_was_written);
    tcase_add_loop_test(tcase, bytes_are_judged_by_the_table, 0, 4);
    tcase_add_test(tcase, what_is_ascii_is_said);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("core/utf8", add_cases)

/* JSON looked through: the same texts are JSON as Jansson says, and what is read is what stands
 * there. */
#include "backends/load/json_skim.h"

#include <jansson.h>
#include <string.h>

#include "tests/check_main.h"

/* Whether all of text[size] is one JSON value, in memory of exactly its size. */
static bool accepts(const char *text, size_t size)
{
    struct dyno_skim skim;
    char *copy = malloc(size + !size);
    bool good;

    memcpy(copy, text, size);
    dyno_skim_start(&skim, copy, size);
    dyno_skim_pass(&skim);
    good = dyno_skim_end(&skim);
    free(copy);
    return good;
}

static bool jansson_accepts(const char *text, size_t size)
{
    json_t *root = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    json_decref(root);
    return root != NULL;
}

START_TEST(good_and_bad_texts_are_told_apart)
{
    static const char *const good[] = {
        "{}",
        "[]",
        " [ ] ",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "10",
        "1.5e+7",
        "1E9",
        "-2.25",
        "\"\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u12aF\"",
        "[1,2]",
        "[[],{},0]",
        "{\"a\":1, \"b\" : [ {\"c\":null} ]}",
        "{\"a\":1,\"a\":2}",
    };
    static const char *const bad[] = {
        "",           "{",     "}",   "[1,]",    "[,1]",        "{\"a\"}", "{\"a\":}", "{a:1}",
        "{\"a\":1,}", "[1 2]", "01",  "1.",      ".5",          "1e",      "+1",       "--1",
        "nul",        "truE",  "\"a", "\"\\x\"", "\"\\u12g4\"", "\"\n\"",  "[}",       "{]",
        "1 2",        "[]]",   "-",   "\"\\",    "\"\\u1",      "nullx",
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_msg(accepts(good[i], strlen(good[i])), "refused: %s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!accepts(bad[i], strlen(bad[i])), "taken: %s", bad[i]);
    }
}
END_TEST

/* Random changes of a text by letters that mean something: both say the same of each.  Numbers too
 * large for Jansson have no place among the letters. */
START_TEST(it_accepts_what_jansson_accepts)
{
    static const char start[] =
        "{\"a\":[1,-2.5,{\"b\":\"x\\n\"},null,true],\"c\":{},\"d\":[[],[false]],\"e\":\"\"}";
    static const char letters[] = "{}[]\",:0-.\\ntrue\n ";
    uint32_t dice = (uint32_t)_i * 747796405u + 2891336453u;

    for (int round = 0; round < 400; round++) {
        char text[sizeof start];
        size_t size = sizeof start - 1;

        memcpy(text, start, sizeof start);
        for (int change = 0; change <= round % 3; change++) {
            dice = dice * 1664525u + 1013904223u;
            text[(dice >> 8) % size] = letters[(dice >> 20) % (sizeof letters - 1)];
        }
        ck_assert_msg(accepts(text, size) == jansson_accepts(text, size), "seed %d: %s", _i, text);
        size = (dice >> 12) % size;
        ck_assert_msg(accepts(text, size) == jansson_accepts(text, size), "seed %d: %.*s", _i,
                      (int)size, text);
    }
}
END_TEST

START_TEST(members_and_items_come_in_order)
{
    static const char text[] = " {\"n\": 42 ,\"s\":\"a\\\"b\",\"list\":[1,[2],\"3\"],\"end\":{}} ";
    struct dyno_skim skim;
    struct dyno_skim_text key, value;
    uint32_t number = 0, items = 0;

    dyno_skim_start(&skim, text, strlen(text));
    ck_assert_int_eq(dyno_skim_peek(&skim), '{');
    ck_assert(dyno_skim_object(&skim));
    ck_assert(dyno_skim_member(&skim, &key) && dyno_skim_is(key, "n"));
    ck_assert(dyno_skim_u32(&skim, &number));
    ck_assert_uint_eq(number, 42);
    ck_assert(dyno_skim_member(&skim, &key) && dyno_skim_is(key, "s"));
    ck_assert(dyno_skim_string(&skim, &value) && dyno_skim_is(value, "a\\\"b"));
    ck_assert(dyno_skim_member(&skim, &key) && dyno_skim_is(key, "list"));
    ck_assert(dyno_skim_array(&skim));
    while (dyno_skim_item(&skim)) {
        items++;
        dyno_skim_pass(&skim);
    }
    ck_assert_uint_eq(items, 3);
    ck_assert(dyno_skim_member(&skim, &key) && dyno_skim_is(key, "end"));
    ck_assert(dyno_skim_object(&skim));
    ck_assert(!dyno_skim_member(&skim, &key));
    ck_assert(!dyno_skim_member(&skim, &key));
    ck_assert(dyno_skim_end(&skim));
}
END_TEST

START_TEST(values_of_another_kind_are_passed_over)
{
    static const char text[] = "[\"x\",7,{\"a\":[1]},-1,4294967296,4294967295,1.0]";
    struct dyno_skim skim;
    struct dyno_skim_text value;
    uint32_t number = 9;

    dyno_skim_start(&skim, text, strlen(text));
    ck_assert(dyno_skim_array(&skim));
    ck_assert(dyno_skim_item(&skim) && !dyno_skim_u32(&skim, &number));
    ck_assert(dyno_skim_item(&skim) && !dyno_skim_string(&skim, &value));
    ck_assert(dyno_skim_item(&skim) && !dyno_skim_u32(&skim, &number));
    ck_assert(dyno_skim_item(&skim) && !dyno_skim_u32(&skim, &number));
    ck_assert(dyno_skim_item(&skim) && !dyno_skim_u32(&skim, &number));
    ck_assert_uint_eq(number, 9);
    ck_assert(dyno_skim_item(&skim) && dyno_skim_u32(&skim, &number));
    ck_assert_uint_eq(number, UINT32_MAX);
    ck_assert(dyno_skim_item(&skim) && !dyno_skim_u32(&skim, &number));
    ck_assert(!dyno_skim_item(&skim));
    ck_assert(dyno_skim_end(&skim));
}
END_TEST

START_TEST(nesting_has_a_limit)
{
    char text[2 * DYNO_SKIM_DEPTH_MAX + 2];

    memset(text, '[', DYNO_SKIM_DEPTH_MAX + 1);
    memset(text + DYNO_SKIM_DEPTH_MAX + 1, ']', DYNO_SKIM_DEPTH_MAX + 1);
    ck_assert(!accepts(text, sizeof text));
    ck_assert(accepts(text + 1, sizeof text - 2));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("json skim");

    tcase_add_test(cases, good_and_bad_texts_are_told_apart);
    tcase_add_loop_test(cases, it_accepts_what_jansson_accepts, 0, 20);
    tcase_add_test(cases, members_and_items_come_in_order);
    tcase_add_test(cases, values_of_another_kind_are_passed_over);
    tcase_add_test(cases, nesting_has_a_limit);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("backends/load/json skim", add_cases)

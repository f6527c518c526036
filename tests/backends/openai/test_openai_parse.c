/* The fast parser takes what is common, and with Jansson's values; the rest it leaves. */
#include "backends/openai/parse.h"
#include "core/base/rng.h"
#include "tests/check_main.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH = 6, VALUES = 200 };

static json_t *parse(const char *text)
{
    return dyno_openai_parse(text, strlen(text), DEPTH, VALUES);
}

static const char *const good[] = {
    "{}",
    " {\"a\" :\t1 ,\n\"b\":[ ] ,\r\"c\":{ } } ",
    "{\"a\":[true,false,null,\"\",-0,0,12,-123456789012345678,1.5,-0.0,1e3,2E-2,1.25e+2,1e-999]}",
    "{\"a\":\"\xe6\x97\xa5\xf0\x9f\x98\x80\",\"\xc3\xa9\":\"x\x7f\"}",
    "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u65E5\\ud83d\\uDE00\"}",
    "{\"a\":\"begin\\n\",\"b\":\"\\nmiddle\\n\",\"c\":\"\\nend\"}",
    "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}",
};

START_TEST(what_is_right_has_jansson_s_value)
{
    json_t *fast = parse(good[_i]), *slow = json_loads(good[_i], JSON_REJECT_DUPLICATES, NULL);

    ck_assert_msg(fast && json_equal(fast, slow), "%s", good[_i]);
    json_decref(fast);
    json_decref(slow);
}
END_TEST

static const char *const left[] = {
    "",
    "[]",
    "\"a\"",
    "{",
    "}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\":1}x",
    "{\"a\":1,\"a\":2}",
    "{a:1}",
    "{\"a\":01}",
    "{\"a\":-}",
    "{\"a\":+1}",
    "{\"a\":1.}",
    "{\"a\":.5}",
    "{\"a\":1e}",
    "{\"a\":1e999}",
    "{\"a\":1234567890123456789}",
    "{\"a\":NaN}",
    "{\"a\":tru}",
    "{\"a\":nulll}",
    "{\"a\":\"b}",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\x80\"}",
    "{\"a\":\"\xed\xa0\x80\"}",
    "{\"a\":\"\xc0\x80\"}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\",
    "{\"a\":\"\\u12\"}",
    "{\"a\":\"\\u00g0\"}",
    "{\"a\":\"\\u0000\"}",
    "{\"a\":\"\\ud83d\"}",
    "{\"a\":\"\\ud83d\\u0041\"}",
    "{\"a\":\"\\ude00\"}",
    "{\"\\u0061\":1}",
    "{\"a\":[[[[[[1]]]]]]}",
};

START_TEST(what_may_be_wrong_is_left)
{
    ck_assert_msg(!parse(left[_i]), "%s", left[_i]);
}
END_TEST

/* Strings are looked at eight bytes at a time. */
START_TEST(every_byte_is_seen_wherever_it_stands)
{
    for (size_t at = 0; at < 20; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[] = "{\"a\":\"01234567890123456789\"}";
            json_t *fast, *slow;

            text[6 + at] = (char)byte;
            fast = dyno_openai_parse(text, sizeof text - 1, DEPTH, VALUES);
            slow = json_loadb(text, sizeof text - 1, JSON_REJECT_DUPLICATES, NULL);
            ck_assert_msg(!fast == !slow && (!fast || json_equal(fast, slow)), "%d at %zu", byte,
                          at);
            json_decref(fast);
            json_decref(slow);
        }
    }
}
END_TEST

START_TEST(values_have_a_limit)
{
    json_t *fast = dyno_openai_parse("{\"a\":[1,2]}", 11, DEPTH, 18);

    ck_assert_ptr_nonnull(fast);
    json_decref(fast);
    ck_assert_ptr_null(dyno_openai_parse("{\"a\":[1,2]}", 11, DEPTH, 17));
}
END_TEST

static json_t *random_value(struct dyno_rng *rng, int depth)
{
    static const char *const texts[] = {"",
                                        "a",
                                        "\n\"\\/",
                                        "\xe6\x97\xa5",
                                        "\xf0\x9f\x98\x80 x",
                                        "a longer text, as there are many",
                                        "\x01\x1f\x7f"};
    json_t *whole;

    switch (dyno_rng_below(rng, depth > 0 ? 6 : 4)) {
    case 0:
        return json_string(texts[dyno_rng_below(rng, sizeof texts / sizeof *texts)]);
    case 1:
        return json_integer((json_int_t)dyno_rng_below(rng, 1ULL << 50) - (1LL << 49));
    case 2:
        return json_real(((double)dyno_rng_below(rng, 1ULL << 53) - 1e15) / 1024 / 3);
    case 3:
        return dyno_rng_below(rng, 2) ? json_null() : json_boolean(dyno_rng_below(rng, 2));
    case 4:
        whole = json_array();
        for (uint64_t i = dyno_rng_below(rng, 5); i > 0; i--) {
            ck_assert_int_eq(json_array_append_new(whole, random_value(rng, depth - 1)), 0);
        }
        return whole;
    default:
        whole = json_object();
        for (uint64_t i = dyno_rng_below(rng, 5); i > 0; i--) {
            char key[8];

            (void)snprintf(key, sizeof key, "k%d", (int)i);
            ck_assert_int_eq(json_object_set_new(whole, key, random_value(rng, depth - 1)), 0);
        }
        return whole;
    }
}

START_TEST(whatever_jansson_writes_reads_back_the_same)
{
    static const size_t flags[] = {JSON_COMPACT, JSON_INDENT(2), JSON_ENSURE_ASCII,
                                   JSON_ESCAPE_SLASH};
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "trees");
    for (int round = 0; round < 200; round++) {
        json_t *value =
            json_pack("{s:o,s:o}", "a", random_value(&rng, 4), "b", random_value(&rng, 4));
        char *text = json_dumps(value, flags[round % 4]);
        json_t *fast = dyno_openai_parse(text, strlen(text), DEPTH, 10000);

        ck_assert_msg(fast && json_equal(fast, value), "%s", text);
        json_decref(fast);
        json_decref(value);
        free(text);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("parse");

    tcase_add_loop_test(cases, what_is_right_has_jansson_s_value, 0,
                        (int)(sizeof good / sizeof *good));
    tcase_add_loop_test(cases, what_may_be_wrong_is_left, 0, (int)(sizeof left / sizeof *left));
    tcase_add_test(cases, every_byte_is_seen_wherever_it_stands);
    tcase_add_test(cases, values_have_a_limit);
    tcase_add_loop_test(cases, whatever_jansson_writes_reads_back_the_same, 0, 10);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("openai/parse", add_cases)

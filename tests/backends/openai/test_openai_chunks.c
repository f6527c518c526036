/* Chunks of a stream, put together: by examples of what engines say, and of what nobody should. */
#include "backends/openai/chunks.h"

#include <string.h>

#include "tests/check_main.h"

static json_t *read_json(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);

    ck_assert_msg(json != NULL, "%s in %s", error.text, text);
    return json;
}

/* The chunks, up to NULL, put together. */
static json_t *whole_of(const char *const *chunks, bool is_chat)
{
    json_t *whole = json_object();

    for (; *chunks; chunks++) {
        json_t *chunk = read_json(*chunks);

        ck_assert_int_eq(dyno_openai_chunks_add(whole, chunk), DYNO_OK);
        json_decref(chunk);
    }
    ck_assert_int_eq(dyno_openai_chunks_finish(whole, is_chat), DYNO_OK);
    return whole;
}

static void check(const char *const *chunks, bool is_chat, const char *due)
{
    json_t *whole = whole_of(chunks, is_chat), *expected = read_json(due);
    char *text = json_dumps(whole, JSON_COMPACT);

    ck_assert_msg(json_equal(whole, expected), "%s\nand not\n%s", text, due);
    free(text);
    json_decref(whole);
    json_decref(expected);
}

#define CHUNK(delta, more)                                                                         \
    "{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\","            \
    "\"choices\":[{\"index\":0,\"delta\":" delta "," more "}]}"
#define OPEN "\"finish_reason\":null"

START_TEST(texts_are_joined_and_the_last_word_counts)
{
    static const char *const chunks[] = {
        CHUNK("{\"role\":\"assistant\",\"content\":\"\"}", OPEN),
        CHUNK("{\"content\":\"a\"}", OPEN),
        CHUNK("{\"content\":\"b\\u00e9\"}", OPEN),
        CHUNK("{\"content\":null}", OPEN),
        CHUNK("{}", "\"finish_reason\":\"stop\",\"stop_reason\":5"),
        "{\"id\":\"x\",\"choices\":[],\"usage\":{\"completion_tokens\":2}}",
        NULL};

    check(chunks, true,
          "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\","
          "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"ab\\u00e9\","
          "\"refusal\":null},\"finish_reason\":\"stop\",\"stop_reason\":5,\"logprobs\":null}],"
          "\"usage\":{\"completion_tokens\":2}}");
}
END_TEST

START_TEST(calls_find_their_parts_by_index)
{
    static const char *const chunks[] = {
        CHUNK("{\"role\":\"assistant\",\"tool_calls\":[{\"index\":0,\"id\":\"c0\",\"type\":"
              "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}",
              OPEN),
        CHUNK("{\"tool_calls\":[{\"index\":1,\"id\":\"c1\",\"type\":\"function\",\"function\":{"
              "\"name\":\"g\",\"arguments\":\"{}\"}}]}",
              OPEN),
        CHUNK("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":\"}}]}",
              OPEN),
        CHUNK("{\"tool_calls\":[{\"index\":0,\"id\":\"\",\"function\":{\"name\":null,"
              "\"arguments\":\"1}\"}}]}",
              "\"finish_reason\":\"tool_calls\""),
        NULL};

    check(chunks, true,
          "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\","
          "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,"
          "\"refusal\":null,\"tool_calls\":[{\"id\":\"c0\",\"type\":\"function\",\"function\":{"
          "\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"c1\",\"type\":\"function\","
          "\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\","
          "\"logprobs\":null}]}");
}
END_TEST

START_TEST(log_probabilities_go_on)
{
    static const char *const chunks[] = {
        CHUNK("{\"content\":\"a\"}", "\"logprobs\":{\"content\":[{\"token\":\"a\"}],\"refusal\":"
                                     "null}"),
        CHUNK("{\"content\":\"b\"}", "\"logprobs\":{\"content\":[{\"token\":\"b\"}]}"),
        CHUNK("{}", "\"logprobs\":null,\"finish_reason\":\"length\""), NULL};

    check(chunks, true,
          "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\","
          "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"ab\","
          "\"refusal\":null},\"logprobs\":{\"content\":[{\"token\":\"a\"},{\"token\":\"b\"}],"
          "\"refusal\":null},\"finish_reason\":\"length\"}]}");
}
END_TEST

START_TEST(choices_of_a_completion_stand_in_their_order)
{
    static const char *const chunks[] = {
        "{\"choices\":[{\"index\":2,\"text\":\"c\",\"logprobs\":{\"tokens\":[\"c\"]}}]}",
        "{\"choices\":[{\"index\":0,\"text\":\"a\",\"finish_reason\":\"length\"}]}",
        "{\"choices\":[{\"index\":2,\"text\":\"d\",\"logprobs\":{\"tokens\":[\"d\"]},"
        "\"finish_reason\":\"stop\"}],\"usage\":null}",
        NULL};

    check(chunks, false,
          "{\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\"a\","
          "\"finish_reason\":\"length\",\"logprobs\":null},{\"index\":2,\"text\":\"cd\","
          "\"logprobs\":{\"tokens\":[\"c\",\"d\"]},\"finish_reason\":\"stop\"}],\"usage\":null}");
}
END_TEST

START_TEST(what_is_no_chunk_is_taken_or_refused)
{
    static const struct {
        const char *chunk;
        dyno_status due;
    } cases[] = {
        {"{}", DYNO_OK},
        {"{\"choices\":7,\"usage\":[1]}", DYNO_OK},
        {"{\"choices\":[{}]}", DYNO_OK},
        {"{\"choices\":[5]}", DYNO_BAD_INPUT},
        {"{\"choices\":[{\"index\":\"0\"}]}", DYNO_BAD_INPUT},
        {"{\"choices\":[{\"index\":-9223372036854775807}]}", DYNO_OK},
        {"{\"choices\":[{\"index\":0,\"delta\":[1,[2]],\"text\":{\"a\":1}}]}", DYNO_OK},
        {"{\"choices\":[{\"index\":0,\"delta\":{\"content\":[\"x\",1],\"tool_calls\":{}}}]}",
         DYNO_OK},
        {"{\"choices\":[{\"delta\":{\"tool_calls\":[null]}}]}", DYNO_BAD_INPUT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *whole = json_object(), *chunk = read_json(cases[i].chunk);
        dyno_status status = dyno_openai_chunks_add(whole, chunk);

        ck_assert_msg(status == cases[i].due, "%s: %d", cases[i].chunk, status);
        (void)dyno_openai_chunks_add(whole, chunk);
        ck_assert_int_eq(dyno_openai_chunks_finish(whole, true), DYNO_OK);
        json_decref(chunk);
        json_decref(whole);
    }
}
END_TEST

START_TEST(choices_and_calls_are_bounded)
{
    json_t *whole = json_object();
    dyno_status status = DYNO_OK;
    json_int_t count = 0;

    for (; status == DYNO_OK; count++) {
        json_t *chunk = json_pack("{s:[{s:I}]}", "choices", "index", count);

        status = dyno_openai_chunks_add(whole, chunk);
        json_decref(chunk);
    }
    ck_assert_int_eq(status, DYNO_FULL);
    ck_assert_int_eq(count, DYNO_OPENAI_CHUNK_CHOICES_MAX + 1);
    json_decref(whole);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("chunks");

    tcase_add_test(cases, texts_are_joined_and_the_last_word_counts);
    tcase_add_test(cases, calls_find_their_parts_by_index);
    tcase_add_test(cases, log_probabilities_go_on);
    tcase_add_test(cases, choices_of_a_completion_stand_in_their_order);
    tcase_add_test(cases, what_is_no_chunk_is_taken_or_refused);
    tcase_add_test(cases, choices_and_calls_are_bounded);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("openai/chunks", add_cases)

/* What chunks of streamed answers say, as the engines write them. */
#include "backends/load/answer.h"

#include <stdio.h>
#include <string.h>

#include "tests/check_main.h"

static struct dyno_answer_chunk chunk_of(const char *text)
{
    struct dyno_answer_chunk chunk;

    ck_assert_msg(dyno_answer_read(&chunk, text, strlen(text)), "refused: %s", text);
    return chunk;
}

START_TEST(text_is_what_a_token_brings)
{
    static const char *const with[] = {
        "{\"choices\":[{\"index\":0,\"text\":\" a\",\"finish_reason\":null}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"a\"}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":null,\"reasoning_content\":\"a\"}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"a\"}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}",
        "{\"choices\":[{\"text\":\"\"},{\"text\":\"b\"}]}",
    };
    static const char *const without[] = {
        "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{}}]}",
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":null,\"tool_calls\":[]}}]}",
        "{\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"length\"}]}",
        "{\"choices\":[{\"index\":0,\"delta\":null}]}",
    };

    for (size_t i = 0; i < sizeof with / sizeof with[0]; i++) {
        ck_assert_msg(chunk_of(with[i]).has_text, "%s", with[i]);
        ck_assert(chunk_of(with[i]).has_choices);
    }
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++) {
        ck_assert_msg(!chunk_of(without[i]).has_text, "%s", without[i]);
        ck_assert(chunk_of(without[i]).has_choices);
    }
}
END_TEST

START_TEST(the_end_has_a_reason)
{
    ck_assert(chunk_of("{\"choices\":[{\"text\":\"\",\"finish_reason\":\"length\"}]}").is_finished);
    ck_assert(!chunk_of("{\"choices\":[{\"text\":\"\",\"finish_reason\":null}]}").is_finished);
    ck_assert(!chunk_of("{\"choices\":[{\"text\":\"\"}]}").is_finished);
    ck_assert(chunk_of("[DONE]").is_done);
    ck_assert(!chunk_of("{}").is_done);
}
END_TEST

START_TEST(usage_comes_without_choices)
{
    struct dyno_answer_chunk chunk =
        chunk_of("{\"id\":\"x\",\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"total_tokens\":"
                 "116,\"completion_tokens\":16,\"prompt_tokens_details\":{\"cached_tokens\":64}}}");

    ck_assert(chunk.has_usage && chunk.has_cached && !chunk.has_choices);
    ck_assert_uint_eq(chunk.prompt_tokens, 100);
    ck_assert_uint_eq(chunk.output_tokens, 16);
    ck_assert_uint_eq(chunk.cached_tokens, 64);
    chunk = chunk_of("{\"choices\":[{\"text\":\"a\"}],\"usage\":null}");
    ck_assert(!chunk.has_usage && chunk.has_text);
    chunk = chunk_of("{\"choices\":[],\"usage\":{\"completion_tokens\":2,"
                     "\"prompt_tokens_details\":null}}");
    ck_assert(chunk.has_usage && !chunk.has_cached);
}
END_TEST

START_TEST(errors_are_told_from_answers)
{
    struct dyno_answer_chunk chunk = chunk_of(
        "{\"error\":{\"message\":\"out of \\n blocks\",\"type\":\"server_error\",\"code\":500}}");

    ck_assert(chunk.has_error);
    ck_assert_str_eq(chunk.message, "out of \\n blocks");
    chunk = chunk_of("{\"error\":\"no\xc3\xa9\"}");
    ck_assert(chunk.has_error);
    ck_assert_str_eq(chunk.message, "no??");
    chunk = chunk_of("{\"object\":\"error\",\"message\":\"too long\",\"code\":400}");
    ck_assert(chunk.has_error);
    ck_assert_str_eq(chunk.message, "too long");
    ck_assert(!chunk_of("{\"error\":null,\"choices\":[]}").has_error);
    ck_assert(!chunk_of("{\"object\":\"chat.completion.chunk\",\"choices\":[]}").has_error);
    chunk = chunk_of("{\"error\":{\"message\":[1],\"code\":7}}");
    ck_assert(chunk.has_error);
    ck_assert_str_eq(chunk.message, "");
}
END_TEST

START_TEST(a_long_message_is_cut)
{
    char text[1024];
    struct dyno_answer_chunk chunk;

    (void)snprintf(text, sizeof text, "{\"error\":{\"message\":\"%0500d\"}}", 0);
    chunk = chunk_of(text);
    ck_assert_uint_eq(strlen(chunk.message), DYNO_ANSWER_MESSAGE_MAX - 1);
}
END_TEST

START_TEST(what_is_no_object_is_refused)
{
    static const char *const wrong[] = {"",
                                        "[]",
                                        "\"text\"",
                                        "{",
                                        "{\"choices\":[}",
                                        "[DONE",
                                        "{\"choices\":[{\"delta\":{\"content\":[}]}",
                                        "{\"choices\":[{\"delta\":{\"content\":",
                                        "{} {}",
                                        "{\"error\":",
                                        "{\"usage\":{\"prompt_tokens\":"};
    struct dyno_answer_chunk chunk;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        size_t size = strlen(wrong[i]);
        char *copy = malloc(size + !size);

        memcpy(copy, wrong[i], size);
        ck_assert_msg(!dyno_answer_read(&chunk, copy, size), "taken: %s", wrong[i]);
        free(copy);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("answer");

    tcase_add_test(cases, text_is_what_a_token_brings);
    tcase_add_test(cases, the_end_has_a_reason);
    tcase_add_test(cases, usage_comes_without_choices);
    tcase_add_test(cases, errors_are_told_from_answers);
    tcase_add_test(cases, a_long_message_is_cut);
    tcase_add_test(cases, what_is_no_object_is_refused);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("backends/load/answer", add_cases)

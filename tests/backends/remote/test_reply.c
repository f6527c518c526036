/* What events of an endpoint's stream say to its worker. */
#include "backends/remote/reply.h"

#include <string.h>

#include "tests/check_main.h"

static struct dyno_answer_chunk read_text(const char *text, bool is_response)
{
    struct dyno_answer_chunk chunk;

    ck_assert_msg(dyno_reply_read(&chunk, text, strlen(text), is_response), "refused: %s", text);
    return chunk;
}

START_TEST(a_response_says_text_end_and_usage_in_its_own_words)
{
    struct dyno_answer_chunk chunk = read_text(
        "{\"type\":\"response.output_text.delta\",\"delta\":\"a\",\"sequence_number\":3}", true);

    ck_assert(chunk.has_text && !chunk.is_finished && !chunk.has_error);
    chunk = read_text("{\"type\":\"response.output_text.done\",\"text\":\"a\"}", true);
    ck_assert(!chunk.has_text && !chunk.is_finished);
    chunk = read_text("{\"type\":\"response.completed\",\"response\":{\"id\":\"x\",\"usage\":"
                      "{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":4},"
                      "\"output_tokens\":3,\"total_tokens\":12}}}",
                      true);
    ck_assert(chunk.is_finished && chunk.has_usage && chunk.has_cached);
    ck_assert_uint_eq(chunk.prompt_tokens, 9);
    ck_assert_uint_eq(chunk.cached_tokens, 4);
    ck_assert_uint_eq(chunk.output_tokens, 3);
    ck_assert(read_text("{\"type\":\"response.incomplete\",\"response\":null}", true).is_finished);
    ck_assert(read_text("{\"type\":\"response.failed\",\"response\":{\"usage\":null}}", true)
                  .is_finished);
    ck_assert(read_text("{\"type\":\"error\",\"message\":\"x\"}", true).has_error);
    ck_assert(read_text("{\"error\":{\"message\":\"x\"}}", true).has_error);
    ck_assert(!read_text("{\"type\":\"response.created\",\"error\":null}", true).has_error);
}
END_TEST

START_TEST(other_answers_are_read_as_chunks)
{
    ck_assert(read_text("{\"choices\":[{\"text\":\"a\"}]}", false).has_text);
    ck_assert(read_text("[DONE]", false).is_done);
    ck_assert(read_text("[DONE]", true).is_done);
}
END_TEST

START_TEST(what_is_no_object_is_refused)
{
    static const char *const wrong[] = {"",
                                        "[]",
                                        "{",
                                        "{\"type\":\"response.completed\",",
                                        "{\"response\":{\"usage\":{\"output_tokens\":}}}",
                                        "{}{}"};
    struct dyno_answer_chunk chunk;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(!dyno_reply_read(&chunk, wrong[i], strlen(wrong[i]), true), "%s", wrong[i]);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("reply");

    tcase_add_test(cases, a_response_says_text_end_and_usage_in_its_own_words);
    tcase_add_test(cases, other_answers_are_read_as_chunks);
    tcase_add_test(cases, what_is_no_object_is_refused);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("remote/reply", add_cases)

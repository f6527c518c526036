/* Answers, whole and in chunks, byte for byte. */
#include "backends/openai/error.h"
#include "backends/openai/json_text.h"
#include "backends/openai/response.h"
#include "backends/openai/stream.h"
#include "core/base/rng.h"
#include "tests/check_main.h"

#include <jansson.h>
#include <string.h>

static const struct dyno_openai_about about = {"chatcmpl-1", "m\"x", 1700000000};

#define HEAD(object)                                                                               \
    "{\"id\":\"chatcmpl-1\",\"object\":\"" object                                                  \
    "\",\"created\":1700000000,\"model\":\"m\\\"x\","                                              \
    "\"choices\":["
#define CHUNK "data: " HEAD("chat.completion.chunk")

static struct dyno_bytes new_bytes(void)
{
    struct dyno_bytes bytes;

    dyno_bytes_init(&bytes, 1 << 20);
    return bytes;
}

static void expect_bytes(struct dyno_bytes *bytes, const char *due)
{
    ck_assert_int_eq(bytes->status, DYNO_OK);
    ck_assert_msg(bytes->size == strlen(due) && memcmp(bytes->data, due, bytes->size) == 0,
                  "got\n%.*s\nnot\n%s", (int)bytes->size, bytes->data, due);
    dyno_bytes_release(bytes);
}

static void expect_delta(bool is_chat, bool include_usage, struct dyno_openai_delta delta,
                         const char *due)
{
    struct dyno_bytes out = new_bytes();
    struct dyno_openai_stream stream;

    delta.text_size = delta.text ? strlen(delta.text) : 0;
    ck_assert_int_eq(dyno_openai_stream_open(&stream, &about, is_chat, include_usage), DYNO_OK);
    dyno_openai_stream_put(&stream, &out, &delta);
    dyno_openai_stream_close(&stream);
    expect_bytes(&out, due);
}

START_TEST(the_first_chunk_has_the_role_and_the_first_token)
{
    expect_delta(true, false, (struct dyno_openai_delta){.first = true, .text = "Hi"},
                 CHUNK "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hi\"},"
                       "\"finish_reason\":null}]}\n\n");
}
END_TEST

START_TEST(a_plain_chunk_is_text_between_constants)
{
    expect_delta(true, false, (struct dyno_openai_delta){.index = 3, .text = "a\n\"\xe6\x97\xa5"},
                 CHUNK "{\"index\":3,\"delta\":{\"content\":\"a\\n\\\"\xe6\x97\xa5\"},"
                       "\"finish_reason\":null}]}\n\n");
    expect_delta(true, true, (struct dyno_openai_delta){.text = "a"},
                 CHUNK "{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}],"
                       "\"usage\":null}\n\n");
    expect_delta(false, false, (struct dyno_openai_delta){.text = "a"},
                 "data: " HEAD("text_completion") "{\"index\":0,\"text\":\"a\",\"logprobs\":null,"
                                                  "\"finish_reason\":null}]}\n\n");
    expect_delta(false, true, (struct dyno_openai_delta){.index = 12, .text = "a"},
                 "data: " HEAD("text_completion") "{\"index\":12,\"text\":\"a\",\"logprobs\":null,"
                                                  "\"finish_reason\":null}],\"usage\":null}\n\n");
}
END_TEST

START_TEST(a_chunk_is_the_same_whichever_way_it_is_written)
{
    char text[5000];

    memset(text, 'a', sizeof text - 1); /* too long for the short way */
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < 4; i++) {
        struct dyno_openai_delta delta = {.text = text};
        struct dyno_bytes out = new_bytes(), plain = new_bytes();
        struct dyno_openai_stream stream;
        size_t end;

        ck_assert_int_eq(dyno_openai_stream_open(&stream, &about, i & 1, i & 2), DYNO_OK);
        delta.text_size = sizeof text - 1;
        dyno_openai_stream_put(&stream, &out, &delta);
        delta.text_size = 1;
        dyno_openai_stream_put(&stream, &plain, &delta);
        end = (size_t)((char *)memchr(plain.data, 'a', plain.size) - plain.data);
        ck_assert_uint_eq(out.size, plain.size + sizeof text - 2);
        ck_assert_mem_eq(out.data, plain.data, end);
        dyno_openai_stream_close(&stream);
        dyno_bytes_release(&out);
        dyno_bytes_release(&plain);
    }
}
END_TEST

START_TEST(the_last_chunk_says_why)
{
    expect_delta(true, false, (struct dyno_openai_delta){.finish = DYNO_OPENAI_STOP},
                 CHUNK "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
    expect_delta(true, true, (struct dyno_openai_delta){.text = "a", .finish = DYNO_OPENAI_LENGTH},
                 CHUNK "{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"length\"}],"
                       "\"usage\":null}\n\n");
    expect_delta(false, false, (struct dyno_openai_delta){.finish = DYNO_OPENAI_LENGTH},
                 "data: " HEAD("text_completion") "{\"index\":0,\"text\":\"\",\"logprobs\":null,"
                                                  "\"finish_reason\":\"length\"}]}\n\n");
}
END_TEST

START_TEST(calls_come_in_parts)
{
    struct dyno_openai_call_part parts[] = {
        {0, {"call-1", "f", "", 0}},
        {1, {NULL, NULL, "{\"x\":", 5}},
    };

    expect_delta(
        true, false, (struct dyno_openai_delta){.first = true, .calls = parts, .call_count = 2},
        CHUNK "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
              "{\"index\":0,\"id\":\"call-1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
              "\"arguments\":\"\"}},{\"index\":1,\"function\":{\"arguments\":\"{\\\"x\\\":\"}}]},"
              "\"finish_reason\":null}]}\n\n");
    expect_delta(true, false,
                 (struct dyno_openai_delta){
                     .calls = parts + 1, .call_count = 1, .finish = DYNO_OPENAI_TOOL_CALLS},
                 CHUNK "{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{"
                       "\"arguments\":\"{\\\"x\\\":\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n");
}
END_TEST

static const struct dyno_openai_alternative top[] = {
    {"a", 1, -0.5F}, {"\xe6", 1, -2}, {"a", 1, -9}};
static const struct dyno_openai_token tokens[] = {
    {{"a", 1, -0.5F}, 1, true, top, 3},
    {{"\xe6", 1, -2}, 1, true, NULL, 0},
    {{"\x97\xa5", 2, -1.0F / 0.0F}, 0, false, NULL, 0},
};

START_TEST(probabilities_have_the_shape_of_their_endpoint)
{
    expect_delta(
        true, false, (struct dyno_openai_delta){.text = "a", .tokens = tokens, .token_count = 3},
        CHUNK "{\"index\":0,\"delta\":{\"content\":\"a\"},\"logprobs\":{\"content\":["
              "{\"token\":\"a\",\"logprob\":-0.5,\"bytes\":[97],\"top_logprobs\":["
              "{\"token\":\"a\",\"logprob\":-0.5,\"bytes\":[97]},"
              "{\"token\":\"\xef\xbf\xbd\",\"logprob\":-2,\"bytes\":[230]},"
              "{\"token\":\"a\",\"logprob\":-9,\"bytes\":[97]}]},"
              "{\"token\":\"\xef\xbf\xbd\",\"logprob\":-2,\"bytes\":[230],\"top_logprobs\":[]},"
              "{\"token\":\"\xef\xbf\xbd\xef\xbf\xbd\",\"logprob\":-9999.0,\"bytes\":[151,165],"
              "\"top_logprobs\":[]}],\"refusal\":null},\"finish_reason\":null}]}\n\n");
    expect_delta(
        false, false,
        (struct dyno_openai_delta){
            .text = "a", .text_offset = 7, .tokens = tokens, .token_count = 3},
        "data: " HEAD(
            "text_completion") "{\"index\":0,\"text\":\"a\",\"logprobs\":{\"tokens\":[\"a\","
                               "\"bytes:\\\\xe6\",\"bytes:\\\\x97\\\\xa5\"],"
                               "\"token_logprobs\":[-0.5,-2,null],\"top_logprobs\":[{\"a\":-0.5,"
                               "\"bytes:\\\\xe6\":-2},{},null],\"text_offset\":[7,8,9]},"
                               "\"finish_reason\":null}]}\n\n");
}
END_TEST

START_TEST(usage_is_a_chunk_of_its_own_and_only_when_asked_for)
{
    const struct dyno_openai_usage usage = {10, 5, 4};

    for (int asked = 0; asked < 2; asked++) {
        struct dyno_bytes out = new_bytes();
        struct dyno_openai_stream stream;

        ck_assert_int_eq(dyno_openai_stream_open(&stream, &about, true, asked), DYNO_OK);
        dyno_openai_stream_put_usage(&stream, &out, &usage);
        dyno_openai_stream_put_done(&out);
        dyno_openai_stream_close(&stream);
        expect_bytes(&out, asked ? CHUNK
                               "],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,"
                               "\"total_tokens\":15,\"prompt_tokens_details\":{"
                               "\"cached_tokens\":4}}}\n\ndata: [DONE]\n\n"
                                 : "data: [DONE]\n\n");
    }
}
END_TEST

START_TEST(an_error_has_four_keys_wherever_it_comes)
{
    struct dyno_openai_error error;
    struct dyno_bytes out = new_bytes();

    ck_assert_int_eq(dyno_openai_fail(&error, 429, DYNO_OPENAI_CODE_RATE, NULL, "wait %d s", 2),
                     DYNO_FULL);
    dyno_openai_stream_put_error(&out, &error);
    dyno_openai_stream_put_ping(&out);
    expect_bytes(&out, "data: {\"error\":{\"message\":\"wait 2 s\",\"type\":\"rate_limit_error\","
                       "\"param\":null,\"code\":\"rate_limit_exceeded\"}}\n\n: ping\n\n");
    out = new_bytes();
    ck_assert_int_eq(dyno_openai_fail_context(&error, "messages", 9, 2, 10), DYNO_BAD_INPUT);
    dyno_openai_error_put(&out, &error);
    expect_bytes(
        &out, "{\"error\":{\"message\":\"this model's context is 10 tokens; the prompt has 9 and "
              "2 more were asked for: shorten one of them\",\"type\":\"invalid_request_error\","
              "\"param\":\"messages\",\"code\":\"context_length_exceeded\"}}");
    ck_assert_int_eq(dyno_openai_fail_context(&error, "prompt", 11, 0, 10), DYNO_BAD_INPUT);
    ck_assert_str_eq(error.cause.text,
                     "this model's context is 10 tokens; the prompt alone has 11, and an answer "
                     "needs one: shorten it");
}
END_TEST

START_TEST(a_status_has_a_type)
{
    ck_assert_str_eq(dyno_openai_error_type(400), "invalid_request_error");
    ck_assert_str_eq(dyno_openai_error_type(401), "authentication_error");
    ck_assert_str_eq(dyno_openai_error_type(403), "permission_error");
    ck_assert_str_eq(dyno_openai_error_type(404), "not_found_error");
    ck_assert_str_eq(dyno_openai_error_type(429), "rate_limit_error");
    ck_assert_str_eq(dyno_openai_error_type(500), "server_error");
    for (uint32_t of_http = 0; of_http < 4;
         of_http++) { /* what a client did wrong in HTTP itself */
        static const uint32_t statuses[] = {414, 431, 501, 505};

        ck_assert_str_eq(dyno_openai_error_type(statuses[of_http]), "invalid_request_error");
    }
    ck_assert_str_eq(dyno_openai_error_type(503), "service_unavailable_error");
    ck_assert_str_eq(dyno_openai_error_type(599), "server_error");
}
END_TEST

START_TEST(a_whole_chat_answer)
{
    const struct dyno_openai_tool_call call = {"call-1", "f", "{}", 2};
    const struct dyno_openai_choice choices[] = {
        {.finish = DYNO_OPENAI_STOP, .text = "Hi", .text_size = 2},
        {.index = 1, .finish = DYNO_OPENAI_TOOL_CALLS, .calls = &call, .call_count = 1},
    };
    const struct dyno_openai_usage usage = {1, 2, 0};
    struct dyno_bytes out = new_bytes();

    dyno_openai_put_chat(&out, &about, choices, 2, &usage);
    expect_bytes(
        &out,
        HEAD("chat.completion") "{\"index\":0,\"message\":{\"role\":\"assistant\","
                                "\"content\":\"Hi\",\"refusal\":null},\"logprobs\":null,\"finish_"
                                "reason\":\"stop\"},"
                                "{\"index\":1,\"message\":{\"role\":\"assistant\",\"content\":null,"
                                "\"refusal\":null,\"tool_calls\":[{\"id\":\"call-1\",\"type\":"
                                "\"function\","
                                "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
                                "\"logprobs\":null,"
                                "\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":1,"
                                "\"completion_tokens\":2,\"total_tokens\":3,\"prompt_tokens_"
                                "details\":{"
                                "\"cached_tokens\":0}}}");
}
END_TEST

START_TEST(a_whole_completion)
{
    const struct dyno_openai_choice choice = {.finish = DYNO_OPENAI_LENGTH,
                                              .text = "a",
                                              .text_size = 1,
                                              .tokens = tokens + 1,
                                              .token_count = 1};
    const struct dyno_openai_usage usage = {1, 1, 0};
    struct dyno_bytes out = new_bytes();

    dyno_openai_put_completion(&out, &about, &choice, 1, &usage);
    expect_bytes(
        &out,
        HEAD("text_completion") "{\"index\":0,\"text\":\"a\",\"logprobs\":{"
                                "\"tokens\":[\"bytes:\\\\xe6\"],\"token_logprobs\":[-2],\"top_"
                                "logprobs\":[{}],"
                                "\"text_offset\":[0]},\"finish_reason\":\"length\"}],\"usage\":{"
                                "\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2,"
                                "\"prompt_tokens_details\":{\"cached_tokens\":0}}}");
}
END_TEST

START_TEST(an_id_is_a_prefix_and_two_numbers)
{
    char id[DYNO_OPENAI_ID_MAX];

    dyno_openai_id(id, "chatcmpl", 0xabc, UINT64_MAX);
    ck_assert_str_eq(id, "chatcmpl-0000000000000abcffffffffffffffff");
}
END_TEST

/* Any bytes: what Jansson reads back is the text, but for U+FFFD where there was none. */
START_TEST(any_bytes_are_written_as_json)
{
    struct dyno_rng rng;
    char text[9000];

    dyno_rng_init(&rng, (uint64_t)_i, "escape");
    for (int round = 0; round < 50; round++) {
        struct dyno_bytes out = new_bytes();
        size_t size = dyno_rng_below(&rng, round % 10 ? 20 : sizeof text);
        uint64_t kind = dyno_rng_below(&rng, 3);
        json_t *value;

        for (size_t i = 0; i < size; i++) {
            text[i] = (char)(kind == 0   ? dyno_rng_below(&rng, 256)
                             : kind == 1 ? 1 + dyno_rng_below(&rng, 127)
                                         : (uint64_t) "\xe6\x97\xa5"[i % 3]);
        }
        dyno_json_put_string(&out, text, size);
        value = json_loadb(out.data, out.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        ck_assert_ptr_nonnull(value);
        if (kind == 1) {
            ck_assert_uint_eq(json_string_length(value), size);
            ck_assert_mem_eq(json_string_value(value), text, size);
        } else if (kind == 2 && size % 3 == 0) {
            ck_assert_uint_eq(out.size, size + 2);
        }
        json_decref(value);
        dyno_bytes_release(&out);
    }
}
END_TEST

START_TEST(a_full_buffer_says_so_and_keeps_what_it_has)
{
    struct dyno_bytes out;

    dyno_bytes_init(&out, 10);
    dyno_bytes_put_text(&out, "12345678");
    dyno_bytes_put_text(&out, "9ab");
    dyno_bytes_put_text(&out, "9");
    ck_assert_int_eq(out.status, DYNO_FULL);
    ck_assert_uint_eq(out.size, 8);
    dyno_bytes_clear(&out);
    dyno_bytes_put_u64(&out, UINT64_MAX);
    ck_assert_int_eq(out.status, DYNO_FULL);
    dyno_bytes_clear(&out);
    dyno_bytes_put_u64(&out, 1234567890);
    expect_bytes(&out, "1234567890");
}
END_TEST

START_TEST(a_float_reads_back_as_it_was)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, 1, "floats");
    for (int i = 0; i < 2000; i++) {
        struct dyno_bytes out = new_bytes();
        uint32_t bits = (uint32_t)dyno_rng_below(&rng, 1ULL << 32);
        float number;

        memcpy(&number, &bits, sizeof number);
        dyno_json_put_float(&out, number);
        dyno_bytes_put(&out, "", 1);
        if (number - number == 0) {
            ck_assert(strtof(out.data, NULL) == number);
        } else {
            ck_assert_str_eq(out.data, "-9999.0");
        }
        dyno_bytes_release(&out);
    }
}
END_TEST

START_TEST(a_value_that_is_passed_on_is_written_as_it_was_said)
{
    static const char *const values[] = {
        "0.7",
        "0.998853922",
        "-1.92408311",
        "0.30000000000000004",
        "1.0",
        "-0.0",
        "1e+300",
        "2.2250738585072014e-308",
        "9223372036854775807",
        "-5",
        "true",
        "false",
        "null",
        "\"\"",
        "[]",
        "{}",
        "{\"b\":[1,\"\\u0001\\n\\\"Ã©\",{}],\"a\":{\"x\":null,\"y\":[[]]}}"};

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        json_t *value = json_loads(values[i], JSON_DECODE_ANY, NULL);
        struct dyno_bytes out;

        ck_assert_ptr_nonnull(value);
        dyno_bytes_init(&out, 1 << 10);
        dyno_json_put_value(&out, value);
        ck_assert_int_eq(out.status, DYNO_OK);
        ck_assert_msg(out.size == strlen(values[i]) && memcmp(out.data, values[i], out.size) == 0,
                      "%s became %.*s", values[i], (int)out.size, out.data);
        dyno_bytes_release(&out);
        json_decref(value);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *chunks = tcase_create("chunks"), *whole = tcase_create("whole");
    TCase *text = tcase_create("text");

    tcase_add_test(chunks, the_first_chunk_has_the_role_and_the_first_token);
    tcase_add_test(chunks, a_plain_chunk_is_text_between_constants);
    tcase_add_test(chunks, a_chunk_is_the_same_whichever_way_it_is_written);
    tcase_add_test(chunks, the_last_chunk_says_why);
    tcase_add_test(chunks, calls_come_in_parts);
    tcase_add_test(chunks, probabilities_have_the_shape_of_their_endpoint);
    tcase_add_test(chunks, usage_is_a_chunk_of_its_own_and_only_when_asked_for);
    tcase_add_test(chunks, an_error_has_four_keys_wherever_it_comes);
    tcase_add_test(whole, a_status_has_a_type);
    tcase_add_test(whole, a_whole_chat_answer);
    tcase_add_test(whole, a_whole_completion);
    tcase_add_test(whole, an_id_is_a_prefix_and_two_numbers);
    tcase_add_loop_test(text, any_bytes_are_written_as_json, 0, 5);
    tcase_add_test(text, a_full_buffer_says_so_and_keeps_what_it_has);
    tcase_add_test(text, a_float_reads_back_as_it_was);
    tcase_add_test(text, a_value_that_is_passed_on_is_written_as_it_was_said);
    suite_add_tcase(suite, chunks);
    suite_add_tcase(suite, whole);
    suite_add_tcase(suite, text);
}

DYNO_CHECK_MAIN("openai/response", add_cases)

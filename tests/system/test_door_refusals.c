/* What the whole server refuses, asked as a process of its own: in the API's words, whichever layer
 * refuses, and the next request is answered. */
#include "tests/system/served.h"

struct wrong {
    int status;
    const char *code; /* NULL: any, or none */
    const char *method, *path, *headers, *body;
};

#define CHAT        "POST", "/v1/chat/completions", ""
#define COMPLETIONS "POST", "/v1/completions", ""
#define USER        "\"model\":\"austen-2m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"
#define PROMPT      "\"model\":\"austen-2m\",\"prompt\":\"x\""

static const struct wrong wrongs[] = {
    {400, "invalid_json", CHAT, ""},
    {400, "invalid_json", CHAT, "{"},
    {400, "invalid_json", CHAT, "{" USER},
    {400, "invalid_json", CHAT, "{" USER "} x"},
    {400, "invalid_json", CHAT, "{" USER ",\"temperature\":NaN}"},
    {400, "invalid_json", CHAT, "{" USER ",\"temperature\":1e999}"},
    {400, "invalid_json", CHAT, "{" USER ",\"user\":\"\xff\xfe\"}"},
    {400, "invalid_json", CHAT, "{" USER ",\"user\":\"\xed\xa0\x80\"}"},
    {400, "invalid_json", CHAT, "{" USER ",\"user\":\"\\u0000\"}"},
    {400, "invalid_json", CHAT, "{" USER ",\"user\":\"\\ud800\"}"},
    {400, "invalid_json", CHAT, "{" USER ",\"n\":1,\"n\":2}"},
    {400, NULL, CHAT, "[]"},
    {400, NULL, CHAT, "null"},
    {400, "missing_required_parameter", CHAT, "{\"model\":\"austen-2m\"}"},
    {400, "invalid_value", CHAT, "{" USER ",\"temperature\":-1}"},
    {400, "invalid_value", CHAT, "{" USER ",\"max_tokens\":0}"},
    {400, "invalid_value", CHAT, "{" USER ",\"n\":0}"},
    {400, "invalid_value", CHAT, "{" USER ",\"n\":129}"},
    {400, "invalid_type", CHAT, "{" USER ",\"seed\":\"x\"}"},
    {400, "unknown_parameter", CHAT, "{" USER ",\"temprature\":1}"},
    {400, NULL, CHAT, "{" USER ",\"logit_bias\":{\"99999999\":1}}"},
    {404, "model_not_found", CHAT,
     "{\"model\":\"\xc3\xa9\",\"messages\":[{\"role\":\"user\","
     "\"content\":\"x\"}]}"},
    {400, "context_length_exceeded", CHAT, "{" USER ",\"max_tokens\":100000}"},
    {400, "context_length_exceeded", COMPLETIONS, "{" PROMPT ",\"max_tokens\":1024}"},
    {400, NULL, COMPLETIONS, "{" PROMPT ",\"max_tokens\":0,\"echo\":false}"},
    {400, NULL, COMPLETIONS,
     "{" PROMPT ",\"max_tokens\":0,\"echo\":true,\"logprobs\":0,"
     "\"min_tokens\":1}"},
    {400, NULL, COMPLETIONS, "{\"model\":\"austen-2m\",\"prompt\":[]}"},
    {400, NULL, COMPLETIONS, "{\"model\":\"austen-2m\",\"prompt\":[[]]}"},
    {400, NULL, COMPLETIONS, "{\"model\":\"austen-2m\",\"prompt\":[4294967296]}"},
    {400, NULL, COMPLETIONS, "{\"model\":\"austen-2m\",\"prompt\":[-1]}"},
    {400, NULL, COMPLETIONS, "{\"model\":\"austen-2m\",\"prompt\":[99999]}"},
    {400, NULL, COMPLETIONS, "{" PROMPT ",\"stop\":\"\"}"},
    {400, NULL, "POST", "/v1/responses", "", "{\"model\":\"austen-2m\"}"},
    {400, NULL, "POST", "/tokenize", "", "{}"},
    {400, NULL, "POST", "/detokenize", "", "{\"tokens\":[99999]}"},
    {404, "unknown_url", "GET", "/v1/chat", "", ""},
    {404, "unknown_url", "GET", "/%ff%fe%22%5c", "", ""},
    {404, NULL, "GET", "/v1/models/../../etc/passwd", "", ""},
    {405, "method_not_allowed", "GET", "/v1/completions", "", ""},
    {405, "method_not_allowed", "DELETE", "/v1/models", "", ""},
    {400, NULL, "POST", "/v1/completions", "Content-Length: 3\r\n", "{}"},
    {400, NULL, "POST", "/v1/completions", "Transfer-Encoding: chunked\r\n", "{}"},
    {400, NULL, "POST", "/v1/completions", "Transfer-Encoding: gzip\r\n", "{}"},
    {415, "unsupported_parameter", "POST", "/v1/completions", "Content-Encoding: gzip\r\n", "{}"},
    {417, NULL, "POST", "/v1/completions", "Expect: a miracle\r\n", "{}"},
    {400, NULL, "POST", "/v1/completions", "X : y\r\n", "{}"},
    {400, NULL, "POST", "/v1/completions", "X: \x01\r\n", "{}"},
};

START_TEST(what_is_wrong_is_refused_in_the_apis_words_and_the_next_is_answered)
{
    struct served served = serve("");

    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        const struct wrong *wrong = &wrongs[i];
        struct reply reply = served_ask_with(&served, wrong->method, wrong->path, wrong->headers,
                                             wrong->body, strlen(wrong->body));
        char what[256];

        (void)snprintf(what, sizeof what, "%zu: %s %s%s", i, wrong->path, wrong->headers,
                       wrong->body);
        served_check_refusal(&reply, wrong->status, wrong->code, what);
        reply_free(&reply);
    }
    ck_assert_double_eq(served_metric(&served, "dyno_requests_in_flight"), 0);
    served_stop(&served);
}
END_TEST

static const struct {
    int status;
    const char *code, *before, *middle;
    size_t count;
    const char *after;
} larges[] = {
    {400, "invalid_json", "{\"messages\":", "[", 1000000, ""},
    {400, "invalid_json", "{\"messages\":", "{\"a\":", 1000000, ""},
    {400, NULL, "{\"model\":\"austen-2m\",\"messages\":[", "{},", 100000, "{}]}"},
    {413, "request_too_large", "{\"model\":\"austen-2m\",\"messages\":[", "0,", 5000000, "0]}"},
    {400, "context_length_exceeded",
     "{\"model\":\"austen-2m\",\"messages\":[{\"role\":\"user\",\"content\":\"", "word ", 1000000,
     "\"}]}"},
    {400, "context_length_exceeded",
     "{\"model\":\"austen-2m\",\"messages\":[{\"role\":\"user\",\"content\":\"", "a", 8000000,
     "\"}]}"},
    {413, "request_too_large", "{\"x\":\"", "0123456789abcdef", 1100000, "\"}"},
};

START_TEST(what_is_too_large_or_too_deep_is_refused)
{
    struct served served = serve("");
    char *body =
        served_repeated(larges[_i].before, larges[_i].middle, larges[_i].count, larges[_i].after);
    struct reply reply =
        served_ask_with(&served, "POST", "/v1/chat/completions", "", body, strlen(body));

    served_check_refusal(&reply, larges[_i].status, larges[_i].code, larges[_i].before);
    ck_assert_msg(!larges[_i].code || strcmp(larges[_i].code, "context_length_exceeded") != 0 ||
                      strstr(reply.body, " bytes fits into"),
                  "it was encoded first: %s", reply.body);
    reply_free(&reply);
    free(body);
    reply = served_ask(&served, "/v1/models", NULL);
    ck_assert_int_eq(reply.status, 200);
    reply_free(&reply);
    served_stop(&served);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("door_refusals");

    tcase_set_timeout(tc, 280);
    tcase_add_test(tc, what_is_wrong_is_refused_in_the_apis_words_and_the_next_is_answered);
    tcase_add_loop_test(tc, what_is_too_large_or_too_deep_is_refused, 0,
                        sizeof larges / sizeof larges[0]);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("system/door_refusals", add_cases)

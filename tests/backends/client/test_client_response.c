/* HTTP responses as their bytes come in: cut anywhere, and wrong in every way that is refused. */
#include "backends/client/response.h"

#include <string.h>

#include "tests/check_main.h"

enum { BODY_MAX = 4096 };

/* What was heard of one response. */
struct heard {
    struct dyno_client_response response;
    struct dyno_client_head head;
    struct dyno_error error;
    int heads;
    char body[BODY_MAX];
    size_t body_size;
    size_t used;
};

static void on_head(void *context, const struct dyno_client_head *head)
{
    struct heard *heard = context;

    heard->head = *head;
    heard->heads++;
}

static void on_body(void *context, const char *bytes, size_t size)
{
    struct heard *heard = context;

    ck_assert_uint_lt(heard->body_size + size, BODY_MAX);
    memcpy(heard->body + heard->body_size, bytes, size);
    heard->body_size += size;
}

/* Push text[size] in pieces of `piece` bytes, each in memory of exactly its size. */
static dyno_status push(struct heard *heard, const char *text, size_t size, size_t piece)
{
    struct dyno_client_listener listener = {heard, on_head, on_body};

    for (size_t at = 0; at < size; at += piece) {
        size_t length = piece < size - at ? piece : size - at;
        char *copy = malloc(length);
        size_t used = 0;
        dyno_status status;

        memcpy(copy, text + at, length);
        status = dyno_client_response_push(&heard->response, copy, length, &used, &listener,
                                           &heard->error);
        free(copy);
        if (status != DYNO_OK) {
            return status;
        }
        heard->used += used;
    }
    return DYNO_OK;
}

/* Every way to cut `text` in two, and every piece size, gives this body. */
static void gives(const char *text, uint32_t status, const char *body, bool keeps)
{
    size_t size = strlen(text);

    for (size_t piece = 1; piece <= size; piece++) {
        struct heard heard = {.heads = 0};

        ck_assert_int_eq(push(&heard, text, size, piece), DYNO_OK);
        ck_assert_msg(dyno_client_response_is_done(&heard.response), "pieces of %zu: not done",
                      piece);
        ck_assert_int_eq(heard.heads, 1);
        ck_assert_uint_eq(heard.head.status, status);
        ck_assert_uint_eq(heard.body_size, strlen(body));
        ck_assert_int_eq(memcmp(heard.body, body, heard.body_size), 0);
        ck_assert_uint_eq(heard.used, size);
        ck_assert_int_eq(dyno_client_response_keeps(&heard.response), keeps);
        dyno_client_response_release(&heard.response);
    }
}

START_TEST(a_body_of_known_length_ends_there)
{
    gives("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true);
    gives("HTTP/1.1 200\ncontent-length:5\n\nhello", 200, "hello", true);
    gives("HTTP/1.1 404 \r\nContent-Length: \t 0 \r\n\r\n", 404, "", true);
    gives("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true);
    gives("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200, "ok", true);
}
END_TEST

START_TEST(chunks_have_extensions_and_trailers)
{
    gives("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
          "3\r\nabc\r\n0A;name=\"value\"\r\n0123456789\r\n1 ;x\r\n!\r\n0;last\r\n"
          "Trailer: one\r\nOther: two\r\n\r\n",
          200, "abc0123456789!", true);
}
END_TEST

START_TEST(interim_responses_are_read_over)
{
    gives("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
          200, "ok", true);
}
END_TEST

START_TEST(connections_are_kept_as_the_versions_say)
{
    gives("HTTP/1.1 200 OK\r\nConnection: upgrade, Close\r\nContent-Length: 2\r\n\r\nok", 200, "ok",
          false);
    gives("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false);
    gives("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", 200, "ok",
          true);
}
END_TEST

START_TEST(what_follows_belongs_to_nobody)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n";
    struct heard heard = {.heads = 0};

    ck_assert_int_eq(push(&heard, text, strlen(text), strlen(text)), DYNO_OK);
    ck_assert(dyno_client_response_is_done(&heard.response));
    ck_assert_uint_eq(heard.used, strlen(text) - strlen("HTTP/1.1 200 OK\r\n"));
    dyno_client_response_release(&heard.response);
}
END_TEST

START_TEST(the_content_type_is_bare_and_in_lower_case)
{
    static const char text[] =
        "HTTP/1.1 200 OK\r\nContent-Type:  Text/Event-Stream ; charset=utf-8\r\n\r\n";
    struct heard heard = {.heads = 0};

    ck_assert_int_eq(push(&heard, text, strlen(text), strlen(text)), DYNO_OK);
    ck_assert_str_eq(heard.head.content_type, "text/event-stream");
    dyno_client_response_release(&heard.response);
}
END_TEST

/* Closed after `text`. */
static dyno_status closed(const char *text, struct heard *heard)
{
    dyno_status status;

    memset(heard, 0, sizeof *heard);
    ck_assert_int_eq(push(heard, text, strlen(text), 7), DYNO_OK);
    status = dyno_client_response_close(&heard->response, &heard->error);
    dyno_client_response_release(&heard->response);
    return status;
}

START_TEST(a_body_may_end_with_the_connection)
{
    struct heard heard;

    ck_assert_int_eq(closed("HTTP/1.0 200 OK\r\n\r\nall of it", &heard), DYNO_OK);
    ck_assert_uint_eq(heard.body_size, 9);
    ck_assert(!dyno_client_response_keeps(&heard.response));
}
END_TEST

START_TEST(a_cut_response_says_where)
{
    struct heard heard;

    ck_assert_int_eq(closed("", &heard), DYNO_IO);
    ck_assert_str_eq(heard.error.text, "the server closed the connection without an answer");
    ck_assert_int_eq(closed("HTTP/1.1 200 OK\r\nContent-Le", &heard), DYNO_IO);
    ck_assert_str_eq(heard.error.text,
                     "the server closed the connection within the head of its answer");
    ck_assert_int_eq(closed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", &heard), DYNO_IO);
    ck_assert_str_eq(heard.error.text, "the server closed the connection within its answer");
    ck_assert_int_eq(
        closed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", &heard),
        DYNO_IO);
    ck_assert_int_eq(
        closed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", &heard),
        DYNO_IO);
}
END_TEST

START_TEST(what_is_ambiguous_or_no_http_is_refused)
{
    static const char *const wrong[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 600 ?\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno field\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: nothing\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1234567890123456789\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 6\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1234567890abcdef\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok!\r\n",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        for (size_t piece = 1; piece < 80; piece += 13) {
            struct heard heard = {.heads = 0};

            ck_assert_msg(push(&heard, wrong[i], strlen(wrong[i]), piece) == DYNO_BAD_INPUT,
                          "taken for good: %s", wrong[i]);
            ck_assert_msg(strstr(heard.error.text, "no proper HTTP response: "), "%s",
                          heard.error.text);
            dyno_client_response_release(&heard.response);
        }
    }
}
END_TEST

START_TEST(a_head_has_limits)
{
    static const char start[] = "HTTP/1.1 200 OK\r\n", field[] = "A: b\r\n";
    struct heard heard = {.heads = 0};
    char *line = malloc(DYNO_CLIENT_LINE_MAX + 1);
    dyno_status status = push(&heard, start, strlen(start), 99);

    memset(line, 'x', DYNO_CLIENT_LINE_MAX + 1);
    ck_assert_int_eq(status, DYNO_OK);
    ck_assert_int_eq(push(&heard, line, DYNO_CLIENT_LINE_MAX + 1, 1000), DYNO_BAD_INPUT);
    dyno_client_response_release(&heard.response);
    free(line);

    memset(&heard, 0, sizeof heard);
    ck_assert_int_eq(push(&heard, start, strlen(start), 99), DYNO_OK);
    for (int i = 0; i < DYNO_CLIENT_LINES_MAX; i++) {
        ck_assert_int_eq(push(&heard, field, strlen(field), 99), DYNO_OK);
    }
    ck_assert_int_eq(push(&heard, field, strlen(field), 99), DYNO_BAD_INPUT);
    dyno_client_response_release(&heard.response);

    memset(&heard, 0, sizeof heard);
    for (int i = 0; i <= DYNO_CLIENT_LINES_MAX; i++) {
        static const char interim[] = "HTTP/1.1 102 Processing\r\n\r\n";

        status = push(&heard, interim, strlen(interim), 99);
    }
    ck_assert_int_eq(status, DYNO_BAD_INPUT);
    dyno_client_response_release(&heard.response);
}
END_TEST

/* Bytes changed, left out and doubled at random: never a crash, and never more body than bytes. */
START_TEST(damaged_responses_are_survived)
{
    static const char good[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n"
                               "3\r\nabc\r\n0A;name=\"value\"\r\n0123456789\r\n0\r\nT: u\r\n\r\n";
    uint32_t dice = (uint32_t)_i * 2654435761u + 1;

    for (int round = 0; round < 200; round++) {
        struct heard heard = {.heads = 0};
        char text[sizeof good];

        memcpy(text, good, sizeof good);
        for (int change = 0; change < 1 + round % 4; change++) {
            dice = dice * 1664525u + 1013904223u;
            text[(dice >> 8) % (sizeof good - 1)] = (char)(dice >> 24);
        }
        if (push(&heard, text, sizeof good - 1, 1 + (dice >> 16) % 40) == DYNO_OK) {
            (void)dyno_client_response_close(&heard.response, &heard.error);
        }
        ck_assert_uint_le(heard.body_size, sizeof good);
        dyno_client_response_release(&heard.response);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("response");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_body_of_known_length_ends_there);
    tcase_add_test(cases, chunks_have_extensions_and_trailers);
    tcase_add_test(cases, interim_responses_are_read_over);
    tcase_add_test(cases, connections_are_kept_as_the_versions_say);
    tcase_add_test(cases, what_follows_belongs_to_nobody);
    tcase_add_test(cases, the_content_type_is_bare_and_in_lower_case);
    tcase_add_test(cases, a_body_may_end_with_the_connection);
    tcase_add_test(cases, a_cut_response_says_where);
    tcase_add_test(cases, what_is_ambiguous_or_no_http_is_refused);
    tcase_add_test(cases, a_head_has_limits);
    tcase_add_loop_test(cases, damaged_responses_are_survived, 0, 20);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("backends/client/response", add_cases)

/* Heads of requests: what is read out of good ones, and with which status each bad one is refused.
 */
#include "backends/http/head.h"

#include <stdio.h>
#include <string.h>

#include "tests/check_main.h"

enum { TEXT_MAX = 8192 };

static struct dyno_http_head head;
static char text[TEXT_MAX];
static size_t text_size;

/* Parse a copy of `size` bytes in memory of just that size; its end is found a byte at a time. */
static struct dyno_http_refusal parse_bytes(const char *bytes, size_t size)
{
    size_t scanned = 0, found = 0;

    ck_assert(size <= sizeof text);
    memcpy(text, bytes, size);
    text_size = size;
    for (size_t given = 0; given <= size && found == 0; given++) {
        found = dyno_http_head_size(text, given, &scanned);
    }
    if (found == SIZE_MAX) {
        return dyno_http_refuse(400, "bare line feed");
    }
    ck_assert_msg(found > 0, "no end of the head was found in: %s", bytes);
    return dyno_http_head_parse(&head, text, found);
}

static struct dyno_http_refusal parse(const char *request)
{
    return parse_bytes(request, strlen(request));
}

static void expect_fine(const char *request)
{
    struct dyno_http_refusal refusal = parse(request);

    ck_assert_msg(refusal.status == 0, "%s: refused with %u, %s", request, refusal.status,
                  refusal.why);
}

static const char *parameter(const char *name)
{
    for (uint32_t i = 0; i < head.parameter_count; i++) {
        if (strcmp(text + head.parameters[i].name, name) == 0) {
            return text + head.parameters[i].value;
        }
    }
    return NULL;
}

START_TEST(method_path_query_and_headers_are_read_and_decoded)
{
    expect_fine("POST /v1/a%20b%2Fc?x=1&y=%41+b&empty&=v&x=2 HTTP/1.1\r\nHost: a\r\n"
                "X-One:  two words \t\r\nx-empty:\r\n\r\n");
    ck_assert_str_eq(text + head.method, "POST");
    ck_assert_str_eq(text + head.path, "/v1/a b/c");
    ck_assert_str_eq(parameter("x"), "1");
    ck_assert_str_eq(parameter("y"), "A b");
    ck_assert_str_eq(parameter("empty"), "");
    ck_assert_str_eq(parameter(""), "v");
    ck_assert_ptr_null(parameter("z"));
    ck_assert_str_eq(dyno_http_head_find(&head, text, "x-oNE"), "two words");
    ck_assert_str_eq(dyno_http_head_find(&head, text, "X-Empty"), "");
    ck_assert_ptr_null(dyno_http_head_find(&head, text, "X-On"));
    ck_assert(head.is_1_1 && head.keep_alive && !head.is_head && !head.chunked);
}
END_TEST

START_TEST(targets_may_be_urls_and_a_star_for_options)
{
    expect_fine("GET http://h:80/p/q?a=b HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert_str_eq(text + head.path, "/p/q");
    ck_assert_str_eq(parameter("a"), "b");
    expect_fine("GET HTTPS://h HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert_str_eq(text + head.path, "/");
    expect_fine("GET http://h?a=b HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert_str_eq(text + head.path, "/");
    ck_assert_str_eq(parameter("a"), "b");
    expect_fine("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert_str_eq(text + head.path, "*");
}
END_TEST

START_TEST(framing_follows_from_the_headers)
{
    expect_fine("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0042\r\n\r\n");
    ck_assert_uint_eq(head.content_length, 42);
    expect_fine("POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: Chunked\r\n\r\n");
    ck_assert(head.chunked);
    ck_assert_uint_eq(head.content_length, 0);
    expect_fine("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n");
    ck_assert(head.expects_continue);
    expect_fine("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    ck_assert(!head.expects_continue);
}
END_TEST

START_TEST(connections_are_kept_as_version_and_header_say)
{
    expect_fine("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed, keep-alive\r\n\r\n");
    ck_assert(head.keep_alive);
    expect_fine("GET / HTTP/1.1\r\nHost: a\r\nConnection: x ,CLOSE\r\n\r\n");
    ck_assert(!head.keep_alive);
    expect_fine("GET / HTTP/1.0\r\n\r\n");
    ck_assert(!head.keep_alive && !head.is_1_1);
    expect_fine("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    ck_assert(head.keep_alive);
}
END_TEST

static const struct {
    uint16_t status;
    const char *request;
} refused[] = {
    /* request lines */
    {400, "GET /\r\nHost: a\r\n\r\n"},
    {400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
    {400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET / HTTP/1.1\rX\r\nHost: a\r\n\r\n"},
    {400, "GET / http/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET / HTTP/1.x\r\nHost: a\r\n\r\n"},
    {400, "GET / HTTP/11\r\nHost: a\r\n\r\n"},
    {505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
    {505, "PRI * HTTP/2.0\r\n\r\n"},
    {400, "\r\n\r\n"},
    /* targets */
    {400, "GET x HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /%0 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /%g0 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /?a=%0 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /?%4 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"},
    /* lines */
    {400, "GET / HTTP/1.1\nHost: a\n\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX\xff: a\r\n\r\n"},
    /* hosts */
    {400, "GET / HTTP/1.1\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"},
    {400, "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n"},
    /* what two readers would frame differently */
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -4\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x4\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4 4\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"},
    {413, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"},
    {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
          "Transfer-Encoding: chunked\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n"},
    {417, "POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n"},
};

START_TEST(what_could_be_read_in_two_ways_is_refused)
{
    struct dyno_http_refusal refusal = parse(refused[_i].request);

    ck_assert_msg(refusal.status == refused[_i].status, "%s: got %u (%s), not %u",
                  refused[_i].request, refusal.status, refusal.why ? refusal.why : "fine",
                  refused[_i].status);
    ck_assert_ptr_nonnull(refusal.why);
}
END_TEST

START_TEST(nul_is_refused_wherever_it_stands)
{
    static const char request[] = "GET /abc?d=e HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n";
    char changed[sizeof request];

    for (size_t i = 0; i < sizeof request - 5; i++) { /* but in the ends of lines that find it */
        memcpy(changed, request, sizeof request);
        if (changed[i] != '\r' && changed[i] != '\n') {
            changed[i] = '\0';
            ck_assert_uint_eq(parse_bytes(changed, sizeof request - 1).status, 400);
        }
    }
}
END_TEST

START_TEST(counts_have_limits)
{
    char request[TEXT_MAX];

    for (int extra = 0; extra <= 1; extra++) {
        int used = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: a\r\n");

        for (int i = 1; i < DYNO_HTTP_FIELDS_MAX + extra; i++) {
            used += snprintf(request + used, sizeof request - (size_t)used, "X: y\r\n");
        }
        (void)snprintf(request + used, sizeof request - (size_t)used, "\r\n");
        ck_assert_uint_eq(parse(request).status, extra ? 431 : 0);

        used = snprintf(request, sizeof request, "GET /?");
        for (int i = 0; i < DYNO_HTTP_PARAMETERS_MAX + extra; i++) {
            used += snprintf(request + used, sizeof request - (size_t)used, "a=b&&");
        }
        (void)snprintf(request + used, sizeof request - (size_t)used,
                       " HTTP/1.1\r\nHost: a\r\n\r\n");
        ck_assert_uint_eq(parse(request).status, extra ? 400 : 0);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("head");

    tcase_add_test(tc, method_path_query_and_headers_are_read_and_decoded);
    tcase_add_test(tc, targets_may_be_urls_and_a_star_for_options);
    tcase_add_test(tc, framing_follows_from_the_headers);
    tcase_add_test(tc, connections_are_kept_as_version_and_header_say);
    tcase_add_loop_test(tc, what_could_be_read_in_two_ways_is_refused, 0,
                        sizeof refused / sizeof *refused);
    tcase_add_test(tc, nul_is_refused_wherever_it_stands);
    tcase_add_test(tc, counts_have_limits);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("backends/http_head", add_cases)

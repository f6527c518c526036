/* The client against a server in the same loop: whole answers, reuse, and every way to fail. */
#include "backends/client/client.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "tests/backends/client/stub_server.h"
#include "tests/check_main.h"

enum { BODY_MAX = 1 << 16 };

static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/* One exchange, as it was heard. */
struct heard {
    struct event_base *base;
    bool is_sent, has_ended;
    struct dyno_client_head head;
    char body[BODY_MAX];
    size_t body_size;
    char why[256]; /* "": a whole answer */
};

static void on_sent(void *context, dyno_ns at)
{
    ck_assert_uint_gt(at, 0);
    ((struct heard *)context)->is_sent = true;
}

static void on_head(void *context, dyno_ns at, const struct dyno_client_head *head)
{
    (void)at;
    ((struct heard *)context)->head = *head;
}

static void on_body(void *context, dyno_ns at, const char *bytes, size_t size)
{
    struct heard *heard = context;

    (void)at;
    ck_assert_uint_le(heard->body_size + size, BODY_MAX);
    memcpy(heard->body + heard->body_size, bytes, size);
    heard->body_size += size;
}

static void on_ended(void *context, dyno_ns at, const char *why)
{
    struct heard *heard = context;

    (void)at;
    ck_assert(!heard->has_ended);
    heard->has_ended = true;
    (void)snprintf(heard->why, sizeof heard->why, "%s", why ? why : "");
    (void)event_base_loopbreak(heard->base);
}

/* A server, a client, and their loop. */
struct rig {
    struct event_base *base;
    struct stub_server server;
    struct dyno_url url;
    struct dyno_client *client;
    struct heard heard;
};

static struct dyno_client_config usual(const struct rig *rig)
{
    return (struct dyno_client_config){.base = rig->base,
                                       .url = &rig->url,
                                       .fields = "X-Always: yes\r\n",
                                       .connections_max = 2,
                                       .connect_timeout_ns = 10 * DYNO_S,
                                       .silence_timeout_ns = 10 * DYNO_S,
                                       .idle_max_ns = 10 * DYNO_S};
}

static void open_rig(struct rig *rig, const struct stub_script *script)
{
    char text[64];

    memset(rig, 0, sizeof *rig);
    rig->base = event_base_new();
    ck_assert(stub_open(&rig->server, rig->base, script));
    (void)snprintf(text, sizeof text, "http://127.0.0.1:%u/api", (unsigned)rig->server.port);
    ck_assert_int_eq(dyno_url_parse(&rig->url, text, NULL), DYNO_OK);
}

static void open_client(struct rig *rig)
{
    struct dyno_client_config config = usual(rig);
    struct dyno_error error = {0};

    ck_assert_msg(dyno_client_open(&rig->client, &config, &error) == DYNO_OK, "%s", error.text);
}

static void close_rig(struct rig *rig)
{
    dyno_client_close(rig->client);
    stub_close(&rig->server);
    event_base_free(rig->base);
}

static struct dyno_client_exchange *begin(struct rig *rig, struct heard *heard, const char *body)
{
    struct dyno_client_handler handler = {heard, on_sent, on_head, on_body, on_ended};
    struct dyno_client_request request = {.method = "POST",
                                          .path = "/v1/x",
                                          .fields = "X-Once: 1\r\n",
                                          .body = body,
                                          .body_size = strlen(body)};
    struct dyno_client_exchange *exchange = NULL;

    memset(heard, 0, sizeof *heard);
    heard->base = rig->base;
    ck_assert_int_eq(dyno_client_send(rig->client, &request, &handler, &exchange), DYNO_OK);
    return exchange;
}

static void ask(struct rig *rig, struct heard *heard)
{
    (void)begin(rig, heard, "{}");
    while (!heard->has_ended) {
        ck_assert_int_eq(event_base_loop(rig->base, EVLOOP_ONCE), 0);
    }
}

START_TEST(a_request_goes_out_and_its_answer_comes_in)
{
    struct stub_script script = {.answer = hello};
    char due[256];
    struct rig rig;

    open_rig(&rig, &script);
    open_client(&rig);
    ask(&rig, &rig.heard);
    ck_assert_str_eq(rig.heard.why, "");
    ck_assert(rig.heard.is_sent);
    ck_assert_uint_eq(rig.heard.head.status, 200);
    ck_assert_uint_eq(rig.heard.body_size, 5);
    (void)snprintf(due, sizeof due,
                   "POST /api/v1/x HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: 2\r\n"
                   "X-Always: yes\r\nX-Once: 1\r\n\r\n{}",
                   (unsigned)rig.server.port);
    ck_assert_str_eq(rig.server.last, due);
    close_rig(&rig);
}
END_TEST

START_TEST(a_connection_serves_one_request_after_another)
{
    struct stub_script script = {.answer = hello, .piece = 7};
    struct rig rig;

    open_rig(&rig, &script);
    open_client(&rig);
    for (int i = 0; i < 20; i++) {
        ask(&rig, &rig.heard);
        ck_assert_str_eq(rig.heard.why, "");
        ck_assert_uint_eq(rig.heard.body_size, 5);
    }
    ck_assert_uint_eq(dyno_client_connects(rig.client), 1);
    ck_assert_uint_eq(rig.server.requests, 20);
    close_rig(&rig);
}
END_TEST

START_TEST(a_connection_that_the_server_closes_is_not_used_again)
{
    struct stub_script script = {.answer = "HTTP/1.0 200 OK\r\n\r\nhello", .closes = true};
    struct rig rig;

    open_rig(&rig, &script);
    open_client(&rig);
    for (int i = 0; i < 3; i++) {
        ask(&rig, &rig.heard);
        ck_assert_str_eq(rig.heard.why, "");
        ck_assert_uint_eq(rig.heard.body_size, 5);
    }
    ck_assert_uint_eq(dyno_client_connects(rig.client), 3);
    close_rig(&rig);
}
END_TEST

START_TEST(exchanges_do_not_wait_for_each_other_and_have_a_maximum)
{
    struct stub_script script = {.answer = hello, .piece = 1, .pause_us = 100};
    struct dyno_client_handler handler = {0};
    struct dyno_client_request request = {.method = "GET", .path = "/", .fields = ""};
    struct dyno_client_exchange *exchange = NULL;
    struct heard other = {.base = NULL};
    struct rig rig;

    open_rig(&rig, &script);
    open_client(&rig);
    (void)begin(&rig, &rig.heard, "{}");
    (void)begin(&rig, &other, "{}");
    ck_assert_uint_eq(dyno_client_in_flight(rig.client), 2);
    ck_assert_int_eq(dyno_client_send(rig.client, &request, &handler, &exchange), DYNO_FULL);
    ck_assert_ptr_null(exchange);
    while (!rig.heard.has_ended || !other.has_ended) {
        ck_assert_int_eq(event_base_loop(rig.base, EVLOOP_ONCE), 0);
    }
    ck_assert_str_eq(rig.heard.why, "");
    ck_assert_str_eq(other.why, "");
    ck_assert_uint_eq(rig.server.accepted, 2);
    close_rig(&rig);
}
END_TEST

START_TEST(a_large_request_goes_out_in_parts)
{
    struct stub_script script = {.answer = hello};
    char *body = calloc(1, 900001);
    struct rig rig;

    memset(body, 'x', 900000);
    open_rig(&rig, &script);
    open_client(&rig);
    (void)begin(&rig, &rig.heard, body);
    while (!rig.heard.has_ended) {
        ck_assert_int_eq(event_base_loop(rig.base, EVLOOP_ONCE), 0);
    }
    ck_assert_str_eq(rig.heard.why, "");
    ck_assert(rig.heard.is_sent);
    ck_assert_str_eq(strstr(rig.server.last, "\r\n\r\n") + 4, body);
    free(body);
    close_rig(&rig);
}
END_TEST

START_TEST(nobody_listening_is_said)
{
    struct stub_script script = {.answer = hello};
    char due[128];
    struct rig rig;

    open_rig(&rig, &script);
    (void)snprintf(due, sizeof due, "cannot connect to 127.0.0.1:%u: Connection refused",
                   (unsigned)rig.server.port);
    stub_close(&rig.server);
    open_client(&rig);
    ask(&rig, &rig.heard);
    ck_assert_str_eq(rig.heard.why, due);
    ck_assert(!rig.heard.is_sent);
    ck_assert_uint_eq(dyno_client_in_flight(rig.client), 0);
    dyno_client_close(rig.client);
    event_base_free(rig.base);
}
END_TEST

/* What the client says of a server that answers so. */
static void fails(const struct stub_script *script, const char *due, size_t body_size)
{
    struct rig rig;

    open_rig(&rig, script);
    open_client(&rig);
    ask(&rig, &rig.heard);
    ck_assert_msg(strncmp(rig.heard.why, due, strlen(due)) == 0, "%s, not %s", rig.heard.why, due);
    ck_assert_uint_eq(rig.heard.body_size, body_size);
    close_rig(&rig);
}

START_TEST(cut_answers_are_said)
{
    fails(&(struct stub_script){.answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell",
                                .closes = true},
          "the server closed the connection within its answer", 4);
    fails(&(struct stub_script){.answer = "HTTP/1.1 200", .closes = true},
          "the server closed the connection within the head", 0);
    fails(&(struct stub_script){.answer = "SSH-2.0-OpenSSH_9.2\r\n"}, "no proper HTTP response", 0);
}
END_TEST

START_TEST(a_silent_server_is_given_up)
{
    struct stub_script script = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell"};
    struct dyno_client_config config;
    struct rig rig;

    open_rig(&rig, &script);
    config = usual(&rig);
    config.silence_timeout_ns = 40 * DYNO_MS;
    ck_assert_int_eq(dyno_client_open(&rig.client, &config, NULL), DYNO_OK);
    ask(&rig, &rig.heard);
    ck_assert_str_eq(rig.heard.why, "the server was silent for too long");
    ck_assert_uint_eq(rig.heard.body_size, 4);
    close_rig(&rig);
}
END_TEST

START_TEST(a_cancelled_exchange_is_heard_of_no_more)
{
    struct stub_script script = {.answer = hello, .piece = 1, .pause_us = 50};
    struct dyno_client_exchange *exchange;
    struct heard other = {.base = NULL};
    struct rig rig;

    open_rig(&rig, &script);
    open_client(&rig);
    exchange = begin(&rig, &other, "{}");
    while (other.head.status == 0) {
        ck_assert_int_eq(event_base_loop(rig.base, EVLOOP_ONCE), 0);
    }
    dyno_client_exchange_cancel(exchange);
    ck_assert_uint_eq(dyno_client_in_flight(rig.client), 0);
    ask(&rig, &rig.heard);
    ck_assert_str_eq(rig.heard.why, "");
    ck_assert(!other.has_ended);
    close_rig(&rig);
}
END_TEST

/* A name with a part too long for any name, so that nobody is asked for it. */
START_TEST(an_unknown_server_is_said_at_once)
{
    static const char text[] =
        "http://a-name-that-is-longer-than-sixty-three-letters-which-is-all-that-is-allowed.test";
    struct event_base *base = event_base_new();
    struct dyno_client_config config = {.base = base};
    struct dyno_client *client = NULL;
    struct dyno_error error = {0};
    struct dyno_url url;

    ck_assert_int_eq(dyno_url_parse(&url, text, NULL), DYNO_OK);
    config.url = &url;
    config.connect_timeout_ns = config.silence_timeout_ns = DYNO_S;
    ck_assert_int_eq(dyno_client_open(&client, &config, &error), DYNO_NOT_FOUND);
    ck_assert_ptr_null(client);
    ck_assert_msg(strstr(error.text, "cannot be looked up"), "%s", error.text);
    event_base_free(base);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("client");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_request_goes_out_and_its_answer_comes_in);
    tcase_add_test(cases, a_connection_serves_one_request_after_another);
    tcase_add_test(cases, a_connection_that_the_server_closes_is_not_used_again);
    tcase_add_test(cases, exchanges_do_not_wait_for_each_other_and_have_a_maximum);
    tcase_add_test(cases, a_large_request_goes_out_in_parts);
    tcase_add_test(cases, nobody_listening_is_said);
    tcase_add_test(cases, cut_answers_are_said);
    tcase_add_test(cases, a_silent_server_is_given_up);
    tcase_add_test(cases, a_cancelled_exchange_is_heard_of_no_more);
    tcase_add_test(cases, an_unknown_server_is_said_at_once);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("backends/client/client", add_cases)

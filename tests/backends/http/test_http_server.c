/* Exchanges as a well-behaved client sees them. */
#include "tests/backends/http/rig.h"

static struct rig rig;

static void setup(void)
{
    rig_init(&rig);
    rig_open(&rig);
}

static void teardown(void)
{
    rig_close(&rig);
}

START_TEST(a_whole_reply_has_its_length_and_the_connection_goes_on)
{
    int client = rig_client(&rig);

    for (int i = 0; i < 3; i++) {
        const char *got =
            rig_ask(&rig, client, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");

        ck_assert_msg(rig_begins(got, "HTTP/1.1 200 OK\r\nDate: "), "%s", got);
        ck_assert_ptr_nonnull(strstr(got, " GMT\r\nContent-Type: text/plain\r\n"
                                          "Content-Length: 5\r\n\r\nhello"));
        ck_assert(rig_ends(got, "\r\n\r\nhello"));
    }
    ck_assert_uint_eq(rig_connections(&rig), 1);
    ck_assert_str_eq(rig.log, "POST /a hello;POST /a hello;POST /a hello;");
    ck_assert_uint_eq(rig.gone, 0);
    (void)close(client);
}
END_TEST

START_TEST(a_request_is_understood_however_it_is_cut)
{
    static const char request[] =
        "POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
        "POST /d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n\r\nGET /e HTTP/1.1\r\nHost: h\r\n\r\n";
    int client = rig_client(&rig);

    for (size_t cut = 1; cut < sizeof request - 1; cut++) {
        const char *got;

        rig.log_size = 0;
        rig_send_bytes(client, request, cut);
        rig_settle(&rig);
        rig_send(client, request + cut);
        rig_settle(&rig);
        got = rig_receive(&rig, client);
        ck_assert_uint_eq(rig_count(got, "HTTP/1.1 200 OK"), 3);
        ck_assert_str_eq(rig.log, "POST /a hello;POST /d hello;GET /e ;");
    }
    rig.log_size = 0;
    for (size_t i = 0; i < sizeof request - 1; i++) {
        rig_send_bytes(client, request + i, 1);
        (void)rig_turn(&rig, true);
    }
    rig_settle(&rig);
    ck_assert_str_eq(rig.log, "POST /a hello;POST /d hello;GET /e ;");
    (void)close(client);
}
END_TEST

START_TEST(streams_are_chunked_for_1_1_and_end_with_the_connection_for_1_0)
{
    int client = rig_client(&rig), old = rig_client(&rig);
    const char *got = rig_ask(&rig, client, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");

    ck_assert_ptr_nonnull(strstr(got, "Transfer-Encoding: chunked\r\n\r\n"));
    ck_assert_ptr_null(strstr(got, "Content-Length"));
    ck_assert(rig_ends(got, "\r\n\r\n3\r\none\r\n11\r\nseventeen letters\r\n0\r\n\r\n"));
    got = rig_ask(&rig, old, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    ck_assert(rig_ends(got, "Connection: close\r\n\r\noneseventeen letters<end>"));
    ck_assert_ptr_null(strstr(got, "Transfer-Encoding"));
    (void)close(client);
    (void)close(old);
}
END_TEST

START_TEST(what_is_written_in_one_turn_leaves_at_its_end)
{
    int client = rig_client(&rig);
    struct dyno_http_exchange *held;

    (void)rig_ask(&rig, client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    held = rig.held[0];
    dyno_http_stream_begin(held, 200, NULL);
    dyno_http_stream_write(held, "a", 1);
    dyno_http_stream_write(held, "b", 1);
    ck_assert_str_eq(rig_receive(&rig, client), "");
    (void)rig_turn(&rig, false);
    ck_assert(rig_ends(rig_receive(&rig, client), "\r\n\r\n1\r\na\r\n1\r\nb\r\n"));
    dyno_http_stream_write(held, "c", 1);
    (void)rig_turn(&rig, false);
    ck_assert_str_eq(rig_receive(&rig, client), "1\r\nc\r\n");
    dyno_http_stream_end(held);
    (void)rig_turn(&rig, false);
    ck_assert_str_eq(rig_receive(&rig, client), "0\r\n\r\n");
    ck_assert_uint_eq(rig_connections(&rig), 1);
    (void)close(client);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order_one_at_a_time)
{
    int client = rig_client(&rig);
    const char *got = rig_ask(&rig, client,
                              "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none"
                              "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"
                              "POST /3 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nthree");

    ck_assert(rig_ends(got, "one"));
    ck_assert_str_eq(rig.log, "POST /1 one;GET /hold ;");
    dyno_http_reply(rig.held[0], 200, NULL, "two", 3);
    rig_settle(&rig);
    got = rig_receive(&rig, client);
    ck_assert_ptr_nonnull(strstr(got, "\r\n\r\ntwoHTTP/1.1 200 OK\r\n"));
    ck_assert(rig_ends(got, "\r\n\r\nthree"));
    (void)close(client);
}
END_TEST

/* More than the server is willing to hold, so that it has to stop reading and go on. */
START_TEST(any_number_of_requests_can_be_pipelined)
{
    static const char request[] = "GET /p HTTP/1.1\r\nHost: h\r\n\r\n";
    enum { COUNT = 3000 };
    int client = rig_client(&rig), sent = 0;
    size_t answered = 0;

    (void)rig_ask(&rig, client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    while (sent < COUNT && send(client, request, sizeof request - 1, MSG_DONTWAIT) > 0) {
        sent++; /* until the kernel is full too */
    }
    ck_assert_int_gt(sent, 200);
    rig_settle(&rig);
    dyno_http_reply(rig.held[0], 200, NULL, NULL, 0);
    while (answered <= (size_t)sent) {
        (void)rig_turn(&rig, true);
        answered += rig_count(rig_receive(&rig, client), "HTTP/1.1 200 OK");
    }
    ck_assert_uint_eq(rig.requests, (uint64_t)sent + 1);
    ck_assert_uint_eq(rig.gone, 0);
    (void)close(client);
}
END_TEST

START_TEST(head_gets_the_headers_of_get_and_no_body)
{
    int client = rig_client(&rig);
    const char *got =
        rig_ask(&rig, client, "HEAD /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");

    ck_assert(rig_ends(got, "Content-Length: 2\r\n\r\n"));
    got = rig_ask(&rig, client, "HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert(rig_ends(got, "Transfer-Encoding: chunked\r\n\r\n"));
    got = rig_ask(&rig, client, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert(rig_begins(got, "HTTP/1.1 200 OK"));
    got = rig_ask(&rig, client, "GET /none HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert(rig_begins(got, "HTTP/1.1 204 No Content\r\n"));
    ck_assert_ptr_null(strstr(got, "Content-Length"));
    ck_assert_uint_eq(rig_connections(&rig), 1);
    (void)close(client);
}
END_TEST

START_TEST(a_client_that_asks_first_is_told_to_go_on)
{
    int client = rig_client(&rig);

    ck_assert_str_eq(rig_ask(&rig, client,
                             "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                             "Content-Length: 2\r\n\r\n"),
                     "HTTP/1.1 100 Continue\r\n\r\n");
    ck_assert(rig_begins(rig_ask(&rig, client, "ab"), "HTTP/1.1 200 OK\r\n"));
    ck_assert(rig_begins(rig_ask(&rig, client,
                                 "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                                 "Content-Length: 2\r\n\r\nab"),
                         "HTTP/1.1 200 OK\r\n"));
    ck_assert(rig_begins(rig_ask(&rig, client,
                                 "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                                 "Content-Length: 65537\r\n\r\n"),
                         "HTTP/1.1 413 Content Too Large\r\n"));
    (void)close(client);
}
END_TEST

START_TEST(the_connection_closes_when_the_client_wants_it)
{
    int client = rig_client(&rig), old = rig_client(&rig), kept = rig_client(&rig);
    const char *got =
        rig_ask(&rig, client, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");

    ck_assert(rig_ends(got, "Connection: close\r\n\r\n<end>"));
    got = rig_ask(&rig, old, "GET / HTTP/1.0\r\n\r\n");
    ck_assert(rig_ends(got, "Connection: close\r\n\r\n<end>"));
    got = rig_ask(&rig, kept, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    ck_assert(rig_ends(got, "Connection: keep-alive\r\n\r\n"));
    (void)close(client);
    (void)close(old);
    rig_settle(&rig);
    ck_assert_uint_eq(rig_connections(&rig), 1);
    (void)close(kept);
}
END_TEST

START_TEST(headers_cannot_be_split_by_their_values)
{
    const struct dyno_http_header headers[] = {{"X-Id", "a\r\nSet-Cookie: b\tc\x7f\xc3\xa4"},
                                               {NULL, NULL}};
    int client = rig_client(&rig);

    (void)rig_ask(&rig, client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    dyno_http_reply(rig.held[0], 299, headers, NULL, 0);
    rig_settle(&rig);
    ck_assert_ptr_nonnull(strstr(rig_receive(&rig, client), "HTTP/1.1 299 Other\r\n"));
    ck_assert_ptr_nonnull(strstr(rig.received, "\r\nX-Id: a??Set-Cookie: b\tc?\xc3\xa4\r\n"));
    (void)close(client);
}
END_TEST

START_TEST(a_request_can_be_read_while_it_is_held)
{
    int client = rig_client(&rig);
    const struct dyno_http_exchange *held;
    const char *body;
    size_t size;

    (void)rig_ask(
        &rig, client,
        "PUT /hold%21?k=%76 HTTP/1.1\r\nHost: h\r\nX-A: b\r\nContent-Length: 4\r\n\r\nbody"
        "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_send(client, "GET /third HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_settle(&rig);
    held = rig.held[0];
    body = dyno_http_exchange_body(held, &size);
    ck_assert_str_eq(dyno_http_exchange_method(held), "PUT");
    ck_assert_str_eq(dyno_http_exchange_path(held), "/hold!");
    ck_assert_str_eq(dyno_http_exchange_query(held, "k"), "v");
    ck_assert_ptr_null(dyno_http_exchange_query(held, "K"));
    ck_assert_str_eq(dyno_http_exchange_header(held, "x-a"), "b");
    ck_assert_str_eq(dyno_http_exchange_peer(held), "local");
    ck_assert_uint_eq(size, 4);
    ck_assert_mem_eq(body, "body", 4);
    ck_assert_ptr_eq(dyno_http_exchange_data(held), &rig);
    (void)close(client);
}
END_TEST

START_TEST(a_large_reply_comes_whole_however_slowly_it_is_read)
{
    enum { SIZE = 8 << 20 };
    char *body = malloc(SIZE);
    int client = rig_client(&rig);
    size_t got = 0;

    memset(body, 'x', SIZE);
    (void)rig_ask(&rig, client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    dyno_http_reply(rig.held[0], 200, NULL, body, SIZE);
    while (got < SIZE) {
        (void)rig_turn(&rig, false);
        (void)rig_receive(&rig, client);
        got += rig.received_size - (got == 0 ? strcspn(rig.received, "x") : 0);
    }
    ck_assert_uint_eq(got, SIZE);
    ck_assert(
        rig_begins(rig_ask(&rig, client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200"));
    free(body);
    (void)close(client);
}
END_TEST

/* Somebody else has news as soon as the first of very many requests is read. */
static void request_of_many(void *context, struct dyno_http_exchange *exchange)
{
    rig_request(context, exchange);
    if (rig.requests == 2) {
        dyno_http_server_wake(rig.server);
    }
}

static uint64_t requests_before_news;

static void news_beside_many(void *context)
{
    rig_woken(context);
    requests_before_news = rig.requests;
    dyno_http_stream_begin(rig.held[0], 200, rig_plain);
    dyno_http_stream_write(rig.held[0], "news", 4);
    dyno_http_stream_end(rig.held[0]);
}

START_TEST(news_do_not_wait_for_all_requests_to_be_read)
{
    enum { MANY = 64 };
    int clients[MANY], held;

    rig_close(&rig);
    rig_init(&rig);
    rig.config.request = request_of_many;
    rig.config.woken = news_beside_many;
    rig_open(&rig);
    held = rig_client(&rig);
    rig_send(held, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_settle(&rig);
    for (int i = 0; i < MANY; i++) {
        clients[i] = rig_client(&rig);
        rig_send(clients[i], "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    rig_settle(&rig);
    ck_assert_uint_eq(rig.requests, 1 + MANY);
    ck_assert_uint_eq(rig.woken, 1);
    ck_assert_msg(requests_before_news <= 2 + 8, "news waited for %llu requests",
                  (unsigned long long)requests_before_news);
    ck_assert(rig_receive(&rig, held));
    ck_assert_ptr_nonnull(strstr(rig.received, "news"));
    for (int i = 0; i < MANY; i++) {
        ck_assert(rig_receive(&rig, clients[i]));
        ck_assert(rig_begins(rig.received, "HTTP/1.1 200 OK\r\n"));
        (void)close(clients[i]);
    }
    (void)close(held);
}
END_TEST

/* Very many streams that always have more to say. */
enum { STREAMS = 256, CROWD = 256 };

static struct {
    struct dyno_http_exchange *streams[STREAMS];
    size_t stream_count, asked, asked_before, asked_most; /* most: from one wake to the next */
} crowd;

static void request_of_crowd(void *context, struct dyno_http_exchange *exchange)
{
    rig_request(context, exchange);
    if (strcmp(dyno_http_exchange_path(exchange), "/a") == 0) {
        crowd.asked++;
        return;
    }
    rig.held_count = 0;
    dyno_http_stream_begin(exchange, 200, rig_plain);
    crowd.streams[crowd.stream_count++] = exchange;
}

static void news_of_crowd(void *context)
{
    size_t asked = crowd.asked - crowd.asked_before;

    rig_woken(context);
    crowd.asked_most = asked > crowd.asked_most ? asked : crowd.asked_most;
    crowd.asked_before = crowd.asked;
    for (size_t i = 0; i < crowd.stream_count; i++) {
        dyno_http_stream_write(crowd.streams[i], "news", 4);
    }
    if (crowd.stream_count == STREAMS && crowd.asked < CROWD) {
        dyno_http_server_wake(rig.server);
    }
}

/* The more there is to write, the more is read before more is written, and no more than that. */
START_TEST(requests_do_not_wait_for_ever_for_those_who_have_more_to_say)
{
    int streams[STREAMS], clients[CROWD];

    rig_close(&rig);
    rig_init(&rig);
    rig.config.request = request_of_crowd;
    rig.config.woken = news_of_crowd;
    rig.config.connections_max = STREAMS + CROWD;
    rig_open(&rig);
    memset(&crowd, 0, sizeof crowd);
    for (int i = 0; i < STREAMS; i++) {
        streams[i] = rig_client(&rig);
        rig_send(streams[i], "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    rig_settle(&rig);
    ck_assert_uint_eq(crowd.stream_count, STREAMS);
    for (int i = 0; i < CROWD; i++) {
        clients[i] = rig_client(&rig);
        rig_send(clients[i], "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    dyno_http_server_wake(rig.server);
    rig_settle(&rig);
    ck_assert_uint_eq(crowd.asked, CROWD);
    ck_assert_msg(crowd.asked_most >= STREAMS / 8 && crowd.asked_most <= STREAMS / 4 + CROWD / 4,
                  "%zu requests were read from one wake to the next", crowd.asked_most);
    for (int i = 0; i < CROWD; i++) {
        ck_assert(rig_begins(rig_receive(&rig, clients[i]), "HTTP/1.1 200 OK\r\n"));
        (void)close(clients[i]);
    }
    for (int i = 0; i < STREAMS; i++) {
        ck_assert_uint_eq(rig_count(rig_receive(&rig, streams[i]), "\r\nnews\r\n"), rig.woken);
        (void)close(streams[i]);
    }
}
END_TEST

/* Work that takes the answers of all requests at hand at once, and wakes the server by them. */
static void put_off(void *context, struct dyno_http_exchange *exchange)
{
    rig_request(context, exchange);
    dyno_http_server_put_off(rig.server);
}

static void work(void *context)
{
    rig_later(context);
    ck_assert_uint_eq(rig.woken, rig.later - 1);
    dyno_http_server_wake(rig.server);
}

static void answer_held(void *context)
{
    rig_woken(context);
    for (; rig.held_count > 0; rig.held_count--) {
        dyno_http_reply(rig.held[rig.held_count - 1], 200, NULL, "done", 4);
    }
}

/* How often eventfds of this process were written to, and not read since. */
static uint64_t bells(void)
{
    uint64_t all = 0;

    for (int fd = 0; fd < 64; fd++) {
        char path[64], line[128];
        unsigned long long count; /* in hexadecimal */
        FILE *in;

        (void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
        in = fopen(path, "r");
        while (in && fgets(line, sizeof line, in)) {
            all += sscanf(line, "eventfd-count: %llx", &count) == 1 ? count : 0;
        }
        if (in) {
            (void)fclose(in);
        }
    }
    return all;
}

START_TEST(what_is_put_off_is_done_once_in_the_same_turn_and_rings_no_bell)
{
    enum { CLIENTS = 3 };
    int clients[CLIENTS];

    rig_close(&rig);
    rig_init(&rig);
    rig.config.request = put_off;
    rig.config.later = work;
    rig.config.woken = answer_held;
    rig_open(&rig);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = rig_client(&rig);
        rig_send(clients[i], "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    (void)rig_turn(&rig, true);
    ck_assert_uint_eq(rig.requests, CLIENTS);
    ck_assert_uint_eq(rig.later, 1);
    ck_assert_uint_eq(rig.woken, 1);
    ck_assert_uint_eq(bells(), 0);
    dyno_http_server_wake(rig.server);
    ck_assert_uint_eq(bells(), 1);
    rig_settle(&rig);
    ck_assert_uint_eq(rig.woken, 2);
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert(rig_receive(&rig, clients[i]));
        ck_assert(rig_ends(rig.received, "done"));
    }
    rig_settle(&rig);
    ck_assert_uint_eq(rig.later, 1);
    for (int i = 0; i < CLIENTS; i++) {
        (void)close(clients[i]);
    }
}
END_TEST

/* Clients that go are told of when connections are settled, after everything else. */
static void put_off_gone(void *context, void *exchange_data)
{
    rig_gone(context, exchange_data);
    dyno_http_server_put_off(rig.server);
}

START_TEST(what_is_put_off_last_does_not_wait_for_the_next_turn)
{
    int client;

    rig_close(&rig);
    rig_init(&rig);
    rig.config.gone = put_off_gone;
    rig_open(&rig);
    client = rig_client(&rig);
    rig_send(client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_settle(&rig);
    ck_assert_uint_eq(rig.later, 0);
    rig_reset(client);
    (void)rig_turn(&rig, true);
    ck_assert_uint_eq(rig.gone, 1);
    ck_assert_uint_eq(rig.later, 1);
}
END_TEST

/* Where very many requests are at hand, the first do not wait for the last. */
START_TEST(what_is_put_off_does_not_wait_for_all_requests_to_be_read)
{
    enum { MANY = 64 };
    int clients[MANY];

    rig_close(&rig);
    rig_init(&rig);
    rig.config.request = put_off;
    rig_open(&rig);
    for (int i = 0; i < MANY; i++) {
        clients[i] = rig_client(&rig);
        rig_send(clients[i], "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    rig_settle(&rig);
    ck_assert_uint_eq(rig.requests, MANY);
    ck_assert_uint_ge(rig.later, MANY / 8);
    for (int i = 0; i < MANY; i++) {
        ck_assert(rig_receive(&rig, clients[i]));
        (void)close(clients[i]);
    }
}
END_TEST

START_TEST(a_server_that_cannot_open_says_why)
{
    struct dyno_http_config config = rig.config;
    struct dyno_http_server *server = NULL;
    struct dyno_error error;

    config.port = dyno_http_server_port(rig.server);
    ck_assert_uint_gt(config.port, 0);
    ck_assert_int_eq(dyno_http_server_open(&server, &config, &error), DYNO_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "in use"));
    config.address = "nowhere.invalid";
    ck_assert_int_eq(dyno_http_server_open(&server, &config, &error), DYNO_NOT_FOUND);
    config = rig.config;
    config.unsent_bytes_max = 0;
    ck_assert_int_eq(dyno_http_server_open(&server, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "unsent_bytes_max"));
    ck_assert_ptr_null(server);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("server");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_whole_reply_has_its_length_and_the_connection_goes_on);
    tcase_add_test(tc, a_request_is_understood_however_it_is_cut);
    tcase_add_test(tc, streams_are_chunked_for_1_1_and_end_with_the_connection_for_1_0);
    tcase_add_test(tc, what_is_written_in_one_turn_leaves_at_its_end);
    tcase_add_test(tc, pipelined_requests_are_answered_in_order_one_at_a_time);
    tcase_add_test(tc, any_number_of_requests_can_be_pipelined);
    tcase_add_test(tc, head_gets_the_headers_of_get_and_no_body);
    tcase_add_test(tc, a_client_that_asks_first_is_told_to_go_on);
    tcase_add_test(tc, the_connection_closes_when_the_client_wants_it);
    tcase_add_test(tc, headers_cannot_be_split_by_their_values);
    tcase_add_test(tc, a_request_can_be_read_while_it_is_held);
    tcase_add_test(tc, a_large_reply_comes_whole_however_slowly_it_is_read);
    tcase_add_test(tc, news_do_not_wait_for_all_requests_to_be_read);
    tcase_add_test(tc, requests_do_not_wait_for_ever_for_those_who_have_more_to_say);
    tcase_add_test(tc, what_is_put_off_is_done_once_in_the_same_turn_and_rings_no_bell);
    tcase_add_test(tc, what_is_put_off_last_does_not_wait_for_the_next_turn);
    tcase_add_test(tc, what_is_put_off_does_not_wait_for_all_requests_to_be_read);
    tcase_add_test(tc, a_server_that_cannot_open_says_why);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("backends/http_server", add_cases)

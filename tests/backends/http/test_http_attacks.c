/* Clients that mean harm, or might as well. */
#include "tests/backends/http/rig.h"

#include <malloc.h>
#include <sys/resource.h>

/* AddressSanitizer's own count, where it is linked in. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static struct rig rig;

static void setup(void)
{
    rig_init(&rig);
}

static void teardown(void)
{
    rig_close(&rig);
}

static size_t allocated_bytes(void)
{
    if (__sanitizer_get_current_allocated_bytes) {
        return __sanitizer_get_current_allocated_bytes();
    }
    return mallinfo2().uordblks;
}

static const struct {
    const char *status, *request;
} malformed[] = {
    {"400 Bad Request", "\x16\x03\x01\x02\r\n\r\n"},
    {"400 Bad Request", "GET / HTTP/1.1\nHost: h\n\n"},
    {"400 Bad Request", "GET / HTTP/1.1\r\n\r\n"},
    {"400 Bad Request", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"400 Bad Request", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
    {"400 Bad Request", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"},
    {"413 Content Too Large", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n"},
    {"417 Expectation Failed", "POST / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n"},
    {"501 Not Implemented", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n"},
    {"400 Bad Request",
     "\x16\x03\x01\x02"}, /* and the rest of a ClientHello, with no end of line */
    {"505 HTTP Version Not Supported", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
};

START_TEST(malformed_requests_get_their_status_and_reach_nobody)
{
    int client;
    const char *got;
    char due[64];

    rig_open(&rig);
    client = rig_client(&rig);
    got = rig_ask(&rig, client, malformed[_i].request);
    (void)snprintf(due, sizeof due, "HTTP/1.1 %s\r\n", malformed[_i].status);
    ck_assert_msg(rig_begins(got, due), "%s: %s", malformed[_i].request, got);
    ck_assert_ptr_nonnull(strstr(got, "\r\nConnection: close\r\n"));
    ck_assert_uint_eq(rig_count(got, "\r\nDate: "), 1);
    ck_assert(rig_ends(got, "<end>"));
    ck_assert_uint_eq(rig.requests, 0);
    (void)close(client);
    rig_settle(&rig);
    ck_assert_uint_eq(rig_connections(&rig), 0);
}
END_TEST

static size_t as_json(void *context, uint16_t status, const char *why, char *body, size_t size_max)
{
    (void)context;
    return (size_t)snprintf(body, size_max, "{\"%u\":\"%s\"}", status, why);
}

START_TEST(refusals_can_have_a_body_of_the_callers)
{
    int client;

    rig.config.refusal = as_json;
    rig_open(&rig);
    client = rig_client(&rig);
    ck_assert_ptr_nonnull(strstr(rig_ask(&rig, client, "GET / HTTP/1.1\r\n\r\n"),
                                 "\r\nContent-Type: application/json\r\n"));
    ck_assert(rig_ends(rig.received, "{\"400\":\"there is not exactly one Host\"}<end>"));
    (void)close(client);
}
END_TEST

/* Fill the request with `fill` until the server answers. */
static const char *fill_until_answered(const char *start, const char *fill, size_t bytes_max)
{
    int client = rig_client(&rig);
    size_t sent = 0;

    rig_send(client, start);
    while (sent < bytes_max && rig.received_size == 0) {
        if (send(client, fill, strlen(fill), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
            sent += strlen(fill);
        }
        (void)rig_turn(&rig, false);
        (void)rig_receive(&rig, client);
    }
    (void)close(client);
    return rig.received;
}

START_TEST(what_is_too_large_is_refused_as_soon_as_it_is)
{
    rig_open(&rig);
    ck_assert(rig_begins(fill_until_answered("GET /", "aaaaaaaaaaaaaaaa", 8192 + 16),
                         "HTTP/1.1 414 URI Too Long\r\n"));
    rig.received_size = 0;
    ck_assert(rig_begins(fill_until_answered("GET / HTTP/1.1\r\n", "X: yyyyyyyyyyy\r\n", 8192 + 16),
                         "HTTP/1.1 431 Request Header Fields Too Large\r\n"));
    rig.received_size = 0;
    ck_assert(rig_begins(fill_until_answered("POST / HTTP/1.1\r\nHost: h\r\n"
                                             "Transfer-Encoding: chunked\r\n\r\n",
                                             "100\r\n"
                                             "0123456789012345678901234567890123456789012345678901"
                                             "0123456789012345678901234567890123456789012345678901"
                                             "0123456789012345678901234567890123456789012345678901"
                                             "0123456789012345678901234567890123456789012345678901"
                                             "012345678901234567890123456789012345678901234567\r\n",
                                             2 * 65536),
                         "HTTP/1.1 413 Content Too Large\r\n"));
    ck_assert_uint_eq(rig.requests, 0);
}
END_TEST

START_TEST(a_head_of_just_the_allowed_size_is_accepted)
{
    static const char start[] = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    char request[8200];

    rig_open(&rig);
    for (size_t size = 8192; size <= 8193; size++) {
        int client = rig_client(&rig);

        memset(request, 'y', sizeof request);
        memcpy(request, start, sizeof start - 1);
        memcpy(request + size - 4, "\r\n\r\n", 5);
        ck_assert(rig_begins(rig_ask(&rig, client, request),
                             size == 8192 ? "HTTP/1.1 200" : "HTTP/1.1 431"));
        (void)close(client);
    }
}
END_TEST

START_TEST(a_refusal_can_be_read_although_the_client_sends_on)
{
    static char more[60000];
    int client;

    rig_open(&rig);
    client = rig_tcp_client(&rig);
    rig_send(client, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n");
    rig_settle(&rig);
    rig_send_bytes(client, more, sizeof more);
    rig_settle(&rig);
    ck_assert(rig_begins(rig_receive(&rig, client), "HTTP/1.1 413 "));
    ck_assert(rig_ends(rig.received, "<end>"));
    ck_assert_uint_eq(rig_connections(&rig), 1);
    (void)send(client, more, sizeof more, MSG_NOSIGNAL); /* more than will be swallowed */
    rig_settle(&rig);
    ck_assert_uint_eq(rig_connections(&rig), 0);
    (void)close(client);
}
END_TEST

/* Turn until the client has got something: it must come, and only time can bring it. */
static const char *wait_for_answer(int client)
{
    do {
        (void)rig_turn(&rig, true);
    } while (*rig_receive(&rig, client) == '\0');
    return rig.received;
}

START_TEST(a_request_must_be_whole_in_time_however_it_drips)
{
    static const char *const starts[] = {
        "GET / HTTP/1.1\r\nX: ", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n"};

    rig.config.head_timeout_ns = 20 * DYNO_MS;
    rig.config.header_bytes_max = rig.config.body_bytes_max = 1 << 28;
    rig_open(&rig);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        int client = rig_client(&rig);
        bool answered = false;

        rig_send(client, starts[i]);
        for (long drops = 0; !answered && drops < 9000000; drops++) {
            (void)send(client, "y", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
            (void)rig_turn(&rig, false);
            answered = *rig_receive(&rig, client) != '\0';
        }
        ck_assert(rig_begins(rig.received, "HTTP/1.1 408 Request Timeout\r\n"));
        (void)close(client);
    }
    ck_assert_uint_eq(rig.requests, 0);
}
END_TEST

START_TEST(a_request_that_stops_halfway_is_timed_out_and_swallowing_ends)
{
    int client;

    rig.config.head_timeout_ns = 10 * DYNO_MS;
    rig_open(&rig);
    client = rig_client(&rig);
    rig_send(client, "GET / HTTP/1.1\r\nHo");
    ck_assert(rig_begins(wait_for_answer(client), "HTTP/1.1 408 "));
    while (rig_connections(&rig) > 0) { /* the client never closes */
        (void)rig_turn(&rig, true);
    }
    (void)close(client);
}
END_TEST

START_TEST(an_idle_connection_is_closed_and_one_in_use_is_not)
{
    int idle, used, held;

    rig.config.idle_timeout_ns = 20 * DYNO_MS;
    rig_open(&rig);
    idle = rig_client(&rig);
    held = rig_client(&rig);
    (void)rig_ask(&rig, held, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert_str_eq(wait_for_answer(idle), "<end>");
    used = rig_client(&rig);
    (void)rig_ask(&rig, used, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert_str_eq(wait_for_answer(used), "<end>");
    ck_assert_str_eq(rig_receive(&rig, held), "");
    ck_assert_uint_eq(rig.gone, 0);
    (void)close(idle);
    (void)close(used);
    (void)close(held);
}
END_TEST

enum { LEAVES_BY_CLOSE, LEAVES_BY_RESET, LEAVES_BY_HALF, LEAVES_LAST };

static void leave(int client, int how)
{
    if (how == LEAVES_BY_RESET) {
        rig_reset(client);
    } else if (how == LEAVES_BY_HALF) {
        ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
    } else {
        (void)close(client);
    }
}

/* Without anything being written to it: _i says how it leaves, and whether its pipelined requests
 * have filled the server's buffer before. */
START_TEST(a_client_that_leaves_is_noticed_at_once)
{
    static const char request[] = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n";
    int how = _i % LEAVES_LAST, client;

    rig_open(&rig);
    client = rig_tcp_client(&rig);
    (void)rig_ask(&rig, client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert_uint_eq(rig.held_count, 1);
    for (int i = 0; i < (_i / LEAVES_LAST) * 1000; i++) {
        rig_send(client, request);
    }
    rig_settle(&rig);
    ck_assert_uint_eq(rig.gone, 0);
    leave(client, how);
    rig_settle(&rig);
    ck_assert_uint_eq(rig.gone, 1);
    ck_assert_ptr_eq(rig.gone_data, &rig);
    ck_assert_uint_eq(rig_connections(&rig), 0);
    ck_assert_uint_eq(rig.requests, 1);
}
END_TEST

START_TEST(a_client_that_leaves_within_a_stream_is_noticed_at_once)
{
    int client;

    rig_open(&rig);
    client = rig_tcp_client(&rig);
    (void)rig_ask(&rig, client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    dyno_http_stream_begin(rig.held[0], 200, NULL);
    dyno_http_stream_write(rig.held[0], "a", 1);
    rig_settle(&rig);
    leave(client, _i);
    dyno_http_stream_write(rig.held[0], "b", 1); /* nobody knows yet */
    rig_settle(&rig);
    ck_assert_uint_eq(rig.gone, 1);
    ck_assert_uint_eq(rig_connections(&rig), 0);
}
END_TEST

START_TEST(a_half_closed_client_gets_what_is_written_already)
{
    int client;

    rig_open(&rig);
    client = rig_tcp_client(&rig);
    rig_send(client, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
    ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
    rig_settle(&rig);
    ck_assert(rig_ends(rig_receive(&rig, client), "\r\n\r\nhi<end>"));
    ck_assert_uint_eq(rig_connections(&rig), 0);
    (void)close(client);
}
END_TEST

START_TEST(a_half_closed_client_gets_all_of_a_large_reply_that_has_begun)
{
    static char body[RIG_TEXT_MAX * 8];
    size_t got = 0;
    int client;

    rig_open(&rig);
    client = rig_client(&rig);
    (void)rig_ask(&rig, client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    dyno_http_reply(rig.held[0], 200, NULL, body, sizeof body);
    (void)rig_turn(&rig, false);
    ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
    do {
        rig_settle(&rig);
        (void)rig_receive(&rig, client);
        got += rig.received_size;
    } while (rig.received[rig.received_size] == '\0');
    ck_assert_str_eq(rig.received + rig.received_size, "<end>");
    ck_assert_uint_gt(got, sizeof body);
    ck_assert_uint_eq(rig_connections(&rig), 0);
    (void)close(client);
}
END_TEST

START_TEST(a_stream_that_nobody_reads_is_cut_at_its_limit)
{
    static char bytes[10000];
    uint64_t written = 0;
    int client;

    rig.config.unsent_bytes_max = 30000;
    rig_open(&rig);
    client = rig_tcp_client(&rig);
    (void)rig_ask(&rig, client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    dyno_http_stream_begin(rig.held[0], 200, NULL);
    while (rig.gone == 0) {
        dyno_http_stream_write(rig.held[0], bytes, sizeof bytes);
        written += sizeof bytes;
        ck_assert_uint_lt(written, 1 << 30);
        if (written % 50000 == 0) {
            (void)rig_turn(&rig, false);
        }
    }
    ck_assert_uint_le(written, dyno_http_server_counts(rig.server).sent_bytes + 30000 + 60000);
    ck_assert_uint_eq(rig_connections(&rig), 0);
    do {
        (void)rig_receive(&rig, client);
    } while (rig.received[rig.received_size] == '\0');
    ck_assert_str_eq(rig.received + rig.received_size, "<reset>");
    (void)close(client);
}
END_TEST

START_TEST(a_client_that_does_not_read_is_cut_in_time)
{
    static char bytes[1 << 16];
    int client, ended;

    rig.config.write_timeout_ns = 10 * DYNO_MS;
    rig.config.unsent_bytes_max = 1 << 29;
    rig_open(&rig);
    client = rig_client(&rig);
    ended = rig_client(&rig);
    (void)rig_ask(&rig, client, "GET /hold/1 HTTP/1.1\r\nHost: h\r\n\r\n");
    (void)rig_ask(&rig, ended, "GET /hold/2 HTTP/1.1\r\nHost: h\r\n\r\n");
    for (int i = 0; i < 2; i++) {
        dyno_http_stream_begin(rig.held[i], 200, NULL);
        for (int j = 0; j < 100; j++) {
            dyno_http_stream_write(rig.held[i], bytes, sizeof bytes);
        }
    }
    dyno_http_stream_end(rig.held[1]);
    while (rig_connections(&rig) > 0) {
        (void)rig_turn(&rig, true);
    }
    ck_assert_uint_eq(rig.gone, 1); /* the other's response had ended */
    (void)close(client);
    (void)close(ended);
}
END_TEST

START_TEST(one_connection_too_many_is_told_so)
{
    int clients[60], served = 0, told = 0, closed = 0;

    rig.config.connections_max = 8;
    rig_open(&rig);
    for (int i = 0; i < 60; i++) {
        clients[i] = rig_tcp_client(&rig);
    }
    rig_settle(&rig);
    for (int i = 0; i < 60; i++) {
        const char *got = rig_receive(&rig, clients[i]);

        served += *got == '\0';
        closed += strcmp(got, "<end>") == 0;
        told += rig_begins(got, "HTTP/1.1 503 Service Unavailable\r\n") &&
                strstr(got, "\r\nRetry-After: 1\r\n") && rig_ends(got, "<end>");
    }
    ck_assert_int_eq(served, 8);
    ck_assert_int_eq(told, 17); /* an eighth, and 16 */
    ck_assert_int_eq(closed, 60 - served - told);
    ck_assert_uint_eq(dyno_http_server_counts(rig.server).turned_away, 52);
    for (int i = 0; i < 60; i++) {
        (void)close(clients[i]);
    }
    rig_settle(&rig);
    clients[0] = rig_tcp_client(&rig);
    ck_assert(
        rig_begins(rig_ask(&rig, clients[0], "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200"));
    (void)close(clients[0]);
}
END_TEST

START_TEST(a_server_without_descriptors_goes_on_when_it_has_some)
{
    struct rlimit limit;
    int clients[40], spare;

    rig.config.idle_timeout_ns = 3600 * DYNO_S;
    rig.config.head_timeout_ns = 40 * DYNO_MS; /* so that it looks again soon */
    rig_open(&rig);
    for (int i = 0; i < 40; i++) {
        clients[i] = rig_tcp_client(&rig);
    }
    spare = dup(0); /* the next that is opened is not below the limit */
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)spare + 10;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    rig_settle(&rig);
    ck_assert_uint_le(rig_connections(&rig), 10);
    for (int i = 0; i < 39; i++) {
        (void)close(clients[i]);
    }
    rig_send(clients[39], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert(rig_begins(wait_for_answer(clients[39]), "HTTP/1.1 200"));
    (void)close(spare);
    (void)close(clients[39]);
}
END_TEST

START_TEST(requests_together_take_no_more_than_they_may)
{
    enum { CLIENTS = 10, PART = 30000, MAX = 200000 };
    static const char start[] = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n";
    static char body[2 * PART];
    int clients[CLIENTS], refused = 0, waiting = 0;

    rig.config.input_bytes_max = MAX;
    rig_open(&rig);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = rig_client(&rig);
        rig_send(clients[i], start);
        rig_send_bytes(clients[i], body, PART);
        rig_settle(&rig);
        ck_assert_uint_le(dyno_http_server_counts(rig.server).input_bytes, MAX);
    }
    for (int i = 0; i < CLIENTS; i++) {
        const char *got = rig_receive(&rig, clients[i]);

        waiting += *got == '\0';
        refused += rig_begins(got, "HTTP/1.1 503 ") && rig_ends(got, "<end>");
        (void)close(clients[i]);
    }
    ck_assert_int_ge(waiting, MAX / (4 * PART));
    ck_assert_int_eq(refused, CLIENTS - waiting);
    rig_settle(&rig);
    ck_assert_uint_eq(dyno_http_server_counts(rig.server).input_bytes, 0);
    clients[0] = rig_client(&rig);
    (void)rig_ask(&rig, clients[0], start);
    rig_send_bytes(clients[0], body, sizeof body);
    rig_settle(&rig);
    ck_assert(rig_begins(rig_receive(&rig, clients[0]), "HTTP/1.1 200 "));
    ck_assert_uint_le(dyno_http_server_counts(rig.server).input_bytes, 4096); /* it is kept open */
    (void)close(clients[0]);
}
END_TEST

/* One client that goes away in the middle of something. */
static void abort_stream(int how)
{
    int client = rig_client(&rig);

    rig.held_count = 0;
    rig_send(client, how % 5 == 0
                         ? "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 20000\r\n\r\nx"
                         : "GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\n");
    (void)rig_turn(&rig, false);
    if (how % 5 > 1 && rig.held_count > 0) {
        dyno_http_stream_begin(rig.held[0], 200, NULL);
        for (int i = 0; i < how % 5; i++) {
            dyno_http_stream_write(rig.held[0], rig.received, 30000);
        }
    }
    if (how % 5 > 2) {
        (void)rig_turn(&rig, false);
    }
    (void)close(client);
    (void)rig_turn(&rig, false);
    (void)rig_turn(&rig, false);
}

START_TEST(aborted_streams_leave_nothing_behind)
{
    enum { WARM = 100, COUNT = 10000 };
    size_t before = 0;

    rig_open(&rig);
    for (int i = 0; i < WARM + COUNT; i++) {
        before = i == WARM ? allocated_bytes() : before;
        abort_stream(i);
        ck_assert_uint_eq(rig_connections(&rig), 0);
    }
    ck_assert_uint_eq(rig.gone, rig.requests);
    ck_assert_uint_ge(rig.requests, COUNT * 4 / 5);
    ck_assert_uint_le(allocated_bytes(), before + 4096);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("attacks");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, malformed_requests_get_their_status_and_reach_nobody, 0,
                        sizeof malformed / sizeof *malformed);
    tcase_add_test(tc, refusals_can_have_a_body_of_the_callers);
    tcase_add_test(tc, what_is_too_large_is_refused_as_soon_as_it_is);
    tcase_add_test(tc, a_head_of_just_the_allowed_size_is_accepted);
    tcase_add_test(tc, a_refusal_can_be_read_although_the_client_sends_on);
    tcase_add_test(tc, a_request_must_be_whole_in_time_however_it_drips);
    tcase_add_test(tc, a_request_that_stops_halfway_is_timed_out_and_swallowing_ends);
    tcase_add_test(tc, an_idle_connection_is_closed_and_one_in_use_is_not);
    tcase_add_loop_test(tc, a_client_that_leaves_is_noticed_at_once, 0, 2 * LEAVES_LAST);
    tcase_add_loop_test(tc, a_client_that_leaves_within_a_stream_is_noticed_at_once, 0,
                        LEAVES_LAST);
    tcase_add_test(tc, a_half_closed_client_gets_what_is_written_already);
    tcase_add_test(tc, a_half_closed_client_gets_all_of_a_large_reply_that_has_begun);
    tcase_add_test(tc, a_stream_that_nobody_reads_is_cut_at_its_limit);
    tcase_add_test(tc, a_client_that_does_not_read_is_cut_in_time);
    tcase_add_test(tc, one_connection_too_many_is_told_so);
    tcase_add_test(tc, a_server_without_descriptors_goes_on_when_it_has_some);
    tcase_add_test(tc, requests_together_take_no_more_than_they_may);
    tcase_add_test(tc, aborted_streams_leave_nothing_behind);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("backends/http_attacks", add_cases)

/* How a server stops: what is in flight ends, what is not is closed. */
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

/* Until no turn is due; whether the server goes on after that. */
static bool goes_on(void)
{
    bool more = true;

    for (int i = 0; i < 50; i++) {
        more = rig_turn(&rig, false);
    }
    return more;
}

START_TEST(stopping_lets_what_is_in_flight_end)
{
    int streamed = rig_client(&rig), whole = rig_client(&rig), idle = rig_client(&rig);
    int half = rig_client(&rig);

    (void)rig_ask(&rig, streamed, "GET /hold/1 HTTP/1.1\r\nHost: h\r\n\r\n");
    (void)rig_ask(&rig, whole,
                  "GET /hold/2 HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    (void)rig_ask(&rig, half, "GET /half HTTP/1.1\r\n");
    dyno_http_stream_begin(rig.held[0], 200, NULL);
    dyno_http_server_stop(rig.server, 3600 * DYNO_S);
    ck_assert(goes_on());
    ck_assert_str_eq(rig_receive(&rig, idle), "<end>");
    ck_assert_str_eq(rig_receive(&rig, half), "<end>");
    dyno_http_stream_write(rig.held[0], "a", 1);
    dyno_http_stream_end(rig.held[0]);
    dyno_http_reply(rig.held[1], 200, NULL, "b", 1);
    (void)goes_on();
    ck_assert(rig_ends(rig_receive(&rig, streamed), "1\r\na\r\n0\r\n\r\n<end>"));
    ck_assert(rig_ends(rig_receive(&rig, whole), "\r\nConnection: close\r\n\r\nb<end>"));
    ck_assert_str_eq(rig.log, "GET /hold/1 ;GET /hold/2 ;");
    (void)close(streamed);
    ck_assert(goes_on()); /* the other has not closed yet */
    (void)close(whole);
    ck_assert(!goes_on());
    ck_assert_uint_eq(rig.gone, 0);
    (void)close(idle);
    (void)close(half);
}
END_TEST

START_TEST(a_server_that_stops_listens_no_more)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(dyno_http_server_port(rig.server))};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct dyno_error error;
    int ends[2];

    dyno_http_server_stop(rig.server, DYNO_S);
    ck_assert(!goes_on());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(connect(client, (const struct sockaddr *)&address, sizeof address), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(dyno_http_server_adopt(rig.server, ends[1], &error), DYNO_FULL);
    (void)close(ends[0]);
    (void)close(client);
}
END_TEST

START_TEST(what_is_left_after_the_grace_is_cut)
{
    int client = rig_client(&rig);

    (void)rig_ask(&rig, client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    dyno_http_server_stop(rig.server, 3600 * DYNO_S);
    ck_assert(goes_on());
    dyno_http_server_stop(rig.server, 10 * DYNO_MS); /* the later call counts */
    while (rig_turn(&rig, true)) {
    }
    ck_assert_uint_eq(rig.gone, 1);
    (void)close(client);
}
END_TEST

START_TEST(closing_cuts_what_is_in_flight)
{
    int client = rig_client(&rig);

    (void)rig_ask(&rig, client, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    rig_close(&rig);
    ck_assert_uint_eq(rig.gone, 1);
    (void)close(client);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("stop");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, stopping_lets_what_is_in_flight_end);
    tcase_add_test(tc, a_server_that_stops_listens_no_more);
    tcase_add_test(tc, what_is_left_after_the_grace_is_cut);
    tcase_add_test(tc, closing_cuts_what_is_in_flight);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("backends/http_stop", add_cases)

/* A server and its clients on one thread: a client is one end of a pair of sockets, and time passes
 * only where a test turns the loop. */
#ifndef DYNO_TESTS_BACKENDS_HTTP_RIG_H
#define DYNO_TESTS_BACKENDS_HTTP_RIG_H

#include "backends/http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/check_main.h"

enum { RIG_TEXT_MAX = 1 << 20, RIG_HELD_MAX = 8 };

struct rig {
    struct dyno_http_config config;
    struct dyno_http_server *server;
    uint64_t requests, gone, woken, later;
    void *gone_data;                               /* of the last */
    struct dyno_http_exchange *held[RIG_HELD_MAX]; /* not yet answered */
    size_t held_count;
    char log[RIG_TEXT_MAX]; /* "METHOD PATH BODY;" of each request */
    size_t log_size;
    char received[RIG_TEXT_MAX]; /* by rig_receive, terminated */
    size_t received_size;
};

static const struct dyno_http_header rig_plain[] = {{"Content-Type", "text/plain"}, {NULL, NULL}};

/* What a path is answered with.  /hold and /held... are left to the test, which finds them in
 * `held`. */
static void rig_request(void *context, struct dyno_http_exchange *exchange)
{
    struct rig *rig = context;
    const char *path = dyno_http_exchange_path(exchange);
    size_t size;
    const char *body = dyno_http_exchange_body(exchange, &size);

    rig->requests++;
    rig->log_size += (size_t)snprintf(rig->log + rig->log_size, sizeof rig->log - rig->log_size,
                                      "%s %s %.*s;", dyno_http_exchange_method(exchange), path,
                                      size > 100 ? 100 : (int)size, body);
    rig->log_size = rig->log_size < sizeof rig->log ? rig->log_size : 0;
    dyno_http_exchange_set_data(exchange, rig);
    if (strncmp(path, "/hold", 5) == 0) {
        ck_assert(rig->held_count < RIG_HELD_MAX);
        rig->held[rig->held_count++] = exchange;
    } else if (strcmp(path, "/stream") == 0) {
        dyno_http_stream_begin(exchange, 200, rig_plain);
        dyno_http_stream_write(exchange, "one", 3);
        dyno_http_stream_write(exchange, "", 0);
        dyno_http_stream_write(exchange, "seventeen letters", 17);
        dyno_http_stream_end(exchange);
    } else if (strcmp(path, "/none") == 0) {
        dyno_http_reply(exchange, 204, NULL, NULL, 0);
    } else {
        dyno_http_reply(exchange, 200, rig_plain, body, size);
    }
}

static void rig_gone(void *context, void *exchange_data)
{
    struct rig *rig = context;

    rig->gone++;
    rig->gone_data = exchange_data;
}

static void rig_woken(void *context)
{
    ((struct rig *)context)->woken++;
}

static void rig_later(void *context)
{
    ((struct rig *)context)->later++;
}

/* Limits that no test comes near without meaning to, and times that do not end. */
static inline void rig_init(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    rig->config = (struct dyno_http_config){
        .address = "127.0.0.1",
        .header_bytes_max = 8192,
        .body_bytes_max = 65536,
        .connections_max = 100,
        .head_timeout_ns = 3600 * DYNO_S,
        .idle_timeout_ns = 3600 * DYNO_S,
        .write_timeout_ns = 3600 * DYNO_S,
        .unsent_bytes_max = 1 << 20,
        .request = rig_request,
        .gone = rig_gone,
        .woken = rig_woken,
        .later = rig_later,
        .context = rig,
    };
}

static inline void rig_open(struct rig *rig)
{
    struct dyno_error error;

    ck_assert_msg(dyno_http_server_open(&rig->server, &rig->config, &error) == DYNO_OK, "%s",
                  error.text);
}

/* One more turn; false once the server has stopped. */
static inline bool rig_turn(struct rig *rig, bool wait)
{
    struct dyno_error error;
    bool more;

    ck_assert_int_eq(dyno_http_server_turn(rig->server, wait, &more, &error), DYNO_OK);
    return more;
}

/* Until nothing that was in hand before is left to do. */
static inline void rig_settle(struct rig *rig)
{
    for (int i = 0; i < 50; i++) {
        (void)rig_turn(rig, false);
    }
}

static inline int rig_client(struct rig *rig)
{
    struct dyno_error error;
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_msg(dyno_http_server_adopt(rig->server, ends[1], &error) == DYNO_OK, "%s",
                  error.text);
    return ends[0];
}

/* A client over TCP, which the server meets at its next turn. */
static inline int rig_tcp_client(const struct rig *rig)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(dyno_http_server_port(rig->server))};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_ge(client, 0);
    ck_assert_int_eq(connect(client, (const struct sockaddr *)&address, sizeof address), 0);
    return client;
}

/* Close so that the server gets a reset. */
static inline void rig_reset(int client)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    ck_assert_int_eq(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    (void)close(client);
}

static inline void rig_send_bytes(int client, const void *bytes, size_t size)
{
    ck_assert_int_eq(send(client, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

static inline void rig_send(int client, const char *text)
{
    rig_send_bytes(client, text, strlen(text));
}

/* What has come to the client, with "<end>" or "<reset>" if that has come too. */
static inline const char *rig_receive(struct rig *rig, int client)
{
    size_t size = 0;
    ssize_t got;

    do {
        got = recv(client, rig->received + size, sizeof rig->received - size - 16, MSG_DONTWAIT);
        size += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    rig->received[size] = '\0';
    rig->received_size = size;
    if (got == 0) {
        memcpy(rig->received + size, "<end>", 6);
    } else if (errno != EAGAIN) {
        memcpy(rig->received + size, "<reset>", 8);
    }
    return rig->received;
}

/* Send, let the server work, and say what has come back. */
static inline const char *rig_ask(struct rig *rig, int client, const char *text)
{
    rig_send(client, text);
    rig_settle(rig);
    return rig_receive(rig, client);
}

static inline bool rig_begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static inline bool rig_ends(const char *text, const char *with)
{
    return strlen(text) >= strlen(with) && strcmp(text + strlen(text) - strlen(with), with) == 0;
}

static inline size_t rig_count(const char *text, const char *what)
{
    size_t count = 0;

    for (text = strstr(text, what); text; text = strstr(text + 1, what)) {
        count++;
    }
    return count;
}

static inline uint64_t rig_connections(const struct rig *rig)
{
    return dyno_http_server_counts(rig->server).connections_open;
}

static inline void rig_close(struct rig *rig)
{
    dyno_http_server_close(rig->server);
    rig->server = NULL;
}

#endif

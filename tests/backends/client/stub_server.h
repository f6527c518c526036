/* A server that knows one answer: a libevent loop's, on a free port of 127.0.0.1.
 *
 * Whatever is posted gets the script's bytes, all at once or in pieces with a pause between them;
 * GET gets a list of one model.  The last request is kept for the test to look at. */
#ifndef DYNO_TESTS_BACKENDS_CLIENT_STUB_SERVER_H
#define DYNO_TESTS_BACKENDS_CLIENT_STUB_SERVER_H

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STUB_REQUEST_MAX = 1 << 20 };

struct stub_script {
    const char *answer;
    const char *const *turns; /* [turn_count] instead of it, one request after another */
    size_t turn_count;
    size_t size;       /* 0: strlen(answer) */
    size_t piece;      /* bytes a write; 0: all */
    uint32_t pause_us; /* between pieces */
    bool closes;       /* after the answer */
};

struct stub_server {
    struct event_base *base;
    struct event *acceptable;
    struct stub_script script;
    struct stub_connection *connections;
    int descriptor;
    uint16_t port;
    uint64_t requests, accepted;
    char *last; /* [STUB_REQUEST_MAX] the last post, head and body, terminated */
};

struct stub_connection {
    struct stub_server *server;
    struct stub_connection *next;
    struct event *readable, *timer;
    int descriptor;
    char *in; /* [STUB_REQUEST_MAX] */
    size_t in_size;
    const char *answer;
    size_t left;
};

static const char stub_models[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 87\r\n\r\n"
    "{\"object\":\"list\",\"data\":[{\"id\":\"stub\",\"object\":\"model\",\"created\":1,\"owned_"
    "by\":\"te"
    "st\"}]}";

static void stub_drop(struct stub_connection *connection)
{
    struct stub_connection **at = &connection->server->connections;

    while (*at != connection) {
        at = &(*at)->next;
    }
    *at = connection->next;
    event_free(connection->readable);
    event_free(connection->timer);
    (void)close(connection->descriptor);
    free(connection->in);
    free(connection);
}

/* The next piece of the answer. */
static void stub_write(evutil_socket_t descriptor, short what, void *context)
{
    struct stub_connection *connection = (struct stub_connection *)context;
    const struct stub_script *script = &connection->server->script;
    struct timeval pause = {.tv_sec = (time_t)(script->pause_us / 1000000),
                            .tv_usec = (suseconds_t)(script->pause_us % 1000000)};
    size_t size = connection->left;
    ssize_t sent;

    (void)descriptor;
    (void)what;
    if (script->piece > 0 && size > script->piece) {
        size = script->piece;
    }
    sent = send(connection->descriptor, connection->answer, size, MSG_NOSIGNAL);
    if (sent < 0) {
        stub_drop(connection);
        return;
    }
    connection->answer += sent;
    connection->left -= (size_t)sent;
    if (connection->left > 0) {
        (void)event_add(connection->timer, &pause);
    } else if (script->closes) {
        stub_drop(connection);
    }
}

/* Bytes of a whole request at the start of what came; 0: it is not whole. */
static size_t stub_whole(const struct stub_connection *connection)
{
    const char *end = strstr(connection->in, "\r\n\r\n");
    const char *field = strcasestr(connection->in, "\r\ncontent-length:");
    size_t size;

    if (!end) {
        return 0;
    }
    size = (size_t)(end - connection->in) + 4;
    if (field && field < end) {
        size += strtoul(field + 17, NULL, 10);
    }
    return size <= connection->in_size ? size : 0;
}

static void stub_answer(struct stub_connection *connection, size_t size)
{
    struct stub_server *server = connection->server;
    bool is_get = strncmp(connection->in, "GET ", 4) == 0;
    const char *answer = is_get ? stub_models : server->script.answer;

    if (!is_get && server->script.turn_count > 0) {
        answer = server->script.turns[server->requests % server->script.turn_count];
    }
    if (!is_get) {
        memcpy(server->last, connection->in, size);
        server->last[size] = '\0';
        server->requests++;
    }
    connection->answer = answer;
    connection->left = is_get || server->script.size == 0 ? strlen(answer) : server->script.size;
    connection->in_size -= size;
    memmove(connection->in, connection->in + size, connection->in_size + 1);
    stub_write(connection->descriptor, 0, connection);
}

static void stub_read(evutil_socket_t descriptor, short what, void *context)
{
    struct stub_connection *connection = (struct stub_connection *)context;
    ssize_t got = recv(descriptor, connection->in + connection->in_size,
                       STUB_REQUEST_MAX - 1 - connection->in_size, 0);
    size_t whole;

    (void)what;
    if (got <= 0) {
        stub_drop(connection);
        return;
    }
    connection->in_size += (size_t)got;
    connection->in[connection->in_size] = '\0';
    whole = stub_whole(connection);
    if (whole > 0) {
        stub_answer(connection, whole);
    }
}

static void stub_accept(evutil_socket_t descriptor, short what, void *context)
{
    struct stub_server *server = (struct stub_server *)context;
    int accepted = accept4(descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct stub_connection *connection;
    int one = 1;

    (void)what;
    if (accepted < 0) {
        return;
    }
    (void)setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connection = (struct stub_connection *)calloc(1, sizeof *connection);
    connection->in = (char *)malloc(STUB_REQUEST_MAX);
    connection->server = server;
    connection->next = server->connections;
    server->connections = connection;
    server->accepted++;
    connection->descriptor = accepted;
    connection->readable =
        event_new(server->base, accepted, EV_READ | EV_PERSIST, stub_read, connection);
    connection->timer = evtimer_new(server->base, stub_write, connection);
    (void)event_add(connection->readable, NULL);
}

static bool stub_open(struct stub_server *server, struct event_base *base,
                      const struct stub_script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;

    memset(server, 0, sizeof *server);
    server->base = base;
    server->script = *script;
    server->last = (char *)calloc(1, STUB_REQUEST_MAX);
    server->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(server->descriptor, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->descriptor, 4096) != 0 ||
        getsockname(server->descriptor, (struct sockaddr *)&address, &size) != 0) {
        return false;
    }
    server->port = ntohs(address.sin_port);
    server->acceptable =
        event_new(base, server->descriptor, EV_READ | EV_PERSIST, stub_accept, server);
    return event_add(server->acceptable, NULL) == 0;
}

static void stub_close(struct stub_server *server)
{
    while (server->connections) {
        stub_drop(server->connections);
    }
    event_free(server->acceptable);
    (void)close(server->descriptor);
    free(server->last);
}

#endif

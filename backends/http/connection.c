#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/http/parts.h"
#include "backends/http/response.h"

enum { INPUT_BYTES_KEPT = 4096, TLS_HANDSHAKE = 0x16 };

void dyno_http_connection_touch(struct dyno_http_connection *connection)
{
    struct dyno_http_server *server = connection->server;

    if (!connection->is_dirty) {
        connection->is_dirty = true;
        connection->next_dirty = server->dirty;
        server->dirty = connection;
    }
}

void dyno_http_connection_doom(struct dyno_http_connection *connection)
{
    connection->doomed = true;
    dyno_http_connection_touch(connection);
}

void dyno_http_connection_refuse(struct dyno_http_connection *connection,
                                 struct dyno_http_refusal refusal)
{
    connection->server->counts.refused++;
    dyno_http_timeout_stop(&connection->timeout);
    connection->state = DYNO_HTTP_FLUSH;
    connection->closes = true;
    connection->request_size = connection->in_size;
    dyno_http_refusal_add(connection, refusal);
    dyno_http_connection_touch(connection);
}

/* The request is whole. */
static void dispatch(struct dyno_http_connection *connection, size_t request_size)
{
    struct dyno_http_server *server = connection->server;
    struct dyno_http_exchange *exchange = &connection->exchange;

    dyno_http_timeout_stop(&connection->timeout);
    connection->request_size = request_size;
    connection->state = DYNO_HTTP_ANSWER;
    exchange->begun = false;
    exchange->data = NULL;
    connection->is_awaited = false;
    connection->asked_ns = server->config.first_byte ? dyno_http_now() : 0;
    server->counts.requests++;
    server->config.request(server->config.context, exchange);
}

/* Empty lines before a request are forgiven.  False: it cannot be told yet whether there is one. */
static bool skip_empty_lines(struct dyno_http_connection *connection)
{
    const char *in = connection->in;
    size_t skipped = 0, size = connection->in_size;

    while (size - skipped >= 2 && in[skipped] == '\r' && in[skipped + 1] == '\n') {
        skipped += 2;
    }
    if (skipped > 0) {
        connection->in_size -= skipped;
        memmove(connection->in, in + skipped, connection->in_size);
    }
    return connection->in_size > 0 && (connection->in[0] != '\r' || connection->in_size > 1);
}

static void begin_body(struct dyno_http_connection *connection)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct dyno_http_head *head = &connection->exchange.head;

    connection->state = DYNO_HTTP_BODY;
    connection->chunked = (struct dyno_http_chunked){0};
    if (head->expects_continue && connection->in_size == connection->head_size) {
        dyno_http_output_add(connection, go_on, sizeof go_on - 1);
    }
}

/* The head of `size` bytes is whole. */
static struct dyno_http_refusal take_head(struct dyno_http_connection *connection, size_t size)
{
    const struct dyno_http_config *config = &connection->server->config;
    struct dyno_http_head *head = &connection->exchange.head;
    struct dyno_http_refusal refusal;

    if (size > config->header_bytes_max) {
        return dyno_http_refuse(431, "the headers are too large");
    }
    refusal = dyno_http_head_parse(head, connection->in, size);
    if (refusal.status != 0) {
        return refusal;
    }
    if (head->content_length > config->body_bytes_max) {
        return dyno_http_refuse(413, "the body is too large");
    }
    connection->head_size = size;
    connection->body_size = 0;
    if (head->chunked || head->content_length > 0) {
        begin_body(connection);
    } else {
        dispatch(connection, size);
    }
    return refusal;
}

static struct dyno_http_refusal advance_head(struct dyno_http_connection *connection)
{
    size_t size;

    if (connection->scanned == 0 && !skip_empty_lines(connection)) {
        return dyno_http_fine();
    }
    if ((unsigned char)connection->in[0] == TLS_HANDSHAKE) {
        return dyno_http_refuse(400, "this begins TLS, and plain HTTP is spoken here");
    }
    size = dyno_http_head_size(connection->in, connection->in_size, &connection->scanned);
    if (size == SIZE_MAX) {
        return dyno_http_refuse(400, "a line of the head does not end with CR LF");
    }
    if (size > 0) {
        return take_head(connection, size);
    }
    if (connection->in_size < connection->server->config.header_bytes_max) {
        return dyno_http_fine();
    }
    return connection->scanned == 0 ? dyno_http_refuse(414, "the target is too long")
                                    : dyno_http_refuse(431, "the headers are too large");
}

static struct dyno_http_refusal advance_chunked(struct dyno_http_connection *connection)
{
    size_t at = connection->head_size + connection->body_size, used, kept;
    enum dyno_http_chunked_result result = dyno_http_chunked_decode(
        &connection->chunked, connection->in + at, connection->in_size - at, &used, &kept);

    if (result == DYNO_HTTP_CHUNKED_BAD) {
        return dyno_http_refuse(400, "the body is not in chunked coding");
    }
    connection->body_size += kept;
    if (connection->body_size > connection->server->config.body_bytes_max) {
        return dyno_http_refuse(413, "the body is too large");
    }
    if (result == DYNO_HTTP_CHUNKED_DONE) {
        dispatch(connection, at + used);
    } else {
        connection->in_size = connection->head_size + connection->body_size;
    }
    return dyno_http_fine();
}

static struct dyno_http_refusal advance_body(struct dyno_http_connection *connection)
{
    size_t length = (size_t)connection->exchange.head.content_length;

    if (connection->exchange.head.chunked) {
        return advance_chunked(connection);
    }
    if (connection->in_size - connection->head_size >= length) {
        connection->body_size = length;
        dispatch(connection, connection->head_size + length);
    }
    return dyno_http_fine();
}

void dyno_http_connection_advance(struct dyno_http_connection *connection)
{
    struct dyno_http_server *server = connection->server;
    struct dyno_http_refusal refusal = dyno_http_fine();

    if (connection->state == DYNO_HTTP_HEAD) {
        if (connection->timeout.queue == &server->idles) { /* its first byte */
            dyno_http_timeout_start(&connection->timeout, &server->heads, dyno_http_now());
        }
        refusal = advance_head(connection);
    }
    if (refusal.status == 0 && connection->state == DYNO_HTTP_BODY) {
        refusal = advance_body(connection);
    }
    if (refusal.status != 0) {
        dyno_http_connection_refuse(connection, refusal);
    }
}

void dyno_http_connection_resume(struct dyno_http_connection *connection)
{
    connection->is_again = false;
    if (connection->doomed || connection->state != DYNO_HTTP_HEAD) {
        return;
    }
    if (connection->in_size > 0) {
        dyno_http_connection_advance(connection);
    }
    if (connection->tls && !connection->doomed && dyno_http_tls_session_pending(connection->tls)) {
        dyno_http_input_read(connection);
    }
}

void dyno_http_connection_expire(struct dyno_http_connection *connection)
{
    bool receiving = connection->state == DYNO_HTTP_HEAD || connection->state == DYNO_HTTP_BODY;

    if (receiving && connection->in_size > 0) {
        dyno_http_connection_refuse(connection, dyno_http_refuse(408, "the request took too long"));
        return;
    }
    connection->reset =
        connection->state == DYNO_HTTP_ANSWER || connection->state == DYNO_HTTP_FLUSH;
    dyno_http_connection_doom(connection);
}

/* Keep the bytes of the next requests, and wait for the rest of it or for one. */
static void begin_next(struct dyno_http_connection *connection)
{
    struct dyno_http_server *server = connection->server;
    size_t left = connection->in_size - connection->request_size;
    bool more = left > 0 || (connection->tls && dyno_http_tls_session_pending(connection->tls));

    connection->state = DYNO_HTTP_HEAD;
    connection->scanned = 0;
    connection->in_size = left;
    if (left > 0) {
        memmove(connection->in, connection->in + connection->request_size, left);
    } else if (connection->in_capacity > INPUT_BYTES_KEPT) {
        dyno_http_input_release(connection);
    }
    dyno_http_input_resume(connection);
    dyno_http_timeout_start(&connection->timeout, left > 0 ? &server->heads : &server->idles,
                            dyno_http_now());
    if (more && !connection->is_again) {
        connection->is_again = true;
        connection->next_again = server->again;
        server->again = connection;
    }
}

static void linger(struct dyno_http_connection *connection)
{
    if (connection->tls) {
        dyno_http_tls_session_finish(connection->tls);
    }
    (void)shutdown(connection->socket, SHUT_WR);
    connection->state = DYNO_HTTP_LINGER;
    dyno_http_input_resume(connection);
    dyno_http_timeout_start(&connection->timeout, &connection->server->heads, dyno_http_now());
}

/* All of the response is sent. */
static void finish_response(struct dyno_http_connection *connection)
{
    if (connection->eof) {
        dyno_http_connection_doom(connection);
    } else if (connection->closes || connection->server->stopping) {
        linger(connection);
    } else {
        begin_next(connection);
    }
}

static void unlink_connection(struct dyno_http_connection *connection)
{
    struct dyno_http_server *server = connection->server;

    if (connection->next) {
        connection->next->previous = connection->previous;
    }
    *(connection->previous ? &connection->previous->next : &server->connections) = connection->next;
    server->counts.connections_open--;
}

static void close_socket(struct dyno_http_connection *connection)
{
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (connection->tls) {
        if (!connection->reset) {
            dyno_http_tls_session_finish(connection->tls);
        }
        dyno_http_tls_session_close(connection->tls);
    }
    if (connection->reset) {
        (void)setsockopt(connection->socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    (void)close(connection->socket);
}

static void leave_again(struct dyno_http_connection *connection)
{
    struct dyno_http_connection **at = &connection->server->again;

    while (connection->is_again && *at != connection) {
        at = &(*at)->next_again;
    }
    if (connection->is_again) {
        *at = connection->next_again;
    }
}

static void destroy(struct dyno_http_connection *connection)
{
    struct dyno_http_server *server = connection->server;

    if (connection->state == DYNO_HTTP_ANSWER) {
        server->counts.gone++;
        server->config.gone(server->config.context, connection->exchange.data);
    }
    (void)event_del(&connection->readable);
    (void)event_del(&connection->writable);
    dyno_http_timeout_stop(&connection->timeout);
    leave_again(connection);
    unlink_connection(connection);
    close_socket(connection);
    dyno_http_input_release(connection);
    free(connection->out.bytes);
    free(connection);
}

void dyno_http_connection_settle(struct dyno_http_connection *connection)
{
    if (!connection->doomed && !connection->is_blocked) {
        dyno_http_output_flush(connection);
    }
    if (!connection->doomed && connection->state == DYNO_HTTP_FLUSH &&
        dyno_http_unsent(connection) == 0) {
        finish_response(connection);
    }
    if (connection->doomed) {
        destroy(connection);
    } else {
        connection->is_dirty = false; /* not before: what is touched here is being settled */
    }
}

/* "ADDRESS:PORT" of `peer`, which may be NULL. */
static void name_peer(struct dyno_http_connection *connection, const struct sockaddr *peer)
{
    char address[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in *v4 = (const void *)peer;
    const struct sockaddr_in6 *v6 = (const void *)peer;

    if (peer && peer->sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, address, sizeof address);
        (void)snprintf(connection->peer, sizeof connection->peer, "%s:%u", address,
                       ntohs(v4->sin_port));
    } else if (peer && peer->sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, address, sizeof address);
        (void)snprintf(connection->peer, sizeof connection->peer, "[%s]:%u", address,
                       ntohs(v6->sin6_port));
    } else {
        (void)snprintf(connection->peer, sizeof connection->peer, "local");
    }
}

static void link_connection(struct dyno_http_connection *connection)
{
    struct dyno_http_server *server = connection->server;

    connection->next = server->connections;
    if (connection->next) {
        connection->next->previous = connection;
    }
    server->connections = connection;
    server->counts.connections_open++;
    server->counts.connections++;
}

/* The parts that can fail. */
static bool open_parts(struct dyno_http_connection *connection)
{
    struct dyno_http_server *server = connection->server;

    if (server->tls) {
        connection->tls = dyno_http_tls_session_open(server->tls, connection->socket);
        if (!connection->tls) {
            return false;
        }
    }
    (void)event_assign(&connection->readable, server->base, connection->socket,
                       EV_READ | EV_PERSIST, dyno_http_input_ready, connection);
    (void)event_assign(&connection->writable, server->base, connection->socket, EV_WRITE,
                       dyno_http_output_ready, connection);
    if (event_add(&connection->readable, NULL) != 0) {
        dyno_http_tls_session_close(connection->tls);
        return false;
    }
    return true;
}

dyno_status dyno_http_connection_open(struct dyno_http_server *server, int socket,
                                      const struct sockaddr *peer, bool turned_away,
                                      struct dyno_error *error)
{
    struct dyno_http_connection *connection = calloc(1, sizeof *connection);

    if (connection) {
        connection->server = server;
        connection->socket = socket;
        connection->exchange.connection = connection;
    }
    if (!connection || !open_parts(connection)) {
        free(connection);
        (void)close(socket);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for another connection");
    }
    name_peer(connection, peer);
    link_connection(connection);
    if (turned_away) {
        dyno_http_connection_refuse(connection, dyno_http_refuse(503, "too many connections"));
    } else {
        dyno_http_timeout_start(&connection->timeout,
                                connection->tls ? &server->heads : &server->idles, dyno_http_now());
    }
    return DYNO_OK;
}

/* What comes from a client: bytes into the connection's buffer, and the end of them. */
#include <errno.h>
#include <stdlib.h>

#include "backends/http/parts.h"

enum {
    INPUT_BYTES_FIRST = 4096, /* most requests fit, and it is kept between them */
    INPUT_BYTES_SPARE = 256,  /* beyond a body, to notice an end while it is answered */
    SCRATCH_BYTES = 16384,
};

static ssize_t receive(struct dyno_http_connection *connection, char *bytes, size_t size)
{
    ssize_t got;

    if (connection->tls) {
        return dyno_http_tls_session_read(connection->tls, bytes, size);
    }
    got = recv(connection->socket, bytes, size, 0);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? DYNO_HTTP_LATER : DYNO_HTTP_BROKEN;
    }
    return got;
}

/* How large the buffer may become.  What is refused as too large never fills it. */
static size_t capacity_max(const struct dyno_http_connection *connection)
{
    const struct dyno_http_config *config = &connection->server->config;
    size_t head_max = config->header_bytes_max;

    if (connection->state == DYNO_HTTP_BODY) {
        return connection->head_size + INPUT_BYTES_SPARE +
               (connection->exchange.head.chunked
                    ? config->body_bytes_max
                    : (size_t)connection->exchange.head.content_length);
    }
    return head_max > INPUT_BYTES_FIRST ? head_max : INPUT_BYTES_FIRST;
}

/* Double the buffer; only when it is full, so that a length that is claimed costs nothing.  False:
 * there is no memory for it, or all buffers together have what they may. */
static bool grow(struct dyno_http_connection *connection)
{
    struct dyno_http_server *server = connection->server;
    struct dyno_http_counts *counts = &server->counts;
    size_t capacity = 2 * connection->in_capacity, max = capacity_max(connection);
    char *in;

    capacity = capacity < INPUT_BYTES_FIRST ? INPUT_BYTES_FIRST : capacity;
    capacity = capacity > max ? max : capacity;
    if (capacity <= connection->in_capacity) {
        return true;
    }
    if (counts->input_bytes + capacity - connection->in_capacity > server->config.input_bytes_max) {
        return false;
    }
    in = realloc(connection->in, capacity);
    if (!in) {
        return false;
    }
    counts->input_bytes += capacity - connection->in_capacity;
    connection->in = in;
    connection->in_capacity = capacity;
    return true;
}

void dyno_http_input_release(struct dyno_http_connection *connection)
{
    free(connection->in);
    connection->server->counts.input_bytes -= connection->in_capacity;
    connection->in = NULL;
    connection->in_capacity = 0;
}

static bool is_receiving(const struct dyno_http_connection *connection)
{
    return connection->state == DYNO_HTTP_HEAD || connection->state == DYNO_HTTP_BODY;
}

static void watch(struct dyno_http_connection *connection, short events)
{
    (void)event_del(&connection->readable);
    (void)event_assign(&connection->readable, connection->server->base, connection->socket, events,
                       dyno_http_input_ready, connection);
    if (event_add(&connection->readable, NULL) != 0) {
        dyno_http_connection_doom(connection);
    }
}

/* The buffer is full of requests that have to wait.  The kernel keeps the rest; we are only told
 * when the client goes.  (A level-triggered event would tell us of the rest for ever, and one for
 * the end alone would not be told of a reset.) */
static void pause_reading(struct dyno_http_connection *connection)
{
    if (!connection->is_paused) {
        connection->is_paused = true;
        watch(connection, EV_READ | EV_CLOSED | EV_ET | EV_PERSIST);
    }
}

void dyno_http_input_resume(struct dyno_http_connection *connection)
{
    if (connection->is_paused) {
        connection->is_paused = false;
        watch(connection, EV_READ | EV_PERSIST);
    }
}

/* The client sends no more.  Whether it still reads cannot be known, and a client that has gone
 * must not be computed for: what is not yet answered is given up. */
static void take_eof(struct dyno_http_connection *connection)
{
    if (connection->state == DYNO_HTTP_FLUSH) {
        connection->eof = connection->closes = true;
        (void)event_del(&connection->readable);
        return;
    }
    dyno_http_connection_doom(connection);
}

/* Bytes that nobody wants, so that the client can read our last ones. */
static ssize_t discard(struct dyno_http_connection *connection)
{
    char scratch[SCRATCH_BYTES];
    ssize_t got = receive(connection, scratch, sizeof scratch);

    connection->discarded_bytes += got > 0 ? (size_t)got : 0;
    if (connection->discarded_bytes > connection->server->config.body_bytes_max) {
        dyno_http_connection_doom(connection);
    }
    return got;
}

static ssize_t take_bytes(struct dyno_http_connection *connection)
{
    size_t room;
    ssize_t got;

    if (is_receiving(connection) && connection->in_size == connection->in_capacity &&
        !grow(connection)) {
        dyno_http_connection_refuse(connection,
                                    dyno_http_refuse(503, "too many requests are being read"));
        return DYNO_HTTP_LATER;
    }
    room = connection->in_capacity - connection->in_size;
    if (room == 0) {
        pause_reading(connection);
        return DYNO_HTTP_LATER;
    }
    got = receive(connection, connection->in + connection->in_size, room);
    if (got > 0) {
        connection->in_size += (size_t)got;
        connection->server->counts.received_bytes += (uint64_t)got;
        dyno_http_connection_advance(connection);
    }
    return got;
}

void dyno_http_input_read(struct dyno_http_connection *connection)
{
    ssize_t got;

    do {
        got = connection->state == DYNO_HTTP_LINGER ? discard(connection) : take_bytes(connection);
    } while (got > 0 && !connection->doomed && connection->tls &&
             dyno_http_tls_session_pending(connection->tls));
    if (got == 0) {
        take_eof(connection);
    } else if (got == DYNO_HTTP_BROKEN) {
        dyno_http_connection_doom(connection);
    } else if (got == DYNO_HTTP_LATER_OTHER) {
        dyno_http_output_wait(connection);
    }
    if (dyno_http_unsent(connection) > 0) { /* TLS may have waited for what was read */
        dyno_http_connection_touch(connection);
    }
}

void dyno_http_input_ready(evutil_socket_t socket, short what, void *context)
{
    struct dyno_http_connection *connection = context;
    struct dyno_http_server *server = connection->server; /* which outlives it */
    int failure = 0;
    socklen_t size = sizeof failure;

    if (connection->doomed) {
        return;
    }
    if (!connection->is_paused) {
        dyno_http_input_read(connection);
        dyno_http_server_yield(server);
        return;
    }
    (void)getsockopt(socket, SOL_SOCKET, SO_ERROR, &failure, &size);
    if (failure != 0) {
        dyno_http_connection_doom(connection);
    } else if (what & EV_CLOSED) {
        take_eof(connection);
    }
}

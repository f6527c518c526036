/* What goes to a client: bytes into the connection's buffer, and once a turn into the socket. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/http/parts.h"

enum { OUTPUT_BYTES_FIRST = 1024, OUTPUT_BYTES_KEPT = 16384 };

/* Room for `size` bytes at the end. */
static bool make_room(struct dyno_http_output *out, size_t size)
{
    size_t unsent = out->end - out->begin, capacity = out->capacity;
    char *bytes;

    if (size <= capacity - out->end) {
        return true;
    }
    if (out->begin > 0) {
        memmove(out->bytes, out->bytes + out->begin, unsent);
        out->begin = 0;
        out->end = unsent;
    }
    if (size > SIZE_MAX / 4 || unsent > SIZE_MAX / 4) {
        return false;
    }
    capacity = capacity < OUTPUT_BYTES_FIRST ? OUTPUT_BYTES_FIRST : capacity;
    while (capacity - unsent < size) {
        capacity *= 2;
    }
    bytes = capacity == out->capacity ? out->bytes : realloc(out->bytes, capacity);
    if (!bytes) {
        return false;
    }
    out->bytes = bytes;
    out->capacity = capacity;
    return true;
}

void dyno_http_output_add(struct dyno_http_connection *connection, const void *bytes, size_t size)
{
    struct dyno_http_output *out = &connection->out;

    if (connection->doomed || size == 0) {
        return;
    }
    if (!make_room(out, size)) {
        connection->reset = true;
        dyno_http_connection_doom(connection);
        return;
    }
    memcpy(out->bytes + out->end, bytes, size);
    out->end += size;
    dyno_http_connection_touch(connection);
}

static ssize_t transmit(struct dyno_http_connection *connection)
{
    const char *bytes = connection->out.bytes + connection->out.begin;
    ssize_t sent;

    if (connection->tls) {
        return dyno_http_tls_session_write(connection->tls, bytes, dyno_http_unsent(connection));
    }
    sent = send(connection->socket, bytes, dyno_http_unsent(connection), MSG_NOSIGNAL);
    if (sent < 0) {
        return errno == EAGAIN || errno == EINTR ? DYNO_HTTP_LATER : DYNO_HTTP_BROKEN;
    }
    return sent;
}

static bool is_answering(const struct dyno_http_connection *connection)
{
    return connection->state == DYNO_HTTP_ANSWER || connection->state == DYNO_HTTP_FLUSH;
}

void dyno_http_output_wait(struct dyno_http_connection *connection)
{
    connection->is_blocked = true;
    if (event_add(&connection->writable, NULL) != 0) {
        dyno_http_connection_doom(connection);
    }
}

/* All is sent: keep a small buffer for the next response. */
static void rest(struct dyno_http_connection *connection)
{
    struct dyno_http_output *out = &connection->out;

    if (out->capacity > OUTPUT_BYTES_KEPT) {
        free(out->bytes);
        *out = (struct dyno_http_output){0};
    }
    out->begin = out->end = 0;
    if (connection->timeout.queue == &connection->server->writes) {
        dyno_http_timeout_stop(&connection->timeout);
    }
}

/* Some is left: time runs since the last byte that went. */
static void wait_for_client(struct dyno_http_connection *connection, bool progress)
{
    struct dyno_http_timeout_queue *writes = &connection->server->writes;

    if (is_answering(connection) && (progress || connection->timeout.queue != writes)) {
        dyno_http_timeout_start(&connection->timeout, writes, dyno_http_now());
    }
}

static void tell_first_byte(struct dyno_http_connection *connection)
{
    const struct dyno_http_config *config = &connection->server->config;

    connection->is_awaited = false;
    config->first_byte(config->context, dyno_http_now() - connection->asked_ns);
}

void dyno_http_output_flush(struct dyno_http_connection *connection)
{
    ssize_t sent = 0;
    bool progress = false;

    while (dyno_http_unsent(connection) > 0 && (sent = transmit(connection)) > 0) {
        connection->out.begin += (size_t)sent;
        connection->server->counts.sent_bytes += (uint64_t)sent;
        progress = true;
    }
    if (progress && connection->is_awaited) {
        tell_first_byte(connection);
    }
    if (dyno_http_unsent(connection) == 0) {
        rest(connection);
    } else if (sent == DYNO_HTTP_LATER || sent == DYNO_HTTP_LATER_OTHER) {
        wait_for_client(connection, progress);
        if (sent == DYNO_HTTP_LATER) {
            dyno_http_output_wait(connection);
        }
    } else {
        dyno_http_connection_doom(connection);
    }
}

void dyno_http_output_ready(evutil_socket_t socket, short what, void *context)
{
    struct dyno_http_connection *connection = context;

    (void)socket;
    (void)what;
    connection->is_blocked = false;
    dyno_http_connection_touch(connection);
    if (connection->tls && !connection->doomed && !connection->is_paused) {
        dyno_http_input_read(connection); /* it may have waited for this */
    }
}

/* One request as its reader sees it, and the writing of its response. */
#include <assert.h>
#include <string.h>

#include "backends/http/parts.h"
#include "backends/http/response.h"

const char *dyno_http_exchange_method(const struct dyno_http_exchange *exchange)
{
    return exchange->connection->in + exchange->head.method;
}

const char *dyno_http_exchange_path(const struct dyno_http_exchange *exchange)
{
    return exchange->connection->in + exchange->head.path;
}

const char *dyno_http_exchange_query(const struct dyno_http_exchange *exchange, const char *name)
{
    const struct dyno_http_head *head = &exchange->head;
    const char *in = exchange->connection->in;

    for (uint32_t i = 0; i < head->parameter_count; i++) {
        if (strcmp(in + head->parameters[i].name, name) == 0) {
            return in + head->parameters[i].value;
        }
    }
    return NULL;
}

const char *dyno_http_exchange_header(const struct dyno_http_exchange *exchange, const char *name)
{
    return dyno_http_head_find(&exchange->head, exchange->connection->in, name);
}

const char *dyno_http_exchange_body(const struct dyno_http_exchange *exchange, size_t *size)
{
    *size = exchange->connection->body_size;
    return exchange->connection->in + exchange->connection->head_size;
}

const char *dyno_http_exchange_peer(const struct dyno_http_exchange *exchange)
{
    return exchange->connection->peer;
}

void dyno_http_exchange_set_data(struct dyno_http_exchange *exchange, void *data)
{
    exchange->data = data;
}

void *dyno_http_exchange_data(const struct dyno_http_exchange *exchange)
{
    return exchange->data;
}

static bool has_no_body(const struct dyno_http_exchange *exchange, uint16_t status)
{
    return exchange->head.is_head || status == 204 || status == 304;
}

/* The response's head is due: what follows from the request and the server's state. */
static void begin(struct dyno_http_exchange *exchange)
{
    struct dyno_http_connection *connection = exchange->connection;

    assert(connection->state == DYNO_HTTP_ANSWER && !exchange->begun);
    exchange->begun = true;
    connection->closes |= !exchange->head.keep_alive || connection->server->stopping;
}

static void response_ended(struct dyno_http_connection *connection)
{
    connection->state = DYNO_HTTP_FLUSH;
    dyno_http_connection_touch(connection);
}

void dyno_http_reply(struct dyno_http_exchange *exchange, uint16_t status,
                     const struct dyno_http_header *headers, const void *body, size_t size)
{
    struct dyno_http_connection *connection = exchange->connection;
    bool without = has_no_body(exchange, status);

    begin(exchange);
    dyno_http_response_add(connection, status, headers, DYNO_HTTP_BODY_PLAIN,
                           without && !exchange->head.is_head ? SIZE_MAX : size);
    if (!without) {
        dyno_http_output_add(connection, body, size);
    }
    response_ended(connection);
}

void dyno_http_stream_begin(struct dyno_http_exchange *exchange, uint16_t status,
                            const struct dyno_http_header *headers)
{
    struct dyno_http_connection *connection = exchange->connection;
    bool without = has_no_body(exchange, status);

    begin(exchange);
    exchange->body = without                 ? DYNO_HTTP_BODY_NONE
                     : exchange->head.is_1_1 ? DYNO_HTTP_BODY_CHUNKED
                                             : DYNO_HTTP_BODY_PLAIN;
    connection->closes |= exchange->body == DYNO_HTTP_BODY_PLAIN;
    connection->is_awaited = connection->server->config.first_byte != NULL;
    dyno_http_response_add(connection, status, headers,
                           exchange->head.is_head && exchange->head.is_1_1 ? DYNO_HTTP_BODY_CHUNKED
                                                                           : exchange->body,
                           SIZE_MAX);
}

/* The client has taken too little: try once more, then give it up. */
static void check_unsent(struct dyno_http_connection *connection)
{
    size_t max = connection->server->config.unsent_bytes_max;

    if (connection->doomed || dyno_http_unsent(connection) <= max) {
        return;
    }
    if (!connection->is_blocked) {
        dyno_http_output_flush(connection);
    }
    if (!connection->doomed && dyno_http_unsent(connection) > max) {
        connection->reset = true;
        dyno_http_connection_doom(connection);
    }
}

/* "SIZE CR LF" in hexadecimal, into the end of `line`; returns where it begins. */
static const char *chunk_line(char *end, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    *--end = '\n';
    *--end = '\r';
    do {
        *--end = digits[size & 15];
        size >>= 4;
    } while (size > 0);
    return end;
}

void dyno_http_stream_write(struct dyno_http_exchange *exchange, const void *bytes, size_t size)
{
    struct dyno_http_connection *connection = exchange->connection;
    char line[2 * sizeof size + 2], *end = line + sizeof line;
    const char *start = chunk_line(end, size);

    assert(connection->state == DYNO_HTTP_ANSWER && exchange->begun);
    if (size == 0 || exchange->body == DYNO_HTTP_BODY_NONE) {
        return;
    }
    if (exchange->body == DYNO_HTTP_BODY_CHUNKED) {
        dyno_http_output_add(connection, start, (size_t)(end - start));
        dyno_http_output_add(connection, bytes, size);
        dyno_http_output_add(connection, "\r\n", 2);
    } else {
        dyno_http_output_add(connection, bytes, size);
    }
    check_unsent(connection);
}

void dyno_http_stream_end(struct dyno_http_exchange *exchange)
{
    struct dyno_http_connection *connection = exchange->connection;

    assert(connection->state == DYNO_HTTP_ANSWER && exchange->begun);
    if (exchange->body == DYNO_HTTP_BODY_CHUNKED) {
        dyno_http_output_add(connection, "0\r\n\r\n", 5);
    }
    response_ended(connection);
}

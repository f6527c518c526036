/* Answers that are there at once, and what every answer says of itself. */
#include <string.h>

#include "backends/door/door_parts.h"

void dyno_door_headers(const struct dyno_door *door, const struct dyno_http_exchange *exchange,
                       const char *type, struct dyno_http_header out[DYNO_DOOR_HEADERS_MAX])
{
    const char *id = dyno_http_exchange_header(exchange, "x-request-id");
    uint32_t count = 0;

    if (type) {
        out[count++] = (struct dyno_http_header){"Content-Type", type};
    }
    if (id) {
        out[count++] = (struct dyno_http_header){"X-Request-Id", id};
    }
    if (door->config.cors_origin) {
        out[count++] =
            (struct dyno_http_header){"Access-Control-Allow-Origin", door->config.cors_origin};
        out[count++] =
            (struct dyno_http_header){"Access-Control-Expose-Headers", "X-Request-Id, Retry-After"};
    }
    out[count] = (struct dyno_http_header){.name = NULL};
}

void dyno_door_reply_json(struct dyno_door *door, struct dyno_http_exchange *exchange,
                          uint16_t status, const struct dyno_bytes *body)
{
    struct dyno_http_header headers[DYNO_DOOR_HEADERS_MAX];

    dyno_door_headers(door, exchange, "application/json", headers);
    dyno_http_reply(exchange, status, headers, body->data, body->size);
}

/* Add a header to a list that has room for it. */
static void add_header(struct dyno_http_header *headers, const char *name, const char *value)
{
    uint32_t count = 0;

    while (headers[count].name) {
        count++;
    }
    headers[count] = (struct dyno_http_header){name, value};
    headers[count + 1] = (struct dyno_http_header){.name = NULL};
}

void dyno_door_refuse(struct dyno_door *door, struct dyno_http_exchange *exchange,
                      const struct dyno_openai_error *error)
{
    struct dyno_http_header headers[DYNO_DOOR_HEADERS_MAX];

    dyno_bytes_clear(&door->out);
    dyno_openai_error_put(&door->out, error);
    dyno_door_headers(door, exchange, "application/json", headers);
    if (error->http_status == 401) {
        add_header(headers, "WWW-Authenticate", "Bearer");
    }
    if (error->http_status == 429 || error->http_status == 503) {
        add_header(headers, "Retry-After", "1");
    }
    dyno_http_reply(exchange, (uint16_t)error->http_status, headers, door->out.data,
                    door->out.size);
}

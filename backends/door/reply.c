/* Answers that are there at once, and what every answer says of itself. */
#include <stdio.h>
#include <string.h>

#include "backends/door/door_parts.h"

enum { STATUS_SERVER_ERROR = 500, RETRY_TEXT_MAX = 24 };

void dyno_door_add_header(struct dyno_door_headers *headers, const char *name, const char *value)
{
    headers->list[headers->count++] = (struct dyno_http_header){name, value};
    headers->list[headers->count] = (struct dyno_http_header){.name = NULL};
}

struct dyno_door_headers dyno_door_headers(const struct dyno_door *door,
                                           const struct dyno_door_asker *asker, const char *type)
{
    struct dyno_door_headers headers = {.count = 0};

    if (type) {
        dyno_door_add_header(&headers, "Content-Type", type);
    }
    dyno_door_add_header(&headers, "X-Request-Id", asker->request_id);
    if (door->config.cors_origin) {
        dyno_door_add_header(&headers, "Access-Control-Allow-Origin", door->config.cors_origin);
        dyno_door_add_header(&headers, "Access-Control-Expose-Headers",
                             "X-Request-Id, Retry-After, Retry-After-Ms");
    }
    return headers;
}

const char *dyno_door_trace_text(const struct dyno_door_asker *asker, char out[DYNO_DOOR_TRACE_MAX])
{
    const uint8_t *id = asker->trace.trace_id;

    for (size_t i = 0; i < sizeof asker->trace.trace_id; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", id[i]);
    }
    return out;
}

static void log_reply(const struct dyno_door *door, const struct dyno_http_exchange *exchange,
                      const struct dyno_door_asker *asker, uint16_t status)
{
    char trace[DYNO_DOOR_TRACE_MAX];
    enum dyno_log_level level = status < STATUS_SERVER_ERROR ? DYNO_LOG_INFO : DYNO_LOG_ERROR;

    dyno_log(door->config.log, level, asker->request_id, "answered",
             dyno_log_text("method", dyno_http_exchange_method(exchange)),
             dyno_log_text("path", dyno_http_exchange_path(exchange)),
             dyno_log_count("status", status),
             dyno_log_text("peer", dyno_http_exchange_peer(exchange)),
             dyno_log_text("trace", dyno_door_trace_text(asker, trace)),
             dyno_log_real("ms", (double)(dyno_door_now(door) - asker->arrival_ns) * 1e-6));
}

void dyno_door_reply(struct dyno_door *door, struct dyno_http_exchange *exchange,
                     const struct dyno_door_asker *asker, uint16_t status,
                     const struct dyno_door_headers *headers, const void *body, size_t size)
{
    log_reply(door, exchange, asker, status);
    dyno_telemetry_answered(door->telemetry, status);
    dyno_http_reply(exchange, status, headers->list, body, size);
}

void dyno_door_reply_json(struct dyno_door *door, struct dyno_http_exchange *exchange,
                          const struct dyno_door_asker *asker, const struct dyno_bytes *body)
{
    struct dyno_door_headers headers = dyno_door_headers(door, asker, "application/json");
    struct dyno_openai_error error;

    if (body->status != DYNO_OK) {
        (void)dyno_openai_fail_memory(&error);
        dyno_door_refuse(door, exchange, asker, &error, 0);
        return;
    }
    dyno_door_reply(door, exchange, asker, 200, &headers, body->data, body->size);
}

void dyno_door_reply_refusal(struct dyno_door *door, struct dyno_http_exchange *exchange,
                             const struct dyno_door_asker *asker, uint32_t http_status,
                             dyno_ns retry_ns)
{
    struct dyno_door_headers headers = dyno_door_headers(door, asker, "application/json");
    char seconds[RETRY_TEXT_MAX], milliseconds[RETRY_TEXT_MAX];

    if (http_status == 401) {
        dyno_door_add_header(&headers, "WWW-Authenticate", "Bearer");
    }
    if (http_status == 429 || http_status == 503) {
        (void)snprintf(seconds, sizeof seconds, "%llu",
                       (unsigned long long)((retry_ns + DYNO_S - 1) / DYNO_S));
        (void)snprintf(milliseconds, sizeof milliseconds, "%llu",
                       (unsigned long long)((retry_ns + DYNO_MS - 1) / DYNO_MS));
        dyno_door_add_header(&headers, "Retry-After", seconds);
        dyno_door_add_header(&headers, "Retry-After-Ms", milliseconds);
    }
    dyno_door_reply(door, exchange, asker, (uint16_t)http_status, &headers, door->out.data,
                    door->out.size);
}

void dyno_door_refuse(struct dyno_door *door, struct dyno_http_exchange *exchange,
                      const struct dyno_door_asker *asker, const struct dyno_openai_error *error,
                      dyno_ns retry_ns)
{
    dyno_bytes_clear(&door->out);
    dyno_openai_error_put(&door->out, error);
    dyno_door_reply_refusal(door, exchange, asker, error->http_status, retry_ns);
}

static enum dyno_refusal reason_of(uint32_t http_status)
{
    switch (http_status) {
    case 404:
        return DYNO_REFUSED_NOT_FOUND;
    case 413:
        return DYNO_REFUSED_TOO_LARGE;
    case 429:
        return DYNO_REFUSED_OVERLOADED;
    case 503:
        return DYNO_REFUSED_DRAINING;
    default:
        return DYNO_REFUSED_BAD_REQUEST;
    }
}

void dyno_door_refuse_generation(struct dyno_door *door, struct dyno_http_exchange *exchange,
                                 const struct dyno_openai_error *error)
{
    dyno_door_count_refused(door, reason_of(error->http_status));
    dyno_door_refuse(door, exchange, &door->asker, error, DYNO_S);
}

#include "backends/http/response.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { REFUSAL_BYTES_MAX = 1024 };

struct reason {
    uint16_t status;
    const char *text;
};

static const struct reason reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *dyno_http_reason(uint16_t status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].status == status) {
            return reasons[i].text;
        }
    }
    return "Other";
}

static void add_text(struct dyno_http_connection *connection, const char *text)
{
    dyno_http_output_add(connection, text, strlen(text));
}

/* The date, made anew once a second. */
static const char *date(struct dyno_http_server *server)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = time(NULL);
    struct tm parts;

    if (now != server->date_second && gmtime_r(&now, &parts)) {
        server->date_second = now;
        (void)snprintf(server->date, sizeof server->date, "%s, %02u %s %04u %02u:%02u:%02u GMT",
                       days[parts.tm_wday], (unsigned)parts.tm_mday % 100, months[parts.tm_mon],
                       (unsigned)(parts.tm_year + 1900) % 10000, (unsigned)parts.tm_hour % 100,
                       (unsigned)parts.tm_min % 100, (unsigned)parts.tm_sec % 100);
    }
    return server->date;
}

/* A value, with "?" for each byte that would end it or is not text. */
static void add_value(struct dyno_http_connection *connection, const char *value)
{
    while (*value) {
        size_t fine = 0;

        while (((unsigned char)value[fine] >= 0x20 && value[fine] != 0x7f) || value[fine] == '\t') {
            fine++;
        }
        dyno_http_output_add(connection, value, fine);
        value += fine;
        if (*value) {
            add_text(connection, "?");
            value++;
        }
    }
}

static bool is_token(const char *name)
{
    const char *at = name;

    while (*at && dyno_http_is_token_byte(*at)) {
        at++;
    }
    return *at == '\0' && at != name;
}

static void add_headers(struct dyno_http_connection *connection,
                        const struct dyno_http_header *headers)
{
    for (; headers && headers->name; headers++) {
        assert(is_token(headers->name));
        add_text(connection, headers->name);
        add_text(connection, ": ");
        add_value(connection, headers->value);
        add_text(connection, "\r\n");
    }
}

static void add_framing(struct dyno_http_connection *connection, enum dyno_http_body body,
                        size_t size)
{
    char line[64];

    if (body == DYNO_HTTP_BODY_CHUNKED) {
        add_text(connection, "Transfer-Encoding: chunked\r\n");
    } else if (size != SIZE_MAX) {
        (void)snprintf(line, sizeof line, "Content-Length: %zu\r\n", size);
        add_text(connection, line);
    }
}

static void add_connection(struct dyno_http_connection *connection)
{
    if (connection->closes) {
        add_text(connection, "Connection: close\r\n");
    } else if (!connection->exchange.head.is_1_1) {
        add_text(connection, "Connection: keep-alive\r\n");
    }
}

void dyno_http_response_add(struct dyno_http_connection *connection, uint16_t status,
                            const struct dyno_http_header *headers, enum dyno_http_body body,
                            size_t size)
{
    char line[96];

    assert(status >= 200 && status <= 599);
    (void)snprintf(line, sizeof line, "HTTP/1.1 %u %s\r\nDate: ", status, dyno_http_reason(status));
    add_text(connection, line);
    add_text(connection, date(connection->server));
    add_text(connection, "\r\n");
    add_headers(connection, headers);
    add_framing(connection, body, size);
    add_connection(connection);
    add_text(connection, "\r\n");
}

void dyno_http_refusal_add(struct dyno_http_connection *connection,
                           struct dyno_http_refusal refusal)
{
    const struct dyno_http_config *config = &connection->server->config;
    const struct dyno_http_header headers[] = {
        {"Content-Type", config->refusal ? "application/json" : "text/plain"},
        {refusal.status == 503 ? "Retry-After" : NULL, "1"},
        {NULL, NULL},
    };
    char body[REFUSAL_BYTES_MAX];
    size_t size;

    if (config->refusal) {
        size = config->refusal(config->context, refusal.status, refusal.why, body, sizeof body);
        assert(size <= sizeof body);
    } else {
        size = (size_t)snprintf(body, sizeof body, "%s\n", refusal.why);
    }
    dyno_http_response_add(connection, refusal.status, headers, DYNO_HTTP_BODY_PLAIN, size);
    dyno_http_output_add(connection, body, size);
}

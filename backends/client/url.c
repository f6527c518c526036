#include "backends/client/url.h"

#include <stdio.h>
#include <string.h>

#include "core/base/words.h"

static dyno_status refuse(struct dyno_error *error, const char *text, const char *why)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(error, DYNO_BAD_INPUT, "%s is no address of a server: %s",
                     dyno_quote(quoted, text), why);
}

/* "8000": digits up to `end`. */
static bool parse_port(uint16_t *port, const char *at, const char *end)
{
    uint32_t value = 0;

    if (at == end) {
        return false;
    }
    for (; at < end; at++) {
        if (*at < '0' || *at > '9' || value > 6553) {
            return false;
        }
        value = value * 10 + (uint32_t)(*at - '0');
    }
    *port = (uint16_t)value;
    return value > 0 && value <= UINT16_MAX;
}

/* Blanks, controls and what has a meaning of its own; letters beyond ASCII need their own coding.
 */
static bool is_plain(const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at <= ' ' || *at >= 0x7f || strchr("@?#\"<>\\^`{|}%", *at)) {
            return false;
        }
    }
    return true;
}

/* "host", "host:port", "[address]:port" */
static const char *parse_authority(struct dyno_url *url, const char *at, const char *end)
{
    bool is_bracketed = at < end && *at == '[';
    const char *close = is_bracketed ? memchr(at, ']', (size_t)(end - at)) : NULL;
    const char *host = at + is_bracketed;
    const char *host_end = close;

    if (is_bracketed && !close) {
        return "a bracket is not closed";
    }
    if (!is_bracketed) {
        const char *colon = memchr(at, ':', (size_t)(end - at));

        host_end = colon ? colon : end;
    }
    if (host_end == host || host_end - host >= DYNO_URL_HOST_MAX) {
        return "there is no host in it, or one that is too long";
    }
    if (!is_plain(host, host_end)) {
        return "the host has letters that no host has";
    }
    (void)snprintf(url->host, sizeof url->host, "%.*s", (int)(host_end - host), host);
    at = host_end + is_bracketed;
    if (at < end && (*at != ':' || !parse_port(&url->port, at + 1, end))) {
        return "after the host there should be a port from 1 to 65535";
    }
    return NULL;
}

static const char *parse_rest(struct dyno_url *url, const char *at)
{
    const char *slash = strchr(at, '/');
    const char *end = slash ? slash : at + strlen(at);
    const char *why = parse_authority(url, at, end);
    size_t length = strlen(end);

    if (why) {
        return why;
    }
    while (length > 0 && end[length - 1] == '/') {
        length--;
    }
    if (length >= DYNO_URL_PATH_MAX) {
        return "its path is too long";
    }
    if (!is_plain(end, end + length)) {
        return "its path should be plain letters, without a query";
    }
    memcpy(url->path, end, length);
    url->path[length] = '\0';
    return NULL;
}

/* The port is left out where it goes without saying. */
static void write_authority(struct dyno_url *url, bool is_default)
{
    bool is_bracketed = strchr(url->host, ':') != NULL;
    char port[8] = "";

    if (!is_default) {
        (void)snprintf(port, sizeof port, ":%u", (unsigned)url->port);
    }
    (void)snprintf(url->authority, sizeof url->authority, "%s%s%s%s", is_bracketed ? "[" : "",
                   url->host, is_bracketed ? "]" : "", port);
}

dyno_status dyno_url_parse(struct dyno_url *out, const char *text, struct dyno_error *error)
{
    struct dyno_url url = {.is_tls = strncmp(text, "https://", 8) == 0};
    const char *why;
    bool is_default;

    if (!url.is_tls && strncmp(text, "http://", 7) != 0) {
        return refuse(error, text, "it should begin with http:// or https://");
    }
    url.port = url.is_tls ? 443 : 80;
    why = parse_rest(&url, text + (url.is_tls ? 8 : 7));
    if (why) {
        return refuse(error, text, why);
    }
    is_default = url.port == (url.is_tls ? 443 : 80);
    write_authority(&url, is_default);
    *out = url;
    return DYNO_OK;
}

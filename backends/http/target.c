/* The target of a request: where its path and its query lie, decoded in place. */
#include <string.h>
#include <strings.h>

#include "backends/http/head.h"

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f') {
        return (digit | 0x20) - 'a' + 10;
    }
    return -1;
}

/* Decode the terminated string at `text` in place.  False: a percent sign without two digits, or
 * one that stands for NUL. */
static bool decode(char *text, bool plus_is_blank)
{
    char *to = text;

    for (; *text; text++) {
        if (*text == '%') {
            int high = hex_value(text[1]), low = high < 0 ? -1 : hex_value(text[2]);

            if (low < 0 || high + low == 0) {
                return false;
            }
            *to++ = (char)(high * 16 + low);
            text += 2;
        } else {
            *to++ = (char)(*text == '+' && plus_is_blank ? ' ' : *text);
        }
    }
    *to = '\0';
    return true;
}

/* One NAME=VALUE or NAME; `part` is terminated. */
static struct dyno_http_refusal parse_parameter(struct dyno_http_head *head, const char *bytes,
                                                char *part)
{
    struct dyno_http_field *parameter = &head->parameters[head->parameter_count];
    char *equals = strchr(part, '='), *value = equals ? equals + 1 : part + strlen(part);

    if (*part == '\0') {
        return dyno_http_fine();
    }
    if (head->parameter_count == DYNO_HTTP_PARAMETERS_MAX) {
        return dyno_http_refuse(400, "there are more than 32 query parameters");
    }
    if (equals) {
        *equals = '\0';
    }
    if (!decode(part, true) || (equals && !decode(value, true))) {
        return dyno_http_refuse(400, "the query has a bad percent sequence");
    }
    parameter->name = (uint32_t)(part - bytes);
    parameter->value = (uint32_t)(value - bytes);
    head->parameter_count++;
    return dyno_http_fine();
}

/* The query from `at` to its terminating NUL. */
static struct dyno_http_refusal parse_query(struct dyno_http_head *head, const char *bytes,
                                            char *at)
{
    struct dyno_http_refusal refusal = dyno_http_fine();
    char *next;

    for (; at && refusal.status == 0; at = next) {
        next = strchr(at, '&');
        if (next) {
            *next++ = '\0';
        }
        refusal = parse_parameter(head, bytes, at);
    }
    return refusal;
}

static bool is_visible(const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at <= ' ' || *at > '~' || *at == '#') {
            return false;
        }
    }
    return true;
}

/* The path of http://authority/path, or NULL if there is no authority.  Without a path it is the
 * slash before the authority, whose first byte, which nobody reads, becomes the string's end. */
static char *skip_authority(char *at)
{
    char *slash = strchr(at, ':') + 2, *authority = slash + 1;
    char *path = authority + strcspn(authority, "/?");

    if (path == authority) {
        return NULL;
    }
    if (*path == '/') {
        return path;
    }
    if (*path == '?') { /* keep the query, which begins at `path` */
        path[-1] = '/';
        return path - 1;
    }
    *authority = '\0';
    return slash;
}

struct dyno_http_refusal dyno_http_target_parse(struct dyno_http_head *head, char *bytes, char *at,
                                                char *end)
{
    struct dyno_http_refusal refusal = dyno_http_fine();
    char *query;

    if (!is_visible(at, end)) {
        return dyno_http_refuse(400, "the target has a character that must be percent-encoded");
    }
    *end = '\0';
    if (strncasecmp(at, "http://", 7) == 0 || strncasecmp(at, "https://", 8) == 0) {
        at = skip_authority(at);
    }
    if (!at || (*at != '/' && (strcmp(at, "*") != 0 || strcmp(bytes, "OPTIONS") != 0))) {
        return dyno_http_refuse(400, "the target is neither a path nor a URL");
    }
    query = strchr(at, '?');
    if (query) {
        *query = '\0';
        refusal = parse_query(head, bytes, query + 1);
    }
    if (refusal.status == 0 && !decode(at, false)) {
        refusal = dyno_http_refuse(400, "the path has a bad percent sequence");
    }
    head->path = (uint32_t)(at - bytes);
    return refusal;
}

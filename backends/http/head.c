#include "backends/http/head.h"

#include <string.h>
#include <strings.h>

static const bool token_bytes[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,  ['#'] = true,
    ['$'] = true,         ['%'] = true,         ['&'] = true,         ['\''] = true, ['*'] = true,
    ['+'] = true,         ['-'] = true,         ['.'] = true,         ['^'] = true,  ['_'] = true,
    ['`'] = true,         ['|'] = true,         ['~'] = true,
};

bool dyno_http_is_token_byte(char byte)
{
    return token_bytes[(unsigned char)byte];
}

static bool is_token(const char *at, const char *end)
{
    if (at == end) {
        return false;
    }
    for (; at < end; at++) {
        if (!dyno_http_is_token_byte(*at)) {
            return false;
        }
    }
    return true;
}

/* Blanks, tabs, and whatever is not a control character. */
static bool is_field_text(const char *at, const char *end)
{
    for (; at < end; at++) {
        unsigned char byte = (unsigned char)*at;

        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

size_t dyno_http_head_size(const char *bytes, size_t size, size_t *scanned)
{
    while (*scanned < size) {
        const char *start = bytes + *scanned;
        const char *end = memchr(start, '\n', size - *scanned);

        if (!end) {
            break;
        }
        if (end == bytes || end[-1] != '\r') {
            return SIZE_MAX;
        }
        if (end - bytes >= 3 && end[-2] == '\n') {
            return (size_t)(end - bytes) + 1;
        }
        *scanned = (size_t)(end - bytes) + 1;
    }
    return 0;
}

static struct dyno_http_refusal parse_version(struct dyno_http_head *head, const char *at,
                                              const char *end)
{
    if (end - at != 8 || memcmp(at, "HTTP/", 5) != 0 || at[5] < '0' || at[5] > '9' ||
        at[6] != '.' || at[7] < '0' || at[7] > '9') {
        return dyno_http_refuse(400, "the request line does not end with a version of HTTP");
    }
    if (at[5] != '1') {
        return dyno_http_refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    }
    head->is_1_1 = at[7] != '0';
    return dyno_http_fine();
}

/* METHOD blank TARGET blank VERSION, with exactly these two blanks. */
static struct dyno_http_refusal parse_request_line(struct dyno_http_head *head, char *bytes,
                                                   char *end)
{
    char *target = memchr(bytes, ' ', (size_t)(end - bytes));
    char *version = target ? memchr(target + 1, ' ', (size_t)(end - target) - 1) : NULL;
    struct dyno_http_refusal refusal;

    if (!version || !is_token(bytes, target)) {
        return dyno_http_refuse(400, "the request line is not a method, a target and a version");
    }
    refusal = parse_version(head, version + 1, end);
    if (refusal.status != 0) {
        return refusal;
    }
    *target = '\0';
    head->method = 0;
    head->is_head = strcmp(bytes, "HEAD") == 0;
    return dyno_http_target_parse(head, bytes, target + 1, version);
}

static struct dyno_http_refusal parse_field(struct dyno_http_head *head, const char *bytes,
                                            char *line, char *end)
{
    char *colon = memchr(line, ':', (size_t)(end - line));
    struct dyno_http_field *field = &head->fields[head->field_count];
    char *value;

    if (!colon || !is_token(line, colon)) {
        return dyno_http_refuse(400, "a header is not a name, a colon and a value");
    }
    value = colon + 1;
    if (!is_field_text(value, end)) {
        return dyno_http_refuse(400, "a header has a control character in it");
    }
    if (head->field_count == DYNO_HTTP_FIELDS_MAX) {
        return dyno_http_refuse(431, "there are more than 100 headers");
    }
    while (value < end && (*value == ' ' || *value == '\t')) {
        value++;
    }
    while (end > value && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    *colon = '\0';
    *end = '\0';
    field->name = (uint32_t)(line - bytes);
    field->value = (uint32_t)(value - bytes);
    head->field_count++;
    return dyno_http_fine();
}

struct dyno_http_refusal dyno_http_head_parse(struct dyno_http_head *head, char *bytes, size_t size)
{
    char *end_of_lines = bytes + size - 2; /* the empty line */
    char *end = memchr(bytes, '\r', size);
    struct dyno_http_refusal refusal;

    head->field_count = head->parameter_count = 0;
    if (end[1] != '\n') {
        return dyno_http_refuse(400, "the request line has a carriage return in it");
    }
    refusal = parse_request_line(head, bytes, end);
    for (char *line = end + 2; refusal.status == 0 && line < end_of_lines; line = end + 2) {
        end = (char *)memchr(line, '\n', (size_t)(bytes + size - line)) - 1;
        refusal = parse_field(head, bytes, line, end);
    }
    return refusal.status != 0 ? refusal : dyno_http_framing_judge(head, bytes);
}

const char *dyno_http_head_find(const struct dyno_http_head *head, const char *bytes,
                                const char *name)
{
    for (uint32_t i = 0; i < head->field_count; i++) {
        if (strcasecmp(bytes + head->fields[i].name, name) == 0) {
            return bytes + head->fields[i].value;
        }
    }
    return NULL;
}

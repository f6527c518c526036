/* Reading and writing of trace contexts. */
#include "backends/posix/trace_context.h"

#include <stdio.h>
#include <string.h>

enum {
    VERSION_AT = 0,
    TRACE_AT = 3,
    PARENT_AT = 36,
    FLAGS_AT = 53,
    SAMPLED = 1,
    KEY_BYTES_MAX = 256,
    TENANT_BYTES_MAX = 241, /* of a key with an "@" ... */
    SYSTEM_BYTES_MAX = 14,  /* ... and what stands behind it */
    VALUE_BYTES_MAX = 256,
};

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, uint8_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* An identity must not be zero; chance makes one so once in 2^64. */
static void fill_id(uint8_t *out, const uint8_t *random, size_t count)
{
    memcpy(out, random, count);
    if (is_zero(out, count)) {
        out[count - 1] = 1;
    }
}

bool dyno_trace_context_parse(const char *text, size_t length, struct dyno_trace_context *out)
{
    struct dyno_trace_context context;
    uint8_t version, flags;

    if (length < DYNO_TRACE_PARENT_BYTES || text[TRACE_AT - 1] != '-' ||
        text[PARENT_AT - 1] != '-' || text[FLAGS_AT - 1] != '-' ||
        !read_hex(text + VERSION_AT, &version, 1) ||
        !read_hex(text + TRACE_AT, context.trace_id, 16) ||
        !read_hex(text + PARENT_AT, context.parent_id, 8) ||
        !read_hex(text + FLAGS_AT, &flags, 1)) {
        return false;
    }
    if (version == 0xff || (version == 0 && length != DYNO_TRACE_PARENT_BYTES) ||
        (length > DYNO_TRACE_PARENT_BYTES && text[DYNO_TRACE_PARENT_BYTES] != '-') ||
        is_zero(context.trace_id, 16) || is_zero(context.parent_id, 8)) {
        return false;
    }
    context.is_sampled = flags & SAMPLED;
    *out = context;
    return true;
}

struct dyno_trace_context dyno_trace_context_child(const struct dyno_trace_context *parent,
                                                   const uint8_t random[8])
{
    struct dyno_trace_context child = *parent;

    fill_id(child.parent_id, random, sizeof child.parent_id);
    return child;
}

struct dyno_trace_context dyno_trace_context_root(const uint8_t random[24], bool is_sampled)
{
    struct dyno_trace_context root = {.is_sampled = is_sampled};

    fill_id(root.trace_id, random, sizeof root.trace_id);
    fill_id(root.parent_id, random + sizeof root.trace_id, sizeof root.parent_id);
    return root;
}

static char *write_hex(char *to, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < count; i++) {
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    return to;
}

void dyno_trace_context_text(const struct dyno_trace_context *context,
                             char out[DYNO_TRACE_PARENT_BYTES + 1])
{
    uint8_t version = 0, flags = context->is_sampled ? SAMPLED : 0;
    char *to = write_hex(out, &version, 1);

    *to++ = '-';
    to = write_hex(to, context->trace_id, sizeof context->trace_id);
    *to++ = '-';
    to = write_hex(to, context->parent_id, sizeof context->parent_id);
    *to++ = '-';
    to = write_hex(to, &flags, 1);
    *to = '\0';
}

/* tracestate ------------------------------------------------------------------------------ */

static bool is_key_start(char c, bool may_be_digit)
{
    return (c >= 'a' && c <= 'z') || (may_be_digit && c >= '0' && c <= '9');
}

static bool is_key_byte(char c)
{
    return is_key_start(c, true) || c == '_' || c == '-' || c == '*' || c == '/';
}

static bool is_key_part(const char *text, size_t length, bool may_begin_with_digit, size_t max)
{
    if (length == 0 || length > max || !is_key_start(text[0], may_begin_with_digit)) {
        return false;
    }
    for (size_t i = 1; i < length; i++) {
        if (!is_key_byte(text[i])) {
            return false;
        }
    }
    return true;
}

/* "system" or "tenant@system". */
static bool is_key(const char *text, size_t length)
{
    const char *at = memchr(text, '@', length);
    size_t tenant = at ? (size_t)(at - text) : 0;

    if (!at) {
        return is_key_part(text, length, false, KEY_BYTES_MAX);
    }
    return is_key_part(text, tenant, true, TENANT_BYTES_MAX) &&
           is_key_part(at + 1, length - tenant - 1, false, SYSTEM_BYTES_MAX);
}

/* Printable ASCII but the comma and the equals sign, not ending with a blank. */
static bool is_value(const char *text, size_t length)
{
    if (length == 0 || length > VALUE_BYTES_MAX || text[length - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < ' ' || text[i] > '~' || text[i] == ',' || text[i] == '=') {
            return false;
        }
    }
    return true;
}

struct member {
    const char *key;
    size_t key_length;
};

static bool is_known(const struct member *members, size_t count, struct member member)
{
    for (size_t i = 0; i < count; i++) {
        if (members[i].key_length == member.key_length &&
            memcmp(members[i].key, member.key, member.key_length) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_member(const char *text, size_t length, struct member *out)
{
    const char *equals = memchr(text, '=', length);

    if (!equals) {
        return false;
    }
    *out = (struct member){.key = text, .key_length = (size_t)(equals - text)};
    return is_key(text, out->key_length) && is_value(equals + 1, length - out->key_length - 1);
}

static void trim(const char **text, size_t *length)
{
    while (*length > 0 && (**text == ' ' || **text == '\t')) {
        (*text)++;
        (*length)--;
    }
    while (*length > 0 && ((*text)[*length - 1] == ' ' || (*text)[*length - 1] == '\t')) {
        (*length)--;
    }
}

bool dyno_trace_state_is_valid(const char *text, size_t length)
{
    struct member members[DYNO_TRACE_STATE_MEMBERS_MAX];
    size_t count = 0, at = 0;

    if (length > DYNO_TRACE_STATE_BYTES_MAX) {
        return false;
    }
    while (at < length) {
        const char *begin = text + at;
        const char *comma = memchr(begin, ',', length - at);
        size_t size = comma ? (size_t)(comma - begin) : length - at;
        struct member member;

        at += size + 1;
        trim(&begin, &size);
        if (size == 0) {
            continue; /* empty members are allowed, and mean nothing */
        }
        if (count == DYNO_TRACE_STATE_MEMBERS_MAX || !read_member(begin, size, &member) ||
            is_known(members, count, member)) {
            return false;
        }
        members[count++] = member;
    }
    return true;
}

/* Events as lines.
 *
 * Both forms quote alike: a text is well-formed UTF-8 without anything that a terminal, a viewer or
 * a parser of lines would act on.  A field is written whole or not at all. */
#include "backends/posix/log_line.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "core/base/utf8.h"

enum {
    TAIL_BYTES = 16, /* room kept for the end of every line */
    TIME_BYTES = 64,
    NUMBER_BYTES = 40,
};

struct line {
    char *text;
    size_t used, size;
    enum dyno_log_format format;
    bool overflowed; /* since the field began */
};

static const char *const level_names[] = {
    [DYNO_LOG_DEBUG] = "debug",
    [DYNO_LOG_INFO] = "info",
    [DYNO_LOG_WARNING] = "warning",
    [DYNO_LOG_ERROR] = "error",
};

static const char *const format_names[] = {
    [DYNO_LOG_AS_TEXT] = "text",
    [DYNO_LOG_AS_JSON] = "json",
};

static void put_bytes(struct line *line, const char *bytes, size_t count)
{
    if (count > line->size - line->used) {
        line->overflowed = true;
        return;
    }
    memcpy(line->text + line->used, bytes, count);
    line->used += count;
}

static void put(struct line *line, const char *text)
{
    put_bytes(line, text, strlen(text));
}

/* Controls, and what turns or breaks lines of text: the classes Cc and Zl, Zp and the bidirectional
 * formatting characters of Unicode, and the byte-order mark. */
static bool is_disturbing(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x61c ||
           (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

static void put_point(struct line *line, const char *bytes, size_t length)
{
    char escaped[16];
    uint32_t point = dyno_utf8_point(bytes, &length);

    if (is_disturbing(point)) {
        (void)snprintf(escaped, sizeof escaped, "\\u%04" PRIx32, point);
        put(line, escaped);
        return;
    }
    if (point == '"' || point == '\\') {
        put(line, "\\");
    }
    put_bytes(line, bytes, length);
}

static void put_quoted(struct line *line, const char *bytes, size_t size)
{
    size_t shown = size < DYNO_LOG_VALUE_BYTES_MAX ? size : DYNO_LOG_VALUE_BYTES_MAX;
    size_t length;

    put(line, "\"");
    for (size_t at = 0; at < shown; at += length) {
        enum dyno_utf8_kind kind = dyno_utf8_look(bytes + at, shown - at, &length);

        if (kind == DYNO_UTF8_GOOD) {
            put_point(line, bytes + at, length);
        } else if (kind == DYNO_UTF8_BAD || shown == size) {
            put(line, "\\ufffd");
        } else {
            break; /* a good character that was cut in two is not a bad one */
        }
    }
    put(line, shown < size ? "...\"" : "\"");
}

static bool is_plain(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = bytes[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr("-_.:/@+,", c)))) {
            return false;
        }
    }
    return size > 0 && size <= DYNO_LOG_VALUE_BYTES_MAX;
}

static void put_text(struct line *line, const char *bytes, size_t size)
{
    if (!bytes) {
        put(line, "null");
    } else if (line->format == DYNO_LOG_AS_TEXT && is_plain(bytes, size)) {
        put_bytes(line, bytes, size);
    } else {
        put_quoted(line, bytes, size);
    }
}

static void put_value(struct line *line, const struct dyno_log_field *field)
{
    char number[NUMBER_BYTES];

    switch (field->kind) {
    case DYNO_LOG_KIND_TEXT:
        put_text(line, field->text.bytes, field->text.length);
        return;
    case DYNO_LOG_KIND_FLAG:
        put(line, field->flag ? "true" : "false");
        return;
    case DYNO_LOG_KIND_COUNT:
        (void)snprintf(number, sizeof number, "%" PRIu64, field->count);
        break;
    case DYNO_LOG_KIND_REAL:
        if (!isfinite(field->real)) {
            put(line, "null");
            return;
        }
        (void)snprintf(number, sizeof number, "%.9g", field->real);
        break;
    }
    put(line, number);
}

/* False: it did not fit and nothing of it is there. */
static bool put_field(struct line *line, const struct dyno_log_field *field)
{
    size_t before = line->used;
    bool is_json = line->format == DYNO_LOG_AS_JSON;

    put(line, is_json ? ",\"" : " ");
    put(line, field->key);
    put(line, is_json ? "\":" : "=");
    put_value(line, field);
    if (!line->overflowed) {
        return true;
    }
    line->overflowed = false;
    line->used = before;
    return false;
}

static void put_time(struct line *line, const struct timespec *at)
{
    char text[TIME_BYTES], whole[TIME_BYTES];
    struct tm parts;

    gmtime_r(&at->tv_sec, &parts);
    (void)strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text, sizeof text, "%.40s.%06ldZ", whole, at->tv_nsec / 1000);
    put(line, text);
}

static void put_head(struct line *line, const struct timespec *at, enum dyno_log_level level,
                     const char *event)
{
    bool is_json = line->format == DYNO_LOG_AS_JSON;

    put(line, is_json ? "{\"time\":\"" : "");
    put_time(line, at);
    put(line, is_json ? "\",\"level\":\"" : " ");
    put(line, level_names[level]);
    put(line, is_json ? "\",\"event\":\"" : " ");
    put(line, event);
    put(line, is_json ? "\"" : "");
}

size_t dyno_log_line(char text[DYNO_LOG_LINE_BYTES_MAX], enum dyno_log_format format,
                     const struct timespec *at, enum dyno_log_level level, const char *request_id,
                     const char *event, const struct dyno_log_field *fields)
{
    struct line line = {
        .text = text, .size = DYNO_LOG_LINE_BYTES_MAX - TAIL_BYTES, .format = format};
    struct dyno_log_field id = dyno_log_text("request_id", request_id);
    struct dyno_log_field cut = dyno_log_flag("cut", true);
    bool is_whole = true;

    put_head(&line, at, level, event);
    if (request_id) {
        (void)put_field(&line, &id); /* first, so that it always fits */
    }
    for (; fields->key; fields++) {
        is_whole = put_field(&line, fields) && is_whole;
    }
    line.size = DYNO_LOG_LINE_BYTES_MAX;
    if (!is_whole) {
        (void)put_field(&line, &cut);
    }
    put(&line, format == DYNO_LOG_AS_JSON ? "}\n" : "\n");
    return line.used;
}

bool dyno_log_level_find(const char *name, enum dyno_log_level *out)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum dyno_log_level)i;
            return true;
        }
    }
    return false;
}

bool dyno_log_format_find(const char *name, enum dyno_log_format *out)
{
    for (size_t i = 0; i < sizeof format_names / sizeof *format_names; i++) {
        if (strcmp(name, format_names[i]) == 0) {
            *out = (enum dyno_log_format)i;
            return true;
        }
    }
    return false;
}

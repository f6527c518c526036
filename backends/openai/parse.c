/* Recursive descent, as deep as it is allowed to be. */
#include "backends/openai/parse.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "backends/openai/bytes.h"
#include "core/base/utf8.h"

enum { INTEGER_DIGITS_MAX = 18, NUMBER_SIZE_MAX = 64 };

struct parser {
    const char *at, *end;
    uint32_t depth_left, values_left;
    struct dyno_bytes scratch; /* the string with escapes that was read last */
};

/* Text in the input or in the scratch. */
struct slice {
    const char *text;
    size_t size;
};

static json_t *parse_value(struct parser *parser);

static void skip_blanks(struct parser *parser)
{
    while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\n' ||
                                        *parser->at == '\r' || *parser->at == '\t')) {
        parser->at++;
    }
}

/* Whether `byte` comes next, after blanks; it is taken. */
static bool take(struct parser *parser, char byte)
{
    skip_blanks(parser);
    if (parser->at == parser->end || *parser->at != byte) {
        return false;
    }
    parser->at++;
    return true;
}

/* Whether a byte stands for itself in a string. */
static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte != '"' && byte != '\\';
}

/* The high bits of bytes, of which one at least is set if one of eight bytes is below 0x20 or is
 * `"` or `\`, and none if none is (the borrow of a subtraction goes on only from such a byte). */
static uint64_t special_bits(uint64_t bytes)
{
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t quote = bytes ^ (ones * '"'), slash = bytes ^ (ones * '\\');

    return (((bytes - ones * 0x20) & ~bytes) | ((quote - ones) & ~quote) |
            ((slash - ones) & ~slash)) &
           (ones << 7);
}

/* What stands for itself in a string, from here on; *high gathers the bytes' high bits. */
static struct slice take_run(struct parser *parser, uint64_t *high)
{
    const char *begin = parser->at, *at = begin;
    uint64_t all = 0, bytes;

    for (; parser->end - at >= 8; at += 8) {
        memcpy(&bytes, at, sizeof bytes);
        if (special_bits(bytes)) {
            break;
        }
        all |= bytes;
    }
    for (; at < parser->end && is_plain((unsigned char)*at); at++) {
        all |= (unsigned char)*at;
    }
    parser->at = at;
    *high |= all & (UINT64_MAX / 255 << 7);
    return (struct slice){begin, (size_t)(at - begin)};
}

static bool take_hex(struct parser *parser, uint32_t *out)
{
    uint32_t number = 0;

    if (parser->end - parser->at < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef";
        char byte = *parser->at++;
        const char *found =
            byte ? strchr(digits, byte >= 'A' && byte <= 'F' ? byte + 32 : byte) : NULL;

        if (!found) {
            return false;
        }
        number = number * 16 + (uint32_t)(found - digits);
    }
    *out = number;
    return true;
}

/* After \u: one character, which may take two of them. */
static bool take_unicode(struct parser *parser)
{
    char bytes[DYNO_UTF8_SIZE_MAX];
    uint32_t point, low;

    if (!take_hex(parser, &point) || point == 0 || (point >= 0xDC00 && point <= 0xDFFF)) {
        return false;
    }
    if (point >= 0xD800 && point <= 0xDBFF) {
        if (parser->end - parser->at < 2 || memcmp(parser->at, "\\u", 2) != 0) {
            return false;
        }
        parser->at += 2;
        if (!take_hex(parser, &low) || low < 0xDC00 || low > 0xDFFF) {
            return false;
        }
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    dyno_bytes_put(&parser->scratch, bytes, dyno_utf8_put(bytes, point));
    return true;
}

/* What follows a backslash, to the scratch. */
static bool take_escape(struct parser *parser)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *found;

    if (parser->at == parser->end) {
        return false;
    }
    if (*parser->at == 'u') {
        parser->at++;
        return take_unicode(parser);
    }
    found = *parser->at ? strchr(letters, *parser->at) : NULL;
    if (!found) {
        return false;
    }
    parser->at++;
    dyno_bytes_put(&parser->scratch, meant + (found - letters), 1);
    return true;
}

/* The rest of a string whose beginning has been taken and that has escapes. */
static bool take_escaped(struct parser *parser, struct slice begin, uint64_t *high,
                         struct slice *out)
{
    dyno_bytes_clear(&parser->scratch);
    dyno_bytes_put(&parser->scratch, begin.text, begin.size);
    while (parser->at < parser->end && *parser->at == '\\') {
        struct slice run;

        parser->at++;
        if (!take_escape(parser)) {
            return false;
        }
        run = take_run(parser, high);
        dyno_bytes_put(&parser->scratch, run.text, run.size);
    }
    *out = (struct slice){parser->scratch.data, parser->scratch.size};
    return parser->scratch.status == DYNO_OK;
}

/* A string after its quote; with escapes only if they are `allowed`. */
static bool take_string(struct parser *parser, bool allowed, struct slice *out)
{
    uint64_t high = 0;

    *out = take_run(parser, &high);
    if (parser->at < parser->end && *parser->at == '\\' &&
        (!allowed || !take_escaped(parser, *out, &high, out))) {
        return false;
    }
    if (parser->at == parser->end || *parser->at != '"') {
        return false;
    }
    parser->at++;
    return high == 0 || dyno_utf8_valid(out->text, out->size, NULL) == out->size;
}

static size_t take_digits(struct parser *parser)
{
    const char *begin = parser->at;

    while (parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9') {
        parser->at++;
    }
    return (size_t)(parser->at - begin);
}

/* The part of a number after its whole digits; false if it is begun and not ended. */
static bool take_fraction(struct parser *parser, bool *is_real)
{
    if (parser->at < parser->end && *parser->at == '.') {
        parser->at++;
        *is_real = true;
        if (take_digits(parser) == 0) {
            return false;
        }
    }
    if (parser->at < parser->end && (*parser->at == 'e' || *parser->at == 'E')) {
        parser->at++;
        *is_real = true;
        if (parser->at < parser->end && (*parser->at == '+' || *parser->at == '-')) {
            parser->at++;
        }
        return take_digits(parser) > 0;
    }
    return true;
}

static json_t *make_real(const char *begin, size_t size)
{
    char text[NUMBER_SIZE_MAX + 1], *end;
    double number;

    if (size > NUMBER_SIZE_MAX) {
        return NULL;
    }
    memcpy(text, begin, size);
    text[size] = '\0';
    number = strtod(text, &end);
    return end == text + size && isfinite(number) ? json_real(number) : NULL;
}

static json_t *parse_number(struct parser *parser)
{
    const char *begin = parser->at, *digits;
    bool is_negative = *begin == '-', is_real = false;
    json_int_t number = 0;
    size_t count;

    parser->at += is_negative;
    digits = parser->at;
    count = take_digits(parser);
    if (count == 0 || (*digits == '0' && count > 1) || !take_fraction(parser, &is_real)) {
        return NULL;
    }
    if (is_real) {
        return make_real(begin, (size_t)(parser->at - begin));
    }
    if (count > INTEGER_DIGITS_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        number = number * 10 + (digits[i] - '0');
    }
    return json_integer(is_negative ? -number : number);
}

static json_t *parse_word(struct parser *parser, const char *word, json_t *value)
{
    size_t size = strlen(word);

    if ((size_t)(parser->end - parser->at) < size || memcmp(parser->at, word, size) != 0) {
        return NULL;
    }
    parser->at += size;
    return value;
}

static bool parse_item(struct parser *parser, json_t *array)
{
    json_t *item = parse_value(parser);

    return item && json_array_append_new(array, item) == 0;
}

static bool parse_member(struct parser *parser, json_t *object)
{
    size_t before = json_object_size(object);
    struct slice key;
    json_t *value;

    if (!take(parser, '"') || !take_string(parser, false, &key) || !take(parser, ':')) {
        return false;
    }
    value = parse_value(parser);
    return value && json_object_setn_new_nocheck(object, key.text, key.size, value) == 0 &&
           json_object_size(object) > before;
}

/* The rest of an array or object after its bracket, up to `close`. */
static json_t *parse_members(struct parser *parser, json_t *whole, char close,
                             bool (*parse)(struct parser *parser, json_t *whole))
{
    bool is_whole = whole && parser->depth_left > 0;

    if (is_whole && !take(parser, close)) {
        parser->depth_left--;
        do {
            is_whole = parse(parser, whole);
        } while (is_whole && take(parser, ','));
        parser->depth_left++;
        is_whole = is_whole && take(parser, close);
    }
    if (is_whole) {
        return whole;
    }
    json_decref(whole);
    return NULL;
}

static json_t *parse_text(struct parser *parser)
{
    struct slice text;

    return take_string(parser, true, &text) ? json_stringn_nocheck(text.text, text.size) : NULL;
}

static json_t *parse_value(struct parser *parser)
{
    uint32_t counts;

    skip_blanks(parser);
    if (parser->at == parser->end) {
        return NULL;
    }
    counts = *parser->at == '{' || *parser->at == '[' ? DYNO_OPENAI_HOLDER_VALUES : 1;
    if (parser->values_left < counts) {
        return NULL;
    }
    parser->values_left -= counts;
    switch (*parser->at) {
    case '{':
        parser->at++;
        return parse_members(parser, json_object(), '}', parse_member);
    case '[':
        parser->at++;
        return parse_members(parser, json_array(), ']', parse_item);
    case '"':
        parser->at++;
        return parse_text(parser);
    case 't':
        return parse_word(parser, "true", json_true());
    case 'f':
        return parse_word(parser, "false", json_false());
    case 'n':
        return parse_word(parser, "null", json_null());
    default:
        return parse_number(parser);
    }
}

json_t *dyno_openai_parse(const char *bytes, size_t size, uint32_t depth_max, uint32_t values_max)
{
    struct parser parser = {
        .at = bytes, .end = bytes + size, .depth_left = depth_max, .values_left = values_max};
    json_t *value = NULL;

    dyno_bytes_init(&parser.scratch, size);
    skip_blanks(&parser);
    if (parser.at < parser.end && *parser.at == '{') {
        value = parse_value(&parser);
    }
    skip_blanks(&parser);
    if (value && parser.at != parser.end) {
        json_decref(value);
        value = NULL;
    }
    dyno_bytes_release(&parser.scratch);
    return value;
}

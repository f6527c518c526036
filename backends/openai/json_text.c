/* Most text needs no escapes, so whole runs are copied. */
#include "backends/openai/json_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"

enum { ESCAPE_PIECE = 4096, FLOAT_MAX_SIZE = 32 };

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* One byte below 0x80 that is not plain. */
static size_t escape_byte(char *out, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char short_form[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const char *found = byte ? strchr(short_form, byte) : NULL;

    out[0] = '\\';
    if (found) {
        out[1] = letter[found - short_form];
        return 2;
    }
    out[1] = 'u';
    out[2] = out[3] = '0';
    out[4] = hex[byte >> 4];
    out[5] = hex[byte & 15];
    return 6;
}

/* The character or the broken bytes at text[size]; *taken is how many bytes that were. */
static size_t escape_character(char *out, const char *text, size_t size, size_t *taken)
{
    if (dyno_utf8_look(text, size, taken) == DYNO_UTF8_GOOD) {
        memcpy(out, text, *taken);
        return *taken;
    }
    memcpy(out, DYNO_UTF8_REPLACEMENT, DYNO_UTF8_REPLACEMENT_SIZE);
    return DYNO_UTF8_REPLACEMENT_SIZE;
}

size_t dyno_json_escape(char *out, const char *text, size_t size)
{
    char *at = out;
    size_t i = 0, taken;

    while (i < size) {
        unsigned char byte = (unsigned char)text[i];

        if (is_plain(byte)) {
            *at++ = text[i++];
        } else if (byte < 0x80) {
            at += escape_byte(at, byte);
            i++;
        } else {
            at += escape_character(at, text + i, size - i, &taken);
            i += taken;
        }
    }
    return (size_t)(at - out);
}

/* How much of text[size] can be escaped by itself: a piece of it that cuts no character. */
static size_t piece_of(const char *text, size_t size)
{
    size_t piece = ESCAPE_PIECE;

    if (size <= ESCAPE_PIECE) {
        return size;
    }
    while (piece > ESCAPE_PIECE - 4 && ((unsigned char)text[piece] & 0xC0) == 0x80) {
        piece--;
    }
    return piece;
}

void dyno_json_put_escaped(struct dyno_bytes *out, const char *text, size_t size)
{
    while (size > 0) {
        size_t piece = piece_of(text, size);
        char *place = dyno_bytes_reserve(out, piece * DYNO_JSON_ESCAPE_MAX);

        if (!place) {
            return;
        }
        out->size += dyno_json_escape(place, text, piece);
        text += piece;
        size -= piece;
    }
}

void dyno_json_put_string(struct dyno_bytes *out, const char *text, size_t size)
{
    dyno_bytes_put(out, "\"", 1);
    dyno_json_put_escaped(out, text, size);
    dyno_bytes_put(out, "\"", 1);
}

void dyno_json_put_text(struct dyno_bytes *out, const char *text)
{
    if (text) {
        dyno_json_put_string(out, text, strlen(text));
    } else {
        dyno_bytes_put(out, "null", 4);
    }
}

void dyno_json_put_float(struct dyno_bytes *out, float number)
{
    char text[FLOAT_MAX_SIZE];
    int size;

    size = isfinite(number) ? snprintf(text, sizeof text, "%.9g", (double)number)
                            : snprintf(text, sizeof text, "-9999.0");
    dyno_bytes_put(out, text, (size_t)size);
}

void dyno_json_put_double(struct dyno_bytes *out, double number)
{
    char text[FLOAT_MAX_SIZE];
    int size = snprintf(text, sizeof text, "%.15g", number);

    dyno_bytes_put(out, text, (size_t)size);
}

/* As whoever wrote it down most likely had it; what was a decimal stays one. */
static void put_decimal(struct dyno_bytes *out, double number)
{
    char text[FLOAT_MAX_SIZE];
    int size, digits = 15;

    do {
        size = snprintf(text, sizeof text, "%.*g", digits, number);
    } while (strtod(text, NULL) != number && ++digits <= 17);
    dyno_bytes_put(out, text, (size_t)size);
    if (!strpbrk(text, ".e")) {
        dyno_bytes_put(out, ".0", 2);
    }
}

static void put_whole(struct dyno_bytes *out, json_int_t number)
{
    char text[FLOAT_MAX_SIZE];
    int size = snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, number);

    dyno_bytes_put(out, text, (size_t)size);
}

static void put_members(struct dyno_bytes *out, const json_t *object)
{
    const char *key;
    json_t *member;
    bool is_first = true;

    dyno_bytes_put(out, "{", 1);
    json_object_foreach((json_t *)(uintptr_t)object, key, member)
    {
        dyno_bytes_put(out, ",", is_first ? 0 : 1);
        dyno_json_put_text(out, key);
        dyno_bytes_put(out, ":", 1);
        dyno_json_put_value(out, member);
        is_first = false;
    }
    dyno_bytes_put(out, "}", 1);
}

static void put_items(struct dyno_bytes *out, const json_t *array)
{
    dyno_bytes_put(out, "[", 1);
    for (size_t i = 0; i < json_array_size(array); i++) {
        dyno_bytes_put(out, ",", i > 0 ? 1 : 0);
        dyno_json_put_value(out, json_array_get(array, i));
    }
    dyno_bytes_put(out, "]", 1);
}

void dyno_json_put_value(struct dyno_bytes *out, const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        put_members(out, value);
        break;
    case JSON_ARRAY:
        put_items(out, value);
        break;
    case JSON_STRING:
        dyno_json_put_string(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        put_whole(out, json_integer_value(value));
        break;
    case JSON_REAL:
        put_decimal(out, json_real_value(value));
        break;
    case JSON_TRUE:
        dyno_bytes_put(out, "true", 4);
        break;
    case JSON_FALSE:
        dyno_bytes_put(out, "false", 5);
        break;
    case JSON_NULL:
        dyno_bytes_put(out, "null", 4);
        break;
    }
}

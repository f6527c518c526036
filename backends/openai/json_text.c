/* Most text needs no escapes, so whole runs are copied. */
#include "backends/openai/json_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "backends/assets/tokenizer/utf8.h"

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

static int put_piece(const char *piece, size_t size, void *out)
{
    dyno_bytes_put(out, piece, size);
    return 0;
}

void dyno_json_put_value(struct dyno_bytes *out, const json_t *value)
{
    if (!value) {
        dyno_bytes_put(out, "null", 4);
    } else if (json_dump_callback(value, put_piece, out, JSON_COMPACT | JSON_ENCODE_ANY) != 0 &&
               out->status == DYNO_OK) {
        out->status = DYNO_NO_MEMORY;
    }
}

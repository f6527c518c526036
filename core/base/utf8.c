/* One table-free decoder; ASCII is skipped eight bytes at a time. */
#include "core/base/utf8.h"

#include <string.h>

/* The least and the greatest second byte after `first`, and the character's size; 0: no character
 * begins so.  Overlong forms, surrogates and what is above U+10FFFF fall out by the second byte. */
static size_t expect(unsigned char first, unsigned char *least, unsigned char *greatest)
{
    *least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    *greatest = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xC2 || first > 0xF4) {
        return 0;
    }
    return first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

enum dyno_utf8_kind dyno_utf8_look(const char *text, size_t size, size_t *length)
{
    unsigned char least, greatest;
    size_t due = expect((unsigned char)text[0], &least, &greatest);

    if (due == 0) {
        *length = 1;
        return DYNO_UTF8_BAD;
    }
    for (size_t i = 1; i < due; i++) {
        unsigned char byte;

        if (i == size) {
            *length = size;
            return DYNO_UTF8_SHORT;
        }
        byte = (unsigned char)text[i];
        if (byte < least || byte > greatest) {
            *length = i;
            return DYNO_UTF8_BAD;
        }
        least = 0x80;
        greatest = 0xBF;
    }
    *length = due;
    return DYNO_UTF8_GOOD;
}

uint32_t dyno_utf8_point(const char *text, size_t *length)
{
    const unsigned char *bytes = (const unsigned char *)text;

    if (bytes[0] < 0x80) {
        *length = 1;
        return bytes[0];
    }
    if (bytes[0] < 0xE0) {
        *length = 2;
        return (uint32_t)(bytes[0] & 0x1F) << 6 | (bytes[1] & 0x3F);
    }
    if (bytes[0] < 0xF0) {
        *length = 3;
        return (uint32_t)(bytes[0] & 0x0F) << 12 | (uint32_t)(bytes[1] & 0x3F) << 6 |
               (bytes[2] & 0x3F);
    }
    *length = 4;
    return (uint32_t)(bytes[0] & 0x07) << 18 | (uint32_t)(bytes[1] & 0x3F) << 12 |
           (uint32_t)(bytes[2] & 0x3F) << 6 | (bytes[3] & 0x3F);
}

size_t dyno_utf8_put(char *out, uint32_t point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xE0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

static size_t skip_ascii(const char *text, size_t size, size_t at)
{
    uint64_t word;

    while (size - at >= sizeof word) {
        memcpy(&word, text + at, sizeof word);
        if (word & 0x8080808080808080U) {
            break;
        }
        at += sizeof word;
    }
    while (at < size && (unsigned char)text[at] < 0x80) {
        at++;
    }
    return at;
}

size_t dyno_utf8_valid(const char *text, size_t size, bool *ascii)
{
    size_t at = skip_ascii(text, size, 0), length;

    if (ascii) {
        *ascii = at == size;
    }
    while (at < size) {
        if (dyno_utf8_look(text + at, size - at, &length) != DYNO_UTF8_GOOD) {
            break;
        }
        at = skip_ascii(text, size, at + length);
    }
    return at;
}

#include "backends/assets/tokenizer/byte_alphabet.h"

#include "core/base/utf8.h"

static bool is_itself(uint32_t byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/* The others are 0-32, 127-160 and 173: the n-th of them is U+0100 + n. */
uint32_t dyno_byte_alphabet_point(unsigned char byte)
{
    if (is_itself(byte)) {
        return byte;
    }
    return 256U + (byte <= 32 ? byte : byte <= 160 ? byte - 127U + 33 : 67);
}

static bool byte_of(uint32_t point, char *out)
{
    if (point < 256) {
        *out = (char)point;
        return is_itself(point);
    }
    point -= 256;
    if (point > 67) {
        return false;
    }
    *out = (char)(point <= 32 ? point : point <= 66 ? point - 33 + 127 : 173);
    return true;
}

bool dyno_byte_alphabet_read(const char *text, size_t size, char *out, size_t *out_size)
{
    size_t length, count = 0;

    for (size_t at = 0; at < size; at += length) {
        if (dyno_utf8_look(text + at, size - at, &length) != DYNO_UTF8_GOOD ||
            !byte_of(dyno_utf8_point(text + at, &length), &out[count++])) {
            return false;
        }
    }
    *out_size = count;
    return true;
}

#include "backends/http/chunked.h"

#include <stdbool.h>
#include <string.h>

/* SIZE -> (EXTENSION) -> SIZE_END -> DATA -> DATA_CR -> DATA_END -> SIZE
 *                        size 0: -> TRAILER -> TRAILER_END -> TRAILER or done */
enum { SIZE, EXTENSION, SIZE_END, DATA, DATA_CR, DATA_END, TRAILER, TRAILER_END };

enum { SIZE_DIGITS_MAX = 15 };

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

/* A byte of a chunk's size: a digit, or what ends it. */
static bool step_size(struct dyno_http_chunked *chunked, char byte)
{
    int value = hex_value(byte);

    if (value >= 0) {
        chunked->left = chunked->left * 16 + (uint64_t)value;
        return ++chunked->line_bytes <= SIZE_DIGITS_MAX;
    }
    if (chunked->line_bytes == 0 || (byte != ';' && byte != '\r')) {
        return false;
    }
    chunked->state = byte == ';' ? EXTENSION : SIZE_END;
    return true;
}

static bool step_extension(struct dyno_http_chunked *chunked, char byte)
{
    if (byte == '\r') {
        chunked->state = SIZE_END;
        return true;
    }
    return ((unsigned char)byte >= 0x20 || byte == '\t') && byte != 0x7f &&
           ++chunked->line_bytes <= DYNO_HTTP_CHUNK_LINE_MAX;
}

static bool step_trailer(struct dyno_http_chunked *chunked, char byte)
{
    if (byte == '\r') {
        chunked->state = TRAILER_END;
        return true;
    }
    chunked->trailer_line++;
    return ((unsigned char)byte >= 0x20 || byte == '\t') &&
           ++chunked->line_bytes <= DYNO_HTTP_TRAILER_BYTES_MAX;
}

static void begin(struct dyno_http_chunked *chunked, int state)
{
    chunked->state = state;
    chunked->line_bytes = 0;
    chunked->trailer_line = 0;
}

/* One byte that is not data.  False: it does not belong there. */
static bool step(struct dyno_http_chunked *chunked, char byte, bool *done)
{
    switch (chunked->state) {
    case SIZE:
        return step_size(chunked, byte);
    case EXTENSION:
        return step_extension(chunked, byte);
    case SIZE_END:
        begin(chunked, chunked->left > 0 ? DATA : TRAILER);
        return byte == '\n';
    case DATA_CR:
        chunked->state = DATA_END;
        return byte == '\r';
    case DATA_END:
        begin(chunked, SIZE);
        return byte == '\n';
    case TRAILER:
        return step_trailer(chunked, byte);
    default: /* TRAILER_END */
        *done = chunked->trailer_line == 0;
        chunked->state = TRAILER;
        chunked->trailer_line = 0;
        return byte == '\n';
    }
}

enum dyno_http_chunked_result dyno_http_chunked_decode(struct dyno_http_chunked *chunked,
                                                       char *bytes, size_t size, size_t *used,
                                                       size_t *kept)
{
    size_t at = 0, to = 0;
    bool done = false;

    while (at < size && !done) {
        if (chunked->state == DATA) {
            size_t here = chunked->left < size - at ? (size_t)chunked->left : size - at;

            memmove(bytes + to, bytes + at, here);
            at += here;
            to += here;
            chunked->left -= here;
            chunked->state = chunked->left > 0 ? DATA : DATA_CR;
        } else if (!step(chunked, bytes[at++], &done)) {
            return DYNO_HTTP_CHUNKED_BAD;
        }
    }
    *used = at;
    *kept = to;
    return done ? DYNO_HTTP_CHUNKED_DONE : DYNO_HTTP_CHUNKED_MORE;
}

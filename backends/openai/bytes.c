/* Doubling, and one place that gives up. */
#include "backends/openai/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES_FIRST = 256, DIGITS_MAX = 20 };

void dyno_bytes_init(struct dyno_bytes *bytes, size_t size_max)
{
    *bytes = (struct dyno_bytes){.size_max = size_max};
}

void dyno_bytes_release(struct dyno_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct dyno_bytes){.size_max = bytes->size_max};
}

void dyno_bytes_clear(struct dyno_bytes *bytes)
{
    bytes->size = 0;
    bytes->status = DYNO_OK;
}

/* Make room for `more` bytes that do not fit. */
static char *grow(struct dyno_bytes *bytes, size_t more)
{
    size_t first = bytes->size_max < BYTES_FIRST ? bytes->size_max : BYTES_FIRST;
    size_t capacity = bytes->capacity ? bytes->capacity : first;
    char *data;

    if (bytes->status != DYNO_OK) {
        return NULL;
    }
    if (more > bytes->size_max - bytes->size) {
        bytes->status = DYNO_FULL;
        return NULL;
    }
    while (capacity - bytes->size < more) {
        capacity = capacity > bytes->size_max / 2 ? bytes->size_max : capacity * 2;
    }
    data = realloc(bytes->data, capacity);
    if (!data) {
        bytes->status = DYNO_NO_MEMORY;
        return NULL;
    }
    bytes->data = data;
    bytes->capacity = capacity;
    return data + bytes->size;
}

char *dyno_bytes_reserve(struct dyno_bytes *bytes, size_t more)
{
    if (bytes->status == DYNO_OK && bytes->data && more <= bytes->capacity - bytes->size) {
        return bytes->data + bytes->size;
    }
    return grow(bytes, more);
}

void dyno_bytes_put(struct dyno_bytes *bytes, const void *data, size_t size)
{
    char *place = dyno_bytes_reserve(bytes, size);

    if (place && size > 0) {
        memcpy(place, data, size);
        bytes->size += size;
    }
}

void dyno_bytes_put_text(struct dyno_bytes *bytes, const char *text)
{
    dyno_bytes_put(bytes, text, strlen(text));
}

void dyno_bytes_put_u64(struct dyno_bytes *bytes, uint64_t number)
{
    char digits[DIGITS_MAX];
    size_t at = DIGITS_MAX;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    dyno_bytes_put(bytes, digits + at, DIGITS_MAX - at);
}

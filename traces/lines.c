/* Cuts a stream of bytes into lines within one buffer that grows up to the longest allowed line. */
#include "traces/lines.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 1 << 18 };

dyno_status dyno_lines_open(struct dyno_lines *lines, const char *path, const void *data,
                            size_t size, struct dyno_error *error)
{
    *lines = (struct dyno_lines){.name = strcmp(path, "-") == 0 ? "(standard input)" : path};
    DYNO_TRY(dyno_input_open(&lines->input, path, data, size, error));
    lines->buffer = malloc(BUFFER_BYTES);
    if (!lines->buffer) {
        dyno_lines_close(lines);
        return dyno_fail(error, DYNO_NO_MEMORY, "%s: no memory to read it", path);
    }
    lines->capacity = BUFFER_BYTES;
    return DYNO_OK;
}

void dyno_lines_close(struct dyno_lines *lines)
{
    dyno_input_close(lines->input);
    free(lines->buffer);
    *lines = (struct dyno_lines){0};
}

/* Make room to read more after the unfinished line. */
static dyno_status make_room(struct dyno_lines *lines, struct dyno_error *error)
{
    char *larger;

    if (lines->start > 0) {
        memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->start = 0;
    }
    if (lines->end > DYNO_LINE_BYTES_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s:%" PRIu64 ": the line is longer than %d bytes; expected one request",
                         lines->name, lines->number + 1, DYNO_LINE_BYTES_MAX);
    }
    if (lines->end + 1 < lines->capacity) {
        return DYNO_OK;
    }
    larger = realloc(lines->buffer, 2 * lines->capacity);
    if (!larger) {
        return dyno_fail(error, DYNO_NO_MEMORY,
                         "%s:%" PRIu64 ": no memory for a line of this length", lines->name,
                         lines->number + 1);
    }
    lines->buffer = larger;
    lines->capacity *= 2;
    return DYNO_OK;
}

static dyno_status read_more(struct dyno_lines *lines, struct dyno_error *error)
{
    struct dyno_error cause;
    dyno_status status;
    size_t got = 0;

    DYNO_TRY(make_room(lines, error));
    status = dyno_input_read(lines->input, lines->buffer + lines->end,
                             lines->capacity - lines->end - 1, &got, &cause);
    if (status != DYNO_OK) {
        return dyno_fail(error, status, "%s:%" PRIu64 ": %.900s", lines->name, lines->number + 1,
                         cause.text);
    }
    lines->end += got;
    lines->ended = got == 0;
    return DYNO_OK;
}

/* Hand out the line that ends before `end` and goes on at `next`. */
static void cut(struct dyno_lines *lines, size_t end, size_t next, const char **text,
                size_t *length)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t start = lines->start;

    if (lines->number++ == 0 && end - start >= 3 && memcmp(lines->buffer + start, mark, 3) == 0) {
        start += 3;
    }
    if (end > start && lines->buffer[end - 1] == '\r') {
        end--;
    }
    lines->buffer[end] = '\0';
    *text = lines->buffer + start;
    *length = end - start;
    lines->start = next;
}

dyno_status dyno_lines_next(struct dyno_lines *lines, const char **text, size_t *length, bool *got,
                            struct dyno_error *error)
{
    size_t searched = 0;

    *got = true;
    for (;;) {
        size_t from = lines->start + searched;
        char *end = memchr(lines->buffer + from, '\n', lines->end - from);

        if (end) {
            size_t place = (size_t)(end - lines->buffer);

            lines->is_cut = false;
            cut(lines, place, place + 1, text, length);
            return DYNO_OK;
        }
        searched = lines->end - lines->start;
        if (lines->ended) {
            break;
        }
        DYNO_TRY(read_more(lines, error));
    }
    if (lines->start == lines->end) {
        *got = false;
        return DYNO_OK;
    }
    lines->is_cut = true;
    cut(lines, lines->end, lines->end, text, length);
    return DYNO_OK;
}

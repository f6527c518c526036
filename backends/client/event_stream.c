#include "backends/client/event_stream.h"

#include <stdlib.h>
#include <string.h>

static dyno_status add_bytes(struct dyno_event_bytes *bytes, const char *more, size_t size,
                             struct dyno_error *error)
{
    if (size > DYNO_EVENT_BYTES_MAX - bytes->size) {
        return dyno_fail(error, DYNO_FULL, "an event of the stream is longer than %d bytes",
                         DYNO_EVENT_BYTES_MAX);
    }
    if (bytes->size + size > bytes->capacity) {
        size_t capacity = 2 * (bytes->size + size) + 128;
        char *grown = realloc(bytes->at, capacity);

        if (!grown) {
            return dyno_fail(error, DYNO_NO_MEMORY, "no memory for an event of the stream");
        }
        bytes->at = grown;
        bytes->capacity = capacity;
    }
    if (size > 0) {
        memcpy(bytes->at + bytes->size, more, size);
    }
    bytes->size += size;
    return DYNO_OK;
}

/* Copy the event's one line, whose memory is about to go. */
static dyno_status keep_whole(struct dyno_event_stream *stream, struct dyno_error *error)
{
    if (!stream->whole) {
        return DYNO_OK;
    }
    DYNO_TRY(add_bytes(&stream->data, stream->whole, stream->whole_size, error));
    stream->whole = NULL;
    return DYNO_OK;
}

static dyno_status take_data(struct dyno_event_stream *stream, const char *value, size_t size,
                             bool stays, struct dyno_error *error)
{
    if (size > DYNO_EVENT_BYTES_MAX) {
        return add_bytes(&stream->data, value, size, error);
    }
    if (!stream->has_data && stays) {
        stream->has_data = true;
        stream->whole = value;
        stream->whole_size = size;
        return DYNO_OK;
    }
    DYNO_TRY(keep_whole(stream, error));
    if (stream->has_data) {
        DYNO_TRY(add_bytes(&stream->data, "\n", 1, error));
    }
    stream->has_data = true;
    return add_bytes(&stream->data, value, size, error);
}

static void end_event(struct dyno_event_stream *stream, dyno_event_handler *handler, void *context)
{
    if (stream->whole) {
        handler(context, stream->whole, stream->whole_size);
    } else if (stream->has_data) {
        handler(context, stream->data.at ? stream->data.at : "", stream->data.size);
    }
    stream->has_data = false;
    stream->whole = NULL;
    stream->data.size = 0;
}

/* A line without its end; `stays`: it lies in what was pushed. */
static dyno_status take_line(struct dyno_event_stream *stream, const char *line, size_t size,
                             bool stays, dyno_event_handler *handler, void *context,
                             struct dyno_error *error)
{
    if (!stream->began) {
        stream->began = true;
        if (size >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
            line += 3;
            size -= 3;
        }
    }
    if (size == 0) {
        end_event(stream, handler, context);
        return DYNO_OK;
    }
    if (size < 4 || memcmp(line, "data", 4) != 0 || (size > 4 && line[4] != ':')) {
        return DYNO_OK; /* a comment, or a field that says nothing to us */
    }
    if (size > 5 && line[5] == ' ') {
        return take_data(stream, line + 6, size - 6, stays, error);
    }
    return take_data(stream, line + (size > 4 ? 5 : 4), size - (size > 4 ? 5 : 4), stays, error);
}

/* Where the line that begins at `bytes` ends; NULL: not in these. */
static const char *line_end(const char *bytes, size_t size)
{
    const char *feed = memchr(bytes, '\n', size);
    const char *cr = memchr(bytes, '\r', feed ? (size_t)(feed - bytes) : size);

    return cr ? cr : feed;
}

static dyno_status take_cut_line(struct dyno_event_stream *stream, const char *bytes, size_t size,
                                 dyno_event_handler *handler, void *context,
                                 struct dyno_error *error)
{
    dyno_status status = add_bytes(&stream->line, bytes, size, error);

    if (status == DYNO_OK) {
        status =
            take_line(stream, stream->line.at, stream->line.size, false, handler, context, error);
    }
    stream->line.size = 0;
    return status;
}

void dyno_event_stream_release(struct dyno_event_stream *stream)
{
    free(stream->line.at);
    free(stream->data.at);
    memset(stream, 0, sizeof *stream);
}

dyno_status dyno_event_stream_push(struct dyno_event_stream *stream, const char *bytes, size_t size,
                                   dyno_event_handler *handler, void *context,
                                   struct dyno_error *error)
{
    const char *end = bytes + size;

    while (bytes < end) {
        const char *stop;

        if (stream->skip_newline && *bytes == '\n') {
            bytes++;
        }
        stream->skip_newline = false;
        if (bytes == end || !(stop = line_end(bytes, (size_t)(end - bytes)))) {
            break;
        }
        if (stream->line.size > 0) {
            DYNO_TRY(take_cut_line(stream, bytes, (size_t)(stop - bytes), handler, context, error));
        } else {
            DYNO_TRY(
                take_line(stream, bytes, (size_t)(stop - bytes), true, handler, context, error));
        }
        stream->skip_newline = *stop == '\r';
        bytes = stop + 1;
    }
    DYNO_TRY(add_bytes(&stream->line, bytes, (size_t)(end - bytes), error));
    return keep_whole(stream, error);
}

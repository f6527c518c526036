/* A stream of server-sent events (text/event-stream), read as its bytes come in.
 *
 * Lines end in CR, LF or CRLF, cut anywhere; lines that begin with a colon are comments; the data
 * lines of one event are joined by line feeds, with one blank after the colon left out; an empty
 * line ends an event, and one without data is none (WHATWG HTML, "Server-sent events").  Fields
 * other than data are read over: no endpoint that dyno asks says anything in them.
 *
 * An event that is whole in what was pushed is handed on where it lies; only cut ones are copied.
 */
#ifndef DYNO_BACKENDS_CLIENT_EVENT_STREAM_H
#define DYNO_BACKENDS_CLIENT_EVENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/status.h"

enum { DYNO_EVENT_BYTES_MAX = 1 << 22 }; /* of one event's data, and of one line */

/* Bytes of our own that grow. */
struct dyno_event_bytes {
    char *at;
    size_t size, capacity;
};

struct dyno_event_stream {
    struct dyno_event_bytes line; /* a line of which only the beginning came */
    struct dyno_event_bytes data; /* of the event so far, where it was copied */
    const char *whole;            /* the event's one data line so far, where it was pushed */
    size_t whole_size;
    bool has_data;     /* a data line came */
    bool began;        /* past the first bytes, which may be a byte order mark */
    bool skip_newline; /* the last byte was a CR: a LF after it ends nothing */
};

typedef void dyno_event_handler(void *context, const char *data, size_t size);

/* Zero-initialise first.  Release frees what it holds and leaves it as at the start. */
void dyno_event_stream_release(struct dyno_event_stream *stream);

/* Take in bytes[size] and tell `handler` of each event that ends in them.  Errors: DYNO_FULL (an
 * event is longer than DYNO_EVENT_BYTES_MAX), DYNO_NO_MEMORY. */
dyno_status dyno_event_stream_push(struct dyno_event_stream *stream, const char *bytes, size_t size,
                                   dyno_event_handler *handler, void *context,
                                   struct dyno_error *error);

#endif

/* An HTTP/1.x response, read as its bytes come in.
 *
 * The reader is a passive state machine: bytes go in, in pieces of any size, and head, body and end
 * come out.  It never asks for more than it was given and keeps nothing of a body.  It knows
 * Content-Length, chunked with extensions and trailers, and bodies that end with the connection
 * (RFC 9112); interim responses (1xx) are read over.
 *
 * The other side is not trusted: what is ambiguous (two lengths, a length beside chunks, an unknown
 * coding, a line without end) is refused by name.
 */
#ifndef DYNO_BACKENDS_CLIENT_RESPONSE_H
#define DYNO_BACKENDS_CLIENT_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

enum {
    DYNO_CLIENT_LINE_MAX = 16384, /* bytes of a line of a head, a chunk's size or a trailer */
    DYNO_CLIENT_LINES_MAX = 256,  /* lines of a head; of trailers; interim responses in a row */
    DYNO_CLIENT_TYPE_MAX = 64,    /* bytes of a Content-Type that are kept, its end included */
};

/* What is known once a response's head is there. */
struct dyno_client_head {
    uint32_t status;                         /* 200 to 599 */
    uint32_t minor;                          /* HTTP/1.minor */
    char content_type[DYNO_CLIENT_TYPE_MAX]; /* in lower case, without parameters; "": none */
};

/* Who hears a response: its head once, then its body in pieces, each valid during the call. */
struct dyno_client_listener {
    void *context;
    void (*head)(void *context, const struct dyno_client_head *head);
    void (*body)(void *context, const char *bytes, size_t size);
};

enum dyno_client_stage {
    DYNO_CLIENT_STATUS_LINE,
    DYNO_CLIENT_FIELDS,
    DYNO_CLIENT_SIZED,      /* a body of known length */
    DYNO_CLIENT_UNTIL_END,  /* a body that ends with the connection */
    DYNO_CLIENT_CHUNK_SIZE, /* the line before a chunk */
    DYNO_CLIENT_CHUNK,
    DYNO_CLIENT_CHUNK_END, /* the line end after a chunk */
    DYNO_CLIENT_TRAILERS,
    DYNO_CLIENT_DONE,
};

struct dyno_client_response {
    enum dyno_client_stage stage;
    struct dyno_client_head head;
    uint64_t left;                              /* bytes of the body or the chunk still to come */
    uint32_t lines;                             /* of the head or the trailers so far */
    uint32_t interims;                          /* responses read over */
    bool has_length, is_chunked, keeps, closes; /* fields of the head */
    bool began;                                 /* at least one byte came */
    char *line; /* what came of a line that was cut; NULL: none was */
    size_t line_size;
};

/* Before the first response of a connection (zeroes will do) and after each. */
void dyno_client_response_init(struct dyno_client_response *response);
void dyno_client_response_release(struct dyno_client_response *response);

/* Take in bytes[size].  `*used` says how many belong to this response: all of them unless it is
 * done.  Errors: DYNO_BAD_INPUT (no HTTP, or against a limit), DYNO_NO_MEMORY; then the
 * connection is of no use any more. */
dyno_status dyno_client_response_push(struct dyno_client_response *response, const char *bytes,
                                      size_t size, size_t *used,
                                      const struct dyno_client_listener *listener,
                                      struct dyno_error *error);

/* The connection was closed by the other side: DYNO_OK if that is how this response ends, else
 * DYNO_IO and where it was cut. */
dyno_status dyno_client_response_close(struct dyno_client_response *response,
                                       struct dyno_error *error);

bool dyno_client_response_is_done(const struct dyno_client_response *response);

/* Another request may be sent on the connection; asked of a response that is done. */
bool dyno_client_response_keeps(const struct dyno_client_response *response);

#endif

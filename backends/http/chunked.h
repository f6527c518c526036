/* The chunked transfer coding of a request's body (RFC 9112, section 7.1), decoded in place as it
 * comes.  Extensions and trailers are read and forgotten, within limits. */
#ifndef DYNO_BACKENDS_HTTP_CHUNKED_H
#define DYNO_BACKENDS_HTTP_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

enum {
    DYNO_HTTP_CHUNK_LINE_MAX = 256,     /* bytes of a chunk's size and its extensions */
    DYNO_HTTP_TRAILER_BYTES_MAX = 4096, /* of all trailers */
};

/* All zero at first. */
struct dyno_http_chunked {
    int state;
    uint32_t line_bytes;   /* of the line or of the trailers so far */
    uint32_t trailer_line; /* bytes of the trailer's line so far */
    uint64_t left;         /* of the chunk */
};

enum dyno_http_chunked_result {
    DYNO_HTTP_CHUNKED_MORE, /* every byte was used */
    DYNO_HTTP_CHUNKED_DONE, /* the body is whole; *used says where what follows begins */
    DYNO_HTTP_CHUNKED_BAD,  /* it is not chunked coding, or a limit was passed */
};

/* Decode `size` bytes; the *kept that are the body's are moved to the front of `bytes`. */
enum dyno_http_chunked_result dyno_http_chunked_decode(struct dyno_http_chunked *chunked,
                                                       char *bytes, size_t size, size_t *used,
                                                       size_t *kept);

#endif

/* The head of a response, and the answers that the server gives by itself. */
#ifndef DYNO_BACKENDS_HTTP_RESPONSE_H
#define DYNO_BACKENDS_HTTP_RESPONSE_H

#include "backends/http/parts.h"

/* Add status line and headers.  `body` says how the body, of `size` bytes if plain, will follow; a
 * plain one of SIZE_MAX bytes ends with the connection, and none has no length to tell unless
 * `size` is that of the body that HEAD does not get. */
void dyno_http_response_add(struct dyno_http_connection *connection, uint16_t status,
                            const struct dyno_http_header *headers, enum dyno_http_body body,
                            size_t size);

/* Add a whole answer that says why. */
void dyno_http_refusal_add(struct dyno_http_connection *connection,
                           struct dyno_http_refusal refusal);

#endif

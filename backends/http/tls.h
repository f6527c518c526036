/* TLS by OpenSSL over a non-blocking socket. */
#ifndef DYNO_BACKENDS_HTTP_TLS_H
#define DYNO_BACKENDS_HTTP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/base/status.h"

struct dyno_http_tls;         /* a server's certificate and key */
struct dyno_http_tls_session; /* of one connection */

/* What reads and writes return when no byte went through; 0 is the end of what the client sends. */
enum {
    DYNO_HTTP_LATER = -1,       /* when the socket is ready again */
    DYNO_HTTP_LATER_OTHER = -2, /* when it is ready for the other direction */
    DYNO_HTTP_BROKEN = -3,
};

/* Errors: DYNO_NOT_FOUND (a file that cannot be read), DYNO_BAD_INPUT (a file that is not PEM, or a
 * key that is another certificate's), DYNO_NO_MEMORY. */
dyno_status dyno_http_tls_open(struct dyno_http_tls **out, const char *certificate, const char *key,
                               struct dyno_error *error);
void dyno_http_tls_close(struct dyno_http_tls *tls);

/* NULL: no memory.  The handshake is part of the first reads. */
struct dyno_http_tls_session *dyno_http_tls_session_open(struct dyno_http_tls *tls, int socket);
void dyno_http_tls_session_close(struct dyno_http_tls_session *session);

/* Tell the client that nothing follows. */
void dyno_http_tls_session_finish(struct dyno_http_tls_session *session);

bool dyno_http_tls_session_is_up(struct dyno_http_tls_session *session);
/* Bytes can be read although the socket may have none. */
bool dyno_http_tls_session_pending(struct dyno_http_tls_session *session);

ssize_t dyno_http_tls_session_read(struct dyno_http_tls_session *session, void *bytes, size_t size);
ssize_t dyno_http_tls_session_write(struct dyno_http_tls_session *session, const void *bytes,
                                    size_t size);

#endif

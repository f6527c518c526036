/* TLS of a client, by OpenSSL, between two memories: bytes of the socket go in and come out here,
 * and the socket itself stays the client's. */
#ifndef DYNO_BACKENDS_CLIENT_TLS_H
#define DYNO_BACKENDS_CLIENT_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/base/status.h"

struct dyno_client_tls;         /* whom we trust */
struct dyno_client_tls_session; /* of one connection */

enum { DYNO_CLIENT_TLS_WHY_MAX = 160 };

/* `trusted` is a PEM file of authorities; NULL: the system's.  Errors: DYNO_NOT_FOUND (a file that
 * cannot be read, or holds none), DYNO_NO_MEMORY. */
dyno_status dyno_client_tls_open(struct dyno_client_tls **out, const char *trusted,
                                 struct dyno_error *error);
void dyno_client_tls_close(struct dyno_client_tls *tls); /* NULL: no effect */

/* The server must prove to be `host`, a name or an address.  NULL: no memory. */
struct dyno_client_tls_session *dyno_client_tls_session_open(struct dyno_client_tls *tls,
                                                             const char *host);
void dyno_client_tls_session_close(struct dyno_client_tls_session *session); /* NULL: no effect */

/* Bytes that the socket gave. */
bool dyno_client_tls_feed(struct dyno_client_tls_session *session, const char *bytes, size_t size);

/* Bytes that the socket is to take: how many there are, and moving them out. */
size_t dyno_client_tls_unsent(struct dyno_client_tls_session *session);
void dyno_client_tls_take(struct dyno_client_tls_session *session, char *bytes, size_t size);

/* Go on with the handshake: 1 it is done, 0 more bytes are needed, -1 it failed. */
int dyno_client_tls_shake(struct dyno_client_tls_session *session);

/* Plain bytes: false: it failed. */
bool dyno_client_tls_write(struct dyno_client_tls_session *session, const char *bytes, size_t size);

/* Plain bytes that are there; 0: the server ended the session, -1: none are there yet, -2: it
 * failed. */
ssize_t dyno_client_tls_read(struct dyno_client_tls_session *session, char *bytes, size_t size);
bool dyno_client_tls_has_more(const struct dyno_client_tls_session *session);

/* Why it failed.  Returns `out`. */
const char *dyno_client_tls_why(const struct dyno_client_tls_session *session,
                                char out[DYNO_CLIENT_TLS_WHY_MAX]);

#endif

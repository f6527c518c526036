/* TCP connections on which two processes meet: blocking, with a limit to how long. */
#ifndef DYNO_BACKENDS_UCX_SOCKET_H
#define DYNO_BACKENDS_UCX_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

enum { DYNO_UCX_HOST_MAX = 256 };

/* "HOST:PORT", "[ADDRESS]:PORT" into host and port.  DYNO_BAD_INPUT and one sentence. */
dyno_status dyno_ucx_address_parse(char host[DYNO_UCX_HOST_MAX], uint16_t *port, const char *text,
                                   struct dyno_error *error);

/* On success *out is the caller's to close, and *loopback says whether the other end is on this
 * machine.  Errors: DYNO_BAD_INPUT, DYNO_NOT_FOUND, DYNO_IO. */
dyno_status dyno_ucx_dial(int *out, bool *loopback, const char *address, struct dyno_error *error);

/* Whether the socket's own end is an address of loopback. */
bool dyno_ucx_is_loopback(int socket);

/* From now on reading and writing fail when nothing moves for so long. */
void dyno_ucx_socket_limit(int socket, uint32_t ms);

/* All of it; false: the other end is gone, or took too long. */
bool dyno_ucx_read(int socket, void *bytes, size_t size);
bool dyno_ucx_write(int socket, const void *bytes, size_t size);

/* A beat, unless there is no room for it now. */
void dyno_ucx_beat(int socket);
/* What has come and is not read yet, which is to be nothing but beats; false: it is something else,
 * or the other end is gone. */
bool dyno_ucx_hear_beats(int socket);

#endif

/* A socket that listens. */
#ifndef DYNO_BACKENDS_HTTP_LISTEN_H
#define DYNO_BACKENDS_HTTP_LISTEN_H

#include <stdint.h>

#include "core/base/status.h"

/* On success *socket is the caller's, non-blocking, and *bound is the port it listens on.
 * Errors: DYNO_NOT_FOUND (no such address), DYNO_IO (it is taken, or not this machine's). */
dyno_status dyno_http_listen(int *socket, uint16_t *bound, const char *address, uint16_t port,
                             struct dyno_error *error);

#endif

/* One session of a process that works for another one: its workers, as the other one wants them,
 * and a thread for each, until the connection ends (backends/ucx/wire.h).
 *
 *   connection -> REFUSED [open]  in words, which both ends say
 *              -> SERVING [open]  -> over [the connection ends, or it is closed here]
 */
#ifndef DYNO_BACKENDS_UCX_SESSION_H
#define DYNO_BACKENDS_UCX_SESSION_H

#include "backends/assets/weights.h"
#include "backends/ucx/library.h"
#include "backends/ucx/wire.h"

struct dyno_ucx_session;

struct dyno_ucx_session_config {
    const struct dyno_ucx_library *ucx; /* not owned, nor is anything below */
    const struct dyno_weights *weights;
    uint32_t threads;      /* of a worker, where nobody says; >= 1 */
    uint64_t kv_bytes_max; /* of all workers together */
};

/* Hear the hello on `socket`, and answer it.  On success *out owns the socket and is closed with
 * dyno_ucx_session_close; else it was refused, in words, and the socket is the caller's.
 * Errors: DYNO_BAD_INPUT (whoever asks cannot be served), DYNO_IO, DYNO_NO_MEMORY. */
dyno_status dyno_ucx_session_open(struct dyno_ucx_session **out, int socket,
                                  const struct dyno_ucx_session_config *config,
                                  struct dyno_error *error);
void dyno_ucx_session_close(struct dyno_ucx_session *session); /* NULL: nothing */

/* Say no, to whoever just connected. */
void dyno_ucx_refuse(int socket, const char *why);

/* Becomes readable when the session is over. */
int dyno_ucx_session_socket(const struct dyno_ucx_session *session);

/* What was asked for. */
const struct dyno_ucx_hello *dyno_ucx_session_hello(const struct dyno_ucx_session *session);

#endif

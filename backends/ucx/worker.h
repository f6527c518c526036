/* A process that works for another one: it waits for who needs workers, one at a time. */
#ifndef DYNO_BACKENDS_UCX_WORKER_H
#define DYNO_BACKENDS_UCX_WORKER_H

#include "backends/assets/weights.h"
#include "core/base/status.h"

struct dyno_ucx_worker_config {
    const char *listen;                 /* "HOST:PORT" */
    const struct dyno_weights *weights; /* not owned */
    uint32_t threads;                   /* of a worker, where who asks does not say; >= 1 */
    uint64_t kv_bytes_max;              /* for keys and values, of all workers together */
    int stop;                           /* a descriptor: readable when it is to end */
    void (*say)(void *context, const char *text); /* what happens, a line each */
    void *say_context;
};

/* Until it is to end.  Errors: as dyno_ucx_peers_open. */
dyno_status dyno_ucx_worker_run(const struct dyno_ucx_worker_config *config,
                                struct dyno_error *error);

#endif

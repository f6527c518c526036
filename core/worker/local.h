/* Our own workers: continuous batching and a KV cache over a device, for a whole fleet. */
#ifndef DYNO_CORE_WORKER_LOCAL_H
#define DYNO_CORE_WORKER_LOCAL_H

#include "core/base/histogram.h"
#include "core/worker/config.h"
#include "core/worker/device.h"
#include "core/worker/worker.h"

struct dyno_local_config {
    struct dyno_worker_config worker; /* the same for every worker */
    uint32_t worker_count;
    uint32_t gpus_per_worker;   /* for the books only */
    struct dyno_device *device; /* not owned */
    struct dyno_worker_listener listener;
    struct dyno_histogram *itl; /* where the gaps between tokens go; not owned */
};

/* On success *out is closed through its ops.  Errors: DYNO_BAD_INPUT (a contradiction in the
 * configuration, in words), DYNO_NO_MEMORY. */
dyno_status dyno_local_open(struct dyno_workers **out, const struct dyno_local_config *config,
                            struct dyno_error *error);

/* Walks every worker's cache; aborts if an invariant is broken.  For tests and debug runs. */
void dyno_local_check(const struct dyno_workers *workers);

#endif

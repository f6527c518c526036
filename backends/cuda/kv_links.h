/* Links between the KV of workers on GPUs and pinned memory of the host, and between GPUs: blocks
 * are copied by threads of their own (backends/engine/copier.h), on streams beside those of the
 * passes, one way in and one way out at once.
 */
#ifndef DYNO_BACKENDS_CUDA_KV_LINKS_H
#define DYNO_BACKENDS_CUDA_KV_LINKS_H

#include "backends/engine/copier.h"
#include "core/worker/device.h"

struct dyno_cuda_links_config {
    const struct dyno_device *device; /* of dyno_cuda_device_open; not owned, and closes later */
    uint32_t worker_count;            /* endpoints are the workers, ... */
    const uint32_t *pool_blocks;      /* [pool_count] and then pools in pinned memory */
    uint32_t pool_count;
    dyno_ns (*now)(const struct dyno_clock *clock);
    void (*wake)(struct dyno_clock *clock);
    struct dyno_clock *clock; /* not owned */
};

/* Takes the pools' memory, and measures, for the first predictions, what copying a few blocks
 * takes: before anything is stored.  A copy that CUDA refuses is lost, which is said on stderr. On
 * success *out is closed through its ops; on failure it is untouched. Errors: DYNO_UNSUPPORTED (a
 * build without CUDA), DYNO_NO_MEMORY, as dyno_cuda_fail and dyno_copier_open. */
dyno_status dyno_cuda_links_open(struct dyno_links **out,
                                 const struct dyno_cuda_links_config *config,
                                 struct dyno_error *error);

#endif

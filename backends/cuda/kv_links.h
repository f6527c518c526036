/* Links between the KV of workers on GPUs and pinned memory of the host, and between GPUs: blocks
 * are copied by threads of their own (backends/engine/copier.h), on streams beside those of the
 * passes, one way in and one way out at once.  What goes from worker to worker goes one way: over
 * NVLink or PCIe from GPU to GPU, where CUDA lets one see the other's memory, or within one GPU.
 */
#ifndef DYNO_BACKENDS_CUDA_KV_LINKS_H
#define DYNO_BACKENDS_CUDA_KV_LINKS_H

#include "backends/engine/copier.h"
#include "backends/store/kv_file.h"
#include "core/worker/device.h"

struct dyno_cuda_links_config {
    /* Of dyno_cuda_device_open; not owned, and close later.  The second may be NULL; else it is
     * beside the first.  Worker 0 of the first is there; others may be started later. */
    struct dyno_device *devices[2];
    bool from_workers;           /* to workers, too: hand-offs, and what one pulls from another */
    const uint32_t *pool_blocks; /* [pool_count] endpoints are their workers, and then pools in
                                    pinned memory */
    uint32_t pool_count;
    /* [pool_count], copied: what lies in a file instead (backends/store/kv_file.h), with a thread
     * of its own; they are not owned, and close later.  NULL: nothing does. */
    struct dyno_kv_file *const *files;
    dyno_ns (*now)(const struct dyno_clock *clock);
    void (*wake)(struct dyno_clock *clock);
    struct dyno_clock *clock; /* not owned */
};

/* Takes the pools' memory (of the file's way that for 32 blocks), and measures, for the first
 * predictions, what copying a few blocks takes: before anything is stored.  A copy that CUDA
 * refuses is said on stderr.  Of a pool it is lost; between workers it never arrives, and whoever's
 * GPU does nothing any more has failed (dyno_threaded_device_fail), or else who was to have it. On
 * success *out is closed through its ops; on failure it is untouched.  Errors: DYNO_UNSUPPORTED (a
 * build without CUDA), DYNO_NO_MEMORY, as dyno_cuda_fail and dyno_copier_open. */
dyno_status dyno_cuda_links_open(struct dyno_links **out,
                                 const struct dyno_cuda_links_config *config,
                                 struct dyno_error *error);

#endif

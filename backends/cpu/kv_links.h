/* Links between memories of keys and values of this machine's CPU: blocks are copied, by a thread
 * (backends/engine/copier.h), so that what arrives is bit for bit what left.  Some of them may be
 * files (backends/store/kv_file.h), to and from which another thread reads and writes; and some
 * may be in other processes (kv_peer.h), with a thread for those too.  A transfer whose process is
 * gone never arrives: whoever waits for it drops it.
 *
 * Single layers move while the next ones are computed, by a thread for each worker that tells of
 * them, whether it is here or in another process.
 */
#ifndef DYNO_BACKENDS_CPU_KV_LINKS_H
#define DYNO_BACKENDS_CPU_KV_LINKS_H

#include "backends/cpu/kv_peer.h"
#include "backends/cpu/kv_storage.h"
#include "backends/engine/copier.h"
#include "backends/engine/layer_gate.h"
#include "backends/store/kv_file.h"

struct dyno_cpu_links_config {
    /* [endpoint_count][ranks], copied; what they point to is not owned, and closes later.  A rank's
     * memory has the same shape everywhere, but for the number of blocks. */
    struct dyno_kv_storage *const *storages;
    uint32_t endpoint_count, ranks;
    /* Where that is NULL: asked of every transfer, from the threads that copy, as a worker that was
     * started again has other memories; there is one while anything is moved there.  The first
     * endpoint's is there from the start. */
    struct dyno_kv_storage *(*storage)(const void *context, uint32_t endpoint, uint32_t rank);
    const void *storage_context; /* not owned; of `gate` too */
    /* [endpoint_count], copied: what lies in a file instead, whose storages are not read.  NULL:
     * nothing does. */
    struct dyno_kv_file *const *files;
    /* [endpoint_count], copied: what lies in another process instead, likewise; the first only if
     * there is a memory between.  NULL: nothing does. */
    struct dyno_kv_peer *const *peers;
    /* [ranks], copied, of the memories' shape: a piece at a time, what moves from one other process
     * to another one, or between one and a file, lies here on its way.  NULL: nothing does. */
    struct dyno_kv_storage *const *between;
    /* Where it is told how far a worker's passes have come, and of how many workers it is; NULL: of
     * none, and whole blocks move. */
    struct dyno_layer_gate *(*gate)(const void *context, uint32_t endpoint);
    uint32_t gate_count;
    dyno_ns (*now)(const struct dyno_clock *clock);
    void (*wake)(struct dyno_clock *clock);
    struct dyno_clock *clock; /* not owned */
};

/* Opening them measures, for the first predictions, what copying a few blocks takes, and fetching
 * them from another process: before anything is stored.
 * On success *out is closed through its ops; on failure it is untouched.  Errors: DYNO_NO_MEMORY,
 * DYNO_IO (as dyno_copier_open), DYNO_WORKER_GONE (a process). */
dyno_status dyno_cpu_links_open(struct dyno_links **out, const struct dyno_cpu_links_config *config,
                                struct dyno_error *error);

#endif

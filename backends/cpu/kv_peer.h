/* Seam: memory of keys and values in another process, by which links (kv_links.h) move blocks.
 *
 * Called from one thread at a time.  Both return false where the other process is gone, or goes
 * while they wait: then nothing is known of what was to be written.
 */
#ifndef DYNO_BACKENDS_CPU_KV_PEER_H
#define DYNO_BACKENDS_CPU_KV_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/cpu/kv_storage.h"

struct dyno_kv_peer;

struct dyno_kv_peer_ops {
    /* Its blocks from[count] into blocks to[count] of a rank's storage each; and the other way. */
    bool (*fetch)(struct dyno_kv_peer *peer, const uint32_t *from,
                  struct dyno_kv_storage *const *storage, const uint32_t *to, uint32_t count);
    bool (*store)(struct dyno_kv_peer *peer, const uint32_t *to,
                  struct dyno_kv_storage *const *storage, const uint32_t *from, uint32_t count);
};

struct dyno_kv_peer {
    const struct dyno_kv_peer_ops *ops;
    uint32_t blocks;
};

#endif

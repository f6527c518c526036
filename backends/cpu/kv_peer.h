/* Seam: memory of keys and values in another process, by which links (kv_links.h) move blocks.
 *
 * From any thread; several move by turns.  Both return false where the other process is gone, or
 * goes while they wait: then nothing is known of what was to be written.
 */
#ifndef DYNO_BACKENDS_CPU_KV_PEER_H
#define DYNO_BACKENDS_CPU_KV_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/cpu/kv_storage.h"

struct dyno_kv_peer;

/* What moves: between its blocks there[count] and blocks here[count] of each rank's storage. */
struct dyno_kv_move {
    const uint32_t *there, *here;
    uint32_t count;
    struct dyno_kv_storage *const *storage; /* [ranks] */
    uint32_t first_layer, end_layer;        /* only these; end_layer 0: all */
};

struct dyno_kv_peer_ops {
    bool (*fetch)(struct dyno_kv_peer *peer, const struct dyno_kv_move *move); /* from there */
    bool (*store)(struct dyno_kv_peer *peer, const struct dyno_kv_move *move); /* to there */
};

struct dyno_kv_peer {
    const struct dyno_kv_peer_ops *ops;
    uint32_t blocks;
};

#endif

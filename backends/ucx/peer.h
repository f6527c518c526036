/* One process that works for this one (backends/ucx/session.h is its side). */
#ifndef DYNO_BACKENDS_UCX_PEER_H
#define DYNO_BACKENDS_UCX_PEER_H

#include "backends/ucx/channel.h"
#include "backends/ucx/peers.h"
#include "backends/ucx/wire.h"

struct dyno_ucx_peer;

/* config->workers are those of this process, at `address`.  As dyno_ucx_peers_open. */
dyno_status dyno_ucx_peer_open(struct dyno_ucx_peer **out, const struct dyno_ucx_library *ucx,
                               const char *address, const struct dyno_ucx_peers_config *config,
                               struct dyno_error *error);
void dyno_ucx_peer_close(struct dyno_ucx_peer *peer); /* NULL: nothing */

/* From any thread: whether it is gone, since when and why. */
bool dyno_ucx_peer_is_gone(const struct dyno_ucx_peer *peer, dyno_ns *since);
const char *dyno_ucx_peer_why(const struct dyno_ucx_peer *peer);

/* Compute a step of one of its workers, for the thread of that worker: answer[*size], until the
 * next one.  What it tells of layers is noted at `gate`; NULL: at none.  False: it is gone. */
bool dyno_ucx_peer_step(struct dyno_ucx_peer *peer, uint32_t worker,
                        const struct dyno_engine_piece *pieces, uint32_t piece_count,
                        struct dyno_layer_gate *gate, const void **answer, size_t *size);

/* It answered what nobody answers. */
void dyno_ucx_peer_give_up(struct dyno_ucx_peer *peer, const char *why);

struct dyno_kv_peer *dyno_ucx_peer_memory(struct dyno_ucx_peer *peer, uint32_t worker);

void dyno_ucx_peer_add_totals(const struct dyno_ucx_peer *peer, struct dyno_ucx_totals *sum);

#endif

/* Moving blocks: of a pool on the device, [blocks][block_bytes], each block one piece (all layers,
 * keys and values, see kernels/cuda/kv.h).
 *
 *   copy:    to[target[i]] = from[source[i]]
 *   gather:  to[i]         = from[source[i]]     many blocks into one piece, to be sent
 *   scatter: to[target[i]] = from[i]             and back
 *
 * A side without indices is packed.  `from` and `to` are device memory, host memory that is pinned
 * and mapped, or a peer's: whatever the device can reach.  A pair with an index that is not below
 * its pool's blocks is left out.  Targets are all different, and none is a source of the same pool.
 *
 * Bound by memory, or by the link: block_bytes read and written.
 */
#ifndef DYNO_KERNELS_CUDA_BLOCKS_H
#define DYNO_KERNELS_CUDA_BLOCKS_H

#include <stdint.h>

#include "kernels/cuda/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

struct dyno_cuda_blocks_job {
    uint32_t count;                        /* at most 65535 */
    uint64_t block_bytes;                  /* a multiple of 16 */
    const uint32_t *source;                /* [count], on the device; NULL: from is packed */
    const uint32_t *target;                /* [count], likewise; NULL: to is packed */
    uint32_t source_blocks, target_blocks; /* of the pools; of a packed side at least count */
    const void *from;                      /* aligned to 16 bytes */
    void *to;
};

int dyno_cuda_blocks(const struct dyno_cuda_blocks_job *job, dyno_cuda_stream stream);

#ifdef __cplusplus
}
#endif

#endif

/* How much of a trace's prefixes a cache of any size would have held: one pass, exact.
 *
 * A cache of C blocks that evicts the block used longest ago, and of one prompt the blocks from its
 * end first, holds at any time the C blocks used last.  So one number a reference says it for all
 * sizes at once: its stack distance, the number of different blocks used since it was used last,
 * itself included (Mattson et al., "Evaluation techniques for storage hierarchies", IBM Systems
 * Journal 9(2), 1970).  A prompt's blocks are used together, the first one last, so that a block is
 * never held without those before it: what is held of a prompt is always its beginning.
 *
 * A reference costs O(log distinct); memory is about 32 bytes a distinct block. */
#ifndef DYNO_TRACES_REUSE_H
#define DYNO_TRACES_REUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/model/request.h"

struct dyno_reuse;

/* An empty one.  Error: DYNO_NO_MEMORY. */
dyno_status dyno_reuse_open(struct dyno_reuse **out, struct dyno_error *error);
void dyno_reuse_close(struct dyno_reuse *reuse); /* NULL: no effect */

/* A prompt's blocks in order, each a span of its own whose length does not matter.  Behind the
 * prompt that makes them more than `distinct_max` different ones nothing is noted.  Error:
 * DYNO_NO_MEMORY. */
dyno_status dyno_reuse_note(struct dyno_reuse *reuse, const struct dyno_span *blocks,
                            uint32_t count, size_t distinct_max, struct dyno_error *error);

/* True if there were more different blocks than could be noted: the curve is void. */
bool dyno_reuse_is_cut(const struct dyno_reuse *reuse);

/* (*hits)[c] references of *references found their block in a cache of c blocks, for c
 * from 0 to *size, the number of different blocks; a larger cache finds no more.  The array is the
 * reuse's; nothing may be noted any more. */
void dyno_reuse_curve(struct dyno_reuse *reuse, const uint64_t **hits, size_t *size,
                      uint64_t *references);

#endif

/* The fleet index: span identity -> which workers hold how many of its leading blocks.
 *
 * One holder set a span (not a block).  A span has few holders, or (a system prompt) nearly all
 * workers; both are cheap, also with thousands of workers.  The index is told of changes and never
 * looks into a worker.  Memory is bounded by what the workers hold; a span without holders is gone.
 */
#ifndef DYNO_CORE_KV_INDEX_H
#define DYNO_CORE_KV_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/model/request.h"

struct dyno_kv_index;

/* Of `worker_count` >= 1 workers, none of which holds anything.  DYNO_NO_MEMORY. */
dyno_status dyno_kv_index_open(struct dyno_kv_index **out, uint32_t worker_count);
void dyno_kv_index_close(struct dyno_kv_index *index);

/* From now on `worker` holds the first `blocks` blocks of `span`; 0: none.  Idempotent. */
dyno_status dyno_kv_index_set(struct dyno_kv_index *index, uint64_t span, uint32_t worker,
                              uint32_t blocks);

/* Forget everything `worker` holds. */
void dyno_kv_index_drop_worker(struct dyno_kv_index *index, uint32_t worker);

/* For every worker that holds at least the first block: overlap[worker] = leading blocks of the
 * request's chain it holds without a gap; other entries are untouched.  Such workers' indices are
 * written to `touched` [worker_count], ascending; their number is returned.  O(spans walked x
 * holders still matching). */
uint32_t dyno_kv_index_match(const struct dyno_kv_index *index, const struct dyno_span *spans,
                             uint32_t span_count, uint32_t *overlap, uint32_t *touched);

size_t dyno_kv_index_spans(const struct dyno_kv_index *index); /* spans with a holder */
size_t
dyno_kv_index_bytes(const struct dyno_kv_index *index); /* of memory, for nodes and holders */

/* How many leading blocks of `span` `worker` holds. */
uint32_t dyno_kv_index_blocks(const struct dyno_kv_index *index, uint64_t span, uint32_t worker);

#endif

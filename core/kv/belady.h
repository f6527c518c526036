/* The best hit rate that any cache of a given size could have had on the requests of a run.
 *
 * One cache with the fleet's total capacity sees every request in order and knows the future: of
 * all blocks it keeps those whose next use comes soonest (Belady, 1966).  As a prompt's deeper
 * blocks are never used sooner than its first ones, what it keeps is closed under prefix, so the
 * rule is optimal for prefix hits too: no placement, routing or eviction reaches more.  A request's
 * own blocks take no room while it runs, which only raises the bound.
 *
 * Exact to the block: where prompts share only a part of a span, the span is taken apart there.
 * Memory: about 12 bytes a span of a request and 60 a distinct span, up to a stated number of
 * spans; past that, nothing is kept and nothing computed.
 */
#ifndef DYNO_CORE_KV_BELADY_H
#define DYNO_CORE_KV_BELADY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/model/request.h"

enum { DYNO_BELADY_REFS_MAX = 1 << 21 }; /* a sensible maximum: 150 MiB at worst */

struct dyno_belady;

struct dyno_belady_result {
    bool computed; /* false: there were more spans than allowed; the rest is 0 then */
    uint64_t requests;
    uint64_t prompt_tokens;
    uint64_t hit_tokens;           /* of these, found in the cache with perfect foresight */
    uint64_t unbounded_hit_tokens; /* with an unbounded cache */
};

/* `refs_max`: spans recorded at most, over all requests; 2^30 is the most.  DYNO_NO_MEMORY. */
dyno_status dyno_belady_open(struct dyno_belady **out, uint64_t capacity_blocks,
                             uint32_t block_tokens, uint32_t refs_max);
void dyno_belady_close(struct dyno_belady *belady);

/* The cache has so many blocks more; before finish. */
void dyno_belady_widen(struct dyno_belady *belady, uint64_t blocks);

/* The next request.  The order is that in which requests reach the cache.  DYNO_NO_MEMORY. */
dyno_status dyno_belady_add(struct dyno_belady *belady, const struct dyno_span *spans,
                            uint32_t span_count, uint32_t prompt_tokens);

/* Compute; nothing can be added afterwards.  DYNO_NO_MEMORY. */
dyno_status dyno_belady_finish(struct dyno_belady *belady, struct dyno_belady_result *result);

#endif

/* Which requests belong together (inside this room).
 *
 * Requests are of one conversation if they have the same session, if one waits for the other, or if
 * they share a block that few requests have: a block that more than `common_min` of them have is a
 * common prefix, such as a system prompt, and says nothing.  Traces without sessions have
 * conversations too, as their later turns begin with the earlier ones. */
#ifndef DYNO_TRACES_CONVERSATIONS_H
#define DYNO_TRACES_CONVERSATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/map.h"
#include "core/base/status.h"
#include "traces/pile.h"

struct dyno_conversations {
    uint32_t *first;      /* [rows]: by row, the first row of its conversation */
    struct dyno_map uses; /* identity -> requests that have it */
    uint32_t common_min;
    uint64_t count;
};

/* Release afterwards; on failure there is nothing to release.  Error: DYNO_NO_MEMORY. */
dyno_status dyno_conversations_find(struct dyno_conversations *out, const struct dyno_pile *pile,
                                    uint32_t common_min, struct dyno_error *error);
void dyno_conversations_release(struct dyno_conversations *conversations);

/* True if the block is a common prefix's. */
bool dyno_conversations_is_common(const struct dyno_conversations *conversations, uint64_t block);

#endif

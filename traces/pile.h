/* Rows in memory, to be looked at more than once (inside this room).  About 200 bytes a row and 16
 * an identity; store.c packs them tighter, for those who only read on. */
#ifndef DYNO_TRACES_PILE_H
#define DYNO_TRACES_PILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "traces/rows.h"

/* All zeros is an empty one. */
struct dyno_pile {
    struct dyno_row *rows; /* [count]: in order of time, each with memory of its own */
    size_t count, capacity;
    uint32_t block_tokens; /* of the longest identity; 0: there are none */
};

void dyno_pile_release(struct dyno_pile *pile);

/* Append a copy.  Error: DYNO_NO_MEMORY. */
dyno_status dyno_pile_add(struct dyno_pile *pile, const struct dyno_row *row,
                          struct dyno_error *error);

/* Append every row of a file, `world` telling its sessions and names, and if nothing is shared its
 * identities, apart from those of other worlds.  Errors: the reader's, DYNO_NO_MEMORY. */
dyno_status dyno_pile_read(struct dyno_pile *pile, const struct dyno_trace_config *config,
                           uint32_t world, bool is_shared, struct dyno_error *error);

/* By time; rows of one time stay as they are. */
void dyno_pile_sort(struct dyno_pile *pile);

/* A session, name or identity in another world: 0 stays 0, and world 0 changes nothing. */
uint64_t dyno_key_in_world(uint64_t key, uint32_t world);

#endif

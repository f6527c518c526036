/* Shared prefixes: `groups` trees of prompt pieces.  A request picks a group by Zipf's law (group g
 * with weight (g + 1)^-exponent), then a child at random on each level down to `depth`; its prompt
 * begins with the texts of the nodes on that path.  A node's length is a function of the node and
 * the seed, so that nothing is kept per node. */
#ifndef DYNO_TRACES_PREFIX_H
#define DYNO_TRACES_PREFIX_H

#include <stdint.h>

#include "core/base/rng.h"
#include "core/base/status.h"
#include "traces/law.h"
#include "traces/row.h"
#include "traces/traces.h"

struct dyno_prefixes {
    uint32_t groups; /* 0: prompts share nothing */
    uint32_t depth, branches;
    struct dyno_law tokens;
    uint64_t seed;
    double *cumulative; /* [groups]: weight of the groups up to each; NULL: all alike */
    struct dyno_rng rng;
};

/* Errors: DYNO_BAD_INPUT (in words), DYNO_NO_MEMORY. */
dyno_status dyno_prefixes_init(struct dyno_prefixes *prefixes,
                               const struct dyno_generator_config *config,
                               struct dyno_error *error);
void dyno_prefixes_release(struct dyno_prefixes *prefixes);

/* Append a path's nodes to the row's segments; false when memory is out.  Room for at least one
 * more prompt token is left. */
bool dyno_prefixes_draw(struct dyno_prefixes *prefixes, struct dyno_row *row);

#endif

/* What an assembly needs more where KV may lie in lower tiers: --tier g2=64GiB --tier g3=2TiB:node.
 */
#ifndef DYNO_CLI_ASSEMBLY_TIERS_H
#define DYNO_CLI_ASSEMBLY_TIERS_H

#include "cli/assembly/live_links.h"
#include "cli/scenario/scenario.h"
#include "cli/scenario/tiers.h"
#include "core/run/dispatch.h"
#include "core/worker/local.h"
#include "core/worker/tiers.h"
#include "sim/timing.h"
#include "sim/topology.h"

struct dyno_assembly;

struct dyno_tiering {
    struct dyno_topology_links *places;
    struct dyno_live_links live; /* where workers compute, or are simulated as they did */
    struct dyno_links *links;    /* all ... */
    struct dyno_links *parts[2]; /* ... as tiers see them, and as another sees them, if ... */
    struct dyno_links *others;   /* ... somebody else moves KV too; NULL: nobody does */
    uint32_t first_routed;    /* of the workers that a router chooses among; the caller's to set */
    uint32_t routed;          /* and how many there are */
    struct dyno_tiers *tiers; /* NULL: there are none */
    uint32_t block_tokens;
    struct dyno_tier_credits credits; /* as a router counts them */
};

/* Tiers for the workers of `config`, which is told of them; nothing where the scenario has none.
 * Closed by dyno_tiering_close, also after a failure.  Errors: DYNO_BAD_INPUT (a tier that could
 * not hold one request; a topology that lacks a way to it), DYNO_NOT_FOUND, DYNO_IO,
 * DYNO_NO_MEMORY.
 */
dyno_status dyno_tiering_open(struct dyno_tiering *tiering, const struct dyno_assembly *assembly,
                              struct dyno_local_config *config, struct dyno_error *error);
/* What is there, as a router asks for it; not to be used where there are no tiers. */
struct dyno_dispatch_tiers dyno_tiering_view(struct dyno_tiering *tiering);
void dyno_tiering_close(struct dyno_tiering *tiering);

#endif

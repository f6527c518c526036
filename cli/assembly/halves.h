/* What an assembly needs more where prompts are computed by one worker and decoded by another. */
#ifndef DYNO_CLI_ASSEMBLY_HALVES_H
#define DYNO_CLI_ASSEMBLY_HALVES_H

#include "cli/assembly/live_links.h"
#include "cli/scenario/scenario.h"
#include "core/run/dispatch.h"
#include "core/worker/handoff.h"
#include "sim/calibration.h"
#include "sim/timing.h"
#include "sim/topology.h"

struct dyno_ucx_peers; /* backends/ucx/peers.h */

/* Of the workers that compute prompts, and between all of them; all zero where there are none. */
struct dyno_halves {
    struct dyno_device *device;     /* the caller's to open ... */
    struct dyno_dispatch *dispatch; /* ... and this too */
    struct dyno_topology_links *places;
    struct dyno_links *links;
    struct dyno_live_links live; /* in their place, if the caller opened it; it says then ... */
    uint64_t block_bytes;        /* ... what a block of KV has; 0: as the model's, and no memories
                                    are this machine's, of which each role of a place has one */
    uint32_t layers;             /* ... and of how many layers it is, likewise */
    struct dyno_timing_config timing_config; /* of the workers that compute prompts */
    struct dyno_calibration calibration;     /* what that rests on */
    struct dyno_worker_config worker;
    struct dyno_timing *timing;   /* NULL: the same as of the others */
    struct dyno_ucx_peers *peers; /* where they are in other processes; the caller's to open */
};

/* Whether they are workers of another kind: their scenario, in which they are the fleet. */
bool dyno_halves_differ(const struct dyno_scenario *scenario, struct dyno_scenario *of_prefill);

uint32_t dyno_halves_prefill_tp(const struct dyno_scenario *scenario);

/* Workers of either role, as many as there are places of it: with a planner any of the fleet's may
 * have either (core/run/roster.h).  Where there is one role they decode. */
uint32_t dyno_halves_decoders(const struct dyno_scenario *scenario);
uint32_t dyno_halves_prefillers(const struct dyno_scenario *scenario);

/* The place of the first that computes prompts, of those of the fleet. */
uint32_t dyno_halves_first_prefiller(const struct dyno_scenario *scenario);

/* Workers as they are numbered, of all roles. */
uint32_t dyno_halves_workers(const struct dyno_scenario *scenario);

/* The workers of both roles.  `config` is as for a fleet of one role, listener included; `links`
 * are those between them, not owned, or NULL: they are opened, by the scenario's topology.  Errors:
 * DYNO_BAD_INPUT (the topology, in words), DYNO_NOT_FOUND, DYNO_IO, DYNO_NO_MEMORY; what was opened
 * is closed by dyno_halves_close. */
dyno_status dyno_halves_open(struct dyno_workers **out, struct dyno_halves *halves,
                             const struct dyno_scenario *scenario,
                             const struct dyno_timing_config *timing,
                             const struct dyno_local_config *config, struct dyno_links *links,
                             struct dyno_error *error);

void dyno_halves_close(struct dyno_halves *halves);

#endif

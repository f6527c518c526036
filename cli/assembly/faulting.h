/* What an assembly needs more where something may go wrong (docs/faults.md). */
#ifndef DYNO_CLI_ASSEMBLY_FAULTING_H
#define DYNO_CLI_ASSEMBLY_FAULTING_H

#include "backends/engine/failures.h"
#include "cli/scenario/faulting.h"
#include "cli/scenario/scenario.h"
#include "core/run/faults.h"
#include "core/run/loop.h"
#include "core/run/roster.h"
#include "core/worker/device.h"
#include "sim/topology.h"
#include "traces/law.h"

struct dyno_starting;  /* cli/assembly/starting.h */
struct dyno_ucx_peers; /* backends/ucx/peers.h */

struct dyno_faulting {
    struct dyno_faults *faults; /* NULL: nothing goes wrong */
    struct dyno_faults *chaos;  /* of them, what the scenario says; not owned */
    bool is_real;               /* workers compute */
    bool is_guard;              /* nothing is asked for: what computes may fail */
    struct dyno_law restart;
    struct dyno_roster *roster; /* where nobody plans: who serves ... */
    struct dyno_roster *behind; /* ... and who computes prompts for them, where requests are served
                                   in halves: workers from first_behind on */
    uint32_t first_behind;      /* ... or, of another model's, what its first worker is called */
    const struct dyno_faults *weather; /* sim/chaos: of the workers of another model */
};

/* What is hit.  The parts behind are of the workers that compute prompts, if there are any. */
struct dyno_faulting_of {
    /* Where there are several models: what this one's first worker is called, and workers of all;
     * 0 and 0: there is one. */
    uint32_t first_worker, worker_count;
    const struct dyno_failing *others; /* [other_count] devices of the others, that compute */
    uint32_t other_count;
    struct dyno_dispatch *dispatch, *dispatch_behind;
    struct dyno_device *device, *device_behind;  /* simulated: they feel stalls from then on */
    struct dyno_ucx_peers *peers, *peers_behind; /* NULL: they are in this process */
    bool planned;                                /* somebody else has a roster */
    /* Devices that compute: how their workers start.  What fails of them by itself has died, also
     * where nothing else goes wrong.  NULL: they are simulated. */
    const struct dyno_starting *starting;
    dyno_ns start_ns; /* what is "measured" for faults.restart */
};

/* Zero-initialise first; it stays where it is.  Nothing is opened where nothing goes wrong; what is
 * in another process may.  Closed also after a failure. */
dyno_status dyno_faulting_open(struct dyno_faulting *faulting, const struct dyno_scenario *scenario,
                               const struct dyno_faulting_of *of, struct dyno_error *error);
/* Of another one of several models, when that of the first is open: who serves, and what its device
 * feels.  DYNO_NO_MEMORY. */
dyno_status dyno_faulting_open_beside(struct dyno_faulting *faulting,
                                      const struct dyno_faulting *first,
                                      const struct dyno_scenario *scenario,
                                      const struct dyno_faulting_of *of);
/* The workers move KV over these, if they do.  DYNO_BAD_INPUT: a fault is of a link that is not
 * there. */
dyno_status dyno_faulting_use_links(struct dyno_faulting *faulting, struct dyno_links *fabric,
                                    const struct dyno_topology_links *links,
                                    struct dyno_error *error);
void dyno_faulting_close(struct dyno_faulting *faulting);

/* What a report says of the run that ended at `end_ns`; rosters[count]: of each model. */
void dyno_faulting_report(const struct dyno_faulting *faulting, const struct dyno_loop *loop,
                          struct dyno_roster *const *rosters, uint32_t count,
                          const struct dyno_fleet_totals *totals, dyno_ns end_ns,
                          struct dyno_fault_report *out);

#endif

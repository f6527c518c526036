/* Workers of an assembly that are in other processes (backends/ucx/peers.h). */
#ifndef DYNO_CLI_ASSEMBLY_LIVE_FAR_H
#define DYNO_CLI_ASSEMBLY_LIVE_FAR_H

#include "backends/ucx/peers.h"
#include "cli/assembly/live.h"

/* Where they are, and how many. */
struct dyno_live_far {
    const char *addresses, *transport; /* as prefill.at and prefill.transport */
    struct dyno_live_workers workers;
};

/* Them and their device, as dyno_live_device.  *peers is closed after the device, also on failure
 * if it is not NULL.  Errors: as dyno_ucx_peers_open. */
dyno_status dyno_live_far_device(struct dyno_device **out, struct dyno_ucx_peers **peers,
                                 const struct dyno_live_far *far, const struct dyno_live *live,
                                 const struct dyno_scenario *scenario,
                                 const struct dyno_worker_config *worker,
                                 struct dyno_answers *answers, struct dyno_clock *clock,
                                 struct dyno_error *error);

/* The same, simulated as `machine` was measured: on *far, which is as it, but for a step that is a
 * question and an answer longer.  As dyno_machine_open. */
dyno_status dyno_live_far_machine(struct dyno_device **out, struct dyno_machine *far,
                                  const struct dyno_machine *machine, uint32_t workers,
                                  struct dyno_answers *answers);

/* Say on standard error why a process of that option's is gone, or was, if one is.  NULL: none
 * could be. */
void dyno_live_far_say(struct dyno_ucx_peers *peers, const char *option);

/* prefill.transport, or that of `dyno calibrate`: auto, shm, tcp. */
enum dyno_ucx_transport dyno_live_transport(const char *name);

#endif

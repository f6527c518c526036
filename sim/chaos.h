/* Chaos: faults of a simulated fleet, asked for one by one or drawn.
 *
 *   worker:2@120s=dead             worker 2 dies at 120 s; another one is started there at once
 *   worker:4-7@120s..180s=dead     its place, and three more, are broken for a minute
 *   worker:0@10s..never=dead       ... and for good
 *   worker:1@30s..40s=frozen       no pass begins in these 10 s; one that has begun is finished
 *   worker:1@30s..40s=slow:3       passes that begin then take three times as long
 *   nic:3@30s..40s=down            nothing passes worker 3's NIC, either way (sim/topology.h)
 *   switch:rack1@30s..40s=slow:10  a tenth of what the uplink of a switch is made for
 *
 * Links are peer:N, nic:N and host:N of workers, disk:N of nodes, store:0, switch:NAME.
 *
 * What is drawn is drawn for each worker by a stream of its own: times between two deaths, or from
 * the end of a stall to the next, are exponential with the stated mean, whether the worker is there
 * or not.  So the luck of one does not depend on how another fares, nor on any decision.
 *
 * Deaths are the loop's to deal with.  Stalls are felt by the device, which asks for the weather
 * of every pass; what is wrong with links is told to the fabric.
 */
#ifndef DYNO_SIM_CHAOS_H
#define DYNO_SIM_CHAOS_H

#include "core/base/status.h"
#include "core/run/faults.h"
#include "core/worker/paced.h"
#include "sim/topology.h"

enum { DYNO_CHAOS_SLOWNESS_MAX = 1000, DYNO_CHAOS_FAULTS_MAX = 1000 };

/* One that is asked for. */
struct dyno_chaos_fault {
    enum dyno_fault_kind kind;
    enum dyno_link_part part;          /* of a link: which, ... */
    char name[DYNO_TOPOLOGY_NAME_MAX]; /* ... and of a switch its name */
    uint32_t first, last;              /* of the workers it hits, or the links of that part */
    dyno_ns at, until; /* at < until but of a death: at == until: its place is not broken */
    uint32_t slowness; /* so many times slower; 0: it stands still */
};

/* "worker:2@120s=dead" and so on.  DYNO_BAD_INPUT says what is wrong, of `option`. */
dyno_status dyno_chaos_parse(struct dyno_chaos_fault *out, const char *option, const char *text,
                             struct dyno_error *error);

struct dyno_chaos_config {
    uint64_t seed;
    uint32_t worker_count;
    /* [fault_count] of those workers, and of links; copied. */
    const struct dyno_chaos_fault *faults;
    uint32_t fault_count;
    dyno_ns death_every_ns; /* mean between the deaths of one worker; 0: none are drawn ... */
    dyno_ns death_for_ns;   /* ... and for how long its place is broken; 0: it is not */
    dyno_ns stall_every_ns; /* the same of stalls ... */
    dyno_ns stall_for_ns;   /* > 0 */
    uint32_t stall_slowness;
    dyno_ns link_every_ns; /* the same of each worker's NIC */
    dyno_ns link_for_ns;   /* > 0 */
    uint32_t link_slowness;
};

/* On success *out is closed through its ops.  DYNO_NO_MEMORY; DYNO_BAD_INPUT: two stalls of one
 * worker that are asked for overlap. */
dyno_status dyno_chaos_open(struct dyno_faults **out, const struct dyno_chaos_config *config,
                            struct dyno_error *error);

/* What is wrong with links is felt by `fabric` over `links`; before anything is taken.  Neither is
 * owned, and both outlive the last take.  DYNO_BAD_INPUT: a link that is asked for does not exist.
 */
dyno_status dyno_chaos_use_links(struct dyno_faults *faults, struct dyno_links *fabric,
                                 const struct dyno_topology_links *links, struct dyno_error *error);

/* How it stands with a worker at `now`, for dyno_paced_device_expect; the context is the faults.
 * Faults up to `now` have been taken. */
void dyno_chaos_weather(const void *faults, uint32_t worker, dyno_ns now, struct dyno_weather *out);

#endif

/* In a build without UCX: what says so. */
#include <stdlib.h>

#include "backends/ucx/peers.h"
#include "backends/ucx/worker.h"

static dyno_status refuse(struct dyno_error *error)
{
    return dyno_fail(error, DYNO_UNSUPPORTED,
                     "this build has no UCX, by which workers in other processes are reached: "
                     "install it (Debian's package is libucx-dev) and build again");
}

bool dyno_ucx_is_built(void)
{
    return false;
}

dyno_status dyno_ucx_peers_open(struct dyno_ucx_peers **out,
                                const struct dyno_ucx_peers_config *config,
                                struct dyno_error *error)
{
    (void)out;
    (void)config;
    return refuse(error);
}

dyno_status dyno_ucx_worker_run(const struct dyno_ucx_worker_config *config,
                                struct dyno_error *error)
{
    (void)config;
    return refuse(error);
}

void dyno_ucx_peers_close(struct dyno_ucx_peers *peers)
{
    (void)peers;
}

/* None of these can be reached: nobody opened what they are about. */

dyno_status dyno_ucx_device_open(struct dyno_device **out, struct dyno_ucx_peers *peers,
                                 const struct dyno_threaded_config *threaded,
                                 struct dyno_error *error)
{
    (void)out;
    (void)peers;
    (void)threaded;
    return refuse(error);
}

struct dyno_kv_peer *dyno_ucx_peers_memory(struct dyno_ucx_peers *peers, uint32_t worker)
{
    (void)peers;
    (void)worker;
    abort();
}

dyno_status dyno_ucx_faults_open(struct dyno_faults **out,
                                 const struct dyno_ucx_mortals mortals[DYNO_UCX_MORTALS],
                                 struct dyno_faults *others)
{
    (void)out;
    (void)mortals;
    (void)others;
    return DYNO_UNSUPPORTED;
}

struct dyno_ucx_totals dyno_ucx_peers_totals(struct dyno_ucx_peers *peers)
{
    (void)peers;
    return (struct dyno_ucx_totals){0};
}

bool dyno_ucx_peers_are_gone(struct dyno_ucx_peers *peers)
{
    (void)peers;
    return false;
}

struct dyno_ucx_loss dyno_ucx_peers_loss(struct dyno_ucx_peers *peers)
{
    (void)peers;
    return (struct dyno_ucx_loss){0};
}

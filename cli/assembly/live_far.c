#include "cli/assembly/live_far.h"

#include <stdio.h>
#include <string.h>

#include "backends/posix/wall_clock.h"
#include "cli/scenario/tiers.h"

enum dyno_ucx_transport dyno_live_transport(const char *name)
{
    return strcmp(name, "tcp") == 0   ? DYNO_UCX_TCP
           : strcmp(name, "shm") == 0 ? DYNO_UCX_SHARED_MEMORY
                                      : DYNO_UCX_AUTO;
}

dyno_status dyno_live_far_device(struct dyno_device **out, struct dyno_ucx_peers **peers,
                                 const struct dyno_live_far *far, const struct dyno_live *live,
                                 const struct dyno_scenario *scenario,
                                 const struct dyno_worker_config *worker,
                                 struct dyno_answers *answers, struct dyno_clock *clock,
                                 struct dyno_error *error)
{
    struct dyno_threaded_config threaded =
        dyno_live_threaded(live, scenario, worker, &far->workers, answers, clock);

    DYNO_TRY(dyno_ucx_peers_open(
        peers,
        &(struct dyno_ucx_peers_config){.addresses = far->addresses,
                                        .transport = dyno_live_transport(far->transport),
                                        .weights = live->weights,
                                        .workers = far->workers.count,
                                        .ranks = scenario->fleet.tp > 0 ? scenario->fleet.tp : 1,
                                        .threads = scenario->fleet.threads,
                                        .blocks = worker->blocks,
                                        .block_tokens = worker->block_tokens,
                                        .rows_max = worker->batch_tokens_max,
                                        .ready_first = far->workers.ready_first,
                                        .ready_count = far->workers.ready_count,
                                        .look_for_ns = scenario->fleet.reconnect_ns,
                                        .silence_ns = scenario->fleet.silence_ns,
                                        .predicts = dyno_tiers_are(scenario),
                                        .tells_layers = far->workers.tell_layers,
                                        .now = dyno_wall_clock_now,
                                        .wake = dyno_wall_clock_wake,
                                        .clock = clock},
        error));
    return dyno_ucx_device_open(out, *peers, &threaded, error);
}

dyno_status dyno_live_far_machine(struct dyno_device **out, struct dyno_machine *far,
                                  const struct dyno_machine *machine, uint32_t workers,
                                  struct dyno_answers *answers)
{
    *far = *machine;
    far->step_ns = machine->far_pass_ns;
    return dyno_machine_open(out, workers, far, answers);
}

void dyno_live_far_say(struct dyno_ucx_peers *peers, const char *option)
{
    struct dyno_ucx_loss loss = {0};

    if (peers) {
        loss = dyno_ucx_peers_loss(peers);
    }
    if (loss.away > 0) {
        (void)fprintf(stderr, "dyno: a process of workers (%s) is gone: %s%s%s\n", option, loss.why,
                      loss.why[0] && loss.in_vain[0] ? "; looked for again: " : "", loss.in_vain);
    } else if (loss.workers > 0) {
        (void)fprintf(stderr, "dyno: a process of workers (%s) was gone for a while: %s\n", option,
                      loss.why);
    }
}

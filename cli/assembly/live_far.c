#include "cli/assembly/live_far.h"

#include <stdio.h>
#include <string.h>

#include "backends/posix/wall_clock.h"
#include "cli/scenario/planning.h"

enum dyno_ucx_transport dyno_live_transport(const char *name)
{
    return strcmp(name, "tcp") == 0   ? DYNO_UCX_TCP
           : strcmp(name, "shm") == 0 ? DYNO_UCX_SHARED_MEMORY
                                      : DYNO_UCX_AUTO;
}

dyno_status dyno_live_far_check(const struct dyno_scenario *scenario, struct dyno_error *error)
{
    if (!scenario->prefill.at) {
        return strcmp(scenario->prefill.transport, "auto") == 0
                   ? DYNO_OK
                   : dyno_fail(error, DYNO_BAD_INPUT,
                               "prefill.transport has no meaning without --prefill-at ADDRESS");
    }
    if (!dyno_live_is_machine(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "prefill.at and run.device %s cannot be together: only --device cpu has "
                         "workers in other processes, and --machine those that were measured",
                         scenario->run.device);
    }
    if (dyno_planning_is_on(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "prefill.at and planner.policy cannot be together: workers in other "
                         "processes do not change their role");
    }
    if (scenario->tiers.levels || scenario->tiers.peers) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "prefill.at and tiers.%s cannot be together: %s of workers in this "
                         "process",
                         scenario->tiers.levels ? "levels" : "peers",
                         scenario->tiers.levels ? "lower tiers of KV are"
                                                : "prompts are pulled out");
    }
    return DYNO_OK;
}

dyno_status dyno_live_far_device(struct dyno_device **out, struct dyno_ucx_peers **peers,
                                 const struct dyno_live *live, const struct dyno_scenario *scenario,
                                 const struct dyno_worker_config *worker,
                                 struct dyno_answers *answers, struct dyno_clock *clock,
                                 struct dyno_error *error)
{
    struct dyno_threaded_config threaded =
        dyno_live_threaded(live, scenario, worker, scenario->disagg.prefill, answers, clock);

    DYNO_TRY(dyno_ucx_peers_open(peers,
                                 &(struct dyno_ucx_peers_config){
                                     .addresses = scenario->prefill.at,
                                     .transport = dyno_live_transport(scenario->prefill.transport),
                                     .weights = live->weights,
                                     .workers = scenario->disagg.prefill,
                                     .ranks = scenario->fleet.tp > 0 ? scenario->fleet.tp : 1,
                                     .threads = scenario->fleet.threads,
                                     .blocks = worker->blocks,
                                     .block_tokens = worker->block_tokens,
                                     .rows_max = worker->batch_tokens_max,
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
    far->pass_ns += machine->far_pass_ns;
    return dyno_machine_open(out, workers, far, answers);
}

void dyno_live_far_say(const struct dyno_ucx_peers *peers)
{
    const char *why = peers ? dyno_ucx_peers_why(peers) : NULL;

    if (why) {
        (void)fprintf(stderr, "dyno: a process of workers (prefill.at) is gone: %s\n", why);
    }
}

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

/* What an address cannot be beside; `at` and `transport` are what the options are called. */
static dyno_status check_beside(const struct dyno_scenario *scenario, const char *at,
                                struct dyno_error *error)
{
    if (!dyno_live_is_machine(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s and run.device %s cannot be together: only --device cpu has workers "
                         "in other processes, and --machine those that were measured",
                         at, scenario->run.device);
    }
    if (dyno_live_is_cuda(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s and run.device cuda cannot be together: workers in other processes "
                         "have CPUs",
                         at);
    }
    if (dyno_planning_is_on(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s and planner.policy cannot be together: workers in other processes do "
                         "not change their role",
                         at);
    }
    if (scenario->tiers.levels || scenario->tiers.peers) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s and tiers.%s cannot be together: %s of workers in this process", at,
                         scenario->tiers.levels ? "levels" : "peers",
                         scenario->tiers.levels ? "lower tiers of KV are"
                                                : "prompts are pulled out");
    }
    return DYNO_OK;
}

static dyno_status check_at(const struct dyno_scenario *scenario, const char *at,
                            const char *transport, const char *of, const char *flag,
                            struct dyno_error *error)
{
    if (at) {
        return check_beside(scenario, of, error);
    }
    return strcmp(transport, "auto") == 0
               ? DYNO_OK
               : dyno_fail(error, DYNO_BAD_INPUT,
                           "%.*s.transport has no meaning without %s ADDRESS",
                           (int)strcspn(of, "."), of, flag);
}

dyno_status dyno_live_far_check(const struct dyno_scenario *scenario, struct dyno_error *error)
{
    DYNO_TRY(check_at(scenario, scenario->prefill.at, scenario->prefill.transport, "prefill.at",
                      "--prefill-at", error));
    DYNO_TRY(check_at(scenario, scenario->fleet.at, scenario->fleet.transport, "fleet.at",
                      "--workers-at", error));
    if (scenario->fleet.at && scenario->output.journal) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "fleet.at and output.journal cannot be together: a journal has no place "
                         "for processes that go");
    }
    return DYNO_OK;
}

dyno_status dyno_live_far_device(struct dyno_device **out, struct dyno_ucx_peers **peers,
                                 const struct dyno_live_far *far, const struct dyno_live *live,
                                 const struct dyno_scenario *scenario,
                                 const struct dyno_worker_config *worker,
                                 struct dyno_answers *answers, struct dyno_clock *clock,
                                 struct dyno_error *error)
{
    struct dyno_threaded_config threaded =
        dyno_live_threaded(live, scenario, worker, far->workers, answers, clock);

    DYNO_TRY(dyno_ucx_peers_open(
        peers,
        &(struct dyno_ucx_peers_config){.addresses = far->addresses,
                                        .transport = dyno_live_transport(far->transport),
                                        .weights = live->weights,
                                        .workers = far->workers,
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
    far->step_ns = machine->far_pass_ns;
    return dyno_machine_open(out, workers, far, answers);
}

void dyno_live_far_say(const struct dyno_ucx_peers *peers, const char *option)
{
    const char *why = peers ? dyno_ucx_peers_why(peers) : NULL;

    if (why) {
        (void)fprintf(stderr, "dyno: a process of workers (%s) is gone: %s\n", option, why);
    }
}

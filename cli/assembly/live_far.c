#include "cli/assembly/live_far.h"

#include <stdio.h>
#include <string.h>

#include "backends/posix/wall_clock.h"
#include "cli/assembly/tiers.h"

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

/* Whether the list has the address that begins at `one`. */
static bool lists(const char *list, const char *one)
{
    size_t length = strcspn(one, ",");

    for (; list && *list; list += strcspn(list, ","), list += *list == ',') {
        if (strcspn(list, ",") == length && strncmp(list, one, length) == 0) {
            return true;
        }
    }
    return false;
}

/* No process is to work twice: of the first list's addresses, each is not behind itself there, nor
 * in the second list. */
static dyno_status check_once(const char *first, const char *second, struct dyno_error *error)
{
    for (const char *at = first; at && *at;) {
        const char *rest = at + strcspn(at, ",");

        rest += *rest == ',';
        if (lists(rest, at) || lists(second, at)) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "%.*s is given twice: a process works for one dyno in one role; "
                             "start another one, at another address",
                             (int)strcspn(at, ","), at);
        }
        at = rest;
    }
    return DYNO_OK;
}

/* A server's default is one of its own. */
static dyno_status check_reconnect(const struct dyno_scenario *scenario,
                                   const struct dyno_options *options, struct dyno_error *error)
{
    const struct dyno_option *row = dyno_options_find(options, "fleet.reconnect");
    const struct dyno_option_origin *origin = dyno_options_origin(options, row);
    char place[256];

    if (scenario->fleet.at || scenario->prefill.at || dyno_options_is_initial(options, row) ||
        origin->source <= DYNO_SOURCE_PROFILE) {
        return DYNO_OK;
    }
    dyno_option_place(row, origin, place, sizeof place);
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s has no meaning without --workers-at or --prefill-at ADDRESS", place);
}

dyno_status dyno_live_far_check(const struct dyno_scenario *scenario,
                                const struct dyno_options *options, struct dyno_error *error)
{
    DYNO_TRY(check_at(scenario, scenario->prefill.at, scenario->prefill.transport, "prefill.at",
                      "--prefill-at", error));
    DYNO_TRY(check_at(scenario, scenario->fleet.at, scenario->fleet.transport, "fleet.at",
                      "--workers-at", error));
    DYNO_TRY(check_once(scenario->fleet.at, scenario->prefill.at, error));
    DYNO_TRY(check_once(scenario->prefill.at, NULL, error));
    return check_reconnect(scenario, options, error);
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
                                        .predicts = dyno_tiers_are(scenario),
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

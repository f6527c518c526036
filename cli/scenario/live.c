#include "cli/scenario/live.h"

#include <string.h>

bool dyno_live_is_cuda(const struct dyno_scenario *scenario)
{
    return strcmp(scenario->run.device, "cuda") == 0;
}

bool dyno_live_is_real(const struct dyno_scenario *scenario)
{
    return strcmp(scenario->run.device, "cpu") == 0 || dyno_live_is_cuda(scenario);
}

bool dyno_live_starts(const struct dyno_scenario *scenario)
{
    return dyno_live_is_real(scenario);
}

bool dyno_live_scores(const struct dyno_scenario *scenario)
{
    return dyno_live_starts(scenario);
}

bool dyno_live_prefill_is_far(const struct dyno_scenario *scenario)
{
    return dyno_live_is_real(scenario) && scenario->disagg.policy && scenario->prefill.at;
}

bool dyno_live_fleet_is_far(const struct dyno_scenario *scenario)
{
    return dyno_live_is_real(scenario) && scenario->fleet.at;
}

bool dyno_live_is_far(const struct dyno_scenario *scenario)
{
    return dyno_live_prefill_is_far(scenario) || dyno_live_fleet_is_far(scenario);
}

bool dyno_live_is_remote(const struct dyno_scenario *scenario)
{
    return strcmp(scenario->run.device, "remote") == 0;
}

bool dyno_live_is_machine(const struct dyno_scenario *scenario)
{
    return dyno_live_is_real(scenario) || scenario->timing.machine;
}

/* ---- in other processes ---------------------------------------------------------------------- */

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

/* Where nobody is elsewhere nobody is gone.  A server's default is one of its own. */
static dyno_status check_gone(const char *name, const struct dyno_scenario *scenario,
                              const struct dyno_options *options, struct dyno_error *error)
{
    const struct dyno_option *row = dyno_options_find(options, name);
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
    DYNO_TRY(check_gone("fleet.silence", scenario, options, error));
    return check_gone("fleet.reconnect", scenario, options, error);
}

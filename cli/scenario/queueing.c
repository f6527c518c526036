#include "cli/scenario/queueing.h"

#include <string.h>

#include "cli/scenario/faulting.h"
#include "cli/scenario/live.h"
#include "cli/scenario/planning.h"
#include "core/route/admit.h"

bool dyno_queueing_is_on(const struct dyno_scenario *scenario)
{
    return scenario->queue.busy_inflight > 0 || scenario->queue.busy_prefill_tokens > 0 ||
           scenario->queue.busy_kv > 0.0;
}

/* Given on the command line (what a file says may be meant for another run). */
static const char *given_option(const struct dyno_options *options)
{
    for (uint32_t i = 0; i < options->count; i++) {
        const struct dyno_option_origin *origin = dyno_options_origin(options, &options->rows[i]);

        if (strncmp(options->rows[i].name, "queue.", 6) == 0 &&
            (origin->source == DYNO_SOURCE_SET || origin->source == DYNO_SOURCE_FLAG)) {
            return options->rows[i].name;
        }
    }
    return NULL;
}

dyno_status dyno_queueing_check(const struct dyno_scenario *scenario,
                                const struct dyno_options *options, struct dyno_error *error)
{
    struct dyno_admit_classes classes;
    const char *given = given_option(options);

    DYNO_TRY(dyno_admit_classes_parse(&classes, scenario->queue.classes, error));
    if (given && !dyno_queueing_is_on(scenario) && !dyno_planning_is_on(scenario) &&
        !dyno_faulting_is_on(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s has no meaning where nobody ever waits: give queue.busy_inflight, "
                         "queue.busy_prefill_tokens or queue.busy_kv, a planner, or faults",
                         given);
    }
    if (dyno_live_is_remote(scenario) && scenario->queue.busy_kv > 0.0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "queue.busy_kv needs to know how many KV blocks a worker has, which "
                         "other servers (run.device remote) do not say: use queue.busy_inflight");
    }
    return DYNO_OK;
}

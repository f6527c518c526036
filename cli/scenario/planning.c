#include "cli/scenario/planning.h"

#include <stdio.h>
#include <string.h>

#include "cli/scenario/live.h"
#include "core/plan/forecast.h"
#include "core/plan/plan.h"

enum { LATE_TICKS_MAX = 100 };

bool dyno_planning_is_on(const struct dyno_scenario *scenario)
{
    return strcmp(scenario->planner.policy, "none") != 0;
}

uint32_t dyno_planning_workers_max(const struct dyno_scenario *scenario)
{
    uint32_t most = scenario->fleet.workers, budget = scenario->planner.budget_gpus;

    if (scenario->planner.workers_max > 0 && scenario->planner.workers_max < most) {
        most = scenario->planner.workers_max;
    }
    if (budget > 0 && budget / scenario->fleet.tp < most) {
        most = budget / scenario->fleet.tp;
    }
    return most;
}

bool dyno_planning_has_roles(const struct dyno_scenario *scenario)
{
    return scenario->disagg.policy != NULL;
}

uint32_t dyno_planning_ready_first(const struct dyno_scenario *scenario)
{
    if (dyno_planning_has_roles(scenario)) {
        return scenario->disagg.decode;
    }
    return scenario->planner.start > 0 ? scenario->planner.start
                                       : dyno_planning_workers_max(scenario);
}

dyno_status dyno_planning_law(struct dyno_law *out, const char *option, const char *text,
                              dyno_ns measured_ns, struct dyno_error *error)
{
    char seconds[32];

    if (strcmp(text, DYNO_START_MEASURED) == 0) {
        if (measured_ns == 0) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "%s: what starting a worker takes was not measured: say it, or "
                             "measure the machine anew (dyno calibrate)",
                             option);
        }
        (void)snprintf(seconds, sizeof seconds, "%.9f", (double)measured_ns / 1e9);
        text = seconds;
    }
    return dyno_law_parse_seconds(out, option, text, error);
}

/* Of what --budget says, as in "planner.budget (8 GPUs), ". */
static const char *budget_in_words(const struct dyno_scenario *scenario, char out[64])
{
    out[0] = '\0';
    if (scenario->planner.budget_gpus > 0) {
        (void)snprintf(out, 64, "planner.budget (%u GPUs), ", scenario->planner.budget_gpus);
    }
    return out;
}

/* ---- checking -------------------------------------------------------------------------------- */

/* What cannot be where workers change their role. */
static dyno_status check_changes(const struct dyno_scenario *scenario, struct dyno_error *error)
{
    const char *unlike = scenario->prefill.gpu      ? "prefill.gpu"
                         : scenario->prefill.tp > 0 ? "prefill.tp"
                                                    : NULL;

    if (unlike) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s and --planner cannot be together: a planner moves GPUs from one role "
                         "to the other, and these are not alike",
                         unlike);
    }
    if (scenario->planner.start > 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "planner.start and --disagg contradict each other: --prefill and --decode "
                         "say how many of either role there are when the run begins");
    }
    return DYNO_OK;
}

static dyno_status check_roles(const struct dyno_scenario *scenario, struct dyno_error *error)
{
    uint32_t most = dyno_planning_workers_max(scenario), least = scenario->planner.workers_min;
    uint32_t prefill = scenario->disagg.prefill, decode = scenario->disagg.decode;
    char budget[64];

    DYNO_TRY(check_changes(scenario, error));
    if (least == 0) {
        return dyno_fail(
            error, DYNO_BAD_INPUT,
            "planner.min 0 and --disagg contradict each other: requests in halves need "
            "a worker of either role; give planner.min 1 or more");
    }
    if (most < (uint64_t)2 * least) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%splanner.max and fleet.workers allow %u workers "
                         "of %u GPUs each, fewer than planner.min (%u) of either role; raise them",
                         budget_in_words(scenario, budget), most, scenario->fleet.tp, least);
    }
    if ((uint64_t)prefill + decode > most || prefill < least || decode < least) {
        return dyno_fail(
            error, DYNO_BAD_INPUT,
            "--prefill %u and --decode %u, with which the run begins, must be at least "
            "planner.min (%u) each and within the limits together: %u workers",
            prefill, decode, least, most);
    }
    return DYNO_OK;
}

static dyno_status check_limits(const struct dyno_scenario *scenario, struct dyno_error *error)
{
    uint32_t most = dyno_planning_workers_max(scenario), least = scenario->planner.workers_min;
    char budget[64];

    if (scenario->planner.workers_max > scenario->fleet.workers) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "planner.max (%u) is more than there are places: fleet.workers is %u; "
                         "raise the one or lower the other",
                         scenario->planner.workers_max, scenario->fleet.workers);
    }
    if (dyno_planning_has_roles(scenario)) {
        return check_roles(scenario, error);
    }
    if (most == 0 || most < least) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%splanner.max and fleet.workers allow %u workers "
                         "of %u GPUs each, fewer than planner.min (%u) and one; raise them",
                         budget_in_words(scenario, budget), most, scenario->fleet.tp, least);
    }
    if (dyno_planning_ready_first(scenario) < least || dyno_planning_ready_first(scenario) > most) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "planner.start (%u) must lie within the limits: %u to %u workers",
                         dyno_planning_ready_first(scenario), least, most);
    }
    return DYNO_OK;
}

static dyno_status check_thresholds(const struct dyno_scenario *scenario, struct dyno_error *error)
{
    if (scenario->planner.queue_down >= scenario->planner.queue_up) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "planner.queue_down must lie below planner.queue_up, or a fleet swings");
    }
    if (scenario->planner.use_down >= scenario->planner.use_up) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "planner.use_down must lie below planner.use_up, or a fleet swings");
    }
    return DYNO_OK;
}

static bool is_closed_loop(const struct dyno_scenario *scenario)
{
    const char *arrival = scenario->generate.arrival;

    return scenario->trace.concurrency > 0 || scenario->trace.inflight_max > 0 ||
           (arrival && strncmp(arrival, "concurrency:", 12) == 0);
}

/* The future is known of a trace that can be read twice, and of a generator; where requests wait
 * for others' ends it is not. */
static dyno_status check_future(const struct dyno_scenario *scenario, const char *what,
                                struct dyno_error *error)
{
    bool comes_from_outside = !scenario->trace.path && !scenario->generate.arrival;

    if (comes_from_outside || dyno_live_is_real(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s needs to know what will come: it is for simulations only", what);
    }
    if (is_closed_loop(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s needs arrivals that are known ahead: a closed loop has none", what);
    }
    if (scenario->trace.path && strcmp(scenario->trace.path, "-") == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s reads the trace twice: standard input cannot be; name a file", what);
    }
    return DYNO_OK;
}

/* A season is so many whole looks, rounded. */
static dyno_status check_season(const struct dyno_scenario *scenario, struct dyno_error *error)
{
    dyno_ns season = scenario->planner.season_ns, every = scenario->planner.every_ns;

    if (season == 0 && strcmp(scenario->planner.predictor, "seasonal") == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "planner.predictor seasonal goes by what was one season before: give "
                         "planner.season");
    }
    if (season > 0 && (season / every < 2 || season / every > DYNO_SEASON_MAX)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "planner.season must be from 2 to %d times planner.every, as a forecast "
                         "keeps a value of each look in it",
                         DYNO_SEASON_MAX);
    }
    return DYNO_OK;
}

static dyno_status check_metrics(const struct dyno_scenario *scenario, struct dyno_error *error)
{
    if (scenario->planner.metric_delay_ns > LATE_TICKS_MAX * scenario->planner.every_ns) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "planner.metric_delay is more than %d times planner.every; lower the one "
                         "or raise the other",
                         LATE_TICKS_MAX);
    }
    if (scenario->planner.start_failure > 0.0 && dyno_live_starts(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "planner.start_failure is for simulations: a start of a device that "
                         "computes fails when it fails");
    }
    if (scenario->planner.first_passes > 0 && dyno_live_is_real(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "planner.first_passes is for simulations: a device that computes takes as "
                         "long as it takes");
    }
    return DYNO_OK;
}

dyno_status dyno_planning_check(const struct dyno_scenario *scenario, struct dyno_error *error)
{
    const struct dyno_plan_policy *policy = dyno_plan_find(scenario->planner.policy);
    bool has_objective =
        scenario->slo.ttft_ns > 0 || scenario->slo.itl_ns > 0 || scenario->slo.tpot_ns > 0;

    if (scenario->fleet.models) {
        return DYNO_OK; /* each of them is checked (cli/scenario/models.c) */
    }
    if (!dyno_planning_is_on(scenario)) {
        return scenario->planner.regret
                   ? dyno_fail(error, DYNO_BAD_INPUT,
                               "planner.regret compares a planner: give --planner POLICY")
                   : DYNO_OK;
    }
    if (dyno_live_is_remote(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "planner.policy starts and stops workers of this program; other servers "
                         "(run.device remote) run by themselves: say none");
    }
    DYNO_TRY(check_limits(scenario, error));
    DYNO_TRY(check_thresholds(scenario, error));
    DYNO_TRY(check_metrics(scenario, error));
    DYNO_TRY(check_season(scenario, error));
    if ((policy->needs & DYNO_PLAN_NEEDS_OBJECTIVE) && !has_objective) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the planner %s needs an objective: give --slo ttft=TIME, itl=TIME or "
                         "both",
                         policy->name);
    }
    if (policy->needs & DYNO_PLAN_NEEDS_FUTURE) {
        DYNO_TRY(check_future(scenario, "the planner clairvoyant", error));
    }
    return scenario->planner.regret ? check_future(scenario, "planner.regret", error) : DYNO_OK;
}

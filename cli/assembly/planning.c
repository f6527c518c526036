#include "cli/assembly/planning.h"

#include <stdlib.h>
#include <string.h>

#include "cli/assembly/ahead.h"
#include "core/base/array.h"
#include "core/base/map.h"
#include "core/worker/config.h"

/* ---- the future ------------------------------------------------------------------------------ */

/* What is foreseen of one model, of so many of whose requests there is room. */
struct foreseen {
    struct dyno_planning *planning;
    uint32_t model;
    uint32_t capacity;
};

static dyno_status reserve(struct foreseen *foreseen, uint64_t count)
{
    struct dyno_planning *planning = foreseen->planning;
    uint32_t arrivals = foreseen->capacity, prompts = arrivals, outputs = arrivals;

    if (!dyno_array_reserve(&planning->arrivals, &arrivals, count, sizeof *planning->arrivals) ||
        !dyno_array_reserve(&planning->prompt_tokens, &prompts, count,
                            sizeof *planning->prompt_tokens) ||
        !dyno_array_reserve(&planning->output_tokens, &outputs, count,
                            sizeof *planning->output_tokens)) {
        return DYNO_NO_MEMORY;
    }
    foreseen->capacity = arrivals;
    return DYNO_OK;
}

static dyno_status keep(void *context, dyno_ns at, const struct dyno_request *request,
                        uint32_t output_tokens, bool *enough)
{
    struct foreseen *foreseen = context;
    struct dyno_planning *planning = foreseen->planning;
    uint64_t count = planning->foresight.count;

    *enough = false; /* all of them are wanted */
    if (request->model != foreseen->model) {
        return DYNO_OK;
    }
    DYNO_TRY(reserve(foreseen, count + 1));
    planning->arrivals[count] = at;
    planning->prompt_tokens[count] = request->prompt_tokens;
    planning->output_tokens[count] = output_tokens;
    planning->foresight.count++;
    return DYNO_OK;
}

static dyno_status foresee(struct dyno_planning *planning, const struct dyno_scenario *scenario,
                           const struct dyno_planning_of *of, struct dyno_error *error)
{
    struct foreseen foreseen = {.planning = planning, .model = of->model};
    dyno_status status =
        dyno_ahead_read(scenario,
                        &(struct dyno_frame_source){.block_tokens = of->worker->block_tokens,
                                                    .trace_data = of->trace_data,
                                                    .trace_size = of->trace_size,
                                                    .models = of->choice},
                        keep, &foreseen, error);

    planning->foresight.arrivals = planning->arrivals;
    planning->foresight.prompt_tokens = planning->prompt_tokens;
    planning->foresight.output_tokens = planning->output_tokens;
    return status;
}

/* ---- opening --------------------------------------------------------------------------------- */

static dyno_ns draw_startup(const void *context, struct dyno_rng *rng)
{
    return dyno_law_time(context, rng);
}

/* Whoever runs a fleet knows about how long a start takes. */
static dyno_ns guess(const struct dyno_law *law, const struct dyno_scenario *scenario)
{
    enum { DRAWS = 64 };
    struct dyno_rng rng;
    dyno_ns sum = 0;

    dyno_rng_init(&rng, scenario->run.seed, "planner.guess");
    for (int i = 0; i < DRAWS; i++) {
        sum += dyno_law_time(law, &rng) / DRAWS;
    }
    return sum;
}

static double seconds(dyno_ns time)
{
    return (double)time / 1e9;
}

/* The tighter of the two objectives on gaps. */
static double gap_objective(const struct dyno_scenario *scenario)
{
    dyno_ns itl = scenario->slo.itl_ns, tpot = scenario->slo.tpot_ns;

    return seconds(itl == 0 || (tpot > 0 && tpot < itl) ? tpot : itl);
}

static struct dyno_plan_config plan_config(const struct dyno_scenario *scenario,
                                           const struct dyno_worker_config *worker)
{
    return (struct dyno_plan_config){
        .workers_min = scenario->planner.workers_min,
        .workers_max = dyno_planning_workers_max(scenario),
        .queue_up = scenario->planner.queue_up,
        .queue_down = scenario->planner.queue_down,
        .use_up = scenario->planner.use_up,
        .use_down = scenario->planner.use_down,
        .headroom = scenario->planner.headroom,
        .cooldown_ns = scenario->planner.cooldown_ns,
        .ttft_s = seconds(scenario->slo.ttft_ns),
        .itl_s = gap_objective(scenario),
        .sequences_max = worker->seqs_max,
        .kv_tokens = (double)worker->blocks * worker->block_tokens,
    };
}

/* Of those who compute prompts and nothing else: a request there is what of its prompt is computed,
 * of which as many are in a pass as its tokens allow. */
static struct dyno_plan_config prefill_plan(const struct dyno_scenario *scenario,
                                            const struct dyno_worker_config *worker)
{
    struct dyno_plan_config plan = plan_config(scenario, worker);

    plan.workers_max -= plan.workers_min;
    plan.itl_s = 0.0;
    plan.kv_tokens = worker->batch_tokens_max;
    return plan;
}

/* And of those who decode. */
static struct dyno_plan_config decode_plan(const struct dyno_scenario *scenario,
                                           const struct dyno_worker_config *worker)
{
    struct dyno_plan_config plan = plan_config(scenario, worker);

    plan.workers_max -= plan.workers_min;
    plan.ttft_s = 0.0;
    return plan;
}

/* What is drawn for the workers of one model is not what is drawn for another's. */
static uint64_t seed_of(const struct dyno_scenario *scenario, const struct dyno_planning_of *of)
{
    return of->model > 0 ? dyno_chain(scenario->run.seed, of->model) : scenario->run.seed;
}

static dyno_status open_roster(struct dyno_planning *planning, const struct dyno_scenario *scenario,
                               const struct dyno_planning_of *of)
{
    return dyno_roster_open(
        &planning->roster,
        &(struct dyno_roster_config){
            .worker_count = scenario->fleet.workers,
            .first_worker = of->first_worker,
            .worker_gpus = scenario->fleet.tp,
            .budget = of->budget,
            .up_max = dyno_planning_workers_max(scenario),
            .ready_first = dyno_planning_ready_first(scenario),
            .prefill_first = dyno_planning_has_roles(scenario) ? scenario->disagg.prefill : 0,
            .seed = seed_of(scenario, of),
            .start_failure = scenario->planner.start_failure,
            .startup = draw_startup,
            .startup_context = &planning->startup,
            .change = draw_startup,
            .change_context = &planning->change,
            .starter = of->starter,
            .dispatch = of->dispatch,
            .prefill = of->prefill_dispatch,
        });
}

/* Whatever is heard at a tick was said at one. */
static uint32_t late_ticks(const struct dyno_scenario *scenario)
{
    dyno_ns every = scenario->planner.every_ns;

    return (uint32_t)((scenario->planner.metric_delay_ns + every - 1) / every);
}

/* A season in whole ticks, rounded; there are not too many of them (cli/scenario/planning.c). */
static uint32_t season_ticks(const struct dyno_scenario *scenario)
{
    dyno_ns every = scenario->planner.every_ns;
    uint64_t ticks = (scenario->planner.season_ns + every / 2) / every;

    return ticks < DYNO_SEASON_MAX ? (uint32_t)ticks : DYNO_SEASON_MAX;
}

dyno_status dyno_planning_open(struct dyno_planning *planning, const struct dyno_scenario *scenario,
                               const struct dyno_planning_of *of, struct dyno_error *error)
{
    const struct dyno_plan_policy *policy = dyno_plan_find(scenario->planner.policy);
    struct dyno_plan_config plan = plan_config(scenario, of->worker), prefill = {0};

    if (!policy) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_planning_law(&planning->startup, "planner.startup", scenario->planner.startup,
                               of->start_ns, error));
    DYNO_TRY(dyno_planning_law(&planning->change, "planner.change",
                               scenario->planner.change ? scenario->planner.change
                                                        : scenario->planner.startup,
                               of->start_ns, error));
    if (policy->needs & DYNO_PLAN_NEEDS_FUTURE) {
        DYNO_TRY(foresee(planning, scenario, of, error));
    }
    if (dyno_planning_has_roles(scenario)) {
        plan = decode_plan(scenario, of->worker);
        prefill = prefill_plan(scenario, of->prefill_worker);
    }
    plan.weight = of->budget ? scenario->fleet.tp : 0;
    DYNO_TRY(open_roster(planning, scenario, of));
    return dyno_planner_open(
        &planning->planner,
        &(struct dyno_planner_config){
            .policy = policy,
            .plan = plan,
            .prefill = prefill,
            .budget = of->budget ? of->budget->gpus_max : dyno_planning_workers_max(scenario),
            .predictor = dyno_predictor_find(scenario->planner.predictor),
            .forecast = {.window = scenario->planner.window, .season = season_ticks(scenario)},
            .every_ns = scenario->planner.every_ns,
            .startup_guess_ns = of->starter ? of->start_ns : guess(&planning->startup, scenario),
            .change_guess_ns = of->starter ? of->start_ns : guess(&planning->change, scenario),
            .warmup_ns = scenario->planner.warmup_ns,
            .late_ticks = late_ticks(scenario),
            .metric_loss = scenario->planner.metric_loss,
            .seed = seed_of(scenario, of),
            .first_worker = of->first_worker,
            .model = of->model,
            .worker_count = scenario->fleet.workers,
            .has_roles = dyno_planning_has_roles(scenario),
            .roster = planning->roster,
            .foresight = planning->arrivals ? &planning->foresight : NULL,
        });
}

void dyno_planning_close(struct dyno_planning *planning)
{
    dyno_planner_close(planning->planner);
    dyno_roster_close(planning->roster);
    free(planning->arrivals);
    free(planning->prompt_tokens);
    free(planning->output_tokens);
    memset(planning, 0, sizeof *planning);
}

void dyno_planning_report(const struct dyno_planning *planning,
                          const struct dyno_scenario *scenario, dyno_ns end_ns,
                          struct dyno_plan_report *out)
{
    struct dyno_roster_totals totals = dyno_roster_totals(planning->roster, end_ns);

    *out = (struct dyno_plan_report){
        .policy = scenario->planner.policy,
        .decisions = dyno_planner_decisions(planning->planner),
        .starts = totals.starts,
        .start_failures = totals.start_failures,
        .drains = totals.drains,
        .changes = totals.changes,
        .has_roles = dyno_planning_has_roles(scenario),
        .looks = {dyno_planner_looks(planning->planner, DYNO_ROLE_SERVE),
                  dyno_planner_looks(planning->planner, DYNO_ROLE_PREFILL)},
        .workers_max = totals.up_max,
        .worker_s = (double)totals.worker_ns / 1e9,
        .gpu_s = (double)totals.worker_ns / 1e9 * scenario->fleet.tp,
        .worker_gpus = scenario->fleet.tp,
    };
}

/* What a report says of a finished assembly. */
#include <string.h>

#include "cli/assembly/assembly.h"
#include "cli/assembly/models.h"
#include "cli/assembly/queueing.h"

static uint32_t prefill_gpus(const struct dyno_assembly *assembly)
{
    const struct dyno_scenario *scenario = assembly->scenario;

    return scenario->disagg.policy ? scenario->disagg.prefill * dyno_halves_prefill_tp(scenario)
                                   : 0;
}

static double flops_of(const struct dyno_timing_config *config)
{
    return config->gpu.flops[config->weights == DYNO_INT4 ? DYNO_BF16 : config->weights];
}

/* Of workers of two kinds. */
static void fill_peaks_of_both(const struct dyno_assembly *assembly, struct dyno_report *report)
{
    const struct dyno_timing_config *decode = &assembly->timing_config;
    const struct dyno_timing_config *prefill = &assembly->halves.timing_config;
    double prompts = prefill_gpus(assembly), others = assembly->totals.gpus - prompts;

    report->flops_peak = others * flops_of(decode) + prompts * flops_of(prefill);
    report->bytes_peak =
        others * decode->gpu.memory_bytes_per_s + prompts * prefill->gpu.memory_bytes_per_s;
}

static double watts_of_halves(const struct dyno_assembly *assembly)
{
    double prompts = prefill_gpus(assembly), all = assembly->totals.gpus;

    return (assembly->timing_config.gpu.watts_max * (all - prompts) +
            assembly->halves.timing_config.gpu.watts_max * prompts) /
           all;
}

/* The limit of a GPU, on average over the fleet. */
static double watts_of(struct dyno_assembly *assembly)
{
    double all_watts = 0.0;

    for (uint32_t i = 0; assembly->fleets && i < dyno_fleets_count(assembly); i++) {
        all_watts += assembly->fleets->totals[i].gpus *
                     dyno_fleets_of(assembly, i)->timing_config.gpu.watts_max;
    }
    return assembly->fleets ? all_watts / assembly->totals.gpus : watts_of_halves(assembly);
}

/* Operations done and bytes read by the workers of a model, and what they could have done per
 * second. */
static void add_use(const struct dyno_assembly *assembly, const struct dyno_fleet_totals *totals,
                    struct dyno_report *report)
{
    const struct dyno_timing_config *config = &assembly->timing_config;
    double tokens = (double)totals->prefill_tokens + (double)totals->decode_tokens;
    double per_step = totals->steps > 0 ? tokens / (double)totals->steps : 0.0;
    double pairs = (double)totals->attention_pairs + (double)totals->kv_tokens_read;

    report->model_flops += tokens * dyno_model_flops_per_token(&config->model) +
                           pairs * dyno_model_flops_per_pair(&config->model);
    report->model_bytes += (double)totals->steps * dyno_model_bytes_per_step(
                                                       &config->model, config->weights, per_step) +
                           (double)totals->kv_tokens_read *
                               (double)dyno_model_kv_bytes_per_token(&config->model, config->kv);
    if (assembly->timing) { /* the null device uses nothing */
        report->flops_peak += totals->gpus * flops_of(config);
        report->bytes_peak += totals->gpus * config->gpu.memory_bytes_per_s;
    }
}

static void fill_use(struct dyno_assembly *assembly, struct dyno_report *report)
{
    for (uint32_t i = 0; i < dyno_fleets_count(assembly); i++) {
        add_use(dyno_fleets_of(assembly, i),
                assembly->fleets ? &assembly->fleets->totals[i] : &assembly->totals, report);
    }
    if (assembly->halves.timing) {
        fill_peaks_of_both(assembly, report);
    }
}

/* What could have failed did not, and nobody asked. */
static bool is_silent(const struct dyno_assembly *assembly)
{
    return assembly->faulting.is_guard && dyno_loop_fault_totals(assembly->loop)->deaths == 0;
}

/* What only some runs have: queues, planners, several models, faults. */
static void report_parts(struct dyno_assembly *assembly, struct dyno_report *report)
{
    if (dyno_queueing_is_on(assembly->scenario) || assembly->planning.planner ||
        (assembly->roster && !is_silent(assembly))) {
        dyno_queueing_report(assembly->scenario, assembly->loop, dyno_fleets_count(assembly),
                             &assembly->queue_report);
        report->queue = &assembly->queue_report;
    }
    if (assembly->planning.planner) {
        dyno_planning_report(&assembly->planning, assembly->scenario, assembly->result.end_ns,
                             &assembly->plan_report);
        report->plan = &assembly->plan_report;
    }
    dyno_fleets_report(assembly, report);
    if (assembly->faulting.faults && !is_silent(assembly)) {
        struct dyno_roster *rosters[DYNO_MODELS_MAX];

        for (uint32_t i = 0; i < dyno_fleets_count(assembly); i++) {
            rosters[i] = dyno_fleets_of(assembly, i)->roster;
        }
        dyno_faulting_report(&assembly->faulting, assembly->loop, rosters,
                             dyno_fleets_count(assembly), &assembly->totals,
                             assembly->result.end_ns, &assembly->fault_report);
        report->faults = &assembly->fault_report;
    }
}

dyno_status dyno_assembly_report(struct dyno_assembly *assembly, struct dyno_report *report,
                                 struct dyno_error *error)
{
    struct dyno_trace_counts counts = {.requests = assembly->result.requests};
    struct dyno_belady_result bound = {.computed = false};

    if (assembly->recorded) {
        counts = dyno_source_counts(assembly->recorded);
    }
    if (assembly->belady && counts.block_refs > 0 &&
        dyno_belady_finish(assembly->belady, &bound) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the bound on the hit rate");
    }
    *report = (struct dyno_report){
        .metrics = &assembly->metrics,
        .totals = &assembly->totals,
        .title = assembly->title,
        .device = assembly->remote || dyno_live_is_real(assembly->scenario)
                      ? assembly->scenario->run.device
                      : NULL,
        .trace_requests = counts.requests,
        .trace_input_tokens = counts.input_tokens,
        .trace_output_tokens = counts.output_tokens,
        .lines_skipped = counts.lines_skipped,
        .failed_dropped = counts.failed_dropped,
        .unbounded_hit_rate = counts.block_bound_cut || counts.block_refs == 0
                                  ? -1.0
                                  : (double)counts.block_refs_seen / (double)counts.block_refs,
        .unbounded_token_hit_rate =
            bound.computed && bound.prompt_tokens > 0
                ? (double)bound.unbounded_hit_tokens / (double)bound.prompt_tokens
                : -1.0,
        .belady_hit_rate = bound.computed && bound.prompt_tokens > 0
                               ? (double)bound.hit_tokens / (double)bound.prompt_tokens
                               : -1.0,
        .interrupted = assembly->result.cut,
        .requests_unfinished = assembly->result.unfinished,
    };
    report_parts(assembly, report);
    report->extrapolated = assembly->extrapolated;
    report->extrapolated_count = dyno_extrapolations_find(assembly, assembly->extrapolated);
    if (assembly->linking.watch) {
        if (dyno_linking_report(&assembly->linking, assembly->result.end_ns) != DYNO_OK) {
            return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for a report of links");
        }
        report->links = &assembly->linking.report;
    }
    if (!assembly->fed && !assembly->remote) {
        fill_use(assembly, report);
    }
    if (assembly->scenario->cost.energy) {
        assembly->cost_report =
            (struct dyno_cost_report){.watts_max = watts_of(assembly),
                                      .idle_share = assembly->scenario->cost.idle_share,
                                      .gpu_hour_price = assembly->scenario->cost.gpu_hour_price,
                                      .kwh_price = assembly->scenario->cost.kwh_price};
        report->cost = &assembly->cost_report;
    }
    return DYNO_OK;
}

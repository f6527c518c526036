#include "cli/assembly/models.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/assembly/assembly.h"
#include "cli/assembly/configure.h"

/* ---- listening ------------------------------------------------------------------------------- */

static dyno_status on_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct dyno_fleets *fleets =
        (struct dyno_fleets *)(void *)((char *)sink - offsetof(struct dyno_fleets, sink));
    struct dyno_sink *of = &fleets->metrics[record->model].sink;

    return of->ops->request(of, record);
}

static const struct dyno_sink_ops by_model = {.name = "models", .request = on_request};

static dyno_status open_metrics(struct dyno_fleets *fleets, const struct dyno_scenario *scenario)
{
    fleets->sink.ops = &by_model;
    for (; fleets->metrics_count < fleets->models.count; fleets->metrics_count++) {
        DYNO_TRY(dyno_metrics_init(&fleets->metrics[fleets->metrics_count],
                                   &(struct dyno_slo){.ttft_ns = scenario->slo.ttft_ns,
                                                      .tpot_ns = scenario->slo.tpot_ns,
                                                      .itl_ns = scenario->slo.itl_ns,
                                                      .e2e_ns = scenario->slo.e2e_ns}));
    }
    return DYNO_OK;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static dyno_status open_others(struct dyno_assembly *assembly, struct dyno_error *error)
{
    struct dyno_fleets *fleets = assembly->fleets;

    for (uint32_t i = 1; i < fleets->models.count; i++) {
        struct dyno_assembly *other = calloc(1, sizeof *other);

        if (!other) {
            return DYNO_NO_MEMORY;
        }
        fleets->others[i] = other;
        other->scenario = &fleets->models.scenarios[i];
        other->model = i;
        other->first = assembly;
        other->replica = assembly->replica;
        other->parameters = assembly->parameters;
        DYNO_TRY(dyno_assembly_configure(other, error));
    }
    return DYNO_OK;
}

dyno_status dyno_fleets_open(struct dyno_assembly *assembly, struct dyno_error *error)
{
    struct dyno_fleets *fleets;

    if (!dyno_models_are(assembly->scenario)) {
        return DYNO_OK;
    }
    fleets = calloc(1, sizeof *fleets);
    if (!fleets) {
        return DYNO_NO_MEMORY;
    }
    assembly->fleets = fleets;
    DYNO_TRY(dyno_models_read(&fleets->models, assembly->scenario, error));
    DYNO_TRY(open_metrics(fleets, assembly->scenario));
    fleets->budget.gpus_max = fleets->models.budget_gpus;
    assembly->scenario = &fleets->models.scenarios[0];
    return open_others(assembly, error);
}

/* What it only borrowed is the first one's to close. */
static void close_other(struct dyno_assembly *other)
{
    other->answers = NULL;
    other->clock = NULL;
    if (other->first->live.transcripts == other->live.transcripts) {
        other->live.transcripts = NULL;
    }
    dyno_assembly_close(other);
    free(other);
}

void dyno_fleets_close(struct dyno_assembly *assembly)
{
    struct dyno_fleets *fleets = assembly->fleets;

    if (!fleets) {
        return;
    }
    for (uint32_t i = 1; i < fleets->models.count; i++) {
        if (fleets->others[i]) {
            close_other(fleets->others[i]);
        }
    }
    for (uint32_t i = 0; i < fleets->metrics_count; i++) {
        dyno_metrics_release(&fleets->metrics[i]);
    }
    free(fleets);
    assembly->fleets = NULL;
}

/* ---- asked by the assembly ------------------------------------------------------------------- */

uint32_t dyno_fleets_count(const struct dyno_assembly *assembly)
{
    return assembly->fleets ? assembly->fleets->models.count : 1;
}

struct dyno_assembly *dyno_fleets_of(struct dyno_assembly *assembly, uint32_t model)
{
    return model == 0 ? assembly : assembly->fleets->others[model];
}

/* The first one's, for each of them. */
static const struct dyno_fleets *fleets_of(const struct dyno_assembly *assembly)
{
    return assembly->first ? assembly->first->fleets : assembly->fleets;
}

uint32_t dyno_fleets_workers(const struct dyno_assembly *assembly)
{
    const struct dyno_fleets *fleets = fleets_of(assembly);

    return fleets ? fleets->models.workers : assembly->scenario->fleet.workers;
}

uint32_t dyno_fleets_first(const struct dyno_assembly *assembly, uint32_t model)
{
    const struct dyno_fleets *fleets = fleets_of(assembly);

    return fleets ? fleets->models.first[model] : 0;
}

void dyno_fleets_join(struct dyno_assembly *assembly, struct dyno_loop_config *config)
{
    struct dyno_fleets *fleets = assembly->fleets;

    if (!fleets) {
        return;
    }
    for (uint32_t i = 1; i < fleets->models.count; i++) {
        const struct dyno_assembly *other = fleets->others[i];

        fleets->more[i - 1] = (struct dyno_loop_model){.dispatch = other->dispatch,
                                                       .trie = other->trie,
                                                       .roster = other->roster,
                                                       .planner = other->planning.planner};
    }
    config->more = fleets->more;
    config->more_count = fleets->models.count - 1;
    config->worker_count = fleets->models.workers;
    fleets->sink.next = config->sinks;
    config->sinks = &fleets->sink;
}

void dyno_fleets_title(struct dyno_assembly *assembly)
{
    size_t used = 0, size = sizeof assembly->title - 64; /* room for what follows the list */

    for (uint32_t i = 0; i < assembly->fleets->models.count && used < size; i++) {
        const struct dyno_assembly *of = dyno_fleets_of(assembly, i);

        used += (size_t)snprintf(assembly->title + used, size - used, "%s%.60s on %u x %.30s",
                                 i > 0 ? " + " : "", assembly->fleets->models.of[i].name,
                                 of->scenario->fleet.workers * of->scenario->fleet.tp,
                                 of->timing_config.gpu.name);
    }
    used = used < size ? used : size - 1;
    (void)snprintf(assembly->title + used, sizeof assembly->title - used, ", %s, %s",
                   assembly->scenario->batch.engine, assembly->policy_name);
}

/* ---- afterwards ------------------------------------------------------------------------------ */

void dyno_fleets_finish(struct dyno_assembly *assembly)
{
    struct dyno_fleets *fleets = assembly->fleets;
    struct dyno_fleet_totals sum = {0};

    for (uint32_t i = 0; fleets && i < fleets->models.count; i++) {
        struct dyno_workers *member = dyno_several_member(fleets->several, i);

        member->ops->totals(member, &fleets->totals[i]);
        if (dyno_fleets_of(assembly, i)->tiering.tiers) {
            dyno_tiers_totals(dyno_fleets_of(assembly, i)->tiering.tiers, &fleets->totals[i]);
        }
        fleets->totals[i].end_ns = assembly->result.end_ns;
        dyno_fleet_totals_add(&sum, &fleets->totals[i]);
        dyno_histogram_merge(&assembly->metrics.itl, &fleets->metrics[i].itl);
    }
    if (fleets) {
        assembly->totals = sum;
    }
}

/* GPU time is what can be summed, where workers have unequal numbers of GPUs. */
static void add_plan(struct dyno_plan_report *sum, const struct dyno_plan_report *plan)
{
    sum->decisions += plan->decisions;
    sum->starts += plan->starts;
    sum->start_failures += plan->start_failures;
    sum->drains += plan->drains;
    sum->worker_s += plan->worker_s;
    sum->gpu_s += plan->gpu_s;
}

static void report_plans(struct dyno_assembly *assembly, struct dyno_report *report)
{
    struct dyno_fleets *fleets = assembly->fleets;
    struct dyno_plan_report *sum = &assembly->plan_report;

    *sum = (struct dyno_plan_report){.policy = assembly->scenario->planner.policy,
                                     .gpus_max = fleets->budget.gpus_most};
    for (uint32_t i = 0; i < fleets->models.count; i++) {
        const struct dyno_assembly *of = dyno_fleets_of(assembly, i);

        dyno_planning_report(&of->planning, of->scenario, assembly->result.end_ns,
                             &fleets->plans[i]);
        add_plan(sum, &fleets->plans[i]);
        fleets->reports[i].plan = &fleets->plans[i];
    }
    report->plan = sum;
}

void dyno_fleets_report(struct dyno_assembly *assembly, struct dyno_report *report)
{
    struct dyno_fleets *fleets = assembly->fleets;

    if (!fleets) {
        return;
    }
    for (uint32_t i = 0; i < fleets->models.count; i++) {
        const struct dyno_assembly *of = dyno_fleets_of(assembly, i);

        fleets->reports[i] = (struct dyno_model_report){.name = fleets->models.of[i].name,
                                                        .model = of->timing_config.model.name,
                                                        .gpu = of->timing_config.gpu.name,
                                                        .metrics = &fleets->metrics[i],
                                                        .totals = &fleets->totals[i]};
    }
    if (assembly->planning.planner) {
        report_plans(assembly, report);
    }
    report->models = fleets->reports;
    report->model_count = fleets->models.count;
}

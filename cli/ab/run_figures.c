/* What a run has one of: throughput, GPU-hours; energy and costs where they are told.  Their
 * intervals are those of `dyno tune`, from what each part of the time adds to them, or over seeds;
 * totals are of as many requests, for a slower arm takes longer over the same ones. */
#include <stdlib.h>
#include <string.h>

#include "cli/ab/ab.h"
#include "cli/sure/sure.h"

static const struct {
    const char *name, *label;
    int decimals;
} figures[DYNO_AB_RUN_FIGURES] = {
    {"throughput.output_tokens_per_s", "output tokens/s", 1},
    {"throughput.requests_per_s", "requests/s", 2},
    {"goodput.per_gpu", "goodput/s per GPU", 3},
    {"fleet.gpu_hours", "GPU-hours", 3},
    {"kv.preemptions", "preemptions", 1},
    {"cost.energy_kwh", "kWh", 4},
    {"cost.total", "cost", 3},
    {"cost.per_million_output_tokens", "cost per M tokens out", 3},
};

/* All figures of arms a and b. */
static dyno_status compare(struct dyno_ab *ab, const struct dyno_tune_aims *aims,
                           struct dyno_arm_run *items, uint32_t a, uint32_t b,
                           struct dyno_error *error)
{
    uint32_t seeds = ab->runs.seeds;
    struct dyno_arm_runs two = ab->runs;
    struct dyno_tune_sure sure;

    memcpy(items, ab->runs.items + (size_t)a * seeds, seeds * sizeof *items);
    memcpy(items + seeds, ab->runs.items + (size_t)b * seeds, seeds * sizeof *items);
    two.items = items;
    two.arms = 2;
    DYNO_TRY(dyno_tune_sure_compute(&sure, &two, aims, ab->options.draws, error));
    for (uint32_t i = 0; i < DYNO_AB_RUN_FIGURES; i++) {
        ab->run_figures[i].arm[a] = sure.side[0][i];
        ab->run_figures[i].arm[b] = sure.side[1][i];
        ab->run_figures[i].difference[a][b] = sure.difference[0][i];
    }
    return DYNO_OK;
}

dyno_status dyno_ab_figure_runs(struct dyno_ab *ab, struct dyno_error *error)
{
    struct dyno_tune_aims aims = {.is_by_requests = true};
    struct dyno_arm_run *items = malloc(2 * (size_t)ab->runs.seeds * sizeof *items);
    dyno_status status = DYNO_OK;

    if (!items) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the figures of runs");
    }
    for (uint32_t i = 0; i < DYNO_AB_RUN_FIGURES; i++) {
        ab->run_figures[i].name = figures[i].name;
        ab->run_figures[i].label = figures[i].label;
        ab->run_figures[i].decimals = figures[i].decimals;
        (void)dyno_gate_metric_find(&aims.limits[aims.limit_count++].metric, figures[i].name);
    }
    for (uint32_t b = 1; b < ab->runs.arms && status == DYNO_OK; b++) {
        for (uint32_t a = 0; a < b && status == DYNO_OK; a++) {
            status = compare(ab, &aims, items, a, b, error);
        }
    }
    free(items);
    return status;
}

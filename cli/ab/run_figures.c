/* What a run has one of: throughput, GPU-hours; energy and costs where they are told.  Requests do
 * not make it, so blocks of them give no interval; seeds of a generator do. */
#include <math.h>
#include <string.h>

#include "cli/ab/ab.h"

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

static double value_of(const struct dyno_arm_run *run, const char *name)
{
    for (uint32_t i = 0; i < run->summary.row_count; i++) {
        const struct dyno_summary_row *row = &run->summary.rows[i];

        if (strcmp(row->name, name) == 0) {
            return row->kind == DYNO_SUMMARY_UNKNOWN ? NAN : row->real;
        }
    }
    return NAN;
}

/* Of arm b less arm a; of b itself where they are one. */
static struct dyno_estimate estimate(const struct dyno_ab *ab, const char *name, uint32_t a,
                                     uint32_t b)
{
    uint32_t seeds = ab->runs.seeds;
    double values[DYNO_AB_SEEDS_MAX], sum = 0.0;

    for (uint32_t seed = 0; seed < seeds; seed++) {
        double base = a == b ? 0.0 : value_of(&ab->runs.items[a * seeds + seed], name);

        values[seed] = value_of(&ab->runs.items[b * seeds + seed], name) - base;
        sum += values[seed];
    }
    return ab->figures.by_replicates ? dyno_estimate_of_replicates(values, seeds)
                                     : dyno_estimate_make(sum / seeds, NAN, 0.0);
}

void dyno_ab_figure_runs(struct dyno_ab *ab)
{
    for (uint32_t i = 0; i < DYNO_AB_RUN_FIGURES; i++) {
        struct dyno_ab_run_figure *figure = &ab->run_figures[i];

        figure->name = figures[i].name;
        figure->label = figures[i].label;
        figure->decimals = figures[i].decimals;
        for (uint32_t b = 0; b < ab->runs.arms; b++) {
            figure->arm[b] = estimate(ab, figure->name, b, b);
            for (uint32_t a = 0; a < b; a++) {
                figure->difference[a][b] = estimate(ab, figure->name, a, b);
            }
        }
    }
}

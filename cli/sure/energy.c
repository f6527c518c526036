#include "cli/sure/energy.h"

#include <math.h>
#include <stdlib.h>

#include "cli/sure/aims.h"

static double value_of(const struct dyno_arm_run *run, const char *name)
{
    return dyno_tune_summary_value(&run->summary, name);
}

bool dyno_tune_energy_is_known(const struct dyno_arm_run *run)
{
    return run->busy_count > 0 && isfinite(value_of(run, "cost.energy_kwh")) &&
           isfinite(value_of(run, "fleet.busy_fraction"));
}

/* The part of a run's energy that goes by what GPUs do (reports/run_figures.c). */
static double share_by_use(const struct dyno_arm_run *run)
{
    double roof = value_of(run, "fleet.mfu") + value_of(run, "fleet.mbu");
    double busy = value_of(run, "fleet.busy_fraction");
    double idle_share = run->with.scenario.cost.idle_share;
    double by_use = (1.0 - idle_share) * (roof < busy ? roof : busy);

    return by_use > 0.0 ? by_use / (idle_share + by_use) : 0.0;
}

/* The cell that holds an instant. */
static uint32_t cell_at(const double *edges, uint32_t cells, double at)
{
    uint32_t low = 0, high = cells - 1;

    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;

        if (edges[middle] <= at) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

/* So much over [from, until), to the cells that this lies in. */
static void spread(double *busy, const double *edges, uint32_t cells, double from, double until,
                   double amount)
{
    double at = from;

    for (uint32_t i = cell_at(edges, cells, from); i < cells && at < until; i++) {
        double end = i + 1 < cells ? fmin(until, edges[i + 1]) : until;

        busy[i] += amount * (end - at) / (until - from);
        at = end;
    }
}

static uint32_t workers_of(const struct dyno_arm_run *run)
{
    uint32_t workers = 0;

    for (uint32_t i = 0; i < run->busy_count; i++) {
        workers = run->busy[i].worker >= workers ? run->busy[i].worker + 1 : workers;
    }
    return workers;
}

dyno_status dyno_tune_energy(double *kwh, const struct dyno_arm_run *run, uint32_t cells,
                             const double *edges, const double *gpu_seconds,
                             double (*gpus_of)(const void *context, uint32_t worker),
                             const void *context)
{
    double whole = value_of(run, "cost.energy_kwh"), by_use = share_by_use(run);
    double up = 0.0, busy_all = 0.0;
    struct dyno_arm_busy *last = calloc(workers_of(run) + 1, sizeof *last);
    double *busy = calloc(cells, sizeof *busy);

    for (uint32_t i = 0; last && busy && i < run->busy_count; i++) {
        const struct dyno_arm_busy *look = &run->busy[i];
        struct dyno_arm_busy *before = &last[look->worker];

        if (look->at > before->at && look->busy_ns > before->busy_ns) {
            spread(busy, edges, cells, (double)before->at, (double)look->at,
                   (double)(look->busy_ns - before->busy_ns) * gpus_of(context, look->worker));
        }
        *before = *look;
    }
    for (uint32_t i = 0; busy && i < cells; i++) {
        up += gpu_seconds[i];
        busy_all += busy[i];
    }
    by_use = busy_all > 0.0 ? by_use : 0.0;
    for (uint32_t i = 0; busy && i < cells; i++) {
        kwh[i] = whole * ((1.0 - by_use) * (up > 0.0 ? gpu_seconds[i] / up : 0.0) +
                          by_use * (busy_all > 0.0 ? busy[i] / busy_all : 0.0));
    }
    free(busy);
    free(last);
    return busy && last ? DYNO_OK : DYNO_NO_MEMORY;
}

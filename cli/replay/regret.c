#include "cli/replay/regret.h"

#include <math.h>
#include <stdlib.h>

#include "cli/assembly/models.h"
#include "reports/summary.h"

static double good_share(const struct dyno_metrics *metrics)
{
    uint64_t good = dyno_slo_is_set(&metrics->slo) ? metrics->within_slo : metrics->completed;

    return metrics->requests > 0 ? (double)good / (double)metrics->requests : NAN;
}

static double ttft_p99_s(const struct dyno_metrics *metrics)
{
    return metrics->ttft.count > 0 ? (double)dyno_histogram_quantile(&metrics->ttft, 0.99) / 1e9
                                   : NAN;
}

static double gpu_hours(struct dyno_assembly *assembly)
{
    double hours = 0.0;

    for (uint32_t i = 0; i < dyno_fleets_count(assembly); i++) {
        const struct dyno_assembly *of = dyno_fleets_of(assembly, i);
        struct dyno_plan_report plan;

        dyno_planning_report(&of->planning, of->scenario, assembly->result.end_ns, &plan);
        hours += plan.worker_s * plan.worker_gpus / 3600;
    }
    return hours;
}

static void compare(struct dyno_plan_regret *out, struct dyno_assembly *done,
                    struct dyno_assembly *other)
{
    *out = (struct dyno_plan_regret){
        .gpu_hours = gpu_hours(done) - gpu_hours(other),
        .good_share = good_share(&other->metrics) - good_share(&done->metrics),
        .ttft_p99_s = ttft_p99_s(&done->metrics) - ttft_p99_s(&other->metrics),
    };
}

dyno_status dyno_regret_compute(struct dyno_plan_regret *out, struct dyno_assembly *done,
                                const volatile sig_atomic_t *interrupted, struct dyno_error *error)
{
    struct dyno_assembly *other = calloc(1, sizeof *other);
    struct dyno_scenario scenario = *done->asked;
    dyno_status status;

    if (!other) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    scenario.planner.policy = "clairvoyant";
    scenario.kv.bound_belady = false;
    other->trace_data = done->trace_data;
    other->trace_size = done->trace_size;
    status = dyno_assembly_open(other, &scenario, NULL, interrupted, 0, error);
    if (status == DYNO_OK) {
        status = dyno_assembly_run(other, error);
        if (status == DYNO_OK) {
            compare(out, done, other);
        }
        dyno_assembly_close(other);
    }
    free(other);
    return status;
}

/* The figures of a run that the table and the JSON share. */
#include <math.h>

#include "reports/summary.h"

#define NS_PER_S 1e9

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : NAN;
}

/* From the first arrival to the last event; 0 for a run in which nothing happened. */
static double duration_s(const struct dyno_metrics *metrics)
{
    if (metrics->first_arrival_ns == DYNO_NEVER ||
        metrics->last_event_ns <= metrics->first_arrival_ns) {
        return 0;
    }
    return (double)(metrics->last_event_ns - metrics->first_arrival_ns) / NS_PER_S;
}

/* The share of the fleet that was up, on average over the run: all of it where nobody planned. */
static double up_share(const struct dyno_report *report, double seconds)
{
    const struct dyno_plan_report *plan = report->plan;

    if (plan && report->model_count > 0) { /* whose workers have unequal numbers of GPUs */
        return plan->gpu_s / (report->totals->gpus * seconds);
    }
    return plan ? plan->worker_s / (report->totals->workers * seconds) : 1.0;
}

static void figure_goodput(struct dyno_figures *figures, const struct dyno_report *report)
{
    const struct dyno_metrics *metrics = report->metrics;
    double good = (double)metrics->within_slo;
    bool set = dyno_slo_is_set(&metrics->slo);

    figures->goodput_per_s = set ? ratio(good, figures->duration_s) : NAN;
    figures->goodput_fraction = set ? ratio(good, (double)metrics->requests) : NAN;
    figures->goodput_per_gpu =
        ratio(figures->goodput_per_s, report->totals->gpus * up_share(report, figures->duration_s));
}

static void figure_fleet(struct dyno_figures *figures, const struct dyno_report *report)
{
    const struct dyno_fleet_totals *totals = report->totals;
    double seconds = figures->duration_s;
    double ns = seconds * NS_PER_S;

    double up = seconds > 0 ? up_share(report, seconds) : 1.0;
    double workers = report->plan && report->model_count > 0 && seconds > 0
                         ? report->plan->worker_s / seconds
                         : up * totals->workers;

    figures->gpu_hours = up * totals->gpus * seconds / 3600;
    figures->busy_fraction = ratio((double)totals->busy_ns, workers * ns);
    figures->mfu = ratio(report->model_flops, up * report->flops_peak * seconds);
    figures->mbu = ratio(report->model_bytes, up * report->bytes_peak * seconds);
    figures->kv_use = ratio((double)totals->block_ns_used, (double)totals->blocks_total * ns);
    if (totals->block_ns_used == 0 && totals->busy_ns > 0) {
        figures->kv_use = NAN; /* what is busy holds blocks: nobody looked */
    }
}

static void figure_cost(struct dyno_figures *figures, const struct dyno_report *report)
{
    const struct dyno_cost_report *cost = report->cost;
    double roof = figures->mfu + figures->mbu;
    double use = roof > figures->busy_fraction ? figures->busy_fraction : roof;

    figures->gpu_watts = figures->energy_kwh = figures->cost = figures->cost_per_million = NAN;
    if (!cost) {
        return;
    }
    figures->gpu_watts = cost->watts_max * (cost->idle_share + (1.0 - cost->idle_share) * use);
    figures->energy_kwh = figures->gpu_watts * figures->gpu_hours / 1000.0;
    if (!(cost->gpu_hour_price > 0.0) && !(cost->kwh_price > 0.0)) {
        return; /* what nobody gave a price for is not free */
    }
    figures->cost =
        figures->gpu_hours * cost->gpu_hour_price + figures->energy_kwh * cost->kwh_price;
    figures->cost_per_million =
        ratio(figures->cost, (double)report->metrics->completed_output_tokens / 1e6);
}

/* A client does not see into a server; and a hit rate of 0 is what those say who do not tell. */
static void hide_inside(struct dyno_figures *figures)
{
    if (figures->token_hit_rate <= 0) {
        figures->token_hit_rate = NAN;
    }
    figures->gpu_hours = figures->busy_fraction = figures->mfu = figures->mbu = figures->kv_use =
        NAN;
}

struct dyno_figures dyno_figures_of(const struct dyno_report *report)
{
    const struct dyno_metrics *metrics = report->metrics;
    const struct dyno_fleet_totals *totals = report->totals;
    struct dyno_figures figures = {.duration_s = duration_s(metrics)};
    double seconds = figures.duration_s;

    figures.requests_per_s = ratio((double)metrics->completed, seconds);
    figures.input_tokens_per_s = ratio((double)metrics->completed_input_tokens, seconds);
    figures.output_tokens_per_s = ratio((double)metrics->completed_output_tokens, seconds);
    figures.token_hit_rate =
        ratio((double)metrics->cached_tokens, (double)metrics->admitted_input_tokens);
    figures.block_hit_rate =
        ratio((double)totals->prompt_blocks_hit, (double)totals->prompt_blocks);
    figure_goodput(&figures, report);
    figure_fleet(&figures, report);
    figure_cost(&figures, report);
    if (report->client) {
        hide_inside(&figures);
    }
    return figures;
}

struct dyno_figures dyno_model_figures_of(const struct dyno_report *report, uint32_t model)
{
    const struct dyno_model_report *of = &report->models[model];
    struct dyno_metrics metrics = *of->metrics;
    struct dyno_report alone = {.metrics = &metrics, .totals = of->totals, .plan = of->plan};
    struct dyno_figures figures;

    metrics.first_arrival_ns = report->metrics->first_arrival_ns;
    metrics.last_event_ns = report->metrics->last_event_ns;
    figures = dyno_figures_of(&alone);
    figures.mfu = figures.mbu = NAN;
    return figures;
}

/* The numbers of a run, by name and in order. */
#include "reports/summary.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>

#define NS_PER_S  1e9
#define NS_PER_MS 1e6

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : NAN;
}

/* A bound: negative means that nobody computed it. */
static double known(double fraction)
{
    return fraction >= 0 ? fraction : NAN;
}

enum dyno_client_limit dyno_client_limit_of(const struct dyno_report *report)
{
    const struct dyno_client_report *client = report->client;
    double lag;

    if (!client) {
        return DYNO_CLIENT_FREE;
    }
    if (client->cpu_fraction >= 0.9) {
        return DYNO_CLIENT_CPU;
    }
    lag = (double)dyno_histogram_quantile(client->lag, 0.99);
    return report->metrics->ttft.count > 0 && lag > NS_PER_MS &&
                   lag > dyno_histogram_mean(&report->metrics->ttft) / 20
               ? DYNO_CLIENT_LAG
               : DYNO_CLIENT_FREE;
}

bool dyno_slo_is_set(const struct dyno_slo *slo)
{
    return slo->ttft_ns || slo->tpot_ns || slo->itl_ns || slo->e2e_ns;
}

uint64_t dyno_tier_own_hits(const struct dyno_fleet_totals *totals)
{
    uint64_t below = totals->peers.hit_blocks;

    for (uint32_t i = 0; i < totals->tier_count; i++) {
        below += totals->tiers[i].hit_blocks;
    }
    return totals->prompt_blocks_hit - below;
}

void dyno_summary_model(char out[DYNO_SUMMARY_MODEL_MAX], const char *name)
{
    uint32_t i = 0;

    for (; name[i] && i + 1 < DYNO_SUMMARY_MODEL_MAX; i++) {
        out[i] = isalnum((unsigned char)name[i]) || name[i] == '-' ? name[i] : '_';
    }
    out[i] = '\0';
}

static struct dyno_summary_row *next_row(struct dyno_summary *summary, const char *group,
                                         const char *key)
{
    struct dyno_summary_row *row = &summary->rows[summary->row_count++];
    int length;

    assert(summary->row_count <= DYNO_SUMMARY_ROWS_MAX);
    length = snprintf(row->name, sizeof row->name, "%s%s%s", group, *group ? "." : "", key);
    assert(length > 0 && (size_t)length < sizeof row->name);
    return row;
}

static void put_count(struct dyno_summary *summary, const char *group, const char *key,
                      uint64_t value)
{
    struct dyno_summary_row *row = next_row(summary, group, key);

    row->kind = DYNO_SUMMARY_COUNT;
    row->count = value;
    row->real = (double)value;
}

static void put_real(struct dyno_summary *summary, const char *group, const char *key, double value)
{
    struct dyno_summary_row *row = next_row(summary, group, key);

    row->kind = isfinite(value) ? DYNO_SUMMARY_REAL : DYNO_SUMMARY_UNKNOWN;
    row->count = 0;
    row->real = isfinite(value) ? value : 0;
}

static void put_quantile(struct dyno_summary *summary, const char *group, const char *key,
                         const struct dyno_histogram *histogram, double fraction)
{
    double value = (double)dyno_histogram_quantile(histogram, fraction) / NS_PER_MS;

    put_real(summary, group, key, histogram->count ? value : NAN);
}

static void put_latency(struct dyno_summary *summary, const char *group,
                        const struct dyno_histogram *histogram)
{
    bool any = histogram->count > 0;

    put_count(summary, group, "count", histogram->count);
    put_real(summary, group, "mean", any ? dyno_histogram_mean(histogram) / NS_PER_MS : NAN);
    put_real(summary, group, "std", any ? dyno_histogram_deviation(histogram) / NS_PER_MS : NAN);
    put_real(summary, group, "min", any ? (double)histogram->min / NS_PER_MS : NAN);
    put_quantile(summary, group, "p50", histogram, 0.50);
    put_quantile(summary, group, "p90", histogram, 0.90);
    put_quantile(summary, group, "p95", histogram, 0.95);
    put_quantile(summary, group, "p99", histogram, 0.99);
    put_real(summary, group, "max", any ? (double)histogram->max / NS_PER_MS : NAN);
}

static void put_requests(struct dyno_summary *summary, const struct dyno_report *report)
{
    const struct dyno_metrics *metrics = report->metrics;

    put_count(summary, "trace", "requests", report->trace_requests);
    put_count(summary, "trace", "input_tokens", report->trace_input_tokens);
    put_count(summary, "trace", "output_tokens", report->trace_output_tokens);
    put_count(summary, "trace", "lines_skipped", report->lines_skipped);
    put_count(summary, "trace", "failed_dropped", report->failed_dropped);
    put_count(summary, "requests", "completed", metrics->completed);
    put_count(summary, "requests", "rejected", metrics->rejected);
    put_count(summary, "requests", "cancelled", metrics->cancelled);
    put_count(summary, "requests", "failed", metrics->failed);
}

static void put_latencies(struct dyno_summary *summary, const struct dyno_report *report)
{
    const struct dyno_metrics *metrics = report->metrics;

    put_latency(summary, "ttft_ms", &metrics->ttft);
    put_latency(summary, "itl_ms", &metrics->itl);
    put_latency(summary, "tpot_ms", &metrics->tpot);
    put_latency(summary, "e2e_ms", &metrics->e2e);
    put_latency(summary, "phases_ms.client_wait", &metrics->client_wait);
    put_latency(summary, "phases_ms.ingest", &metrics->ingest);
    put_latency(summary, "phases_ms.queue", &metrics->queue);
    if (report->totals->tier_count > 0 || report->totals->peers.level > 0) {
        put_latency(summary, "phases_ms.onboard", &metrics->onboard);
    }
    put_latency(summary, "phases_ms.prefill", &metrics->prefill);
    put_latency(summary, "phases_ms.transfer", &metrics->transfer);
    put_latency(summary, "phases_ms.decode", &metrics->decode);
}

static void put_rates(struct dyno_summary *summary, const struct dyno_report *report,
                      const struct dyno_figures *figures)
{
    put_real(summary, "throughput", "requests_per_s", figures->requests_per_s);
    put_real(summary, "throughput", "input_tokens_per_s", figures->input_tokens_per_s);
    put_real(summary, "throughput", "output_tokens_per_s", figures->output_tokens_per_s);
    if (dyno_slo_is_set(&report->metrics->slo)) {
        put_real(summary, "goodput", "requests_per_s", figures->goodput_per_s);
        put_real(summary, "goodput", "fraction", figures->goodput_fraction);
        put_real(summary, "goodput", "per_gpu", figures->goodput_per_gpu);
    } else {
        put_real(summary, "", "goodput", NAN); /* no objective, no goodput */
    }
}

static void put_tier(struct dyno_summary *summary, const struct dyno_fleet_totals *totals,
                     const struct dyno_tier_totals *tier)
{
    double blocks = (double)totals->prompt_blocks;
    char group[DYNO_SUMMARY_NAME_MAX];

    (void)snprintf(group, sizeof group, "kv.tiers.g%u", tier->level);
    put_real(summary, group, "hit_rate", ratio((double)tier->hit_blocks, blocks));
    put_count(summary, group, "hit_blocks", tier->hit_blocks);
    put_count(summary, group, "pools", tier->pools);
    put_count(summary, group, "blocks", tier->blocks_total);
    put_count(summary, group, "blocks_kept", tier->blocks_idle);
    put_count(summary, group, "stores", tier->stores);
    put_real(summary, group, "stored_bytes", (double)tier->stored_bytes);
    put_real(summary, group, "store_wait_ms", (double)tier->store_wait_ns / NS_PER_MS);
    put_count(summary, group, "loads", tier->loads);
    put_real(summary, group, "loaded_bytes", (double)tier->loaded_bytes);
    put_real(summary, group, "load_wait_ms", (double)tier->load_wait_ns / NS_PER_MS);
    put_count(summary, group, "evicted_blocks", tier->evicted_blocks);
    put_count(summary, group, "skipped_blocks", tier->skipped_blocks);
    put_count(summary, group, "declined_blocks", tier->declined_blocks);
    put_count(summary, group, "slow_blocks", tier->slow_blocks);
    put_count(summary, group, "lost_blocks", tier->lost_blocks);
}

/* What came from other workers' GPUs. */
static void put_peers(struct dyno_summary *summary, const struct dyno_fleet_totals *totals)
{
    const struct dyno_tier_totals *peers = &totals->peers;

    put_real(summary, "kv.tiers.peers", "hit_rate",
             ratio((double)peers->hit_blocks, (double)totals->prompt_blocks));
    put_count(summary, "kv.tiers.peers", "hit_blocks", peers->hit_blocks);
    put_count(summary, "kv.tiers.peers", "loads", peers->loads);
    put_real(summary, "kv.tiers.peers", "loaded_bytes", (double)peers->loaded_bytes);
    put_real(summary, "kv.tiers.peers", "load_wait_ms", (double)peers->load_wait_ns / NS_PER_MS);
    put_count(summary, "kv.tiers.peers", "slow_blocks", peers->slow_blocks);
    put_count(summary, "kv.tiers.peers", "lost_blocks", peers->lost_blocks);
}

/* Only where there are some: the GPUs' own memory first. */
static void put_tiers(struct dyno_summary *summary, const struct dyno_fleet_totals *totals)
{
    uint64_t own = dyno_tier_own_hits(totals);

    if (totals->tier_count == 0 && totals->peers.level == 0) {
        return;
    }
    put_real(summary, "kv.tiers.g1", "hit_rate", ratio((double)own, (double)totals->prompt_blocks));
    put_count(summary, "kv.tiers.g1", "hit_blocks", own);
    put_count(summary, "kv.tiers.g1", "pools", totals->workers);
    put_count(summary, "kv.tiers.g1", "blocks", totals->blocks_total);
    put_count(summary, "kv.tiers.g1", "evicted_blocks", totals->evicted_blocks);
    if (totals->peers.level > 0) {
        put_peers(summary, totals);
    }
    for (uint32_t i = 0; i < totals->tier_count; i++) {
        put_tier(summary, totals, &totals->tiers[i]);
    }
}

static void put_fleet(struct dyno_summary *summary, const struct dyno_report *report,
                      const struct dyno_figures *figures)
{
    const struct dyno_fleet_totals *totals = report->totals;

    put_real(summary, "kv", "token_hit_rate", figures->token_hit_rate);
    put_real(summary, "kv", "block_hit_rate", figures->block_hit_rate);
    put_real(summary, "kv", "unbounded_hit_rate", known(report->unbounded_hit_rate));
    put_real(summary, "kv", "unbounded_token_hit_rate", known(report->unbounded_token_hit_rate));
    put_real(summary, "kv", "belady_hit_rate", known(report->belady_hit_rate));
    put_count(summary, "kv", "evicted_blocks", totals->evicted_blocks);
    put_count(summary, "kv", "preemptions", totals->preemptions);
    put_tiers(summary, totals);
    put_count(summary, "transfers", "count", totals->transfers);
    put_count(summary, "transfers", "bytes", (uint64_t)totals->transfer_bytes);
    put_real(summary, "transfers", "wait_ms", (double)totals->transfer_wait_ns / NS_PER_MS);
    put_count(summary, "transfers", "given_up", totals->transfers_given_up);
    put_count(summary, "transfers", "sent_again", totals->transfers_sent_again);
    put_count(summary, "fleet", "workers", totals->workers);
    put_count(summary, "fleet", "gpus", totals->gpus);
    put_real(summary, "fleet", "gpu_hours", figures->gpu_hours);
    put_real(summary, "fleet", "busy_fraction", figures->busy_fraction);
    put_real(summary, "fleet", "mfu", figures->mfu);
    put_real(summary, "fleet", "mbu", figures->mbu);
    put_real(summary, "fleet", "kv_use", figures->kv_use);
    put_real(summary, "", "duration_s", figures->duration_s);
}

const struct dyno_link_report *dyno_fullest_link(const struct dyno_links_report *links)
{
    const struct dyno_link_report *fullest = NULL;
    double most = 0;

    for (uint32_t i = 0; i < links->count; i++) {
        double use = (double)links->links[i].bytes / (double)links->links[i].bytes_per_s;

        if (!fullest || use > most) {
            fullest = &links->links[i];
            most = use;
        }
    }
    return fullest;
}

static void put_links(struct dyno_summary *summary, const struct dyno_links_report *links)
{
    const struct dyno_link_report *fullest = links ? dyno_fullest_link(links) : NULL;
    double speed;

    if (!links) {
        return;
    }
    put_count(summary, "links", "count", links->count);
    if (fullest) {
        speed = (double)fullest->bytes_per_s;
        put_real(summary, "links.fullest", "use",
                 ratio((double)fullest->bytes, speed * (double)links->end_ns / NS_PER_S));
        put_real(summary, "links.fullest", "peak_use",
                 fullest->peak_bytes_per_s > 0 ? (double)fullest->peak_bytes_per_s / speed : NAN);
        put_real(summary, "links.fullest", "busy_fraction",
                 ratio((double)fullest->busy_ns, (double)links->end_ns));
        put_count(summary, "links.fullest", "bytes", fullest->bytes);
    }
}

static void put_looks(struct dyno_summary *summary, const char *group, const uint64_t *looks)
{
    for (int i = 0; looks && i < DYNO_PLAN_REASONS; i++) {
        put_count(summary, group, dyno_plan_reason_name((enum dyno_plan_reason)i), looks[i]);
    }
}

static void put_plan(struct dyno_summary *summary, const struct dyno_report *report)
{
    const struct dyno_plan_report *plan = report->plan;

    if (!plan) {
        return;
    }
    put_count(summary, "planner", "decisions", plan->decisions);
    put_real(summary, "planner", "gpu_hours",
             (report->model_count > 0 ? plan->gpu_s : plan->worker_s * plan->worker_gpus) / 3600);
    put_count(summary, "planner", "starts", plan->starts);
    put_count(summary, "planner", "start_failures", plan->start_failures);
    put_count(summary, "planner", "drains", plan->drains);
    if (report->model_count > 0) {
        put_count(summary, "planner", "gpus_max", plan->gpus_max);
    } else {
        put_count(summary, "planner", "workers_max", plan->workers_max);
    }
    if (plan->has_roles) {
        put_count(summary, "planner", "changes", plan->changes);
        put_looks(summary, "planner.looks.decode", plan->looks[DYNO_ROLE_SERVE]);
        put_looks(summary, "planner.looks.prefill", plan->looks[DYNO_ROLE_PREFILL]);
    } else {
        put_looks(summary, "planner.looks", plan->looks[DYNO_ROLE_SERVE]);
    }
    if (plan->regret) {
        put_real(summary, "planner.regret", "gpu_hours", plan->regret->gpu_hours);
        put_real(summary, "planner.regret", "good_share", plan->regret->good_share);
        put_real(summary, "planner.regret", "ttft_p99_s", plan->regret->ttft_p99_s);
    }
}

/* A latency in short. */
static void put_model_latency(struct dyno_summary *summary, const char *group, const char *name,
                              const struct dyno_histogram *histogram)
{
    char both[DYNO_SUMMARY_NAME_MAX];

    (void)snprintf(both, sizeof both, "%s.%s", group, name);
    put_real(summary, both, "mean",
             histogram->count > 0 ? dyno_histogram_mean(histogram) / NS_PER_MS : NAN);
    put_quantile(summary, both, "p50", histogram, 0.50);
    put_quantile(summary, both, "p99", histogram, 0.99);
}

static void put_model(struct dyno_summary *summary, const struct dyno_report *report, uint32_t i)
{
    const struct dyno_model_report *model = &report->models[i];
    const struct dyno_metrics *metrics = model->metrics;
    struct dyno_figures figures = dyno_model_figures_of(report, i);
    char key[DYNO_SUMMARY_MODEL_MAX], group[DYNO_SUMMARY_NAME_MAX];

    dyno_summary_model(key, model->name);
    (void)snprintf(group, sizeof group, "models.%s", key);
    put_count(summary, group, "requests", metrics->requests);
    put_count(summary, group, "completed", metrics->completed);
    put_real(summary, group, "requests_per_s", figures.requests_per_s);
    put_real(summary, group, "output_tokens_per_s", figures.output_tokens_per_s);
    put_real(summary, group, "goodput_per_s", figures.goodput_per_s);
    put_real(summary, group, "goodput_fraction", figures.goodput_fraction);
    put_real(summary, group, "token_hit_rate", figures.token_hit_rate);
    put_real(summary, group, "busy_fraction", figures.busy_fraction);
    put_count(summary, group, "workers", model->totals->workers);
    put_count(summary, group, "gpus", model->totals->gpus);
    put_real(summary, group, "gpu_hours", figures.gpu_hours);
    put_model_latency(summary, group, "ttft_ms", &metrics->ttft);
    put_model_latency(summary, group, "itl_ms", &metrics->itl);
    put_model_latency(summary, group, "tpot_ms", &metrics->tpot);
    put_model_latency(summary, group, "e2e_ms", &metrics->e2e);
    if (model->plan) {
        (void)snprintf(group, sizeof group, "models.%s.planner", key);
        put_count(summary, group, "decisions", model->plan->decisions);
        put_count(summary, group, "workers_max", model->plan->workers_max);
        (void)snprintf(group, sizeof group, "models.%s.planner.looks", key);
        put_looks(summary, group, model->plan->looks[DYNO_ROLE_SERVE]);
    }
}

static void put_faults(struct dyno_summary *summary, const struct dyno_report *report)
{
    const struct dyno_fault_report *faults = report->faults;

    if (!faults) {
        return;
    }
    put_count(summary, "faults", "deaths", faults->totals->deaths);
    put_count(summary, "faults", "stalls", faults->totals->faults[DYNO_FAULT_STALL]);
    put_count(summary, "faults", "link_outages", faults->totals->faults[DYNO_FAULT_LINK]);
    put_count(summary, "faults", "restarts", faults->restarts);
    put_count(summary, "faults", "requests_migrated", faults->totals->migrated);
    put_count(summary, "faults", "migrations", faults->totals->migrations);
    put_count(summary, "faults", "tokens_recomputed", faults->tokens_recomputed);
    put_count(summary, "faults", "requests_lost", faults->totals->lost);
    put_real(summary, "faults", "ready_share", faults->ready_share);
}

static void put_queue(struct dyno_summary *summary, const struct dyno_report *report)
{
    const struct dyno_queue_report *queue = report->queue;

    if (!queue) {
        return;
    }
    put_count(summary, "queue", "waited", queue->waited);
    put_count(summary, "queue", "requests_peak", queue->requests_peak);
    put_count(summary, "queue", "tokens_peak", queue->tokens_peak);
    put_count(summary, "queue", "rejected_full", report->metrics->rejected_full);
    put_count(summary, "queue", "rejected_timeout", report->metrics->rejected_timeout);
    put_latency(summary, "queue.wait_ms", &report->metrics->held);
}

static void put_cost(struct dyno_summary *summary, const struct dyno_report *report,
                     const struct dyno_figures *figures)
{
    if (report->cost) {
        put_real(summary, "cost", "gpu_watts", figures->gpu_watts);
        put_real(summary, "cost", "energy_kwh", figures->energy_kwh);
        put_real(summary, "cost", "total", figures->cost);
        put_real(summary, "cost", "per_million_output_tokens", figures->cost_per_million);
    }
}

static void put_client(struct dyno_summary *summary, const struct dyno_report *report)
{
    const struct dyno_client_report *client = report->client;

    if (client) {
        put_latency(summary, "client.lag_ms", client->lag);
        if (client->ttft_sent) {
            put_latency(summary, "client.ttft_sent_ms", client->ttft_sent);
        }
        put_real(summary, "client", "cpu_fraction", client->cpu_fraction);
        put_count(summary, "client", "connections", client->connections);
        put_count(summary, "client", "limited", dyno_client_limit_of(report) != DYNO_CLIENT_FREE);
    }
}

static void put_intervals(struct dyno_summary *summary, const struct dyno_report *report)
{
    if (report->interval_count > 0 || report->intervals_lacking) {
        put_count(summary, "intervals", "replicas", report->interval_replicas);
    }
    if (report->intervals_lacking) {
        put_count(summary, "intervals.left_out", report->intervals_lacking, 1);
    }
    for (uint32_t i = 0; i < report->interval_count; i++) {
        char group[DYNO_SUMMARY_NAME_MAX];

        (void)snprintf(group, sizeof group, "intervals.%s", report->intervals[i].metric);
        put_real(summary, group, "low", report->intervals[i].low);
        put_real(summary, group, "high", report->intervals[i].high);
    }
}

static void put_extrapolated(struct dyno_summary *summary, const struct dyno_report *report)
{
    put_count(summary, "extrapolated", "count", report->extrapolated_count);
    for (uint32_t i = 0; i < report->extrapolated_count; i++) {
        put_count(summary, "extrapolated", report->extrapolated[i].what, 1);
    }
}

void dyno_summary_fill(struct dyno_summary *summary, const struct dyno_report *report)
{
    struct dyno_figures figures = dyno_figures_of(report);

    summary->row_count = 0;
    put_requests(summary, report);
    put_latencies(summary, report);
    put_rates(summary, report, &figures);
    put_fleet(summary, report, &figures);
    put_queue(summary, report);
    put_plan(summary, report);
    for (uint32_t i = 0; i < report->model_count; i++) {
        put_model(summary, report, i);
    }
    put_faults(summary, report);
    put_links(summary, report->links);
    put_cost(summary, report, &figures);
    put_client(summary, report);
    put_extrapolated(summary, report);
    put_intervals(summary, report);
}

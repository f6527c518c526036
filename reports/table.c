/* The page on the terminal: what a run did, in the order in which one asks.
 *
 * Plain UTF-8 text, the same for the same inputs; section names are bold on a terminal only.
 * Warnings come first after the title, so that nobody reads numbers without them. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "core/base/units.h"
#include "reports/table_lines.h"

static void put_title(const struct dyno_table_page *page)
{
    const char *title = page->report->title ? page->report->title : "untitled run";

    fprintf(page->out, "%s%s%s\n", page->bold ? "\033[1m" : "", title, page->bold ? "\033[0m" : "");
    for (size_t i = dyno_format_width(title); i > 0; i--) {
        fputs("─", page->out);
    }
    fputc('\n', page->out);
}

static void put_warning(const struct dyno_table_page *page, uint64_t count, const char *one,
                        const char *many)
{
    if (count > 0) {
        dyno_table_count(page, "warning: ", count, count == 1 ? one : many);
    }
}

static void put_failures(const struct dyno_table_page *page,
                         const struct dyno_client_report *client)
{
    for (uint32_t i = 0; i < client->failure_count; i++) {
        dyno_table_count(page, "         ", client->failures[i].count, " x ");
        fprintf(page->out, "%s\n", client->failures[i].why);
    }
    if (client->failures_left_out > 0) {
        dyno_table_count(page, "         ", client->failures_left_out, " x other reasons\n");
    }
}

/* The client measured itself, not the server. */
static void put_limit(const struct dyno_table_page *page)
{
    switch (dyno_client_limit_of(page->report)) {
    case DYNO_CLIENT_FREE:
        break;
    case DYNO_CLIENT_CPU:
        fputs("warning: client-limited: its thread had no time left, so these are not the server's "
              "numbers\n",
              page->out);
        break;
    case DYNO_CLIENT_LAG:
        fputs("warning: client-limited: it sent requests late, so these are not the server's "
              "numbers\n",
              page->out);
        break;
    }
}

static void put_warnings(const struct dyno_table_page *page)
{
    const struct dyno_report *report = page->report;
    const struct dyno_metrics *metrics = report->metrics;
    uint64_t rejected = metrics->rejected_full + metrics->rejected_timeout;

    if (report->interrupted) {
        dyno_table_count(page, "warning: cut short with ", report->requests_unfinished,
                         " requests in flight; these are the numbers of what had ended\n");
    }
    put_warning(page, rejected, " request was rejected and counts towards no latency\n",
                " requests were rejected and count towards no latency\n");
    put_warning(page, metrics->rejected - rejected,
                " request was rejected, being longer with its answer than the model's context or a "
                "worker's KV cache\n",
                " requests were rejected, being longer with their answers than the model's context "
                "or a worker's KV cache\n");
    put_warning(page, metrics->failed, " request failed and counts towards no latency\n",
                " requests failed and count towards no latency\n");
    if (report->client) {
        put_failures(page, report->client);
    }
    put_limit(page);
    put_warning(page, report->lines_skipped, " bad line of the trace was skipped\n",
                " bad lines of the trace were skipped\n");
    put_warning(page, report->failed_dropped,
                " request that the trace recorded as failed was not replayed\n",
                " requests that the trace recorded as failed were not replayed\n");
}

static void put_mean_tokens(const struct dyno_table_page *page, uint64_t tokens, const char *after)
{
    double requests = (double)page->report->metrics->requests;

    dyno_table_fixed(page, " (mean ", requests > 0 ? (double)tokens / requests : NAN, 0, after);
}

static void put_requests(const struct dyno_table_page *page)
{
    const struct dyno_metrics *metrics = page->report->metrics;
    char span[DYNO_FORMAT_MAX];

    dyno_table_section(page, "Requests");
    dyno_table_count(page, "", metrics->completed, " completed");
    dyno_table_count(page, ", ", metrics->rejected, " rejected");
    dyno_table_count(page, ", ", metrics->cancelled, " cancelled");
    dyno_table_count(page, ", ", metrics->failed, " failed\n");
    dyno_table_more(page);
    dyno_table_count(page, "", metrics->input_tokens, " input tokens");
    put_mean_tokens(page, metrics->input_tokens, "), ");
    dyno_table_count(page, "", metrics->output_tokens, " output tokens");
    put_mean_tokens(page, metrics->output_tokens, ")\n");
    dyno_table_more(page);
    fprintf(page->out, "%s %s", dyno_format_span(span, page->figures.duration_s),
            page->report->device ? "in real time" : "simulated");
    if (page->figures.duration_s >= 60) {
        dyno_table_fixed(page, " (", page->figures.duration_s, 1, " s)");
    }
    fputc('\n', page->out);
}

static double to_ms(dyno_ns value)
{
    return (double)value / 1e6;
}

/* One line of the latency section.  All its figures have the decimals that suit its median. */
static void put_latency(const struct dyno_table_page *page, const char *label,
                        const struct dyno_histogram *histogram)
{
    double values[] = {
        dyno_histogram_mean(histogram) / 1e6,
        to_ms(dyno_histogram_quantile(histogram, 0.50)),
        to_ms(dyno_histogram_quantile(histogram, 0.90)),
        to_ms(dyno_histogram_quantile(histogram, 0.95)),
        to_ms(dyno_histogram_quantile(histogram, 0.99)),
        to_ms(histogram->max),
    };
    char text[DYNO_FORMAT_MAX];

    dyno_table_label(page, label, false);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        double value = histogram->count ? values[i] : NAN;

        dyno_table_cell(page, dyno_format_fixed(text, value, dyno_table_decimals(values[1])));
    }
    dyno_table_cell(page, dyno_format_count(text, histogram->count));
    fputc('\n', page->out);
}

static void put_latencies(const struct dyno_table_page *page)
{
    static const char *const heads[] = {"mean", "p50", "p90", "p95", "p99", "max", "n"};
    const struct dyno_metrics *metrics = page->report->metrics;

    dyno_table_section(page, "Latency, ms");
    dyno_table_cells(page, heads, sizeof heads / sizeof *heads);
    put_latency(page, "  TTFT", &metrics->ttft);
    put_latency(page, "  ITL", &metrics->itl);
    put_latency(page, "  TPOT", &metrics->tpot);
    put_latency(page, "  E2E", &metrics->e2e);
}

static void put_phase(const struct dyno_table_page *page, const char *label,
                      const struct dyno_histogram *histogram)
{
    double mean = histogram->count ? dyno_histogram_mean(histogram) / 1e6 : NAN;
    double whole = dyno_histogram_mean(&page->report->metrics->e2e) / 1e6;
    char text[DYNO_FORMAT_MAX];

    dyno_table_label(page, label, false);
    dyno_table_cell(page, dyno_format_fixed(text, mean, dyno_table_decimals(mean)));
    dyno_table_cell(page, dyno_format_percent(text, whole > 0 ? mean / whole : NAN));
    fputc('\n', page->out);
}

/* Only where a client held requests back: it is no part of e2e, so it has no share of it. */
static void put_client_wait(const struct dyno_table_page *page)
{
    const struct dyno_histogram *wait = &page->report->metrics->client_wait;
    double mean = dyno_histogram_mean(wait) / 1e6;
    char text[DYNO_FORMAT_MAX];

    if (wait->count == 0 || wait->max == 0) {
        return;
    }
    dyno_table_label(page, "  before sending", false);
    dyno_table_cell(page, dyno_format_fixed(text, mean, dyno_table_decimals(mean)));
    dyno_table_cell(page, "not in e2e");
    fputc('\n', page->out);
}

static void put_phases(const struct dyno_table_page *page)
{
    static const char *const heads[] = {"mean, ms", "of e2e"};
    const struct dyno_metrics *metrics = page->report->metrics;

    dyno_table_section(page, "Where time goes");
    dyno_table_cells(page, heads, sizeof heads / sizeof *heads);
    put_client_wait(page);
    if (page->report->client) { /* what of it can be seen from outside */
        put_phase(page, "  sending", &metrics->ingest);
        put_phase(page, "  until headers", &metrics->queue);
        put_phase(page, "  until token", &metrics->prefill);
    } else {
        put_phase(page, "  ingest", &metrics->ingest);
        put_phase(page, "  queue", &metrics->queue);
        if (metrics->onboard.max > 0) {
            put_phase(page, "  onboard", &metrics->onboard);
        }
        put_phase(page, "  prefill", &metrics->prefill);
    }
    if (metrics->transfer.max > 0) {
        put_phase(page, "  transfer", &metrics->transfer);
    }
    put_phase(page, "  decode", &metrics->decode);
}

static void put_rate(const struct dyno_table_page *page, const char *before, double per_second,
                     const char *after)
{
    dyno_table_fixed(page, before, per_second, dyno_table_decimals(per_second), after);
}

static void put_objective(const struct dyno_table_page *page, const char **before, const char *name,
                          dyno_ns limit)
{
    char text[DYNO_UNITS_TEXT_MAX];

    if (limit > 0) {
        dyno_print_duration(text, limit);
        fprintf(page->out, "%s%s <= %s", *before, name, text);
        *before = ", ";
    }
}

static void put_goodput(const struct dyno_table_page *page)
{
    const struct dyno_slo *slo = &page->report->metrics->slo;
    const struct dyno_figures *figures = &page->figures;
    const char *before = "within ";

    dyno_table_section(page, "Goodput");
    put_rate(page, "", figures->goodput_per_s, " requests/s");
    if (page->report->client) {
        fputs(", ", page->out);
    } else {
        put_rate(page, " (", figures->goodput_per_gpu, " per GPU), ");
    }
    dyno_table_percent(page, "", figures->goodput_fraction, " of requests\n");
    dyno_table_more(page);
    put_objective(page, &before, "ttft", slo->ttft_ns);
    put_objective(page, &before, "tpot", slo->tpot_ns);
    put_objective(page, &before, "itl", slo->itl_ns);
    put_objective(page, &before, "e2e", slo->e2e_ns);
    fputc('\n', page->out);
}

static void put_throughput(const struct dyno_table_page *page)
{
    const struct dyno_figures *figures = &page->figures;

    dyno_table_section(page, "Throughput");
    put_rate(page, "", figures->requests_per_s, " requests/s");
    put_rate(page, ", ", figures->input_tokens_per_s, " input tokens/s");
    put_rate(page, ", ", figures->output_tokens_per_s, " output tokens/s\n");
    if (dyno_slo_is_set(&page->report->metrics->slo)) {
        put_goodput(page);
    }
}

/* What a hit rate may be held against; only what was computed. */
static void put_bounds(const struct dyno_table_page *page)
{
    const struct dyno_report *report = page->report;

    if (report->belady_hit_rate >= 0) {
        dyno_table_more(page);
        dyno_table_percent(page, "bounds   ", report->unbounded_token_hit_rate,
                           " in an endless cache, ");
        dyno_table_percent(page, "", report->belady_hit_rate,
                           " in this much with perfect foresight\n");
    } else if (report->unbounded_hit_rate >= 0) {
        dyno_table_more(page);
        dyno_table_percent(page, "bound    ", report->unbounded_hit_rate,
                           " of the trace's blocks in an endless cache\n");
    }
}

static void put_cache(const struct dyno_table_page *page)
{
    const struct dyno_fleet_totals *totals = page->report->totals;

    dyno_table_section(page, "KV cache");
    dyno_table_percent(page, "hit rate ", page->figures.token_hit_rate, " of prompt tokens, ");
    dyno_table_percent(page, "", page->figures.block_hit_rate, " of whole prompt blocks\n");
    put_bounds(page);
    dyno_table_more(page);
    dyno_table_percent(page, "in use   ", page->figures.kv_use, " of");
    dyno_table_count(page, " ", totals->blocks_total, " blocks, ");
    dyno_table_count(page, "", totals->evicted_blocks, " evicted, ");
    dyno_table_count(page, "", totals->preemptions,
                     totals->preemptions == 1 ? " preemption\n" : " preemptions\n");
}

static void put_tier(const struct dyno_table_page *page, const char *label,
                     const struct dyno_tier_totals *tier)
{
    const struct dyno_fleet_totals *totals = page->report->totals;
    double values[] = {(double)tier->stored_bytes / 1e9, (double)tier->loaded_bytes / 1e9,
                       (double)tier->load_wait_ns / 1e6 / (double)tier->loads};
    char text[DYNO_FORMAT_MAX];

    dyno_table_label(page, label, false);
    dyno_table_cell(page, dyno_format_percent(text, totals->prompt_blocks > 0
                                                        ? (double)tier->hit_blocks /
                                                              (double)totals->prompt_blocks
                                                        : NAN));
    dyno_table_cell(
        page, dyno_format_percent(text, (double)tier->blocks_idle / (double)tier->blocks_total));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        dyno_table_cell(page, dyno_format_fixed(text, values[i], dyno_table_decimals(values[i])));
    }
    dyno_table_cell(page, dyno_format_count(text, tier->evicted_blocks));
    dyno_table_cell(page, dyno_format_count(text, tier->slow_blocks));
    fputc('\n', page->out);
}

/* What came from other workers' GPUs: nothing is kept there for that. */
static void put_peers(const struct dyno_table_page *page)
{
    const struct dyno_fleet_totals *totals = page->report->totals;
    const struct dyno_tier_totals *peers = &totals->peers;
    double values[] = {(double)peers->loaded_bytes / 1e9,
                       (double)peers->load_wait_ns / 1e6 / (double)peers->loads};
    char text[DYNO_FORMAT_MAX];

    dyno_table_label(page, "  peers", false);
    dyno_table_cell(page, dyno_format_percent(text, totals->prompt_blocks > 0
                                                        ? (double)peers->hit_blocks /
                                                              (double)totals->prompt_blocks
                                                        : NAN));
    dyno_table_cell(page, "");
    dyno_table_cell(page, "");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        dyno_table_cell(page, dyno_format_fixed(text, values[i], dyno_table_decimals(values[i])));
    }
    dyno_table_cell(page, "");
    dyno_table_cell(page, dyno_format_count(text, peers->slow_blocks));
    fputc('\n', page->out);
}

/* Where prompts were found, and what it cost to keep them there. */
static void put_tiers(const struct dyno_table_page *page)
{
    static const char *const heads[] = {"hits",     "kept",    "in, GB", "out, GB",
                                        "wait, ms", "evicted", "slow"};
    const struct dyno_fleet_totals *totals = page->report->totals;
    uint64_t lost = 0;
    char text[DYNO_FORMAT_MAX];

    dyno_table_section(page, "KV tiers");
    dyno_table_cells(page, heads, sizeof heads / sizeof *heads);
    dyno_table_label(page, "  g1", false);
    dyno_table_cell(page, dyno_format_percent(text, totals->prompt_blocks > 0
                                                        ? (double)dyno_tier_own_hits(totals) /
                                                              (double)totals->prompt_blocks
                                                        : NAN));
    fputc('\n', page->out);
    if (totals->peers.level > 0) {
        put_peers(page);
    }
    for (uint32_t i = 0; i < totals->tier_count; i++) {
        char label[DYNO_TABLE_LABEL_WIDTH];

        lost += totals->tiers[i].lost_blocks;
        (void)snprintf(label, sizeof label, "  g%u", totals->tiers[i].level);
        put_tier(page, label, &totals->tiers[i]);
    }
    if (lost > 0) {
        fprintf(page->out,
                "  lost          %s blocks that could not be read or written, or were not "
                "what was stored\n",
                dyno_format_count(text, lost));
    }
}

/* Which link may have been in the way. */
static void put_links(const struct dyno_table_page *page)
{
    const struct dyno_links_report *links = page->report->links;
    const struct dyno_link_report *link = dyno_fullest_link(links);
    double speed, seconds = (double)links->end_ns / 1e9;

    if (!link) {
        return;
    }
    speed = (double)link->bytes_per_s;
    dyno_table_section(page, "Links");
    dyno_table_count(page, "", links->count, " in use, the fullest: ");
    fprintf(page->out, "%s\n", link->name);
    dyno_table_more(page);
    dyno_table_percent(page, "", (double)link->bytes / speed / seconds, " of what it can carry");
    if (link->peak_bytes_per_s > 0) {
        dyno_table_percent(page, ", at most ", (double)link->peak_bytes_per_s / speed,
                           " between two samples");
    }
    fputc('\n', page->out);
}

static void put_fleet(const struct dyno_table_page *page)
{
    const struct dyno_fleet_totals *totals = page->report->totals;
    const struct dyno_figures *figures = &page->figures;

    dyno_table_section(page, "Fleet");
    dyno_table_count(page, "", totals->workers,
                     totals->workers == 1 ? " worker on " : " workers on ");
    if (page->report->device) {
        fprintf(page->out, "this machine's %s\n", page->report->device);
        dyno_table_more(page);
        dyno_table_percent(page, "busy ", figures->busy_fraction, "\n");
        return;
    }
    dyno_table_count(page, "", totals->gpus, totals->gpus == 1 ? " GPU, " : " GPUs, ");
    dyno_table_fixed(page, "", figures->gpu_hours, dyno_table_decimals(figures->gpu_hours),
                     " GPU-hours\n");
    dyno_table_more(page);
    dyno_table_percent(page, "busy ", figures->busy_fraction, "");
    dyno_table_percent(page, ", MFU ", figures->mfu, "");
    dyno_table_percent(page, ", MBU ", figures->mbu, "\n");
}

static void put_queue(const struct dyno_table_page *page)
{
    const struct dyno_queue_report *queue = page->report->queue;
    const struct dyno_metrics *metrics = page->report->metrics;

    dyno_table_section(page, "Admission");
    fprintf(page->out, "%s: ", queue->policy);
    dyno_table_count(page, "", queue->waited, " waited, ");
    dyno_table_count(page, "at most ", queue->requests_peak, " at once");
    dyno_table_count(page, " with ", queue->tokens_peak, " prompt tokens\n");
    dyno_table_more(page);
    dyno_table_count(page, "", metrics->rejected_full, " refused by a full queue, ");
    dyno_table_count(page, "", metrics->rejected_timeout, " after too long a wait\n");
}

static void put_cost(const struct dyno_table_page *page)
{
    const struct dyno_figures *figures = &page->figures;

    dyno_table_section(page, "Cost");
    dyno_table_fixed(page, "", figures->energy_kwh, dyno_table_decimals(figures->energy_kwh),
                     " kWh, ");
    dyno_table_fixed(page, "", figures->gpu_watts, 0, " W a GPU on average\n");
    if (isfinite(figures->cost)) {
        dyno_table_more(page);
        dyno_table_fixed(page, "", figures->cost, 2, " in all, ");
        dyno_table_fixed(page, "", figures->cost_per_million,
                         dyno_table_decimals(figures->cost_per_million),
                         " a million output tokens\n");
    }
}

static void put_faults(const struct dyno_table_page *page)
{
    const struct dyno_fault_report *faults = page->report->faults;
    const struct dyno_fault_totals *totals = faults->totals;
    uint64_t stalls = totals->faults[DYNO_FAULT_STALL], links = totals->faults[DYNO_FAULT_LINK];

    dyno_table_section(page, "Faults");
    dyno_table_count(page, "", totals->deaths,
                     totals->deaths == 1 ? " worker died, " : " workers died, ");
    dyno_table_count(page, "", faults->restarts, " started again; ");
    dyno_table_count(page, "", stalls, stalls == 1 ? " stall; " : " stalls; ");
    dyno_table_count(page, "", links,
                     links == 1 ? " link down or slow\n" : " links down or slow\n");
    dyno_table_more(page);
    dyno_table_percent(page, "workers serving ", faults->ready_share, " of the time\n");
    dyno_table_more(page);
    dyno_table_count(page, "", totals->migrated,
                     totals->migrated == 1 ? " request went on elsewhere, "
                                           : " requests went on elsewhere, ");
    dyno_table_count(page, "", faults->tokens_recomputed, " tokens computed again, ");
    dyno_table_count(page, "", totals->lost,
                     totals->lost == 1 ? " request lost\n" : " requests lost\n");
}

/* What is left of TTFT without the client's own lateness. */
static void put_ttft_sent(const struct dyno_table_page *page, const struct dyno_histogram *ttft)
{
    dyno_table_more(page);
    dyno_table_fixed(page, "TTFT from sending ", dyno_histogram_mean(ttft) / 1e6, 3, " ms");
    dyno_table_fixed(page, ", p50 ", to_ms(dyno_histogram_quantile(ttft, 0.5)), 3, "");
    dyno_table_fixed(page, ", p90 ", to_ms(dyno_histogram_quantile(ttft, 0.9)), 3, "");
    dyno_table_fixed(page, ", p99 ", to_ms(dyno_histogram_quantile(ttft, 0.99)), 3, "\n");
}

/* Instead of cache and fleet, where a server was asked. */
static void put_client(const struct dyno_table_page *page)
{
    const struct dyno_client_report *client = page->report->client;
    double lag = to_ms(dyno_histogram_quantile(client->lag, 0.99));

    if (!isnan(page->figures.token_hit_rate)) {
        dyno_table_section(page, "Prefix cache");
        dyno_table_percent(page, "hit rate ", page->figures.token_hit_rate,
                           " of prompt tokens, as the server says\n");
    }
    dyno_table_section(page, "Client");
    dyno_table_percent(page, "computed ", client->cpu_fraction, " of the time, ");
    dyno_table_count(page, "", client->connections,
                     client->connections == 1 ? " connection\n" : " connections\n");
    dyno_table_more(page);
    dyno_table_fixed(page, "sent ", dyno_histogram_mean(client->lag) / 1e6, 3, " ms late");
    dyno_table_fixed(page, ", p99 ", lag, 3, " ms");
    dyno_table_fixed(page, ", at most ", to_ms(client->lag->max), 3, " ms\n");
    if (client->ttft_sent && client->ttft_sent->count > 0) {
        put_ttft_sent(page, client->ttft_sent);
    }
}

static void put_extrapolated(const struct dyno_table_page *page)
{
    const struct dyno_report *report = page->report;

    for (uint32_t i = 0; i < report->extrapolated_count; i++) {
        if (i == 0) {
            dyno_table_section(page, "Extrapolated");
        } else {
            dyno_table_more(page);
        }
        fprintf(page->out, "%s\n", report->extrapolated[i].text);
    }
}

void dyno_report_table(const struct dyno_report *report, FILE *out)
{
    int descriptor = fileno(out);
    struct dyno_table_page page = {
        .out = out,
        .report = report,
        .figures = dyno_figures_of(report),
        .bold = descriptor >= 0 && isatty(descriptor),
    };

    put_title(&page);
    put_warnings(&page);
    put_requests(&page);
    put_latencies(&page);
    if (report->model_count > 0) {
        dyno_table_models(&page);
    }
    dyno_table_intervals(&page);
    put_phases(&page);
    put_throughput(&page);
    if (report->client) {
        put_client(&page);
    } else {
        put_cache(&page);
        if (report->totals->tier_count > 0 || report->totals->peers.level > 0) {
            put_tiers(&page);
        }
        if (report->links) {
            put_links(&page);
        }
        put_fleet(&page);
        if (report->queue) {
            put_queue(&page);
        }
        if (report->plan) {
            dyno_table_plan(&page);
        }
        if (report->faults) {
            put_faults(&page);
        }
        if (report->cost) {
            put_cost(&page);
        }
    }
    put_extrapolated(&page);
}

/* The table's intervals: a line a latency, then throughput, hit rate and goodput; or why there are
 * none. */
#include <math.h>

#include "reports/table_lines.h"

static void put_interval(const struct dyno_table_page *page, const struct dyno_interval *interval)
{
    char low[DYNO_FORMAT_MAX], high[DYNO_FORMAT_MAX], both[2 * DYNO_FORMAT_MAX] = "n/a";
    int decimals = dyno_table_decimals(interval->high);

    if (!isnan(interval->low)) {
        (void)snprintf(both, sizeof both, "%s – %s",
                       dyno_format_fixed(low, interval->low, decimals),
                       dyno_format_fixed(high, interval->high, decimals));
    }
    for (size_t width = dyno_format_width(both); width < 20; width++) {
        fputc(' ', page->out);
    }
    fputs(both, page->out);
}

static void put_interval_of_share(const struct dyno_table_page *page, const char *label,
                                  const struct dyno_interval *interval)
{
    struct dyno_interval percent = *interval;

    if (!isnan(interval->low)) {
        percent.low *= 100.0;
        percent.high *= 100.0;
        fprintf(page->out, "  %-12s", label);
        put_interval(page, &percent);
        fputc('\n', page->out);
    }
}

/* Three latencies by three statistics, then the throughput, and the shares of tokens that were
 * cached and of requests that were good: as reports.h orders them. */
void dyno_table_intervals(const struct dyno_table_page *page)
{
    static const char *const labels[] = {"TTFT, ms", "TPOT, ms", "E2E, ms"};
    const struct dyno_report *report = page->report;

    if (report->intervals_lacking) {
        fprintf(page->out, "\n95 %% intervals  left out: %s\n", report->intervals_why);
    }
    if (report->interval_count < 11) {
        return;
    }
    fprintf(page->out, "\n95 %% intervals%21s%20s%20s\n", "mean", "p50", "p99");
    for (uint32_t i = 0; i < 3; i++) {
        fprintf(page->out, "  %-12s", labels[i]);
        for (uint32_t j = 0; j < 3; j++) {
            put_interval(page, &report->intervals[3 * i + j]);
        }
        fputc('\n', page->out);
    }
    fprintf(page->out, "  %-12s", "out tokens/s");
    put_interval(page, &report->intervals[9]);
    fprintf(page->out, "   (%u replicas)\n", report->interval_replicas);
    put_interval_of_share(page, "hit rate, %", &report->intervals[10]);
    if (report->interval_count > 11) {
        put_interval_of_share(page, "goodput, %", &report->intervals[11]);
    }
    if (report->intervals_why && report->intervals_why[0]) {
        fprintf(page->out, "  n/a: %s\n", report->intervals_why);
    }
}

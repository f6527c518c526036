/* The section on several models: how each of them did, a line each. */
#include <math.h>

#include "reports/table_lines.h"

static double mean_ms(const struct dyno_histogram *histogram)
{
    return histogram->count > 0 ? dyno_histogram_mean(histogram) / 1e6 : NAN;
}

static double p99_ms(const struct dyno_histogram *histogram)
{
    return histogram->count > 0 ? (double)dyno_histogram_quantile(histogram, 0.99) / 1e6 : NAN;
}

static void put_cell(const struct dyno_table_page *page, double value, int decimals)
{
    char text[DYNO_FORMAT_MAX];

    dyno_table_cell(page, dyno_format_fixed(text, value, decimals));
}

static void put_ms(const struct dyno_table_page *page, double value)
{
    put_cell(page, value, dyno_table_decimals(value));
}

static void put_model(const struct dyno_table_page *page, uint32_t i)
{
    const struct dyno_model_report *model = &page->report->models[i];
    const struct dyno_metrics *metrics = model->metrics;
    struct dyno_figures figures = dyno_model_figures_of(page->report, i);
    char label[DYNO_TABLE_LABEL_WIDTH + 1], text[DYNO_FORMAT_MAX];

    (void)snprintf(label, sizeof label, "  %.13s", model->name);
    dyno_table_label(page, label, false);
    dyno_table_cell(page, dyno_format_count(text, metrics->completed));
    put_ms(page, mean_ms(&metrics->ttft));
    put_ms(page, p99_ms(&metrics->ttft));
    put_ms(page, mean_ms(&metrics->tpot));
    put_ms(page, mean_ms(&metrics->e2e));
    dyno_table_cell(page, dyno_format_percent(text, figures.goodput_fraction));
    put_cell(page, figures.gpu_hours, 2);
    fputc('\n', page->out);
}

static void put_what(const struct dyno_table_page *page, uint32_t i)
{
    const struct dyno_model_report *model = &page->report->models[i];

    dyno_table_more(page);
    fprintf(page->out, "%s: %s on %s, ", model->name, model->model, model->gpu);
    dyno_table_count(page, "", model->totals->workers,
                     model->totals->workers == 1 ? " worker of " : " workers of ");
    dyno_table_count(page, "", model->totals->gpus / model->totals->workers,
                     model->totals->gpus == model->totals->workers ? " GPU\n" : " GPUs\n");
}

void dyno_table_models(const struct dyno_table_page *page)
{
    static const char *const heads[] = {"completed", "TTFT, ms", "p99",      "TPOT, ms",
                                        "E2E, ms",   "good",     "GPU-hours"};

    dyno_table_section(page, "Models");
    dyno_table_cells(page, heads, sizeof heads / sizeof *heads);
    for (uint32_t i = 0; i < page->report->model_count; i++) {
        put_model(page, i);
    }
    for (uint32_t i = 0; i < page->report->model_count; i++) {
        put_what(page, i);
    }
}

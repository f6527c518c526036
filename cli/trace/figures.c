#include "cli/trace/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/math.h"
#include "core/base/time.h"
#include "reports/figure_file.h"
#include "trace_hits_gp.h"
#include "trace_lengths_gp.h"
#include "trace_rate_gp.h"
#include "trace_sessions_gp.h"

enum { WIDTH = 480, HEIGHT = 320, CURVE_POINTS = 200 };

/* Puts the numbers of a figure; returns how many series. */
typedef uint32_t fill_figure(const struct dyno_trace_summary *summary, FILE *blocks, FILE *names);

static uint32_t fill_rate(const struct dyno_trace_summary *summary, FILE *blocks, FILE *names)
{
    const struct dyno_timeline *arrivals = &summary->arrivals;
    double width = (double)arrivals->width_ns / (double)DYNO_S;

    fputs("name[1] = \"requests\"\n", names);
    fputs("\"requests\"\n", blocks);
    for (uint32_t i = 0; i < arrivals->bins; i++) { /* the last one may be cut short */
        double left = (double)summary->span_ns / (double)DYNO_S - width * i;
        double over = left < width && i > 0 ? left : width;

        if (over >= width / 2.0) {
            (void)fprintf(blocks, "%.9g %.9g\n", width * i, (double)arrivals->count[i] / over);
        }
    }
    return arrivals->bins > 0 ? 1 : 0;
}

static void put_lengths(const struct dyno_token_summary *tokens, uint64_t requests,
                        const char *name, uint32_t series, FILE *blocks, FILE *names)
{
    (void)fprintf(names, "name[%u] = \"%s\"\n", series, name);
    (void)fprintf(blocks, "%s\"%s\"\n", series > 1 ? "\n\n" : "", name);
    for (int i = 0; i < DYNO_TOKEN_OCTAVES; i++) {
        if (tokens->octaves[i] > 0 || (i > 0 && tokens->octaves[i - 1] > 0)) {
            (void)fprintf(blocks, "%lu %.9g\n", 1UL << i,
                          (double)tokens->octaves[i] / (double)requests);
        }
    }
}

static uint32_t fill_lengths(const struct dyno_trace_summary *summary, FILE *blocks, FILE *names)
{
    put_lengths(&summary->input, summary->counts.requests, "prompts", 1, blocks, names);
    put_lengths(&summary->output, summary->counts.requests, "answers", 2, blocks, names);
    return 2;
}

static uint32_t fill_sessions(const struct dyno_trace_summary *summary, FILE *blocks, FILE *names)
{
    uint64_t sessions = 0;

    for (int i = 0; i < DYNO_TOKEN_OCTAVES; i++) {
        sessions += summary->turns.octaves[i];
    }
    if (sessions > 0) {
        put_lengths(&summary->turns, sessions, "sessions", 1, blocks, names);
    }
    return sessions > 0 ? 1 : 0;
}

static uint32_t fill_hits(const struct dyno_trace_summary *summary, FILE *blocks, FILE *names)
{
    uint64_t references;
    const uint64_t *hits;
    size_t distinct, before = 0;

    if (summary->counts.block_refs == 0 || dyno_reuse_is_cut(summary->reuse)) {
        return 0;
    }
    dyno_reuse_curve(summary->reuse, &hits, &distinct, &references);
    fputs("name[1] = \"hits\"\n", names);
    fputs("\"hits\"\n", blocks);
    for (int i = 0; i <= CURVE_POINTS; i++) { /* by factors, from one block to all */
        size_t size = (size_t)dyno_pow((double)distinct, (double)i / CURVE_POINTS);

        if (size > before) {
            (void)fprintf(blocks, "%.9g %.9g\n", (double)size * summary->block_tokens,
                          (double)hits[size] / (double)references);
        }
        before = size;
    }
    return 1;
}

static const struct {
    const char *name, *gp;
    fill_figure *fill;
} figures[] = {
    {"trace_rate", dyno_trace_rate_gp, fill_rate},
    {"trace_lengths", dyno_trace_lengths_gp, fill_lengths},
    {"trace_sessions", dyno_trace_sessions_gp, fill_sessions},
    {"trace_hits", dyno_trace_hits_gp, fill_hits},
};

static dyno_status write_one(const struct dyno_trace_summary *summary, size_t which,
                             const char *folder, const char *formats, struct dyno_error *error)
{
    struct dyno_exhibit exhibit = {.name = (char *)(uintptr_t)figures[which].name,
                                   .gp = (char *)(uintptr_t)figures[which].gp,
                                   .width = WIDTH,
                                   .height = HEIGHT};
    struct dyno_exhibit_data data = {.blocks = NULL};
    size_t sizes[2];
    FILE *blocks = open_memstream(&data.blocks, &sizes[0]);
    FILE *names = open_memstream(&data.names, &sizes[1]);
    dyno_status status = DYNO_OK;
    bool is_whole = blocks && names;

    if (is_whole) {
        data.series = figures[which].fill(summary, blocks, names);
    }
    is_whole = blocks && fclose(blocks) == 0 && is_whole;
    is_whole = names && fclose(names) == 0 && is_whole;
    if (!is_whole) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "no memory for the figure %s", exhibit.name);
    }
    while (status == DYNO_OK && data.series > 0 && *formats) {
        char format[DYNO_FIGURE_FORMAT_MAX];

        status = dyno_figure_format_take(&formats, format, error);
        if (status == DYNO_OK) {
            status = dyno_figure_write(folder, &exhibit, &data, format, error);
        }
    }
    dyno_exhibit_data_release(&data);
    return status;
}

dyno_status dyno_trace_figures(const struct dyno_trace_summary *summary, const char *folder,
                               const char *formats, struct dyno_error *error)
{
    char format[DYNO_FIGURE_FORMAT_MAX];

    for (const char *at = formats; *at;) { /* refused before anything is written */
        DYNO_TRY(dyno_figure_format_take(&at, format, error));
    }
    DYNO_TRY(dyno_figure_folder_make(folder, error));
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        DYNO_TRY(write_one(summary, i, folder, formats, error));
    }
    return DYNO_OK;
}

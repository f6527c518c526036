#include "cli/sure/sure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sure/cells.h"

enum { SEEDS_MIN = 5, REQUESTS_MIN = 30, SKEWNESS_DRAWS = 300 };

/* Cells, and figures of cells that were drawn again. */
struct work {
    struct dyno_tune_cells cells;
    struct dyno_bootstrap bootstrap;
    double memories;   /* how often all cells hold the longest block that any asks for */
    uint32_t width;    /* figures: sides * metrics */
    double *point;     /* [width] of all seeds as they were */
    double *draws;     /* [bootstrap.draws][width] */
    double *without;   /* [seeds][width] of all seeds but one */
    double *column;    /* [bootstrap.draws] scratch ... */
    double *values;    /* [seeds] ... likewise ... */
    double *influence; /* [2 * places] ... likewise */
    double *levels;    /* [bootstrap.draws] ... likewise */
};

static uint32_t seeds_of(const struct work *work)
{
    return work->cells.runs->seeds;
}

static const char *name_of(const struct work *work, uint32_t metric)
{
    return dyno_tune_aims_metric(work->cells.aims, metric)->name;
}

static double summary_value(const struct work *work, uint32_t side, uint32_t seed, uint32_t metric)
{
    return dyno_tune_summary_value(&dyno_tune_cells_run(&work->cells, side, seed)->summary,
                                   name_of(work, metric));
}

/* ---- drawing --------------------------------------------------------------------------------- */

static void compute(void *context, const uint32_t *weights, double *figures)
{
    const struct dyno_tune_cells *cells = context;

    for (uint32_t side = 0; side < cells->runs->arms; side++) {
        for (uint32_t i = 0; i < cells->metrics; i++) {
            figures[side * cells->metrics + i] = dyno_tune_cells_figure(cells, side, i, weights);
        }
    }
}

/* How long cells of a sum over another remember what it is off its mean. */
static double memory_of(const struct dyno_tune_cells *cells, const double *above,
                        const double *below)
{
    double series[DYNO_TUNE_CELLS_MAX] = {0.0};

    dyno_paired_influence_ratio(series, 1.0, above, below, cells->cells);
    return dyno_memory_of(series, cells->cells).block;
}

/* The longest memory of any metric's cells. */
static double longest_memory(const struct dyno_tune_cells *cells)
{
    double longest = 1.0;

    for (uint32_t at = 0; at < cells->runs->arms * cells->metrics; at++) {
        uint32_t side = at / cells->metrics, metric = at % cells->metrics;
        const struct dyno_tune_recipe *recipe = &cells->recipes[metric];

        for (uint32_t i = 0; i < cells->places && recipe->above != DYNO_TUNE_NOTHING;
             i += cells->cells) {
            longest =
                fmax(longest,
                     memory_of(cells, dyno_tune_cells_sums(cells, side, metric, recipe->above) + i,
                               dyno_tune_cells_sums(cells, side, metric, recipe->below) + i));
        }
    }
    return longest;
}

static void plan_draws(struct work *work, bool by_seeds, uint32_t draws, uint64_t seed)
{
    const struct dyno_tune_cells *cells = &work->cells;
    uint32_t length = cells->runs->same_traffic ? cells->cells : cells->places;
    double longest = longest_memory(cells);

    work->memories = length / longest;
    work->width = cells->runs->arms * cells->metrics;
    work->bootstrap = (struct dyno_bootstrap){
        .streams = seeds_of(work),
        .shared = cells->runs->same_traffic,
        .cells = cells->cells,
        .block_cells = dyno_block_cells(longest, cells->cells, length),
        .draws = by_seeds && draws > SKEWNESS_DRAWS ? SKEWNESS_DRAWS : draws,
        .seed = seed,
    };
}

/* All seeds as they were, and each of them left out once. */
static dyno_status leave_out(struct work *work)
{
    const struct dyno_tune_cells *cells = &work->cells;
    uint32_t *weights = malloc(cells->places * sizeof *weights);

    if (!weights) {
        return DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < cells->places; i++) {
        weights[i] = 1;
    }
    compute(&work->cells, weights, work->point);
    for (uint32_t i = 0; i < seeds_of(work); i++) {
        uint32_t *left_out = weights + (size_t)i * cells->cells;

        memset(left_out, 0, cells->cells * sizeof *left_out);
        compute(&work->cells, weights, work->without + (size_t)i * work->width);
        for (uint32_t j = 0; j < cells->cells; j++) {
            left_out[j] = 1;
        }
    }
    free(weights);
    return DYNO_OK;
}

static dyno_status draw(struct work *work, bool by_seeds, uint32_t draws, uint64_t seed)
{
    plan_draws(work, by_seeds, draws, seed);
    work->point = malloc(work->width * sizeof *work->point);
    work->draws = malloc((size_t)work->bootstrap.draws * work->width * sizeof *work->draws);
    work->without = malloc((size_t)seeds_of(work) * work->width * sizeof *work->without);
    work->column = malloc(work->bootstrap.draws * sizeof *work->column);
    work->values = malloc(seeds_of(work) * sizeof *work->values);
    work->influence = malloc(2 * (size_t)work->cells.places * sizeof *work->influence);
    work->levels = malloc(work->bootstrap.draws * sizeof *work->levels);
    if (!work->point || !work->draws || !work->without || !work->column || !work->values ||
        !work->influence || !work->levels) {
        return DYNO_NO_MEMORY;
    }
    DYNO_TRY(leave_out(work));
    work->cells.without_medians = !by_seeds; /* their intervals are from the requests' order */
    return dyno_bootstrap_draw(work->draws, work->width, &work->bootstrap, compute, &work->cells);
}

static void release(struct work *work)
{
    free(work->point);
    free(work->draws);
    free(work->without);
    free(work->column);
    free(work->values);
    free(work->influence);
    free(work->levels);
    dyno_tune_cells_release(&work->cells);
}

/* ---- estimates ------------------------------------------------------------------------------- */

/* Medians of a few requests are off to one side, and so is their mean: the median of all seeds'
 * requests is less so. */
static bool is_median(const struct work *work, uint32_t metric)
{
    double quantile = work->cells.recipes[metric].quantile;

    return quantile >= 0.0 && quantile < 0.9;
}

/* The summary's own figures, and of several seeds their mean. */
static void take_results(const struct work *work, struct dyno_tune_sure *out)
{
    for (uint32_t side = 0; side < work->cells.runs->arms; side++) {
        for (uint32_t i = 0; i < work->cells.metrics; i++) {
            double sum = 0.0;

            for (uint32_t seed = 0; seed < seeds_of(work); seed++) {
                sum += summary_value(work, side, seed, i);
            }
            out->results[side].metrics[i] = out->by_seeds && is_median(work, i)
                                                ? work->point[side * work->cells.metrics + i]
                                                : sum / seeds_of(work);
        }
    }
}

/* Figure `at` less figure `less` of a row; `at` itself where they are one. */
static double figure_in(const double *row, uint32_t at, uint32_t less)
{
    return row[at] - (at == less ? 0.0 : row[less]);
}

static void take_column(const struct work *work, uint32_t at, uint32_t less)
{
    for (uint32_t i = 0; i < work->bootstrap.draws; i++) {
        work->column[i] = figure_in(work->draws + (size_t)i * work->width, at, less);
    }
}

/* The mean of figures `at` and `less` over the draws. */
static void take_levels(const struct work *work, uint32_t at, uint32_t less)
{
    for (uint32_t i = 0; i < work->bootstrap.draws; i++) {
        const double *row = work->draws + (size_t)i * work->width;

        work->levels[i] = (row[at] + row[less]) / 2.0;
    }
}

static void take_influence(const struct work *work, uint32_t metric, uint32_t of, uint32_t less)
{
    memset(work->influence, 0, work->cells.places * sizeof *work->influence);
    dyno_tune_cells_influence(&work->cells, work->influence, 1.0, of, metric);
    if (of != less) {
        dyno_tune_cells_influence(&work->cells, work->influence, -1.0, less, metric);
    }
}

/* Side `of` less side `less`; side `of` itself where they are one. */
static struct dyno_estimate over_seeds(const struct work *work, double value, uint32_t metric,
                                       uint32_t of, uint32_t less)
{
    uint32_t at = of * work->cells.metrics + metric, from = less * work->cells.metrics + metric;
    double n = seeds_of(work);

    for (uint32_t seed = 0; seed < seeds_of(work); seed++) {
        double whole = summary_value(work, of, seed, metric);

        work->values[seed] = whole - (of == less ? 0.0 : summary_value(work, less, seed, metric));
        if (is_median(work, metric)) { /* the jackknife */
            work->values[seed] =
                n * value -
                (n - 1.0) * figure_in(work->without + (size_t)seed * work->width, at, from);
        }
    }
    if (work->cells.recipes[metric].above == DYNO_TUNE_NOTHING ||
        work->cells.recipes[metric].quantile >= 0.9) {
        return dyno_estimate_of_replicates(work->values, seeds_of(work));
    }
    take_column(work, at, from);
    return dyno_bootstrap_replicates(&work->bootstrap, value, work->values, seeds_of(work),
                                     work->column, 1);
}

static struct dyno_estimate of_median(const struct work *work, double value, uint32_t metric,
                                      uint32_t of, uint32_t less)
{
    struct dyno_paired_ranked one = dyno_tune_cells_ranked(&work->cells, of, metric);
    struct dyno_paired_ranked other = dyno_tune_cells_ranked(&work->cells, less, metric);

    return dyno_paired_quantile(&work->bootstrap, value, work->cells.recipes[metric].quantile, &one,
                                of == less ? NULL : &other, work->influence);
}

/* By blocks of time; a percentile needs enough of its tail. */
static struct dyno_estimate over_blocks(const struct work *work, double value, uint32_t metric,
                                        uint32_t of, uint32_t less)
{
    const struct dyno_tune_recipe *recipe = &work->cells.recipes[metric];
    struct dyno_drawn drawn = {.draws = work->column, .influence = work->influence};
    uint32_t at = of * work->cells.metrics + metric, from = less * work->cells.metrics + metric;

    if (recipe->above == DYNO_TUNE_NOTHING ||
        dyno_tune_cells_run(&work->cells, 0, 0)->record_count < REQUESTS_MIN ||
        (recipe->quantile >= 0.9 && work->memories * (1.0 - recipe->quantile) < 1.0 - 1e-9)) {
        return dyno_estimate_make(value, NAN, 0.0);
    }
    if (is_median(work, metric)) {
        return of_median(work, value, metric, of, less);
    }
    take_column(work, at, from);
    take_influence(work, metric, of, less);
    if (recipe->quantile < 0.0 && recipe->above < DYNO_TUNE_LATENCIES) {
        return dyno_bootstrap_estimate(&work->bootstrap, value, &drawn, true);
    }
    take_levels(work, at, from);
    return dyno_bootstrap_waiting(&work->bootstrap, value, &drawn,
                                  (work->point[at] + work->point[from]) / 2.0,
                                  dyno_waiting_power(of != less), work->levels);
}

static struct dyno_estimate estimate(const struct work *work, const struct dyno_tune_sure *out,
                                     uint32_t metric, uint32_t of, uint32_t less)
{
    double value =
        out->results[of].metrics[metric] - (of == less ? 0.0 : out->results[less].metrics[metric]);

    return out->by_seeds ? over_seeds(work, value, metric, of, less)
                         : over_blocks(work, value, metric, of, less);
}

/* No figure is below 0 and no share above 1, and so is what is known of it. */
static void clip(const struct work *work, struct dyno_estimate *estimate, uint32_t metric)
{
    estimate->low = estimate->low < 0.0 ? 0.0 : estimate->low;
    if (dyno_tune_aims_metric(work->cells.aims, metric)->unit == DYNO_GATE_SHARE) {
        estimate->high = estimate->high > 1.0 ? 1.0 : estimate->high;
    }
}

dyno_status dyno_tune_sure_compute(struct dyno_tune_sure *out, const struct dyno_arm_runs *runs,
                                   const struct dyno_tune_aims *aims, uint32_t draws,
                                   struct dyno_error *error)
{
    bool by_seeds = !runs->same_traffic && runs->seeds >= SEEDS_MIN;
    struct work work = {.point = NULL};
    dyno_status status = dyno_tune_cells_fill(&work.cells, runs, aims);

    *out = (struct dyno_tune_sure){.by_seeds = by_seeds};
    if (status == DYNO_OK) {
        status = draw(&work, by_seeds, draws, runs->items[0].with.scenario.run.seed);
    }
    if (status == DYNO_OK) {
        out->blocks = by_seeds ? 0.0 : dyno_bootstrap_blocks(&work.bootstrap);
        take_results(&work, out);
    }
    for (uint32_t i = 0; status == DYNO_OK && i < work.width; i++) {
        uint32_t side = i / work.cells.metrics, metric = i % work.cells.metrics;

        out->side[side][metric] = estimate(&work, out, metric, side, side);
        out->difference[side][metric] = estimate(&work, out, metric, 1, side == 1 ? 0 : side);
        clip(&work, &out->side[side][metric], metric);
    }
    release(&work);
    return status == DYNO_OK ? status : dyno_fail(error, status, "out of memory for the intervals");
}

#include "cli/tune/sure.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports/paired_cells.h"

enum { CELLS_MAX = 256, CELL_REQUESTS = 8, SEEDS_MIN = 5, REQUESTS_MIN = 30 };

/* ---- how a metric is made of cells ------------------------------------------------------------
 */

/* What a cell adds up. */
enum sum {
    NOTHING,
    ONE,     /* the cell itself: a total is a mean over cells, times their number */
    SECONDS, /* of the run */
    GPU_SECONDS,
    REQUESTS,
    COMPLETED,
    REJECTED,
    GOOD,
    PROMPT_TOKENS, /* of requests that completed */
    OUTPUT_TOKENS,
    LOOKED_UP_TOKENS, /* of prompts that were admitted ... */
    CACHED_TOKENS,    /* ... and of these, in a cache */
    PREEMPTIONS,
    LATENCIES, /* and behind it, for each kind: sum, count */
    SUMS = LATENCIES + 2 * (DYNO_PAIRED_QUEUE + 1),
};

/* A figure: a quantile of a latency, or `scale` times one sum over another. */
struct recipe {
    double quantile; /* negative: a ratio */
    enum dyno_paired_kind latency;
    unsigned above, below; /* NOTHING: it cannot be made of cells */
};

static const struct {
    const char *name;
    unsigned above, below;
} ratios[] = {
    {"goodput.fraction", GOOD, REQUESTS},
    {"goodput.requests_per_s", GOOD, SECONDS},
    {"goodput.per_gpu", GOOD, GPU_SECONDS},
    {"throughput.requests_per_s", COMPLETED, SECONDS},
    {"throughput.input_tokens_per_s", PROMPT_TOKENS, SECONDS},
    {"throughput.output_tokens_per_s", OUTPUT_TOKENS, SECONDS},
    {"kv.token_hit_rate", CACHED_TOKENS, LOOKED_UP_TOKENS},
    {"kv.preemptions", PREEMPTIONS, ONE},
    {"requests.completed", COMPLETED, ONE},
    {"requests.rejected", REJECTED, ONE},
    {"fleet.gpu_hours", GPU_SECONDS, ONE},
    {"planner.gpu_hours", GPU_SECONDS, ONE},
};

static const char *const latencies[] = {
    [DYNO_PAIRED_TTFT] = "ttft_ms.",
    [DYNO_PAIRED_TPOT] = "tpot_ms.",
    [DYNO_PAIRED_E2E] = "e2e_ms.",
    [DYNO_PAIRED_QUEUE] = "phases_ms.queue.",
};

static struct recipe recipe_of(const char *name)
{
    struct recipe recipe = {.quantile = -1.0};

    for (size_t i = 0; i < sizeof ratios / sizeof ratios[0]; i++) {
        if (strcmp(ratios[i].name, name) == 0) {
            recipe.above = ratios[i].above;
            recipe.below = ratios[i].below;
        }
    }
    for (unsigned i = 0; i <= DYNO_PAIRED_QUEUE; i++) {
        size_t length = strlen(latencies[i]);

        if (strncmp(name, latencies[i], length) != 0 || strcmp(name + length, "max") == 0) {
            continue;
        }
        recipe.latency = (enum dyno_paired_kind)i;
        recipe.above = LATENCIES + 2 * i;
        recipe.below = recipe.above + 1;
        if (name[length] == 'p') {
            recipe.quantile = strtod(name + length + 1, NULL) / 100.0;
        }
    }
    return recipe;
}

/* ---- cells ------------------------------------------------------------------------------------
 */

struct side {
    double *sums;                                             /* [SUMS][places] */
    struct dyno_paired_placed *sorted[DYNO_PAIRED_QUEUE + 1]; /* [sorted_count] */
    uint32_t sorted_count[DYNO_PAIRED_QUEUE + 1];
};

struct work {
    const struct dyno_arm_runs *runs;
    const struct dyno_tune_aims *aims;
    struct recipe recipes[DYNO_TUNE_METRICS_MAX]; /* [metrics] */
    uint32_t metrics, cells, places;              /* places: of all seeds */
    struct side sides[DYNO_TUNE_SIDES_MAX];
};

static double *sum_of(const struct work *work, uint32_t side, unsigned sum)
{
    return work->sides[side].sums + (size_t)sum * work->places;
}

static const struct dyno_arm_run *run_of(const struct work *work, uint32_t side, uint32_t seed)
{
    return &work->runs->items[side * work->runs->seeds + seed];
}

/* When the last request of any side came: cells are equal parts of the time until then, and the
 * last one has what is left. */
static dyno_ns span_of(const struct work *work, uint32_t seed)
{
    dyno_ns last = 0;

    for (uint32_t side = 0; side < work->runs->arms; side++) {
        const struct dyno_arm_run *run = run_of(work, side, seed);

        for (uint32_t i = 0; i < run->record_count; i++) {
            last = run->records[i].arrival_ns > last ? run->records[i].arrival_ns : last;
        }
    }
    return last + 1;
}

/* The place of an instant; in a closed loop, of a request by its order. */
static uint32_t place_of(const struct work *work, uint32_t seed, double along, double whole)
{
    uint32_t cell = (uint32_t)(along / whole * work->cells);

    return seed * work->cells + (cell < work->cells ? cell : work->cells - 1);
}

static void add_request(struct work *work, uint32_t side, const struct dyno_request_record *record,
                        uint32_t place, const struct dyno_slo *slo)
{
    struct side *to = &work->sides[side];
    bool is_completed = record->outcome == DYNO_COMPLETED;

    sum_of(work, side, REQUESTS)[place] += 1.0;
    sum_of(work, side, PREEMPTIONS)[place] += record->preemptions;
    sum_of(work, side, REJECTED)[place] += record->outcome == DYNO_REJECTED_PROMPT_TOO_LONG ||
                                           record->outcome == DYNO_REJECTED_QUEUE_FULL ||
                                           record->outcome == DYNO_REJECTED_QUEUE_TIMEOUT;
    if (record->admitted_ns != DYNO_NEVER) {
        sum_of(work, side, LOOKED_UP_TOKENS)[place] += record->prompt_tokens;
        sum_of(work, side, CACHED_TOKENS)[place] += record->cached_tokens;
    }
    if (!is_completed) {
        return;
    }
    sum_of(work, side, COMPLETED)[place] += 1.0;
    sum_of(work, side, GOOD)[place] += dyno_paired_met(record, slo);
    sum_of(work, side, PROMPT_TOKENS)[place] += record->prompt_tokens;
    sum_of(work, side, OUTPUT_TOKENS)[place] += record->output_tokens;
    for (unsigned i = 0; i <= DYNO_PAIRED_QUEUE; i++) {
        double value = dyno_paired_latency(record, (enum dyno_paired_kind)i);

        if (value >= 0.0) {
            sum_of(work, side, LATENCIES + 2 * i)[place] += value;
            sum_of(work, side, LATENCIES + 2 * i + 1)[place] += 1.0;
            to->sorted[i][to->sorted_count[i]++] =
                (struct dyno_paired_placed){.value = value, .place = place};
        }
    }
}

/* GPUs of the fleet that are up from one look of the planner to the next: those of the later look,
 * for what was started at the earlier one is there. */
static double gpus_up(const struct dyno_arm_run *run, dyno_ns at, uint32_t *look)
{
    const struct dyno_scenario *scenario = &run->with.scenario;

    while (*look < run->plan_count && run->plans[*look].at < at) {
        ++*look;
    }
    if (run->plan_count == 0) {
        return scenario->fleet.workers * scenario->fleet.tp;
    }
    if (*look == run->plan_count) {
        --*look;
    }
    return (run->plans[*look].ready + run->plans[*look].starting + run->plans[*look].draining) *
           scenario->fleet.tp;
}

static void add_time(struct work *work, uint32_t side, uint32_t seed, dyno_ns span)
{
    const struct dyno_arm_run *run = run_of(work, side, seed);
    double *seconds = sum_of(work, side, SECONDS) + (size_t)seed * work->cells;
    double *gpu_seconds = sum_of(work, side, GPU_SECONDS) + (size_t)seed * work->cells;
    double length = (double)span / work->cells, end = (double)span;
    uint32_t look = 0;

    for (uint32_t i = 0; i < run->record_count; i++) {
        if (run->records[i].last_token_ns != DYNO_NEVER &&
            (double)run->records[i].last_token_ns > end) {
            end = (double)run->records[i].last_token_ns;
        }
    }
    for (uint32_t cell = 0; cell < work->cells; cell++) {
        double from = length * cell, until = cell + 1 < work->cells ? length * (cell + 1) : end;

        seconds[cell] = (until - from) * 1e-9;
        gpu_seconds[cell] = seconds[cell] * gpus_up(run, (dyno_ns)((from + until) / 2.0), &look);
        sum_of(work, side, ONE)[seed * work->cells + cell] = 1.0;
    }
}

static int by_value(const void *a, const void *b)
{
    double left = ((const struct dyno_paired_placed *)a)->value,
           right = ((const struct dyno_paired_placed *)b)->value;

    return (left > right) - (left < right);
}

static dyno_status fill_side(struct work *work, uint32_t side)
{
    struct side *to = &work->sides[side];
    size_t requests = 0;

    for (uint32_t seed = 0; seed < work->runs->seeds; seed++) {
        requests += run_of(work, side, seed)->record_count;
    }
    assert(work->places > 0);
    to->sums = calloc((size_t)SUMS * work->places, sizeof *to->sums);
    for (unsigned i = 0; i <= DYNO_PAIRED_QUEUE; i++) {
        to->sorted[i] = malloc((requests + 1) * sizeof *to->sorted[i]);
        if (!to->sums || !to->sorted[i]) {
            return DYNO_NO_MEMORY;
        }
    }
    for (uint32_t seed = 0; seed < work->runs->seeds; seed++) {
        const struct dyno_arm_run *run = run_of(work, side, seed);
        const struct dyno_scenario *scenario = &run->with.scenario;
        struct dyno_slo slo = {.ttft_ns = scenario->slo.ttft_ns,
                               .tpot_ns = scenario->slo.tpot_ns,
                               .itl_ns = scenario->slo.itl_ns,
                               .e2e_ns = scenario->slo.e2e_ns};
        dyno_ns span = span_of(work, seed);

        for (uint32_t i = 0; i < run->record_count; i++) {
            uint32_t place =
                work->runs->by_order
                    ? place_of(work, seed, i, run->record_count)
                    : place_of(work, seed, (double)run->records[i].arrival_ns, (double)span);

            add_request(work, side, &run->records[i], place, &slo);
        }
        add_time(work, side, seed, span);
    }
    for (unsigned i = 0; i <= DYNO_PAIRED_QUEUE; i++) {
        qsort(to->sorted[i], to->sorted_count[i], sizeof *to->sorted[i], by_value);
    }
    return DYNO_OK;
}

static void release(struct work *work)
{
    for (uint32_t i = 0; i < DYNO_TUNE_SIDES_MAX; i++) {
        free(work->sides[i].sums);
        for (unsigned j = 0; j <= DYNO_PAIRED_QUEUE; j++) {
            free(work->sides[i].sorted[j]);
        }
    }
}

/* ---- figures of what was drawn ----------------------------------------------------------------
 */

static double weighted(const double *sums, const uint32_t *weights, uint32_t places)
{
    double total = 0.0;

    for (uint32_t i = 0; i < places; i++) {
        total += weights[i] * sums[i];
    }
    return total;
}

static double figure_of(const struct work *work, uint32_t side, const struct recipe *recipe,
                        const uint32_t *weights)
{
    const struct side *from = &work->sides[side];
    double below = weighted(sum_of(work, side, recipe->below), weights, work->places);
    double passed = 0.0;

    if (recipe->above == NOTHING || below <= 0.0) {
        return NAN;
    }
    if (recipe->quantile < 0.0) {
        double scale = recipe->below == ONE ? work->places : 1.0;

        scale *= recipe->above == GPU_SECONDS ? 1.0 / 3600.0 : 1.0;
        return scale * weighted(sum_of(work, side, recipe->above), weights, work->places) / below;
    }
    for (uint32_t i = 0; i < from->sorted_count[recipe->latency]; i++) {
        passed += weights[from->sorted[recipe->latency][i].place];
        if (passed > 0.0 && passed >= recipe->quantile * below - 1e-9) {
            return from->sorted[recipe->latency][i].value;
        }
    }
    return NAN;
}

static void compute(void *context, const uint32_t *weights, double *figures)
{
    const struct work *work = context;

    for (uint32_t side = 0; side < work->runs->arms; side++) {
        for (uint32_t i = 0; i < work->metrics; i++) {
            figures[side * work->metrics + i] = figure_of(work, side, &work->recipes[i], weights);
        }
    }
}

/* The longest memory of any metric's cells: what each adds beyond the mean. */
static struct dyno_memory longest_memory(const struct work *work)
{
    struct dyno_memory longest = {.block = 1.0};
    double series[CELLS_MAX];

    for (uint32_t at = 0; at < work->runs->arms * work->metrics; at++) {
        const struct recipe *recipe = &work->recipes[at % work->metrics];
        const double *above = sum_of(work, at / work->metrics, recipe->above);
        const double *below = sum_of(work, at / work->metrics, recipe->below);

        for (uint32_t seed = 0; seed < work->runs->seeds && recipe->above != NOTHING; seed++) {
            double sum = 0.0, count = 0.0;
            struct dyno_memory memory;

            for (uint32_t i = seed * work->cells; i < (seed + 1) * work->cells; i++) {
                sum += above[i];
                count += below[i];
            }
            for (uint32_t i = 0; i < work->cells; i++) {
                uint32_t place = seed * work->cells + i;

                series[i] = above[place] - (count > 0.0 ? sum / count * below[place] : 0.0);
            }
            memory = dyno_memory_of(series, work->cells);
            longest.block = memory.block > longest.block ? memory.block : longest.block;
            longest.missed = memory.missed > longest.missed ? memory.missed : longest.missed;
        }
    }
    return longest;
}

/* ---- estimates ---------------------------------------------------------------------------------
 */

/* The summary's own figures, and of several seeds their mean. */
static void take_results(struct work *work, struct dyno_tune_sure *out)
{
    for (uint32_t side = 0; side < work->runs->arms; side++) {
        for (uint32_t i = 0; i < work->metrics; i++) {
            double sum = 0.0;

            for (uint32_t seed = 0; seed < work->runs->seeds; seed++) {
                sum += dyno_tune_summary_value(&run_of(work, side, seed)->summary,
                                               dyno_tune_aims_metric(work->aims, i)->name);
            }
            out->results[side].metrics[i] = sum / work->runs->seeds;
        }
    }
}

/* Side 1 less side `less`; side `of` itself where they are one. */
static struct dyno_estimate over_seeds(const struct work *work, uint32_t metric, uint32_t of,
                                       uint32_t less)
{
    const char *name = dyno_tune_aims_metric(work->aims, metric)->name;
    double *values = malloc(work->runs->seeds * sizeof *values);
    struct dyno_estimate estimate = dyno_estimate_make(NAN, NAN, 0.0);

    for (uint32_t seed = 0; values && seed < work->runs->seeds; seed++) {
        values[seed] = dyno_tune_summary_value(&run_of(work, of, seed)->summary, name);
        if (of != less) {
            values[seed] -= dyno_tune_summary_value(&run_of(work, less, seed)->summary, name);
        }
    }
    if (values) {
        estimate = dyno_estimate_of_replicates(values, work->runs->seeds);
    }
    free(values);
    return estimate;
}

/* Likewise from `rows` [draws][arms * metrics]; a percentile needs enough of its tail. */
static struct dyno_estimate over_blocks(const struct work *work, const struct dyno_tune_sure *out,
                                        const struct dyno_bootstrap *bootstrap, const double *rows,
                                        double *column, uint32_t metric, uint32_t of, uint32_t less)
{
    const struct recipe *recipe = &work->recipes[metric];
    bool is_bounded;
    uint32_t width = work->runs->arms * work->metrics;
    double value =
        out->results[of].metrics[metric] - (of == less ? 0.0 : out->results[less].metrics[metric]);

    for (uint32_t i = 0; i < bootstrap->draws; i++) {
        const double *row = rows + (size_t)i * width;

        column[i] = row[of * work->metrics + metric] -
                    (of == less ? 0.0 : row[less * work->metrics + metric]);
    }
    if (recipe->above == NOTHING || run_of(work, 0, 0)->record_count < REQUESTS_MIN ||
        (recipe->quantile >= 0.9 && bootstrap->memories * (1.0 - recipe->quantile) < 1.0 - 1e-9)) {
        return dyno_estimate_make(value, NAN, 0.0);
    }
    is_bounded = recipe->quantile < 0.0 ? recipe->above < LATENCIES : recipe->quantile < 0.9;
    return dyno_bootstrap_estimate(bootstrap, value, column, 1, is_bounded);
}

/* No figure is below 0 and no share above 1, and so is what is known of it. */
static void clip(const struct work *work, struct dyno_tune_sure *out)
{
    for (uint32_t i = 0; i < work->runs->arms * work->metrics; i++) {
        struct dyno_estimate *estimate = &out->side[i / work->metrics][i % work->metrics];

        estimate->low = estimate->low < 0.0 ? 0.0 : estimate->low;
        if (dyno_tune_aims_metric(work->aims, i % work->metrics)->unit == DYNO_GATE_SHARE) {
            estimate->high = estimate->high > 1.0 ? 1.0 : estimate->high;
        }
    }
}

static dyno_status draw_blocks(struct work *work, struct dyno_tune_sure *out, uint32_t draws,
                               uint64_t seed)
{
    uint32_t width = work->runs->arms * work->metrics;
    uint32_t length = work->runs->same_traffic ? work->cells : work->places;
    struct dyno_memory memory = longest_memory(work);
    uint32_t least = length / DYNO_BLOCKS_MAX, most = work->cells / DYNO_BLOCKS_MIN;
    double asked = memory.block + 0.5;
    struct dyno_bootstrap bootstrap = {.streams = work->runs->seeds,
                                       .shared = work->runs->same_traffic,
                                       .cells = work->cells,
                                       .missed = memory.missed,
                                       .draws = draws,
                                       .seed = seed};
    double *rows = malloc((size_t)draws * (width + 1) * sizeof *rows);
    dyno_status status = rows ? DYNO_OK : DYNO_NO_MEMORY;

    asked = asked > least ? asked : least;
    bootstrap.block_cells = (uint32_t)(asked < most ? asked : most);
    bootstrap.memories = length / memory.block;
    out->blocks = dyno_bootstrap_blocks(&bootstrap);
    if (status == DYNO_OK) {
        status = dyno_bootstrap_draw(rows, width, &bootstrap, compute, work);
    }
    for (uint32_t i = 0; status == DYNO_OK && i < work->runs->arms * work->metrics; i++) {
        uint32_t side = i / work->metrics, metric = i % work->metrics;
        double *column = rows + (size_t)draws * width;

        out->side[side][metric] =
            over_blocks(work, out, &bootstrap, rows, column, metric, side, side);
        out->difference[side][metric] =
            over_blocks(work, out, &bootstrap, rows, column, metric, 1, side == 1 ? 0 : side);
    }
    free(rows);
    return status;
}

static uint32_t cells_for(const struct dyno_arm_runs *runs)
{
    uint32_t least = UINT32_MAX, cells;

    for (uint32_t i = 0; i < runs->arms * runs->seeds; i++) {
        least = runs->items[i].record_count < least ? runs->items[i].record_count : least;
    }
    cells = least / CELL_REQUESTS;
    cells = cells < 2 * DYNO_BLOCKS_MIN ? 2 * DYNO_BLOCKS_MIN : cells;
    return cells < CELLS_MAX ? cells : CELLS_MAX;
}

dyno_status dyno_tune_sure_compute(struct dyno_tune_sure *out, const struct dyno_arm_runs *runs,
                                   const struct dyno_tune_aims *aims, uint32_t draws,
                                   struct dyno_error *error)
{
    struct work work = {.runs = runs,
                        .aims = aims,
                        .metrics = dyno_tune_aims_metric_count(aims),
                        .cells = cells_for(runs)};
    dyno_status status = DYNO_OK;

    *out = (struct dyno_tune_sure){.by_seeds = !runs->same_traffic && runs->seeds >= SEEDS_MIN};
    work.places = work.cells * runs->seeds;
    for (uint32_t i = 0; i < work.metrics; i++) {
        work.recipes[i] = recipe_of(dyno_tune_aims_metric(aims, i)->name);
    }
    take_results(&work, out);
    for (uint32_t i = 0; out->by_seeds && i < runs->arms * work.metrics; i++) {
        uint32_t side = i / work.metrics, metric = i % work.metrics;

        out->side[side][metric] = over_seeds(&work, metric, side, side);
        out->difference[side][metric] = over_seeds(&work, metric, 1, side == 1 ? 0 : side);
    }
    for (uint32_t i = 0; !out->by_seeds && status == DYNO_OK && i < runs->arms; i++) {
        status = fill_side(&work, i);
    }
    if (!out->by_seeds && status == DYNO_OK) {
        status = draw_blocks(&work, out, draws, runs->items[0].with.scenario.run.seed);
    }
    clip(&work, out);
    release(&work);
    return status == DYNO_OK ? status : dyno_fail(error, status, "out of memory for the intervals");
}

#include "reports/paired.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports/paired_influence.h"
#include "reports/stats/tests.h"

enum { BLOCKS_MAX = 1024, FLIPS = 9999, SKEWNESS_DRAWS = 300 };

const struct dyno_paired_metric dyno_paired_metrics[DYNO_PAIRED_METRICS] = {
    {"ttft_ms.mean", false, true},        {"ttft_ms.p50", false, true},
    {"ttft_ms.p99", false, true},         {"tpot_ms.mean", false, true},
    {"tpot_ms.p50", false, true},         {"tpot_ms.p99", false, true},
    {"e2e_ms.mean", false, true},         {"e2e_ms.p50", false, true},
    {"e2e_ms.p99", false, true},          {"phases_ms.queue.mean", false, true},
    {"phases_ms.queue.p99", false, true}, {"kv.token_hit_rate", true, false},
    {"goodput.fraction", true, false},    {"completed.fraction", true, false},
};

/* How each is computed. */
static const struct {
    enum dyno_paired_kind kind;
    double quantile; /* negative: a ratio of sums */
} recipes[DYNO_PAIRED_METRICS] = {
    {DYNO_PAIRED_TTFT, -1},    {DYNO_PAIRED_TTFT, 0.5},     {DYNO_PAIRED_TTFT, 0.99},
    {DYNO_PAIRED_TPOT, -1},    {DYNO_PAIRED_TPOT, 0.5},     {DYNO_PAIRED_TPOT, 0.99},
    {DYNO_PAIRED_E2E, -1},     {DYNO_PAIRED_E2E, 0.5},      {DYNO_PAIRED_E2E, 0.99},
    {DYNO_PAIRED_QUEUE, -1},   {DYNO_PAIRED_QUEUE, 0.99},   {DYNO_PAIRED_HIT_RATE, -1},
    {DYNO_PAIRED_GOODPUT, -1}, {DYNO_PAIRED_COMPLETED, -1},
};

uint32_t dyno_paired_metric_find(const char *name)
{
    uint32_t i = 0;

    while (i < DYNO_PAIRED_METRICS && strcmp(dyno_paired_metrics[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* ---- figures --------------------------------------------------------------------------------- */

static double ratio_of(const struct dyno_paired_side *side, enum dyno_paired_kind kind,
                       const uint32_t *weights, uint32_t places)
{
    double sum = 0.0, count = 0.0;

    for (uint32_t i = 0; i < places; i++) {
        sum += weights[i] * side->sums[kind][i];
        count += weights[i] * side->counts[kind][i];
    }
    return count > 0.0 ? sum / count : NAN;
}

/* The value of rank ceil(p n) where a request counts as often as its place was drawn. */
static double quantile_of(const struct dyno_paired_side *side, enum dyno_paired_kind kind, double p,
                          const uint32_t *weights, uint32_t places)
{
    double total = 0.0, due, passed = 0.0;

    if (!side->sorted[kind]) {
        return NAN;
    }
    for (uint32_t i = 0; i < places; i++) {
        total += weights[i] * side->counts[kind][i];
    }
    due = p * total - 1e-9;
    for (uint32_t i = 0; i < side->sorted_count[kind]; i++) {
        passed += weights[side->sorted[kind][i].place];
        if (passed > 0.0 && passed >= due) {
            return side->sorted[kind][i].value;
        }
    }
    return NAN;
}

/* All figures of all arms, over all streams. */
static void compute(void *context, const uint32_t *weights, double *figures)
{
    const struct dyno_paired_cells *work = context;

    for (uint32_t i = 0; i < work->width; i++) {
        const struct dyno_paired_side *side = &work->sides[i / DYNO_PAIRED_METRICS];
        enum dyno_paired_kind kind = recipes[i % DYNO_PAIRED_METRICS].kind;
        double quantile = recipes[i % DYNO_PAIRED_METRICS].quantile;

        if (quantile < 0.0) {
            figures[i] = ratio_of(side, kind, weights, work->places);
        } else {
            figures[i] = quantile < 0.9 && work->without_medians
                             ? NAN
                             : quantile_of(side, kind, quantile, weights, work->places);
        }
    }
}

/* ---- how long blocks are --------------------------------------------------------------------- */

/* The longest memory of any series of cells: of the first arm's latencies, and of the other arms'
 * differences from them. */
static double longest_memory(const struct dyno_paired_cells *work)
{
    double series[DYNO_PAIRED_CELLS_MAX], longest = 1.0;

    for (uint32_t at = 0; at < work->places * work->input->arms; at += work->cells) {
        const struct dyno_paired_side *side = &work->sides[at / work->places];
        const struct dyno_paired_side *base = at < work->places ? NULL : &work->sides[0];
        uint32_t place = at % work->places;

        for (enum dyno_paired_kind kind = DYNO_PAIRED_TTFT; kind <= DYNO_PAIRED_E2E; kind++) {
            double sum = 0.0, count = 0.0, block;

            for (uint32_t i = 0; i < work->cells; i++) {
                series[i] =
                    side->sums[kind][place + i] - (base ? base->sums[kind][place + i] : 0.0);
                sum += series[i];
                count += side->counts[kind][place + i];
            }
            for (uint32_t i = 0; i < work->cells; i++) {
                series[i] -= count > 0.0 ? sum / count * side->counts[kind][place + i] : 0.0;
            }
            block = dyno_memory_of(series, work->cells).block;
            longest = block > longest ? block : longest;
        }
    }
    return longest;
}

/* ---- estimates ------------------------------------------------------------------------------- */

/* Where figures come from: the runs as they were, drawn again, and without one seed each time. */
struct sample {
    const struct dyno_bootstrap *bootstrap;
    const double *point;   /* [width] */
    const double *draws;   /* [bootstrap->draws][width] */
    const double *without; /* [seeds][width]; NULL: intervals are not over seeds */
    uint32_t seeds;
    double *drawn, *left, *levels; /* [draws], [seeds], [draws]: scratch ... */
    double *influence;             /* [2 * places]: ... likewise */
};

/* The jackknife: what a seed adds is n times the whole less n - 1 times the whole without it. */
static struct dyno_estimate over_seeds(const struct sample *sample, double value)
{
    double n = sample->seeds;

    for (uint32_t i = 0; i < sample->seeds; i++) {
        sample->left[i] = n * value - (n - 1.0) * sample->left[i];
    }
    return dyno_bootstrap_replicates(sample->bootstrap, value, sample->left, sample->seeds,
                                     sample->drawn, 1);
}

/* Whether enough was seen for an interval of a metric. */
static bool is_known(const struct dyno_paired_cells *work, uint32_t metric)
{
    const struct dyno_paired_figures *out = work->out;

    if (out->requests < DYNO_PAIRED_REQUESTS_MIN) {
        return false;
    }
    if (recipes[metric].quantile < 0.9) {
        return true;
    }
    if ((1.0 - recipes[metric].quantile) * out->requests < DYNO_PAIRED_TAIL_REQUESTS - 1e-6) {
        return false;
    }
    return out->by_replicates ? work->input->streams >= DYNO_PAIRED_TAIL_SEEDS
                              : out->memories >= DYNO_PAIRED_TAIL_MEMORIES;
}

/* Of figure `at` less figure `less` in every row; of `at` itself where they are one. */
static void take_column(double *out, const double *rows, uint32_t row_count, uint32_t width,
                        uint32_t at, uint32_t less)
{
    for (uint32_t i = 0; i < row_count; i++) {
        const double *row = rows + (size_t)i * width;

        out[i] = row[at] - (at == less ? 0.0 : row[less]);
    }
}

/* Of a latency, or of the difference of two, of which `drawn` has the draws. */
static struct dyno_estimate of_waiting(const struct sample *sample, double value, uint32_t width,
                                       uint32_t at, uint32_t less)
{
    double level = (sample->point[at] + sample->point[less]) / 2.0;

    for (uint32_t i = 0; i < sample->bootstrap->draws; i++) {
        const double *row = sample->draws + (size_t)i * width;

        sample->levels[i] = (row[at] + row[less]) / 2.0;
    }
    return dyno_bootstrap_waiting(
        sample->bootstrap, value,
        &(struct dyno_drawn){.draws = sample->drawn, .influence = sample->influence}, level,
        dyno_waiting_power(at != less), sample->levels);
}

/* Of a latency. */
static struct dyno_paired_ranked ranked(const struct dyno_paired_cells *work, uint32_t metric,
                                        uint32_t arm)
{
    const struct dyno_paired_side *side = &work->sides[arm];
    enum dyno_paired_kind kind = recipes[metric].kind;

    return (struct dyno_paired_ranked){.sorted = side->sorted[kind],
                                       .count = side->sorted_count[kind],
                                       .counts = side->counts[kind]};
}

static void add_influence(const struct dyno_paired_cells *work, double *out, double times,
                          uint32_t metric, uint32_t arm)
{
    const struct dyno_paired_side *side = &work->sides[arm];
    enum dyno_paired_kind kind = recipes[metric].kind;
    struct dyno_paired_ranked of;

    if (recipes[metric].quantile < 0.0) {
        dyno_paired_influence_ratio(out, times, side->sums[kind], side->counts[kind], work->places);
    } else {
        of = ranked(work, metric, arm);
        dyno_paired_influence_quantile(out, times, recipes[metric].quantile, &of, work->places);
    }
}

/* What cells add to arm b less arm a; to b itself where they are one. */
static void take_influence(const struct dyno_paired_cells *work, double *out, uint32_t metric,
                           uint32_t a, uint32_t b)
{
    memset(out, 0, work->places * sizeof *out);
    add_influence(work, out, 1.0, metric, b);
    if (a != b) {
        add_influence(work, out, -1.0, metric, a);
    }
}

/* By blocks of time: of arm b less arm a; of b itself where they are one. */
static struct dyno_estimate over_blocks(const struct dyno_paired_cells *work,
                                        const struct sample *sample, double value, uint32_t metric,
                                        uint32_t a, uint32_t b)
{
    double quantile = recipes[metric].quantile;
    struct dyno_paired_ranked of, less;

    if (quantile >= 0.0 && quantile < 0.9) {
        of = ranked(work, metric, b);
        less = ranked(work, metric, a);
        return dyno_paired_quantile(sample->bootstrap, value, quantile, &of, a == b ? NULL : &less,
                                    sample->influence);
    }
    take_influence(work, sample->influence, metric, a, b);
    if (!dyno_paired_metrics[metric].is_latency) {
        return dyno_bootstrap_estimate(
            sample->bootstrap, value,
            &(struct dyno_drawn){.draws = sample->drawn, .influence = sample->influence}, true);
    }
    return of_waiting(sample, value, work->width, b * DYNO_PAIRED_METRICS + metric,
                      a * DYNO_PAIRED_METRICS + metric);
}

/* Of arm b less arm a; of b itself where they are one. */
static struct dyno_estimate estimate(const struct dyno_paired_cells *work,
                                     const struct sample *sample, uint32_t metric, uint32_t a,
                                     uint32_t b)
{
    uint32_t at = b * DYNO_PAIRED_METRICS + metric, less = a * DYNO_PAIRED_METRICS + metric;
    double value = sample->point[at] - (a == b ? 0.0 : sample->point[less]);

    if (!is_known(work, metric)) {
        return dyno_estimate_make(value, NAN, 0.0);
    }
    take_column(sample->drawn, sample->draws, sample->bootstrap->draws, work->width, at, less);
    if (!sample->without) {
        return over_blocks(work, sample, value, metric, a, b);
    }
    take_column(sample->left, sample->without, sample->seeds, work->width, at, less);
    return over_seeds(sample, value);
}

/* No latency is below 0 and no share above 1, and so is what is known of it. */
static struct dyno_estimate clipped(struct dyno_estimate estimate, uint32_t metric)
{
    estimate.low = estimate.low < 0.0 ? 0.0 : estimate.low;
    if (!dyno_paired_metrics[metric].is_latency) {
        estimate.high = estimate.high > 1.0 ? 1.0 : estimate.high;
    }
    return estimate;
}

static void fill_estimates(struct dyno_paired_cells *work, const struct sample *sample)
{
    struct dyno_paired_figures *out = work->out;

    for (uint32_t i = 0; i < DYNO_PAIRED_METRICS; i++) {
        for (uint32_t b = 0; b < work->input->arms; b++) {
            out->arm[b][i] = clipped(estimate(work, sample, i, b, b), i);
            for (uint32_t a = 0; a < b; a++) {
                out->difference[a][b][i] = estimate(work, sample, i, a, b);
            }
        }
    }
}

/* ---- blocks one by one ----------------------------------------------------------------------- */

/* Differences of block means are nearly independent, so that what asks for no distribution may be
 * asked of them: on which side they are, and what turning their signs would give. */
static void test_blocks(const struct dyno_paired_cells *work, struct dyno_paired_blocks *out,
                        enum dyno_paired_kind kind, uint32_t a, uint32_t b)
{
    const struct dyno_paired_side *first = &work->sides[a], *second = &work->sides[b];
    uint32_t length = work->out->by_replicates ? work->cells : work->out->block_cells;
    bool shared = work->input->same_traffic; /* then streams are one, seen several times */
    uint32_t end = shared ? work->cells : work->places;
    double differences[BLOCKS_MAX], count = 0.0;

    *out = (struct dyno_paired_blocks){.count = 0};
    for (uint32_t start = 0; start + length <= end && out->count < BLOCKS_MAX; start += length) {
        double sum = 0.0;

        for (uint32_t at = start; at < work->places; at += shared ? work->cells : work->places) {
            for (uint32_t i = at; i < at + length; i++) {
                sum += second->sums[kind][i] - first->sums[kind][i];
                count += first->counts[kind][i];
            }
        }
        differences[out->count++] = sum;
        out->less += sum < 0.0;
        out->more += sum > 0.0;
    }
    out->sign_p = count > 0.0 ? dyno_sign_test(out->more, out->less) : NAN;
    out->flip_p =
        count > 0.0 ? dyno_sign_flip_test(differences, out->count, FLIPS, work->input->seed) : NAN;
}

static void test_all_blocks(struct dyno_paired_cells *work)
{
    for (uint32_t i = 0; i < DYNO_PAIRED_METRICS; i++) {
        if (recipes[i].quantile >= 0.0) {
            continue;
        }
        for (uint32_t b = 0; b < work->input->arms; b++) {
            for (uint32_t a = 0; a < b; a++) {
                test_blocks(work, &work->out->blocks[a][b][i], recipes[i].kind, a, b);
            }
        }
    }
}

/* Every seed left out once; and the point, with none left out. */
static void leave_out(struct dyno_paired_cells *work, uint32_t *weights, double *point,
                      double *rows)
{
    for (uint32_t i = 0; i < work->places; i++) {
        weights[i] = 1;
    }
    compute(work, weights, point);
    for (uint32_t i = 0; work->out->by_replicates && i < work->input->streams; i++) {
        uint32_t *left_out = weights + (size_t)i * work->cells;

        memset(left_out, 0, work->cells * sizeof *left_out);
        compute(work, weights, rows + (size_t)i * work->width);
        for (uint32_t j = 0; j < work->cells; j++) {
            left_out[j] = 1;
        }
    }
}

/* Over seeds only the draws' skewness is asked for, and a third moment of so many tells it. */
static uint32_t draws_of(const struct dyno_paired_cells *work)
{
    uint32_t draws = work->input->draws;

    return work->out->by_replicates && draws > SKEWNESS_DRAWS ? SKEWNESS_DRAWS : draws;
}

static dyno_status compute_all(struct dyno_paired_cells *work, uint32_t *weights, double *rows)
{
    const struct dyno_paired_input *input = work->input;
    bool by_replicates = work->out->by_replicates;
    struct dyno_bootstrap bootstrap = {.streams = input->streams,
                                       .shared = input->same_traffic,
                                       .cells = work->cells,
                                       .block_cells = work->out->block_cells,
                                       .least_cells = input->block_cells,
                                       .draws = draws_of(work),
                                       .seed = input->seed};
    double point[DYNO_PAIRED_ARMS_MAX * DYNO_PAIRED_METRICS] = {0};
    double *without = rows + (size_t)bootstrap.draws * work->width;
    double *scratch = without + (size_t)input->streams * work->width;
    struct sample sample = {.bootstrap = &bootstrap,
                            .point = point,
                            .draws = rows,
                            .without = by_replicates ? without : NULL,
                            .seeds = input->streams,
                            .drawn = scratch,
                            .left = scratch + bootstrap.draws,
                            .levels = scratch + bootstrap.draws + input->streams,
                            .influence = scratch + 2 * bootstrap.draws + input->streams};

    leave_out(work, weights, point, without);
    work->without_medians = !by_replicates; /* their intervals are from the requests' order */
    DYNO_TRY(dyno_bootstrap_draw(rows, work->width, &bootstrap, compute, work));
    fill_estimates(work, &sample);
    if (!input->means_only) {
        test_all_blocks(work);
    }
    return DYNO_OK;
}

static dyno_status fill_all(struct dyno_paired_cells *work)
{
    const struct dyno_paired_input *input = work->input;
    uint32_t all = input->same_traffic ? work->cells : work->places;
    double longest;

    DYNO_TRY(dyno_paired_cells_fill(work));
    work->out->block_cells = input->block_cells;
    work->out->memories = input->memories;
    if (!input->block_cells) {
        longest = longest_memory(work);
        work->out->block_cells = dyno_block_cells(longest, work->cells, all);
        work->out->memories = all / longest;
    }
    return DYNO_OK;
}

dyno_status dyno_paired_compute(struct dyno_paired_figures *out,
                                const struct dyno_paired_input *input)
{
    struct dyno_paired_cells work = {
        .input = input, .out = out, .width = input->arms * DYNO_PAIRED_METRICS};
    size_t row_count = (size_t)input->draws + input->streams;
    dyno_status status = DYNO_NO_MEMORY;
    uint32_t *weights;
    double *rows;

    memset(out, 0, sizeof *out);
    work.cells = out->cells = input->cells ? input->cells : dyno_paired_cells_for(input);
    work.places = work.cells * input->streams;
    out->by_replicates = !input->same_traffic && input->streams >= DYNO_PAIRED_REPLICATES;
    weights = malloc(work.places * sizeof *weights);
    rows = malloc((row_count * (work.width + (size_t)1) + input->draws + 2 * (size_t)work.places) *
                  sizeof *rows);
    if (rows && weights) {
        status = fill_all(&work);
    }
    if (status == DYNO_OK) {
        status = compute_all(&work, weights, rows);
    }
    dyno_paired_cells_release(&work);
    free(weights);
    free(rows);
    return status;
}

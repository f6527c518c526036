/* Samples, means over blocks of consecutive requests; and what becomes of them. */
#include "cli/fit/run.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fit/served_figures.h"
#include "core/base/map.h"
#include "core/base/math.h"
#include "sim/uncertainty.h"

enum {
    ROUNDS = 40,
    BLOCK_MIN = 8,   /* requests */
    HALVES_MIN = 64, /* the same, of a recording that is judged by its second half */
    SAMPLES_PER_PARAMETER = 4,
    FIGURES_PER_PARAMETER = 3,
};

#define LIMIT          0.5 /* a relative standard error above this is no determination ... */
#define LIMIT_SPREADS  2   /* ... nor is one this many times what it was uncertain by before ... */
#define LIMIT_ASSUMED  5   /* ... or this many, where the GPU itself was never measured */
#define INDEPENDENT    2   /* so many independent errors to a block */
#define PROGRESS_EVERY 200 /* replays */

/* What a benchmark can show: what passes cost on the host, how fast products and attention are, and
 * what lies before the first pass.  Named last: first to go, of equals. */
static const char *const candidates[] = {
    "host_us",
    "gemm_memory_efficiency",
    "gemm_flops_efficiency",
    "decode_attention_efficiency",
    "host_us_per_sequence",
    "prefill_attention_efficiency",
    "ingest_us",
    "ingest_us_per_token",
};

/* The requests of a block of consecutive ones with prompts on one side of the median, and one
 * metric of theirs: who of them was served first is chance, and cancels in their mean. */
struct sample {
    uint32_t block, half;
    enum dyno_served_metric metric;
    uint32_t count;     /* of requests that have that metric */
    double measured_ms; /* of a figure */
};

struct work {
    struct dyno_fit_run *fit;
    struct dyno_served_replay *replay;
    uint32_t block_length, block_count;
    double median_tokens;
    struct sample *samples; /* [sample_count]; of blocks: [block_count][2][metrics] */
    uint32_t *clusters;     /* [sample_count] */
    size_t sample_count;    /* of all ... */
    size_t used;            /* ... and of those that are looked at */
    uint32_t count;         /* of the parameters that are moved */
};

static double *place_of(struct dyno_timing_parameters *parameters, size_t place)
{
    return (double *)(void *)((char *)parameters + dyno_timing_rows[place].offset);
}

/* ---- parameters ------------------------------------------------------------------------------ */

static size_t find_row(const char *name)
{
    size_t place = 0;

    while (dyno_timing_rows[place].name && strcmp(dyno_timing_rows[place].name, name) != 0) {
        place++;
    }
    return place;
}

static bool is_listed(const struct dyno_fit_run *fit, size_t place)
{
    for (uint32_t i = 0; i < fit->count; i++) {
        if (fit->places[i] == place) {
            return true;
        }
    }
    return false;
}

/* The candidates, then all others of which something is uncertain.  The front end does not show in
 * an engine's own stamps. */
static void list_parameters(struct dyno_fit_run *fit, const struct dyno_served_replay *replay)
{
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        size_t place = find_row(candidates[i]);

        if (dyno_timing_rows[place].name && *place_of(&fit->before, place) > 0 &&
            !(replay->run.is_of_engine && strncmp(candidates[i], "ingest", 6) == 0)) {
            fit->places[fit->count++] = place;
        }
    }
    fit->candidates = fit->count;
    for (size_t place = 0; dyno_timing_rows[place].name; place++) {
        if (!is_listed(fit, place) && *place_of(&fit->before, place) > 0 &&
            dyno_timing_deviation(&replay->calibration, place) > 0) {
            fit->places[fit->count++] = place;
        }
    }
}

/* The first `count` parameters as `at` says, the others as before. */
static void apply(const struct dyno_fit_run *fit, const double *at, uint32_t count,
                  struct dyno_timing_parameters *out)
{
    *out = fit->before;
    for (uint32_t i = 0; i < count; i++) {
        const struct dyno_timing_row *row = &dyno_timing_rows[fit->places[i]];
        double value = dyno_exp(at[i]);

        value = value < row->min ? row->min : value > row->max ? row->max : value;
        *place_of(out, fit->places[i]) = value;
    }
}

/* ---- samples --------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

static dyno_status find_median(struct work *work, struct dyno_error *error)
{
    const struct dyno_served_run *run = &work->replay->run;
    uint32_t *tokens = malloc(run->request_count * sizeof *tokens);
    size_t middle = run->request_count / 2;

    if (!tokens) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < run->request_count; i++) {
        tokens[i] = run->requests[i].input_tokens;
    }
    qsort(tokens, run->request_count, sizeof *tokens, by_value);
    work->median_tokens = tokens[middle];
    free(tokens);
    return DYNO_OK;
}

static size_t sample_of(const struct work *work, size_t request, int metric)
{
    size_t block = request / work->block_length;
    size_t half = work->replay->run.requests[request].input_tokens > work->median_tokens;

    return (2 * block + half) * DYNO_SERVED_METRICS + (size_t)metric;
}

static dyno_status make_room(struct work *work, size_t count, struct dyno_error *error)
{
    work->sample_count = count;
    work->samples = calloc(count, sizeof *work->samples);
    work->clusters = calloc(count, sizeof *work->clusters);
    return work->samples && work->clusters ? DYNO_OK
                                           : dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
}

/* Blocks of dyno_sqrt(n) requests, and at least eight of them. */
static dyno_status add_blocks(struct work *work, struct dyno_error *error)
{
    const struct dyno_served_run *run = &work->replay->run;
    size_t length = (size_t)dyno_sqrt((double)run->request_count);

    work->block_length = (uint32_t)(length > BLOCK_MIN ? length : BLOCK_MIN);
    work->block_count = (uint32_t)((run->request_count - 1) / work->block_length + 1);
    DYNO_TRY(find_median(work, error));
    DYNO_TRY(make_room(work, (size_t)work->block_count * 2 * DYNO_SERVED_METRICS, error));
    for (size_t i = 0; i < work->sample_count; i++) {
        work->clusters[i] = (uint32_t)(i / (2 * DYNO_SERVED_METRICS));
    }
    for (size_t i = 0; i < run->request_count; i++) {
        for (int metric = 0; metric < DYNO_SERVED_METRICS; metric++) {
            work->samples[sample_of(work, i, metric)].count +=
                dyno_served_ms(&run->requests[i], (enum dyno_served_metric)metric) > 0;
        }
    }
    return DYNO_OK;
}

/* Where requests cannot be told apart, figures: each a sample of its own. */
static dyno_status add_figures(struct work *work, struct dyno_error *error)
{
    const struct dyno_served_run *run = &work->replay->run;

    DYNO_TRY(make_room(work, run->figure_count, error));
    for (uint32_t i = 0; i < run->figure_count; i++) {
        work->samples[i].metric = run->figures[i].metric;
        work->samples[i].measured_ms = run->figures[i].ms;
        work->clusters[i] = i;
    }
    return DYNO_OK;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void find_block_errors(const struct work *work, double *out)
{
    const struct dyno_served_run *run = &work->replay->run;

    memset(out, 0, work->used * sizeof *out);
    for (size_t i = 0; i < run->request_count; i++) {
        for (int metric = 0; metric < DYNO_SERVED_METRICS; metric++) {
            size_t sample = sample_of(work, i, metric);
            double measured = dyno_served_ms(&run->requests[i], (enum dyno_served_metric)metric);
            double ms = dyno_served_replay_ms(work->replay, i, (enum dyno_served_metric)metric);

            if (sample < work->used && measured > 0 && ms > 0) {
                out[sample] += dyno_log(ms / measured) / work->samples[sample].count;
            }
        }
    }
}

static dyno_status find_figure_errors(const struct work *work, double *out,
                                      struct dyno_error *error)
{
    const struct dyno_served_run *run = &work->replay->run;

    for (size_t i = 0; i < work->used; i++) {
        double ms;

        DYNO_TRY(dyno_served_predicted(work->replay, work->samples[i].metric,
                                       run->figures[i].fraction, &ms, error));
        out[i] = ms > 0 ? dyno_log(ms / work->samples[i].measured_ms) : 0;
    }
    return DYNO_OK;
}

static double mean_size(const double *errors, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += fabs(errors[i]);
    }
    return count > 0 ? sum / (double)count : 0;
}

static dyno_status find_errors(void *context, const double *at, double *out,
                               struct dyno_error *error)
{
    struct work *work = context;
    struct dyno_timing_parameters parameters;

    apply(work->fit, at, work->count, &parameters);
    DYNO_TRY(dyno_served_replay_again(work->replay, &parameters, error));
    if (work->replay->run.request_count > 0) {
        find_block_errors(work, out);
    } else {
        DYNO_TRY(find_figure_errors(work, out, error));
    }
    if (work->replay->replays % PROGRESS_EVERY == 0) {
        (void)fprintf(stderr, "fit: %" PRIu64 " replays, mean error %.2f %%\n",
                      work->replay->replays, 100 * mean_size(out, work->used));
    }
    return DYNO_OK;
}

/* ---- fitting --------------------------------------------------------------------------------- */

static void set_up(const struct work *work, struct dyno_regression *regression)
{
    const struct dyno_served_replay *replay = work->replay;
    double spreads = replay->calibration.gpu[0] ? LIMIT_SPREADS : LIMIT_ASSUMED;
    struct dyno_timing_parameters before = work->fit->before;
    uint32_t clusters = work->clusters[work->used - 1] + 1;

    *regression = (struct dyno_regression){
        .count = work->fit->count,
        .sample_count = work->used,
        .clusters = work->clusters,
        .cluster_count = clusters,
        .independent = INDEPENDENT * clusters,
        .samples_min =
            replay->run.request_count > 0 ? SAMPLES_PER_PARAMETER : FIGURES_PER_PARAMETER,
        .errors = find_errors,
        .context = (void *)work,
        .slope_step = 0.05,
        .is_rough = true,
        .newton_max = 8,
        .step = 0.05,
        .rounds = ROUNDS,
    };
    for (uint32_t i = 0; i < work->fit->count; i++) {
        double spread = dyno_timing_deviation(&replay->calibration, work->fit->places[i]);

        regression->is_fixed[i] = i >= work->fit->candidates;
        regression->start[i] = dyno_log(*place_of(&before, work->fit->places[i]));
        regression->prior[i] = spread;
        regression->limit[i] = fmin(LIMIT, spreads * spread);
    }
}

/* Mean errors of the first `half` samples, and of the others. */
static dyno_status judge_halves(struct work *work, const double *at, size_t half, double *first,
                                double *second, struct dyno_error *error)
{
    double *errors = calloc(work->used + 1, sizeof *errors);
    dyno_status status;

    if (!errors) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    status = find_errors(work, at, errors, error);
    *first = mean_size(errors, half);
    *second = mean_size(errors + half, work->used - half);
    free(errors);
    return status;
}

/* Fit to the first half, and judge by the second. */
static dyno_status hold_out(struct work *work, struct dyno_error *error)
{
    size_t half = (size_t)(work->block_count / 2) * 2 * DYNO_SERVED_METRICS;
    struct dyno_fit_run *fit = work->fit;
    struct dyno_regression_result result;
    struct dyno_regression regression;
    double before;

    work->used = half;
    set_up(work, &regression);
    work->count = regression.count = fit->candidates; /* not what else is uncertain */
    DYNO_TRY(dyno_regression_fit(&result, &regression, error));
    work->used = work->sample_count;
    DYNO_TRY(judge_halves(work, regression.start, half, &before, &fit->second_half_before, error));
    return judge_halves(work, result.at, half, &fit->first_half, &fit->second_half, error);
}

static dyno_status fit_all(struct work *work, bool halves, struct dyno_error *error)
{
    struct dyno_fit_run *fit = work->fit;
    struct dyno_regression regression;

    fit->first_half = fit->second_half = fit->second_half_before = -1;
    DYNO_TRY(fit->requests > 0 ? add_blocks(work, error) : add_figures(work, error));
    if (halves && fit->requests >= HALVES_MIN) {
        DYNO_TRY(hold_out(work, error));
    }
    work->used = work->sample_count;
    work->count = fit->count;
    set_up(work, &regression);
    fit->groups = regression.cluster_count;
    DYNO_TRY(dyno_regression_fit(&fit->result, &regression, error));
    apply(fit, fit->result.at, fit->count, &fit->after);
    return dyno_served_replay_again(work->replay, &fit->after, error);
}

dyno_status dyno_fit_run(struct dyno_fit_run *out, struct dyno_served_replay *replay, bool halves,
                         struct dyno_error *error)
{
    struct work work = {.fit = out, .replay = replay};
    dyno_status status;

    memset(out, 0, sizeof *out);
    out->before = replay->timing.parameters;
    out->requests = replay->run.request_count;
    list_parameters(out, replay);
    status = fit_all(&work, halves, error);
    free(work.samples);
    free(work.clusters);
    return status;
}

/* ---- what is left behind --------------------------------------------------------------------- */

/* Tells two recordings apart, no more. */
static uint64_t hash_of(const struct dyno_served_run *run)
{
    uint64_t hash = run->request_count, bits;

    for (size_t i = 0; i < run->request_count; i++) {
        memcpy(&bits, &run->requests[i].e2e_s, sizeof bits);
        hash = dyno_mix(hash ^ bits);
    }
    for (uint32_t i = 0; i < run->figure_count; i++) {
        memcpy(&bits, &run->figures[i].ms, sizeof bits);
        hash = dyno_mix(hash ^ bits);
    }
    return hash;
}

static void set_correlations(const struct dyno_fit_run *fit, uint32_t i,
                             struct dyno_calibration *out)
{
    memset(out->correlation[fit->places[i]], 0, sizeof out->correlation[0]);
    for (uint32_t j = 0; j < fit->count; j++) {
        double product = fit->result.covariance[i][i] * fit->result.covariance[j][j];
        double correlation = product > 0 ? fit->result.covariance[i][j] / dyno_sqrt(product) : 0;

        if (i != j) {
            out->correlation[fit->places[i]][fit->places[j]] = correlation;
            out->correlation[fit->places[j]][fit->places[i]] = correlation;
        }
    }
}

void dyno_fit_run_calibrate(const struct dyno_fit_run *fit, const struct dyno_served_replay *replay,
                            struct dyno_calibration *out)
{
    *out = replay->calibration;
    memset(out->ranges, 0, sizeof out->ranges);
    out->parameters = fit->after;
    (void)snprintf(out->gpu, sizeof out->gpu, "%s", replay->timing.gpu.name);
    (void)snprintf(out->engine, sizeof out->engine, "%s", replay->scenario.batch.engine);
    (void)snprintf(out->weights, sizeof out->weights, "%s", replay->scenario.model.weights);
    (void)snprintf(out->kv, sizeof out->kv, "%s", replay->scenario.model.kv);
    (void)snprintf(out->data, sizeof out->data, "%016" PRIx64, hash_of(&replay->run));
    for (uint32_t i = 0; i < fit->candidates; i++) {
        size_t place = fit->places[i];

        if (fit->result.determined[i] == DYNO_DETERMINED) {
            out->given[place] = true;
            out->standard_error[place] = dyno_sqrt(fit->result.covariance[i][i]);
            out->samples[place] =
                (uint32_t)(fit->requests ? fit->requests : replay->run.figure_count);
            set_correlations(fit, i, out);
        }
    }
    for (int end = 0; end < 2; end++) { /* of every pass from the smallest to the largest */
        dyno_calibration_cover(out, DYNO_AXIS_TOKENS, end ? replay->totals.pass_tokens_max : 1);
        dyno_calibration_cover(out, DYNO_AXIS_SEQUENCES, end ? replay->totals.sequences_max : 1);
        dyno_calibration_cover(out, DYNO_AXIS_CONTEXT, end ? replay->totals.context_max : 1);
    }
    dyno_calibration_cover(out, DYNO_AXIS_GPUS, replay->timing.tp > 1 ? replay->timing.tp : 0);
}

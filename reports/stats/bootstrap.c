#include "reports/stats/bootstrap.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/math.h"
#include "core/base/rng.h"
#include "reports/stats/distributions.h"

/* What a run does not show of itself: so many times the skewness of draws is that of the figure,
 * and so many memories of it are missing in its standard error. */
static const double SKEW_UNSEEN = 1.5, MEMORY_UNSEEN = 2.0;

/* How near to where a transform turns around a skewness is believed. */
static const double NEAR_TURN = 0.85;

/* Blocks that begin anywhere and go on from the end to the start. */
static void draw_stream(uint32_t *weights, const struct dyno_bootstrap *bootstrap,
                        struct dyno_rng *rng)
{
    uint32_t done = 0;

    memset(weights, 0, bootstrap->cells * sizeof *weights);
    while (done < bootstrap->cells) {
        uint32_t at = (uint32_t)dyno_rng_below(rng, bootstrap->cells);

        for (uint32_t i = 0; i < bootstrap->block_cells && done < bootstrap->cells; i++, done++) {
            weights[at]++;
            at = at + 1 < bootstrap->cells ? at + 1 : 0;
        }
    }
}

dyno_status dyno_bootstrap_draw(double *out, uint32_t figure_count,
                                const struct dyno_bootstrap *bootstrap,
                                dyno_figures_of_weights *compute, void *context)
{
    size_t cells = bootstrap->cells;
    uint32_t *weights = calloc(bootstrap->streams * cells, sizeof *weights);
    struct dyno_rng rng;

    assert(bootstrap->block_cells >= 1 && bootstrap->block_cells <= cells);
    if (!weights) {
        return DYNO_NO_MEMORY;
    }
    dyno_rng_init(&rng, bootstrap->seed, "stats.bootstrap");
    for (uint32_t draw = 0; draw < bootstrap->draws; draw++) {
        for (uint32_t stream = 0; stream < bootstrap->streams; stream++) {
            if (stream > 0 && bootstrap->shared) {
                memcpy(weights + stream * cells, weights, cells * sizeof *weights);
            } else {
                draw_stream(weights + stream * cells, bootstrap, &rng);
            }
        }
        compute(context, weights, out + (size_t)draw * figure_count);
    }
    free(weights);
    return DYNO_OK;
}

double dyno_bootstrap_blocks(const struct dyno_bootstrap *bootstrap)
{
    double each = (double)bootstrap->cells / bootstrap->block_cells;

    return bootstrap->shared ? each : each * bootstrap->streams;
}

struct dyno_estimate dyno_estimate_make(double value, double error, double freedom)
{
    struct dyno_estimate out = {
        .value = value, .error = error, .freedom = freedom, .low = NAN, .high = NAN, .p = NAN};
    double half;

    if (!isfinite(value) || !isfinite(error) || freedom < 1.0) {
        return out;
    }
    half = dyno_t_quantile(0.975, freedom) * error;
    out.low = value - half;
    out.high = value + half;
    if (error > 0.0) {
        out.p = 2.0 * dyno_t_cdf(-fabs(value) / error, freedom);
    } else {
        out.p = value == 0.0 ? 1.0 : 0.0;
    }
    return out;
}

/* Mean and standard deviation (divided by n - 1) of what lies `stride` apart. */
static double spread_of(const double *values, uint32_t count, uint32_t stride, double *mean)
{
    double sum = 0.0, squares = 0.0;

    for (uint32_t i = 0; i < count; i++) {
        sum += values[(size_t)i * stride];
    }
    *mean = sum / count;
    for (uint32_t i = 0; i < count; i++) {
        double off = values[(size_t)i * stride] - *mean;

        squares += off * off;
    }
    return isfinite(squares) ? dyno_sqrt(squares / (count - 1)) : NAN;
}

/* The skewness of the draws. */
static double skewness_of(const double *draws, uint32_t count, uint32_t stride, double mean,
                          double deviation)
{
    double cubes = 0.0;

    for (uint32_t i = 0; i < count; i++) {
        double off = (draws[(size_t)i * stride] - mean) / deviation;

        cubes += off * off * off;
    }
    return deviation > 0.0 ? cubes / count : 0.0;
}

/* Hall, 1992: where a statistic of skewness `skew` lies when its transform, which has none, lies at
 * `x`.  Of few blocks a skewness is a guess: so near to what would turn the transform around it is
 * not believed. */
static double unskewed(double x, double skew, double near)
{
    double most = near / fabs(x);

    skew = skew > most ? most : skew < -most ? -most : skew;
    return fabs(skew) < 1e-4
               ? x
               : 3.0 / skew * (dyno_pow(1.0 + skew * (x - skew / 6.0), 1.0 / 3.0) - 1.0);
}

/* Likewise by the other transform of Hall's, an exponential, which turns later: for skewnesses that
 * are not small. */
static double unskewed_far(double x, double skew)
{
    double most = 1.5 * NEAR_TURN / fabs(x);

    skew = skew > most ? most : skew < -most ? -most : skew;
    return fabs(skew) < 1e-4 ? x : 1.5 / skew * dyno_log(1.0 + 2.0 / 3.0 * skew * (x - skew / 6.0));
}

/* Move both ends of an interval by a skewness. */
static void move_ends(struct dyno_estimate *estimate, double skew, double near)
{
    double t;

    if (!isfinite(estimate->p) || !isfinite(skew) || !(estimate->error > 0.0)) {
        return;
    }
    t = dyno_t_quantile(0.975, estimate->freedom);
    estimate->low = estimate->value - estimate->error * unskewed(t, skew, near);
    estimate->high = estimate->value - estimate->error * unskewed(-t, skew, near);
}

/* The end on the side of a skewness farther, if that moves it farther. */
static void move_end_far(struct dyno_estimate *estimate, double skew)
{
    double t, end;

    if (!isfinite(estimate->p) || !isfinite(skew) || !(estimate->error > 0.0)) {
        return;
    }
    t = dyno_t_quantile(0.975, estimate->freedom);
    end = estimate->value - estimate->error * unskewed_far(skew > 0.0 ? -t : t, skew);
    estimate->low = skew < 0.0 && end < estimate->low ? end : estimate->low;
    estimate->high = skew > 0.0 && end > estimate->high ? end : estimate->high;
}

/* The standard error by the draws, with what drawing around a run's own mean loses; and their
 * skewness, of which that loses more. */
static double error_of(const struct dyno_bootstrap *bootstrap, const double *draws, uint32_t stride,
                       double *skew)
{
    double blocks = dyno_bootstrap_blocks(bootstrap), mean, lost;
    double each = bootstrap->shared ? blocks : blocks / bootstrap->streams; /* loses its own mean */
    double error = spread_of(draws, bootstrap->draws, stride, &mean);

    lost = each > 2.0 ? each / (each - 1.0) : 1.0;
    *skew = skewness_of(draws, bootstrap->draws, stride, mean, error);
    *skew *= each > 2.0 ? each / (each - 2.0) / dyno_sqrt(lost) : 1.0;
    return error * dyno_sqrt(lost);
}

/* By how much the level rises where the figure does by one, over the draws. */
static double slope_of(const double *levels, const double *draws, uint32_t count)
{
    double level_mean = 0.0, mean = 0.0, both = 0.0, squares = 0.0;

    for (uint32_t i = 0; i < count; i++) {
        level_mean += levels[i] / count;
        mean += draws[i] / count;
    }
    for (uint32_t i = 0; i < count; i++) {
        both += (levels[i] - level_mean) * (draws[i] - mean);
        squares += (draws[i] - mean) * (draws[i] - mean);
    }
    return squares > 0.0 ? both / squares : 0.0;
}

struct dyno_long_run dyno_bootstrap_long_run(const struct dyno_bootstrap *bootstrap,
                                             const double *influence)
{
    return dyno_long_run_of(&(struct dyno_long_run_input){
        .series = influence,
        .streams = bootstrap->streams,
        .shared = bootstrap->shared,
        .cells = bootstrap->cells,
        .block_cells = bootstrap->block_cells,
        .least_cells = bootstrap->least_cells,
    });
}

double dyno_bootstrap_unseen(double memories)
{
    return 1.0 + MEMORY_UNSEEN / (memories > 1.0 ? memories : 1.0);
}

struct dyno_estimate dyno_bootstrap_estimate(const struct dyno_bootstrap *bootstrap, double value,
                                             const struct dyno_drawn *drawn, bool is_bounded)
{
    struct dyno_long_run run;
    struct dyno_estimate out;
    double error, skew;

    if (dyno_bootstrap_blocks(bootstrap) < DYNO_BLOCKS_MIN) {
        return dyno_estimate_make(value, NAN, 0.0);
    }
    run = dyno_bootstrap_long_run(bootstrap, drawn->influence);
    error = error_of(bootstrap, drawn->draws, 1, &skew) * dyno_sqrt(run.ratio);
    if (!is_bounded) {
        error *= dyno_bootstrap_unseen(run.memories);
        skew *= SKEW_UNSEEN;
    }
    out = dyno_estimate_make(value, error, run.freedom);
    move_ends(&out, skew, is_bounded ? 0.5 : NEAR_TURN);
    return out;
}

struct dyno_estimate dyno_bootstrap_waiting(const struct dyno_bootstrap *bootstrap, double value,
                                            const struct dyno_drawn *drawn, double level,
                                            double power, const double *levels)
{
    struct dyno_estimate out = dyno_bootstrap_estimate(bootstrap, value, drawn, false);

    if (level > 0.0 && out.error > 0.0) {
        move_end_far(&out, 2.0 * power * out.error / level *
                               slope_of(levels, drawn->draws, bootstrap->draws));
    }
    return out;
}

double dyno_waiting_power(bool is_difference)
{
    return is_difference ? 2.5 : 2.0;
}

struct dyno_estimate dyno_estimate_of_replicates(const double *values, uint32_t count)
{
    double mean, deviation;

    assert(count >= 2);
    deviation = spread_of(values, count, 1, &mean);
    return dyno_estimate_make(mean, deviation / dyno_sqrt(count), count - 1.0);
}

struct dyno_estimate dyno_bootstrap_replicates(const struct dyno_bootstrap *bootstrap, double value,
                                               const double *added, uint32_t count,
                                               const double *draws, uint32_t stride)
{
    double error = dyno_estimate_of_replicates(added, count).error;
    struct dyno_estimate out = dyno_estimate_make(value, error, count - 1.0);
    double mean, deviation = spread_of(draws, bootstrap->draws, stride, &mean);
    double skew = skewness_of(draws, bootstrap->draws, stride, mean, deviation);
    double share = error > 0.0 && deviation < error ? deviation / error : 1.0;

    /* What varies from seed to seed but not within one is taken to have none. */
    move_ends(&out, SKEW_UNSEEN * skew * share * share * share, NEAR_TURN);
    return out;
}

#include "reports/stats/long_run.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/math.h"

/* Of the degrees of freedom of blocks that do not overlap. */
static const double FLAT_FREEDOM = 0.75;

/* Less of what blocks show is not believed to be all. */
static const double LEAST_LEFT = 0.04;

/* The autocovariance at `lag`. */
static double covariance(const double *series, uint32_t count, double mean, uint32_t lag)
{
    double sum = 0.0;

    for (uint32_t i = 0; i + lag < count; i++) {
        sum += (series[i] - mean) * (series[i + lag] - mean);
    }
    return sum / count;
}

static double ceiling(double value)
{
    double whole = (double)(uint64_t)value;

    return whole < value ? whole + 1.0 : whole;
}

/* The lag from which on `run` autocorrelations in a row are not to be told from 0; `most` if there
 * is none. */
static uint32_t last_lag(const double *series, uint32_t count, double mean, uint32_t run,
                         uint32_t most)
{
    double whole = covariance(series, count, mean, 0);
    double bound = 2.0 * dyno_sqrt(dyno_log(count) / 2.302585092994046 / count);
    uint32_t quiet = 0;

    for (uint32_t lag = 1; lag <= most; lag++) {
        quiet = fabs(covariance(series, count, mean, lag) / whole) < bound ? quiet + 1 : 0;
        if (quiet == run) {
            return lag - run > 0 ? lag - run : 1;
        }
    }
    return most;
}

struct dyno_memory dyno_memory_of(const double *series, uint32_t count)
{
    struct dyno_memory out = {.block = 1.0};
    double mean = 0.0, weighted = 0.0, sum, ratio, most = count / 4.0;
    uint32_t run, lags, lag_max;

    for (uint32_t i = 0; i < count; i++) {
        mean += series[i] / count;
    }
    if (count < 8 || !(covariance(series, count, mean, 0) > 0.0)) {
        return out;
    }
    run = (uint32_t)ceiling(dyno_sqrt(dyno_log(count) / 2.302585092994046));
    run = run < 5 ? 5 : run;
    lag_max = (uint32_t)ceiling(dyno_sqrt(count)) + run;
    lag_max = lag_max < count - 1 ? lag_max : count - 1;
    lags = 2 * last_lag(series, count, mean, run, lag_max);
    lags = lags < lag_max ? lags : lag_max;
    sum = covariance(series, count, mean, 0);
    for (uint32_t lag = 1; lag <= lags; lag++) { /* a window that is flat, then falls to 0 */
        double part = (double)lag / lags, window = part <= 0.5 ? 1.0 : 2.0 * (1.0 - part);
        double both = 2.0 * window * covariance(series, count, mean, lag);

        weighted += lag * both;
        sum += both;
    }
    if (sum <= 0.0) {
        out.block = most;
        return out;
    }
    ratio = weighted / sum;
    out.block = dyno_pow(1.5 * ratio * ratio * count + 1e-12, 1.0 / 3.0);
    out.block = out.block > most ? most : out.block < 1.0 ? 1.0 : out.block;
    return out;
}

uint32_t dyno_block_cells(double asked, uint32_t cells, uint32_t all)
{
    uint32_t block = (uint32_t)(asked + 0.5);
    uint32_t least = all / DYNO_BLOCKS_MAX, most = cells / DYNO_BLOCKS_MIN;

    block = block > least ? block : least;
    block = block < most ? block : most;
    return block > 0 ? block : 1;
}

/* ---- two lengths -----------------------------------------------------------------------------
 */

/* The variance of the mean of a stream as blocks of so many cells show it, which begin anywhere and
 * go on from the end to the start, and which lose the mean that they are drawn around. */
static double variance_by(const double *series, uint32_t cells, uint32_t block)
{
    double sum = 0.0, squares = 0.0, blocks = (double)cells / block;

    for (uint32_t i = 0; i < block; i++) {
        sum += series[i];
    }
    for (uint32_t i = 0; i < cells; i++) {
        squares += sum * sum / ((double)block * block);
        sum += series[(i + block) % cells] - series[i];
    }
    return squares / cells / (blocks - 1.0);
}

static double variance_of_all(const double *series, uint32_t streams, uint32_t cells,
                              uint32_t block)
{
    double sum = 0.0;

    for (uint32_t i = 0; i < streams; i++) {
        sum += variance_by(series + (size_t)i * cells, cells, block);
    }
    return sum;
}

/* The mean of streams of the same traffic. */
static void add_streams(double *out, const double *series, uint32_t streams, uint32_t cells)
{
    memset(out, 0, cells * sizeof *out);
    for (uint32_t i = 0; i < streams * cells; i++) {
        out[i % cells] += series[i] / streams;
    }
}

/* The longest block that any stream asks for. */
static double longest_block(const double *series, uint32_t streams, uint32_t cells)
{
    double longest = 1.0;

    for (uint32_t i = 0; i < streams; i++) {
        double asked = dyno_memory_of(series + (size_t)i * cells, cells).block;

        longest = asked > longest ? asked : longest;
    }
    return longest;
}

struct dyno_long_run dyno_long_run_of(const struct dyno_long_run_input *input)
{
    double together[DYNO_CELLS_MAX], longest, shown, whole, halves, flat;
    uint32_t streams = input->shared ? 1 : input->streams, cells = input->cells, block, half;
    const double *series = input->series;
    struct dyno_long_run out;

    assert(cells <= DYNO_CELLS_MAX);
    if (input->shared) {
        add_streams(together, input->series, input->streams, cells);
        series = together;
    }
    longest = longest_block(series, streams, cells);
    longest = longest > input->least_cells ? longest : input->least_cells;
    block = dyno_block_cells(longest, cells, cells * streams);
    half = block > 1 ? block / 2 : 1;
    shown = variance_of_all(series, streams, cells, input->block_cells);
    whole = variance_of_all(series, streams, cells, block);
    halves = variance_of_all(series, streams, cells, half);
    flat = block > half ? (block * whole - half * halves) / (block - half) : whole;
    flat = flat > LEAST_LEFT * whole ? flat : LEAST_LEFT * whole;
    out.variance = flat / ((double)streams * streams);
    out.ratio = shown > 0.0 ? flat / shown : 1.0;
    out.freedom = FLAT_FREEDOM * ((double)cells / block - 1.0) * streams;
    out.memories = cells * streams / longest;
    return out;
}

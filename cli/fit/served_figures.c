#include "cli/fit/served_figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 4 };

static const char *const metric_names[DYNO_SERVED_METRICS] = {"TTFT", "TPOT", "E2E"};
static const char *const place_names[PLACES] = {"mean", "p50", "p90", "p99"};
static const double fractions[PLACES] = {-1, 0.5, 0.9, 0.99};

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Sorts. */
static double figure_of(double *values, size_t count, double fraction)
{
    double rank = fraction * (double)(count - 1), sum = 0;
    size_t below = rank > 0 ? (size_t)rank : 0;

    if (count == 0) {
        return -1;
    }
    if (fraction >= 0) {
        qsort(values, count, sizeof *values, by_value);
        return below + 1 < count
                   ? values[below] + (rank - (double)below) * (values[below + 1] - values[below])
                   : values[count - 1];
    }
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum / (double)count;
}

/* The values of one metric, measured or predicted, of the requests that have it. */
static size_t gather(const struct dyno_served_replay *replay, enum dyno_served_metric metric,
                     bool measured, double *out)
{
    size_t all = measured ? replay->run.request_count : replay->heard.record_count, count = 0;

    for (size_t i = 0; i < all; i++) {
        double ms = measured ? dyno_served_ms(&replay->run.requests[i], metric)
                             : dyno_served_replay_ms(replay, i, metric);

        if (ms >= 0) {
            out[count++] = ms;
        }
    }
    return count;
}

static double *room_for(const struct dyno_served_replay *replay)
{
    size_t count = replay->run.request_count + replay->heard.record_count + 1;

    return malloc(count * sizeof(double));
}

dyno_status dyno_served_predicted(const struct dyno_served_replay *replay,
                                  enum dyno_served_metric metric, double fraction, double *ms,
                                  struct dyno_error *error)
{
    double *values = room_for(replay);

    if (!values) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    *ms = figure_of(values, gather(replay, metric, false, values), fraction);
    free(values);
    return DYNO_OK;
}

/* ---- a table --------------------------------------------------------------------------------- */

static void print_row(FILE *out, const char *metric, const char *place, double measured,
                      double predicted)
{
    (void)fprintf(out, "%-6s %-6s %14.2f %14.2f %+10.1f %%\n", metric, place, measured, predicted,
                  100 * (predicted / measured - 1));
}

static void print_requests(const struct dyno_served_replay *replay, double *values, FILE *out)
{
    for (int metric = 0; metric < DYNO_SERVED_METRICS; metric++) {
        for (size_t place = 0; place < PLACES; place++) {
            size_t count = gather(replay, (enum dyno_served_metric)metric, true, values);
            double measured = figure_of(values, count, fractions[place]), predicted;

            if (count > 0 && measured > 0) {
                count = gather(replay, (enum dyno_served_metric)metric, false, values);
                predicted = figure_of(values, count, fractions[place]);
                print_row(out, metric_names[metric], place_names[place], measured, predicted);
            }
        }
    }
}

static void print_figures(const struct dyno_served_replay *replay, double *values, FILE *out)
{
    for (uint32_t i = 0; i < replay->run.figure_count; i++) {
        const struct dyno_served_figure *figure = &replay->run.figures[i];
        size_t count = gather(replay, figure->metric, false, values);
        char place[16] = "mean";

        if (figure->fraction >= 0) {
            (void)snprintf(place, sizeof place, "p%g", 100 * figure->fraction);
        }
        print_row(out, metric_names[figure->metric], place, figure->ms,
                  figure_of(values, count, figure->fraction));
    }
}

dyno_status dyno_served_print(const struct dyno_served_replay *replay, FILE *out,
                              struct dyno_error *error)
{
    double *values = room_for(replay);

    if (!values) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    (void)fprintf(out, "%-13s %14s %14s %12s\n", "", "measured, ms", "predicted, ms", "error");
    if (replay->run.request_count > 0) {
        print_requests(replay, values, out);
    } else {
        print_figures(replay, values, out);
    }
    free(values);
    return DYNO_OK;
}

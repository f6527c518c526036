/* The one number that was set from the rows of `e2e_dense.csv` together, what a client waits beside
 * the engine, set again without the rows of one kind (an engine, a GPU, a model), which are then
 * predicted with it: how much the errors of served.c owe to having been looked at. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/accuracy/accuracy.h"
#include "cli/accuracy/rows.h"
#include "core/base/array.h"

/* What is tried, in ms; 12 is what is used. */
static const uint32_t trips_ms[] = {0, 4, 8, 10, 12, 14, 16, 20, 24, 28, 32};

enum { TRIPS = sizeof trips_ms / sizeof trips_ms[0] };

/* A row, with the relative error of TTFT and TPOT at each trip. */
struct row {
    struct dyno_served_row served;
    double ttft[TRIPS], tpot[TRIPS];
};

struct rows {
    struct row *items;
    uint32_t count, capacity;
};

static dyno_status predict(struct row *row, uint32_t trip, struct dyno_error *error)
{
    struct dyno_experiment *experiment = calloc(1, sizeof *experiment);
    dyno_status status;
    char line[1200];
    size_t used;

    if (!experiment) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    dyno_served_line(&row->served, line, sizeof line);
    used = strlen(line);
    (void)snprintf(line + used, sizeof line - used, " --set timing.response_us=%u",
                   1000 * trips_ms[trip]);
    status = dyno_experiment_run(experiment, line, NULL, error);
    if (status == DYNO_OK) {
        const struct dyno_metrics *metrics = &experiment->assembly.metrics;
        double ttft_ms = dyno_histogram_mean(&metrics->ttft) * 1e-6;
        double tpot_ms = dyno_histogram_mean(&metrics->tpot) * 1e-6;

        dyno_served_wait(&row->served, &ttft_ms, tpot_ms);
        row->ttft[trip] = ttft_ms / row->served.ttft_ms - 1;
        row->tpot[trip] = tpot_ms / row->served.tpot_ms - 1;
        dyno_experiment_close(experiment);
    }
    free(experiment);
    return status;
}

/* A place behind the last; NULL: no memory. */
static struct row *new_row(struct rows *rows)
{
    return dyno_array_reserve(&rows->items, &rows->capacity, rows->count + 1U, sizeof *rows->items)
               ? &rows->items[rows->count]
               : NULL;
}

static dyno_status predict_all(struct dyno_measured *measured, struct rows *rows,
                               struct dyno_error *error)
{
    for (;;) {
        struct row *row = new_row(rows);
        bool got;

        if (!row) {
            return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
        }
        DYNO_TRY(dyno_served_next(measured, &row->served, &got, error));
        if (!got) {
            return DYNO_OK;
        }
        for (uint32_t trip = 0; trip < TRIPS; trip++) {
            DYNO_TRY(predict(row, trip, error));
        }
        rows->count++;
    }
}

/* An attribute by which rows are left out. */
static const char *engine_of(const struct row *row)
{
    return row->served.engine;
}

static const char *gpu_of(const struct row *row)
{
    return row->served.gpu;
}

static const char *model_of(const struct row *row)
{
    return row->served.model;
}

typedef const char *attribute(const struct row *row);

/* The mean absolute error at a trip, of the rows that have `value` or of the others; *count: how
 * many they are. */
static double mean_error(const struct rows *rows, attribute *of, const char *value, bool others,
                         uint32_t trip, bool is_ttft, uint32_t *count)
{
    double sum = 0;

    *count = 0;
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->items[i];

        if ((strcmp(of(row), value) != 0) == others) {
            sum += fabs(is_ttft ? row->ttft[trip] : row->tpot[trip]);
            ++*count;
        }
    }
    return *count ? 100 * sum / *count : 0;
}

/* The trip with which TTFT of all other rows is least wrong. */
static uint32_t trip_without(const struct rows *rows, attribute *of, const char *value)
{
    uint32_t best = 0, count;

    for (uint32_t trip = 1; trip < TRIPS; trip++) {
        if (mean_error(rows, of, value, true, trip, true, &count) <
            mean_error(rows, of, value, true, best, true, &count)) {
            best = trip;
        }
    }
    return best;
}

static void print_without(const struct dyno_accuracy *accuracy, const struct rows *rows,
                          attribute *of, const char *value)
{
    uint32_t trip = trip_without(rows, of, value), count, others;
    double used_ms = strtod(DYNO_SERVED_TRIP_US, NULL) / 1000;
    uint32_t used = 0;

    while (used + 1 < TRIPS && trips_ms[used] < used_ms) {
        used++;
    }
    (void)mean_error(rows, of, value, true, 0, true, &others);
    if (others == 0) {
        return; /* nothing is left to set it from */
    }
    (void)fprintf(accuracy->out, "| %s |", value);
    (void)fprintf(accuracy->out, " %u | %u | %.1f | %.1f | %.1f | %.1f |\n", rows->count - others,
                  trips_ms[trip], mean_error(rows, of, value, false, trip, true, &count),
                  mean_error(rows, of, value, false, used, true, &count),
                  mean_error(rows, of, value, false, trip, false, &count),
                  mean_error(rows, of, value, false, used, false, &count));
}

/* Each value that occurs, left out once, in the order of the table. */
static void leave_out_each(const struct dyno_accuracy *accuracy, const struct rows *rows,
                           attribute *of)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        bool is_new = true;

        for (uint32_t before = 0; before < i && is_new; before++) {
            is_new = strcmp(of(&rows->items[before]), of(&rows->items[i])) != 0;
        }
        if (is_new) {
            print_without(accuracy, rows, of, of(&rows->items[i]));
        }
    }
}

dyno_status dyno_accuracy_left_out(const struct dyno_accuracy *accuracy, struct dyno_error *error)
{
    struct dyno_measured measured;
    struct rows rows = {0};
    dyno_status status;
    char path[1024];

    if (!dyno_accuracy_find(accuracy, "e2e_dense.csv", path, sizeof path)) {
        return DYNO_OK;
    }
    status = dyno_served_open(&measured, path, error);
    if (status == DYNO_OK) {
        status = predict_all(&measured, &rows, error);
        dyno_measured_close(&measured);
    }
    if (status == DYNO_OK) {
        (void)fputs("| left out | rows | trip set from the others, ms | TTFT: mean abs error, % | "
                    "with 12 ms | TPOT: mean abs error, % | with 12 ms |\n"
                    "|---|---:|---:|---:|---:|---:|---:|\n",
                    accuracy->out);
        leave_out_each(accuracy, &rows, engine_of);
        leave_out_each(accuracy, &rows, gpu_of);
        leave_out_each(accuracy, &rows, model_of);
    }
    free(rows.items);
    return status;
}

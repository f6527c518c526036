/* Queues that are known in closed form, as `dyno tune` compares scenarios: waits and goodput of two
 * arms, for the test of its intervals and the bench that measures them. */
#ifndef DYNO_TESTS_CLI_TUNE_WORLDS_H
#define DYNO_TESTS_CLI_TUNE_WORLDS_H

#include <math.h>
#include <stdio.h>

#include "cli/tune/sure.h"
#include "tests/reports/paired_worlds.h"

enum { METRICS = 4, LIMIT_S = 2 };

static const char metrics[] = "min:ttft_ms.mean";
static const char limits[] = "ttft_ms.p50<1000s,goodput.fraction>0,goodput.per_gpu>0/s";

/* The truth of a metric in an arm. */
static inline double truth_of(const struct paired_world *world, uint32_t arm, uint32_t metric)
{
    double slowdown = arm ? world->slowdown : 1.0, mu = 1.0 / slowdown, rho = world->rate / mu;
    double good = 1.0 - rho * exp(-(mu - world->rate) * LIMIT_S);

    switch (metric) {
    case 0:
        return 1e3 * world_mean_wait(world, slowdown);
    case 1:
        return 1e3 * world_wait_quantile(world, slowdown, 0.5);
    case 2:
        return good;
    default:
        return world->rate * good;
    }
}

static inline int by_wait(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* The summary's rows that are asked for, from the requests. */
static inline void summarise(struct dyno_arm_run *run, const struct dyno_tune_aims *aims)
{
    double *waits = malloc(run->record_count * sizeof *waits), sum = 0.0, good = 0.0, values[4];
    double last = (double)run->records[run->record_count - 1].last_token_ns * 1e-9;

    for (uint32_t i = 0; i < run->record_count; i++) {
        waits[i] = (double)(run->records[i].first_token_ns - run->records[i].arrival_ns) * 1e-6;
        sum += waits[i];
        good += waits[i] <= 1e3 * LIMIT_S;
    }
    qsort(waits, run->record_count, sizeof *waits, by_wait);
    values[0] = sum / run->record_count;
    values[1] = waits[(run->record_count + 1) / 2 - 1];
    values[2] = good / run->record_count;
    values[3] = good / last;
    for (uint32_t i = 0; i < METRICS; i++) {
        struct dyno_summary_row *row = &run->summary.rows[run->summary.row_count++];

        (void)snprintf(row->name, sizeof row->name, "%s", dyno_tune_aims_metric(aims, i)->name);
        row->kind = DYNO_SUMMARY_REAL;
        row->real = values[i];
    }
    free(waits);
}

/* Time begins with the first request. */
static inline void shift(struct dyno_arm_run *run, dyno_ns first)
{
    for (uint32_t i = 0; i < run->record_count; i++) {
        struct dyno_request_record *record = &run->records[i];

        record->scheduled_ns = record->arrival_ns -= first;
        record->ready_ns = record->arrival_ns;
        record->admitted_ns = record->first_token_ns = record->last_token_ns -= first;
    }
}

/* One seed of a world under both arms. */
static inline dyno_status compare(const struct paired_world *world, uint64_t seed, uint32_t draws,
                                  struct dyno_tune_sure *out)
{
    struct dyno_arm_run *items = calloc(2, sizeof *items);
    struct dyno_arm_runs runs = {.arms = 2, .seeds = 1, .items = items, .same_traffic = true};
    struct dyno_tune_aims aims = {.goal_count = 0};
    struct dyno_error error;
    dyno_status status;
    dyno_ns first;

    status = dyno_tune_aims_goals(&aims, metrics, &error);
    if (status == DYNO_OK) {
        status = dyno_tune_aims_limits(&aims, limits, &error);
    }
    for (int arm = 0; arm < 2; arm++) {
        items[arm].records = malloc(world->requests * sizeof *items[arm].records);
        items[arm].record_count = world->requests;
        items[arm].with.scenario.slo.ttft_ns = LIMIT_S * DYNO_S;
        items[arm].with.scenario.fleet.workers = items[arm].with.scenario.fleet.tp = 1;
        items[arm].with.scenario.run.seed = seed;
    }
    world_serve(world, seed, items[0].records, items[1].records);
    first = items[0].records[0].arrival_ns;
    for (int arm = 0; arm < 2; arm++) {
        shift(&items[arm], first);
        summarise(&items[arm], &aims);
    }
    if (status == DYNO_OK) {
        status = dyno_tune_sure_compute(out, &runs, &aims, draws, &error);
    }
    free(items[0].records);
    free(items[1].records);
    free(items);
    return status;
}

/* Of `count` worlds: how many intervals of the second arm, and of the difference, hold the truth.
 */
static inline void count_covered(const struct paired_world *world, uint32_t count, uint32_t draws,
                                 uint32_t arms[METRICS], uint32_t differences[METRICS])
{
    for (uint32_t i = 0; i < count; i++) {
        struct dyno_tune_sure sure;

        if (compare(world, 1 + i, draws, &sure) != DYNO_OK) {
            return;
        }
        for (uint32_t j = 0; j < METRICS; j++) {
            double arm = truth_of(world, 1, j), difference = arm - truth_of(world, 0, j);

            arms[j] += sure.side[1][j].low <= arm && arm <= sure.side[1][j].high;
            differences[j] +=
                sure.difference[0][j].low <= difference && difference <= sure.difference[0][j].high;
        }
    }
}

#endif

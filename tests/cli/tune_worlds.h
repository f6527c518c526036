/* Queues that are known in closed form, as `dyno tune` compares scenarios: waits, goodput and power
 * of two arms, for the test of its intervals and the bench that measures them. */
#ifndef DYNO_TESTS_CLI_TUNE_WORLDS_H
#define DYNO_TESTS_CLI_TUNE_WORLDS_H

#include <math.h>
#include <stdio.h>

#include "cli/sure/sure.h"
#include "tests/reports/paired_worlds.h"

enum { METRICS = 5, LIMIT_S = WORLD_GOOD_S, LOOK_S = 10 };

static const char metrics[] = "min:ttft_ms.mean";
static const char limits[] =
    "ttft_ms.p50<1000s,goodput.fraction>0,goodput.per_gpu>0/s,gpu_watts<1kW";
static const double watts_max = 700.0, idle_share = 0.2;

/* Another row of a run's summary. */
static inline void put_metric(struct dyno_arm_run *run, const char *name, double value)
{
    struct dyno_summary_row *row = &run->summary.rows[run->summary.row_count++];

    (void)snprintf(row->name, sizeof row->name, "%s", name);
    row->kind = DYNO_SUMMARY_REAL;
    row->real = value;
}

/* The truth of a metric in an arm. */
static inline double truth_of(const struct paired_world *world, const struct world_truth truths[2],
                              uint32_t arm, uint32_t metric)
{
    double rho = world->rate * (arm ? world->slowdown : 1.0);

    switch (metric) {
    case 0:
        return 1e3 * truths[arm].mean;
    case 1:
        return 1e3 * truths[arm].p50;
    case 2:
        return truths[arm].good;
    case 3:
        return world->rate * truths[arm].good;
    default: /* a server is busy for the share rho of time */
        return watts_max * (idle_share + (1.0 - idle_share) * rho);
    }
}

/* The summary's rows that are asked for, from the requests; the server was busy for so long. */
static inline void summarise(struct dyno_arm_run *run, const struct dyno_tune_aims *aims,
                             double busy_s)
{
    double *waits = malloc(run->record_count * sizeof *waits), sum = 0.0, good = 0.0;
    double values[METRICS];
    double last = (double)run->records[run->record_count - 1].last_token_ns * 1e-9;

    for (uint32_t i = 0; i < run->record_count; i++) {
        waits[i] = (double)(run->records[i].first_token_ns - run->records[i].arrival_ns) * 1e-6;
        sum += waits[i];
        good += waits[i] <= 1e3 * LIMIT_S;
    }
    qsort(waits, run->record_count, sizeof *waits, world_by_value);
    values[0] = sum / run->record_count;
    values[1] = waits[(run->record_count + 1) / 2 - 1];
    values[2] = good / run->record_count;
    values[3] = good / last;
    values[4] = watts_max * (idle_share + (1.0 - idle_share) * busy_s / last);
    for (uint32_t i = 0; i < METRICS; i++) {
        put_metric(run, dyno_tune_aims_metric(aims, i)->name, values[i]);
    }
    put_metric(run, "fleet.gpus", 1.0);
    put_metric(run, "fleet.gpu_hours", last / 3600.0);
    put_metric(run, "fleet.busy_fraction", busy_s / last);
    put_metric(run, "fleet.mfu", 0.0);
    put_metric(run, "fleet.mbu", 1.0); /* what is busy draws all that it may */
    put_metric(run, "cost.energy_kwh", values[4] * last / 3.6e6);
    free(waits);
}

/* What somebody sees who looks at the server now and then, as it does what world_serve drew, up to
 * the last start; returns how long it was busy by then. */
static inline double look(struct dyno_arm_run *run, const struct paired_world *world, uint64_t seed,
                          double slowdown)
{
    enum { SETTLE = 1500 };
    double last = (double)run->records[run->record_count - 1].first_token_ns * 1e-9, busy = 0.0;
    uint32_t looks = (uint32_t)(last / LOOK_S) + 1;
    struct world_stream stream = world_stream(world, seed);

    run->busy = calloc(looks, sizeof *run->busy);
    for (uint32_t i = 0; i < SETTLE + run->record_count; i++) {
        double start = i < SETTLE ? 0.0 : (double)run->records[i - SETTLE].first_token_ns * 1e-9;
        double work, at;

        (void)world_gap(&stream); /* when it came */
        work = world_work(&stream) * slowdown;
        work = start + work < last ? work : last - start;
        while (i >= SETTLE && (at = (run->busy_count + 1.0) * LOOK_S) <= start + work) {
            run->busy[run->busy_count++] = (struct dyno_arm_busy){
                .at = (dyno_ns)(at * 1e9),
                .busy_ns = (dyno_ns)((busy + (at > start ? at - start : 0.0)) * 1e9)};
        }
        busy += i < SETTLE ? 0.0 : work;
    }
    return busy;
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

/* One seed of a world. */
static inline void serve(const struct paired_world *world, uint64_t seed,
                         const struct dyno_tune_aims *aims, struct dyno_arm_run *first,
                         struct dyno_arm_run *second)
{
    struct dyno_arm_run *const arms[] = {first, second};
    dyno_ns start;

    for (int arm = 0; arm < 2; arm++) {
        arms[arm]->records = malloc(world->requests * sizeof *arms[arm]->records);
        arms[arm]->record_count = world->requests;
        arms[arm]->with.scenario.slo.ttft_ns = LIMIT_S * DYNO_S;
        arms[arm]->with.scenario.fleet.workers = arms[arm]->with.scenario.fleet.tp = 1;
        arms[arm]->with.scenario.run.seed = seed;
        arms[arm]->with.scenario.cost.energy = true;
        arms[arm]->with.scenario.cost.idle_share = idle_share;
    }
    world_serve(world, seed, first->records, second->records);
    start = first->records[0].arrival_ns;
    for (int arm = 0; arm < 2; arm++) {
        shift(arms[arm], start);
        summarise(arms[arm], aims, look(arms[arm], world, seed, arm ? world->slowdown : 1.0));
    }
}

/* METRICS of them, and behind them those of `more`; NULL: none. */
static inline dyno_status make_aims(struct dyno_tune_aims *out, const char *more)
{
    struct dyno_error error;

    *out = (struct dyno_tune_aims){.goal_count = 0};
    DYNO_TRY(dyno_tune_aims_goals(out, metrics, &error));
    DYNO_TRY(dyno_tune_aims_limits(out, limits, &error));
    return more ? dyno_tune_aims_limits(out, more, &error) : DYNO_OK;
}

/* world->seeds seeds from `seed` on under both arms; of one seed as if it were a trace. */
static inline dyno_status compare_by(const struct dyno_tune_aims *aims,
                                     const struct paired_world *world, uint64_t seed,
                                     uint32_t draws, struct dyno_tune_sure *out)
{
    uint32_t seeds = world->seeds > 0 ? world->seeds : 1;
    struct dyno_arm_run *items = calloc(2 * (size_t)seeds, sizeof *items);
    struct dyno_arm_runs runs = {
        .arms = 2, .seeds = seeds, .items = items, .same_traffic = seeds == 1};
    struct dyno_error error;
    dyno_status status;

    for (uint32_t i = 0; i < seeds; i++) {
        serve(world, seed * seeds + i, aims, &items[i], &items[seeds + i]);
    }
    status = dyno_tune_sure_compute(out, &runs, aims, draws, &error);
    for (uint32_t i = 0; i < 2 * seeds; i++) {
        free(items[i].records);
        free(items[i].busy);
    }
    free(items);
    return status;
}

static inline dyno_status compare(const struct paired_world *world, uint64_t seed, uint32_t draws,
                                  struct dyno_tune_sure *out)
{
    struct dyno_tune_aims aims;

    DYNO_TRY(make_aims(&aims, NULL));
    return compare_by(&aims, world, seed, draws, out);
}

/* Of `count` worlds: how many intervals of the second arm, and of the difference, hold the truth.
 */
static inline void count_covered(const struct paired_world *world, uint32_t count, uint32_t draws,
                                 uint32_t arms[METRICS], uint32_t differences[METRICS])
{
    struct world_truth truths[2];

    world_truths(world, truths);
    for (uint32_t i = 0; i < count; i++) {
        struct dyno_tune_sure sure;

        if (compare(world, 1 + i, draws, &sure) != DYNO_OK) {
            return;
        }
        for (uint32_t j = 0; j < METRICS; j++) {
            double arm = truth_of(world, truths, 1, j);
            double difference = arm - truth_of(world, truths, 0, j);

            arms[j] += sure.side[1][j].low <= arm && arm <= sure.side[1][j].high;
            differences[j] +=
                sure.difference[0][j].low <= difference && difference <= sure.difference[0][j].high;
        }
    }
}

#endif

/* How often the intervals of `dyno tune` hold the truth: queues that are known in closed form, of
 * which goodput is asked too. */
#include "cli/tune_sure.h"
#include "tests/check_main.h"
#include "tests/reports/paired_worlds.h"

#include <math.h>
#include <stdio.h>

enum { METRICS = 4, LIMIT_S = 2 };

static const char metrics[] = "min:ttft_ms.mean";
static const char limits[] = "ttft_ms.p50<1000s,goodput.fraction>0,goodput.per_gpu>0/s";

/* The truth of a metric in an arm. */
static double truth_of(const struct paired_world *world, uint32_t arm, uint32_t metric)
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

static int by_wait(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* The summary's rows that are asked for, from the requests. */
static void summarise(struct dyno_arm_run *run, const struct dyno_tune_aims *aims)
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
static void shift(struct dyno_arm_run *run, dyno_ns first)
{
    for (uint32_t i = 0; i < run->record_count; i++) {
        struct dyno_request_record *record = &run->records[i];

        record->scheduled_ns = record->arrival_ns -= first;
        record->ready_ns = record->arrival_ns;
        record->admitted_ns = record->first_token_ns = record->last_token_ns -= first;
    }
}

/* One seed of a world under both arms. */
static void compare(const struct paired_world *world, uint64_t seed, uint32_t draws,
                    struct dyno_tune_sure *out)
{
    struct dyno_arm_run *items = calloc(2, sizeof *items);
    struct dyno_arm_runs runs = {.arms = 2, .seeds = 1, .items = items, .same_traffic = true};
    struct dyno_tune_aims aims = {.goal_count = 0};
    struct dyno_error error;
    dyno_ns first;

    ck_assert_int_eq(dyno_tune_aims_goals(&aims, metrics, &error), DYNO_OK);
    ck_assert_int_eq(dyno_tune_aims_limits(&aims, limits, &error), DYNO_OK);
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
    ck_assert_int_eq(dyno_tune_sure_compute(out, &runs, &aims, draws, &error), DYNO_OK);
    free(items[0].records);
    free(items[1].records);
    free(items);
}

/* Of `count` worlds: how many intervals of the second arm, and of the difference, hold the truth.
 */
static void count_covered(const struct paired_world *world, uint32_t count, uint32_t draws,
                          uint32_t arms[METRICS], uint32_t differences[METRICS])
{
    for (uint32_t i = 0; i < count; i++) {
        struct dyno_tune_sure sure;

        compare(world, 1 + i, draws, &sure);
        for (uint32_t j = 0; j < METRICS; j++) {
            double arm = truth_of(world, 1, j), difference = arm - truth_of(world, 0, j);

            arms[j] += sure.side[1][j].low <= arm && arm <= sure.side[1][j].high;
            differences[j] +=
                sure.difference[0][j].low <= difference && difference <= sure.difference[0][j].high;
        }
    }
}

START_TEST(intervals_hold_the_truth_as_often_as_promised)
{
    static const struct paired_world world = {.rate = 0.5, .slowdown = 1.1, .requests = 4000};
    uint32_t arms[METRICS] = {0}, differences[METRICS] = {0};

    count_covered(&world, 40, 200, arms, differences);
    for (uint32_t i = 0; i < METRICS; i++) { /* 95 % of 40 are 38; fewer than 33 are 1 in 10,000 */
        ck_assert_msg(arms[i] >= 33, "metric %u of an arm: %u of 40", i, arms[i]);
        ck_assert_msg(differences[i] >= 33, "metric %u, difference: %u of 40", i, differences[i]);
    }
}
END_TEST

START_TEST(arms_that_are_one_do_not_differ)
{
    static const struct paired_world world = {.rate = 0.5, .slowdown = 1.0, .requests = 1000};
    struct dyno_tune_sure sure;

    compare(&world, 1, 200, &sure);
    for (uint32_t i = 0; i < METRICS; i++) {
        ck_assert_double_eq(sure.difference[0][i].value, 0.0);
        ck_assert_double_eq(sure.difference[0][i].low, 0.0);
        ck_assert_double_eq(sure.difference[0][i].high, 0.0);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("tune_sure");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, intervals_hold_the_truth_as_often_as_promised);
    tcase_add_test(tcase, arms_that_are_one_do_not_differ);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("cli/tune_sure", add_cases)

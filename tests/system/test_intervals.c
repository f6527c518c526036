/* How often a 95 % interval covers what it is about: in many worlds, a short run's intervals, made
 * as nobody has to ask for them, are held against a long run of other traffic by the same law, on a
 * fleet whose timing was drawn within its uncertainty.  With WORLDS worlds and a true coverage of
 * 95 % a standard error is 1.4 points; the bounds are 91 and 99.5 %. */
#include "cli/replay/intervals.h"

#include <math.h>

#include "core/base/math.h"
#include "sim/uncertainty.h"
#include "tests/check_main.h"
#include "tests/system/rig.h"

enum { WORLDS = 250, REQUESTS = 400, FIGURES = DYNO_INTERVALS_MAX };

static void load(struct rig *rig, const char *arrival, uint64_t seed, uint32_t requests)
{
    struct dyno_error error = {0};
    enum dyno_scenario_ask ask;
    char *rest = NULL;
    int argc = 0;

    memset(rig, 0, sizeof *rig);
    (void)snprintf(rig->words, sizeof rig->words,
                   "replay --arrival %s --input-tokens uniform:100,2000 --output-tokens "
                   "exponential:120 --requests %u --db none --seed %llu --set run.sample_every=1h "
                   "--slo ttft=60ms,tpot=12ms",
                   arrival, requests, (unsigned long long)seed);
    for (char *word = strtok_r(rig->words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        rig->argv[argc++] = word;
    }
    ck_assert_msg(
        dyno_scenario_load(&rig->scenario, &rig->options, argc, rig->argv, &ask, &error) == DYNO_OK,
        "%s", error.text);
}

/* Mean, median and 99th percentile in ms, each so many times as much, and so much later. */
static void three_of(const struct dyno_histogram *of, double times, double later_ms, double *out)
{
    out[0] = dyno_histogram_mean(of) * 1e-6 * times + later_ms;
    out[1] = (double)dyno_histogram_quantile(of, 0.5) * 1e-6 * times + later_ms;
    out[2] = (double)dyno_histogram_quantile(of, 0.99) * 1e-6 * times + later_ms;
}

/* A long run on another fleet of the same kind, with other traffic of the same kind, whose first
 * tokens come later or earlier by what is not known beside the timing. */
static void find_truth(const char *arrival, uint64_t seed, double truth[FIGURES])
{
    const struct dyno_metrics *metrics;
    struct dyno_error error = {0};
    static struct rig rig;
    struct dyno_rng rng;
    double beside;

    load(&rig, arrival, seed, 10 * REQUESTS);
    rig.assembly.replica = 1; /* draws its timing from the seed */
    ck_assert_msg(dyno_assembly_open(&rig.assembly, &rig.scenario, NULL, NULL, 0, &error) ==
                      DYNO_OK,
                  "%s", error.text);
    dyno_rng_init(&rng, seed, "waiting");
    beside = dyno_exp(dyno_timing_wait_spread(&rig.assembly.calibration) * dyno_rng_normal(&rng));
    rig.assembly.metrics.slo.ttft_ns = (dyno_ns)(60.0 * DYNO_MS / beside);
    ck_assert_msg(dyno_assembly_run(&rig.assembly, &error) == DYNO_OK, "%s", error.text);
    metrics = &rig.assembly.metrics;
    three_of(&metrics->ttft, beside, 0.0, truth);
    three_of(&metrics->tpot, 1.0, 0.0, truth + 3);
    three_of(&metrics->e2e, 1.0, dyno_histogram_mean(&metrics->ttft) * 1e-6 * (beside - 1.0),
             truth + 6);
    truth[9] = (double)metrics->output_tokens / ((double)rig.assembly.result.end_ns * 1e-9);
    truth[10] = NAN; /* nothing is shared */
    truth[11] = (double)metrics->within_slo / (double)metrics->requests;
    rig_close(&rig);
}

/* The intervals of one run as a replay makes them. */
static void find_intervals(const char *arrival, uint64_t seed, struct dyno_intervals *out)
{
    struct dyno_error error = {0};
    static struct rig rig;

    load(&rig, arrival, seed, REQUESTS);
    ck_assert_msg(dyno_assembly_open(&rig.assembly, &rig.scenario, NULL, NULL, 0, &error) ==
                      DYNO_OK,
                  "%s", error.text);
    ck_assert_msg(dyno_assembly_run(&rig.assembly, &error) == DYNO_OK, "%s", error.text);
    ck_assert_msg(dyno_intervals_of_run(out, &rig.assembly, &error) == DYNO_OK, "%s", error.text);
    ck_assert_uint_eq(out->replicas, DYNO_INTERVALS_AUTO);
    rig_close(&rig);
}

static double hit_rate(const char *arrival, uint64_t seed)
{
    struct dyno_error error = {0};
    static struct rig rig;
    double rate;

    load(&rig, arrival, seed, REQUESTS);
    ck_assert_int_eq(dyno_assembly_open(&rig.assembly, &rig.scenario, NULL, NULL, 0, &error),
                     DYNO_OK);
    ck_assert_int_eq(dyno_assembly_run(&rig.assembly, &error), DYNO_OK);
    rate = (double)rig.assembly.metrics.cached_tokens /
           (double)rig.assembly.metrics.admitted_input_tokens;
    rig_close(&rig);
    return rate;
}

static void cover(const char *arrival)
{
    uint32_t covered[FIGURES] = {0};
    struct dyno_intervals intervals;

    for (uint64_t world = 0; world < WORLDS; world++) {
        double truth[FIGURES];

        find_truth(arrival, 1000000 + world, truth);
        find_intervals(arrival, world * 1000, &intervals);
        for (uint32_t i = 0; i < FIGURES; i++) {
            covered[i] += truth[i] >= intervals.items[i].low && truth[i] <= intervals.items[i].high;
        }
    }
    for (uint32_t i = 0; i < FIGURES; i++) {
        const char *name = intervals.items[i].metric;
        double share = 100.0 * covered[i] / WORLDS;

        if (isnan(intervals.items[i].low)) {
            continue;
        }
        (void)printf("%s, %s: %.1f %% of %d intervals cover\n", arrival, name, share, WORLDS);
        ck_assert_msg(share >= 91.0 && share <= 99.5, "%s, %s: %.1f %%", arrival, name, share);
    }
}

START_TEST(nineteen_of_twenty_intervals_cover)
{
    cover("poisson:6");
}
END_TEST

/* All clients ask at once when it begins: 24 of these 400 requests, but 24 of 4,000 in the long
 * run, so that means are a little too large, and 99th percentiles have no interval. */
START_TEST(nineteen_of_twenty_intervals_cover_in_a_closed_loop)
{
    cover("concurrency:24");
}
END_TEST

/* Prompts begin alike in thirty ways, some more often than others.  What is true of a run's hits is
 * what runs of its length have: a longer one meets each beginning for the first time as often. */
START_TEST(nineteen_of_twenty_hit_rates_are_within_their_interval)
{
    static const char shared[] =
        "poisson:6 --set generate.prefix_groups=30 --set generate.prefix_tokens=600";
    uint32_t covered = 0;
    double truth = 0.0;

    for (uint64_t world = 0; world < WORLDS; world++) {
        truth += hit_rate(shared, 1000000 + world) / WORLDS;
    }
    for (uint64_t world = 0; world < WORLDS; world++) {
        struct dyno_intervals intervals;
        const struct dyno_interval *hits = &intervals.items[10];

        find_intervals(shared, world * 1000, &intervals);
        ck_assert_str_eq(hits->metric, "kv.token_hit_rate");
        covered += truth >= hits->low && truth <= hits->high;
    }
    (void)printf("hit rates: %.1f %% of %d intervals cover\n", 100.0 * covered / WORLDS, WORLDS);
    ck_assert(covered >= 0.88 * WORLDS && covered <= 0.995 * WORLDS);
}
END_TEST

static struct dyno_intervals intervals_of(const char *arrival, uint32_t requests, bool is_cut)
{
    struct dyno_intervals out;
    struct dyno_error error = {0};
    static struct rig rig;

    load(&rig, arrival, 1, requests);
    ck_assert_int_eq(dyno_assembly_open(&rig.assembly, &rig.scenario, NULL, NULL, 0, &error),
                     DYNO_OK);
    ck_assert_int_eq(dyno_assembly_run(&rig.assembly, &error), DYNO_OK);
    rig.assembly.result.cut = is_cut;
    ck_assert_int_eq(dyno_intervals_of_run(&out, &rig.assembly, &error), DYNO_OK);
    rig_close(&rig);
    return out;
}

/* Left out with a reason where they would take long or say little. */
START_TEST(what_has_no_interval_says_why)
{
    ck_assert_str_eq(intervals_of("poisson:6", 60000, false).lacking, "too_long");
    ck_assert_str_eq(intervals_of("poisson:6", 24, false).lacking, "too_few");
    ck_assert_str_eq(intervals_of("poisson:6", 30, true).lacking, "cut");
    ck_assert_uint_eq(intervals_of("poisson:6", 60000, false).count, 0);
}
END_TEST

START_TEST(a_percentile_of_few_has_no_interval)
{
    struct dyno_intervals few = intervals_of("poisson:6", 299, false);
    struct dyno_intervals enough = intervals_of("poisson:6", 300, false);

    for (uint32_t i = 0; i < FIGURES; i++) {
        bool is_of_cache = i == 10; /* nothing is shared */

        ck_assert_int_eq(isnan(few.items[i].low), (i % 3 == 2 && i < 9) || is_of_cache);
        ck_assert_int_eq(isnan(enough.items[i].low), is_of_cache);
    }
}
END_TEST

/* 24 clients begin at once, and a hundredth of 400 requests is four: the beginning would make it.
 * With two of them a hundredth of 800 is as much as is asked for. */
START_TEST(a_percentile_that_the_beginning_makes_has_no_interval)
{
    struct dyno_intervals made = intervals_of("concurrency:24", 400, false);
    struct dyno_intervals few = intervals_of("concurrency:2", 799, false);
    struct dyno_intervals enough = intervals_of("concurrency:2", 800, false);

    for (uint32_t i = 0; i < 9; i++) {
        ck_assert_int_eq(isnan(made.items[i].low), i % 3 == 2);
        ck_assert_int_eq(isnan(few.items[i].low), i % 3 == 2);
        ck_assert(!isnan(enough.items[i].low));
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("intervals");

    tcase_set_timeout(cases, 250);
    tcase_add_test(cases, nineteen_of_twenty_intervals_cover);
    tcase_add_test(cases, nineteen_of_twenty_intervals_cover_in_a_closed_loop);
    tcase_add_test(cases, nineteen_of_twenty_hit_rates_are_within_their_interval);
    tcase_add_test(cases, what_has_no_interval_says_why);
    tcase_add_test(cases, a_percentile_of_few_has_no_interval);
    tcase_add_test(cases, a_percentile_that_the_beginning_makes_has_no_interval);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/intervals", add_cases)

/* How often a 95 % interval covers what it is about: in many worlds, a short run's intervals are
 * held against a long run of other traffic by the same law, on a fleet whose timing was drawn
 * within its uncertainty.  With WORLDS worlds and a true coverage of 95 %, the count lies within
 * four standard errors (7 points) of it; the bounds are 88 and 99.5 %.
 */
#include "cli/intervals.h"
#include "core/base/math.h"
#include "sim/uncertainty.h"
#include "tests/check_main.h"
#include "tests/system/rig.h"

enum { WORLDS = 150, REPLICAS = 15, FIGURES = 4 };

/* Indices in struct dyno_intervals, and what the long run says of the same. */
static const uint32_t watched[FIGURES] = {0, 3, 6, 7}; /* means of TTFT, TPOT, E2E; E2E's median */

static void load(struct rig *rig, uint64_t seed, uint32_t requests)
{
    struct dyno_error error = {0};
    enum dyno_scenario_ask ask;
    char *rest = NULL;
    int argc = 0;

    memset(rig, 0, sizeof *rig);
    (void)snprintf(rig->words, sizeof rig->words,
                   "replay --arrival poisson:6 --input-tokens uniform:100,2000 --output-tokens "
                   "exponential:120 --requests %u --db none --seed %llu --set run.sample_every=1h",
                   requests, (unsigned long long)seed);
    for (char *word = strtok_r(rig->words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        rig->argv[argc++] = word;
    }
    ck_assert_msg(
        dyno_scenario_load(&rig->scenario, &rig->options, argc, rig->argv, &ask, &error) == DYNO_OK,
        "%s", error.text);
}

/* A long run on another fleet of the same kind, with other traffic of the same kind, whose first
 * tokens come later or earlier by what is not known beside the timing. */
static void find_truth(uint64_t seed, double truth[FIGURES])
{
    const struct dyno_metrics *metrics;
    struct dyno_error error = {0};
    static struct rig rig;
    struct dyno_rng rng;
    double ttft;

    load(&rig, seed, 4000);
    rig.assembly.replica = 1; /* draws its timing from the seed */
    ck_assert_msg(dyno_assembly_open(&rig.assembly, &rig.scenario, NULL, NULL, 0, &error) ==
                      DYNO_OK,
                  "%s", error.text);
    ck_assert_msg(dyno_assembly_run(&rig.assembly, &error) == DYNO_OK, "%s", error.text);
    metrics = &rig.assembly.metrics;
    dyno_rng_init(&rng, seed, "waiting");
    ttft = dyno_histogram_mean(&metrics->ttft) * 1e-6;
    truth[0] =
        ttft * dyno_exp(dyno_timing_wait_spread(&rig.assembly.calibration) * dyno_rng_normal(&rng));
    truth[1] = dyno_histogram_mean(&metrics->tpot) * 1e-6;
    truth[2] = dyno_histogram_mean(&metrics->e2e) * 1e-6 + truth[0] - ttft;
    truth[3] = (double)dyno_histogram_quantile(&metrics->e2e, 0.5) * 1e-6 + truth[0] - ttft;
    rig_close(&rig);
}

START_TEST(nineteen_of_twenty_intervals_cover)
{
    uint32_t covered[FIGURES] = {0};

    for (uint64_t world = 0; world < WORLDS; world++) {
        struct dyno_intervals intervals;
        struct dyno_error error = {0};
        double truth[FIGURES];
        static struct rig rig;

        find_truth(1000000 + world, truth);
        load(&rig, world * 1000, 400);
        ck_assert_msg(dyno_intervals_compute(&intervals, &rig.scenario, REPLICAS, &error) ==
                          DYNO_OK,
                      "%s", error.text);
        dyno_options_close(&rig.options);
        for (uint32_t i = 0; i < FIGURES; i++) {
            const struct dyno_interval *interval = &intervals.items[watched[i]];

            covered[i] += truth[i] >= interval->low && truth[i] <= interval->high;
        }
    }
    for (uint32_t i = 0; i < FIGURES; i++) {
        double share = 100.0 * covered[i] / WORLDS;

        (void)printf("figure %u: %.1f %% of %d intervals cover\n", watched[i], share, WORLDS);
        ck_assert_msg(share >= 88.0 && share <= 99.5, "figure %u: %.1f %%", watched[i], share);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("intervals");

    tcase_set_timeout(cases, 250);
    tcase_add_test(cases, nineteen_of_twenty_intervals_cover);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/intervals", add_cases)

/* What a gate rests on: metrics and their units, stored runs, drift by class, the sequential test.
 */
#include <math.h>
#include <unistd.h>

#include "core/base/rng.h"
#include "reports/drift.h"
#include "reports/gate_metric.h"
#include "reports/reports.h"
#include "reports/stats/noise.h"
#include "reports/stats/sequential.h"
#include "reports/stored_run.h"
#include "tests/check_main.h"

START_TEST(metrics_know_their_better_side_and_their_unit)
{
    struct dyno_gate_metric metric;

    ck_assert(dyno_gate_metric_find(&metric, "phases_ms.queue.p95"));
    ck_assert_int_eq(metric.better, -1);
    ck_assert_double_eq(dyno_gate_unit_parse(metric.unit, "250us"), 0.25);
    ck_assert_double_eq(dyno_gate_unit_parse(metric.unit, "1.5s"), 1500);
    ck_assert_double_lt(dyno_gate_unit_parse(metric.unit, "3"), 0);
    ck_assert_double_lt(dyno_gate_unit_parse(metric.unit, "-3ms"), 0);
    ck_assert_double_lt(dyno_gate_unit_parse(metric.unit, "nanms"), 0);
    ck_assert(dyno_gate_metric_find(&metric, "kv.token_hit_rate"));
    ck_assert_int_eq(metric.better, 1);
    ck_assert_double_eq(dyno_gate_unit_parse(metric.unit, "2points"), 0.02);
    ck_assert(!dyno_gate_metric_find(&metric, "ttft_ms.p98"));
    for (uint32_t i = 0; i < dyno_gate_metric_count(); i++) {
        const char *example = dyno_gate_unit_example(dyno_gate_metric_at(i).unit);

        ck_assert_double_gt(dyno_gate_unit_parse(dyno_gate_metric_at(i).unit, example), 0);
    }
}
END_TEST

static struct dyno_request_record request(uint64_t id, uint32_t prompt, dyno_ns ttft)
{
    dyno_ns at = (id + 1) * DYNO_S;

    return (struct dyno_request_record){.id = id,
                                        .outcome = DYNO_COMPLETED,
                                        .prompt_tokens = prompt,
                                        .output_tokens = 10,
                                        .scheduled_ns = at,
                                        .arrival_ns = at,
                                        .ready_ns = at,
                                        .admitted_ns = at,
                                        .first_token_ns = at + ttft,
                                        .last_token_ns = at + ttft + DYNO_S};
}

START_TEST(drift_is_told_by_class)
{
    struct dyno_request_record base[4], head[4];
    struct dyno_drift drift;

    for (uint32_t i = 0; i < 4; i++) {
        base[i] = head[i] = request(i, i < 2 ? 500 : 5000, 100 * DYNO_MS);
    }
    ck_assert_int_eq(dyno_drift_find(&drift, base, 4, head, 4), DYNO_OK);
    ck_assert(!drift.any);
    head[3].first_token_ns += 20 * DYNO_MS;
    head[3].worker = 2;
    ck_assert_int_eq(dyno_drift_find(&drift, base, 4, head, 4), DYNO_OK);
    ck_assert(drift.any);
    ck_assert_uint_eq(drift.changed, 1);
    ck_assert_uint_eq(drift.rerouted, 1);
    ck_assert_uint_eq(drift.first[0].id, 3);
    ck_assert_uint_eq(drift.classes[0].changed, 0);
    ck_assert_uint_eq(drift.classes[2].requests, 2);
    ck_assert_uint_eq(drift.classes[2].changed, 1);
    ck_assert_double_eq_tol(drift.classes[2].ttft_ms[0], 100, 1e-9);
    ck_assert_double_eq_tol(drift.classes[2].ttft_ms[1], 110, 1e-9);
    ck_assert(isnan(drift.classes[1].ttft_ms[0]));
    ck_assert_int_eq(dyno_drift_find(&drift, base, 4, head, 3), DYNO_OK);
    ck_assert_uint_eq(drift.unpaired, 1);
    ck_assert_int_eq(dyno_drift_find(&drift, base, 3, head, 4), DYNO_OK);
    ck_assert_uint_eq(drift.unpaired, 1);
}
END_TEST

static const char path[] = "gate-test.db";

static void forget(void)
{
    (void)unlink(path);
}

/* A run of two requests under a command. */
static void record(const char *command, uint32_t prompt)
{
    struct dyno_error error = {0};
    struct dyno_metrics metrics = {.completed = 2};
    struct dyno_fleet_totals totals = {0};
    struct dyno_report report = {.metrics = &metrics, .totals = &totals, .title = "a title"};
    struct dyno_recorder *recorder;
    struct dyno_sink *sink;

    ck_assert_msg(dyno_recorder_open(&recorder, path, command, "a title", NULL, 0, &error) ==
                      DYNO_OK,
                  "%s", error.text);
    sink = dyno_recorder_sink(recorder);
    for (uint64_t i = 0; i < 2; i++) {
        struct dyno_request_record one = request(i, prompt, 100 * DYNO_MS);

        ck_assert_int_eq(sink->ops->request(sink, &one), DYNO_OK);
    }
    ck_assert_msg(dyno_recorder_close(recorder, &report, NULL, &error) == DYNO_OK, "%s",
                  error.text);
}

START_TEST(a_run_is_found_by_its_scenario)
{
    struct dyno_error error = {0};
    struct dyno_stored_run run;

    record("dyno replay suite/a.yaml --db x.db", 1);
    record("dyno replay 'my suite/a.yaml' --db x.db", 2);
    record("dyno replay suite/ba.yaml --db x.db", 3);
    ck_assert_msg(dyno_stored_run_read(&run, path, "a.yaml", &error) == DYNO_OK, "%s", error.text);
    ck_assert_int_eq(run.id, 2);
    ck_assert_uint_eq(run.record_count, 2);
    ck_assert_uint_eq(run.records[1].id, 1);
    ck_assert_uint_eq(run.records[1].prompt_tokens, 2);
    ck_assert_uint_eq(run.records[1].last_token_ns, 3100 * DYNO_MS);
    ck_assert_double_eq(dyno_stored_run_metric(&run, "requests.completed"), 2);
    ck_assert(isnan(dyno_stored_run_metric(&run, "ttft_ms.p50"))); /* of nothing: undefined */
    ck_assert(isnan(dyno_stored_run_metric(&run, "no.such.metric")));
    dyno_stored_run_release(&run);
    ck_assert_int_eq(dyno_stored_run_read(&run, path, NULL, &error), DYNO_OK);
    ck_assert_int_eq(run.id, 3);
    dyno_stored_run_release(&run);
    ck_assert_int_eq(dyno_stored_run_read(&run, path, "c.yaml", &error), DYNO_NOT_FOUND);
    ck_assert_str_eq(error.text, "gate-test.db holds no finished run of c.yaml");
}
END_TEST

/* Rounds until a decision; `slower` by a factor, with noise. */
static enum dyno_sequential_verdict decide(struct dyno_rng *rng, double slower, uint32_t *rounds)
{
    struct dyno_sequential test = {.tolerance = 0.05, .alpha = 0.01, .beta = 0.05};
    enum dyno_sequential_verdict verdict = DYNO_SEQUENTIAL_GOES_ON;

    for (*rounds = 0; verdict == DYNO_SEQUENTIAL_GOES_ON && *rounds < 1000; (*rounds)++) {
        double first = 1 + 0.02 * dyno_rng_normal(rng), second = 1 + 0.02 * dyno_rng_normal(rng);

        verdict = dyno_sequential_add(&test, first, slower * second);
    }
    return verdict;
}

/* Of 20,000 tries a true 1 % would alarm 200 times, with a standard error of 14. */
START_TEST(false_alarms_are_as_rare_as_promised)
{
    uint32_t alarms = 0, found = 0, rounds, longest = 0;
    struct dyno_rng rng;

    dyno_rng_init(&rng, 1, "sequential");
    for (int i = 0; i < 20000; i++) { /* at the tolerance itself: the worst case */
        alarms += decide(&rng, 1.05, &rounds) == DYNO_SEQUENTIAL_SLOWER;
        longest = rounds > longest ? rounds : longest;
    }
    ck_assert_msg(alarms <= 200 + 56, "%u", alarms);
    ck_assert_uint_lt(longest, 1000);
    for (int i = 0; i < 1000; i++) {
        found += decide(&rng, 1.15, &rounds) == DYNO_SEQUENTIAL_SLOWER;
    }
    ck_assert_msg(found >= 980, "%u", found);
}
END_TEST

/* Two rounds by hand: D = 2, -2; s = sqrt(8 / 4); E = 3, 5; t(0.975; 2) = 4.302653. */
START_TEST(noise_is_what_base_differs_by_from_itself)
{
    const double first[] = {10, 12}, head[] = {14, 16}, second[] = {12, 10};
    struct dyno_noise_verdict found = dyno_noise_judge(first, head, second, 2, 0.05);

    ck_assert_double_eq_tol(found.base, 11, 1e-12);
    ck_assert_double_eq_tol(found.head, 15, 1e-12);
    ck_assert_double_eq_tol(found.threshold, 4.302652729911275 * sqrt(2.0 * 1.5 / 2), 1e-9);
    ck_assert(!found.differs);
}
END_TEST

/* Of 2,000 tries a true 1 % would alarm 20 times, with a standard error of 4.4. */
START_TEST(noise_alone_alarms_as_seldom_as_promised)
{
    uint32_t alarms = 0, found = 0;
    struct dyno_rng rng;

    dyno_rng_init(&rng, 1, "noise");
    for (int i = 0; i < 2000; i++) {
        double values[3][5];

        for (int j = 0; j < 15; j++) {
            values[j / 5][j % 5] = 100 + dyno_rng_normal(&rng);
        }
        alarms += dyno_noise_judge(values[0], values[1], values[2], 5, 0.01).differs;
        for (int j = 0; j < 5; j++) {
            values[1][j] += 5;
        }
        found += dyno_noise_judge(values[0], values[1], values[2], 5, 0.01).differs;
    }
    ck_assert_msg(alarms >= 3 && alarms <= 38, "%u", alarms);
    ck_assert_msg(found >= 1900, "%u", found);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("gate");

    tcase_add_test(cases, metrics_know_their_better_side_and_their_unit);
    tcase_add_checked_fixture(cases, forget, forget);
    tcase_add_test(cases, drift_is_told_by_class);
    tcase_add_test(cases, a_run_is_found_by_its_scenario);
    tcase_add_test(cases, noise_is_what_base_differs_by_from_itself);
    tcase_add_test(cases, noise_alone_alarms_as_seldom_as_promised);
    tcase_add_test(cases, false_alarms_are_as_rare_as_promised);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("reports/gate", add_cases)

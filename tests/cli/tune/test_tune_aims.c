/* Goals and limits: how they are read, and what is better than what. */
#include "cli/sure/aims.h"
#include "tests/check_main.h"

#include <math.h>
#include <string.h>

static struct dyno_tune_aims aims;
static struct dyno_error error;

static void forget(void)
{
    memset(&aims, 0, sizeof aims);
}

static void goals(const char *text)
{
    ck_assert_msg(dyno_tune_aims_goals(&aims, text, &error) == DYNO_OK, "%s", error.text);
}

static void limits(const char *text)
{
    ck_assert_msg(dyno_tune_aims_limits(&aims, text, &error) == DYNO_OK, "%s", error.text);
}

static struct dyno_tune_result result(double a, double b, double c)
{
    return (struct dyno_tune_result){.metrics = {a, b, c}};
}

START_TEST(metrics_have_short_names)
{
    goals("goodput_per_gpu, min:gpu_hours ,ttft_ms.p95");
    ck_assert_uint_eq(aims.goal_count, 3);
    ck_assert_str_eq(aims.goals[0].metric.name, "goodput.per_gpu");
    ck_assert_int_eq(aims.goals[0].sign, 1);
    ck_assert_str_eq(aims.goals[1].metric.name, "fleet.gpu_hours");
    ck_assert_int_eq(aims.goals[1].sign, -1);
    ck_assert_str_eq(aims.goals[2].metric.name, "ttft_ms.p95");
    ck_assert_int_eq(aims.goals[2].sign, -1);
}
END_TEST

START_TEST(limits_have_sides_and_units)
{
    limits("ttft_p95<500ms, e2e_p50 <= 2s,kv.token_hit_rate>=40%,goodput_fraction>0.9");
    ck_assert_uint_eq(aims.limit_count, 4);
    ck_assert_double_eq(aims.limits[0].bound, 500.0);
    ck_assert(aims.limits[0].is_upper && aims.limits[0].is_strict);
    ck_assert_double_eq(aims.limits[1].bound, 2000.0);
    ck_assert(aims.limits[1].is_upper && !aims.limits[1].is_strict);
    ck_assert_double_eq(aims.limits[2].bound, 0.4);
    ck_assert(!aims.limits[2].is_upper && !aims.limits[2].is_strict);
    ck_assert_double_eq(aims.limits[3].bound, 0.9);
    ck_assert_uint_eq(dyno_tune_aims_objective(&aims, "ttft"), 500000000);
    ck_assert_uint_eq(dyno_tune_aims_objective(&aims, "e2e"), 2000000000);
    ck_assert_uint_eq(dyno_tune_aims_objective(&aims, "tpot"), 0);
}
END_TEST

START_TEST(costs_have_units_of_their_own)
{
    goals("energy_kwh,cost_total");
    ck_assert_str_eq(aims.goals[0].metric.name, "cost.energy_kwh");
    ck_assert_int_eq(aims.goals[0].sign, -1);
    ck_assert_str_eq(aims.goals[1].metric.name, "cost.total");
    limits("gpu_watts<0.4kW,cost.energy_kwh<=250Wh,per_million_output_tokens<0.5");
    ck_assert_double_eq(aims.limits[0].bound, 400.0);
    ck_assert_double_eq(aims.limits[1].bound, 0.25);
    ck_assert_double_eq(aims.limits[2].bound, 0.5);
    ck_assert(dyno_tune_aims_name(&aims, "cost."));
    ck_assert(!dyno_tune_aims_name(&aims, "goodput."));
}
END_TEST

START_TEST(what_means_nothing_is_refused)
{
    static const char *const bad_goals[] = {"",
                                            "ttft",
                                            "ttft_p95,",
                                            "max:",
                                            "ttft_p95,ttft_p95",
                                            "busy_fraction",
                                            "ttft_p95,e2e_p95,tpot_p95,itl_p95"};
    static const char *const bad_limits[] = {"",
                                             "ttft_p95",
                                             "ttft_p95<",
                                             "<500ms",
                                             "ttft_p95<500",
                                             "ttft_p95<-1ms",
                                             "ttft_p95<nanms",
                                             "ttft_p95=500ms",
                                             "kv.token_hit_rate>140%",
                                             "kv.token_hit_rate>40ms",
                                             "nothing<5ms"};

    for (size_t i = 0; i < sizeof bad_goals / sizeof *bad_goals; i++) {
        forget();
        ck_assert_msg(dyno_tune_aims_goals(&aims, bad_goals[i], &error) == DYNO_BAD_INPUT,
                      "not refused: %s", bad_goals[i]);
    }
    for (size_t i = 0; i < sizeof bad_limits / sizeof *bad_limits; i++) {
        forget();
        ck_assert_msg(dyno_tune_aims_limits(&aims, bad_limits[i], &error) == DYNO_BAD_INPUT,
                      "not refused: %s", bad_limits[i]);
    }
}
END_TEST

START_TEST(limits_come_before_goals)
{
    struct dyno_tune_result good = result(1.0, 400.0, 0), better = result(2.0, 499.0, 0),
                            beyond = result(9.0, 600.0, 0), far = result(9.0, 900.0, 0),
                            unknown = result(9.0, NAN, 0);

    goals("goodput_per_gpu");
    limits("ttft_p95<500ms");
    ck_assert(dyno_tune_better(&aims, &better, &good));
    ck_assert(!dyno_tune_better(&aims, &good, &better));
    ck_assert(dyno_tune_better(&aims, &good, &beyond));
    ck_assert(dyno_tune_better(&aims, &beyond, &far));
    ck_assert(dyno_tune_better(&aims, &far, &unknown));
    ck_assert_double_eq_tol(dyno_tune_excess(&aims, &beyond), 0.2, 1e-12);
    ck_assert(isinf(dyno_tune_excess(&aims, &unknown)));
    good.metrics[1] = 500.0; /* "<" is without the bound itself */
    ck_assert(dyno_tune_excess(&aims, &good) > 0.0);
}
END_TEST

START_TEST(of_several_goals_one_beats_another_in_all)
{
    struct dyno_tune_result a = result(2.0, 10.0, 0), b = result(1.0, 10.0, 0),
                            c = result(3.0, 20.0, 0);

    goals("goodput_per_gpu,gpu_hours");
    ck_assert(dyno_tune_dominates(&aims, &a, &b));
    ck_assert(!dyno_tune_dominates(&aims, &b, &a));
    ck_assert(!dyno_tune_dominates(&aims, &a, &c) && !dyno_tune_dominates(&aims, &c, &a));
    ck_assert(!dyno_tune_dominates(&aims, &a, &a));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("tune_aims");

    tcase_add_checked_fixture(tcase, forget, forget);
    tcase_add_test(tcase, metrics_have_short_names);
    tcase_add_test(tcase, limits_have_sides_and_units);
    tcase_add_test(tcase, costs_have_units_of_their_own);
    tcase_add_test(tcase, what_means_nothing_is_refused);
    tcase_add_test(tcase, limits_come_before_goals);
    tcase_add_test(tcase, of_several_goals_one_beats_another_in_all);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("cli/tune_aims", add_cases)

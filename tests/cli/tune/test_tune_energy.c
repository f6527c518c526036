/* A run's energy, cell by cell of time: by what GPUs are up, and by what they do. */
#include "cli/sure/energy.h"

#include "tests/check_main.h"
#include "tests/cli/tune_worlds.h"

static double one_gpu(const void *context, uint32_t worker)
{
    (void)context;
    (void)worker;
    return 1.0;
}

static double two_gpus_at_first(const void *context, uint32_t worker)
{
    (void)context;
    return worker == 0 ? 2.0 : 1.0;
}

/* 40 s of two workers: the first is busy in the first 10 s and half of the last 20, the second a
 * fifth of the time, as far as anybody who looked once can tell.  1 kWh, of which idling is
 * 0.2 / (0.2 + 0.8 * 0.3). */
static void make_run(struct dyno_arm_run *run)
{
    static struct dyno_arm_busy looks[] = {
        {.at = 10 * DYNO_S, .busy_ns = 10 * DYNO_S, .worker = 0},
        {.at = 20 * DYNO_S, .busy_ns = 10 * DYNO_S, .worker = 0},
        {.at = 40 * DYNO_S, .busy_ns = 20 * DYNO_S, .worker = 0},
        {.at = 40 * DYNO_S, .busy_ns = 8 * DYNO_S, .worker = 1},
    };

    *run = (struct dyno_arm_run){.busy = looks, .busy_count = 4};
    run->with.scenario.cost.idle_share = 0.2;
    put_metric(run, "cost.energy_kwh", 1.0);
    put_metric(run, "fleet.busy_fraction", 0.5);
    put_metric(run, "fleet.mfu", 0.1);
    put_metric(run, "fleet.mbu", 0.2);
}

START_TEST(idle_energy_goes_by_gpus_and_the_rest_by_what_they_do)
{
    static const double up[] = {20.0, 20.0, 20.0, 20.0}, busy[] = {12.0, 2.0, 7.0, 7.0};
    static const double edges[] = {0.0, 10e9, 20e9, 30e9, 40e9};
    double idle = 0.2 / 0.44, kwh[4];
    struct dyno_arm_run run;

    make_run(&run);
    ck_assert(dyno_tune_energy_is_known(&run));
    ck_assert_int_eq(dyno_tune_energy(kwh, &run, 4, edges, up, one_gpu, NULL), DYNO_OK);
    for (int i = 0; i < 4; i++) {
        ck_assert_double_eq_tol(kwh[i], idle / 4.0 + (1.0 - idle) * busy[i] / 28.0, 1e-12);
    }
}
END_TEST

/* Cells of 15 s, the last one of 10: what lies across an edge is parted there. */
START_TEST(larger_workers_draw_more_and_cells_part_looks)
{
    static const double up[] = {10.0, 30.0, 0.0};
    static const double edges[] = {0.0, 15e9, 30e9, 40e9};
    static const double busy[] = {20.0 + 3.0, 2.0 * 5.0 + 3.0, 2.0 * 5.0 + 2.0};
    double idle = 0.2 / 0.44, sum = 0.0, kwh[3];
    struct dyno_arm_run run;

    make_run(&run);
    ck_assert_int_eq(dyno_tune_energy(kwh, &run, 3, edges, up, two_gpus_at_first, NULL), DYNO_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_double_eq_tol(kwh[i], idle * up[i] / 40.0 + (1.0 - idle) * busy[i] / 48.0, 1e-12);
        sum += kwh[i];
    }
    ck_assert_double_eq_tol(sum, 1.0, 1e-12);
}
END_TEST

START_TEST(a_fleet_at_its_roof_is_told_by_its_busy_time)
{
    static const double up[] = {1.0, 1.0}, edges[] = {0.0, 20e9, 40e9};
    double kwh[2];
    struct dyno_arm_run run;

    make_run(&run);
    run.summary.rows[3].real = 0.9; /* MBU: more than it was busy */
    ck_assert_int_eq(dyno_tune_energy(kwh, &run, 2, edges, up, one_gpu, NULL), DYNO_OK);
    ck_assert_double_eq_tol(kwh[0], (0.1 + 0.4 * 14.0 / 28.0) / 0.6, 1e-12);
}
END_TEST

START_TEST(without_looks_or_energy_nothing_is_known)
{
    struct dyno_arm_run run;

    make_run(&run);
    run.busy_count = 0;
    ck_assert(!dyno_tune_energy_is_known(&run));
    make_run(&run);
    run.summary.rows[0].kind = DYNO_SUMMARY_UNKNOWN;
    ck_assert(!dyno_tune_energy_is_known(&run));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("tune_energy");

    tcase_add_test(tcase, idle_energy_goes_by_gpus_and_the_rest_by_what_they_do);
    tcase_add_test(tcase, larger_workers_draw_more_and_cells_part_looks);
    tcase_add_test(tcase, a_fleet_at_its_roof_is_told_by_its_busy_time);
    tcase_add_test(tcase, without_looks_or_energy_nothing_is_known);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("cli/tune_energy", add_cases)

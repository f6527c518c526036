/* Choosing by cost: ties, softmax at both kinds of temperature, and costs that are no numbers.
 *
 * Draws are compared with what is expected by Pearson's chi-square; the seeds are fixed, so a test
 * either always passes or never.  Limits are the 99.9 % points.
 */
#include <math.h>

#include "core/base/math.h"
#include "tests/check_main.h"
#include "tests/core/route/fleet.h"

enum { DRAWS = 200000 };

static const double chi_square_limit[] = {0, 10.83, 13.82, 16.27, 18.47, 20.52, 22.46, 24.32};

static uint32_t choose(struct fleet *fleet, const double *costs, double temperature, int absolute)
{
    return dyno_route_services.choose(&fleet->dice, &fleet->view, costs, temperature, absolute);
}

/* DRAWS choices must follow `weights` [workers]; those with weight 0 are never chosen. */
static void expect_weights(struct fleet *fleet, const double *costs, double temperature,
                           int absolute, const double *weights)
{
    uint32_t counts[FLEET_MAX] = {0};
    uint32_t cells = 0;
    double total = 0, chi_square = 0;

    for (uint32_t i = 0; i < DRAWS; i++) {
        uint32_t worker = choose(fleet, costs, temperature, absolute);

        ck_assert_uint_lt(worker, fleet->view.worker_count);
        counts[worker]++;
    }
    for (uint32_t worker = 0; worker < fleet->view.worker_count; worker++) {
        total += weights[worker];
    }
    for (uint32_t worker = 0; worker < fleet->view.worker_count; worker++) {
        double expected = weights[worker] / total * DRAWS;

        if (weights[worker] == 0) {
            ck_assert_uint_eq(counts[worker], 0);
            continue;
        }
        cells++;
        chi_square += (counts[worker] - expected) * (counts[worker] - expected) / expected;
    }
    ck_assert_msg(chi_square <= chi_square_limit[cells - 1], "chi-square %g of %u cells",
                  chi_square, cells);
}

START_TEST(the_least_cost_wins_and_ties_are_uniform)
{
    struct fleet fleet;
    double costs[5] = {3, 1, 2, 1, 1};

    fleet_init(&fleet, 5, 1);
    expect_weights(&fleet, costs, 0, 0, (double[]){0, 1, 0, 1, 1});
    costs[3] = 0.5;
    expect_weights(&fleet, costs, 0, 0, (double[]){0, 0, 0, 1, 0});
    fleet.eligible[3] = 0;
    expect_weights(&fleet, costs, 0, 0, (double[]){0, 1, 0, 0, 1});
}
END_TEST

START_TEST(no_draw_is_spent_where_there_is_no_choice)
{
    struct fleet fleet;
    struct dyno_rng before;

    fleet_init(&fleet, 3, 1);
    before = fleet.dice.rng;
    ck_assert_uint_eq(choose(&fleet, (double[]){2, 1, 3}, 0, 0), 1);
    ck_assert_mem_eq(&before, &fleet.dice.rng, sizeof before);
}
END_TEST

/* Costs 10, 20, 30 at T = 0.5: normalised 0, 1/2, 1; weights 1, e^-1, e^-2. */
START_TEST(softmax_follows_costs_normalised_to_their_spread)
{
    struct fleet fleet;
    double weights[] = {1.0, dyno_exp(-1.0), dyno_exp(-2.0)};

    fleet_init(&fleet, 3, 2);
    expect_weights(&fleet, (double[]){10, 20, 30}, 0.5, 0, weights);
    expect_weights(&fleet, (double[]){0.001, 0.002, 0.003}, 0.5, 0, weights);
}
END_TEST

/* The spread is that of the eligible workers: 10, 30 here. */
START_TEST(ineligible_workers_do_not_stretch_the_spread)
{
    struct fleet fleet;

    fleet_init(&fleet, 4, 3);
    fleet.eligible[1] = 0;
    expect_weights(&fleet, (double[]){10, 1000, 30, 10}, 1.0, 0,
                   (double[]){1, 0, dyno_exp(-1.0), 1});
}
END_TEST

/* Absolute: costs 10, 11, 14 at T = 2: weights 1, e^-0.5, e^-2; a narrow spread is nearly even. */
START_TEST(absolute_temperature_is_in_units_of_the_cost)
{
    struct fleet fleet;

    fleet_init(&fleet, 3, 4);
    expect_weights(&fleet, (double[]){10, 11, 14}, 2.0, 1,
                   (double[]){1, dyno_exp(-0.5), dyno_exp(-2.0)});
    expect_weights(&fleet, (double[]){10, 10.001, 10.002}, 2.0, 1,
                   (double[]){1, dyno_exp(-0.0005), dyno_exp(-0.001)});
}
END_TEST

START_TEST(equal_costs_are_uniform_at_any_temperature)
{
    struct fleet fleet;
    double costs[4] = {7, 7, 7, 7};

    fleet_init(&fleet, 4, 5);
    expect_weights(&fleet, costs, 0, 0, (double[]){1, 1, 1, 1});
    expect_weights(&fleet, costs, 0.3, 0, (double[]){1, 1, 1, 1});
    expect_weights(&fleet, costs, 0.3, 1, (double[]){1, 1, 1, 1});
}
END_TEST

START_TEST(extreme_temperatures_and_costs_stay_in_bounds)
{
    struct fleet fleet;
    double costs[3] = {-1e308, 1e308, 0};

    fleet_init(&fleet, 3, 6);
    expect_weights(&fleet, costs, 1e-320, 0, (double[]){1, 0, 0});
    expect_weights(&fleet, costs, 1e-320, 1, (double[]){1, 0, 0});
    expect_weights(&fleet, costs, INFINITY, 0, (double[]){1, 1, 1});
    expect_weights(&fleet, costs, NAN, 0, (double[]){1, 0, 0});
    expect_weights(&fleet, costs, -1.0, 0, (double[]){1, 0, 0});
}
END_TEST

START_TEST(a_cost_that_is_no_number_is_the_last_resort)
{
    struct fleet fleet;

    fleet_init(&fleet, 3, 7);
    expect_weights(&fleet, (double[]){NAN, 5, INFINITY}, 0, 0, (double[]){0, 1, 0});
    expect_weights(&fleet, (double[]){NAN, 5, -INFINITY}, 1, 0, (double[]){0, 1, 0});
    expect_weights(&fleet, (double[]){NAN, INFINITY, NAN}, 0, 0, (double[]){1, 1, 1});
    fleet.eligible[1] = 0;
    expect_weights(&fleet, (double[]){NAN, 5, INFINITY}, 1, 1, (double[]){1, 0, 1});
}
END_TEST

START_TEST(nobody_eligible_is_nobody_chosen)
{
    struct fleet fleet;

    fleet_init(&fleet, 3, 8);
    memset(fleet.eligible, 0, 3);
    ck_assert_uint_eq(choose(&fleet, (double[]){1, 2, 3}, 0, 0), DYNO_ROUTE_NONE);
    ck_assert_uint_eq(choose(&fleet, (double[]){1, 2, 3}, 1, 0), DYNO_ROUTE_NONE);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("choose");

    tcase_add_test(cases, the_least_cost_wins_and_ties_are_uniform);
    tcase_add_test(cases, no_draw_is_spent_where_there_is_no_choice);
    tcase_add_test(cases, softmax_follows_costs_normalised_to_their_spread);
    tcase_add_test(cases, ineligible_workers_do_not_stretch_the_spread);
    tcase_add_test(cases, absolute_temperature_is_in_units_of_the_cost);
    tcase_add_test(cases, equal_costs_are_uniform_at_any_temperature);
    tcase_add_test(cases, extreme_temperatures_and_costs_stay_in_bounds);
    tcase_add_test(cases, a_cost_that_is_no_number_is_the_last_resort);
    tcase_add_test(cases, nobody_eligible_is_nobody_chosen);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/route/choose", add_cases)

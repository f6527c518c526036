/* The roster by hand: a fleet whose starts take a stated time, and workers that rest when told. */
#include "tests/check_main.h"

#include <string.h>

#include "core/route/route.h"
#include "core/run/roster.h"

enum { PLACES = 4 };

static struct dyno_dispatch *dispatch, *prefill;
static struct dyno_roster *roster;
static bool busy[2 * PLACES];

static dyno_ns takes_ten(const void *context, struct dyno_rng *rng)
{
    (void)context, (void)rng;
    return 10;
}

static bool stop(struct dyno_workers *fleet, dyno_ns now, uint32_t worker)
{
    (void)fleet, (void)now;
    return !busy[worker];
}

static const struct dyno_workers_ops ops = {.name = "rest", .stop = stop};
static struct dyno_workers workers = {.ops = &ops};

static void set_up(uint32_t ready, double failure)
{
    struct dyno_dispatch_config routing = {
        .policy = dyno_route_find("round_robin"), .worker_count = PLACES, .block_tokens = 16};
    struct dyno_error error;

    routing.route.args = "";
    ck_assert_int_eq(dyno_dispatch_open(&dispatch, &routing, &error), DYNO_OK);
    ck_assert_int_eq(
        dyno_roster_open(&roster, &(struct dyno_roster_config){.worker_count = PLACES,
                                                               .ready_first = ready,
                                                               .start_failure = failure,
                                                               .startup = takes_ten,
                                                               .dispatch = dispatch}),
        DYNO_OK);
}

static void tear_down(void)
{
    dyno_roster_close(roster);
    dyno_dispatch_close(dispatch);
}

/* Route a request; the worker, or DYNO_NO_WORKER. */
static uint32_t ask(uint64_t id)
{
    struct dyno_request request = {.id = id, .prompt_tokens = 8, .max_tokens = 1};
    struct dyno_decision_record record;

    return dyno_dispatch_pick(dispatch, 0, &request, 0, &record) == DYNO_OK ? record.worker
                                                                            : DYNO_NO_WORKER;
}

static void expect(uint32_t stopped, uint32_t starting, uint32_t ready, uint32_t draining)
{
    const uint32_t counts[] = {stopped, starting, ready, draining};

    for (uint32_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        ck_assert_uint_eq(dyno_roster_count(roster, DYNO_ROLE_SERVE, (enum dyno_worker_state)i),
                          counts[i]);
    }
}

START_TEST(only_ready_workers_are_routed_to)
{
    set_up(0, 0.0);
    ck_assert_uint_eq(ask(0), DYNO_NO_WORKER);
    dyno_roster_set(roster, 100, 1);
    ck_assert_uint_eq(ask(1), DYNO_NO_WORKER);
    ck_assert_uint_eq(dyno_roster_next(roster), 110);
    ck_assert(!dyno_roster_settle(roster, 109));
    ck_assert(dyno_roster_settle(roster, 110));
    ck_assert_uint_eq(ask(2), 0);
    ck_assert_uint_eq(ask(3), 0);
    ck_assert_uint_eq(dyno_roster_next(roster), DYNO_NEVER);
    tear_down();
}
END_TEST

START_TEST(who_drains_finishes_and_then_stops)
{
    set_up(2, 0.0);
    ck_assert_uint_eq(ask(0) + ask(1), 1); /* one each */
    ck_assert_uint_lt(ask(2), 2);
    dyno_roster_set(roster, 50, 1); /* the one with fewer requests goes */
    expect(2, 0, 1, 1);
    ck_assert_uint_eq(ask(3), dyno_dispatch_worker_of(dispatch, 2));
    dyno_roster_rest(roster, &workers, 60);
    expect(2, 0, 1, 1); /* it still has one */
    for (uint64_t id = 0; id < 2; id++) {
        if (dyno_dispatch_worker_of(dispatch, id) != dyno_dispatch_worker_of(dispatch, 2)) {
            uint32_t worker = dyno_dispatch_worker_of(dispatch, id);

            dyno_dispatch_ended(dispatch, id);
            busy[worker] = true; /* a pass that nobody needs any more */
            dyno_roster_rest(roster, &workers, 70);
            expect(2, 0, 1, 1);
            busy[worker] = false;
        }
    }
    dyno_roster_rest(roster, &workers, 80);
    expect(3, 0, 1, 0);
    ck_assert_uint_eq((uint64_t)dyno_roster_totals(roster, 100).worker_ns, 100 + 80);
    ck_assert_uint_eq(dyno_roster_totals(roster, 100).drains, 1);
    tear_down();
}
END_TEST

START_TEST(starts_are_called_off_before_anybody_drains)
{
    set_up(2, 0.0);
    dyno_roster_set(roster, 0, 4);
    expect(0, 2, 2, 0);
    dyno_roster_set(roster, 4, 3);
    expect(1, 1, 2, 0);
    ck_assert_int_eq(dyno_roster_state(roster, 3), DYNO_WORKER_STOPPED);
    dyno_roster_set(roster, 5, 1);
    expect(2, 0, 1, 1);
    ck_assert_uint_eq(dyno_roster_totals(roster, 5).drains, 1);
    tear_down();
}
END_TEST

/* Whoever drains still costs, so its place is not taken until it has stopped: never more are up
 * than there are places. */
START_TEST(a_full_fleet_waits_for_those_who_drain)
{
    set_up(4, 0.0);
    for (uint64_t id = 0; id < 4; id++) {
        ck_assert_uint_lt(ask(id), PLACES);
    }
    dyno_roster_set(roster, 0, 2);
    expect(0, 0, 2, 2);
    dyno_roster_set(roster, 10, 4);
    expect(0, 0, 2, 2);
    for (uint64_t id = 0; id < 4; id++) {
        dyno_dispatch_ended(dispatch, id);
    }
    dyno_roster_rest(roster, &workers, 20);
    expect(0, 2, 2, 0);
    ck_assert_uint_eq(dyno_roster_totals(roster, 20).up_max, 4);
    tear_down();
}
END_TEST

/* Two may be up: while one drains, only one other is, whatever is asked for. */
START_TEST(never_more_are_up_than_the_budget_has)
{
    set_up(2, 0.0);
    dyno_roster_close(roster);
    ck_assert_int_eq(dyno_roster_open(&roster, &(struct dyno_roster_config){.worker_count = PLACES,
                                                                            .up_max = 2,
                                                                            .ready_first = 2,
                                                                            .startup = takes_ten,
                                                                            .dispatch = dispatch}),
                     DYNO_OK);
    ck_assert_uint_lt(ask(0), 2);
    ck_assert_uint_lt(ask(1), 2);
    dyno_roster_set(roster, 0, 1);
    dyno_roster_set(roster, 1, 2);
    expect(2, 0, 1, 1);
    dyno_dispatch_ended(dispatch, 0);
    dyno_dispatch_ended(dispatch, 1);
    dyno_roster_rest(roster, &workers, 5); /* and it is not stuck */
    expect(2, 1, 1, 0);
    ck_assert_uint_eq(dyno_roster_totals(roster, 5).up_max, 2);
    tear_down();
}
END_TEST

START_TEST(starts_that_fail_are_tried_again)
{
    dyno_ns now = 0;

    set_up(0, 0.6);
    dyno_roster_set(roster, 0, 3);
    while (dyno_roster_count(roster, DYNO_ROLE_SERVE, DYNO_WORKER_READY) < 3) {
        now = dyno_roster_next(roster);
        ck_assert_uint_ne(now, DYNO_NEVER);
        dyno_roster_settle(roster, now);
    }
    ck_assert_uint_gt(dyno_roster_totals(roster, now).start_failures, 0);
    ck_assert_uint_eq(dyno_roster_totals(roster, now).starts,
                      3 + dyno_roster_totals(roster, now).start_failures);
    ck_assert_uint_eq(dyno_roster_startup_mean(roster), 10);
    tear_down();
}
END_TEST

/* Worker 0 is lost at 10 ns for 20 ns: nobody is routed to it, nor started there until 30, when a
 * start begins that takes 10. */
START_TEST(a_place_that_broke_serves_again_when_it_is_mended_and_somebody_started)
{
    set_up(PLACES, 0.0);
    ck_assert(dyno_roster_lose(roster, 10, 0, 30));
    ck_assert_int_eq(dyno_roster_state(roster, 0), DYNO_WORKER_LOST);
    for (uint64_t id = 0; id < 2 * PLACES; id++) {
        ck_assert_uint_ne(ask(id), 0);
    }
    ck_assert_uint_eq(dyno_roster_next(roster), 30);
    ck_assert(!dyno_roster_settle(roster, 30));
    expect(0, 1, 3, 0);
    ck_assert_uint_eq(dyno_roster_next(roster), 40);
    ck_assert(dyno_roster_settle(roster, 40));
    expect(0, 0, 4, 0);
    ck_assert_uint_eq(dyno_roster_totals(roster, 50).losses, 1);
    ck_assert_uint_eq(dyno_roster_totals(roster, 50).restarts, 1);
    ck_assert_uint_eq((uint64_t)dyno_roster_totals(roster, 50).worker_ns, 4 * 50 - 20);
    ck_assert_uint_eq((uint64_t)dyno_roster_totals(roster, 50).ready_ns, 4 * 50 - 30);
    tear_down();
}
END_TEST

START_TEST(where_a_place_is_left_somebody_is_started_there_instead)
{
    set_up(2, 0.0);
    ck_assert(dyno_roster_lose(roster, 10, 1, DYNO_NEVER));
    expect(1, 1, 1, 0);
    ck_assert(dyno_roster_settle(roster, 20));
    ck_assert_int_eq(dyno_roster_state(roster, 2), DYNO_WORKER_READY);
    ck_assert_uint_eq(dyno_roster_next(roster), DYNO_NEVER);
    tear_down();
}
END_TEST

START_TEST(who_was_to_start_or_to_drain_is_lost_too)
{
    set_up(1, 0.0);
    dyno_roster_set(roster, 0, 2);
    ck_assert(!dyno_roster_lose(roster, 5, 1, 5)); /* it was not there yet: another start */
    ck_assert_uint_eq(dyno_roster_next(roster), 15);
    dyno_roster_set(roster, 6, 0);
    expect(3, 0, 0, 1);
    ck_assert(dyno_roster_lose(roster, 7, 0, DYNO_NEVER));
    expect(3, 0, 0, 0);
    ck_assert(!dyno_roster_lose(roster, 8, 0, 9)); /* it stays so */
    ck_assert_uint_eq(dyno_roster_next(roster), DYNO_NEVER);
    tear_down();
}
END_TEST

START_TEST(a_fleet_is_gone_when_all_its_places_are_for_good)
{
    set_up(PLACES, 0.0);
    for (uint32_t i = 0; i < PLACES; i++) {
        ck_assert(!dyno_roster_is_gone(roster));
        ck_assert(dyno_roster_lose(roster, 1, i, i == 0 ? 50 : DYNO_NEVER));
    }
    ck_assert(!dyno_roster_is_gone(roster));
    ck_assert(!dyno_roster_lose(roster, 2, 0, 40)); /* the later end counts */
    ck_assert_uint_eq(dyno_roster_next(roster), 50);
    ck_assert(!dyno_roster_lose(roster, 3, 0, DYNO_NEVER));
    ck_assert(dyno_roster_is_gone(roster));
    tear_down();
}
END_TEST

static dyno_ns takes_three(const void *context, struct dyno_rng *rng)
{
    (void)context, (void)rng;
    return 3;
}

/* The first `serve` places serve, the next ones compute prompts; a start takes 10, a change 3. */
static void set_up_roles(uint32_t serve, uint32_t prompts, uint32_t up_max)
{
    struct dyno_dispatch_config routing = {.policy = dyno_route_find("round_robin"),
                                           .route = {.args = ""},
                                           .worker_count = PLACES,
                                           .block_tokens = 16};
    struct dyno_error error;

    memset(busy, 0, sizeof busy);
    ck_assert_int_eq(dyno_dispatch_open(&dispatch, &routing, &error), DYNO_OK);
    ck_assert_int_eq(dyno_dispatch_open(&prefill, &routing, &error), DYNO_OK);
    ck_assert_int_eq(
        dyno_roster_open(&roster, &(struct dyno_roster_config){.worker_count = PLACES,
                                                               .up_max = up_max,
                                                               .ready_first = serve,
                                                               .prefill_first = prompts,
                                                               .startup = takes_ten,
                                                               .change = takes_three,
                                                               .dispatch = dispatch,
                                                               .prefill = prefill}),
        DYNO_OK);
}

static void tear_down_roles(void)
{
    tear_down();
    dyno_dispatch_close(prefill);
}

static void set_roles(dyno_ns now, uint32_t serve, uint32_t prompts)
{
    const uint32_t desired[] = {serve, prompts};

    dyno_roster_set_roles(roster, now, desired);
}

static void expect_ready(uint32_t serve, uint32_t prompts)
{
    ck_assert_uint_eq(dyno_roster_count(roster, DYNO_ROLE_SERVE, DYNO_WORKER_READY), serve);
    ck_assert_uint_eq(dyno_roster_count(roster, DYNO_ROLE_PREFILL, DYNO_WORKER_READY), prompts);
    ck_assert_uint_eq(dyno_dispatch_open_count(dispatch), serve);
    ck_assert_uint_eq(dyno_dispatch_open_count(prefill), prompts);
}

/* It drains, stops, and starts at once in the other role, paid for all along. */
START_TEST(a_place_changes_its_role)
{
    set_up_roles(3, 1, 0);
    expect_ready(3, 1);
    set_roles(100, 2, 2);
    expect_ready(2, 1);
    ck_assert_uint_eq(dyno_roster_coming(roster, DYNO_ROLE_PREFILL), 1);
    ck_assert_uint_eq(dyno_roster_next(roster), DYNO_NEVER);
    ck_assert_int_eq(dyno_roster_state(roster, 2), DYNO_WORKER_DRAINING);
    busy[2] = true; /* a sequence to finish */
    dyno_roster_rest(roster, &workers, 105);
    ck_assert_int_eq(dyno_roster_state(roster, 2), DYNO_WORKER_DRAINING);
    busy[2] = false;
    dyno_roster_rest(roster, &workers, 107);
    ck_assert_int_eq(dyno_roster_state(roster, 2), DYNO_WORKER_STOPPED);
    ck_assert_int_eq(dyno_roster_state(roster, PLACES + 2), DYNO_WORKER_STARTING);
    ck_assert_uint_eq(dyno_roster_coming(roster, DYNO_ROLE_PREFILL), 0);
    ck_assert(!dyno_roster_settle(roster, 109));
    ck_assert(dyno_roster_settle(roster, 110));
    expect_ready(2, 2);
    ck_assert_uint_eq(dyno_roster_change_mean(roster), 10); /* from the decision on */
    ck_assert_uint_eq(dyno_roster_startup_mean(roster), 0);
    ck_assert_uint_eq(dyno_roster_totals(roster, 200).changes, 1);
    ck_assert_uint_eq(dyno_roster_totals(roster, 200).starts, 0);
    ck_assert_uint_eq((uint64_t)dyno_roster_totals(roster, 200).worker_ns, 4 * 200);
    ck_assert_uint_eq(dyno_roster_totals(roster, 200).up_max, 4);
    tear_down_roles();
}
END_TEST

/* Who drains stops first all the same, and its place is then filled like any other. */
START_TEST(a_change_is_called_off_while_its_worker_drains)
{
    set_up_roles(3, 1, 0);
    set_roles(100, 2, 2);
    set_roles(101, 3, 1);
    ck_assert_uint_eq(dyno_roster_coming(roster, DYNO_ROLE_PREFILL), 0);
    expect_ready(2, 1);
    dyno_roster_rest(roster, &workers, 102);
    ck_assert_int_eq(dyno_roster_state(roster, 2), DYNO_WORKER_STARTING);
    ck_assert_uint_eq(dyno_roster_next(roster), 112);
    ck_assert_uint_eq(dyno_roster_totals(roster, 102).changes, 0);
    tear_down_roles();
}
END_TEST

/* One role is to have fewer, and later the other more: where the budget is used up, those that
 * drain are the ones that come; where it is not, an empty place is sooner there. */
START_TEST(who_drains_comes_over_where_no_gpu_is_left)
{
    set_up_roles(2, 1, 3);
    set_roles(0, 1, 1);
    set_roles(1, 1, 2);
    ck_assert_uint_eq(dyno_roster_coming(roster, DYNO_ROLE_PREFILL), 1);
    dyno_roster_rest(roster, &workers, 4);
    ck_assert_uint_eq(dyno_roster_next(roster), 7);
    ck_assert_uint_eq(dyno_roster_totals(roster, 7).up_max, 3);
    tear_down_roles();

    set_up_roles(2, 1, 4);
    set_roles(0, 1, 1);
    set_roles(1, 1, 2);
    ck_assert_uint_eq(dyno_roster_coming(roster, DYNO_ROLE_PREFILL), 0);
    ck_assert_uint_eq(dyno_roster_next(roster), 11);
    tear_down_roles();
}
END_TEST

START_TEST(a_place_breaks_in_whatever_role_it_has)
{
    set_up_roles(2, 1, 0);
    ck_assert_uint_eq(dyno_roster_who(roster, 1), 1);
    ck_assert_uint_eq(dyno_roster_who(roster, 2), PLACES + 2);
    ck_assert_uint_eq(dyno_roster_who(roster, 3), 3); /* nobody */
    ck_assert(dyno_roster_lose(roster, 10, PLACES + 2, 30));
    expect_ready(2, 0);
    ck_assert_uint_eq(dyno_roster_who(roster, 2), PLACES + 2);
    ck_assert_int_eq(dyno_roster_state(roster, PLACES + 3), DYNO_WORKER_STARTING);
    ck_assert(!dyno_roster_lose(roster, 12, PLACES + 3, DYNO_NEVER));
    ck_assert_uint_eq(dyno_roster_next(roster), 30);
    ck_assert(!dyno_roster_settle(roster, 30)); /* mended, and somebody starts there */
    ck_assert(dyno_roster_settle(roster, 40));
    expect_ready(2, 1);
    ck_assert_int_eq(dyno_roster_state(roster, PLACES + 2), DYNO_WORKER_READY);
    ck_assert_uint_eq(dyno_roster_totals(roster, 40).restarts, 1);
    ck_assert_uint_eq(dyno_roster_totals(roster, 40).losses, 1);
    tear_down_roles();
}
END_TEST

/* A worker that was to change its role is lost while it drains: another place has the role. */
START_TEST(a_change_ends_with_a_place_that_breaks)
{
    set_up_roles(3, 1, 0);
    set_roles(0, 2, 2);
    ck_assert_int_eq(dyno_roster_state(roster, 2), DYNO_WORKER_DRAINING);
    ck_assert(dyno_roster_lose(roster, 5, 2, 5)); /* mended at once, so it starts there */
    ck_assert_uint_eq(dyno_roster_coming(roster, DYNO_ROLE_PREFILL), 0);
    ck_assert_int_eq(dyno_roster_state(roster, PLACES + 2), DYNO_WORKER_STARTING);
    ck_assert(dyno_roster_settle(roster, 15));
    expect_ready(2, 2);
    ck_assert_uint_eq(dyno_roster_totals(roster, 15).changes, 0);
    ck_assert_uint_eq(dyno_roster_totals(roster, 15).restarts, 1);
    tear_down_roles();
}
END_TEST

static void lose_for_good(dyno_ns now, uint32_t worker)
{
    (void)dyno_roster_lose(roster, now, worker, DYNO_NEVER);
}

/* One place is left, and its worker computes prompts, or is to: it decodes from then on. */
START_TEST(where_nobody_else_is_left_to_decode_who_computes_prompts_does)
{
    set_up_roles(1, 1, 0);
    lose_for_good(0, 2);
    lose_for_good(0, 3);
    lose_for_good(5, 0);
    ck_assert_int_eq(dyno_roster_state(roster, PLACES + 1), DYNO_WORKER_DRAINING);
    dyno_roster_rest(roster, &workers, 6);
    ck_assert(dyno_roster_settle(roster, 9)); /* a change takes three */
    expect_ready(1, 0);
    ck_assert_uint_eq(dyno_roster_next(roster), DYNO_NEVER);
    ck_assert(!dyno_roster_is_gone(roster));
    lose_for_good(10, 1);
    ck_assert(dyno_roster_is_gone(roster));
    tear_down_roles();

    set_up_roles(1, 1, 0);
    lose_for_good(0, 2);
    lose_for_good(0, 3);
    ck_assert(dyno_roster_lose(roster, 1, PLACES + 1, 1));
    ck_assert_int_eq(dyno_roster_state(roster, PLACES + 1), DYNO_WORKER_STARTING);
    lose_for_good(5, 0);
    ck_assert_int_eq(dyno_roster_state(roster, 1), DYNO_WORKER_STARTING);
    ck_assert(dyno_roster_settle(roster, 15));
    expect_ready(1, 0);
    tear_down_roles();
}
END_TEST

/* Two models: workers 0 to 3 of one GPU, and workers 4 to 7 of two, behind one budget. */
static struct dyno_roster *open_model(struct dyno_dispatch *router, uint32_t first, uint32_t gpus,
                                      uint32_t ready, struct dyno_roster_budget *budget)
{
    struct dyno_roster *opened = NULL;

    ck_assert_int_eq(dyno_roster_open(&opened, &(struct dyno_roster_config){.worker_count = PLACES,
                                                                            .first_worker = first,
                                                                            .worker_gpus = gpus,
                                                                            .budget = budget,
                                                                            .ready_first = ready,
                                                                            .startup = takes_ten,
                                                                            .dispatch = router}),
                     DYNO_OK);
    return opened;
}

START_TEST(models_share_a_budget_of_gpus)
{
    struct dyno_dispatch_config routing = {
        .policy = dyno_route_find("round_robin"), .worker_count = 2 * PLACES, .block_tokens = 16};
    struct dyno_roster_budget budget = {.gpus_max = 5};
    struct dyno_dispatch *other;
    struct dyno_roster *large;
    struct dyno_error error;

    routing.route.args = "";
    ck_assert_int_eq(dyno_dispatch_open(&dispatch, &routing, &error), DYNO_OK);
    ck_assert_int_eq(dyno_dispatch_open(&other, &routing, &error), DYNO_OK);
    for (uint32_t i = 0; i < PLACES; i++) {
        dyno_dispatch_worker_gone(dispatch, PLACES + i);
        dyno_dispatch_worker_gone(other, i);
    }
    roster = open_model(dispatch, 0, 1, 3, &budget);
    large = open_model(other, PLACES, 2, 1, &budget);
    ck_assert_uint_eq(budget.gpus_up, 5);
    ck_assert_uint_lt(ask(0), 3);

    dyno_roster_set(large, 100, 2); /* two GPUs, of which there is none */
    ck_assert_uint_eq(dyno_roster_next(large), DYNO_NEVER);
    dyno_roster_set(roster, 100, 2); /* one is not enough */
    dyno_roster_rest(roster, &workers, 110);
    dyno_roster_go_on(large, 110);
    ck_assert_uint_eq(budget.gpus_up, 4);
    ck_assert_uint_eq(dyno_roster_next(large), DYNO_NEVER);
    dyno_roster_set(roster, 120, 1);
    dyno_roster_rest(roster, &workers, 130);
    dyno_roster_go_on(large, 130);
    ck_assert_uint_eq(budget.gpus_up, 5);
    ck_assert(dyno_roster_settle(large, 140));
    ck_assert_uint_eq(dyno_roster_count(large, DYNO_ROLE_SERVE, DYNO_WORKER_READY), 2);
    for (uint64_t id = 10; id < 14; id++) { /* of the other model only its own */
        struct dyno_request request = {.id = id, .prompt_tokens = 8, .max_tokens = 1};
        struct dyno_decision_record record;

        ck_assert_int_eq(dyno_dispatch_pick(other, 140, &request, 0, &record), DYNO_OK);
        ck_assert(record.worker == PLACES || record.worker == PLACES + 1);
    }
    ck_assert_uint_eq(dyno_roster_inflight(large, 0), 2);
    ck_assert_uint_eq(budget.gpus_most, 5);
    dyno_roster_close(large);
    dyno_dispatch_close(other);
    tear_down();
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("roster");

    tcase_add_test(cases, only_ready_workers_are_routed_to);
    tcase_add_test(cases, who_drains_finishes_and_then_stops);
    tcase_add_test(cases, starts_are_called_off_before_anybody_drains);
    tcase_add_test(cases, a_full_fleet_waits_for_those_who_drain);
    tcase_add_test(cases, never_more_are_up_than_the_budget_has);
    tcase_add_test(cases, starts_that_fail_are_tried_again);
    tcase_add_test(cases, a_place_that_broke_serves_again_when_it_is_mended_and_somebody_started);
    tcase_add_test(cases, where_a_place_is_left_somebody_is_started_there_instead);
    tcase_add_test(cases, who_was_to_start_or_to_drain_is_lost_too);
    tcase_add_test(cases, a_fleet_is_gone_when_all_its_places_are_for_good);
    tcase_add_test(cases, a_place_changes_its_role);
    tcase_add_test(cases, a_change_is_called_off_while_its_worker_drains);
    tcase_add_test(cases, who_drains_comes_over_where_no_gpu_is_left);
    tcase_add_test(cases, a_place_breaks_in_whatever_role_it_has);
    tcase_add_test(cases, a_change_ends_with_a_place_that_breaks);
    tcase_add_test(cases, where_nobody_else_is_left_to_decode_who_computes_prompts_does);
    tcase_add_test(cases, models_share_a_budget_of_gpus);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/roster", add_cases)

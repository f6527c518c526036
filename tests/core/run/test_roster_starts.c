/* Starts that somebody makes for real: the roster says whom to start and to stop, and sees when
 * that is done. */
#include "tests/check_main.h"

#include <stdio.h>
#include <string.h>

#include "core/route/route.h"
#include "core/run/roster.h"

enum { PLACES = 4 };

static struct dyno_dispatch *dispatch;
static struct dyno_roster *roster;

static bool stop(struct dyno_workers *fleet, dyno_ns now, uint32_t worker)
{
    (void)fleet, (void)now, (void)worker;
    return true;
}

static const struct dyno_workers_ops ops = {.name = "rest", .stop = stop};
static struct dyno_workers workers = {.ops = &ops};

static void tear_down(void)
{
    dyno_roster_close(roster);
    dyno_dispatch_close(dispatch);
}

static void expect(uint32_t stopped, uint32_t starting, uint32_t ready, uint32_t draining)
{
    const uint32_t counts[] = {stopped, starting, ready, draining};

    for (uint32_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        ck_assert_uint_eq(dyno_roster_count(roster, DYNO_ROLE_SERVE, (enum dyno_worker_state)i),
                          counts[i]);
    }
}

static char told[64]; /* "+1 -0": what the starter was told, in order */
static enum dyno_start goes[PLACES];

static void note(char what, uint32_t worker)
{
    size_t used = strlen(told);

    (void)snprintf(told + used, sizeof told - used, "%s%c%u", used > 0 ? " " : "", what, worker);
}

static void seen_start(void *context, uint32_t worker)
{
    (void)context;
    note('+', worker);
    goes[worker] = DYNO_START_GOES_ON;
}

static enum dyno_start seen_look(void *context, uint32_t worker)
{
    (void)context;
    return goes[worker];
}

static void seen_stop(void *context, uint32_t worker)
{
    (void)context;
    note('-', worker);
}

static const struct dyno_starter starter = {
    .start = seen_start, .look = seen_look, .stop = seen_stop};

static void set_up_seen(uint32_t ready)
{
    struct dyno_dispatch_config routing = {
        .policy = dyno_route_find("round_robin"), .worker_count = PLACES, .block_tokens = 16};
    struct dyno_error error;

    routing.route.args = "";
    ck_assert_int_eq(dyno_dispatch_open(&dispatch, &routing, &error), DYNO_OK);
    told[0] = '\0';
    ck_assert_int_eq(dyno_roster_open(&roster, &(struct dyno_roster_config){.worker_count = PLACES,
                                                                            .ready_first = ready,
                                                                            .starter = &starter,
                                                                            .dispatch = dispatch}),
                     DYNO_OK);
}

START_TEST(a_start_that_is_real_takes_what_it_takes)
{
    set_up_seen(1);
    dyno_roster_set(roster, 5, 2);
    expect(2, 1, 1, 0);
    ck_assert_str_eq(told, ""); /* before the end of the turn */
    dyno_roster_launch(roster);
    ck_assert_str_eq(told, "+1");
    ck_assert_uint_eq(dyno_roster_next(roster), DYNO_NEVER);
    ck_assert(!dyno_roster_settle(roster, 1000));
    goes[1] = DYNO_START_DONE;
    ck_assert(dyno_roster_settle(roster, 1005));
    expect(2, 0, 2, 0);
    ck_assert_uint_eq(dyno_roster_startup_mean(roster), 1000);
    dyno_roster_set(roster, 1010, 1); /* and it stops */
    dyno_roster_rest(roster, &workers, 1010);
    dyno_roster_launch(roster);
    dyno_roster_launch(roster); /* nobody is told twice */
    ck_assert_str_eq(told, "+1 -1");
    tear_down();
}
END_TEST

/* Whoever asked for it does so no more; and it is never seen to be done that an older one was. */
START_TEST(a_start_that_is_real_is_called_off_and_begun_anew)
{
    set_up_seen(1);
    dyno_roster_set(roster, 0, 2);
    dyno_roster_launch(roster);
    dyno_roster_set(roster, 1, 1);
    dyno_roster_launch(roster);
    goes[1] = DYNO_START_DONE;
    ck_assert(!dyno_roster_settle(roster, 2));
    dyno_roster_set(roster, 3, 2);
    ck_assert(!dyno_roster_settle(roster, 3));
    dyno_roster_launch(roster);
    ck_assert(!dyno_roster_settle(roster, 4));
    ck_assert_str_eq(told, "+1 -1 +1");
    tear_down();
}
END_TEST

START_TEST(a_start_that_fails_for_real_is_tried_again_after_a_pause)
{
    set_up_seen(PLACES - 1); /* there is no other place */
    dyno_roster_set(roster, 0, PLACES);
    dyno_roster_launch(roster);
    goes[PLACES - 1] = DYNO_START_FAILED;
    ck_assert(!dyno_roster_settle(roster, 7));
    ck_assert_int_eq(dyno_roster_state(roster, PLACES - 1), DYNO_WORKER_LOST);
    ck_assert_uint_eq(dyno_roster_next(roster), 7 + DYNO_START_PAUSE);
    ck_assert_uint_eq(dyno_roster_totals(roster, 7).start_failures, 1);
    ck_assert_uint_eq(dyno_roster_totals(roster, 7).losses, 0);
    ck_assert(!dyno_roster_settle(roster, 7 + DYNO_START_PAUSE));
    dyno_roster_launch(roster);
    ck_assert_str_eq(told, "+3 +3");
    tear_down();
}
END_TEST

/* A place that broke is cleared before anybody is started there. */
START_TEST(who_died_for_real_is_started_anew)
{
    set_up_seen(2);
    ck_assert(dyno_roster_lose(roster, 5, 1, 50));
    dyno_roster_launch(roster);
    ck_assert(!dyno_roster_settle(roster, 50));
    dyno_roster_launch(roster);
    ck_assert(dyno_roster_lose(roster, 60, 0, 60)); /* at once */
    dyno_roster_launch(roster);
    goes[0] = goes[1] = goes[2] = DYNO_START_DONE;
    ck_assert(dyno_roster_settle(roster, 70));
    expect(PLACES - 2, 0, 2, 0);
    ck_assert_msg(strncmp(told, "-1", 2) == 0, "%s", told);
    tear_down();
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("roster starts");

    tcase_add_test(cases, a_start_that_is_real_takes_what_it_takes);
    tcase_add_test(cases, a_start_that_is_real_is_called_off_and_begun_anew);
    tcase_add_test(cases, a_start_that_fails_for_real_is_tried_again_after_a_pause);
    tcase_add_test(cases, who_died_for_real_is_started_anew);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/roster_starts", add_cases)

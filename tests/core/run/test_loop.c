/* The loop over stand-ins for its seams: what is called when, when a run ends, and who is told. */
#include "tests/check_main.h"
#include "tests/core/run/stand_ins.h"

static const dyno_ns at_3_and_25[] = {3, 25, DYNO_NEVER};

/* ---- the order of things --------------------------------------------------------------------- */

/* Request 0 is there at 10 and served until 20, when 1 and 2 come: at one instant what ended, then
 * who arrives, then a look, then new passes. */
START_TEST(at_one_instant_ends_come_first_then_arrivals_then_looks_then_passes)
{
    struct dyno_loop_result result;

    set_up((dyno_ns[]){10, 20, 20, DYNO_NEVER}, 10);
    world.config.sample_every_ns = 20;
    result = run_well();
    ck_assert_str_eq(world.log, "take0 submit0 form@10 "
                                "ended0 take1 submit1 take2 submit2 look@20 and@20 form@20 "
                                "ended1 ended2 form@30");
    ck_assert_uint_eq(result.requests, 3);
    ck_assert_uint_eq(result.turns, 3);
    ck_assert_uint_eq(result.end_ns, 30);
    ck_assert(!result.cut);
    ck_assert_uint_eq(result.unfinished, 0);
}
END_TEST

/* Served in no time, 0 ends in the second sweep of its own instant. */
START_TEST(what_ends_at_its_own_arrival_is_settled_in_the_same_turn)
{
    set_up((dyno_ns[]){10, DYNO_NEVER}, 0);
    (void)run_well();
    ck_assert_str_eq(world.log, "take0 submit0 ended0 form@10");
}
END_TEST

START_TEST(a_policy_that_looks_at_caches_has_them_told_before_each_request)
{
    set_up((dyno_ns[]){10, 10, DYNO_NEVER}, 5);
    world.routing.policy = dyno_route_find("kv");
    (void)run_well();
    ck_assert_str_eq(world.log, "take0 sync@10 submit0 take1 sync@10 submit1 form@10 "
                                "ended0 ended1 form@15");
    ck_assert_ptr_nonnull(world.listener.kv_changed);
    set_up((dyno_ns[]){10, DYNO_NEVER}, 5);
    (void)run_well();
    ck_assert_ptr_null(world.listener.kv_changed);
}
END_TEST

/* A clock that wakes early makes more turns, not other results; one that is late settles late. */
START_TEST(a_clock_may_wake_early_or_late)
{
    set_up((dyno_ns[]){10, DYNO_NEVER}, 10);
    world.early_ns = 6;
    (void)run_well();
    ck_assert_str_eq(world.log, "form@6 take0 submit0 form@10 form@16 ended0 form@20");
    set_up((dyno_ns[]){10, DYNO_NEVER}, 10);
    world.late_ns = 3;
    (void)run_well();
    ck_assert_str_eq(world.log, "take0 submit0 form@13 ended0 form@26");
    ck_assert_uint_eq(world.records[0].last_token_ns, 23); /* as it happened */
}
END_TEST

/* ---- the end --------------------------------------------------------------------------------- */

START_TEST(an_empty_source_is_a_run_of_no_turns)
{
    struct dyno_loop_result result;

    set_up((dyno_ns[]){DYNO_NEVER}, 10);
    world.config.sample_every_ns = 1;
    result = run_well();
    ck_assert_uint_eq(result.turns, 0);
    ck_assert_uint_eq(result.end_ns, 0);
    ck_assert_str_eq(world.log, "");
}
END_TEST

/* The last token leaves the server 4 ns after the pass's end: the client and the run's end see it.
 */
START_TEST(the_run_ends_with_its_last_token)
{
    struct dyno_loop_result result;

    set_up((dyno_ns[]){10, DYNO_NEVER}, 10);
    world.response_ns = 4;
    result = run_well();
    ck_assert_uint_eq(result.end_ns, 24);
    ck_assert_uint_eq(world.ended_at[0], 24);
}
END_TEST

START_TEST(a_source_that_waits_for_nothing_is_an_error_in_words)
{
    struct dyno_loop_result result = {0};
    struct dyno_error error = {0};

    set_up(at_3_and_25, 10);
    world.endless = true;
    ck_assert_int_eq(run(&result, &error), DYNO_BAD_INPUT);
    ck_assert_str_eq(error.text,
                     "the source waits for requests that will never end: after 2 requests nothing "
                     "is in flight, but it is not finished");
}
END_TEST

START_TEST(a_bad_line_ends_the_run_with_what_the_source_said)
{
    struct dyno_loop_result result = {0};
    struct dyno_error error = {0};

    set_up(at_3_and_25, 10);
    world.bad_request = 1;
    ck_assert_int_eq(run(&result, &error), DYNO_BAD_INPUT);
    ck_assert_str_eq(error.text, "line 1 is bad");
    ck_assert_uint_eq(world.told, 1);
}
END_TEST

/* Until 30: 0 ends at 13; 1, served from 25 to 35, is in flight and cancelled. */
START_TEST(the_longest_duration_cuts_what_is_in_flight)
{
    struct dyno_loop_result result;

    set_up(at_3_and_25, 10);
    world.config.duration_max_ns = 30;
    result = run_well();
    ck_assert(result.cut);
    ck_assert_uint_eq(result.requests, 2);
    ck_assert_uint_eq(result.unfinished, 1);
    ck_assert_uint_eq(world.told, 2);
    ck_assert_int_eq(world.records[0].outcome, DYNO_COMPLETED);
    ck_assert_int_eq(world.records[1].outcome, DYNO_CANCELLED_AT_END);
}
END_TEST

/* What happens at the last instant still happens; what would come later is never taken. */
START_TEST(the_longest_duration_includes_its_last_instant)
{
    struct dyno_loop_result result;

    set_up(at_3_and_25, 10);
    world.config.duration_max_ns = 35;
    result = run_well();
    ck_assert(!result.cut);
    ck_assert_uint_eq(result.unfinished, 0);
    set_up(at_3_and_25, 10);
    world.config.duration_max_ns = 24;
    result = run_well();
    ck_assert(result.cut);
    ck_assert_uint_eq(result.requests, 1);
    ck_assert_uint_eq(result.unfinished, 0);
}
END_TEST

START_TEST(an_interrupt_ends_the_run_and_keeps_what_was_told)
{
    struct dyno_loop_result result;

    set_up((dyno_ns[]){0, 10, 20, 30, 40, DYNO_NEVER}, 15); /* ends: 15, 25, 35, 45, 55 */
    world.interrupt_after = 2;
    result = run_well();
    ck_assert(result.cut);
    ck_assert_uint_eq(result.requests, 3); /* at 25 the third, of 20, is in flight */
    ck_assert_uint_eq(result.unfinished, 1);
    ck_assert_uint_eq(world.told, 3);
    ck_assert_int_eq(world.records[2].outcome, DYNO_CANCELLED_AT_END);
    ck_assert_uint_eq(world.forgotten, 3);
    ck_assert_ptr_nonnull(strstr(world.log, "abandon@25"));
}
END_TEST

START_TEST(an_interrupt_before_the_start_runs_nothing)
{
    struct dyno_loop_result result;

    set_up(at_3_and_25, 10);
    world.interrupted = 1;
    result = run_well();
    ck_assert(result.cut);
    ck_assert_uint_eq(result.requests, 0);
    ck_assert_uint_eq(result.turns, 0);
}
END_TEST

/* ---- telemetry ------------------------------------------------------------------------------- */

/* Requests from 3 to 13 and 25 to 35, looks every 10: at 10, 20 and 30, each at every worker; none
 * after the end. */
START_TEST(looks_come_at_their_times_and_do_not_keep_a_run_alive)
{
    struct dyno_loop_result result;

    set_up(at_3_and_25, 10);
    world.config.sample_every_ns = 10;
    result = run_well();
    ck_assert_str_eq(world.log, "take0 submit0 form@3 look@10 and@10 form@10 ended0 form@13 "
                                "look@20 and@20 form@20 take1 submit1 form@25 "
                                "look@30 and@30 form@30 ended1 form@35");
    ck_assert_uint_eq(result.end_ns, 35);
}
END_TEST

/* A clock that is 24 late sees 27: one look for those of 10 and 20, the next one is due at 30. */
START_TEST(looks_that_were_missed_are_made_once)
{
    set_up((dyno_ns[]){3, DYNO_NEVER}, 2);
    world.config.sample_every_ns = 10;
    world.late_ns = 24;
    (void)run_well();
    ck_assert_str_eq(world.log, "take0 submit0 look@27 and@27 form@27 "
                                "ended0 look@53 and@53 form@53");
}
END_TEST

START_TEST(a_run_without_looks_has_none)
{
    set_up(at_3_and_25, 10);
    (void)run_well();
    ck_assert_ptr_null(strstr(world.log, "look"));
}
END_TEST

/* A look every nanosecond makes a turn of each: progress is told every 1024 turns. */
START_TEST(progress_is_told_now_and_then)
{
    struct dyno_loop_result result;

    set_up((dyno_ns[]){0, DYNO_NEVER}, 5000);
    world.config.sample_every_ns = 1;
    world.sink_ops.sample = NULL;
    result = run_well();
    ck_assert_uint_eq(result.turns, 5001);
    ck_assert_uint_eq(world.progresses, 4);
}
END_TEST

/* ---- who is told ----------------------------------------------------------------------------- */

START_TEST(every_sink_hears_of_every_request_once_in_turn)
{
    set_up((dyno_ns[]){0, 0, 5, 9, DYNO_NEVER}, 7);
    (void)run_well();
    ck_assert_uint_eq(world.told, 4);
    ck_assert_uint_eq(world.told_second, 4);
    ck_assert_uint_eq(world.forgotten, 4);
}
END_TEST

START_TEST(a_sink_that_fails_ends_the_run)
{
    struct dyno_loop_result result = {0};
    struct dyno_error error = {0};

    set_up((dyno_ns[]){0, 10, 20, DYNO_NEVER}, 5);
    world.fail_at = 2;
    ck_assert_int_eq(run(&result, &error), DYNO_IO);
    ck_assert_uint_eq(world.told, 2);
    ck_assert_uint_eq(world.told_second, 1);
}
END_TEST

static void check_decisions(bool decisions, bool candidates, uint64_t due, uint64_t due_candidates)
{
    set_up((dyno_ns[]){0, 1, 2, DYNO_NEVER}, 5);
    world.config.decisions = decisions;
    world.config.candidates = candidates;
    (void)run_well();
    ck_assert_uint_eq(world.decisions, due);
    ck_assert_uint_eq(world.candidates, due_candidates);
}

START_TEST(decisions_are_told_when_asked_for_with_candidates_when_asked_for)
{
    check_decisions(false, false, 0, 0);
    check_decisions(true, false, 3, 0);
    check_decisions(true, true, 3, 3 * WORKERS);
}
END_TEST

/* A policy that finds nobody. */
static uint32_t pick_nobody(void *state, const struct dyno_route_config *config,
                            const struct dyno_route_request *request,
                            const struct dyno_route_view *view,
                            const struct dyno_route_services *services,
                            struct dyno_route_dice *dice, double *costs, int *scored)
{
    (void)state, (void)config, (void)request, (void)view;
    (void)services, (void)dice, (void)costs, (void)scored;
    return DYNO_ROUTE_NONE;
}

START_TEST(a_request_that_nobody_may_take_fails_and_is_told)
{
    static const struct dyno_route_policy nobody = {
        .abi = DYNO_ROUTE_ABI, .name = "nobody", .help = "finds nobody", .pick = pick_nobody};
    struct dyno_loop_result result;

    set_up(at_3_and_25, 10);
    world.routing.policy = &nobody;
    result = run_well();
    ck_assert_uint_eq(result.requests, 2);
    ck_assert_uint_eq(world.told, 2);
    for (int id = 0; id < 2; id++) {
        ck_assert_int_eq(world.records[id].outcome, DYNO_FAILED);
        ck_assert_uint_eq(world.records[id].worker, DYNO_NO_WORKER);
        ck_assert_uint_eq(world.records[id].arrival_ns, world.arrivals[id]);
        ck_assert_uint_eq(world.records[id].ready_ns, DYNO_NEVER);
        ck_assert_uint_eq(world.ended_at[id], world.arrivals[id]);
    }
}
END_TEST

/* ---- workers that come and go ---------------------------------------------------------------- */

/* Before anything else worker 0 is gone, at 15 it is back and 1 goes; who is still there with
 * request 0 wants it rerouted at 12. */
static dyno_status settle_and_go(struct dyno_workers *workers, dyno_ns now)
{
    struct dyno_request request = {.id = 0, .prompt_tokens = 5, .max_tokens = 1};
    dyno_status status = DYNO_OK;

    if (now < 12) {
        world.listener.presence(world.listener.context, 0, false);
    }
    if (now == 12 && world.records[0].worker == 1) {
        ck_assert_uint_eq(world.listener.reroute(world.listener.context, &request, &status),
                          DYNO_NO_WORKER);
        ck_assert_int_eq(status, DYNO_OK);
        note("nowhere@", now);
        world.listener.presence(world.listener.context, 0, true);
        world.records[0].worker = world.listener.reroute(world.listener.context, &request, &status);
        ck_assert_int_eq(status, DYNO_OK);
    }
    if (now == 15) {
        world.listener.presence(world.listener.context, 1, false);
    }
    return workers_settle(workers, now);
}

START_TEST(workers_come_and_go_and_hand_requests_on)
{
    struct dyno_workers_ops ops = workers_ops;

    set_up((dyno_ns[]){10, 12, 15, DYNO_NEVER}, 10);
    ops.settle = settle_and_go;
    world.workers.ops = &ops;
    world.config.decisions = true;
    (void)run_well();
    ck_assert_ptr_nonnull(strstr(world.log, "nowhere@12"));
    ck_assert_uint_eq(world.decisions, 4); /* the second one of request 0 is told too */
    ck_assert_uint_eq(world.told, 3);
    ck_assert_uint_eq(world.records[0].worker, 0);
    ck_assert_uint_eq(world.records[2].worker, 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("loop");

    tcase_add_test(cases, at_one_instant_ends_come_first_then_arrivals_then_looks_then_passes);
    tcase_add_test(cases, what_ends_at_its_own_arrival_is_settled_in_the_same_turn);
    tcase_add_test(cases, a_policy_that_looks_at_caches_has_them_told_before_each_request);
    tcase_add_test(cases, a_clock_may_wake_early_or_late);
    tcase_add_test(cases, an_empty_source_is_a_run_of_no_turns);
    tcase_add_test(cases, the_run_ends_with_its_last_token);
    tcase_add_test(cases, a_source_that_waits_for_nothing_is_an_error_in_words);
    tcase_add_test(cases, a_bad_line_ends_the_run_with_what_the_source_said);
    tcase_add_test(cases, the_longest_duration_cuts_what_is_in_flight);
    tcase_add_test(cases, the_longest_duration_includes_its_last_instant);
    tcase_add_test(cases, an_interrupt_ends_the_run_and_keeps_what_was_told);
    tcase_add_test(cases, an_interrupt_before_the_start_runs_nothing);
    tcase_add_test(cases, looks_come_at_their_times_and_do_not_keep_a_run_alive);
    tcase_add_test(cases, looks_that_were_missed_are_made_once);
    tcase_add_test(cases, a_run_without_looks_has_none);
    tcase_add_test(cases, progress_is_told_now_and_then);
    tcase_add_test(cases, every_sink_hears_of_every_request_once_in_turn);
    tcase_add_test(cases, a_sink_that_fails_ends_the_run);
    tcase_add_test(cases, decisions_are_told_when_asked_for_with_candidates_when_asked_for);
    tcase_add_test(cases, a_request_that_nobody_may_take_fails_and_is_told);
    tcase_add_test(cases, workers_come_and_go_and_hand_requests_on);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("run/loop", add_cases)

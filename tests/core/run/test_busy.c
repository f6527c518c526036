/* Who is busy, by each threshold; and the loop, which lets requests wait for those who are. */
#include "tests/check_main.h"
#include "tests/core/run/stand_ins.h"

/* ---- dispatch -------------------------------------------------------------------------------- */

static struct dyno_dispatch *dispatch;

static void open_with(struct dyno_dispatch_busy busy, uint32_t workers)
{
    struct dyno_dispatch_config config = {.policy = dyno_route_find("round_robin"),
                                          .route = {.args = ""},
                                          .worker_count = workers,
                                          .block_tokens = 4,
                                          .busy = busy};

    ck_assert_int_eq(dyno_dispatch_open(&dispatch, &config, NULL), DYNO_OK);
}

/* Where it goes; DYNO_NO_WORKER: nowhere. */
static uint32_t pick(uint64_t id, uint32_t tokens)
{
    struct dyno_request request = {.id = id, .prompt_tokens = tokens, .max_tokens = 1};
    struct dyno_decision_record record = {.candidate_count = 0};
    dyno_status status = dyno_dispatch_pick(dispatch, 0, &request, 1, &record);

    ck_assert(status == DYNO_OK || status == DYNO_REJECTED);
    return status == DYNO_OK ? record.worker : DYNO_NO_WORKER;
}

START_TEST(without_thresholds_nobody_is_busy)
{
    open_with((struct dyno_dispatch_busy){0}, 1);
    for (uint64_t id = 0; id < 100; id++) {
        ck_assert_uint_eq(pick(id, 1000000), 0);
        ck_assert(!dyno_dispatch_all_busy(dispatch));
    }
    dyno_dispatch_close(dispatch);
}
END_TEST

/* Two each: the fifth finds nobody; the end of one of worker 1's makes room there, and only there.
 */
START_TEST(so_many_in_flight_are_busy)
{
    static const uint32_t workers[] = {0, 1, 0, 1};

    open_with((struct dyno_dispatch_busy){.inflight = 2}, 2);
    for (uint64_t id = 0; id < 4; id++) {
        ck_assert(!dyno_dispatch_all_busy(dispatch));
        ck_assert_uint_eq(pick(id, 1), workers[id]);
    }
    ck_assert(dyno_dispatch_all_busy(dispatch));
    ck_assert_uint_eq(pick(4, 1), DYNO_NO_WORKER);
    dyno_dispatch_first_token(dispatch, 1);
    ck_assert(dyno_dispatch_all_busy(dispatch));
    dyno_dispatch_ended(dispatch, 1);
    ck_assert(!dyno_dispatch_all_busy(dispatch));
    ck_assert_uint_eq(pick(4, 1), 1);
    ck_assert(dyno_dispatch_all_busy(dispatch));
    dyno_dispatch_close(dispatch);
}
END_TEST

/* 10 and 25 tokens: the second is let in at 10 and reaches 30, a first token frees. */
START_TEST(so_many_prompt_tokens_are_busy_until_the_first_token)
{
    open_with((struct dyno_dispatch_busy){.prefill_tokens = 30}, 1);
    ck_assert_uint_eq(pick(0, 10), 0);
    ck_assert(!dyno_dispatch_all_busy(dispatch));
    ck_assert_uint_eq(pick(1, 25), 0);
    ck_assert(dyno_dispatch_all_busy(dispatch));
    dyno_dispatch_first_token(dispatch, 0); /* 25 are left */
    ck_assert(!dyno_dispatch_all_busy(dispatch));
    ck_assert_uint_eq(pick(2, 5), 0);
    ck_assert(dyno_dispatch_all_busy(dispatch));
    dyno_dispatch_close(dispatch);
}
END_TEST

/* 5 blocks of 4 tokens, then 2 more; they are held until the end. */
START_TEST(so_many_blocks_are_busy_until_the_end)
{
    open_with((struct dyno_dispatch_busy){.blocks = 7}, 1);
    ck_assert_uint_eq(pick(0, 20), 0);
    ck_assert(!dyno_dispatch_all_busy(dispatch));
    ck_assert_uint_eq(pick(1, 7), 0);
    ck_assert(dyno_dispatch_all_busy(dispatch));
    dyno_dispatch_first_token(dispatch, 0);
    ck_assert(dyno_dispatch_all_busy(dispatch));
    dyno_dispatch_ended(dispatch, 1);
    ck_assert(!dyno_dispatch_all_busy(dispatch));
    dyno_dispatch_close(dispatch);
}
END_TEST

/* Who is gone is not busy: where nobody else is, nobody can be waited for. */
START_TEST(only_those_who_serve_are_busy)
{
    open_with((struct dyno_dispatch_busy){.inflight = 1}, 2);
    dyno_dispatch_worker_gone(dispatch, 1);
    ck_assert_uint_eq(pick(0, 1), 0);
    ck_assert(dyno_dispatch_all_busy(dispatch));
    dyno_dispatch_worker_back(dispatch, 1);
    dyno_dispatch_worker_back(dispatch, 1);
    ck_assert(!dyno_dispatch_all_busy(dispatch));
    ck_assert_uint_eq(pick(1, 1), 1);
    ck_assert(dyno_dispatch_all_busy(dispatch));
    dyno_dispatch_worker_gone(dispatch, 0);
    dyno_dispatch_worker_gone(dispatch, 1);
    ck_assert(!dyno_dispatch_all_busy(dispatch));
    dyno_dispatch_ended(dispatch, 0);
    dyno_dispatch_worker_back(dispatch, 0);
    ck_assert(!dyno_dispatch_all_busy(dispatch));
    dyno_dispatch_close(dispatch);
}
END_TEST

/* Worker 0 cannot serve what it took: it goes to 1, though that is busy. */
START_TEST(who_was_let_in_does_not_wait_again)
{
    struct dyno_request request = {.id = 0, .prompt_tokens = 1, .max_tokens = 1};
    struct dyno_decision_record record;

    open_with((struct dyno_dispatch_busy){.inflight = 1}, 2);
    ck_assert_uint_eq(pick(0, 1), 0);
    ck_assert_uint_eq(pick(1, 1), 1);
    ck_assert_int_eq(dyno_dispatch_repick(dispatch, 1, &request, 1, &record), DYNO_OK);
    ck_assert_uint_eq(record.worker, 1);
    ck_assert_uint_eq(dyno_dispatch_inflight(dispatch, 1), 2);
    ck_assert_uint_eq(pick(2, 1), 0);
    ck_assert(dyno_dispatch_all_busy(dispatch));
    dyno_dispatch_ended(dispatch, 0);
    ck_assert(dyno_dispatch_all_busy(dispatch)); /* it has one still */
    dyno_dispatch_close(dispatch);
}
END_TEST

/* ---- the loop -------------------------------------------------------------------------------- */

/* One worker with one request at a time, each in 10. */
static void set_up_busy(const dyno_ns *arrivals, const char *policy)
{
    set_up(arrivals, 10);
    world.routing.worker_count = 1;
    world.routing.busy.inflight = 1;
    world.config.worker_count = 1;
    world.config.lobby.count_max = 10;
    world.config.lobby.admit.policy = dyno_admit_find(policy);
}

START_TEST(requests_wait_while_all_workers_are_busy)
{
    set_up_busy((dyno_ns[]){5, 6, 7, DYNO_NEVER}, "fcfs");
    (void)run_well();
    ck_assert_str_eq(world.log, "take0 submit0 form@5 take1 form@6 take2 form@7 "
                                "ended0 submit1 form@15 ended1 submit2 form@25 ended2 form@35");
    ck_assert_uint_eq(world.records[2].arrival_ns, 7);
    ck_assert_uint_eq(world.records[2].ready_ns, 25);
    set_up_busy((dyno_ns[]){5, 6, 7, DYNO_NEVER}, "lcfs");
    (void)run_well();
    ck_assert_str_eq(world.log, "take0 submit0 form@5 take1 form@6 take2 form@7 "
                                "ended0 submit2 form@15 ended2 submit1 form@25 ended1 form@35");
}
END_TEST

/* Who arrives at the instant at which somebody is done comes after those who waited. */
START_TEST(those_who_waited_go_before_those_who_come)
{
    set_up_busy((dyno_ns[]){5, 6, 15, DYNO_NEVER}, "fcfs");
    (void)run_well();
    ck_assert_str_eq(world.log,
                     "take0 submit0 form@5 take1 form@6 "
                     "ended0 submit1 take2 form@15 ended1 submit2 form@25 ended2 form@35");
}
END_TEST

/* 1 may wait, 2 finds the queue full at 7, and 1 has waited 8 at 14. */
START_TEST(who_finds_the_queue_full_or_waits_too_long_is_told_so)
{
    set_up_busy((dyno_ns[]){5, 6, 7, DYNO_NEVER}, "fcfs");
    world.config.lobby.count_max = 1;
    world.config.lobby.wait_ns = 8;
    (void)run_well();
    ck_assert_str_eq(world.log, "take0 submit0 form@5 take1 form@6 take2 ended2 form@7 "
                                "ended1 form@14 ended0 form@15");
    ck_assert_int_eq(world.records[1].outcome, DYNO_REJECTED_QUEUE_TIMEOUT);
    ck_assert_uint_eq(world.records[1].held_ns, 8);
    ck_assert_uint_eq(world.records[1].worker, DYNO_NO_WORKER);
    ck_assert_int_eq(world.records[2].outcome, DYNO_REJECTED_QUEUE_FULL);
    ck_assert_uint_eq(world.records[2].held_ns, 0);
}
END_TEST

/* At one instant a worker becomes free and patience ends: it is served. */
START_TEST(a_worker_that_is_free_in_time_is_in_time)
{
    set_up_busy((dyno_ns[]){5, 6, DYNO_NEVER}, "fcfs");
    world.config.lobby.wait_ns = 9;
    (void)run_well();
    ck_assert_str_eq(world.log, "take0 submit0 form@5 take1 form@6 ended0 submit1 form@15 "
                                "ended1 form@25");
}
END_TEST

/* At 8, while 1 and 2 wait, 1 is given up. */
static dyno_ns gives_up(struct dyno_source *source, dyno_ns now, uint64_t *id)
{
    (void)source, (void)now;
    *id = 1;
    if (world.told > 0) { /* it has gone */
        return DYNO_NEVER;
    }
    return 8;
}

START_TEST(who_waits_may_give_up)
{
    struct dyno_source_ops ops = source_ops;

    set_up_busy((dyno_ns[]){5, 6, 7, DYNO_NEVER}, "fcfs");
    ops.cancelled = gives_up;
    world.source.ops = &ops;
    (void)run_well();
    ck_assert_str_eq(world.log, "take0 submit0 form@5 take1 form@6 take2 form@7 ended1 form@8 "
                                "ended0 submit2 form@15 ended2 form@25");
    ck_assert_int_eq(world.records[1].outcome, DYNO_CANCELLED_BY_CLIENT);
    ck_assert_uint_eq(world.records[1].held_ns, 2);
}
END_TEST

START_TEST(a_run_that_is_cut_ends_those_who_wait)
{
    struct dyno_loop_result result;

    set_up_busy((dyno_ns[]){5, 6, DYNO_NEVER}, "fair");
    world.config.duration_max_ns = 9;
    result = run_well();
    ck_assert(result.cut);
    ck_assert_uint_eq(result.unfinished, 2);
    ck_assert_uint_eq(world.told, 2);
    ck_assert_int_eq(world.records[1].outcome, DYNO_CANCELLED_AT_END);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("busy");

    tcase_add_test(cases, without_thresholds_nobody_is_busy);
    tcase_add_test(cases, so_many_in_flight_are_busy);
    tcase_add_test(cases, so_many_prompt_tokens_are_busy_until_the_first_token);
    tcase_add_test(cases, so_many_blocks_are_busy_until_the_end);
    tcase_add_test(cases, only_those_who_serve_are_busy);
    tcase_add_test(cases, who_was_let_in_does_not_wait_again);
    tcase_add_test(cases, requests_wait_while_all_workers_are_busy);
    tcase_add_test(cases, those_who_waited_go_before_those_who_come);
    tcase_add_test(cases, who_finds_the_queue_full_or_waits_too_long_is_told_so);
    tcase_add_test(cases, a_worker_that_is_free_in_time_is_in_time);
    tcase_add_test(cases, who_waits_may_give_up);
    tcase_add_test(cases, a_run_that_is_cut_ends_those_who_wait);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/run/busy", add_cases)

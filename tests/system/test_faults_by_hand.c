/* Workers that die, worked out by hand: two of them, whose every step takes 1 ms, whatever is in
 * it.
 */
#include "tests/system/hand.h"

/* As hand.h has it, with two workers that are asked in turn. */
static void set_up_two(void)
{
    set_up(20);
    world.dispatch.worker_count = 2;
    world.faults.migrations_max = 3;
    world.faults.restart_ns = 10 * DYNO_MS;
    world.lobby.count_max = 10;
    world.lobby.admit.policy = dyno_admit_find("fcfs");
}

static void fault(enum dyno_fault_kind kind, uint32_t worker, dyno_ns at, dyno_ns until,
                  uint32_t slowness)
{
    world.faults.list[world.faults.count++] = (struct dyno_chaos_fault){.kind = kind,
                                                                        .first = worker,
                                                                        .last = worker,
                                                                        .at = at,
                                                                        .until = until,
                                                                        .slowness = slowness};
}

static void dies(uint32_t worker, dyno_ns at, dyno_ns mended_at)
{
    fault(DYNO_FAULT_DEATH, worker, at, mended_at, 0);
}

enum { HALF_MS = DYNO_MS / 2 };

/* A is on worker 0: its prompt in 0-1 ms, tokens at 1, 2 and 3 ms.  At 3.5 ms the worker dies, in
 * the middle of the fourth's step.  On worker 1 the prompt and 3 tokens, 11 in all, take two passes
 * (budget 8), 3.5-4.5 and 4.5-5.5 ms, which yields the fourth; the fifth comes at 6.5.  Worker 0
 * had 8 + 2 tokens in KV: those are computed again. */
START_TEST(a_request_goes_on_elsewhere_with_the_tokens_it_has)
{
    struct world_digest digest;

    set_up_two();
    ask(0, 8, 5);
    dies(0, 3 * DYNO_MS + HALF_MS, DYNO_NEVER);
    digest = run_both();
    ck_assert_uint_eq(records[0].outcome, DYNO_COMPLETED);
    ck_assert_uint_eq(records[0].output_tokens, 5);
    ck_assert_uint_eq(records[0].worker, 1);
    ck_assert_uint_eq(records[0].migrations, 1);
    ck_assert_uint_eq(records[0].admitted_ns, 0);
    ck_assert_uint_eq(records[0].first_token_ns, DYNO_MS);
    ck_assert_uint_eq(records[0].last_token_ns, 6 * DYNO_MS + HALF_MS);
    ck_assert_uint_eq(digest.totals.tokens_recomputed, 10);
    ck_assert_uint_eq(digest.totals.prefill_tokens, 8 + 11);
    ck_assert_uint_eq(digest.faults.deaths, 1);
    ck_assert_uint_eq(digest.faults.migrated, 1);
    ck_assert_uint_eq(digest.faults.lost, 0);
}
END_TEST

/* A step that ends when the worker dies is done: the fourth token is out at 4 ms. */
START_TEST(a_step_that_ends_with_its_worker_is_done)
{
    set_up_two();
    ask(0, 8, 5);
    dies(0, 4 * DYNO_MS, DYNO_NEVER);
    (void)run_both();
    ck_assert_uint_eq(records[0].last_token_ns, 6 * DYNO_MS); /* 12 tokens: 4-5, 5-6 ms */
}
END_TEST

/* B, on worker 1, shares A's first 8 tokens, two blocks, and has computed them: of A's 11 tokens 3
 * are left, which go along in B's pass from 4 to 5 ms. */
START_TEST(what_another_worker_has_in_cache_is_not_computed_again)
{
    struct world_digest digest;

    set_up_two();
    ask(0, 9, 5);
    share(0, 77, 2);
    ask(0, 9, 20);
    share(1, 77, 2);
    dies(0, 4 * DYNO_MS + HALF_MS, DYNO_NEVER);
    digest = run_both();
    ck_assert_uint_eq(records[0].worker, 1);
    ck_assert_uint_eq(records[0].output_tokens, 5);
    ck_assert_uint_eq(digest.totals.tokens_recomputed, 9 + 2 - 8);
    ck_assert_uint_eq(digest.totals.prefill_tokens, 9 + 9 + (9 + 3 - 8));
}
END_TEST

/* The prompt was in its second pass of two: it is computed again from its start. */
START_TEST(a_prompt_that_was_not_finished_begins_again)
{
    struct world_digest digest;

    set_up_two();
    ask(0, 16, 1);
    dies(0, DYNO_MS + HALF_MS, DYNO_NEVER);
    digest = run_both();
    ck_assert_uint_eq(records[0].worker, 1);
    ck_assert_uint_eq(records[0].admitted_ns, 0); /* for the first time */
    ck_assert_uint_eq(records[0].first_token_ns, 3 * DYNO_MS + HALF_MS);
    ck_assert_uint_eq(digest.totals.tokens_recomputed, 8); /* the second 8 never were */
}
END_TEST

START_TEST(who_may_not_go_on_has_failed_with_what_it_has)
{
    struct world_digest digest;

    set_up_two();
    world.faults.migrations_max = 0;
    ask(0, 8, 5);
    dies(0, 3 * DYNO_MS + HALF_MS, DYNO_NEVER);
    digest = run_both();
    ck_assert_uint_eq(records[0].outcome, DYNO_FAILED);
    ck_assert_uint_eq(records[0].output_tokens, 3);
    ck_assert_uint_eq(records[0].last_token_ns, 3 * DYNO_MS);
    ck_assert_uint_eq(records[0].migrations, 0);
    ck_assert_uint_eq(digest.faults.lost, 1);
}
END_TEST

START_TEST(where_nobody_is_left_for_good_nobody_waits)
{
    set_up_two();
    ask(0, 8, 5);
    ask(7 * DYNO_MS, 8, 1);
    dies(0, 3 * DYNO_MS, DYNO_NEVER);
    dies(1, 3 * DYNO_MS + HALF_MS, DYNO_NEVER);
    (void)run_both();
    ck_assert_uint_eq(records[0].outcome, DYNO_FAILED);
    ck_assert_uint_eq(records[1].outcome, DYNO_FAILED);
}
END_TEST

/* Both workers die at 3.5 ms.  Worker 0 is started again at once and serves from 13.5 ms on, for
 * whom A waits in the lobby; the place of worker 1 is mended at 6 ms, and it serves from 16. */
START_TEST(a_worker_is_started_in_the_place_of_the_dead)
{
    set_up_two();
    world.lobby.count_max = 0; /* which is no reason against A: it was let in once */
    ask(0, 8, 5);
    dies(0, 3 * DYNO_MS + HALF_MS, 3 * DYNO_MS + HALF_MS);
    dies(1, 3 * DYNO_MS + HALF_MS, 6 * DYNO_MS);
    ask(15 * DYNO_MS, 8, 1); /* worker 0 */
    ask(20 * DYNO_MS, 8, 1); /* worker 1, in its turn */
    (void)run_both();
    ck_assert_uint_eq(records[0].worker, 0);
    ck_assert_uint_eq(records[0].last_token_ns, 16 * DYNO_MS + HALF_MS);
    ck_assert_uint_eq(records[2].outcome, DYNO_COMPLETED);
    ck_assert_uint_eq(records[1].worker + records[2].worker, 1);
}
END_TEST

/* Nobody notices until 10.5 ms: C is sent to the dead worker at 5 ms, and both go on then, A first.
 */
START_TEST(until_a_death_is_noticed_requests_go_there_and_wait)
{
    struct world_digest digest;

    set_up_two();
    world.faults.notice_ns = 7 * DYNO_MS;
    ask(0, 8, 5);
    ask(0, 8, 1);           /* worker 1 */
    ask(5 * DYNO_MS, 8, 1); /* worker 0 */
    dies(0, 3 * DYNO_MS + HALF_MS, DYNO_NEVER);
    digest = run_both();
    ck_assert_uint_eq(digest.faults.migrated, 2);
    ck_assert_uint_eq(records[0].migrations, 1);
    ck_assert_uint_eq(records[0].last_token_ns, 13 * DYNO_MS + HALF_MS); /* 11.5, 12.5, 13.5 */
    ck_assert_uint_eq(records[2].migrations, 1);
    ck_assert_uint_eq(records[2].ready_ns, 10 * DYNO_MS + HALF_MS);
}
END_TEST

/* Frozen from 2.5 to 9 ms: the step from 2 to 3 ms is finished, the next begins at 9. */
START_TEST(a_frozen_worker_begins_no_pass)
{
    set_up_two();
    ask(0, 8, 5);
    fault(DYNO_FAULT_STALL, 0, 2 * DYNO_MS + HALF_MS, 9 * DYNO_MS, 0);
    (void)run_both();
    check_stamps(0, 0, 1, 11); /* tokens at 1, 2, 3, 10 and 11 ms */
    ck_assert_uint_eq(records[0].migrations, 0);
}
END_TEST

/* Three times slower from 1.5 to 6 ms: the step from 1 to 2 ms is as ever, those that begin at 2
 * and 5 take 3 ms, the last 1. */
START_TEST(a_slow_worker_takes_longer_for_what_it_begins)
{
    set_up_two();
    ask(0, 8, 5);
    fault(DYNO_FAULT_STALL, 0, DYNO_MS + HALF_MS, 6 * DYNO_MS, 3);
    (void)run_both();
    check_stamps(0, 0, 1, 9);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("faults by hand");

    tcase_add_test(tc, a_request_goes_on_elsewhere_with_the_tokens_it_has);
    tcase_add_test(tc, a_step_that_ends_with_its_worker_is_done);
    tcase_add_test(tc, what_another_worker_has_in_cache_is_not_computed_again);
    tcase_add_test(tc, a_prompt_that_was_not_finished_begins_again);
    tcase_add_test(tc, who_may_not_go_on_has_failed_with_what_it_has);
    tcase_add_test(tc, where_nobody_is_left_for_good_nobody_waits);
    tcase_add_test(tc, a_worker_is_started_in_the_place_of_the_dead);
    tcase_add_test(tc, until_a_death_is_noticed_requests_go_there_and_wait);
    tcase_add_test(tc, a_frozen_worker_begins_no_pass);
    tcase_add_test(tc, a_slow_worker_takes_longer_for_what_it_begins);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("faults by hand", add_cases)

/* Small fleets whose every stamp can be computed by hand: a step takes 1 ms, whatever is in it. */
#include "tests/system/hand.h"

/* Pass 1, 0-1 ms: A's first 8 prompt tokens.  Pass 2, 1-2 ms: A's last 2 and B's 5 (budget 8): both
 * yield.  Pass 3, 2-3 ms: one token each, B ends.  Pass 4, 3-4 ms: A's third and last. */
START_TEST(a_prompt_is_cut_at_the_budget_and_the_next_one_shares_its_last_pass)
{
    set_up(6);
    ask(0, 10, 3);
    ask(0, 5, 2);
    (void)run(1u << 20);
    check_stamps(0, 0, 2, 4);
    check_stamps(1, 1, 2, 3);
    ck_assert_uint_eq(records[0].output_tokens, 3);
}
END_TEST

/* 3 blocks.  A takes 2 for its 8 tokens; B's 8 need 2: B waits until A has ended at 3 ms (first
 * token at 1 ms; its decode tokens 9 and 10 take the third block at 1 ms). */
START_TEST(a_request_waits_for_blocks_not_for_slots)
{
    set_up(3);
    ask(0, 8, 3);
    ask(0, 8, 1);
    (void)run(1u << 20);
    check_stamps(0, 0, 1, 3);
    check_stamps(1, 3, 4, 4);
}
END_TEST

/* 4 blocks.  A and B hold 4 and 3 prompt tokens, one block each (pass 1, 0-1 ms).  A takes its
 * second block at 1 ms (token 5), B at 2 ms (token 5).  At 5 ms A's token 9 needs a block and none
 * is left: B, the newest, is preempted with 5 of its tokens out (at 1..5 ms), and is not taken back
 * in that pass.  At 6 ms its 8 tokens (3 + 5) need 2 blocks but 1 is free.  A ends at 7 ms with 7
 * tokens; B prefills 8 tokens in 7-8 ms, where its 6th comes out; the last of 7 at 9 ms. */
START_TEST(the_newest_is_preempted_and_recomputed)
{
    struct world_digest digest;

    set_up(4);
    world.worker.prefix_cache = false;
    ask(0, 4, 7);
    ask(0, 3, 7);
    digest = run(1u << 20);
    ck_assert_uint_eq(digest.preemptions, 1);
    ck_assert_uint_eq(records[1].preemptions, 1);
    check_stamps(0, 0, 1, 7);
    check_stamps(1, 0, 1, 9);
}
END_TEST

/* The same with the prefix cache: B's whole blocks stay behind when it is preempted.  It held 7
 * tokens: one whole block (its own), one partial.  A takes a block at 5 ms: the partial one, which
 * was released first, goes.  At 7 ms B finds its 4 tokens and computes the other 4 of 8. */
START_TEST(a_preempted_request_finds_what_it_left_behind)
{
    struct world_digest digest;

    set_up(4);
    ask(0, 4, 7);
    ask(0, 3, 7);
    digest = run(1u << 20);
    ck_assert_uint_eq(digest.preemptions, 1);
    check_stamps(1, 0, 1, 9);
    ck_assert_uint_eq(digest.totals.prefill_tokens, 4 + 3 + 4);
}
END_TEST

/* B comes at 0.5 ms with the same 8-token prefix (2 blocks) and 2 more: it finds 8 tokens cached at
 * the pass that starts at 1 ms, although A is still running; 2 tokens are computed. */
START_TEST(a_shared_prefix_is_found_while_its_owner_runs)
{
    set_up(20);
    ask(0, 8, 9);
    share(0, 77, 2);
    ask(DYNO_MS / 2, 10, 1);
    share(1, 77, 2);
    (void)run(1u << 20);
    ck_assert_uint_eq(records[1].cached_tokens, 8);
    check_stamps(1, 1, 2, 2);
}
END_TEST

/* One prompt token is always computed: of the same 8-token prompt only the first block is found. */
START_TEST(a_wholly_cached_prompt_still_computes_its_last_block)
{
    set_up(20);
    ask(0, 8, 1);
    share(0, 77, 2);
    ask(10 * DYNO_MS, 8, 1);
    share(1, 77, 2);
    (void)run(1u << 20);
    ck_assert_uint_eq(records[1].cached_tokens, 4);
}
END_TEST

/* A prompt of 16 tokens in 4 blocks of 4 leaves no room for a token: refused, the others go on. */
START_TEST(a_prompt_longer_than_memory_is_refused_and_counted)
{
    set_up(4);
    ask(0, 16, 5);
    ask(0, 4, 1);
    (void)run(1u << 20);
    ck_assert_int_eq(records[0].outcome, DYNO_REJECTED_PROMPT_TOO_LONG);
    check_stamps(1, 0, 1, 1);
}
END_TEST

/* 4 blocks, A holds 1 until it ends at 3 ms.  B's prompt of 13 tokens is cut at the 7 left of the
 * budget, 2 blocks, and would fit; but all of it takes 4: it waits until A is gone. */
START_TEST(a_prompt_waits_until_all_of_it_fits_where_the_engine_reserves_it)
{
    set_up(4);
    ask(0, 3, 3);
    ask(DYNO_MS / 2, 13, 1);
    (void)run(1u << 20);
    ck_assert_uint_eq(records[1].admitted_ns, 1 * DYNO_MS);
    world.worker.reserve_prompt = true;
    (void)run(1u << 20);
    check_stamps(0, 0, 1, 3);
    check_stamps(1, 3, 5, 5);
}
END_TEST

/* 3 blocks of 4 tokens.  A's prompt takes one; its second token, made in 1-2 ms, another, and its
 * sixth would take the third: B has that at 2 ms.  With a look-ahead of 3 tokens A's step 1-2 ms
 * takes blocks for 8 tokens and the next one for 9, so that B has to wait until A is gone. */
START_TEST(running_sequences_have_blocks_for_the_look_ahead)
{
    set_up(3);
    ask(0, 4, 5);
    ask(DYNO_MS * 3 / 2, 4, 1);
    (void)run_both();
    check_stamps(0, 0, 1, 5);
    check_stamps(1, 2, 3, 3);
    world.worker.lookahead = 3;
    (void)run_both();
    check_stamps(0, 0, 1, 5);
    check_stamps(1, 5, 6, 6);
}
END_TEST

/* An admission takes none for it, so that A and B with 2 of 4 blocks each begin together; the first
 * step of both would take 2 more each (8 + 1 + 5 tokens), and B, the newer, gives way. */
START_TEST(a_look_ahead_is_taken_by_the_first_step)
{
    set_up(6);
    world.worker.batch_tokens_max = 16;
    world.worker.lookahead = 5;
    ask(0, 8, 4);
    ask(0, 8, 2);
    ck_assert_uint_eq(run_both().totals.preemptions, 1);
    check_stamps(0, 0, 1, 4);
    check_stamps(1, 0, 1, 5);
}
END_TEST

/* Scheduling ahead: B is ready at 1.5 ms, while A's step from 1 to 2 runs and the one from 2 to 3
 * is scheduled already: its prompt is in the step from 3 to 4.  C, ready at 2 exactly, was not seen
 * when the step from 2 was scheduled (at 1) but is when that from 3 is (at 2): it shares B's pass.
 * D comes when the worker is idle, at 20 ms, and waits for nothing.  The passes are 0-1, 1-3, 3-4,
 * 4-9 and 20-21: the leap takes the step along that cannot see B. */
START_TEST(scheduling_ahead_a_request_joins_the_step_after_the_next)
{
    set_up(20);
    world.worker.async_scheduling = true;
    ask(0, 4, 9);
    ask(DYNO_MS * 3 / 2, 3, 1);
    ask(DYNO_MS * 2, 3, 1);
    ask(DYNO_MS * 20, 3, 1);
    ck_assert_uint_eq(run(1u << 20).totals.passes, 5);
    check_stamps(0, 0, 1, 9);
    check_stamps(1, 3, 4, 4);
    check_stamps(2, 3, 4, 4);
    check_stamps(3, 20, 21, 21);
}
END_TEST

/* Scheduling ahead, 4 blocks, 16 tokens a pass.  A holds 2 of them, then 3, and ends at 3 ms; B,
 * there at 0.5 ms, needs 3.  That A would reach its max_tokens was known: the pass 3-4 ms leaves it
 * out.  But its blocks come back with its result, after that pass was scheduled: with C running, B
 * goes at 4 ms; without, nothing was scheduled at 3 and B goes there. */
START_TEST(scheduling_ahead_blocks_come_back_a_step_later)
{
    for (uint32_t others = 0; others < 2; others++) {
        set_up(4);
        world.worker.async_scheduling = true;
        world.worker.batch_tokens_max = 16;
        ask(0, 7, 3);
        if (others) {
            ask(DYNO_MS / 4, 1, 6);
        }
        ask(DYNO_MS / 2, 12, 1);
        (void)run_both();
        check_stamps(0, 0, 1, 3);
        check_stamps(1 + others, 3 + others, 4 + others, 4 + others);
    }
}
END_TEST

/* The same with an end that nobody could foresee, because A might have gone on: it is computed once
 * more in 3-4 ms, and without C too B has to wait for 4 ms. */
START_TEST(scheduling_ahead_an_unforeseen_end_costs_a_step)
{
    struct world_digest digest;

    set_up(4);
    world.worker.async_scheduling = true;
    ask(0, 7, 3);
    world.requests[0].max_tokens = 5;
    world.worker.batch_tokens_max = 16;
    ask(DYNO_MS / 2, 12, 1);
    digest = run_both();
    check_stamps(0, 0, 1, 3);
    check_stamps(1, 4, 5, 5);
    ck_assert_uint_eq(digest.totals.steps, 5);
    ck_assert_uint_eq(digest.totals.decode_tokens, 2);
}
END_TEST

/* Prompts in every third step while anything decodes.  A's prompt goes in step 0 (0-1 ms), after
 * the pause; steps 1 and 2 only decode, so B, there at 0.5 ms, goes in step 3 (3-4 ms) with the 7
 * tokens that A leaves, and with its last 3 in step 6.  4 are left there for C, and its other 3 go
 * in step 9. */
START_TEST(prompts_go_into_every_third_step)
{
    set_up(40);
    world.worker.prefill_interval = 3;
    ask(0, 4, 12);
    ask(DYNO_MS / 2, 10, 1);
    ask(DYNO_MS * 9 / 2, 7, 1);
    (void)run_both();
    check_stamps(0, 0, 1, 12);
    check_stamps(1, 3, 7, 7);
    check_stamps(2, 6, 10, 10);
}
END_TEST

/* The same with 2 sequences at once: in step 3 B goes and C is left over, so the steps after it are
 * for prompts too, and C goes in step 4 (4-5 ms), where nobody is left over: D, there at 4.5 ms,
 * has to wait for step 6. */
START_TEST(prompts_left_over_go_into_the_next_step)
{
    set_up(40);
    world.worker.prefill_interval = 3;
    world.worker.seqs_max = 2;
    ask(0, 4, 12);
    ask(DYNO_MS / 2, 2, 1);
    ask(DYNO_MS * 2, 2, 1);
    ask(DYNO_MS * 9 / 2, 2, 1);
    (void)run_both();
    check_stamps(1, 3, 4, 4);
    check_stamps(2, 4, 5, 5);
    check_stamps(3, 6, 7, 7);
}
END_TEST

/* SGLang: prompts first.  A decodes alone in 1-2 ms; B, there at 1.5 ms, gets a pass of its own in
 * 2-3 ms while A stands still; then both decode. */
START_TEST(prefill_first_stops_decoding_while_a_prompt_runs)
{
    set_up(20);
    world.worker.order = DYNO_ORDER_PREFILL_FIRST;
    world.worker.admission = DYNO_ADMIT_ESTIMATE;
    ask(0, 4, 4);
    ask(DYNO_MS * 3 / 2, 4, 2);
    (void)run(1u << 20);
    check_stamps(0, 0, 1, 5);
    check_stamps(1, 2, 3, 4);
}
END_TEST

/* TensorRT-LLM: 6 blocks.  A may need (8 + 8) / 4 = 4 of them, so B's (8 + 4) / 4 = 3 must wait
 * until A ends at 8 ms, although 3 are free at first. */
START_TEST(without_eviction_a_request_waits_for_all_it_may_ever_need)
{
    set_up(6);
    world.worker.admission = DYNO_ADMIT_NO_EVICT;
    ask(0, 8, 8);
    ask(0, 8, 4);
    (void)run(1u << 20);
    check_stamps(0, 0, 1, 8);
    check_stamps(1, 8, 9, 12);
}
END_TEST

/* A worker that was started takes 3 ms longer for each of its first two passes: the prompt's ends
 * at 4 ms, the first of three more tokens comes at 8, the others at 9 and 10. */
START_TEST(the_first_passes_of_a_worker_take_longer)
{
    set_up(6);
    world.worker.first_passes = 2;
    world.worker.first_pass_ticks = 3 * DYNO_MS * DYNO_TICKS_PER_NS;
    ask(0, 5, 4);
    (void)run_both();
    check_stamps(0, 0, 4, 10);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("by hand");

    tcase_add_test(cases, a_prompt_is_cut_at_the_budget_and_the_next_one_shares_its_last_pass);
    tcase_add_test(cases, a_request_waits_for_blocks_not_for_slots);
    tcase_add_test(cases, the_newest_is_preempted_and_recomputed);
    tcase_add_test(cases, a_preempted_request_finds_what_it_left_behind);
    tcase_add_test(cases, a_shared_prefix_is_found_while_its_owner_runs);
    tcase_add_test(cases, a_wholly_cached_prompt_still_computes_its_last_block);
    tcase_add_test(cases, a_prompt_longer_than_memory_is_refused_and_counted);
    tcase_add_test(cases, a_prompt_waits_until_all_of_it_fits_where_the_engine_reserves_it);
    tcase_add_test(cases, running_sequences_have_blocks_for_the_look_ahead);
    tcase_add_test(cases, a_look_ahead_is_taken_by_the_first_step);
    tcase_add_test(cases, scheduling_ahead_a_request_joins_the_step_after_the_next);
    tcase_add_test(cases, scheduling_ahead_blocks_come_back_a_step_later);
    tcase_add_test(cases, scheduling_ahead_an_unforeseen_end_costs_a_step);
    tcase_add_test(cases, prompts_go_into_every_third_step);
    tcase_add_test(cases, prompts_left_over_go_into_the_next_step);
    tcase_add_test(cases, prefill_first_stops_decoding_while_a_prompt_runs);
    tcase_add_test(cases, without_eviction_a_request_waits_for_all_it_may_ever_need);
    tcase_add_test(cases, the_first_passes_of_a_worker_take_longer);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/by hand", add_cases)

/* SGLang's rules, each in a case whose every stamp can be computed by hand: a step takes 1 ms. */
#include "tests/system/hand.h"

/* One worker with room for `tokens`, 64 of them a pass, no scheduling ahead. */
static void set_up_sglang(uint32_t tokens, double ratio)
{
    set_up(tokens);
    world.worker = dyno_engine_find("sglang")->config;
    world.worker.async_scheduling = false;
    world.worker.blocks = tokens;
    world.worker.batch_tokens_max = 64;
    world.worker.seqs_max = 4;
    world.worker.new_token_ratio = ratio;
    world.dispatch.block_tokens = 1;
}

/* 40 tokens.  A and B, 4 tokens each, go together (pass 0-1 ms).  Beside them C's 12 and the 12 it
 * may generate have no room: 24 + 10 + 4 are not less than 32.  When B ends at 4 ms they would (24
 * + 0.7 x 6 < 33), but SGLang asks again only after a decode pass has begun without B: at 5 ms. */
START_TEST(who_was_refused_is_asked_again_after_a_decode_pass_with_fewer)
{
    set_up_sglang(40, 0.7);
    ask(0, 4, 10);
    ask(0, 4, 4);
    ask(0, 12, 12);
    (void)run_both();
    check_stamps(1, 0, 1, 4);
    check_stamps(2, 5, 6, 17);
    check_stamps(0, 0, 1, 11);
}
END_TEST

/* A decodes from 1 ms; B is there at 1.5 ms.  Its prompt has the pass 2-3 ms for itself while A
 * stands still; with mixed chunks A's token goes along.  Of 8 tokens a pass B's prompt gets 7 then,
 * and its last one goes in 3-4 ms. */
START_TEST(decodes_go_along_with_prompts_where_chunks_are_mixed)
{
    set_up_sglang(40, 0.7);
    ask(0, 4, 6);
    ask(DYNO_MS * 3 / 2, 8, 2);
    (void)run_both();
    check_stamps(0, 0, 1, 7);
    check_stamps(1, 2, 3, 4);
    world.worker.mixed_chunk = true;
    (void)run_both();
    check_stamps(0, 0, 1, 6);
    check_stamps(1, 2, 3, 4);
    world.worker.batch_tokens_max = 8;
    (void)run_both();
    check_stamps(0, 0, 1, 6);
    check_stamps(1, 2, 4, 5);
}
END_TEST

/* 21 tokens, nothing set aside for those that decode.  At 2 ms A holds 5 and its next token takes
 * another: 16 are free.  B's 8 and the 7 it may generate are less than 16; with A going along they
 * and its token are not, and B waits for A's end at 6 ms. */
START_TEST(a_mixed_pass_has_room_for_those_that_go_along)
{
    for (uint32_t mixed = 0; mixed < 2; mixed++) {
        set_up_sglang(21, 0.0);
        world.worker.mixed_chunk = mixed != 0;
        ask(0, 4, 6);
        ask(DYNO_MS * 3 / 2, 8, 7);
        (void)run_both();
        ck_assert_uint_eq(records[1].admitted_ns, (mixed ? 6 : 2) * DYNO_MS);
    }
}
END_TEST

/* 28 tokens, nothing set aside for others.  A (6 tokens), B (4) and C (5) come one a pass, 0-3 ms,
 * then all decode, 3 tokens a step.  At 7 ms 27 tokens are taken and each has 5 out: the longest
 * prompt goes, A, although it is the oldest.  At 12 ms the same: C's prompt is longer than B's.
 * Both stand behind each other in the queue, and set aside for B is now all it may generate (what
 * A, then C, had shown to need is more than there is).  B ends at 14 ms; A's 11 tokens are computed
 * in 14-15, its 12th token comes at 21; C's 15 in 21-22, its 12th token comes at 23. */
START_TEST(the_longest_prompt_of_those_with_the_fewest_tokens_is_retracted)
{
    struct world_digest digest;

    set_up_sglang(28, 0.0);
    ask(0, 6, 12);
    ask(DYNO_MS / 2, 4, 12);
    ask(DYNO_MS * 3 / 2, 5, 12);
    digest = run_both();
    ck_assert_uint_eq(digest.preemptions, 2);
    ck_assert_uint_eq(records[0].preemptions, 1);
    ck_assert_uint_eq(records[2].preemptions, 1);
    check_stamps(0, 0, 1, 21);
    check_stamps(1, 1, 2, 14);
    check_stamps(2, 2, 3, 23);
}
END_TEST

/* 30 tokens.  A's 4 go in 0-1 ms, B's 2 in 4-5 ms: A has 4 tokens out by then and B 1 at 5 ms. They
 * take 2 a step from 4 + 3 + 2 on: 21 are left for 10 steps, so at 15 ms there is 1 for 2.  B has
 * 11 out, A 14: B goes, although A's prompt is longer. */
START_TEST(the_one_with_the_fewest_tokens_is_retracted_first)
{
    set_up_sglang(30, 0.0);
    ask(0, 4, 26);
    ask(DYNO_MS * 7 / 2, 2, 20);
    (void)run_both();
    ck_assert_uint_eq(records[0].preemptions, 0);
    ck_assert_uint_eq(records[1].preemptions, 1);
    check_stamps(0, 0, 1, 27);
}
END_TEST

/* 1500 tokens, A's prompt of 10 leaves 1490 to generate.  At 301 ms it has decoded 300 steps: the
 * share set aside is 0.7 - 300 x 0.602 / 600 = 0.399 of the 1189 left, 474.4, and 1190 tokens are
 * free.  So B may come with 715 in all; with 716 it waits for A's end, at 1000 ms. */
START_TEST(the_share_set_aside_falls_with_every_decode_step)
{
    for (uint32_t more = 0; more < 2; more++) {
        set_up_sglang(1500, 0.7);
        ask(0, 10, 1000);
        world.requests[0].max_tokens = 2000;
        ask(DYNO_MS * 601 / 2, 10, 1);
        world.requests[1].max_tokens = 705 + more;
        (void)run_both();
        check_stamps(1, more ? 1000 : 301, more ? 1001 : 302, more ? 1001 : 302);
    }
}
END_TEST

/* 200 tokens and as many a pass.  0 fills the pass 0-1 ms; 1, 2 and 3 come meanwhile.  Of 1 and 3,
 * who begin with the same 64 tokens of which nothing is cached, 3 goes last, and 2, whose first 40
 * tokens 0 left in cache, first.  64 tokens a pass: 2's other 8 and 56 of 1's 66 in 1-2 ms, 1's
 * last 10 and of 3's 66 tokens, 56 of them cached by then, 10 in 2-3 ms. */
START_TEST(the_longest_prefix_goes_first_and_of_twins_one_goes_last)
{
    set_up_sglang(400, 0.0);
    world.worker.queue_order = DYNO_QUEUE_LPM;
    ask(0, 41, 1);
    share(0, 11, 40);
    ask(DYNO_MS / 4, 66, 1);
    share(1, 22, 64);
    ask(DYNO_MS / 3, 48, 1);
    share(2, 11, 40);
    ask(DYNO_MS / 2, 66, 1);
    share(3, 22, 64);
    (void)run_both();
    check_stamps(2, 1, 2, 2);
    check_stamps(1, 1, 3, 3);
    check_stamps(3, 2, 3, 3);
    ck_assert_uint_eq(records[2].cached_tokens, 40);
    ck_assert_uint_eq(records[3].cached_tokens, 56);
    world.worker.queue_order = DYNO_QUEUE_FCFS;
    (void)run_both();
    check_stamps(1, 1, 3, 3);
    check_stamps(2, 2, 3, 3);
}
END_TEST

/* 129 wait while 0 is computed, the last of them with a cached prefix: too many to be sorted.  64
 * go at 1 ms as they came; the 65 that are left are sorted, and it is the first at 2 ms.  Of 128 it
 * is the first at 1 ms. */
START_TEST(more_than_128_are_served_as_they_came)
{
    for (uint32_t waiting = 128; waiting < 130; waiting++) {
        set_up_sglang(1000, 0.0);
        world.worker.queue_order = DYNO_QUEUE_LPM;
        world.worker.seqs_max = 64;
        ask(0, 41, 1);
        share(0, 11, 40);
        for (uint32_t i = 1; i < waiting; i++) {
            ask(DYNO_MS / 2, 1, 1);
        }
        ask(DYNO_MS / 2, 41, 1);
        share(waiting, 11, 40);
        (void)run_both();
        ck_assert_uint_eq(records[waiting].admitted_ns, (waiting == 128 ? 1 : 2) * DYNO_MS);
    }
}
END_TEST

/* Passes of 64 tokens, of which 80 in all may be asked of one with others in it.  B's 74 would be
 * cut behind A's 6; but they make 80, so B has a pass of its own, after A's. */
START_TEST(a_very_long_prompt_does_not_begin_beside_others)
{
    set_up_sglang(400, 0.0);
    world.worker.prefill_tokens_max = 81;
    ask(0, 6, 1);
    ask(0, 74, 1);
    (void)run_both();
    check_stamps(1, 0, 2, 2);
    world.worker.prefill_tokens_max = 80;
    (void)run_both();
    check_stamps(0, 0, 1, 1);
    check_stamps(1, 1, 3, 3);
}
END_TEST

/* Scheduling ahead, in a case of its own: A ends at 3 ms, but the pass 3-4 ms was scheduled at 2
 * and computes A once more, although it has reached its max_tokens.  B, ready at 3.5 ms, is seen
 * at 4. */
START_TEST(a_sequence_that_ended_is_computed_once_more)
{
    struct world_digest digest;

    set_up_sglang(40, 0.7);
    world.worker.async_scheduling = true;
    ask(0, 4, 3);
    ask(DYNO_MS * 7 / 2, 4, 1);
    digest = run_both();
    check_stamps(0, 0, 1, 3);
    check_stamps(1, 4, 5, 5);
    ck_assert_uint_eq(digest.totals.decode_tokens, 2); /* nobody gets what comes of it */
    ck_assert_uint_eq(digest.totals.steps, 3 + 1 + 1);
    world.worker.async_scheduling = false;
    (void)run_both();
    ck_assert_uint_eq(records[1].admitted_ns, DYNO_MS * 7 / 2);
}
END_TEST

/* The first case of this file, scheduled ahead.  B's end at 4 ms is not known to the pass 4-5 ms,
 * which computes it once more; the pass 5-6 ms begins without it; C is asked for the pass 6-7 ms.
 */
START_TEST(scheduled_ahead_who_was_refused_is_asked_again_a_step_later)
{
    set_up_sglang(40, 0.7);
    world.worker.async_scheduling = true;
    ask(0, 4, 10);
    ask(0, 4, 4);
    ask(0, 12, 12);
    (void)run_both();
    check_stamps(1, 0, 1, 4);
    check_stamps(2, 6, 7, 18);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("by hand");

    tcase_add_test(cases, who_was_refused_is_asked_again_after_a_decode_pass_with_fewer);
    tcase_add_test(cases, decodes_go_along_with_prompts_where_chunks_are_mixed);
    tcase_add_test(cases, a_mixed_pass_has_room_for_those_that_go_along);
    tcase_add_test(cases, the_longest_prompt_of_those_with_the_fewest_tokens_is_retracted);
    tcase_add_test(cases, the_one_with_the_fewest_tokens_is_retracted_first);
    tcase_add_test(cases, the_share_set_aside_falls_with_every_decode_step);
    tcase_add_test(cases, the_longest_prefix_goes_first_and_of_twins_one_goes_last);
    tcase_add_test(cases, more_than_128_are_served_as_they_came);
    tcase_add_test(cases, a_very_long_prompt_does_not_begin_beside_others);
    tcase_add_test(cases, a_sequence_that_ended_is_computed_once_more);
    tcase_add_test(cases, scheduled_ahead_who_was_refused_is_asked_again_a_step_later);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/by hand, sglang", add_cases)

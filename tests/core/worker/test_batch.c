/* What a pass is made of, by hand: budget, slots, blocks, and the order of each engine.  Steps take
 * 1 ms whatever is in them; blocks have 4 tokens and a pass 8 unless a test says otherwise. */
#include "core/worker/fleet.h"
#include "tests/check_main.h"
#include "tests/core/worker/rig.h"

static struct rig rig;

static dyno_ns ms(uint64_t count)
{
    return count * DYNO_MS;
}

/* ---- budget and slots ------------------------------------------------------------------------ */

/* Pass 0: A's 5 prompt tokens and 3 of B's 10.  Pass 1: A's token (context 5 + 1) and the 7 that
 * are left of B: nothing for C.  Pass 2: two tokens (contexts 7 and 11) and C's 4; B ends.  Pass 3:
 * A (8) and C (5). */
START_TEST(decodes_come_first_then_the_unfinished_prompt_then_who_waits)
{
    rig_init(&rig, 20);
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 5, 10);
    rig_ask(&rig, 0, 1, 10, 2);
    rig_ask(&rig, 0, 2, 4, 9);
    rig_run(&rig);
    rig_check_pass(&rig, 0, 2, 0, 0);
    rig_check_slice(&rig, 0, 0, 0, 5, true);
    rig_check_slice(&rig, 0, 1, 0, 3, false);
    rig_check_pass(&rig, 1, 1, 1, 6);
    rig_check_slice(&rig, 1, 0, 3, 7, true);
    rig_check_pass(&rig, 2, 1, 2, 18);
    rig_check_slice(&rig, 2, 0, 0, 4, true);
    rig_check_pass(&rig, 3, 0, 2, 13);
    rig_check_stamps(&rig, 0, 0, ms(1), ms(10));
    rig_check_stamps(&rig, 1, 0, ms(2), ms(3));
    rig_check_stamps(&rig, 2, ms(2), ms(3), ms(11));
    rig_close(&rig);
}
END_TEST

/* Two slots, both taken until A ends at 2 ms: C gets A's. */
START_TEST(nobody_is_admitted_without_a_slot)
{
    rig_init(&rig, 20);
    rig.config.worker.seqs_max = 2;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 2, 2);
    rig_ask(&rig, 0, 1, 2, 9);
    rig_ask(&rig, 0, 2, 2, 1);
    rig_run(&rig);
    rig_check_pass(&rig, 0, 2, 0, 0);
    rig_check_pass(&rig, 1, 0, 2, 6);
    rig_check_pass(&rig, 2, 1, 1, 4);
    ck_assert_uint_eq(rig.passes[2].slices[0].slot, rig.passes[0].slices[0].slot);
    rig_check_stamps(&rig, 2, ms(2), ms(3), ms(3));
    rig_close(&rig);
}
END_TEST

/* Without chunks B's 5 tokens do not fit beside A's 5 and are not cut; C's 3 would fit, but does
 * not overtake B. */
START_TEST(without_chunks_a_prompt_goes_whole_or_waits)
{
    rig_init(&rig, 20);
    rig.config.worker.chunked_prefill = false;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 5, 3);
    rig_ask(&rig, 0, 1, 5, 3);
    rig_ask(&rig, 0, 2, 3, 3);
    rig_run(&rig);
    rig_check_pass(&rig, 0, 1, 0, 0);
    rig_check_slice(&rig, 0, 0, 0, 5, true);
    rig_check_pass(&rig, 1, 1, 1, 6);
    rig_check_slice(&rig, 1, 0, 0, 5, true);
    rig_check_pass(&rig, 2, 1, 2, 7 + 6);
    rig_check_slice(&rig, 2, 0, 0, 3, true);
    rig_close(&rig);
}
END_TEST

START_TEST(without_chunks_a_prompt_longer_than_a_pass_is_refused)
{
    rig_init(&rig, 20);
    rig.config.worker.chunked_prefill = false;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 9, 1);
    rig_ask(&rig, 0, 1, 8, 1);
    ck_assert_int_eq(rig.records[0].outcome, DYNO_REJECTED_PROMPT_TOO_LONG);
    rig_run(&rig);
    ck_assert_int_eq(rig.records[1].outcome, DYNO_COMPLETED);
    rig_close(&rig);
}
END_TEST

/* The pass's own ceiling, and what the ledger can serve: A's 4 tokens are one block, its 5th takes
 * another, 2 of 4 are left: two rounds of 4 steps beside the first. */
START_TEST(a_decode_pass_has_as_many_steps_as_it_may_and_its_blocks_last)
{
    rig_init(&rig, 4);
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 4, 12);
    rig_run(&rig);
    ck_assert_uint_eq(rig.passes[1].steps_max, 9);
    rig_check_stamps(&rig, 0, 0, ms(1), ms(12));
    rig_close(&rig);
    rig_init(&rig, 4);
    rig.config.worker.steps_max = 3;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 4, 12);
    rig_run(&rig);
    ck_assert_uint_eq(rig.passes[1].steps_max, 3);
    ck_assert_uint_eq(rig.pass_count, 1 + 4); /* 11 tokens by 3 */
    rig_check_stamps(&rig, 0, 0, ms(1), ms(12));
    rig_close(&rig);
}
END_TEST

/* ---- blocks ---------------------------------------------------------------------------------- */

/* 10 blocks of which an admission leaves 2: beside A's 4 blocks B's 4 go, B's 5 do not.  B waits
 * until A has ended, at 3 ms. */
static void check_watermark(uint32_t prompt_tokens, dyno_ns admitted)
{
    rig_init(&rig, 10);
    rig.config.worker.batch_tokens_max = 64;
    rig.config.worker.watermark = 0.2;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 16, 3);
    rig_ask(&rig, 0, 1, prompt_tokens, 1);
    rig_run(&rig);
    ck_assert_uint_eq(rig.records[1].admitted_ns, admitted);
    rig_close(&rig);
}

START_TEST(an_admission_leaves_the_watermark_free)
{
    check_watermark(16, 0);
    check_watermark(17, ms(3));
}
END_TEST

/* 9 of 10 blocks: more than the watermark allows, but there is nobody to protect. */
START_TEST(alone_a_request_may_have_everything)
{
    rig_init(&rig, 10);
    rig.config.worker.batch_tokens_max = 64;
    rig.config.worker.watermark = 0.2;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 36, 1);
    rig_run(&rig);
    rig_check_stamps(&rig, 0, 0, ms(1), ms(1));
    rig_close(&rig);
}
END_TEST

/* 4 blocks.  A leaves its 2 behind, idle.  C's 8 tokens take the 2 free ones; at 2 ms its 9th token
 * evicts A's second block.  B (A's 8 tokens and 4 more) then finds 1 block, idle, and needs 2 more:
 * 3 of the 1 that is there.  At 3 ms C has ended: 4 are there. */
START_TEST(idle_blocks_that_are_hit_cannot_be_taken_as_well)
{
    rig_init(&rig, 4);
    rig_open(&rig);
    rig_ask_shared(&rig, 0, 0, 8, 1, 77, 2);
    rig_ask(&rig, ms(1), 2, 8, 2);
    rig_ask_shared(&rig, ms(2), 1, 12, 1, 77, 2);
    rig_run(&rig);
    rig_check_stamps(&rig, 2, ms(1), ms(2), ms(3));
    rig_check_stamps(&rig, 1, ms(3), ms(4), ms(4));
    ck_assert_uint_eq(rig.records[1].cached_tokens, 4);
    rig_close(&rig);
}
END_TEST

/* 4 blocks.  Pass 0: A's 4 tokens, B's first 4.  Pass 1: A takes a second block, and the 7 tokens
 * that B could go on with need two where one is left: B gives everything back.  Pass 2: B starts
 * again with 7.  At 3 ms A has ended and B's other 7 fit. */
START_TEST(a_prompt_that_cannot_go_on_is_preempted)
{
    rig_init(&rig, 4);
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 4, 3);
    rig_ask(&rig, 0, 1, 14, 1);
    rig_run(&rig);
    rig_check_pass(&rig, 0, 2, 0, 0);
    rig_check_slice(&rig, 0, 1, 0, 4, false);
    rig_check_pass(&rig, 1, 0, 1, 5);
    rig_check_pass(&rig, 2, 1, 1, 6);
    rig_check_slice(&rig, 2, 0, 0, 7, false);
    rig_check_pass(&rig, 3, 1, 0, 0);
    rig_check_slice(&rig, 3, 0, 7, 7, true);
    ck_assert_uint_eq(rig.records[1].preemptions, 1);
    rig_check_stamps(&rig, 1, 0, ms(4), ms(4)); /* admitted: the first time counts */
    rig_close(&rig);
}
END_TEST

/* ---- SGLang ---------------------------------------------------------------------------------- */

static void init_sglang(uint32_t tokens)
{
    rig_init(&rig, tokens);
    rig.config.worker.order = DYNO_ORDER_PREFILL_FIRST;
    rig.config.worker.admission = DYNO_ADMIT_ESTIMATE;
    rig.config.worker.hit_when_scheduled = false;
    rig.config.worker.block_tokens = 1;
    rig.config.worker.batch_tokens_max = 64;
    rig.config.worker.new_token_ratio = 0.5;
}

/* Pass 0: A's prompt.  Pass 1: A decodes, until B's 20 tokens come and take three passes of 8, 8
 * and 4, in which A stands still. */
START_TEST(prompts_and_decodes_do_not_share_a_pass)
{
    init_sglang(200);
    rig.config.worker.batch_tokens_max = 8;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 4, 4);
    rig_ask(&rig, ms(2) - 1, 1, 20, 2);
    rig_run(&rig);
    rig_check_pass(&rig, 1, 0, 1, 5);
    rig_check_pass(&rig, 2, 1, 0, 0);
    rig_check_slice(&rig, 2, 0, 0, 8, false);
    rig_check_slice(&rig, 3, 0, 8, 8, false);
    rig_check_slice(&rig, 4, 0, 16, 4, true);
    rig_check_pass(&rig, 5, 0, 2, 6 + 21);
    rig_check_stamps(&rig, 0, 0, ms(1), ms(7));
    ck_assert_uint_eq(rig.itl.max, ms(4));
    rig_close(&rig);
}
END_TEST

/* 100 tokens.  A has 20 of them in KV and, with 1 token out, may generate 39 more, of which half
 * counts: 19.5.  B's 10 and its own 50 make 79.5, less than the 80 that are left; with 51 it waits
 * for A's end, at 40 ms. */
static void check_estimate(uint32_t max_tokens, dyno_ns admitted)
{
    init_sglang(100);
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 20, 40);
    rig_submit(&rig, ms(1), 0,
               (struct dyno_request){.id = 1, .prompt_tokens = 10, .max_tokens = max_tokens}, 2);
    rig_run(&rig);
    ck_assert_uint_eq(rig.records[1].admitted_ns, admitted);
    rig_close(&rig);
}

START_TEST(an_admission_by_estimate_counts_a_share_of_what_others_may_need)
{
    check_estimate(50, ms(1));
    check_estimate(51, ms(40));
}
END_TEST

/* 5000 tokens, 20 of them taken: B may generate 4990, and 10 + 4990 + 1 would be too many.  But no
 * more than 4096 of them count. */
START_TEST(an_estimate_counts_no_more_than_4096_tokens_of_an_answer)
{
    init_sglang(5000);
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 20, 3);
    rig_submit(&rig, ms(1), 0,
               (struct dyno_request){.id = 1, .prompt_tokens = 10, .max_tokens = 100000}, 2);
    rig_run(&rig);
    ck_assert_uint_eq(rig.records[1].admitted_ns, ms(1));
    rig_close(&rig);
}
END_TEST

/* Who was refused is not asked again while A decodes, so A leaps; where the engine's order would
 * ask again, the estimate may have changed, and A steps. */
static uint32_t steps_while_another_waits(enum dyno_batch_order order)
{
    uint32_t steps;

    init_sglang(100);
    rig.config.worker.order = order;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 20, 40);
    rig_submit(&rig, ms(1), 0,
               (struct dyno_request){.id = 1, .prompt_tokens = 10, .max_tokens = 80}, 2);
    rig_run(&rig);
    steps = rig.passes[1].steps_max;
    rig_close(&rig);
    return steps;
}

START_TEST(an_estimate_that_is_asked_every_step_is_made_every_step)
{
    ck_assert_uint_gt(steps_while_another_waits(DYNO_ORDER_PREFILL_FIRST), 1);
    ck_assert_uint_eq(steps_while_another_waits(DYNO_ORDER_MIXED), 1);
}
END_TEST

/* ---- TensorRT-LLM ---------------------------------------------------------------------------- */

/* 6 blocks.  A may need (8 + 8) / 4 = 4; at 1 ms it has 3 of them, so 1 is promised and 3 are left.
 * B may need (8 + 4) / 4 = 3.  If its first block is A's, 2 + 1 fit; if not, 3 + 1 do not, and B
 * waits until A ends at 8 ms. */
static void check_promise(uint64_t span, dyno_ns admitted)
{
    rig_init(&rig, 6);
    rig.config.worker.admission = DYNO_ADMIT_NO_EVICT;
    rig.config.worker.hit_when_scheduled = false;
    rig_open(&rig);
    rig_ask_shared(&rig, 0, 0, 8, 8, 77, 2);
    rig_ask_shared(&rig, ms(1) / 2, 1, 8, 4, span, 2);
    rig_run(&rig);
    ck_assert_uint_eq(rig.records[1].admitted_ns, admitted);
    ck_assert_uint_eq(rig.records[1].cached_tokens, span == 77 ? 4 : 0);
    ck_assert_uint_eq(rig.records[0].preemptions + rig.records[1].preemptions, 0);
    rig_close(&rig);
}

START_TEST(what_is_promised_is_kept_free_and_shared_blocks_are_promised_once)
{
    check_promise(77, ms(1));
    check_promise(78, ms(8));
}
END_TEST

/* ---- hits ------------------------------------------------------------------------------------ */

/* B comes together with A and shares its first 2 blocks.  vLLM schedules A first and lets B hit
 * them in the very same pass; the others let it hit them once the pass has completed. */
static void check_hit(bool when_scheduled, uint32_t cached_tokens)
{
    rig_init(&rig, 20);
    rig.config.worker.batch_tokens_max = 64;
    rig.config.worker.hit_when_scheduled = when_scheduled;
    rig_open(&rig);
    rig_ask_shared(&rig, 0, 0, 9, 2, 77, 2);
    rig_ask_shared(&rig, 0, 1, 10, 2, 77, 2);
    rig_run(&rig);
    rig_check_pass(&rig, 0, 2, 0, 0);
    rig_check_slice(&rig, 0, 1, cached_tokens, 10 - cached_tokens, true);
    ck_assert_uint_eq(rig.records[1].cached_tokens, cached_tokens);
    rig_close(&rig);
}

START_TEST(a_block_may_be_hit_when_scheduled_or_when_completed)
{
    check_hit(true, 8);
    check_hit(false, 0);
}
END_TEST

START_TEST(without_a_prefix_cache_nothing_is_found)
{
    rig_init(&rig, 20);
    rig.config.worker.prefix_cache = false;
    rig_open(&rig);
    rig_ask_shared(&rig, 0, 0, 8, 1, 77, 2);
    rig_ask_shared(&rig, ms(5), 1, 8, 1, 77, 2);
    rig_run(&rig);
    ck_assert_uint_eq(rig.records[1].cached_tokens, 0);
    rig_check_slice(&rig, 1, 0, 0, 8, true);
    rig_close(&rig);
}
END_TEST

/* Scheduling ahead under a clock that wakes up 10 us late.  B comes while A's prompt is computed,
 * and the pass after that was scheduled before; only the next one sees it. */
START_TEST(a_late_clock_does_not_show_who_came_meanwhile)
{
    rig_init(&rig, 20);
    rig.config.worker.async_scheduling = true;
    rig.config.worker.steps_max = 1;
    rig_open(&rig);
    rig_ask(&rig, 0, 0, 4, 9);
    rig_ask(&rig, DYNO_MS / 2, 1, 3, 1);
    for (uint32_t turn = 0; turn < 2; turn++) {
        rig.now = rig.workers->ops->next(rig.workers) + 10 * DYNO_US;
        rig_finish_turn(&rig);
    }
    rig_check_pass(&rig, 0, 1, 0, 0);
    rig_check_pass(&rig, 1, 0, 1, 5);
    rig_check_pass(&rig, 2, 1, 1, 6);
    rig_run(&rig);
    rig_close(&rig);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("batch");

    tcase_add_test(cases, decodes_come_first_then_the_unfinished_prompt_then_who_waits);
    tcase_add_test(cases, nobody_is_admitted_without_a_slot);
    tcase_add_test(cases, without_chunks_a_prompt_goes_whole_or_waits);
    tcase_add_test(cases, without_chunks_a_prompt_longer_than_a_pass_is_refused);
    tcase_add_test(cases, a_decode_pass_has_as_many_steps_as_it_may_and_its_blocks_last);
    tcase_add_test(cases, an_admission_leaves_the_watermark_free);
    tcase_add_test(cases, alone_a_request_may_have_everything);
    tcase_add_test(cases, idle_blocks_that_are_hit_cannot_be_taken_as_well);
    tcase_add_test(cases, a_prompt_that_cannot_go_on_is_preempted);
    tcase_add_test(cases, prompts_and_decodes_do_not_share_a_pass);
    tcase_add_test(cases, an_admission_by_estimate_counts_a_share_of_what_others_may_need);
    tcase_add_test(cases, an_estimate_counts_no_more_than_4096_tokens_of_an_answer);
    tcase_add_test(cases, an_estimate_that_is_asked_every_step_is_made_every_step);
    tcase_add_test(cases, what_is_promised_is_kept_free_and_shared_blocks_are_promised_once);
    tcase_add_test(cases, a_block_may_be_hit_when_scheduled_or_when_completed);
    tcase_add_test(cases, without_a_prefix_cache_nothing_is_found);
    tcase_add_test(cases, a_late_clock_does_not_show_who_came_meanwhile);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("worker/batch", add_cases)

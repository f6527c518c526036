/* Requests in halves whose every stamp is worked out by hand. */
#include "tests/system/hand_halves.h"

START_TEST(prompt_transfer_and_answer_follow_each_other)
{
    static struct world world;

    set_up(&world, 100);
    add(&world, 0, 33, 5); /* three blocks */
    world_run(&world, 1u << 20);
    expect(0, MS, 3 * MS, 8 * MS); /* four steps from 4 ms on */
    ck_assert_uint_eq(records[0].prefill_worker, 1);
    ck_assert_uint_eq(records[0].worker, 0);
}
END_TEST

/* The second shares the links out of the one worker and into the other. */
START_TEST(two_transfers_share_the_links)
{
    static struct world world;

    set_up(&world, 100);
    add(&world, 0, 32, 2);
    add(&world, 0, 64, 2);
    world_run(&world, 1u << 20);
    /* Both begin at 1 ms, at half speed: 0's two blocks take 4 ms; 1 has two left, 2 ms more. */
    expect(0, MS, 4 * MS, 6 * MS);
    expect(1, MS, 6 * MS, 8 * MS);
}
END_TEST

/* Ready at 1 and 2 ms: the decoding worker, which has no pass to form, is woken for the second. */
START_TEST(a_worker_that_only_waits_is_woken_by_who_becomes_ready)
{
    static struct world world;

    set_up(&world, 100);
    world.worker.ingest_ns = MS;
    add(&world, 0, 33, 2);
    add(&world, 0, 16, 2);
    world_run(&world, 1u << 20);
    /* 0 moves a block from 2 ms on, one more at half speed from 3 to 5, and the last: until 6. */
    expect(0, 2 * MS, 4 * MS, 7 * MS);
    expect(1, 3 * MS, 2 * MS, 6 * MS);
}
END_TEST

/* Six blocks: the first request holds four from the start, and takes a fifth when it decodes; the
 * second needs three, and waits for them until the first has ended. */
START_TEST(no_prompt_is_computed_that_has_no_place_to_decode)
{
    static struct world world;

    set_up(&world, 6);
    add(&world, 0, 64, 3);
    add(&world, 0, 48, 2);
    world_run(&world, 1u << 20);
    expect(0, MS, 4 * MS, 7 * MS);
    ck_assert_uint_eq(records[1].admitted_ns, 7 * MS);
    expect(1, 8 * MS, 3 * MS, 12 * MS);
}
END_TEST

/* The same, but the second waits no longer than 2 ms: it is served whole where it waits, when there
 * is room for that. */
START_TEST(who_waits_too_long_is_served_whole)
{
    static struct world world;
    struct world_digest digest;

    set_up(&world, 6);
    world.halves.deadline_ns = 2 * MS;
    add(&world, 0, 64, 3);
    add(&world, 0, 48, 2);
    digest = world_run(&world, 1u << 20);
    ck_assert_uint_eq(digest.totals.transfers, 1);
    ck_assert_uint_eq(digest.totals.transfers_given_up, 1);
    ck_assert_uint_eq(records[1].prefill_worker, 0);
    expect(1, 8 * MS, 0, 9 * MS);
}
END_TEST

/* At 2.5 ms, in the midst of a transfer that ends at 4: what both hold is free then, and not
 * before, so that the next one, which needs it, begins at 4. */
START_TEST(a_client_that_goes_while_its_blocks_move_frees_them_when_they_have_arrived)
{
    static struct world world;

    set_up(&world, 5);
    add(&world, 0, 48, 9);
    add(&world, 0, 48, 2);
    world.impatient[0] = true;
    world.patience[0] = 2500000;
    world_run(&world, 1u << 20);
    ck_assert_int_eq(records[0].outcome, DYNO_CANCELLED_BY_CLIENT);
    ck_assert_uint_eq(records[0].output_tokens, 1);
    ck_assert_uint_eq(records[0].transfer_ns, 0);
    ck_assert_uint_eq(records[1].admitted_ns, 4 * MS);
    expect(1, 5 * MS, 3 * MS, 9 * MS);
}
END_TEST

/* In the midst of its prompt's pass: at the end of that. */
START_TEST(a_client_that_goes_during_its_prompt_frees_both_halves_after_the_pass)
{
    static struct world world;

    set_up(&world, 5);
    add(&world, 0, 48, 9);
    add(&world, 0, 48, 2);
    world.impatient[0] = true;
    world.patience[0] = 500000;
    world_run(&world, 1u << 20);
    ck_assert_int_eq(records[0].outcome, DYNO_CANCELLED_BY_CLIENT);
    ck_assert_uint_eq(records[1].admitted_ns, MS);
    expect(1, 2 * MS, 3 * MS, 6 * MS);
}
END_TEST

/* A prompt that no prefill worker could hold, and one whose prefill worker has a full queue. */
START_TEST(what_the_prefill_worker_cannot_take_is_whole_or_refused)
{
    static struct world world;

    set_up(&world, 100);
    world.halves.worker.blocks = 3;
    world.halves.worker.queue_max = 1;
    add(&world, 0, 48, 2);
    add(&world, 0, 32, 2);
    add(&world, 0, 32, 2);
    world_run(&world, 1u << 20);
    ck_assert_uint_eq(records[0].prefill_worker, 0);
    ck_assert_int_eq(records[0].outcome, DYNO_COMPLETED);
    ck_assert_int_eq(records[1].outcome, DYNO_COMPLETED);
    ck_assert_int_eq(records[2].outcome, DYNO_REJECTED_QUEUE_FULL);
}
END_TEST

/* The prompt's pass, the blocks, a pass that computes its last token again, four steps. */
START_TEST(pulled_blocks_come_before_the_first_token)
{
    static struct world world;

    set_up(&world, 100);
    world.halves.style = DYNO_HANDOFF_PULL;
    add(&world, 0, 33, 5);
    world_run(&world, 1u << 20);
    expect(0, 5 * MS, 0, 9 * MS);
    ck_assert_uint_eq(records[0].admitted_ns, 0);
    ck_assert_uint_eq(records[0].prefill_worker, 1);
}
END_TEST

/* 1 is computed from 2.5 to 3.5 ms, and reaches the other worker at 4.5.  The pass that begins at 5
 * asks for its two blocks, which takes that pass half a millisecond; they arrive at 7, and the pass
 * from 7.5 to 8.5 yields its first token.  0 has its 20 tokens at 3, 4, 5, and 6.5 to 22.5. */
START_TEST(who_pulls_asks_in_a_pass_that_waits_for_it)
{
    static struct world world;

    set_up(&world, 100);
    world.halves.style = DYNO_HANDOFF_PULL;
    world.halves.hop_ns = MS;
    world.worker.fetch_block_ticks = MS / 4 * DYNO_TICKS_PER_NS;
    add(&world, 0, 16, 20);
    add(&world, 2500000, 32, 2);
    world_run(&world, 1u << 20);
    expect(0, 4 * MS, 0, 23500000);
    expect(1, 8500000, 0, 9500000);
}
END_TEST

/* Six blocks, of which the first request has four from 1 ms to its end at 8. */
START_TEST(who_waits_too_long_to_pull_computes_its_prompt_again)
{
    static struct world world;
    struct world_digest digest;

    set_up(&world, 6);
    world.halves.style = DYNO_HANDOFF_PULL;
    world.halves.deadline_ns = 2 * MS;
    add(&world, 0, 64, 3);
    add(&world, 0, 48, 2);
    digest = world_run(&world, 1u << 20);
    ck_assert_uint_eq(digest.totals.transfers, 1);
    ck_assert_uint_eq(digest.totals.transfers_given_up, 1);
    ck_assert_uint_eq(records[1].prefill_worker, 0);
    expect(0, 6 * MS, 0, 8 * MS);
    expect(1, 9 * MS, 0, 10 * MS);
}
END_TEST

/* Two blocks for prompts: the second request's has room when the first one's client has gone. */
START_TEST(a_client_that_goes_on_the_way_frees_what_its_prompt_holds)
{
    static struct world world;

    set_up(&world, 100);
    world.halves.style = DYNO_HANDOFF_PULL;
    world.halves.hop_ns = 5 * MS;
    world.halves.worker.blocks = 2;
    add(&world, 0, 24, 9);
    add(&world, 0, 24, 1);
    world.impatient[0] = true;
    world.patience[0] = 2500000;
    world_run(&world, 1u << 20);
    ck_assert_int_eq(records[0].outcome, DYNO_CANCELLED_BY_CLIENT);
    ck_assert_uint_eq(records[0].output_tokens, 0);
    ck_assert_uint_eq(records[0].first_token_ns, DYNO_NEVER);
    ck_assert_uint_eq(records[1].admitted_ns, 2500000);
    expect(1, 3500000, 0, 3500000);
}
END_TEST

/* Six blocks to decode in, as above.  Both prompts are computed at once; the second has its blocks
 * at 7 ms, when the first has ended, and moves until 10.  With a deadline of 2 ms it computes its
 * prompt and first token again, from 7 to 8 ms, which yields its second. */
START_TEST(both_at_once_the_prompt_does_not_wait_for_blocks)
{
    static struct world world;
    struct world_digest digest;

    set_up(&world, 6);
    world.halves.style = DYNO_HANDOFF_BOTH;
    world.halves.worker.blocks = 100;
    world.halves.deadline_ns = 100 * MS;
    add(&world, 0, 64, 3);
    add(&world, 0, 48, 2);
    world_run(&world, 1u << 20);
    expect(0, MS, 4 * MS, 7 * MS);
    expect(1, MS, 9 * MS, 11 * MS);
    world.halves.deadline_ns = 2 * MS;
    digest = world_run(&world, 1u << 20);
    ck_assert_uint_eq(digest.totals.transfers_given_up, 1);
    expect(0, MS, 4 * MS, 7 * MS);
    expect(1, MS, 0, 8 * MS);
    ck_assert_uint_eq(records[1].preemptions, 1);
}
END_TEST

/* Three of four layers begin with the pass, 2.25 ms of link; the fourth, 0.75 ms, shares it from 1
 * ms on: all of it has moved at 3 ms.  Where passes take 4 ms only the last layer comes after them.
 */
START_TEST(layers_move_while_the_next_ones_are_computed)
{
    static struct world world;

    set_up(&world, 100);
    world.halves.layers = 4;
    add(&world, 0, 33, 5);
    world_run(&world, 1u << 20);
    expect(0, MS, 2 * MS, 7 * MS);
    world.cost_base *= 4;
    world_run(&world, 1u << 20);
    expect(0, 4 * MS, 750000, 20750000);
}
END_TEST

/* 0 ends with its first token, at 1 ms, but what moves holds its three blocks until 2.25. */
START_TEST(a_request_that_ends_while_layers_move_frees_its_place_when_they_have_arrived)
{
    static struct world world;

    set_up(&world, 5);
    world.halves.layers = 4;
    add(&world, 0, 48, 1);
    add(&world, 0, 48, 1);
    world_run(&world, 1u << 20);
    expect(0, MS, 0, MS);
    ck_assert_uint_eq(records[1].admitted_ns, 2250000);
    expect(1, 3250000, 0, 3250000);
}
END_TEST

static bool goes_in_halves(const char *text, const struct dyno_handoff_view *view)
{
    const struct dyno_handoff_policy *policy;
    struct dyno_error error;
    uint32_t tokens;

    ck_assert_int_eq(dyno_handoff_parse(&policy, &tokens, text, &error), DYNO_OK);
    return policy->in_halves(tokens, view);
}

START_TEST(load_keeps_prompts_from_a_pool_that_has_a_pass_ahead)
{
    struct dyno_handoff_view view = {
        .prompt_tokens = 1000, .cached_tokens = 400, .tokens_ahead = 8191, .pass_tokens = 8192};

    ck_assert(goes_in_halves("load:599", &view));
    ck_assert(!goes_in_halves("load:600", &view));
    view.tokens_ahead = 8192;
    ck_assert(!goes_in_halves("load:599", &view));
}
END_TEST

/* A prompt of 1,000 tokens is 100 ms, a step 10 ms and 1 ms a sequence, the transfer 50 ms: in
 * halves 10 + 100 + 50 = 160 ms.  Whole, beside nobody, 10 + 100; beside 10 others 20 + 100, and
 * they stand still for 1,000. */
START_TEST(predicted_weighs_who_stands_still_against_the_transfer)
{
    struct dyno_handoff_view view = {
        .prompt_tokens = 1000,
        .costs_known = true,
        .decode = {.base_s = 0.010, .prefill_s = 0.0001, .decode_s = 0.001},
        .prefill = {.base_s = 0.010, .prefill_s = 0.0001},
        .move_s = 0.050};

    ck_assert(!goes_in_halves("predicted", &view));
    view.decoding = 10;
    ck_assert(goes_in_halves("predicted", &view));
    view.tokens_ahead = 9590; /* 959 ms more: 1,119 against 1,120 */
    ck_assert(goes_in_halves("predicted", &view));
    view.tokens_ahead = 9610;
    ck_assert(!goes_in_halves("predicted", &view));
    view.cached_tokens = 900; /* where it would be decoded: 30 and 100 against 1,121 */
    ck_assert(!goes_in_halves("predicted", &view));
    view.costs_known = false;
    ck_assert(goes_in_halves("predicted", &view));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("by hand");

    tcase_add_test(cases, prompt_transfer_and_answer_follow_each_other);
    tcase_add_test(cases, two_transfers_share_the_links);
    tcase_add_test(cases, a_worker_that_only_waits_is_woken_by_who_becomes_ready);
    tcase_add_test(cases, no_prompt_is_computed_that_has_no_place_to_decode);
    tcase_add_test(cases, who_waits_too_long_is_served_whole);
    tcase_add_test(cases,
                   a_client_that_goes_while_its_blocks_move_frees_them_when_they_have_arrived);
    tcase_add_test(cases, a_client_that_goes_during_its_prompt_frees_both_halves_after_the_pass);
    tcase_add_test(cases, what_the_prefill_worker_cannot_take_is_whole_or_refused);
    tcase_add_test(cases, pulled_blocks_come_before_the_first_token);
    tcase_add_test(cases, who_pulls_asks_in_a_pass_that_waits_for_it);
    tcase_add_test(cases, who_waits_too_long_to_pull_computes_its_prompt_again);
    tcase_add_test(cases, a_client_that_goes_on_the_way_frees_what_its_prompt_holds);
    tcase_add_test(cases, both_at_once_the_prompt_does_not_wait_for_blocks);
    tcase_add_test(cases, layers_move_while_the_next_ones_are_computed);
    tcase_add_test(cases,
                   a_request_that_ends_while_layers_move_frees_its_place_when_they_have_arrived);
    tcase_add_test(cases, load_keeps_prompts_from_a_pool_that_has_a_pass_ahead);
    tcase_add_test(cases, predicted_weighs_who_stands_still_against_the_transfer);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("system/halves_by_hand", add_cases)

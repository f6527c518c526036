/* Requests in halves, of which a worker dies or whose blocks do not arrive, worked out by hand. */
#include "tests/system/hand_halves.h"

enum { HALF_MS = MS / 2 };

static struct world world;

/* So many that decode, from worker 0 on, and so many behind them that compute prompts. */
static void set_up_fleet(uint32_t decoders, uint32_t prompters)
{
    set_up(&world, 100);
    world.dispatch.worker_count = decoders;
    world.halves.workers = world.halves.dispatch.worker_count = prompters;
    world.faults.migrations_max = 1;
    world.lobby.count_max = 10;
    world.lobby.admit.policy = dyno_admit_find("fcfs");
    for (uint32_t i = 0; i < 2 * (decoders + prompters); i++) {
        world.halves.links[i].bytes_per_s = 1000000000;
    }
}

static void dies(uint32_t worker, dyno_ns at)
{
    world.faults.list[world.faults.count++] = (struct dyno_chaos_fault){
        .kind = DYNO_FAULT_DEATH, .first = worker, .last = worker, .at = at, .until = DYNO_NEVER};
}

static struct world_digest run_both(void)
{
    struct world_digest step = world_run(&world, 1), leap = world_run(&world, 1u << 20);

    ck_assert_uint_eq(step.hash, leap.hash);
    return leap;
}

/* Three blocks, computed from 0 to 1 ms by worker 1, which dies at 0.5: worker 2 does it from then
 * on.  The blocks move from 1.5 to 4.5 ms; four more tokens. */
START_TEST(a_prompt_whose_worker_dies_is_computed_by_another)
{
    set_up_fleet(1, 2);
    add(&world, 0, 33, 5);
    dies(1, HALF_MS);
    (void)run_both();
    expect(0, MS + HALF_MS, 3 * MS, 8 * MS + HALF_MS);
    ck_assert_uint_eq(records[0].prefill_worker, 2);
    ck_assert_uint_eq(records[0].migrations, 0);
}
END_TEST

/* Nobody else computes prompts: the one that decodes does, from 0.5 ms on. */
START_TEST(where_nobody_else_computes_prompts_it_is_done_where_it_decodes)
{
    struct world_digest digest;

    set_up_fleet(1, 1);
    add(&world, 0, 33, 5);
    add(&world, 6 * MS, 33, 2); /* served whole from its start */
    dies(1, HALF_MS);
    digest = run_both();
    expect(0, MS + HALF_MS, 0, 5 * MS + HALF_MS);
    expect(1, 7 * MS, 0, 8 * MS);
    ck_assert_uint_eq(digest.totals.transfers_given_up, 1);
}
END_TEST

/* Its first token is out at 1 ms and its blocks are on their way when the prompt's worker dies at
 * 2.5: 33 + 1 tokens are computed again, which yields the second at 3.5 ms. */
START_TEST(blocks_whose_source_dies_are_computed_again_and_no_token_is_told_twice)
{
    set_up_fleet(1, 2);
    add(&world, 0, 33, 5);
    dies(1, 2 * MS + HALF_MS);
    (void)run_both();
    expect(0, MS, 0, 6 * MS + HALF_MS);
    ck_assert_uint_eq(records[0].output_tokens, 5);
}
END_TEST

/* The same with the worker that was to decode: another one goes on with the one token there is. */
START_TEST(who_loses_the_worker_that_decodes_goes_on_at_another)
{
    struct world_digest digest;

    set_up_fleet(2, 1);
    add(&world, 0, 33, 5);
    dies(0, 2 * MS + HALF_MS);
    digest = run_both();
    expect(0, MS, 0, 6 * MS + HALF_MS);
    ck_assert_uint_eq(records[0].worker, 1);
    ck_assert_uint_eq(records[0].migrations, 1);
    ck_assert_uint_eq(records[0].output_tokens, 5);
    ck_assert_uint_eq(digest.faults.migrated, 1);
}
END_TEST

/* While its prompt is computed: it begins anew, in halves, at 0.5 ms.  The pass in which the prompt
 * was goes on to 1 ms, for nobody; the next one takes the prompt again. */
START_TEST(a_prompt_in_work_for_a_worker_that_dies_is_for_nobody)
{
    set_up_fleet(2, 1);
    add(&world, 0, 33, 5);
    dies(0, HALF_MS);
    (void)run_both();
    expect(0, 2 * MS, 3 * MS, 9 * MS);
    ck_assert_uint_eq(records[0].worker, 1);
    ck_assert_uint_eq(records[0].migrations, 1);
}
END_TEST

/* Three blocks take 3 ms, and 2 are allowed: from 1 to 3 ms, once more to 5, and then they are
 * computed where they were to go. */
START_TEST(blocks_that_do_not_arrive_in_time_are_sent_again_and_then_computed)
{
    struct world_digest digest;

    set_up_fleet(1, 1);
    world.halves.move_deadline_ns = 2 * MS;
    world.halves.move_retries = 1;
    add(&world, 0, 33, 5);
    digest = run_both();
    expect(0, MS, 0, 9 * MS);
    ck_assert_uint_eq(digest.totals.transfers_sent_again, 1);
    ck_assert_uint_eq(digest.totals.transfers_given_up, 1);
    ck_assert_uint_eq(digest.totals.transfers, 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("faults in halves");

    tcase_add_test(tc, a_prompt_whose_worker_dies_is_computed_by_another);
    tcase_add_test(tc, where_nobody_else_computes_prompts_it_is_done_where_it_decodes);
    tcase_add_test(tc, blocks_whose_source_dies_are_computed_again_and_no_token_is_told_twice);
    tcase_add_test(tc, who_loses_the_worker_that_decodes_goes_on_at_another);
    tcase_add_test(tc, a_prompt_in_work_for_a_worker_that_dies_is_for_nobody);
    tcase_add_test(tc, blocks_that_do_not_arrive_in_time_are_sent_again_and_then_computed);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("faults in halves", add_cases)

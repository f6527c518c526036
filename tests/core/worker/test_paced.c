/* The paced device, by hand: when its steps start and end, what is carried over, and who ends. */
#include "tests/check_main.h"
#include "tests/core/worker/paced_rig.h"

/* ---- when steps end -------------------------------------------------------------------------- */

START_TEST(a_prompt_pass_has_one_step_and_ends_when_its_cost_has_passed)
{
    struct dyno_completion completion;

    plan.first = NS(1000) + HALF_NS;
    enter(3, 0, 5);
    ck_assert_uint_eq(device->ops->next(device), DYNO_NEVER);
    submit_prompt(5000, 3);
    completion = reap_at(6000); /* floor(1000.5) later */
    ck_assert_uint_eq(completion.worker, 0);
    ck_assert_uint_eq(completion.start, 5000);
    ck_assert_uint_eq(completion.steps, 1);
    ck_assert_uint_eq(completion.carry, 0);
    ck_assert_uint_eq(completion.first, plan.first);
    ck_assert_uint_eq(completion.ended_count, 0);
    ck_assert_uint_eq(device->ops->next(device), DYNO_NEVER);
}
END_TEST

/* 0 + 1000.5 = 1000 carry .5; 1000 + .5 + 1000.5 = 2001 carry 0; 2001 + 1000.5 = 3001 carry .5. */
START_TEST(the_remainder_is_carried_into_a_pass_that_follows_at_once)
{
    plan.first = NS(1000) + HALF_NS;
    enter(0, 0, 9);
    submit_prompt(0, 0);
    ck_assert_uint_eq(reap_at(1000).carry, 0);
    submit_decode(1000, 1, 1, 5);
    ck_assert_uint_eq(reap_at(2001).carry, HALF_NS);
    submit_decode(2001, 1, 1, 6);
    ck_assert_uint_eq(reap_at(3001).carry, 0);
}
END_TEST

/* The same, but the second pass starts a nanosecond late: 1001 + 1000.5 = 2001, not 2002. */
START_TEST(the_remainder_is_dropped_after_a_gap)
{
    plan.first = NS(1000) + HALF_NS;
    enter(0, 0, 9);
    submit_prompt(0, 0);
    (void)reap_at(1000);
    submit_decode(1001, 1, 1, 5);
    ck_assert_uint_eq(reap_at(2001).carry, 0);
}
END_TEST

/* A worker's remainder is its own. */
START_TEST(workers_do_not_share_their_remainders)
{
    struct dyno_completion completion;
    uint32_t slot = 0;

    plan.first = NS(1000) + HALF_NS;
    plan.answers[0] = plan.answers[1] = 9;
    device->ops->open(device, 0, 0, 0, 0, 9);
    device->ops->open(device, 1, 0, 1, 0, 9);
    submit_prompts(0, 0, &slot, 1, true);
    ck_assert(device->ops->reap(device, 1000, &completion));
    submit_prompts(1, 1000, &slot, 1, true);
    ck_assert_uint_eq(device->ops->next(device), 2000);
    ck_assert(device->ops->reap(device, 2000, &completion));
    ck_assert_uint_eq(completion.carry, 0);
}
END_TEST

/* 4 us to get going after 10 ms without work; half of it after 5 ms. */
START_TEST(a_pass_starts_later_after_a_while_without_work)
{
    struct dyno_completion completion;

    plan.idle = 4000;
    enter(0, 0, 9);
    submit_prompt(0, 0); /* the run begins with no while before it */
    (void)reap_at(1000);
    submit_decode(1000, 1, 1, 5);
    (void)reap_at(2000); /* at once */
    submit_decode(5002000, 1, 1, 6);
    completion = reap_at(5005000);
    ck_assert_uint_eq(completion.start, 5004000);
    submit_decode(15005000, 1, 1, 7);
    ck_assert_uint_eq(reap_at(15010000).start, 15009000);
    submit_decode(99510000, 1, 1, 8);
    ck_assert_uint_eq(reap_at(99515000).start, 99514000);
}
END_TEST

/* 700 ns for the first decode steps behind a prompt's pass: not for those behind them, nor for
 * another prompt, nor after a while.  The remainder is carried nevertheless: 1000.5 + 700 + 1000.5
 * = 2701. */
START_TEST(decode_steps_right_behind_a_prompt_start_later)
{
    plan.first = NS(1000) + HALF_NS;
    plan.behind = 700;
    enter(0, 0, 20);
    submit_prompt(0, 0);
    (void)reap_at(1000);
    plan.behind = 0; /* as of every pass without slices */
    submit_decode(1000, 2, 1, 5);
    ck_assert_uint_eq(device->ops->step_start(device, 0, 0), 1700);
    ck_assert_uint_eq(reap_at(3701).start, 1700);
    submit_decode(3701, 1, 1, 7);
    ck_assert_uint_eq(reap_at(4702).start, 3701);
    plan.behind = 700;
    enter(1, 1, 20);
    submit_prompt(4702, 1);
    ck_assert_uint_eq(reap_at(5702).start, 4702);
    submit_decode(5703, 1, 2, 9);
    ck_assert_uint_eq(device->ops->step_start(device, 0, 0), 5703);
}
END_TEST

/* As two passes of one step or one of two: what starts later is the first of them. */
START_TEST(it_does_not_matter_how_steps_behind_a_prompt_are_cut)
{
    plan.behind = 700;
    enter(0, 0, 20);
    submit_prompt(0, 0);
    (void)reap_at(1000);
    plan.behind = 0;
    submit_decode(1000, 1, 1, 5);
    ck_assert_uint_eq(reap_at(2700).start, 1700);
    submit_decode(2700, 1, 1, 6);
    (void)reap_at(3700);
}
END_TEST

START_TEST(a_pass_that_is_getting_going_has_not_started)
{
    uint32_t started, completed;

    decode_from_1000(9);
    plan.idle = 4000;
    submit_decode(10001000, 5, 1, 5); /* its steps end at 10006000, 10007000 ... */
    device->ops->progress(device, 0, 10004000, &started, &completed);
    ck_assert_uint_eq(started, 0);
    ck_assert_uint_eq(completed, 0);
    ck_assert_uint_eq(device->ops->step_start(device, 0, 0), 10005000);
    device->ops->stop(device, 0, 10003000, 0);
    ck_assert_uint_eq(reap_at(10006000).steps, 1);
}
END_TEST

START_TEST(boundaries_follow_the_growing_cost)
{
    struct dyno_completion completion;

    set_growing();
    submit_decode(10000, 100, 1, 5);
    for (uint32_t step = 0; step <= 7; step++) {
        ck_assert_uint_eq(device->ops->step_start(device, 0, step), 10000 + growing[step]);
    }
    completion = reap_at(17008);
    ck_assert_uint_eq(completion.steps, 7);
    for (uint32_t step = 0; step <= 7; step++) {
        ck_assert_uint_eq(dyno_step_boundary(completion.start, completion.carry, completion.first,
                                             completion.growth, step),
                          10000 + growing[step]);
    }
}
END_TEST

/* A leap of 7 steps and 7 passes of one step, each dearer by its longer context, share their
 * boundaries to the nanosecond. */
START_TEST(single_steps_end_where_the_steps_of_a_leap_end)
{
    set_growing();
    for (uint32_t step = 0; step < 7; step++) {
        submit_decode(10000 + growing[step], 1, 1, 5 + step);
        ck_assert_uint_eq(reap_at(10000 + growing[step + 1]).steps, 1);
    }
}
END_TEST

START_TEST(a_pass_ends_where_the_formula_stops_to_hold)
{
    decode_from_1000(100);
    plan.steps_max = 3;
    submit_decode(1000, 50, 1, 5);
    ck_assert_uint_eq(reap_at(4000).steps, 3);
    submit_decode(4000, 2, 1, 8); /* the pass's own ceiling, when that is lower */
    ck_assert_uint_eq(reap_at(6000).steps, 2);
}
END_TEST

/* ---- who ends -------------------------------------------------------------------------------- */

/* Answers of 5 and 3: both prompts yield one; after 2 steps the shorter ends, after 2 more the
 * other. */
START_TEST(a_pass_ends_with_the_first_sequence_that_ends)
{
    struct dyno_completion completion;

    enter(0, 0, 5);
    enter(1, 1, 3);
    submit_prompts(0, 0, (uint32_t[]){0, 1}, 2, true);
    (void)reap_at(1000);
    submit_decode(1000, 100, 2, 10);
    completion = reap_at(3000);
    ck_assert_uint_eq(completion.steps, 2);
    ck_assert_uint_eq(completion.ended_count, 1);
    ck_assert_uint_eq(completion.ended[0], 1);
    device->ops->shut(device, 0, 1);
    submit_decode(3000, 100, 1, 7);
    completion = reap_at(5000);
    ck_assert_uint_eq(completion.steps, 2);
    ck_assert_uint_eq(completion.ended_count, 1);
    ck_assert_uint_eq(completion.ended[0], 0);
}
END_TEST

START_TEST(an_answer_of_one_token_ends_with_its_prompt)
{
    struct dyno_completion completion;

    enter(0, 0, 1);
    submit_prompt(0, 0);
    completion = reap_at(1000);
    ck_assert_uint_eq(completion.ended_count, 1);
    ck_assert_uint_eq(completion.ended[0], 0);
}
END_TEST

/* Slots 300, 2 and 40 yield their only token in this order of slices, while slot 17 decodes its
 * last: all four are told, by slot. */
START_TEST(ends_are_told_in_order_of_slots_however_they_came)
{
    static const uint32_t due[] = {2, 17, 40, 300};
    struct dyno_slice slices[] = {{.slot = 300, .tokens = 1, .yields = true},
                                  {.slot = 2, .tokens = 1, .yields = true},
                                  {.slot = 40, .tokens = 1, .yields = true}};
    struct dyno_completion completion;

    enter(17, 0, 2);
    submit_prompt(0, 17);
    (void)reap_at(1000);
    enter(300, 1, 1);
    enter(2, 2, 1);
    enter(40, 3, 1);
    device->ops->submit(device, 1000,
                        &(struct dyno_pass){.steps_max = 1,
                                            .slice_count = 3,
                                            .slices = slices,
                                            .decode = true,
                                            .decode_count = 1,
                                            .decode_context = 5});
    completion = reap_at(2000);
    ck_assert_uint_eq(completion.ended_count, 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(completion.ended[i], due[i]);
    }
}
END_TEST

/* The recorded answer had 100 tokens, the client asked for 3 at most. */
START_TEST(a_sequence_never_yields_more_than_it_may)
{
    plan.answers[0] = 100;
    device->ops->open(device, 0, 0, 0, 0, 3);
    submit_prompt(0, 0);
    (void)reap_at(1000);
    submit_decode(1000, 100, 1, 5);
    ck_assert_uint_eq(reap_at(3000).ended_count, 1);
}
END_TEST

/* 2 of 5 tokens were out before it was preempted: its recomputed prompt yields the 3rd. */
START_TEST(a_recomputed_sequence_goes_on_where_it_was)
{
    plan.answers[0] = 5;
    device->ops->open(device, 0, 0, 0, 2, 50);
    submit_prompt(0, 0);
    ck_assert_uint_eq(reap_at(1000).ended_count, 0);
    submit_decode(1000, 100, 1, 7);
    ck_assert_uint_eq(reap_at(3000).ended_count, 1);
}
END_TEST

/* A part of a prompt yields nothing and is in no decode set: alone, slot 1 decodes to its end. */
START_TEST(a_part_of_a_prompt_yields_nothing)
{
    enter(0, 0, 1);
    submit_prompts(0, 0, (uint32_t[]){0}, 1, false);
    ck_assert_uint_eq(reap_at(1000).ended_count, 0);
    enter(1, 1, 2);
    submit_prompt(1000, 1);
    (void)reap_at(2000);
    submit_decode(2000, 100, 1, 5);
    ck_assert_uint_eq(reap_at(3000).ended[0], 1);
}
END_TEST

START_TEST(a_sequence_that_left_is_not_waited_for)
{
    enter(0, 0, 3);
    enter(1, 1, 9);
    submit_prompts(0, 0, (uint32_t[]){0, 1}, 2, true);
    (void)reap_at(1000);
    device->ops->shut(device, 0, 0);
    submit_decode(1000, 100, 1, 5);
    ck_assert_uint_eq(reap_at(9000).steps, 8);
}
END_TEST

/* A slot is used again by another request: the old one's end is forgotten. */
START_TEST(a_slot_can_be_used_again)
{
    enter(0, 0, 2);
    submit_prompt(0, 0);
    (void)reap_at(1000);
    device->ops->shut(device, 0, 0);
    enter(0, 1, 4);
    submit_prompt(1000, 0);
    (void)reap_at(2000);
    submit_decode(2000, 100, 1, 5);
    ck_assert_uint_eq(reap_at(5000).steps, 3);
}
END_TEST

/* Workers 3 and 1 end at 1000, worker 0 at 500: by time, then by worker. */
START_TEST(passes_are_reaped_by_time_then_worker)
{
    static const uint32_t due[] = {0, 1, 3};
    struct dyno_completion completion;
    uint32_t slot = 0;

    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        plan.answers[worker] = 5;
        device->ops->open(device, worker, 0, worker, 0, 5);
    }
    submit_prompts(3, 0, &slot, 1, true);
    submit_prompts(1, 0, &slot, 1, true);
    plan.first = NS(500);
    submit_prompts(0, 0, &slot, 1, true);
    for (int i = 0; i < 3; i++) {
        ck_assert(device->ops->reap(device, 5000, &completion));
        ck_assert_uint_eq(completion.worker, due[i]);
    }
    ck_assert(!device->ops->reap(device, 5000, &completion));
}
END_TEST

/* A year of steps of 0.1 ms with growth: boundaries are exact where 64 bits would overflow. */
START_TEST(long_leaps_do_not_overflow)
{
    const uint64_t steps = 300000000;

    ck_assert_uint_eq(dyno_step_boundary(7, 3, NS(100000), 0, steps), 7 + 100000 * steps);
    /* 2^20 ticks of growth are 1 ns: j (j - 1) / 2 of them are 44,999,999,850,000,000 ns. */
    ck_assert_uint_eq(dyno_step_boundary(0, 0, NS(1), NS(1), steps),
                      steps + UINT64_C(44999999850000000));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("paced");
    TCase *bare = tcase_create("paced, opened by the test");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_prompt_pass_has_one_step_and_ends_when_its_cost_has_passed);
    tcase_add_test(cases, the_remainder_is_carried_into_a_pass_that_follows_at_once);
    tcase_add_test(cases, the_remainder_is_dropped_after_a_gap);
    tcase_add_test(cases, workers_do_not_share_their_remainders);
    tcase_add_test(cases, a_pass_starts_later_after_a_while_without_work);
    tcase_add_test(cases, decode_steps_right_behind_a_prompt_start_later);
    tcase_add_test(cases, it_does_not_matter_how_steps_behind_a_prompt_are_cut);
    tcase_add_test(cases, a_pass_that_is_getting_going_has_not_started);
    tcase_add_test(cases, boundaries_follow_the_growing_cost);
    tcase_add_test(cases, single_steps_end_where_the_steps_of_a_leap_end);
    tcase_add_test(cases, a_pass_ends_where_the_formula_stops_to_hold);
    tcase_add_test(cases, a_pass_ends_with_the_first_sequence_that_ends);
    tcase_add_test(cases, an_answer_of_one_token_ends_with_its_prompt);
    tcase_add_test(cases, ends_are_told_in_order_of_slots_however_they_came);
    tcase_add_test(cases, a_sequence_never_yields_more_than_it_may);
    tcase_add_test(cases, a_recomputed_sequence_goes_on_where_it_was);
    tcase_add_test(cases, a_part_of_a_prompt_yields_nothing);
    tcase_add_test(cases, a_sequence_that_left_is_not_waited_for);
    tcase_add_test(cases, a_slot_can_be_used_again);
    tcase_add_test(cases, passes_are_reaped_by_time_then_worker);
    suite_add_tcase(suite, cases);
    tcase_add_test(bare, long_leaps_do_not_overflow);
    suite_add_tcase(suite, bare);
}

DYNO_CHECK_MAIN("worker/paced", add_cases)

/* What a measured machine's passes cost, by hand; and machines that cannot be. */
#include "sim/machine.h"

#include <string.h>

#include "sim/answers.h"
#include "tests/check_main.h"

/* 100 us for a row, 120 for two, 400 for 16; 10 us for a token, 24 for four. */
static struct dyno_machine a_machine(void)
{
    return (struct dyno_machine){
        .model = "m",
        .device = "cpu",
        .threads = 1,
        .rows = {.count = 3, .at = {1, 2, 16}, .ns = {100e3, 120e3, 400e3}},
        .yields = {.count = 2, .at = {1, 4}, .ns = {10e3, 24e3}},
        .pair_ns = 2,
        .context_ns = 5,
        .pass_ns = 30e3,
    };
}

START_TEST(a_curve_is_lines_through_its_points)
{
    const struct dyno_machine machine = a_machine();
    const struct dyno_machine_curve alone = {.count = 1, .at = {1}, .ns = {7}};

    ck_assert_double_eq(dyno_machine_curve_ns(&machine.rows, 0), 0);
    ck_assert_double_eq(dyno_machine_curve_ns(&machine.rows, 1), 100e3);
    ck_assert_double_eq(dyno_machine_curve_ns(&machine.rows, 2), 120e3);
    ck_assert_double_eq(dyno_machine_curve_ns(&machine.rows, 9), 260e3);  /* 20 us a row */
    ck_assert_double_eq(dyno_machine_curve_ns(&machine.rows, 32), 720e3); /* likewise */
    ck_assert_double_eq(dyno_machine_curve_ns(&alone, 3), 21);
    ck_assert_double_eq(dyno_machine_curve_ns(&machine.idle, 3), 0); /* has no points */
}
END_TEST

/* Run one pass from `start` to its end and return what it took, in ns. */
static uint64_t time_from(dyno_ns start, const struct dyno_machine *machine,
                          const struct dyno_pass *pass)
{
    struct dyno_answers *answers = NULL;
    struct dyno_device *device = NULL;
    struct dyno_completion done;

    ck_assert_int_eq(dyno_answers_open(&answers), DYNO_OK);
    ck_assert_int_eq(dyno_machine_open(&device, 1, machine, answers), DYNO_OK);
    for (uint32_t i = 0; i < pass->slice_count; i++) {
        ck_assert_int_eq(answers->ops->expect(answers, i, 5), DYNO_OK);
        device->ops->open(device, 0, pass->slices[i].slot, i, 0, 5);
    }
    device->ops->submit(device, start, pass);
    ck_assert(device->ops->reap(device, device->ops->next(device), &done));
    device->ops->close(device);
    dyno_answers_close(answers);
    return done.at - start;
}

START_TEST(a_pass_costs_its_rows_tokens_pairs_and_a_turn)
{
    const struct dyno_machine machine = a_machine();
    const struct dyno_slice slices[] = {{.slot = 0, .first = 10, .tokens = 8, .yields = true},
                                        {.slot = 1, .first = 0, .tokens = 1}};
    const struct dyno_pass pass = {.steps_max = 1, .slice_count = 2, .slices = slices};

    /* 9 rows 260 us, one token 10 us, 8 x 10 + 36 + 1 pairs at 2 ns, a turn 30 us. */
    ck_assert_uint_eq(time_from(0, &machine, &pass), 260000 + 10000 + 2 * 117 + 30000);
}
END_TEST

/* Two rows 120 us, two tokens 14 and 2/3 us, 22 tokens of context at 5 ns, a sixteenth of 30 us;
 * the pass before left 2/3 ns, which make one with those of this. */
START_TEST(a_decode_step_bears_its_share_of_a_turn)
{
    const struct dyno_machine machine = a_machine();
    struct dyno_answers *answers = NULL;
    struct dyno_device *device = NULL;
    struct dyno_slice slices[] = {{.slot = 0, .first = 9, .tokens = 1, .yields = true},
                                  {.slot = 1, .first = 11, .tokens = 1, .yields = true}};
    struct dyno_pass pass = {.steps_max = 1, .slice_count = 2, .slices = slices};
    struct dyno_completion done;
    dyno_ns start;

    ck_assert_int_eq(dyno_answers_open(&answers), DYNO_OK);
    ck_assert_int_eq(dyno_machine_open(&device, 1, &machine, answers), DYNO_OK);
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert_int_eq(answers->ops->expect(answers, i, 5), DYNO_OK);
        device->ops->open(device, 0, i, i, 0, 5);
    }
    device->ops->submit(device, 0, &pass);
    start = device->ops->next(device);
    ck_assert(device->ops->reap(device, start, &done));
    pass = (struct dyno_pass){
        .steps_max = 1, .decode = true, .decode_count = 2, .decode_context = 10 + 12};
    device->ops->submit(device, start, &pass);
    ck_assert(device->ops->reap(device, DYNO_NEVER - 1, &done));
    ck_assert_uint_eq(done.at - start, 120000 + 14667 + 22 * 5 + 1875);
    device->ops->close(device);
    dyno_answers_close(answers);
}
END_TEST

/* 8 rows of the curve 100, 120, 400: 240 us, a token 10 us, 36 pairs at 2 ns, a turn 30 us; and
 * after a pause 7 us for the first row and 4 for each further one. */
START_TEST(a_pass_after_a_pause_costs_more)
{
    const struct dyno_slice slice = {.tokens = 8, .yields = true};
    const struct dyno_pass pass = {.steps_max = 1, .slice_count = 1, .slices = &slice};
    struct dyno_machine machine = a_machine();

    ck_assert_uint_eq(time_from(10 * DYNO_MS, &machine, &pass), 280072);
    machine.idle = (struct dyno_machine_curve){.count = 2, .at = {1, 2}, .ns = {7e3, 11e3}};
    ck_assert_uint_eq(time_from(0, &machine, &pass), 280072);
    ck_assert_uint_eq(time_from(10 * DYNO_MS, &machine, &pass), 280072 + 35000);
}
END_TEST

/* 8 rows on the line from 300 us at 1 to 400 at 2: 1 ms for what follows them; a decode step leaves
 * nothing of the kind. */
START_TEST(what_decodes_behind_a_prompt_begins_later)
{
    const struct dyno_slice slice = {.tokens = 8, .yields = true};
    struct dyno_machine machine = a_machine();
    struct dyno_pass_cost cost;

    machine.behind = (struct dyno_machine_curve){.count = 2, .at = {1, 2}, .ns = {300e3, 400e3}};
    dyno_machine_cost(
        &machine, &(struct dyno_pass){.steps_max = 1, .slice_count = 1, .slices = &slice}, &cost);
    ck_assert_uint_eq(cost.behind, 1000000);
    dyno_machine_cost(
        &machine, &(struct dyno_pass){.steps_max = 1, .decode = true, .decode_count = 8}, &cost);
    ck_assert_uint_eq(cost.behind, 0);
}
END_TEST

/* Two sequences with 18 tokens: their steps read 18, 20, 22, ... of which the first 20 cost 5 ns
 * and the others 9.  So the first formula holds for two steps, and the next one for all. */
START_TEST(tokens_beyond_what_is_near_cost_their_own)
{
    struct dyno_pass pass = {.steps_max = 9, .decode = true, .decode_count = 2};
    struct dyno_machine machine = a_machine();
    struct dyno_pass_cost before, cost;

    machine.yields = (struct dyno_machine_curve){.count = 1, .at = {1}, .ns = {10e3}};
    machine.context_near = 20;
    machine.context_far_ns = 9;
    pass.decode_context = 0;
    dyno_machine_cost(&machine, &pass, &before);
    pass.decode_context = 18;
    dyno_machine_cost(&machine, &pass, &cost);
    ck_assert_uint_eq(cost.first - before.first, 18ULL * 5 << 20);
    ck_assert_uint_eq(cost.growth, 2ULL * 5 << 20);
    ck_assert_uint_eq(cost.steps_max, 2);
    pass.decode_context = 22;
    dyno_machine_cost(&machine, &pass, &cost);
    ck_assert_uint_eq(cost.first - before.first, (20ULL * 5 + 2 * 9) << 20);
    ck_assert_uint_eq(cost.growth, 2ULL * 9 << 20);
    ck_assert_uint_eq(cost.steps_max, UINT32_MAX);
    pass.decode_context = 20;
    dyno_machine_cost(&machine, &pass, &cost);
    ck_assert_uint_eq(cost.first - before.first, 20ULL * 5 << 20);
    ck_assert_uint_eq(cost.steps_max, 1);
    machine.context_near = 0;
    dyno_machine_cost(&machine, &pass, &cost);
    ck_assert_uint_eq(cost.steps_max, UINT32_MAX);
}
END_TEST

START_TEST(no_pass_takes_longer_than_an_hour_and_an_hour_to_get_going)
{
    const struct dyno_slice slice = {.tokens = 2000000000, .yields = true};
    const struct dyno_pass pass = {.steps_max = 1, .slice_count = 1, .slices = &slice};
    struct dyno_machine machine = a_machine();

    machine.rows = (struct dyno_machine_curve){.count = 2, .at = {1, 2}, .ns = {0, 3.6e12}};
    machine.idle = machine.rows;
    ck_assert_uint_eq(time_from(10 * DYNO_MS, &machine, &pass), 7200 * DYNO_S);
}
END_TEST

START_TEST(machines_that_cannot_be_are_refused)
{
    struct dyno_machine machine = a_machine();
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_machine_check(&machine, &error), DYNO_OK);
    machine.rows.at[1] = 1;
    ck_assert_int_eq(dyno_machine_check(&machine, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "rows: 1 stands after 1"));
    machine = a_machine();
    machine.rows.at[0] = 2;
    ck_assert_int_eq(dyno_machine_check(&machine, &error), DYNO_BAD_INPUT);
    machine = a_machine();
    machine.yields.count = 0;
    ck_assert_int_eq(dyno_machine_check(&machine, &error), DYNO_BAD_INPUT);
    machine = a_machine();
    machine.yields.ns[1] = -1;
    ck_assert_int_eq(dyno_machine_check(&machine, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "yields: at 4 the time is -1 ns"));
    machine = a_machine();
    machine.idle = (struct dyno_machine_curve){.count = 1, .at = {2}};
    ck_assert_int_eq(dyno_machine_check(&machine, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "idle: a curve has 1 to 32 points"));
    machine = a_machine();
    machine.behind = (struct dyno_machine_curve){.count = 1, .at = {1}, .ns = {-5}};
    ck_assert_int_eq(dyno_machine_check(&machine, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "behind: at 1 the time is -5 ns"));
    machine = a_machine();
    machine.context_ns = 1e300;
    ck_assert_int_eq(dyno_machine_check(&machine, &error), DYNO_BAD_INPUT);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("machine");

    tcase_add_test(cases, a_curve_is_lines_through_its_points);
    tcase_add_test(cases, a_pass_costs_its_rows_tokens_pairs_and_a_turn);
    tcase_add_test(cases, a_decode_step_bears_its_share_of_a_turn);
    tcase_add_test(cases, a_pass_after_a_pause_costs_more);
    tcase_add_test(cases, what_decodes_behind_a_prompt_begins_later);
    tcase_add_test(cases, tokens_beyond_what_is_near_cost_their_own);
    tcase_add_test(cases, no_pass_takes_longer_than_an_hour_and_an_hour_to_get_going);
    tcase_add_test(cases, machines_that_cannot_be_are_refused);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("sim/machine", add_cases)

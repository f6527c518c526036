/* What is noted of passes: those of a machine that is exactly as measured, and of a slower one. */
#include "cli/machine/pass_watch.h"

#include "sim/answers.h"
#include "tests/check_main.h"

enum { TOKENS = 9, PAUSE = 50 };

/* `factor` times 100 us for a row and 20 for each further, 10 for a token, 2 ns a pair; 400 us more
 * after a pause; 60 us, and one for each further row, before what decodes behind a prompt. */
static struct dyno_machine a_machine(double factor)
{
    return (struct dyno_machine){
        .model = "m",
        .device = "cpu",
        .threads = 1,
        .ranks = 1,
        .rows = {.count = 2, .at = {1, 101}, .ns = {factor * 100e3, factor * 2100e3}},
        .yields = {.count = 2, .at = {1, 2}, .ns = {factor * 10e3, factor * 20e3}},
        .idle = {.count = 2, .at = {1, 2}, .ns = {factor * 400e3, factor * 400e3}},
        .behind = {.count = 2, .at = {1, 2}, .ns = {factor * 60e3, factor * 61e3}},
        .pair_ns = factor * 2,
        .context_ns = factor * 5,
        .pass_ns = factor * 32e3,
    };
}

static dyno_ns finish(struct dyno_device *device, struct dyno_completion *done)
{
    ck_assert(device->ops->reap(device, device->ops->next(device), done));
    return done->at;
}

/* A prompt of 32 tokens at `now`, then its answer in two passes of at most four steps. */
static dyno_ns serve(struct dyno_device *device, struct dyno_answers *answers, uint64_t id,
                     dyno_ns now)
{
    const struct dyno_slice slice = {.slot = 0, .tokens = 32, .yields = true};
    struct dyno_completion done;

    ck_assert_int_eq(answers->ops->expect(answers, id, TOKENS), DYNO_OK);
    device->ops->open(device, 0, 0, id, 0, TOKENS);
    device->ops->submit(device, now,
                        &(struct dyno_pass){.steps_max = 1, .slice_count = 1, .slices = &slice});
    now = finish(device, &done);
    for (uint32_t made = 1; made < TOKENS; made += done.steps) {
        device->ops->submit(
            device, now,
            &(struct dyno_pass){
                .steps_max = 4, .decode = true, .decode_count = 1, .decode_context = 32 + made});
        now = finish(device, &done);
    }
    device->ops->shut(device, 0, 0);
    return now;
}

/* Three requests, of which the second comes after a pause and the third at once. */
static void watch_three(struct dyno_pass_class out[DYNO_PASS_KINDS], double factor)
{
    const struct dyno_machine real = a_machine(factor), measured = a_machine(1);
    struct dyno_answers *answers = NULL;
    struct dyno_device *device = NULL;
    struct dyno_pass_watch *watch = NULL;
    dyno_ns now;

    ck_assert_int_eq(dyno_answers_open(&answers), DYNO_OK);
    ck_assert_int_eq(dyno_machine_open(&device, 1, &real, answers), DYNO_OK);
    ck_assert_int_eq(dyno_pass_watch_open(&watch), DYNO_OK);
    ck_assert_int_eq(dyno_pass_watch_before(&device, watch, device, 1), DYNO_OK);
    now = serve(device, answers, 1, PAUSE * DYNO_MS);
    now = serve(device, answers, 2, now + PAUSE * DYNO_MS);
    (void)serve(device, answers, 3, now);
    ck_assert_int_eq(dyno_pass_watch_classes(watch, &measured, out), DYNO_OK);
    device->ops->close(device);
    dyno_pass_watch_close(watch);
    dyno_answers_close(answers);
}

START_TEST(a_machine_as_measured_is_predicted_to_the_nanosecond)
{
    struct dyno_pass_class classes[DYNO_PASS_KINDS];

    watch_three(classes, 1);
    ck_assert_uint_eq(classes[DYNO_PASS_PROMPT_AFTER_PAUSE].passes, 2);
    ck_assert_uint_eq(classes[DYNO_PASS_PROMPT].passes, 1);
    ck_assert_uint_eq(classes[DYNO_PASS_DECODE_FIRST].steps, 3 * 4);
    ck_assert_uint_eq(classes[DYNO_PASS_DECODE].steps, 3 * 4);
    for (uint32_t i = 0; i < DYNO_PASS_KINDS; i++) {
        ck_assert_double_eq_tol(classes[i].real_ns, classes[i].predicted_ns, 6);
        ck_assert_double_eq_tol(classes[i].error, 0, 1e-3);
    }
    /* 100 + 31 x 20 us of rows, a token 10, 528 pairs 1.056, a turn 32, and a pause 400 */
    ck_assert_double_eq_tol(classes[DYNO_PASS_PROMPT].real_ns, 763056, 1);
    ck_assert_double_eq_tol(classes[DYNO_PASS_PROMPT_AFTER_PAUSE].real_ns, 2 * 1163056, 1);
    /* Four steps of 110 us, 33 + 34 + 35 + 36 tokens at 5 ns, a quarter of a turn, and 91 us. */
    ck_assert_double_eq_tol(classes[DYNO_PASS_DECODE_FIRST].real_ns, 3 * (448690 + 91000), 3);
}
END_TEST

START_TEST(a_machine_twice_as_slow_is_predicted_by_half)
{
    struct dyno_pass_class classes[DYNO_PASS_KINDS];

    watch_three(classes, 2);
    for (uint32_t i = 0; i < DYNO_PASS_KINDS; i++) {
        ck_assert_double_eq_tol(classes[i].predicted_ns / classes[i].real_ns, 0.5, 1e-4);
        ck_assert_double_eq_tol(classes[i].error, -50, 1e-2);
    }
}
END_TEST

START_TEST(where_nothing_ran_there_is_nothing)
{
    const struct dyno_machine machine = a_machine(1);
    struct dyno_pass_class classes[DYNO_PASS_KINDS];
    struct dyno_pass_watch *watch = NULL;

    ck_assert_int_eq(dyno_pass_watch_open(&watch), DYNO_OK);
    ck_assert_int_eq(dyno_pass_watch_classes(watch, &machine, classes), DYNO_OK);
    ck_assert_uint_eq(classes[DYNO_PASS_DECODE].passes, 0);
    ck_assert_double_eq(classes[DYNO_PASS_DECODE].error, 0);
    dyno_pass_watch_close(watch);
    dyno_pass_watch_close(NULL);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("pass watch");

    tcase_add_test(cases, a_machine_as_measured_is_predicted_to_the_nanosecond);
    tcase_add_test(cases, a_machine_twice_as_slow_is_predicted_by_half);
    tcase_add_test(cases, where_nothing_ran_there_is_nothing);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("cli/pass_watch", add_cases)

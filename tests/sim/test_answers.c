/* The table of answers: what was expected is found until it is forgotten. */
#include "sim/answers.h"

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { IDS = 2000, OPERATIONS = 50000 };

static struct dyno_answers *answers;

static void set_up(void)
{
    ck_assert_int_eq(dyno_answers_open(&answers), DYNO_OK);
}

static void tear_down(void)
{
    dyno_answers_close(answers);
}

static void expect(uint64_t id, uint32_t tokens)
{
    ck_assert_int_eq(answers->ops->expect(answers, id, tokens), DYNO_OK);
}

START_TEST(an_answer_nobody_announced_is_one_token)
{
    ck_assert_uint_eq(dyno_answers_get(answers, 0), 1);
    ck_assert_uint_eq(dyno_answers_get(answers, UINT64_MAX - 1), 1);
}
END_TEST

START_TEST(what_was_announced_is_found_until_forgotten)
{
    expect(0, 17);
    expect(1, UINT32_MAX);
    ck_assert_uint_eq(dyno_answers_get(answers, 0), 17);
    ck_assert_uint_eq(dyno_answers_get(answers, 0), 17);
    ck_assert_uint_eq(dyno_answers_get(answers, 1), UINT32_MAX);
    answers->ops->forget(answers, 0);
    ck_assert_uint_eq(dyno_answers_get(answers, 0), 1);
    ck_assert_uint_eq(dyno_answers_get(answers, 1), UINT32_MAX);
    answers->ops->forget(answers, 0); /* was never there: no effect */
}
END_TEST

START_TEST(an_answer_announced_again_replaces_the_first)
{
    expect(5, 10);
    expect(5, 20);
    ck_assert_uint_eq(dyno_answers_get(answers, 5), 20);
}
END_TEST

START_TEST(it_agrees_with_an_array_over_random_operations)
{
    static uint32_t model[IDS]; /* 0: not there */
    struct dyno_rng rng;

    dyno_rng_init(&rng, 1, "answers");
    for (int i = 0; i < OPERATIONS; i++) {
        uint64_t id = dyno_rng_below(&rng, IDS);

        if (dyno_rng_below(&rng, 2)) {
            model[id] = 1 + (uint32_t)dyno_rng_below(&rng, 100000);
            expect(id, model[id]);
        } else {
            model[id] = 0;
            answers->ops->forget(answers, id);
        }
        id = dyno_rng_below(&rng, IDS);
        ck_assert_uint_eq(dyno_answers_get(answers, id), model[id] ? model[id] : 1);
    }
}
END_TEST

START_TEST(closing_nothing_is_allowed)
{
    dyno_answers_close(NULL);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("answers");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, an_answer_nobody_announced_is_one_token);
    tcase_add_test(cases, what_was_announced_is_found_until_forgotten);
    tcase_add_test(cases, an_answer_announced_again_replaces_the_first);
    tcase_add_test(cases, it_agrees_with_an_array_over_random_operations);
    tcase_add_test(cases, closing_nothing_is_allowed);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("sim/answers", add_cases)

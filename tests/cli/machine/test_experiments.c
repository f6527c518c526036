/* What was measured, divided again: a machine whose costs are known is found, whatever a few rounds
 * that were disturbed say. */
#include "cli/machine/experiments.h"

#include "tests/check_main.h"

enum { ROWS = 64, SEQS = 8, LONG_SEQS = 4, LONG_TOKENS = 512, CHUNK = 32, ROUNDS = 5 };

static const struct dyno_experiments_size size = {.rows = ROWS,
                                                  .seqs = SEQS,
                                                  .long_seqs = LONG_SEQS,
                                                  .long_tokens = LONG_TOKENS,
                                                  .chunk = CHUNK,
                                                  .has_long_one = true,
                                                  .rounds = ROUNDS};

/* The truth, in nanoseconds: 50 us and 20 for each row, 7 for a yield, 3 ns a pair, 40 ns a token
 * that is read (60 beyond those of one sequence), 12 us around a pass; 300 us and one for each row
 * after a pause; 100 us and 2 for each row in front of what decodes behind a prompt. */
static double rows_ns(double rows)
{
    return 50e3 + 20e3 * rows;
}

static double context_ns(double tokens, double near)
{
    return tokens <= near ? 40 * tokens : 40 * near + 60 * (tokens - near);
}

/* What decode steps read on the mean: 8 tokens or 448, the prompt's yield, the steps before. */
static double mean_tokens(const struct dyno_experiment *is)
{
    double first = dyno_experiment_first_steps(is->size), steps = dyno_experiment_steps(is->size);

    return is->size * (is->context + first + 2 + (steps - 1) / 2);
}

static double truth(const struct dyno_experiment *is, double near)
{
    double pairs = is->size * (double)is->context + is->size * (is->size + 1.0) / 2;

    if (is->kind == DYNO_EXPERIMENT_DECODE_BEHIND) {
        return 100e3 + 2e3 * is->size;
    }
    return rows_ns(is->size) + (is->kind == DYNO_EXPERIMENT_DECODE
                                    ? 7e3 * is->size + context_ns(mean_tokens(is), near)
                                    : 3 * pairs);
}

/* Two rounds of five are disturbed, all of their passes by as much. */
static void measure(struct dyno_experiments *set, double disturbance)
{
    double near = mean_tokens(set->long_one);

    for (uint32_t i = 0; i < set->count; i++) {
        struct dyno_experiment *is = &set->list[i];
        bool pauses = is->kind == DYNO_EXPERIMENT_PREFILL_AFTER_PAUSE;

        for (uint32_t round = 0; round < ROUNDS; round++) {
            is->ns[round] = truth(is, near) + (round == 1 || round == 3 ? disturbance : 0);
            is->around[round] = 12e3 + (pauses ? 300e3 + 1e3 * is->size + 5e3 : 0);
            is->heard[round] = pauses ? 5e3 : 0; /* the loop hears late; no part of the pass */
        }
    }
}

static void check(const struct dyno_machine *found)
{
    ck_assert_uint_eq(found->rows.count, 7);
    ck_assert_uint_eq(found->yields.count, 4);
    ck_assert_uint_eq(found->idle.count, 7);
    ck_assert_uint_eq(found->behind.count, 7);
    for (uint32_t i = 0; i < 7; i++) {
        ck_assert_uint_eq(found->rows.at[i], 1U << i);
        ck_assert_double_eq_tol(found->rows.ns[i], rows_ns(1 << i), 1);
        ck_assert_double_eq_tol(found->idle.ns[i], 300e3 + 1e3 * (1 << i), 1);
        ck_assert_double_eq_tol(found->behind.ns[i], 100e3 + 2e3 * (1 << i), 1);
    }
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_double_eq_tol(found->yields.ns[i], 7e3 * (1 << i), 1);
    }
    ck_assert_double_eq_tol(found->pair_ns, 3, 1e-6);
    ck_assert_double_eq_tol(found->context_ns, 40, 1e-6);
    ck_assert_double_eq_tol(found->context_far_ns, 60, 1e-6);
    ck_assert_uint_eq(found->context_near, 448 + 16 + 2 + 15); /* and a half */
    ck_assert_double_eq_tol(found->pass_ns, 12e3, 1e-6);
}

START_TEST(a_machine_is_found_whatever_two_rounds_of_five_say)
{
    static const double disturbances[] = {0, 1e6, 1e9};

    for (uint32_t i = 0; i < 3; i++) {
        struct dyno_experiments set;
        struct dyno_machine found = {.threads = 1};

        ck_assert_int_eq(dyno_experiments_plan(&set, &size), DYNO_OK);
        measure(&set, disturbances[i]);
        dyno_experiments_divide(&set, &found);
        check(&found);
        dyno_experiments_release(&set);
    }
}
END_TEST

/* As where the time of a measurement is over. */
START_TEST(fewer_rounds_than_planned_are_enough)
{
    struct dyno_experiments set;
    struct dyno_machine found = {.threads = 1};

    ck_assert_int_eq(dyno_experiments_plan(&set, &size), DYNO_OK);
    measure(&set, 0);
    for (uint32_t i = 0; i < set.count; i++) {
        set.list[i].ns[4] = set.list[i].around[4] = 1e12;
    }
    set.rounds = 4;
    dyno_experiments_divide(&set, &found);
    check(&found);
    dyno_experiments_release(&set);
}
END_TEST

/* Every plan stays within a machine's points, tables and a model's context. */
START_TEST(what_is_planned_fits_the_context)
{
    struct dyno_experiments set;

    ck_assert_int_eq(dyno_experiments_plan(&set, &size), DYNO_OK);
    ck_assert_uint_lt(set.count, DYNO_EXPERIMENTS_MAX);
    ck_assert_uint_eq(set.chunk->size, CHUNK);
    ck_assert_uint_eq(set.few->size, LONG_SEQS);
    for (uint32_t i = 0; i < set.count; i++) {
        const struct dyno_experiment *is = &set.list[i];
        uint32_t tokens = is->context;

        if (is->kind == DYNO_EXPERIMENT_DECODE) {
            tokens += dyno_experiment_first_steps(is->size) + dyno_experiment_steps(is->size);
            ck_assert(is->size <= LONG_SEQS || tokens <= DYNO_EXPERIMENT_SHORT_TOKENS);
        } else {
            tokens += is->size;
        }
        ck_assert_uint_lt(tokens, LONG_TOKENS);
    }
    dyno_experiments_release(&set);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("experiments");

    tcase_add_test(cases, a_machine_is_found_whatever_two_rounds_of_five_say);
    tcase_add_test(cases, fewer_rounds_than_planned_are_enough);
    tcase_add_test(cases, what_is_planned_fits_the_context);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("cli/experiments", add_cases)

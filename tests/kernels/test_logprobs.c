/* Log probabilities: by hand, and the list against looking for the best again and again. */
#include "kernels/logprobs.h"

#include <math.h>

#include "tests/check_main.h"
#include "tests/kernels/arrays.h"

START_TEST(logarithms_of_probabilities_by_hand)
{
    const float logits[] = {logf(0.1F) + 3, logf(0.4F) + 3, logf(0.3F) + 3, logf(0.2F) + 3};
    struct dyno_logprob chosen, top[3];

    ck_assert_uint_eq(dyno_logprobs(logits, 4, 3, &chosen, top, 3), 3);
    ck_assert_uint_eq(chosen.token, 3);
    ck_assert_double_eq_tol(chosen.logprob, log(0.2), 1e-6);
    ck_assert(top[0].token == 1 && top[1].token == 2 && top[2].token == 3);
    ck_assert_double_eq_tol(top[0].logprob, log(0.4), 1e-6);
    ck_assert_double_eq_tol(top[1].logprob, log(0.3), 1e-6);
    ck_assert_uint_eq(dyno_logprobs(logits, 4, 0, &chosen, NULL, 0), 0);
    ck_assert_double_eq_tol(chosen.logprob, log(0.1), 1e-6);
}
END_TEST

START_TEST(large_logits_do_not_overflow_and_odd_ones_are_unlikely)
{
    const float logits[] = {NAN, 3e38F, -INFINITY, 3e38F}, none[] = {NAN, -INFINITY};
    struct dyno_logprob chosen, top[9];

    ck_assert_uint_eq(dyno_logprobs(logits, 4, 3, &chosen, top, 9), 4);
    ck_assert_double_eq_tol(chosen.logprob, -log(2.0), 1e-12);
    ck_assert(top[0].token == 1 && top[1].token == 3 && top[2].token == 0 && top[3].token == 2);
    ck_assert(isinf(top[2].logprob) && isinf(top[3].logprob) && top[3].logprob < 0);
    ck_assert_uint_eq(dyno_logprobs(none, 2, 1, &chosen, top, 1), 1);
    ck_assert(isinf(chosen.logprob) && chosen.logprob < 0 && top[0].token == 0);
}
END_TEST

START_TEST(the_list_is_what_looking_again_and_again_finds)
{
    enum { VOCAB = 200, TOP = 20 };
    struct dyno_rng rng;
    struct dyno_logprob chosen, top[TOP];
    float logits[VOCAB];
    bool taken[VOCAB] = {0};

    dyno_rng_init(&rng, (uint64_t)_i, "logprobs");
    for (int i = 0; i < VOCAB; i++) { /* few values, many ties */
        logits[i] = (float)dyno_rng_below(&rng, 40);
    }
    ck_assert_uint_eq(dyno_logprobs(logits, VOCAB, 0, &chosen, top, TOP), TOP);
    for (int rank = 0; rank < TOP; rank++) {
        int best = -1;

        for (int i = 0; i < VOCAB; i++) {
            best = !taken[i] && (best < 0 || logits[i] > logits[best]) ? i : best;
        }
        taken[best] = true;
        ck_assert_msg(top[rank].token == (uint32_t)best, "seed %d, rank %d: %u, not %d", _i, rank,
                      top[rank].token, best);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("logprobs");

    tcase_add_test(tcase, logarithms_of_probabilities_by_hand);
    tcase_add_test(tcase, large_logits_do_not_overflow_and_odd_ones_are_unlikely);
    tcase_add_loop_test(tcase, the_list_is_what_looking_again_and_again_finds, 0, 30);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("logprobs", add_cases)

/* Sums over phases and the search among them, against a loop over the counts. */
#include "core/worker/takers.h"

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { PHASES_MAX = 70, ROUNDS = 300, SEEDS = 200 };

static uint32_t below(struct dyno_rng *rng, uint32_t bound)
{
    return (uint32_t)dyno_rng_below(rng, bound);
}

static uint32_t plain_sum(const struct dyno_takers *takers, uint32_t phase, uint32_t count)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        sum += takers->at[(phase + i) % takers->size];
    }
    return sum;
}

static uint32_t plain_steps(const struct dyno_takers *takers, uint32_t phase, uint32_t blocks)
{
    uint32_t steps = 0;

    while (steps < takers->size && plain_sum(takers, phase, steps + 1) <= blocks) {
        steps++;
    }
    return steps;
}

static void check(const struct dyno_takers *takers, struct dyno_rng *rng, uint64_t seed)
{
    uint32_t phase = below(rng, takers->size), count = below(rng, takers->size + 1);
    uint32_t blocks = below(rng, takers->count + 2);

    ck_assert_msg(dyno_takers_sum(takers, phase, count) == plain_sum(takers, phase, count),
                  "seed %llu: %u phases from %u on", (unsigned long long)seed, count, phase);
    ck_assert_msg(dyno_takers_steps(takers, phase, blocks) == plain_steps(takers, phase, blocks),
                  "seed %llu: %u blocks from phase %u on", (unsigned long long)seed, blocks, phase);
}

/* Sequences come and go; every size from 1 on, so that it is no power of two mostly. */
START_TEST(sums_and_steps_are_those_of_a_loop)
{
    uint64_t seed = (uint64_t)_i;
    struct dyno_takers takers;
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "takers");
    ck_assert_int_eq(dyno_takers_init(&takers, 1 + (uint32_t)seed % PHASES_MAX), DYNO_OK);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t phase = below(&rng, takers.size);

        if (takers.at[phase] > 0 && below(&rng, 2)) {
            dyno_takers_remove(&takers, phase);
        } else {
            dyno_takers_add(&takers, phase);
        }
        check(&takers, &rng, seed);
    }
    ck_assert_uint_eq(plain_sum(&takers, 0, takers.size), takers.count);
    dyno_takers_release(&takers);
}
END_TEST

/* From few, which are listed, to many, which are a tree, and back, several times. */
START_TEST(few_and_many_are_the_same)
{
    enum { MOST = 3 * DYNO_TAKERS_FEW };
    struct dyno_takers takers;
    uint32_t phases[MOST];
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "waves");
    ck_assert_int_eq(dyno_takers_init(&takers, 1 + (uint32_t)_i * 5), DYNO_OK);
    for (uint32_t wave = 0; wave < 4; wave++) {
        uint32_t least = below(&rng, DYNO_TAKERS_FEW);

        while (takers.count < MOST) {
            phases[takers.count] = below(&rng, takers.size);
            dyno_takers_add(&takers, phases[takers.count]);
            check(&takers, &rng, (uint64_t)_i);
        }
        while (takers.count > least) {
            uint32_t place = below(&rng, takers.count), phase = phases[place];

            phases[place] = phases[takers.count - 1];
            dyno_takers_remove(&takers, phase);
            check(&takers, &rng, (uint64_t)_i);
        }
    }
    dyno_takers_release(&takers);
}
END_TEST

/* 4 phases that take 2, 0, 3, 0 blocks: from phase 2 on 3 blocks last for phases 2 and 3, 4 too, 5
 * for all. */
START_TEST(blocks_last_until_the_step_that_needs_more)
{
    static const uint32_t phases[] = {0, 0, 2, 2, 2};
    struct dyno_takers takers;

    ck_assert_int_eq(dyno_takers_init(&takers, 4), DYNO_OK);
    for (uint32_t i = 0; i < 5; i++) {
        dyno_takers_add(&takers, phases[i]);
    }
    ck_assert_uint_eq(dyno_takers_steps(&takers, 2, 2), 0);
    ck_assert_uint_eq(dyno_takers_steps(&takers, 2, 3), 2);
    ck_assert_uint_eq(dyno_takers_steps(&takers, 2, 4), 2);
    ck_assert_uint_eq(dyno_takers_steps(&takers, 2, 5), 4);
    ck_assert_uint_eq(dyno_takers_sum(&takers, 3, 2), 2);
    dyno_takers_release(&takers);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("takers");

    tcase_add_loop_test(cases, sums_and_steps_are_those_of_a_loop, 0, SEEDS);
    tcase_add_loop_test(cases, few_and_many_are_the_same, 0, 20);
    tcase_add_test(cases, blocks_last_until_the_step_that_needs_more);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("worker/takers", add_cases)

/* What ranks that are threads tell each other. */
#include "backends/engine/collective.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "tests/check_main.h"

enum { RANKS_MAX = 5, COUNT_MAX = 7, ROUNDS = 50 };

/* One rank, its thread, and what it saw in every round. */
struct rank {
    struct dyno_collective *member;
    size_t count;
    float sums[ROUNDS][COUNT_MAX];
    float all[ROUNDS][RANKS_MAX * COUNT_MAX];
};

/* In float, what these make of a sum depends on their order. */
static float value_of(uint32_t rank, uint32_t round, size_t at)
{
    static const float values[RANKS_MAX] = {1e8F, 1.0F, -1e8F, 3.0F, 0.25F};

    return values[(rank + round + at) % RANKS_MAX];
}

static void *work(void *argument)
{
    struct rank *rank = argument;
    const struct dyno_collective_ops *ops = rank->member->ops;
    uint32_t index = rank->member->rank;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        float values[COUNT_MAX];

        for (size_t at = 0; at < rank->count; at++) {
            values[at] = rank->sums[round][at] = value_of(index, round, at);
        }
        for (uint32_t i = 0; i < (index * 7 + round) % 5; i++) {
            sched_yield(); /* who comes first is another one in every round */
        }
        if (ops->all_reduce_sum(rank->member, rank->sums[round], rank->count, DYNO_ELEMENT_F32,
                                NULL) != DYNO_OK ||
            ops->barrier(rank->member, NULL) != DYNO_OK ||
            ops->all_gather(rank->member, values, rank->count, DYNO_ELEMENT_F32, rank->all[round],
                            NULL) != DYNO_OK) {
            abort();
        }
    }
    return NULL;
}

static void check_rank(const struct rank *rank)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (size_t at = 0; at < rank->count; at++) {
            float sum = 0.0F;

            for (uint32_t other = 0; other < rank->member->ranks; other++) {
                float value = value_of(other, round, at);

                sum = other == 0 ? value : sum + value;
                ck_assert_float_eq(rank->all[round][other * rank->count + at], value);
            }
            ck_assert_float_eq(rank->sums[round][at], sum);
        }
    }
}

/* Also of one element, of none, and of fewer than ranks. */
START_TEST(sums_are_in_the_order_of_ranks_and_gathered_in_their_places)
{
    uint32_t ranks = 1 + (uint32_t)_i % RANKS_MAX;
    struct dyno_collective *members[RANKS_MAX];
    struct rank *all = calloc(ranks, sizeof *all);
    pthread_t threads[RANKS_MAX];

    ck_assert_ptr_nonnull(all);
    ck_assert_int_eq(dyno_local_collective_open(members, ranks, NULL), DYNO_OK);
    for (uint32_t i = 0; i < ranks; i++) {
        ck_assert_uint_eq(members[i]->rank, i);
        ck_assert_uint_eq(members[i]->ranks, ranks);
        all[i].member = members[i];
        all[i].count = (size_t)_i / RANKS_MAX;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &all[i]), 0);
    }
    for (uint32_t i = 0; i < ranks; i++) {
        pthread_join(threads[i], NULL);
    }
    for (uint32_t i = 0; i < ranks; i++) {
        check_rank(&all[i]);
    }
    for (uint32_t i = 0; i < ranks; i++) {
        members[i]->ops->close(members[i]);
    }
    free(all);
}
END_TEST

START_TEST(other_elements_are_refused)
{
    struct dyno_collective *member;
    uint16_t value = 0, all = 0;

    ck_assert_int_eq(dyno_local_collective_open(&member, 1, NULL), DYNO_OK);
    ck_assert_int_eq(member->ops->all_reduce_sum(member, &value, 1, DYNO_ELEMENT_BF16, NULL),
                     DYNO_UNSUPPORTED);
    ck_assert_int_eq(member->ops->all_gather(member, &value, 1, DYNO_ELEMENT_BF16, &all, NULL),
                     DYNO_UNSUPPORTED);
    member->ops->close(member);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("collective");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, sums_are_in_the_order_of_ranks_and_gathered_in_their_places, 0,
                        RANKS_MAX * (COUNT_MAX + 1));
    tcase_add_test(tcase, other_elements_are_refused);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("collective", add_cases)

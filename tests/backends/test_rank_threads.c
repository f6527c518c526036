/* What ranks do at once. */
#include "backends/engine/rank_threads.h"

#include <pthread.h>

#include "tests/check_main.h"

enum { RANKS_MAX = 4, WORKS = 50 };

struct ranks {
    pthread_barrier_t all;
    uint32_t done[RANKS_MAX];       /* parts of each */
    uint32_t last[RANKS_MAX];       /* what the last was of */
    pthread_t thread_of[RANKS_MAX]; /* who did it */
};

/* Nobody comes past the barrier before all are there: one after the other they would wait for ever.
 */
static void part(void *context, uint32_t rank, const void *work)
{
    struct ranks *ranks = context;
    const uint32_t *number = work;

    pthread_barrier_wait(&ranks->all);
    ranks->done[rank]++;
    ranks->last[rank] = *number;
    ranks->thread_of[rank] = pthread_self();
}

static struct dyno_rank_threads *open_threads(struct ranks *ranks, uint32_t count)
{
    struct dyno_rank_threads_config config = {.ranks = count, .part = part, .context = ranks};
    struct dyno_rank_threads *threads = NULL;

    ck_assert_int_eq(pthread_barrier_init(&ranks->all, NULL, count), 0);
    ck_assert_int_eq(dyno_rank_threads_open(&threads, &config, NULL), DYNO_OK);
    return threads;
}

START_TEST(every_rank_does_its_part_of_every_work_at_once)
{
    uint32_t count = 1 + (uint32_t)_i;
    struct ranks ranks = {0};
    struct dyno_rank_threads *threads = open_threads(&ranks, count);

    for (uint32_t number = 1; number <= WORKS; number++) {
        dyno_rank_threads_run(threads, &number);
        for (uint32_t rank = 0; rank < count; rank++) {
            ck_assert_uint_eq(ranks.done[rank], number);
            ck_assert_uint_eq(ranks.last[rank], number);
        }
    }
    ck_assert(pthread_equal(ranks.thread_of[0], pthread_self()));
    for (uint32_t rank = 1; rank < count; rank++) {
        ck_assert(!pthread_equal(ranks.thread_of[rank], ranks.thread_of[rank - 1]));
    }
    dyno_rank_threads_close(threads);
    pthread_barrier_destroy(&ranks.all);
}
END_TEST

START_TEST(ranks_that_never_work_end)
{
    struct ranks ranks = {0};
    struct dyno_rank_threads *threads = open_threads(&ranks, RANKS_MAX);

    dyno_rank_threads_close(threads);
    dyno_rank_threads_close(NULL);
    for (uint32_t rank = 0; rank < RANKS_MAX; rank++) {
        ck_assert_uint_eq(ranks.done[rank], 0);
    }
    pthread_barrier_destroy(&ranks.all);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("rank_threads");

    tcase_add_loop_test(tc, every_rank_does_its_part_of_every_work_at_once, 0, RANKS_MAX);
    tcase_add_test(tc, ranks_that_never_work_end);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("rank_threads", add_cases)

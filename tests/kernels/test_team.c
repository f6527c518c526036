/* The team: every item once, whoever does it, and nothing left running.  Also run under
 * ThreadSanitizer. */
#include "kernels/team.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/check_main.h"
#include "tests/kernels/arrays.h"

enum { ITEMS_MAX = 1000 };

struct tally {
    uint32_t times[ITEMS_MAX]; /* not atomic: no two threads may have the same item */
    uint32_t items, grain, workers;
    bool wrong;
};

static void count_items(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    struct tally *tally = argument;

    if (worker >= tally->workers || first >= last || last > tally->items ||
        (tally->workers > 1 && last - first > tally->grain)) {
        tally->wrong = true;
        return;
    }
    for (uint32_t i = first; i < last; i++) {
        tally->times[i]++;
    }
}

START_TEST(every_item_is_done_once)
{
    struct dyno_rng rng;
    struct tally tally = {.workers = 1 + (uint32_t)_i % 5};
    struct dyno_team *team = dyno_team_open(tally.workers);

    dyno_rng_init(&rng, (uint64_t)_i, "team");
    ck_assert_uint_eq(dyno_team_workers(team), tally.workers);
    for (int round = 0; round < 300; round++) {
        memset(tally.times, 0, sizeof(tally.times));
        tally.items = (uint32_t)dyno_rng_below(&rng, ITEMS_MAX + 1);
        tally.grain = 1 + (uint32_t)dyno_rng_below(&rng, 50);
        dyno_team_run(team, tally.items, tally.grain, count_items, &tally);
        for (uint32_t i = 0; i < ITEMS_MAX; i++) {
            ck_assert_msg(tally.times[i] == (i < tally.items),
                          "seed %d, round %d: item %u, %u times", _i, round, i, tally.times[i]);
        }
    }
    ck_assert(!tally.wrong);
    dyno_team_close(team);
}
END_TEST

/* Long enough that the others sleep, so that they must be woken. */
START_TEST(a_team_that_slept_works_on)
{
    struct tally tally = {.workers = 3, .items = ITEMS_MAX, .grain = 1};
    struct dyno_team *team = dyno_team_open(tally.workers);

    for (uint32_t round = 1; round <= 20; round++) {
        usleep(5000);
        dyno_team_run(team, tally.items, tally.grain, count_items, &tally);
        for (uint32_t i = 0; i < ITEMS_MAX; i++) {
            ck_assert_uint_eq(tally.times[i], round);
        }
    }
    ck_assert(!tally.wrong);
    dyno_team_close(team);
}
END_TEST

static void chain(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    uint32_t *values = argument;

    (void)worker;
    for (uint32_t i = first; i < last; i++) { /* reads what an earlier operation wrote anywhere */
        values[ITEMS_MAX + i] = values[ITEMS_MAX - 1 - i] + 1;
    }
}

static void copy_back(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    uint32_t *values = argument;

    (void)worker;
    memcpy(values + first, values + ITEMS_MAX + first, (last - first) * sizeof(uint32_t));
}

START_TEST(an_operation_sees_what_the_one_before_wrote)
{
    uint32_t *values = array_of((size_t)2 * ITEMS_MAX, sizeof(*values));
    struct dyno_team *team = dyno_team_open(4);

    for (int round = 0; round < 500; round++) {
        dyno_team_run(team, ITEMS_MAX, 7, chain, values);
        dyno_team_run(team, ITEMS_MAX, 13, copy_back, values);
    }
    for (uint32_t i = 0; i < ITEMS_MAX; i++) {
        ck_assert_uint_eq(values[i], 500);
    }
    dyno_team_close(team);
}
END_TEST

struct shared_core {
    size_t core; /* the caller's */
    atomic_uint helpers, on_it;
};

static void look_where(void *argument, uint32_t first, uint32_t last, uint32_t worker)
{
    struct shared_core *shared = argument;
    cpu_set_t may;

    (void)first, (void)last;
    if (worker == 0) { /* the caller leaves something to do */
        while (atomic_load(&shared->helpers) == 0) {
            sched_yield();
        }
        return;
    }
    if (sched_getaffinity(0, sizeof(may), &may) != 0 || CPU_ISSET(shared->core, &may)) {
        atomic_fetch_add(&shared->on_it, 1);
    }
    atomic_fetch_add(&shared->helpers, 1);
}

/* Woken on the caller's core, a thread would wait for the caller's slice to end. */
START_TEST(threads_keep_off_the_callers_core)
{
    cpu_set_t cores, one;
    struct dyno_team *team;

    ck_assert_int_eq(sched_getaffinity(0, sizeof(cores), &cores), 0);
    if (CPU_COUNT(&cores) < 2) {
        printf("skipped: one core\n");
        return;
    }
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        struct shared_core shared = {.core = core};

        if (!CPU_ISSET(core, &cores)) {
            continue;
        }
        CPU_ZERO(&one);
        CPU_SET(core, &one);
        team = dyno_team_open(3);
        ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
        dyno_team_run(team, 8, 1, look_where, &shared);
        ck_assert_uint_gt(atomic_load(&shared.helpers), 0);
        ck_assert_uint_eq(atomic_load(&shared.on_it), 0);
        dyno_team_close(team);
        ck_assert_int_eq(sched_setaffinity(0, sizeof(cores), &cores), 0);
    }
}
END_TEST

START_TEST(a_team_of_none_or_of_too_many_is_refused)
{
    ck_assert_ptr_null(dyno_team_open(0));
    ck_assert_ptr_null(dyno_team_open(DYNO_TEAM_MAX + 1));
    dyno_team_close(NULL);
}
END_TEST

START_TEST(opening_and_closing_leaves_nothing)
{
    for (uint32_t i = 0; i < 100; i++) {
        dyno_team_close(dyno_team_open(1 + i % 8));
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("team");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_loop_test(tcase, every_item_is_done_once, 0, 10);
    tcase_add_test(tcase, a_team_that_slept_works_on);
    tcase_add_test(tcase, an_operation_sees_what_the_one_before_wrote);
    tcase_add_test(tcase, threads_keep_off_the_callers_core);
    tcase_add_test(tcase, a_team_of_none_or_of_too_many_is_refused);
    tcase_add_test(tcase, opening_and_closing_leaves_nothing);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("team", add_cases)

/* Places of a pool are taken once until given back, and their items stay. */
#include "core/base/pool.h"

#include <stdbool.h>

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { PLACES = 500 };

struct item {
    uint32_t link; /* the pool's while unused */
    uint64_t value;
};

/* What each place should hold, by place. */
struct naive {
    bool taken[PLACES];
    uint64_t value[PLACES];
    uint32_t count;
};

static void take_one(struct dyno_pool *pool, struct naive *naive, uint64_t value)
{
    uint32_t place = dyno_pool_take(pool);
    struct item *item;

    ck_assert(place < PLACES && !naive->taken[place]);
    item = dyno_pool_at(pool, place);
    item->value = naive->value[place] = value;
    naive->taken[place] = true;
    naive->count++;
}

/* The first place at or after `place` that is taken. */
static void give_one(struct dyno_pool *pool, struct naive *naive, uint32_t place)
{
    const struct item *item;

    while (!naive->taken[place]) {
        place = (place + 1) % PLACES;
    }
    item = dyno_pool_at(pool, place);
    ck_assert_uint_eq(item->value, naive->value[place]);
    dyno_pool_give(pool, place);
    naive->taken[place] = false;
    naive->count--;
}

START_TEST(no_place_is_taken_twice_and_items_stay)
{
    struct naive naive = {0};
    struct dyno_pool pool;
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "pool");
    dyno_pool_init(&pool, sizeof(struct item));
    for (uint64_t i = 0; i < 5000; i++) {
        bool full = naive.count == PLACES;

        if (naive.count > 0 && (full || dyno_rng_below(&rng, 5) < 2)) {
            give_one(&pool, &naive, (uint32_t)dyno_rng_below(&rng, PLACES));
        } else {
            take_one(&pool, &naive, i);
        }
    }
    ck_assert_uint_le(pool.used, PLACES);
    dyno_pool_release(&pool);
}
END_TEST

START_TEST(the_place_given_back_last_is_taken_first)
{
    struct dyno_pool pool;

    dyno_pool_init(&pool, sizeof(uint32_t));
    ck_assert_uint_eq(dyno_pool_take(&pool), 0);
    ck_assert_uint_eq(dyno_pool_take(&pool), 1);
    ck_assert_uint_eq(dyno_pool_take(&pool), 2);
    dyno_pool_give(&pool, 0);
    dyno_pool_give(&pool, 1);
    ck_assert_uint_eq(dyno_pool_take(&pool), 1);
    ck_assert_uint_eq(dyno_pool_take(&pool), 0);
    ck_assert_uint_eq(dyno_pool_take(&pool), 3);
    dyno_pool_release(&pool);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("pool");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, no_place_is_taken_twice_and_items_stay, 0, 20);
    tcase_add_test(tc, the_place_given_back_last_is_taken_first);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("core/base/pool", add_cases)

/* Numbers of blocks: tables beyond the slots, preferred places, and what is forgotten. */
#include "core/kv/places.h"

#include "tests/check_main.h"

enum { CAPACITY = 12, SLOTS = 2 };

static const struct dyno_kv_listener nobody;

static void open_cache(struct dyno_kv_cache *cache)
{
    ck_assert_int_eq(dyno_kv_cache_init(cache, 0, CAPACITY, &nobody), DYNO_OK);
    ck_assert_int_eq(dyno_kv_places_open(&cache->places, CAPACITY, SLOTS), DYNO_OK);
}

static void close_cache(struct dyno_kv_cache *cache)
{
    dyno_kv_cache_check(cache);
    dyno_kv_places_check(cache->places, cache);
    dyno_kv_places_close(cache->places);
    dyno_kv_cache_release(cache);
}

static void take(struct dyno_kv_cache *cache, uint32_t table, uint32_t blocks)
{
    dyno_kv_take(cache, blocks, 0);
    ck_assert_int_eq(dyno_kv_places_take(cache->places, table, blocks), DYNO_OK);
}

START_TEST(a_parked_table_keeps_its_blocks_and_leaves_its_slot)
{
    struct dyno_kv_cache cache;
    uint32_t parked, again;

    open_cache(&cache);
    take(&cache, 1, 3);
    ck_assert_int_eq(dyno_kv_places_park(cache.places, 1, &parked), DYNO_OK);
    ck_assert_uint_ge(parked, SLOTS);
    ck_assert_uint_eq(dyno_kv_places_count(cache.places, 1), 0);
    take(&cache, 1, 2);
    ck_assert_uint_eq(dyno_kv_places_tables(cache.places)[1][0], 3);
    ck_assert_uint_eq(dyno_kv_places_count(cache.places, parked), 3);
    ck_assert_uint_eq(dyno_kv_places_table(cache.places, parked)[2], 2);
    dyno_kv_places_drop_after(cache.places, parked, 1);
    dyno_kv_drop(&cache, 2);
    dyno_kv_places_drop(cache.places, parked, 0);
    dyno_kv_drop(&cache, 1);
    dyno_kv_places_remove(cache.places, parked);
    ck_assert_int_eq(dyno_kv_places_add(cache.places, &again), DYNO_OK);
    ck_assert_uint_eq(again, parked);
    close_cache(&cache);
}
END_TEST

START_TEST(preferred_places_are_taken_first_and_in_order)
{
    static const uint32_t wanted[] = {7, 3, 11};
    struct dyno_kv_cache cache;

    open_cache(&cache);
    dyno_kv_places_prefer(cache.places, wanted, 3);
    take(&cache, 0, 5);
    ck_assert_mem_eq(dyno_kv_places_table(cache.places, 0), wanted, sizeof wanted);
    ck_assert_uint_eq(dyno_kv_places_table(cache.places, 0)[3], 0);
    ck_assert_uint_eq(dyno_kv_places_table(cache.places, 0)[4], 1);
    close_cache(&cache);
}
END_TEST

/* Two spans, of 4 and 3 blocks, filled by slot 0, which holds them. */
static void seal(struct dyno_kv_cache *cache, struct dyno_kv_link links[2])
{
    links[0] = (struct dyno_kv_link){.span = 100, .blocks = 4, .run = DYNO_KV_NO_RUN};
    links[1] = (struct dyno_kv_link){.span = 200, .blocks = 3, .run = DYNO_KV_NO_RUN};
    take(cache, 0, 7);
    ck_assert_int_eq(dyno_kv_places_seal(cache->places, 0, links, 2, 0, 7), DYNO_OK);
    ck_assert_int_eq(dyno_kv_seal(cache, links, 2, 0, 0, 7, 0), DYNO_OK);
}

START_TEST(what_is_resident_from_a_block_on_is_counted)
{
    struct dyno_kv_cache cache;
    struct dyno_kv_link links[3];

    open_cache(&cache);
    seal(&cache, links);
    links[2] = (struct dyno_kv_link){.span = 300, .blocks = 2, .run = DYNO_KV_NO_RUN};
    ck_assert_uint_eq(dyno_kv_places_resident(cache.places, links, 3, 0, 9), 7);
    ck_assert_uint_eq(dyno_kv_places_resident(cache.places, links, 3, 2, 9), 5);
    ck_assert_uint_eq(dyno_kv_places_resident(cache.places, links, 3, 2, 6), 4);
    ck_assert_uint_eq(dyno_kv_places_resident(cache.places, links, 3, 7, 9), 0);
    ck_assert_uint_eq(dyno_kv_places_resident(cache.places, links, 3, 5, 5), 0);
    close_cache(&cache);
}
END_TEST

static void let_go(struct dyno_kv_cache *cache, struct dyno_kv_link links[2])
{
    dyno_kv_places_drop(cache->places, 0, 7);
    dyno_kv_let_go(cache, links, 2, 7);
}

START_TEST(what_is_forgotten_is_not_found_and_its_places_are_free)
{
    struct dyno_kv_cache cache;
    struct dyno_kv_link links[2];
    uint32_t idle;

    open_cache(&cache);
    seal(&cache, links);
    let_go(&cache, links);
    dyno_kv_forget(&cache, links, 2, (uint32_t)_i, 0);
    ck_assert_uint_eq(dyno_kv_find(&cache, links, 2, 7, &idle),
                      (uint32_t)_i < 7 ? (uint32_t)_i : 7);
    ck_assert_uint_eq(cache.free, CAPACITY - ((uint32_t)_i < 7 ? (uint32_t)_i : 7));
    ck_assert_uint_eq(cache.evicted_blocks, 0);
    close_cache(&cache);
}
END_TEST

START_TEST(what_somebody_holds_is_not_forgotten)
{
    struct dyno_kv_cache cache;
    struct dyno_kv_link links[2];
    uint32_t idle;

    open_cache(&cache);
    seal(&cache, links);
    dyno_kv_forget(&cache, links, 2, 0, 0);
    ck_assert_uint_eq(dyno_kv_find(&cache, links, 2, 7, &idle), 7);
    let_go(&cache, links);
    ck_assert_uint_eq(dyno_kv_find(&cache, links, 2, 2, &idle), 2);
    ck_assert_int_eq(dyno_kv_hold(&cache, links, 2), DYNO_OK); /* the first two of the first */
    dyno_kv_forget(&cache, links, 2, 0, 0);
    ck_assert_uint_eq(dyno_kv_find(&cache, links, 2, 7, &idle), 2);
    dyno_kv_let_go(&cache, links, 1, 2);
    close_cache(&cache);
}
END_TEST

/* Of 12 blocks 5 are free, and 7 idle, the last ones of the second span first: 5 + i are lent. */
START_TEST(what_later_steps_write_over_is_known)
{
    struct dyno_kv_cache cache;
    struct dyno_kv_link links[2];
    uint32_t idle, lent = 5 + (uint32_t)_i;

    open_cache(&cache);
    seal(&cache, links);
    let_go(&cache, links);
    ck_assert_uint_eq(dyno_kv_find(&cache, links, 2, 7, &idle), 7);
    ck_assert(!dyno_kv_places_any_lent(cache.places, links, 7));
    dyno_kv_places_lend_start(cache.places, &cache);
    for (uint32_t i = 0; i < lent; i++) {
        ck_assert_int_eq(dyno_kv_places_lend(cache.places, &cache, 1), DYNO_OK);
    }
    for (uint32_t blocks = 0; blocks <= 7; blocks++) {
        ck_assert(dyno_kv_places_any_lent(cache.places, links, blocks) ==
                  (blocks + (uint32_t)_i > 7));
    }
    dyno_kv_places_trim(cache.places, 1, 0); /* none of these steps was done */
    dyno_kv_places_lend_settle(cache.places, 0);
    ck_assert(!dyno_kv_places_any_lent(cache.places, links, 7));
    close_cache(&cache);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("places");

    tcase_add_test(cases, a_parked_table_keeps_its_blocks_and_leaves_its_slot);
    tcase_add_test(cases, preferred_places_are_taken_first_and_in_order);
    tcase_add_test(cases, what_is_resident_from_a_block_on_is_counted);
    tcase_add_loop_test(cases, what_is_forgotten_is_not_found_and_its_places_are_free, 0, 9);
    tcase_add_test(cases, what_somebody_holds_is_not_forgotten);
    tcase_add_loop_test(cases, what_later_steps_write_over_is_known, 0, 8);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("places", add_cases)

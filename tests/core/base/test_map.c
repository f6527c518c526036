/* The hash map against a plain list that is searched from end to end. */
#include "core/base/map.h"

#include <stdbool.h>

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { KEYS = 300 };

/* The oracle: key i is keys[i] and has a value if present. */
struct naive {
    uint64_t keys[KEYS];
    bool present[KEYS];
    uint32_t values[KEYS];
    size_t count;
};

/* Small numbers, large ones, multiples of large powers of two: all that a poor hash would pile up.
 */
static void choose_keys(struct naive *naive, struct dyno_rng *rng)
{
    for (uint64_t i = 0; i < KEYS; i++) {
        switch (i % 3) {
        case 0:
            naive->keys[i] = i;
            break;
        case 1:
            naive->keys[i] = i << 48;
            break;
        default:
            naive->keys[i] = dyno_rng_u64(rng) | 1;
        }
    }
}

static void put_one(struct dyno_map *map, struct naive *naive, uint64_t i, uint32_t value)
{
    int is_new = -1;
    uint32_t *place = dyno_map_put(map, naive->keys[i], value, &is_new);

    ck_assert(place && is_new == !naive->present[i]);
    if (!naive->present[i]) {
        naive->present[i] = true;
        naive->values[i] = value;
        naive->count++;
    }
    ck_assert_uint_eq(*place, naive->values[i]);
    *place = naive->values[i] = value + 1;
}

static void remove_one(struct dyno_map *map, struct naive *naive, uint64_t i)
{
    dyno_map_remove(map, naive->keys[i]);
    naive->count -= naive->present[i];
    naive->present[i] = false;
}

static void expect_same(const struct dyno_map *map, const struct naive *naive)
{
    int wrong = -1;

    for (int i = 0; i < KEYS; i++) {
        const uint32_t *value = dyno_map_find(map, naive->keys[i]);

        if ((value != NULL) != naive->present[i] || (value && *value != naive->values[i])) {
            wrong = i;
        }
    }
    ck_assert_uint_eq(map->count, naive->count);
    ck_assert_msg(wrong < 0, "key %d is not as it should be", wrong);
}

START_TEST(agrees_with_a_naive_list_over_random_operations)
{
    struct dyno_map map = {0};
    struct naive naive = {0};
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "map");
    choose_keys(&naive, &rng);
    for (uint32_t i = 0; i < 4000; i++) {
        uint64_t which = dyno_rng_below(&rng, KEYS);

        if (dyno_rng_below(&rng, 2)) {
            put_one(&map, &naive, which, i);
        } else {
            remove_one(&map, &naive, which);
        }
        if (i % 16 == 0) {
            expect_same(&map, &naive);
        }
    }
    dyno_map_release(&map);
}
END_TEST

START_TEST(an_empty_map_and_an_empty_key_find_nothing)
{
    struct dyno_map map = {0};

    ck_assert_ptr_null(dyno_map_find(&map, 1));
    dyno_map_remove(&map, 1);
    ck_assert_ptr_nonnull(dyno_map_put(&map, 1, 1, NULL));
    ck_assert_ptr_null(dyno_map_find(&map, DYNO_MAP_NONE));
    dyno_map_remove(&map, DYNO_MAP_NONE);
    ck_assert_uint_eq(map.count, 1);
    dyno_map_clear(&map);
    dyno_map_release(&map);
    ck_assert_uint_eq(map.count, 0);
}
END_TEST

START_TEST(clearing_keeps_the_memory_and_forgets_the_rest)
{
    struct dyno_map map = {0};
    size_t mask;

    for (uint64_t key = 0; key < 1000; key++) {
        ck_assert_ptr_nonnull(dyno_map_put(&map, key, (uint32_t)key, NULL));
    }
    mask = map.mask;
    dyno_map_clear(&map);
    ck_assert_uint_eq(map.count, 0);
    ck_assert_uint_eq(map.mask, mask);
    for (uint64_t key = 0; key < 1000; key++) {
        ck_assert_ptr_null(dyno_map_find(&map, key));
    }
    dyno_map_release(&map);
}
END_TEST

START_TEST(coming_and_going_never_fills_the_map)
{
    struct dyno_map map = {0};

    for (uint64_t key = 0; key < 200000; key++) {
        (void)dyno_map_put(&map, key, 1, NULL);
        if (key >= 10) {
            dyno_map_remove(&map, key - 10);
        }
    }
    ck_assert_uint_eq(map.count, 10);
    ck_assert_uint_lt(map.mask, 64);
    dyno_map_release(&map);
}
END_TEST

START_TEST(the_load_stays_at_three_quarters)
{
    struct dyno_map map = {0};
    int overfull = 0;

    for (uint64_t key = 0; key < 5000; key++) {
        (void)dyno_map_put(&map, key, 1, NULL);
        overfull += 4 * map.count > 3 * (map.mask + 1);
    }
    ck_assert_int_eq(overfull, 0);
    ck_assert_uint_eq(map.count, 5000);
    dyno_map_release(&map);
}
END_TEST

START_TEST(the_mixer_is_murmurs_and_chains_are_never_reserved_values)
{
    struct dyno_rng rng;
    int reserved = 0;

    ck_assert_uint_eq(dyno_mix(0), 0);
    ck_assert_uint_eq(dyno_mix(1), 0xb456bcfc34c2cb2cULL);
    dyno_rng_init(&rng, 5, "chains");
    for (int i = 0; i < 100000; i++) {
        uint64_t id = dyno_chain(dyno_rng_u64(&rng), dyno_rng_below(&rng, 1000));

        reserved += id == 0 || id == DYNO_MAP_NONE;
    }
    ck_assert_int_eq(reserved, 0);
    /* The child that would undo its parent's hash still gets a name. */
    ck_assert_uint_eq(dyno_chain(9, dyno_mix(9 + 0x9e3779b97f4a7c15ULL)), 1);
}
END_TEST

START_TEST(chains_tell_order_and_depth_apart)
{
    uint64_t ab = dyno_chain(dyno_chain(0, 1), 2), ba = dyno_chain(dyno_chain(0, 2), 1);

    ck_assert_uint_ne(ab, ba);
    ck_assert_uint_ne(ab, dyno_chain(0, 2));
    ck_assert_uint_ne(dyno_chain(0, 0), dyno_chain(dyno_chain(0, 0), 0));
    ck_assert_uint_eq(ab, dyno_chain(dyno_chain(0, 1), 2));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("map");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, agrees_with_a_naive_list_over_random_operations, 0, 30);
    tcase_add_test(tc, an_empty_map_and_an_empty_key_find_nothing);
    tcase_add_test(tc, clearing_keeps_the_memory_and_forgets_the_rest);
    tcase_add_test(tc, coming_and_going_never_fills_the_map);
    tcase_add_test(tc, the_load_stays_at_three_quarters);
    tcase_add_test(tc, the_mixer_is_murmurs_and_chains_are_never_reserved_values);
    tcase_add_test(tc, chains_tell_order_and_depth_apart);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("core/base/map", add_cases)

/* The map of ids in flight against a plain list that is searched from end to end. */
#include "core/base/id_map.h"

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { KEPT = 200, ROUNDS = 6000 };

/* The oracle. */
struct naive {
    uint64_t ids[KEPT];
    uint32_t values[KEPT];
    size_t count;
};

static size_t place_of(const struct naive *naive, uint64_t id)
{
    size_t place = 0;

    while (place < naive->count && naive->ids[place] != id) {
        place++;
    }
    return place;
}

static void put_one(struct dyno_id_map *map, struct naive *naive, uint64_t id, uint32_t value)
{
    size_t place = place_of(naive, id);
    bool is_new = false;
    uint32_t *put = dyno_id_map_put(map, id, value, &is_new);

    ck_assert(put && is_new == (place == naive->count));
    if (is_new) {
        naive->ids[naive->count] = id;
        naive->values[naive->count++] = value;
    }
    ck_assert_uint_eq(*put, naive->values[place]);
}

static void remove_one(struct dyno_id_map *map, struct naive *naive, uint64_t id)
{
    size_t place = place_of(naive, id);

    dyno_id_map_remove(map, id);
    if (place < naive->count) {
        naive->ids[place] = naive->ids[--naive->count];
        naive->values[place] = naive->values[naive->count];
    }
}

static void expect_same(const struct dyno_id_map *map, const struct naive *naive, uint64_t absent)
{
    ck_assert_uint_eq(map->count, naive->count);
    for (size_t i = 0; i < naive->count; i++) {
        const uint32_t *value = dyno_id_map_find(map, naive->ids[i]);

        ck_assert(value && *value == naive->values[i]);
    }
    if (place_of(naive, absent) == naive->count) {
        ck_assert_ptr_null(dyno_id_map_find(map, absent));
    }
}

/* Ids come in order and mostly go soon; some stay for ever so long, some are not of that order. */
START_TEST(agrees_with_a_naive_list_while_ids_come_and_go)
{
    struct dyno_id_map map = {0};
    struct naive naive = {0};
    struct dyno_rng rng;
    uint64_t next = (uint64_t)_i << 20;

    dyno_rng_init(&rng, (uint64_t)_i, "ids");
    for (int round = 0; round < ROUNDS; round++) {
        bool fills = round / 500 % 2 == 0;
        uint64_t any = dyno_rng_below(&rng, next + 1);

        if (naive.count < KEPT && dyno_rng_below(&rng, 3) < (fills ? 2 : 1)) {
            uint64_t id = dyno_rng_below(&rng, 20) ? next++ : dyno_rng_u64(&rng) >> 1;

            put_one(&map, &naive, id, (uint32_t)round);
        } else if (naive.count > 0) { /* the newer ones sooner */
            size_t from = dyno_rng_below(&rng, naive.count);

            remove_one(&map, &naive, naive.ids[from + dyno_rng_below(&rng, naive.count - from)]);
        }
        expect_same(&map, &naive, any);
    }
    dyno_id_map_release(&map);
}
END_TEST

/* 7 and 7 + 64 share a slot among 64, whichever goes first. */
START_TEST(two_that_share_a_slot_are_both_found)
{
    struct dyno_id_map map = {0};
    bool is_new;

    ck_assert_ptr_null(dyno_id_map_find(&map, 7));
    dyno_id_map_remove(&map, 7);
    ck_assert_ptr_nonnull(dyno_id_map_put(&map, 7, 70, &is_new));
    ck_assert_ptr_nonnull(dyno_id_map_put(&map, 71, 710, &is_new));
    ck_assert(is_new && *dyno_id_map_find(&map, 7) == 70 && *dyno_id_map_find(&map, 71) == 710);
    ck_assert_uint_eq(*dyno_id_map_put(&map, 71, 1, &is_new), 710);
    ck_assert(!is_new);
    dyno_id_map_remove(&map, 7);
    ck_assert_ptr_null(dyno_id_map_find(&map, 7));
    ck_assert_uint_eq(*dyno_id_map_put(&map, 71, 1, &is_new), 710); /* not once more in the slot */
    ck_assert(!is_new);
    dyno_id_map_remove(&map, 71);
    ck_assert_ptr_null(dyno_id_map_find(&map, 71));
    ck_assert_uint_eq(map.count, 0);
    dyno_id_map_release(&map);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("id map");

    tcase_add_loop_test(tc, agrees_with_a_naive_list_while_ids_come_and_go, 0, 8);
    tcase_add_test(tc, two_that_share_a_slot_are_both_found);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("core/base/id_map", add_cases)

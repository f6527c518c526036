/* The sketch against exact counts, and the ways in which such things go wrong: counters that no key
 * reaches, and ageing that never comes. */
#include "core/kv/sketch.h"

#include <string.h>

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { KEYS = 4096 };

START_TEST(estimates_are_never_too_low_and_seldom_too_high)
{
    static uint32_t counts[KEYS];
    struct dyno_kv_sketch sketch;
    struct dyno_rng rng;
    uint32_t wrong = 0;

    dyno_rng_init(&rng, 1, "sketch");
    memset(counts, 0, sizeof counts);
    ck_assert_int_eq(dyno_kv_sketch_init(&sketch, KEYS), DYNO_OK);
    for (int i = 0; i < 2 * KEYS; i++) { /* before the first ageing */
        uint32_t key = (uint32_t)dyno_rng_below(&rng, KEYS);

        counts[key]++;
        dyno_kv_sketch_see(&sketch, key);
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        uint32_t due = counts[key] < DYNO_SKETCH_MOST ? counts[key] : DYNO_SKETCH_MOST;
        uint32_t estimate = dyno_kv_sketch_estimate(&sketch, key);

        ck_assert_uint_ge(estimate, due);
        wrong += estimate > due + 2;
    }
    ck_assert_uint_lt(wrong, KEYS / 20);
    dyno_kv_sketch_release(&sketch);
}
END_TEST

/* After far more sightings than the sketch has counters, keys that were never seen do not look hot,
 * and those that come always still do. */
START_TEST(what_was_long_ago_is_forgotten)
{
    struct dyno_kv_sketch sketch;
    uint64_t strangers = 0;

    ck_assert_int_eq(dyno_kv_sketch_init(&sketch, KEYS), DYNO_OK);
    for (uint64_t i = 0; i < 30 * KEYS; i++) {
        dyno_kv_sketch_see(&sketch, 1000000 + i); /* each once */
        if (i % 64 == 0) {
            dyno_kv_sketch_see(&sketch, 7);
        }
    }
    for (uint64_t i = 0; i < KEYS; i++) {
        strangers += dyno_kv_sketch_estimate(&sketch, 900000000 + i);
    }
    ck_assert_uint_lt(strangers, 7 * KEYS); /* ten sightings a counter, halved again and again */
    ck_assert_uint_eq(dyno_kv_sketch_estimate(&sketch, 7), DYNO_SKETCH_MOST);
    dyno_kv_sketch_release(&sketch);
}
END_TEST

START_TEST(every_counter_is_some_keys)
{
    struct dyno_kv_sketch sketch;

    ck_assert_int_eq(dyno_kv_sketch_init(&sketch, 256), DYNO_OK);
    sketch.seen_max = UINT64_MAX;
    for (uint64_t key = 0; key < 256 * 64; key++) {
        dyno_kv_sketch_see(&sketch, key);
    }
    for (uint64_t i = 0; i < 4 * sketch.width / 2; i++) {
        ck_assert_uint_eq(sketch.counters[i], 0xff);
    }
    dyno_kv_sketch_release(&sketch);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("sketch");

    tcase_add_test(cases, estimates_are_never_too_low_and_seldom_too_high);
    tcase_add_test(cases, what_was_long_ago_is_forgotten);
    tcase_add_test(cases, every_counter_is_some_keys);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/kv/sketch", add_cases)

/* Alarms against a plain array of times. */
#include "core/base/alarms.h"

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { OWNERS_MAX = 40, ROUNDS = 500, SEEDS = 100 };

static uint32_t earliest(const dyno_ns *times, uint32_t count)
{
    uint32_t found = 0;

    for (uint32_t i = 1; i < count; i++) {
        found = times[i] < times[found] ? i : found;
    }
    return found;
}

/* Few different times, so that ties are common, and DYNO_NEVER now and then. */
START_TEST(the_earliest_is_that_of_an_array)
{
    uint64_t seed = (uint64_t)_i;
    uint32_t count = 1 + (uint32_t)seed % OWNERS_MAX;
    dyno_ns times[OWNERS_MAX];
    struct dyno_alarms alarms;
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "alarms");
    ck_assert_int_eq(dyno_alarms_init(&alarms, count), DYNO_OK);
    ck_assert_uint_eq(dyno_alarms_next(&alarms), DYNO_NEVER);
    for (uint32_t i = 0; i < count; i++) {
        times[i] = DYNO_NEVER;
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t owner = (uint32_t)dyno_rng_below(&rng, count), first;

        times[owner] = dyno_rng_below(&rng, 3) ? dyno_rng_below(&rng, 20) : DYNO_NEVER;
        dyno_alarms_set(&alarms, owner, times[owner]);
        first = earliest(times, count);
        ck_assert_msg(dyno_alarms_next(&alarms) == times[first], "seed %d, round %u", _i, round);
        ck_assert_msg(times[first] == DYNO_NEVER || dyno_alarms_owner(&alarms) == first,
                      "seed %d, round %u: the earliest is %u's", _i, round, first);
    }
    dyno_alarms_release(&alarms);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("alarms");

    tcase_add_loop_test(cases, the_earliest_is_that_of_an_array, 0, SEEDS);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/base/alarms", add_cases)

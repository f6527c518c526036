/* Arrivals in bins: nobody is lost when bins are joined, and each is in the bin of its time. */
#include "traces/timeline.h"

#include "core/base/rng.h"
#include "tests/check_main.h"

START_TEST(bins_hold_everybody_at_the_time_they_came)
{
    enum { COUNT = 1000 };
    struct dyno_timeline timeline = {0};
    static dyno_ns at[COUNT];
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "arrivals");
    for (int i = 0; i < COUNT; i++) {
        at[i] = dyno_rng_below(&rng, (uint64_t)1 << (20 + 5 * _i));
        dyno_timeline_add(&timeline, at[i]);
    }
    ck_assert_uint_le(timeline.bins, DYNO_TIMELINE_BINS);
    for (uint32_t bin = 0; bin < DYNO_TIMELINE_BINS; bin++) {
        uint64_t expected = 0;

        for (int i = 0; i < COUNT; i++) {
            expected += at[i] / timeline.width_ns == bin;
        }
        ck_assert_uint_eq(timeline.count[bin], expected);
        ck_assert(bin < timeline.bins || expected == 0);
    }
    ck_assert_uint_gt(timeline.count[timeline.bins - 1], 0);
}
END_TEST

START_TEST(a_second_is_a_width)
{
    struct dyno_timeline timeline = {0};

    dyno_timeline_add(&timeline, 0);
    ck_assert_uint_eq(timeline.bins, 1);
    dyno_timeline_add(&timeline, 63 * DYNO_S);
    ck_assert_uint_eq(timeline.width_ns, DYNO_S);
    ck_assert_uint_eq(timeline.bins, 64);
    dyno_timeline_add(&timeline, 64 * DYNO_S);
    ck_assert_uint_eq(timeline.width_ns, 2 * DYNO_S);
    ck_assert_uint_eq(timeline.bins, 33);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tests = tcase_create("timeline");

    tcase_add_loop_test(tests, bins_hold_everybody_at_the_time_they_came, 0, 8);
    tcase_add_test(tests, a_second_is_a_width);
    suite_add_tcase(suite, tests);
}

DYNO_CHECK_MAIN("traces/timeline", add_cases)

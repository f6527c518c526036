/* The histogram: exact where it says exact, within its stated error elsewhere, and the same whether
 * a leap is added at once or step by step. */
#include "core/base/histogram.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/rng.h"
#include "tests/check_main.h"

enum { BUCKET_COUNT = 7424 };

struct leap {
    uint64_t carry, first, growth, steps, count;
};

static struct dyno_histogram fresh(void)
{
    struct dyno_histogram histogram;

    ck_assert_int_eq(dyno_histogram_init(&histogram), DYNO_OK);
    return histogram;
}

static bool same_buckets(const struct dyno_histogram *a, const struct dyno_histogram *b)
{
    return a->count == b->count && a->min == b->min && a->max == b->max && a->sum == b->sum &&
           memcmp(a->buckets, b->buckets, BUCKET_COUNT * sizeof *a->buckets) == 0;
}

static bool same(const struct dyno_histogram *a, const struct dyno_histogram *b)
{
    return same_buckets(a, b) && a->squares_low == b->squares_low &&
           a->squares_high == b->squares_high;
}

static void add_at_once(struct dyno_histogram *histogram, struct leap leap)
{
    dyno_histogram_add_steps(histogram, leap.carry, leap.first, leap.growth, leap.steps,
                             leap.count);
}

static void add_one_by_one(struct dyno_histogram *histogram, struct leap leap)
{
    for (uint64_t j = 0; j < leap.steps; j++) {
        dyno_histogram_add_steps(histogram, leap.carry, leap.first, leap.growth, 1, leap.count);
        leap.carry = (leap.carry + leap.first) % DYNO_TICKS_PER_NS;
        leap.first += leap.growth;
    }
}

/* The definition, gap by gap; knows nothing of squares. */
static void add_by_definition(struct dyno_histogram *histogram, struct leap leap)
{
    unsigned __int128 ticks = leap.carry;
    uint64_t before = 0;

    for (uint64_t j = 0; j < leap.steps; j++) {
        uint64_t after;

        ticks += leap.first + (unsigned __int128)leap.growth * j;
        after = (uint64_t)(ticks >> DYNO_TICK_BITS);
        dyno_histogram_add(histogram, after - before, leap.count);
        before = after;
    }
}

/* Any number of up to `bits` bits, small ones as likely as large ones. */
static uint64_t of_any_size(struct dyno_rng *rng, uint32_t bits)
{
    uint64_t width = dyno_rng_below(rng, bits + 1);

    return width ? dyno_rng_u64(rng) >> (64 - width) : 0;
}

static struct leap any_leap(struct dyno_rng *rng)
{
    struct leap leap = {.carry = dyno_rng_below(rng, DYNO_TICKS_PER_NS),
                        .first = of_any_size(rng, 62),
                        .steps = dyno_rng_below(rng, 4) ? 1 + of_any_size(rng, 9) : 1,
                        .count = 1 + of_any_size(rng, 20)};

    if (dyno_rng_below(rng, 4)) {
        leap.growth = of_any_size(rng, 52);
    }
    if (dyno_rng_below(rng, 4) == 0) { /* as leaps mostly are: milliseconds that hardly grow */
        leap.first = dyno_rng_below(rng, (uint64_t)1 << 48);
        leap.growth = of_any_size(rng, 33);
    }
    if (dyno_rng_below(rng, 4) == 0) { /* on or beside a bucket's edge */
        uint64_t edge = (128 + dyno_rng_below(rng, 128)) << dyno_rng_below(rng, 24);

        leap.first = (edge << DYNO_TICK_BITS) - dyno_rng_below(rng, 3 * DYNO_TICKS_PER_NS);
        leap.growth = of_any_size(rng, 20);
    }
    return leap;
}

START_TEST(a_leap_equals_its_steps)
{
    struct dyno_rng rng;
    struct dyno_histogram at_once = fresh(), one_by_one = fresh(), defined = fresh();

    dyno_rng_init(&rng, (uint64_t)_i, "leaps");
    for (int round = 0; round < 50; round++) {
        struct leap leap = any_leap(&rng);

        add_at_once(&at_once, leap);
        add_one_by_one(&one_by_one, leap);
        add_by_definition(&defined, leap);
        ck_assert_msg(same(&at_once, &one_by_one) && same_buckets(&at_once, &defined),
                      "seed %d round %d: carry %llu first %llu growth %llu steps %llu count %llu",
                      _i, round, (unsigned long long)leap.carry, (unsigned long long)leap.first,
                      (unsigned long long)leap.growth, (unsigned long long)leap.steps,
                      (unsigned long long)leap.count);
    }
    dyno_histogram_release(&at_once);
    dyno_histogram_release(&one_by_one);
    dyno_histogram_release(&defined);
}
END_TEST

/* A leap of small numbers that crosses one edge, some of its steps a nanosecond below it. */
static struct leap over_an_edge(struct dyno_rng *rng)
{
    uint64_t edge = (128 + dyno_rng_below(rng, 128)) << (5 + dyno_rng_below(rng, 18));
    uint64_t growth = 1 + of_any_size(rng, 20);
    uint64_t before = dyno_rng_below(rng, 300), after = 1 + dyno_rng_below(rng, 300);

    return (struct leap){.carry = dyno_rng_below(rng, DYNO_TICKS_PER_NS),
                         .first = (edge << DYNO_TICK_BITS) - growth * before -
                                  dyno_rng_below(rng, DYNO_TICKS_PER_NS),
                         .growth = growth,
                         .steps = before + after,
                         .count = 1 + dyno_rng_below(rng, 100)};
}

START_TEST(a_leap_over_an_edge_equals_its_steps)
{
    struct dyno_histogram at_once = fresh(), one_by_one = fresh(), defined = fresh();
    struct dyno_histogram *all[] = {&at_once, &one_by_one, &defined};
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "edges");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) { /* none of them is an extreme */
        dyno_histogram_add(all[i], 1, 1);
        dyno_histogram_add(all[i], (dyno_ns)1 << 40, 1);
    }
    for (int round = 0; round < 100; round++) {
        struct leap leap = over_an_edge(&rng);

        add_at_once(&at_once, leap);
        add_one_by_one(&one_by_one, leap);
        add_by_definition(&defined, leap);
        ck_assert_msg(same(&at_once, &one_by_one) && same_buckets(&at_once, &defined),
                      "seed %d round %d: carry %llu first %llu growth %llu steps %llu count %llu",
                      _i, round, (unsigned long long)leap.carry, (unsigned long long)leap.first,
                      (unsigned long long)leap.growth, (unsigned long long)leap.steps,
                      (unsigned long long)leap.count);
    }
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        dyno_histogram_release(all[i]);
    }
}
END_TEST

START_TEST(each_leap_alone_sets_min_and_max)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "alone");
    for (int round = 0; round < 20; round++) {
        struct leap leap = any_leap(&rng);
        struct dyno_histogram at_once = fresh(), defined = fresh();

        add_at_once(&at_once, leap);
        add_by_definition(&defined, leap);
        ck_assert_uint_eq(at_once.min, defined.min);
        ck_assert_uint_eq(at_once.max, defined.max);
        ck_assert(same_buckets(&at_once, &defined));
        dyno_histogram_release(&at_once);
        dyno_histogram_release(&defined);
    }
}
END_TEST

/* Four steps of 1.5, 2.0, 2.5 and 3.0 ns, half a nanosecond in: boundaries floor(0.5, 2, 4, 6.5,
 * 9.5), so gaps 2, 2, 2, 3; the squares of the durations are 2.25 + 4 + 6.25 + 9 = 21.5 ns^2. */
START_TEST(a_small_leap_by_hand)
{
    struct dyno_histogram histogram = fresh();
    const uint64_t half = DYNO_TICKS_PER_NS / 2;

    dyno_histogram_add_steps(&histogram, half, 3 * half, half, 4, 10);
    ck_assert_uint_eq(histogram.count, 40);
    ck_assert_uint_eq(histogram.buckets[2], 30);
    ck_assert_uint_eq(histogram.buckets[3], 10);
    ck_assert_uint_eq(histogram.min, 2);
    ck_assert_uint_eq(histogram.max, 3);
    ck_assert(histogram.sum == 90);
    ck_assert(histogram.squares_low == (unsigned __int128)215 << 40);
    ck_assert_uint_eq(histogram.squares_high, 0);
    dyno_histogram_release(&histogram);
}
END_TEST

/* At and well beyond the most that 128 bits hold: nearly 2^16 steps of nearly 2^47 ticks, nearly
 * 2^18 times; in the middle of a bucket.  Another leap sets minimum and maximum. */
START_TEST(the_largest_plain_leap_equals_its_steps)
{
    struct leap around = {.first = 1 << 20, .growth = (uint64_t)1 << 50, .steps = 2, .count = 1};
    bool is_long = _i & 1, has_many = _i & 2, is_counted = _i & 4, grows = _i & 8;
    struct leap leap = {.carry = 7,
                        .first = ((uint64_t)1 << (is_long ? 48 : 47)) - ((uint64_t)1 << 38),
                        .growth = grows ? 1 << 8 : 0,
                        .steps = has_many ? 1 << 18 : (1 << 16) - 1,
                        .count = is_counted ? 1 << 20 : (1 << 18) - 1};
    struct dyno_histogram at_once = fresh(), one_by_one = fresh();

    add_at_once(&at_once, around);
    add_one_by_one(&one_by_one, around);
    add_at_once(&at_once, leap);
    add_one_by_one(&one_by_one, leap);
    ck_assert(same(&at_once, &one_by_one));
    dyno_histogram_release(&at_once);
    dyno_histogram_release(&one_by_one);
}
END_TEST

START_TEST(a_leap_of_whole_nanoseconds_is_the_same_as_its_values)
{
    struct dyno_histogram leap = fresh(), values = fresh();

    dyno_histogram_add_steps(&leap, 12345, 1000 * DYNO_TICKS_PER_NS, 7 * DYNO_TICKS_PER_NS, 500, 3);
    for (uint64_t j = 0; j < 500; j++) {
        dyno_histogram_add(&values, 1000 + 7 * j, 3);
    }
    ck_assert(same(&leap, &values));
    dyno_histogram_release(&leap);
    dyno_histogram_release(&values);
}
END_TEST

START_TEST(a_leap_of_a_trillion_steps_costs_nothing)
{
    struct dyno_histogram histogram = fresh();
    const uint64_t steps = 1000000000000;

    dyno_histogram_add_steps(&histogram, 0, 3 * DYNO_TICKS_PER_NS / 2, 0, steps, 1);
    ck_assert_uint_eq(histogram.buckets[1], steps / 2);
    ck_assert_uint_eq(histogram.buckets[2], steps / 2);
    dyno_histogram_add_steps(&histogram, 0, 1, 1, 1000000000, 1); /* sweeps 0 to 953 ns */
    ck_assert_uint_eq(histogram.count, steps + 1000000000);
    ck_assert_uint_eq(histogram.max, 954);
    dyno_histogram_release(&histogram);
}
END_TEST

/* The leap cut in two where its steps number about 2^42, the most that fit below 2^64 ns. */
START_TEST(a_vast_leap_equals_its_halves)
{
    struct dyno_histogram whole = fresh(), halves = fresh();
    const uint64_t half = ((uint64_t)1 << 41) + (uint64_t)_i;
    unsigned __int128 ticks = 77 + (unsigned __int128)half * (10 + half - 1) / 2;

    dyno_histogram_add_steps(&whole, 77, 5, 1, 2 * half, 3);
    dyno_histogram_add_steps(&halves, 77, 5, 1, half, 3);
    dyno_histogram_add_steps(&halves, (uint64_t)(ticks % DYNO_TICKS_PER_NS), 5 + half, 1, half, 3);
    ck_assert(same(&whole, &halves));
    dyno_histogram_release(&whole);
    dyno_histogram_release(&halves);
}
END_TEST

START_TEST(no_steps_and_no_copies_change_nothing)
{
    struct dyno_histogram histogram = fresh(), empty = fresh();

    dyno_histogram_add_steps(&histogram, 5, 1000000, 3, 0, 7);
    dyno_histogram_add_steps(&histogram, 5, 1000000, 3, 7, 0);
    dyno_histogram_add(&histogram, 9, 0);
    ck_assert(same(&histogram, &empty));
    dyno_histogram_release(&histogram);
    dyno_histogram_release(&empty);
}
END_TEST

START_TEST(every_value_has_a_bucket)
{
    struct dyno_histogram histogram = fresh();

    for (int bit = 0; bit < 64; bit++) {
        uint64_t power = (uint64_t)1 << bit;

        dyno_histogram_add(&histogram, power, 1);
        dyno_histogram_add(&histogram, power - 1, 1);
        dyno_histogram_add(&histogram, power + power / 2, 1);
    }
    dyno_histogram_add(&histogram, UINT64_MAX, 1);
    ck_assert_uint_eq(histogram.buckets[BUCKET_COUNT - 1], 1);
    ck_assert_uint_eq(histogram.min, 0);
    ck_assert_uint_eq(histogram.max, UINT64_MAX);
    ck_assert_uint_eq(dyno_histogram_quantile(&histogram, 0), 0);
    dyno_histogram_release(&histogram);
}
END_TEST

START_TEST(an_empty_histogram_answers_zero)
{
    struct dyno_histogram histogram = fresh();

    ck_assert_double_eq(dyno_histogram_mean(&histogram), 0);
    ck_assert_double_eq(dyno_histogram_deviation(&histogram), 0);
    ck_assert_uint_eq(dyno_histogram_quantile(&histogram, 0.5), 0);
    dyno_histogram_release(&histogram);
}
END_TEST

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

START_TEST(quantiles_are_within_one_in_256)
{
    enum { VALUES = 5000 };
    static uint64_t values[VALUES];
    struct dyno_histogram histogram = fresh();
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "quantiles");
    for (int i = 0; i < VALUES; i++) {
        values[i] = of_any_size(&rng, 60);
        dyno_histogram_add(&histogram, values[i], 1);
    }
    qsort(values, VALUES, sizeof *values, by_value);
    for (uint64_t rank = 1; rank <= VALUES; rank++) {
        uint64_t want = values[rank - 1];
        uint64_t got = dyno_histogram_quantile(&histogram, (double)rank / VALUES);
        uint64_t error = got > want ? got - want : want - got;

        ck_assert_msg(error <= want / 256, "rank %llu: %llu is not %llu", (unsigned long long)rank,
                      (unsigned long long)got, (unsigned long long)want);
    }
    dyno_histogram_release(&histogram);
}
END_TEST

START_TEST(quantiles_of_ten_values_by_hand)
{
    struct dyno_histogram histogram = fresh();

    for (uint64_t value = 1; value <= 10; value++) {
        dyno_histogram_add(&histogram, 10 * value, 1);
    }
    ck_assert_uint_eq(dyno_histogram_quantile(&histogram, 0.0), 10);
    ck_assert_uint_eq(dyno_histogram_quantile(&histogram, 0.5), 50);
    ck_assert_uint_eq(dyno_histogram_quantile(&histogram, 0.51), 60);
    ck_assert_uint_eq(dyno_histogram_quantile(&histogram, 0.9), 90);
    ck_assert_uint_eq(dyno_histogram_quantile(&histogram, 0.99), 100);
    ck_assert_uint_eq(dyno_histogram_quantile(&histogram, 1.0), 100);
    dyno_histogram_release(&histogram);
}
END_TEST

/* As decimals these products are whole; as doubles 0.07 * 100 is a hair above 7. */
START_TEST(a_decimal_fraction_means_what_it_says)
{
    struct dyno_histogram histogram = fresh();

    for (uint64_t value = 1; value <= 100; value++) {
        dyno_histogram_add(&histogram, value, 1);
    }
    for (uint64_t value = 1; value <= 100; value++) {
        ck_assert_uint_eq(dyno_histogram_quantile(&histogram, (double)value / 100), value);
    }
    ck_assert_uint_eq(dyno_histogram_quantile(&histogram, 0.07), 7);
    dyno_histogram_release(&histogram);
}
END_TEST

/* A bucket's middle may lie outside what was seen; the answer never does. */
START_TEST(quantiles_stay_between_min_and_max)
{
    struct dyno_histogram histogram = fresh();

    dyno_histogram_add(&histogram, 1000000001, 1);
    ck_assert_uint_eq(dyno_histogram_quantile(&histogram, 0.5), 1000000001);
    ck_assert_uint_eq(dyno_histogram_quantile(&histogram, -1), 1000000001);
    ck_assert_uint_eq(dyno_histogram_quantile(&histogram, 2), 1000000001);
    ck_assert_uint_eq(dyno_histogram_quantile(&histogram, NAN), 1000000001);
    dyno_histogram_release(&histogram);
}
END_TEST

/* 2, 4, 4, 4, 5, 5, 7, 9: mean 5, deviation 2. */
START_TEST(mean_and_deviation_by_hand)
{
    static const uint64_t values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    struct dyno_histogram histogram = fresh();

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        dyno_histogram_add(&histogram, values[i], 1000);
    }
    ck_assert_double_eq(dyno_histogram_mean(&histogram), 5.0);
    ck_assert_double_eq(dyno_histogram_deviation(&histogram), 2.0);
    dyno_histogram_release(&histogram);
}
END_TEST

/* Around 10^18, where a sum of squares in doubles would have lost everything. */
START_TEST(a_small_deviation_around_a_huge_mean_survives)
{
    struct dyno_histogram histogram = fresh();

    dyno_histogram_add(&histogram, 1000000000000000000 + (uint64_t)_i * 9876543210987, 5000000);
    dyno_histogram_add(&histogram, 1000000000000000003 + (uint64_t)_i * 9876543210987, 5000000);
    ck_assert_double_eq(dyno_histogram_deviation(&histogram), 1.5);
    dyno_histogram_release(&histogram);
}
END_TEST

START_TEST(a_huge_deviation_is_right_too)
{
    struct dyno_histogram histogram = fresh();
    const uint64_t shift = (uint64_t)_i * 98765432109876543;

    dyno_histogram_add(&histogram, 1000000000000000000 + shift, 1000);
    dyno_histogram_add(&histogram, 3000000000000000000 + shift, 1000);
    ck_assert_double_eq_tol(dyno_histogram_deviation(&histogram), 1e18, 1e3);
    dyno_histogram_release(&histogram);
}
END_TEST

START_TEST(equal_values_have_no_deviation)
{
    struct dyno_histogram histogram = fresh();

    dyno_histogram_add(&histogram, 123456789123, 77777777);
    ck_assert_double_eq(dyno_histogram_deviation(&histogram), 0);
    ck_assert_double_eq(dyno_histogram_mean(&histogram), 123456789123.0);
    dyno_histogram_release(&histogram);
}
END_TEST

START_TEST(moments_agree_with_two_passes_in_long_double)
{
    enum { VALUES = 4000 };
    static uint64_t values[VALUES];
    struct dyno_histogram histogram = fresh();
    long double mean = 0, squares = 0;
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "moments");
    for (int i = 0; i < VALUES; i++) {
        values[i] = 20000000 + (uint64_t)(dyno_rng_exponential(&rng) * 1e6);
        dyno_histogram_add(&histogram, values[i], 1);
        mean += (long double)values[i] / VALUES;
    }
    for (int i = 0; i < VALUES; i++) {
        squares += ((long double)values[i] - mean) * ((long double)values[i] - mean);
    }
    ck_assert_double_eq_tol(dyno_histogram_mean(&histogram), (double)mean, 1e-6);
    ck_assert_double_eq_tol(dyno_histogram_deviation(&histogram), (double)sqrtl(squares / VALUES),
                            1e-5);
    dyno_histogram_release(&histogram);
}
END_TEST

START_TEST(merging_equals_adding_to_one)
{
    struct dyno_histogram parts[3] = {fresh(), fresh(), fresh()};
    struct dyno_histogram whole = fresh(), merged = fresh();
    struct dyno_rng rng;

    dyno_rng_init(&rng, (uint64_t)_i, "merging");
    for (int i = 0; i < 300; i++) {
        struct leap leap = any_leap(&rng);

        add_at_once(&whole, leap);
        add_at_once(&parts[dyno_rng_below(&rng, 2)], leap);
    }
    for (int i = 0; i < 3; i++) { /* the third stayed empty */
        dyno_histogram_merge(&merged, &parts[i]);
        dyno_histogram_release(&parts[i]);
    }
    ck_assert(same(&merged, &whole));
    dyno_histogram_release(&whole);
    dyno_histogram_release(&merged);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("histogram");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, a_leap_equals_its_steps, 0, 100);
    tcase_add_loop_test(tc, a_leap_over_an_edge_equals_its_steps, 0, 20);
    tcase_add_loop_test(tc, each_leap_alone_sets_min_and_max, 0, 50);
    tcase_add_test(tc, a_small_leap_by_hand);
    tcase_add_loop_test(tc, the_largest_plain_leap_equals_its_steps, 0, 16);
    tcase_add_test(tc, a_leap_of_whole_nanoseconds_is_the_same_as_its_values);
    tcase_add_test(tc, a_leap_of_a_trillion_steps_costs_nothing);
    tcase_add_loop_test(tc, a_vast_leap_equals_its_halves, 0, 6);
    tcase_add_test(tc, no_steps_and_no_copies_change_nothing);
    tcase_add_test(tc, every_value_has_a_bucket);
    tcase_add_test(tc, an_empty_histogram_answers_zero);
    tcase_add_loop_test(tc, quantiles_are_within_one_in_256, 0, 5);
    tcase_add_test(tc, quantiles_of_ten_values_by_hand);
    tcase_add_test(tc, a_decimal_fraction_means_what_it_says);
    tcase_add_test(tc, quantiles_stay_between_min_and_max);
    tcase_add_test(tc, mean_and_deviation_by_hand);
    tcase_add_loop_test(tc, a_small_deviation_around_a_huge_mean_survives, 0, 20);
    tcase_add_loop_test(tc, a_huge_deviation_is_right_too, 0, 20);
    tcase_add_test(tc, equal_values_have_no_deviation);
    tcase_add_loop_test(tc, moments_agree_with_two_passes_in_long_double, 0, 5);
    tcase_add_loop_test(tc, merging_equals_adding_to_one, 0, 10);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("core/base/histogram", add_cases)

/* Random numbers: the published generator, bit for bit, and distributions that are what they say.
 * The statistical tests have fixed seeds; their bounds are about four standard errors. */
#include "core/base/rng.h"

#include <math.h>
#include <string.h>

#include "core/base/math.h"
#include "tests/check_main.h"

enum { DRAWS = 200000 };

struct moments {
    double mean;
    double variance;
};

static struct dyno_rng stream(uint64_t seed, const char *purpose)
{
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, purpose);
    return rng;
}

static struct moments moments_of(const double *values, int count)
{
    struct moments result = {0, 0};

    for (int i = 0; i < count; i++) {
        result.mean += values[i] / count;
    }
    for (int i = 0; i < count; i++) {
        result.variance += (values[i] - result.mean) * (values[i] - result.mean) / count;
    }
    return result;
}

/* Pearson's statistic of `cells` counts that should all be equal. */
static double chi_square(const uint32_t *counts, int cells, double draws)
{
    double want = draws / cells, sum = 0;

    for (int i = 0; i < cells; i++) {
        sum += (counts[i] - want) * (counts[i] - want) / want;
    }
    return sum;
}

/* The first outputs of the authors' own xoshiro256** from the state 1, 2, 3, 4. */
START_TEST(the_generator_is_the_published_one)
{
    static const uint64_t want[] = {11520,
                                    0,
                                    1509978240,
                                    1215971899390074240U,
                                    1216172134540287360U,
                                    607988272756665600U,
                                    16172922978634559625U,
                                    8476171486693032832U,
                                    10595114339597558777U,
                                    2904607092377533576U};
    struct dyno_rng rng = {.state = {1, 2, 3, 4}};

    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        ck_assert_uint_eq(dyno_rng_u64(&rng), want[i]);
    }
}
END_TEST

START_TEST(seeding_never_changes)
{
    struct dyno_rng rng = stream(42, "arrivals");

    ck_assert_uint_eq(rng.state[0], 617457069937583057U);
    ck_assert_uint_eq(rng.state[3], 5684637401171864109U);
    ck_assert_uint_eq(dyno_rng_u64(&rng), 9591243376012435382U);
}
END_TEST

START_TEST(a_stream_depends_on_seed_and_name_only)
{
    struct dyno_rng first = stream(7, "arrivals"), again = stream(7, "arrivals");
    struct dyno_rng named = stream(7, "sizes"), seeded = stream(8, "arrivals");

    ck_assert(memcmp(&first, &again, sizeof first) == 0);
    ck_assert_uint_ne(dyno_rng_u64(&first), dyno_rng_u64(&named));
    ck_assert_uint_ne(dyno_rng_u64(&again), dyno_rng_u64(&seeded));
}
END_TEST

START_TEST(streams_of_neighbouring_seeds_are_unrelated)
{
    int equal_bits = 0;

    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct dyno_rng a = stream(seed, "x"), b = stream(seed + 1, "x");

        equal_bits += 64 - __builtin_popcountll(dyno_rng_u64(&a) ^ dyno_rng_u64(&b));
    }
    ck_assert_int_lt(abs(equal_bits - 32000), 4 * 127); /* deviation sqrt(64000) / 2 */
}
END_TEST

START_TEST(below_stays_below_and_reaches_everything)
{
    struct dyno_rng rng = stream(1, "below");

    for (uint64_t bound = 1; bound <= 40; bound++) {
        uint64_t seen = 0, largest = 0;

        for (int i = 0; i < 2000; i++) {
            uint64_t value = dyno_rng_below(&rng, bound);

            largest = value > largest ? value : largest;
            seen |= (uint64_t)1 << (value & 63);
        }
        ck_assert_uint_lt(largest, bound);
        ck_assert_uint_eq(seen, ((uint64_t)1 << bound) - 1);
    }
    ck_assert_uint_eq(dyno_rng_below(&rng, 1), 0);
}
END_TEST

START_TEST(below_is_uniform)
{
    uint32_t counts[100] = {0};
    struct dyno_rng rng = stream((uint64_t)_i, "uniform");

    for (int i = 0; i < DRAWS; i++) {
        counts[dyno_rng_below(&rng, 100)]++;
    }
    ck_assert_double_lt(chi_square(counts, 100, DRAWS), 99 + 4 * sqrt(2 * 99));
}
END_TEST

/* With a bound of 3 * 2^62, taking the draw modulo the bound would favour the lowest third two to
 * one, and a plain multiplication the lowest of every three values. */
START_TEST(below_a_huge_bound_is_uniform_too)
{
    uint32_t thirds[3] = {0}, rests[3] = {0};
    struct dyno_rng rng = stream(3, "huge");

    for (int i = 0; i < DRAWS; i++) {
        uint64_t value = dyno_rng_below(&rng, (uint64_t)3 << 62);

        thirds[value >> 62]++;
        rests[value % 3]++;
    }
    ck_assert_double_lt(chi_square(thirds, 3, DRAWS), 2 + 4 * sqrt(2 * 2));
    ck_assert_double_lt(chi_square(rests, 3, DRAWS), 2 + 4 * sqrt(2 * 2));
}
END_TEST

START_TEST(unit_is_uniform_on_its_interval)
{
    static double values[DRAWS];
    struct dyno_rng rng = stream((uint64_t)_i, "unit");
    int outside = 0;
    struct moments moments;

    for (int i = 0; i < DRAWS; i++) {
        values[i] = dyno_rng_unit(&rng);
        outside += !(values[i] >= 0 && values[i] < 1);
    }
    ck_assert_int_eq(outside, 0);
    moments = moments_of(values, DRAWS);
    ck_assert_double_eq_tol(moments.mean, 0.5, 0.0026);
    ck_assert_double_eq_tol(moments.variance, 1.0 / 12, 0.0007);
}
END_TEST

START_TEST(exponential_has_mean_one_and_no_memory)
{
    static double values[DRAWS];
    struct dyno_rng rng = stream((uint64_t)_i, "exponential");
    int above_one = 0, above_two = 0, outside = 0;
    struct moments moments;

    for (int i = 0; i < DRAWS; i++) {
        values[i] = dyno_rng_exponential(&rng);
        outside += !(values[i] >= 0 && values[i] < 40);
        above_one += values[i] > 1;
        above_two += values[i] > 2;
    }
    moments = moments_of(values, DRAWS);
    ck_assert_int_eq(outside, 0);
    ck_assert_double_eq_tol(moments.mean, 1.0, 0.009);
    ck_assert_double_eq_tol(moments.variance, 1.0, 0.026);
    ck_assert_double_eq_tol((double)above_one / DRAWS, exp(-1), 0.0044);
    ck_assert_double_eq_tol((double)above_two / above_one, exp(-1), 0.0072);
}
END_TEST

START_TEST(normal_has_the_shape_of_a_bell)
{
    static double values[DRAWS];
    struct dyno_rng rng = stream((uint64_t)_i, "normal");
    uint32_t counts[10] = {0};
    struct moments moments;

    for (int i = 0; i < DRAWS; i++) {
        values[i] = dyno_rng_normal(&rng);
        /* Its own distribution function makes it uniform. */
        counts[(int)(9.999999 * 0.5 * erfc(-values[i] / sqrt(2)))]++;
    }
    moments = moments_of(values, DRAWS);
    ck_assert_double_eq_tol(moments.mean, 0.0, 0.009);
    ck_assert_double_eq_tol(moments.variance, 1.0, 0.0127);
    ck_assert_double_lt(chi_square(counts, 10, DRAWS), 9 + 4 * sqrt(2 * 9));
}
END_TEST

START_TEST(gamma_has_its_mean_and_variance)
{
    static const double shapes[] = {0.05, 0.25, 0.5, 1.0, 1.5, 4.0, 100.0};
    static double values[DRAWS];
    double shape = shapes[_i];
    struct dyno_rng rng = stream(11, "gamma");
    struct moments moments;
    /* The fourth central moment is 3 a^2 + 6 a. */
    double variance_error = sqrt((2 * shape * shape + 6 * shape) / DRAWS);
    int outside = 0;

    for (int i = 0; i < DRAWS; i++) {
        values[i] = dyno_rng_gamma(&rng, shape);
        outside += !(values[i] >= 0 && isfinite(values[i]));
    }
    ck_assert_int_eq(outside, 0);
    moments = moments_of(values, DRAWS);
    ck_assert_double_eq_tol(moments.mean, shape, 4 * sqrt(shape / DRAWS));
    ck_assert_double_eq_tol(moments.variance, shape, 4 * variance_error);
}
END_TEST

START_TEST(gamma_of_one_is_exponential)
{
    struct dyno_rng rng = stream(12, "gamma");
    int above_one = 0;

    for (int i = 0; i < DRAWS; i++) {
        above_one += dyno_rng_gamma(&rng, 1.0) > 1;
    }
    ck_assert_double_eq_tol((double)above_one / DRAWS, exp(-1), 0.0044);
}
END_TEST

START_TEST(gamma_of_extreme_shapes_is_still_a_number)
{
    struct dyno_rng rng = stream(13, "gamma");

    for (int i = 0; i < 1000; i++) {
        double tiny = dyno_rng_gamma(&rng, 1e-9), vast = dyno_rng_gamma(&rng, 1e12);

        ck_assert(tiny >= 0 && tiny < 1);
        ck_assert_double_eq_tol(vast / 1e12, 1.0, 1e-5);
    }
}
END_TEST

/* Every distribution in turn; the same on every machine, or recorded results would not be. */
START_TEST(distributions_never_change_a_bit)
{
    struct dyno_rng rng = stream(2024, "golden");
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (int i = 0; i < 10000; i++) {
        double sum = dyno_rng_exponential(&rng) + dyno_rng_normal(&rng) +
                     dyno_rng_gamma(&rng, 0.3) + dyno_rng_gamma(&rng, 3.0) +
                     (double)dyno_rng_below(&rng, 1000003);
        uint64_t bits;

        memcpy(&bits, &sum, sizeof bits);
        hash = (hash ^ bits) * 0x100000001b3ULL;
    }
    ck_assert_msg(hash == 0xb0200c3833d633f8U, "the draws now fold to 0x%016llx",
                  (unsigned long long)hash);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("rng");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_generator_is_the_published_one);
    tcase_add_test(tc, seeding_never_changes);
    tcase_add_test(tc, a_stream_depends_on_seed_and_name_only);
    tcase_add_test(tc, streams_of_neighbouring_seeds_are_unrelated);
    tcase_add_test(tc, below_stays_below_and_reaches_everything);
    tcase_add_loop_test(tc, below_is_uniform, 0, 5);
    tcase_add_test(tc, below_a_huge_bound_is_uniform_too);
    tcase_add_loop_test(tc, unit_is_uniform_on_its_interval, 0, 5);
    tcase_add_loop_test(tc, exponential_has_mean_one_and_no_memory, 0, 5);
    tcase_add_loop_test(tc, normal_has_the_shape_of_a_bell, 0, 5);
    tcase_add_loop_test(tc, gamma_has_its_mean_and_variance, 0, 7);
    tcase_add_test(tc, gamma_of_one_is_exponential);
    tcase_add_test(tc, gamma_of_extreme_shapes_is_still_a_number);
    tcase_add_test(tc, distributions_never_change_a_bit);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("core/base/rng", add_cases)

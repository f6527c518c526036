/* Paired figures by hand, and how often their intervals hold the truth. */
#include "reports/paired.h"

#include <math.h>
#include <string.h>

#include "reports/pairing.h"
#include "tests/check_main.h"
#include "tests/reports/paired_worlds.h"

enum { REQUESTS = 40 };

static void near(double got, double due)
{
    ck_assert_msg(fabs(got - due) <= 1e-9 * (1 + fabs(due)), "%.15g is not %.15g", got, due);
}

/* One a second; `wait_ms` until the first token, then two more, 10 ms apart. */
static struct dyno_request_record request(uint32_t i, double wait_ms)
{
    dyno_ns at = (i + 1) * DYNO_S, token = at + (dyno_ns)(wait_ms * 1e6);

    return (struct dyno_request_record){.id = i,
                                        .outcome = DYNO_COMPLETED,
                                        .prompt_tokens = 100,
                                        .output_tokens = 3,
                                        .cached_tokens = 25,
                                        .scheduled_ns = at,
                                        .arrival_ns = at,
                                        .ready_ns = at,
                                        .admitted_ns = at + DYNO_MS,
                                        .first_token_ns = token,
                                        .last_token_ns = token + 20 * DYNO_MS};
}

static void compare(struct dyno_paired_figures *out, const struct dyno_request_record *a,
                    const struct dyno_request_record *b, uint32_t count)
{
    const struct dyno_request_record *records[] = {a, b};

    ck_assert_int_eq(
        dyno_paired_compute(out, &(struct dyno_paired_input){.arms = 2,
                                                             .streams = 1,
                                                             .slo = {.ttft_ns = 110 * DYNO_MS},
                                                             .records = records,
                                                             .counts = &count,
                                                             .draws = 200,
                                                             .seed = 1}),
        DYNO_OK);
}

static const struct dyno_estimate *difference(const struct dyno_paired_figures *figures,
                                              const char *name)
{
    return &figures->difference[0][1][dyno_paired_metric_find(name)];
}

/* Waits of 100, 102, ... 178 ms against as many plus 5: every figure moves by 5, for certain. */
START_TEST(a_shift_of_all_is_found_exactly)
{
    struct dyno_request_record a[REQUESTS], b[REQUESTS];
    struct dyno_paired_figures figures;

    for (uint32_t i = 0; i < REQUESTS; i++) {
        a[i] = request(i, 100 + 2 * i);
        b[i] = request(i, 105 + 2 * i);
    }
    compare(&figures, a, b, REQUESTS);
    ck_assert_uint_eq(figures.requests, REQUESTS);
    ck_assert_uint_eq(figures.losses[0][1], REQUESTS);
    near(figures.arm[0][dyno_paired_metric_find("ttft_ms.mean")].value, 139);
    near(figures.arm[0][dyno_paired_metric_find("ttft_ms.p50")].value, 138); /* the 20th of 40 */
    near(figures.arm[0][dyno_paired_metric_find("ttft_ms.p99")].value, 178); /* the 40th */
    near(figures.arm[0][dyno_paired_metric_find("goodput.fraction")].value, 6.0 / 40);
    near(figures.arm[0][dyno_paired_metric_find("kv.token_hit_rate")].value, 0.25);
    near(difference(&figures, "ttft_ms.mean")->value, 5);
    near(difference(&figures, "ttft_ms.mean")->low, 5);
    near(difference(&figures, "ttft_ms.mean")->high, 5);
    near(difference(&figures, "ttft_ms.p50")->value, 5);
    near(difference(&figures, "e2e_ms.mean")->value, 5);
    near(difference(&figures, "tpot_ms.mean")->value, 0);
    ck_assert_uint_eq(figures.blocks[0][1][dyno_paired_metric_find("ttft_ms.mean")].less, 0);
    ck_assert_uint_ge(figures.blocks[0][1][dyno_paired_metric_find("ttft_ms.mean")].more, 5);
    near(figures.blocks[0][1][dyno_paired_metric_find("tpot_ms.mean")].flip_p, 1);
    near(difference(&figures, "goodput.fraction")->value, -3.0 / 40);
}
END_TEST

START_TEST(who_was_not_completed_in_every_arm_is_left_out)
{
    struct dyno_request_record a[REQUESTS], b[REQUESTS];
    struct dyno_paired_figures figures;

    for (uint32_t i = 0; i < REQUESTS; i++) {
        a[i] = request(i, i == 7 ? 9000 : 100);
        b[i] = request(i, 100);
    }
    b[7].outcome = DYNO_FAILED;
    b[7].admitted_ns = b[7].first_token_ns = b[7].last_token_ns = DYNO_NEVER;
    compare(&figures, a, b, REQUESTS);
    ck_assert_uint_eq(figures.incomplete, 1);
    near(figures.arm[0][dyno_paired_metric_find("ttft_ms.mean")].value, 100);
    near(difference(&figures, "completed.fraction")->value, -1.0 / 40);
}
END_TEST

START_TEST(too_few_have_no_interval)
{
    struct dyno_request_record a[REQUESTS], b[REQUESTS];
    struct dyno_paired_figures figures;

    for (uint32_t i = 0; i < REQUESTS; i++) {
        a[i] = request(i, 100 + i % 7);
        b[i] = request(i, 100 + i % 5);
    }
    compare(&figures, a, b, DYNO_PAIRED_REQUESTS_MIN - 1);
    ck_assert(isfinite(difference(&figures, "ttft_ms.mean")->value));
    ck_assert(isnan(difference(&figures, "ttft_ms.mean")->low));
    ck_assert(isnan(difference(&figures, "ttft_ms.mean")->p));
}
END_TEST

START_TEST(turns_of_a_session_pair_whatever_their_numbers)
{
    struct dyno_request_record a[4], b[4];
    const struct dyno_request_record *records[] = {a, b};
    struct dyno_pairing pairing;
    dyno_ns when;

    for (uint32_t i = 0; i < 4; i++) {
        a[i] = request(i, 100);
        b[i] = request(i, 100);
    }
    a[0].session = a[2].session = 7; /* a: 7.0, -, 7.1, -;  b: 7.0, -, -, 7.1 */
    b[0].session = b[3].session = 7;
    a[2].prompt_tokens = b[3].prompt_tokens = 500;
    ck_assert_int_eq(dyno_pairing_make(&pairing, 2, records, (uint32_t[]){4, 4}), DYNO_OK);
    ck_assert_uint_eq(pairing.count, 4);
    ck_assert_uint_eq(pairing.unpaired, 0);
    ck_assert_uint_eq(pairing.arrivals_moved, 2);
    ck_assert_uint_eq(pairing.records[1][2].id, 3);
    ck_assert_uint_eq(pairing.records[1][3].id, 2);
    ck_assert_uint_eq(dyno_pairing_parts_at(&pairing, 0, 1, &when), 2); /* came at 3 s, and at 4 */
    ck_assert_uint_eq(when, 3 * DYNO_S);
    dyno_pairing_release(&pairing);

    b[1].prompt_tokens = 101;
    ck_assert_int_eq(dyno_pairing_make(&pairing, 2, records, (uint32_t[]){4, 3}), DYNO_OK);
    ck_assert_uint_eq(pairing.unpaired, 2); /* one is longer there, one is missing */
    dyno_pairing_release(&pairing);
}
END_TEST

START_TEST(arms_part_where_a_decision_differs_first)
{
    struct dyno_request_record a[4], b[4];
    const struct dyno_request_record *records[] = {a, b};
    struct dyno_pairing pairing;
    dyno_ns when;

    for (uint32_t i = 0; i < 4; i++) {
        a[i] = b[i] = request(i, 5000);
    }
    b[0].last_token_ns += DYNO_S; /* 7.02 s: because of what happened at 3 s */
    b[2].worker = 1;
    ck_assert_int_eq(dyno_pairing_make(&pairing, 2, records, (uint32_t[]){4, 4}), DYNO_OK);
    ck_assert_uint_eq(dyno_pairing_parts_at(&pairing, 0, 1, &when), 2);
    ck_assert_uint_eq(when, 3 * DYNO_S);
    dyno_pairing_release(&pairing);
}
END_TEST

/* Counts of 100 intervals with a true coverage of 95 % lie within four standard errors (9 points)
 * of it; tests/bench/bench_coverage.c has more of them. */
static void check_coverage(const struct paired_world *world, const char *metric)
{
    enum { WORLDS = 100 };
    struct world_truth truths[2];
    uint32_t covered = 0;
    double truth;

    world_truths(world, truths);
    truth = world_truth(truths, metric);
    for (uint32_t i = 0; i < WORLDS; i++) {
        struct dyno_paired_figures figures;
        const struct dyno_estimate *found;

        ck_assert_int_eq(world_compare(world, 1 + (uint64_t)i * world->seeds, 150, true, &figures),
                         DYNO_OK);
        found = difference(&figures, metric);
        covered += found->low <= truth && truth <= found->high;
    }
    ck_assert_msg(covered >= 86 && covered < WORLDS, "%s: %u of %d cover", metric, covered, WORLDS);
}

START_TEST(nineteen_of_twenty_intervals_by_blocks_cover)
{
    check_coverage(
        &(struct paired_world){.rate = 0.4, .slowdown = 1.1, .requests = 1500, .seeds = 1},
        "ttft_ms.mean");
}
END_TEST

START_TEST(nineteen_of_twenty_intervals_by_seeds_cover)
{
    check_coverage(
        &(struct paired_world){.rate = 0.5, .slowdown = 1.1, .requests = 400, .seeds = 6},
        "ttft_ms.mean");
}
END_TEST

/* A queue that remembers a thirtieth of the run. */
START_TEST(nineteen_of_twenty_intervals_cover_at_a_high_load)
{
    check_coverage(
        &(struct paired_world){.rate = 0.7, .slowdown = 1.1, .requests = 4000, .seeds = 1},
        "ttft_ms.mean");
}
END_TEST

/* A queue that is loaded to 89 % over 10,000 requests, of which a run holds but twenty memories. */
START_TEST(nineteen_of_twenty_intervals_cover_where_a_run_is_short)
{
    check_coverage(
        &(struct paired_world){.rate = 0.85, .slowdown = 1.05, .requests = 10000, .seeds = 1},
        "ttft_ms.mean");
}
END_TEST

/* By hand: seeds that add 1 ... 5 have a mean of 3 and a standard error of sqrt(2.5 / 5), and t of
 * 4 is 2.7764; draws without skewness move nothing, nor does a figure that their mean is not. */
START_TEST(seeds_without_skewness_have_students_interval_around_the_figure)
{
    static const double added[] = {1, 2, 3, 4, 5}, draws[] = {2, 4, 2, 4};
    const struct dyno_bootstrap bootstrap = {
        .streams = 5, .cells = 10, .block_cells = 1, .draws = 4};
    struct dyno_estimate got = dyno_bootstrap_replicates(&bootstrap, 3.5, added, 5, draws, 1);

    near(got.value, 3.5);
    near(got.error, sqrt(0.5));
    ck_assert_double_eq_tol(got.high - got.value, 2.776445 * sqrt(0.5), 1e-5);
    ck_assert_double_eq_tol(got.value - got.low, 2.776445 * sqrt(0.5), 1e-5);
}
END_TEST

/* By hand: draws of 2 and 4 in 25 blocks, of cells that show no memory (100 of them), have a
 * standard error of sqrt(4 / 3) sqrt(25 / 24) 1.02 = 1.202082 and no skewness: Student's interval,
 * t of 3 / 4 of 24 being 2.100922.  A level of 10 that moves with them asks for one of 4 x 1.202082
 * / 10 = 0.480833, with which the end above is -1.5 / skew ln(1 + 2/3 skew (-t - skew / 6))
 * = 3.747075 errors off.  A level that moves the other way moves the other end, and one that stays
 * where it is neither. */
START_TEST(a_latency_is_more_often_far_above_than_far_below)
{
    static const double draws[] = {2, 4, 2, 4}, falling[] = {12, 10, 12, 10},
                        still[] = {9, 9, 9, 9}, influence[100];
    const struct dyno_bootstrap bootstrap = {
        .streams = 1, .shared = true, .cells = 100, .block_cells = 4, .draws = 4};
    const struct dyno_drawn drawn = {.draws = draws, .influence = influence};
    const double error = 1.202082, t = 2.100922, far = 3.747075;
    struct dyno_estimate got = dyno_bootstrap_waiting(&bootstrap, 3, &drawn, 10, 2, draws);

    ck_assert_double_eq_tol(got.error, error, 1e-6);
    ck_assert_double_eq_tol(got.high, 3 + far * error, 1e-4);
    ck_assert_double_eq_tol(got.low, 3 - t * error, 1e-5);
    got = dyno_bootstrap_waiting(&bootstrap, 3, &drawn, 10, 2, falling);
    ck_assert_double_eq_tol(got.high, 3 + t * error, 1e-5);
    ck_assert_double_eq_tol(got.low, 3 - far * error, 1e-4);
    got = dyno_bootstrap_waiting(&bootstrap, 3, &drawn, 10, 2, still);
    ck_assert_double_eq_tol(got.high, 3 + t * error, 1e-5);
    ck_assert_double_eq_tol(got.low, 3 - t * error, 1e-5);
}
END_TEST

/* A mean of which a run holds ten memories is known 1.2 times less well than its draws say; a share
 * as well as they say. */
START_TEST(a_short_run_knows_its_mean_less_well)
{
    static const double draws[] = {2, 4, 2, 4}, influence[100];
    struct dyno_bootstrap bootstrap = {
        .streams = 1, .shared = true, .cells = 100, .block_cells = 4, .draws = 4};
    const struct dyno_drawn drawn = {.draws = draws, .influence = influence};
    double share = dyno_bootstrap_estimate(&bootstrap, 3, &drawn, true).error;

    near(share, sqrt(4.0 / 3) * sqrt(25.0 / 24)); /* 25 blocks; a deviation of 4 draws */
    near(dyno_bootstrap_estimate(&bootstrap, 3, &drawn, false).error, 1.02 * share);
    near(dyno_bootstrap_unseen(10), 1.2);
    near(dyno_bootstrap_unseen(0.5), 3);
}
END_TEST

/* The variance of the mean of blocks of `block` cells, one by one. */
static double variance_by_blocks(const double *series, uint32_t cells, uint32_t block)
{
    double squares = 0, blocks = (double)cells / block;

    for (uint32_t first = 0; first < cells; first++) {
        double mean = 0;

        for (uint32_t i = 0; i < block; i++) {
            mean += series[(first + i) % cells] / block;
        }
        squares += mean * mean / cells;
    }
    return squares / (blocks - 1);
}

/* Fill `series` with noise of which `kept` of the last noise is left; around 0. */
static void remember_noise(double *series, uint32_t cells, struct dyno_rng *rng, double kept,
                           bool is_summed)
{
    double last = 0, mean = 0;

    for (uint32_t i = 0; i < cells; i++) {
        double noise = dyno_rng_normal(rng);

        series[i] = noise + kept * last;
        last = is_summed ? series[i] : noise;
        mean += series[i] / cells;
    }
    for (uint32_t i = 0; i < cells; i++) {
        series[i] -= mean;
    }
}

/* 250 cells that remember nothing ask for blocks of as many as there may be: 10. */
START_TEST(two_lengths_of_blocks_tell_what_one_misses)
{
    struct dyno_long_run got;
    double series[250], ten, five;
    struct dyno_rng rng;

    dyno_rng_init(&rng, 3, "lengths");
    remember_noise(series, 250, &rng, 0, false);
    got = dyno_long_run_of(&(struct dyno_long_run_input){
        .series = series, .streams = 1, .shared = false, .cells = 250, .block_cells = 25});
    ten = variance_by_blocks(series, 250, 10);
    five = variance_by_blocks(series, 250, 5);
    ck_assert_double_eq_tol(got.variance, (10 * ten - 5 * five) / 5, 1e-12);
    ck_assert_double_eq_tol(got.ratio, got.variance / variance_by_blocks(series, 250, 25), 1e-9);
    near(got.freedom, 18);
}
END_TEST

/* Of noise that keeps 0.6 of itself a mean of 256 varies by 1 / (1 - 0.6)^2 / 256; of noise that
 * takes back 0.9 of what the cell before had, by (1 - 0.9)^2 / 256, of which blocks of 10 show
 * eighteen times as much: all but the noise at their ends cancels out. */
START_TEST(what_works_for_and_against_each_other_is_both_seen)
{
    enum { TRIES = 200 };
    double kept = 0, taken = 0, shown = 0, series[256];
    struct dyno_rng rng;

    dyno_rng_init(&rng, 4, "against");
    for (int i = 0; i < TRIES; i++) {
        remember_noise(series, 256, &rng, 0.6, true);
        kept += dyno_long_run_of(&(struct dyno_long_run_input){.series = series,
                                                               .streams = 1,
                                                               .shared = false,
                                                               .cells = 256,
                                                               .block_cells = 10})
                    .variance *
                256 / TRIES;
        remember_noise(series, 256, &rng, -0.9, false);
        taken += dyno_long_run_of(&(struct dyno_long_run_input){.series = series,
                                                                .streams = 1,
                                                                .shared = false,
                                                                .cells = 256,
                                                                .block_cells = 10})
                     .variance *
                 256 / TRIES;
        shown += variance_by_blocks(series, 256, 10) * 256 / TRIES;
    }
    ck_assert_msg(kept > 0.85 / 0.16 && kept < 1.1 / 0.16, "%g", kept);
    ck_assert_msg(shown > 0.15 && shown < 0.25, "%g", shown);
    ck_assert_msg(taken < 0.04, "%g", taken);
}
END_TEST

/* Seeds of the same traffic are one: their mean, and no more of it. */
START_TEST(streams_of_the_same_traffic_are_one)
{
    struct dyno_long_run once, twice, apart;
    double series[500];
    struct dyno_rng rng;

    dyno_rng_init(&rng, 5, "streams");
    remember_noise(series, 250, &rng, 0.3, true);
    for (uint32_t i = 0; i < 250; i++) {
        series[250 + i] = series[i];
    }
    once = dyno_long_run_of(&(struct dyno_long_run_input){
        .series = series, .streams = 1, .shared = true, .cells = 250, .block_cells = 10});
    twice = dyno_long_run_of(&(struct dyno_long_run_input){
        .series = series, .streams = 2, .shared = true, .cells = 250, .block_cells = 10});
    apart = dyno_long_run_of(&(struct dyno_long_run_input){
        .series = series, .streams = 2, .shared = false, .cells = 250, .block_cells = 20});
    near(twice.variance, once.variance);
    near(twice.freedom, once.freedom);
    near(twice.memories, once.memories);
    near(apart.memories, 2 * once.memories);
    ck_assert_double_lt(apart.variance, 0.8 * once.variance);
}
END_TEST

/* Two arms that do not differ are told apart in one of twenty tries, not more. */
START_TEST(arms_that_do_not_differ_are_seldom_told_apart)
{
    enum { WORLDS = 80 };
    uint32_t told = 0;

    for (uint32_t i = 0; i < WORLDS; i++) {
        struct dyno_request_record a[1200], b[1200];
        struct dyno_paired_figures figures;

        world_serve(&(struct paired_world){.rate = 0.4, .slowdown = 1, .requests = 1200}, 2 * i, a,
                    b);
        world_serve(&(struct paired_world){.rate = 0.4, .slowdown = 1, .requests = 1200}, 2 * i + 1,
                    b, b);
        for (uint32_t j = 0; j < 1200; j++) { /* the other's waits, at the same arrivals */
            b[j].first_token_ns = a[j].arrival_ns + b[j].first_token_ns - b[j].arrival_ns;
            b[j].arrival_ns = a[j].arrival_ns;
            b[j].last_token_ns = b[j].first_token_ns;
        }
        compare(&figures, a, b, 1200);
        told += difference(&figures, "ttft_ms.mean")->p < 0.05;
    }
    ck_assert_msg(told <= WORLDS * 0.15, "%u of %d", told, WORLDS);
}
END_TEST

START_TEST(blocks_are_as_long_as_the_dependence)
{
    double series[256], smooth = 0;
    struct dyno_rng rng;

    dyno_rng_init(&rng, 1, "blocks");
    for (int i = 0; i < 256; i++) {
        series[i] = dyno_rng_normal(&rng);
    }
    ck_assert_double_lt(dyno_memory_of(series, 256).block, 6);
    for (int i = 0; i < 256; i++) {
        smooth = 0.9 * smooth + dyno_rng_normal(&rng);
        series[i] = smooth;
    }
    ck_assert_double_gt(dyno_memory_of(series, 256).block, 12);
    for (int i = 0; i < 256; i++) {
        series[i] = 3;
    }
    ck_assert_double_eq(dyno_memory_of(series, 256).block, 1);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("paired");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, a_shift_of_all_is_found_exactly);
    tcase_add_test(cases, who_was_not_completed_in_every_arm_is_left_out);
    tcase_add_test(cases, too_few_have_no_interval);
    tcase_add_test(cases, turns_of_a_session_pair_whatever_their_numbers);
    tcase_add_test(cases, arms_part_where_a_decision_differs_first);
    tcase_add_test(cases, nineteen_of_twenty_intervals_by_blocks_cover);
    tcase_add_test(cases, nineteen_of_twenty_intervals_by_seeds_cover);
    tcase_add_test(cases, nineteen_of_twenty_intervals_cover_where_a_run_is_short);
    tcase_add_test(cases, nineteen_of_twenty_intervals_cover_at_a_high_load);
    tcase_add_test(cases, seeds_without_skewness_have_students_interval_around_the_figure);
    tcase_add_test(cases, a_latency_is_more_often_far_above_than_far_below);
    tcase_add_test(cases, a_short_run_knows_its_mean_less_well);
    tcase_add_test(cases, two_lengths_of_blocks_tell_what_one_misses);
    tcase_add_test(cases, what_works_for_and_against_each_other_is_both_seen);
    tcase_add_test(cases, streams_of_the_same_traffic_are_one);
    tcase_add_test(cases, arms_that_do_not_differ_are_seldom_told_apart);
    tcase_add_test(cases, blocks_are_as_long_as_the_dependence);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("reports/paired", add_cases)

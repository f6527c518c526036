/* The generator: arrival laws, lengths, shared prefixes, sessions.  Samples are large enough and
 * bounds wide enough (five standard errors or more) that a sound generator passes with any seed. */
#include "tests/check_main.h"
#include "tests/traces/support.h"
#include "traces/arrival.h"
#include "traces/course.h"
#include "traces/law.h"

static struct dyno_generator_config config_with(uint64_t seed, uint64_t requests)
{
    return (struct dyno_generator_config){.seed = seed,
                                          .requests = requests,
                                          .arrival = "poisson:100",
                                          .input_tokens = "100",
                                          .output_tokens = "10"};
}

static void haul_generated(struct haul *haul, const struct dyno_generator_config *config,
                           dyno_ns service)
{
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *source;

    haul_init(haul);
    haul->status = dyno_generator_open(&source, config, &pacing, &haul->answers, &haul->error);
    ck_assert_msg(haul->status == DYNO_OK, "%s", haul->error.text);
    haul_all(haul, source, service);
    ck_assert(source->ops->finished(source));
    source->ops->close(source);
}

static void ck_near(double value, double expected, double tolerance)
{
    ck_assert_msg(value > expected - tolerance && value < expected + tolerance,
                  "%g is not %g +- %g", value, expected, tolerance);
}

/* Mean and squared coefficient of variation of `count` gaps. */
static void gaps(const char *law, uint64_t seed, int count, double *mean, double *variation)
{
    struct dyno_arrival arrival;
    struct dyno_error error;
    double sum = 0, squares = 0, last = 0;

    ck_assert_msg(dyno_arrival_init(&arrival, law, seed, &error) == DYNO_OK, "%s", error.text);
    for (int i = 0; i < count; i++) {
        double now = (double)dyno_arrival_next(&arrival) / 1e9;

        sum += now - last;
        squares += (now - last) * (now - last);
        last = now;
    }
    dyno_arrival_release(&arrival);
    *mean = sum / count;
    *variation = squares / count / (*mean * *mean) - 1;
}

START_TEST(constant_arrivals_do_not_drift)
{
    struct dyno_generator_config config = config_with(1, 2001);
    struct haul haul;

    config.arrival = "constant:3";
    haul_generated(&haul, &config, 0);
    ck_assert_uint_eq(haul.items[0].request.arrival_ns, 0);
    ck_assert_uint_eq(haul.items[1].request.arrival_ns, 333333333);
    ck_assert_uint_eq(haul.items[3].request.arrival_ns, DYNO_S);
    ck_assert_uint_eq(haul.items[1500].request.arrival_ns, 500 * DYNO_S);
    haul_release(&haul);
}
END_TEST

START_TEST(gaps_have_the_mean_and_variation_of_their_law)
{
    double mean, variation;

    gaps("poisson:50", (uint64_t)_i, 100000, &mean, &variation);
    ck_near(mean, 0.02, 0.0005);
    ck_near(variation, 1, 0.1);
    gaps("gamma:50,2", (uint64_t)_i, 100000, &mean, &variation);
    ck_near(mean, 0.02, 0.001);
    ck_near(variation, 4, 0.6);
    gaps("gamma:50,0.5", (uint64_t)_i, 100000, &mean, &variation);
    ck_near(mean, 0.02, 0.0005);
    ck_near(variation, 0.25, 0.03);
}
END_TEST

/* Arrivals of a law in each of `count` windows of `width` seconds. */
static void count_in_windows(const char *law, uint64_t seed, double width, int *counts, int count)
{
    struct dyno_arrival arrival;
    struct dyno_error error;
    dyno_ns at;

    memset(counts, 0, (size_t)count * sizeof *counts);
    ck_assert_msg(dyno_arrival_init(&arrival, law, seed, &error) == DYNO_OK, "%s", error.text);
    while ((at = dyno_arrival_next(&arrival)) != DYNO_NEVER) {
        int window = (int)((double)at / 1e9 / width);

        if (window >= count) {
            break;
        }
        counts[window]++;
    }
    dyno_arrival_release(&arrival);
}

START_TEST(a_sine_has_its_rate_at_each_hour_of_the_day)
{
    int counts[4];

    /* integral of 100 + 50 sin(2 pi t / 400 s) over quarters: 100 * 100 +- 50 * 400 / (2 pi) */
    count_in_windows("sine:100,50,400s", (uint64_t)_i, 100, counts, 4);
    ck_near(counts[0], 13183, 600);
    ck_near(counts[1], 13183, 600);
    ck_near(counts[2], 6817, 450);
    ck_near(counts[3], 6817, 450);
}
END_TEST

START_TEST(rates_hold_from_their_time_on)
{
    int counts[4];

    count_in_windows("rates:100@0s,0@100s,50@200s,0@5min", (uint64_t)_i, 100, counts, 4);
    ck_near(counts[0], 10000, 550);
    ck_assert_int_eq(counts[1], 0);
    ck_near(counts[2], 5000, 400);
    ck_assert_int_eq(counts[3], 0);
}
END_TEST

static double mean_of(const char *text, uint64_t seed, uint32_t *low, uint32_t *high)
{
    struct dyno_law law;
    struct dyno_rng rng;
    struct dyno_error error;
    double sum = 0;

    ck_assert_msg(dyno_law_parse_tokens(&law, "x", text, &error) == DYNO_OK, "%s", error.text);
    dyno_rng_init(&rng, seed, "test");
    *low = UINT32_MAX;
    *high = 0;
    for (int i = 0; i < 100000; i++) {
        uint32_t tokens = dyno_law_tokens(&law, &rng);

        *low = tokens < *low ? tokens : *low;
        *high = tokens > *high ? tokens : *high;
        sum += tokens;
    }
    return sum / 100000;
}

/* A length holds from its own time on; one alone holds always. */
START_TEST(a_length_may_change_as_time_goes_on)
{
    struct dyno_course course = {0};
    struct dyno_rng rng;
    struct dyno_error error;

    dyno_rng_init(&rng, 1, "test");
    ck_assert_int_eq(dyno_course_parse(&course, "x", "100@0s;uniform:7,8@10s;9@1min", &error),
                     DYNO_OK);
    ck_assert_uint_eq(dyno_course_tokens(&course, 0, &rng), 100);
    ck_assert_uint_eq(dyno_course_tokens(&course, 10 * DYNO_S - 1, &rng), 100);
    ck_assert_uint_le(dyno_course_tokens(&course, 10 * DYNO_S, &rng), 8);
    ck_assert_uint_eq(dyno_course_tokens(&course, 3600 * DYNO_S, &rng), 9);
    dyno_course_release(&course);
    ck_assert_int_eq(dyno_course_parse(&course, "x", "5", &error), DYNO_OK);
    ck_assert_uint_eq(dyno_course_tokens(&course, 3600 * DYNO_S, &rng), 5);
    dyno_course_release(&course);
}
END_TEST

START_TEST(a_course_that_is_none_is_refused)
{
    static const char *const bad[] = {"1@1s",    "1@0s;2@0s", "1@0s;2", "1@0s;", "1@0s;2@x", "@0s",
                                      "1@0s;;2", "x@0s",      ";",      "1@-1s", ""};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct dyno_course course = {0};
        struct dyno_error error = {0};

        ck_assert_msg(dyno_course_parse(&course, "input_tokens", bad[i], &error) == DYNO_BAD_INPUT,
                      "%s", bad[i]);
        ck_assert_msg(strstr(error.text, "input_tokens"), "%s", error.text);
        dyno_course_release(&course);
    }
}
END_TEST

START_TEST(lengths_follow_their_law)
{
    uint32_t low, high;

    ck_near(mean_of("1024", (uint64_t)_i, &low, &high), 1024, 1e-9);
    ck_near(mean_of("uniform:10,20", (uint64_t)_i, &low, &high), 15, 0.06);
    ck_assert_uint_eq(low, 10);
    ck_assert_uint_eq(high, 20);
    ck_near(mean_of("normal:1000,100", (uint64_t)_i, &low, &high), 1000, 2);
    ck_near(mean_of("exponential:1000", (uint64_t)_i, &low, &high), 1000, 20);
    ck_near(mean_of("lognormal:1000,0.5", (uint64_t)_i, &low, &high), 1133.1, 12); /* e^(1/8) */
    (void)mean_of("normal:5,100", (uint64_t)_i, &low, &high);
    ck_assert_uint_eq(low, 1);
    (void)mean_of("lognormal:1000000,5", (uint64_t)_i, &low, &high);
    ck_assert_uint_eq(high, 16777216);
}
END_TEST

START_TEST(one_seed_gives_one_history_and_another_seed_another)
{
    struct dyno_generator_config config = config_with(7, 100);
    struct haul one, again, other;

    config.input_tokens = "exponential:1000";
    haul_generated(&one, &config, 0);
    haul_generated(&again, &config, 0);
    config.seed = 8;
    haul_generated(&other, &config, 0);
    for (size_t i = 0; i < 100; i++) {
        ck_assert_uint_eq(one.items[i].request.arrival_ns, again.items[i].request.arrival_ns);
        ck_assert_uint_eq(one.items[i].request.prompt_tokens, again.items[i].request.prompt_tokens);
    }
    ck_assert_uint_ne(one.items[50].request.arrival_ns, other.items[50].request.arrival_ns);
    haul_release(&one);
    haul_release(&again);
    haul_release(&other);
}
END_TEST

START_TEST(one_law_does_not_move_another)
{
    struct dyno_generator_config config = config_with(7, 100);
    struct haul one, other;

    haul_generated(&one, &config, 0);
    config.input_tokens = "exponential:1000";
    config.prefix_groups = 3;
    config.prefix_tokens = "uniform:10,20";
    haul_generated(&other, &config, 0);
    for (size_t i = 0; i < 100; i++) {
        ck_assert_uint_eq(one.items[i].request.arrival_ns, other.items[i].request.arrival_ns);
    }
    haul_release(&one);
    haul_release(&other);
}
END_TEST

START_TEST(a_duration_ends_generation)
{
    struct dyno_generator_config config = config_with(1, 0);
    struct haul haul;

    config.arrival = "constant:10";
    config.duration_ns = 5 * DYNO_S;
    haul_generated(&haul, &config, 0);
    ck_assert_uint_eq(haul.count, 50);
    haul_release(&haul);
}
END_TEST

START_TEST(concurrency_makes_a_closed_loop)
{
    struct dyno_generator_config config = config_with(1, 6);
    struct haul haul;

    config.arrival = "concurrency:2";
    haul_generated(&haul, &config, DYNO_MS); /* ended at once, a millisecond after the send */
    ck_assert_uint_eq(haul.items[1].request.arrival_ns, 0);
    ck_assert_uint_eq(haul.items[2].request.arrival_ns, DYNO_MS);
    ck_assert_uint_eq(haul.items[5].request.arrival_ns, 2 * DYNO_MS);
    ck_assert_uint_eq(haul.items[5].request.scheduled_ns, 2 * DYNO_MS);
    haul_release(&haul);
}
END_TEST

START_TEST(prefixes_are_shared_along_a_path_of_the_tree)
{
    struct dyno_generator_config config = config_with((uint64_t)_i, 1000);
    struct haul haul;
    uint64_t roots[2] = {0};
    int root_times[2] = {0};

    config.prefix_groups = 2;
    config.prefix_tokens = "40";
    config.prefix_depth = 1;
    config.prefix_branches = 3;
    haul_generated(&haul, &config, 0);
    for (size_t i = 0; i < haul.count; i++) {
        const struct taken *taken = &haul.items[i];
        int which;

        ck_assert_uint_eq(taken->request.prompt_tokens, 180); /* 2 x 40 shared, 100 of its own */
        ck_assert_uint_eq(taken->request.span_count, 2);
        ck_assert_uint_eq(taken->spans[0].blocks, 2); /* 40 / 16 */
        ck_assert_uint_eq(taken->spans[1].blocks, 3); /* 80 / 16 - 2 */
        roots[0] = roots[0] ? roots[0] : taken->spans[0].id;
        which = taken->spans[0].id != roots[0];
        roots[1] = which ? taken->spans[0].id : roots[1];
        ck_assert_uint_eq(taken->spans[0].id, roots[which]);
        root_times[which]++;
    }
    ck_assert_int_gt(root_times[1], 300);
    ck_assert_int_gt(root_times[0], 300);
    ck_assert_uint_eq(haul.counts.block_refs, 1000 * 11);
    ck_assert_uint_eq(haul.counts.block_refs_distinct, 2 * (2 + 3 * 3));
    ck_assert_uint_eq(haul.counts.block_refs_seen, 1000 * 5 - 2 * (2 + 3 * 3));
    haul_release(&haul);
}
END_TEST

START_TEST(popular_groups_follow_zipf)
{
    struct dyno_generator_config config = config_with((uint64_t)_i, 4000);
    struct haul haul;
    uint64_t most = 0;
    int times = 0, most_times = 0;

    config.prefix_groups = 3;
    config.prefix_tokens = "16";
    config.prefix_zipf = 1;
    haul_generated(&haul, &config, 0);
    for (size_t i = 0; i < haul.count; i++) { /* the majority's identity, by voting */
        most = times == 0 ? haul.items[i].spans[0].id : most;
        times += haul.items[i].spans[0].id == most ? 1 : -1;
    }
    for (size_t i = 0; i < haul.count; i++) {
        most_times += haul.items[i].spans[0].id == most;
    }
    ck_near(most_times, 4000 * 6.0 / 11, 170); /* 1 / (1 + 1/2 + 1/3) */
    haul_release(&haul);
}
END_TEST

/* 2000 draws: a share of 0.7 has a deviation of 20, one of 0.25 of 19. */
START_TEST(tenants_and_priorities_come_in_their_shares)
{
    struct dyno_generator_config config = config_with(2, 2000);
    uint32_t tenants[3] = {0}, urgent = 0;
    struct haul haul;

    config.tenants = "1.4,0.6";
    config.priorities = "0:3,-5:1";
    haul_generated(&haul, &config, 0);
    for (size_t i = 0; i < haul.count; i++) {
        ck_assert_uint_le(haul.items[i].request.tenant, 2);
        tenants[haul.items[i].request.tenant]++;
        urgent += haul.items[i].request.priority == -5;
    }
    ck_assert_uint_eq(tenants[0], 0);
    ck_near(tenants[1], 1400, 80);
    ck_near(urgent, 500, 80);
    haul_release(&haul);
    config.tenants = config.priorities = NULL;
    haul_generated(&haul, &config, 0);
    ck_assert_uint_eq(haul.items[0].request.tenant, 0);
    ck_assert_int_eq(haul.items[0].request.priority, 0);
    haul_release(&haul);
}
END_TEST

START_TEST(shares_that_cannot_be_are_refused)
{
    static const char *const bad[] = {"",    "0",   "1,",   ",1",  "-1",  "a",
                                      "1:1", "1;1", "1 ,1", "inf", "1e10"};
    static const char *const bad_pairs[] = {"1",   "0:0",   "0:1,",        ":1",
                                            "x:1", "0.5:1", "4294967296:1"};
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *source;
    struct dyno_error error;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct dyno_generator_config config = config_with(1, 6);

        config.tenants = bad[i];
        ck_assert_msg(dyno_generator_open(&source, &config, &pacing, NULL, &error) ==
                          DYNO_BAD_INPUT,
                      "'%s'", bad[i]);
        ck_assert_ptr_nonnull(strstr(error.text, "tenants is "));
    }
    for (size_t i = 0; i < sizeof bad_pairs / sizeof bad_pairs[0]; i++) {
        struct dyno_generator_config config = config_with(1, 6);

        config.priorities = bad_pairs[i];
        ck_assert_msg(dyno_generator_open(&source, &config, &pacing, NULL, &error) ==
                          DYNO_BAD_INPUT,
                      "'%s'", bad_pairs[i]);
        ck_assert_ptr_nonnull(strstr(error.text, "VALUE:SHARE"));
    }
}
END_TEST

START_TEST(a_turn_sends_all_before_it_and_shares_its_whole_blocks)
{
    struct dyno_generator_config config = config_with(1, 6);
    struct haul haul;

    config.arrival = "constant:1";
    config.prefix_groups = 1;
    config.prefix_tokens = "20";
    config.session_turns = "3";
    config.think_time = "0.25";
    haul_generated(&haul, &config, DYNO_MS);
    for (size_t i = 0; i < 3; i++) {
        const struct taken *taken = &haul.items[i];
        uint32_t tokens = 20 + 100 + (uint32_t)i * 110;

        ck_assert_uint_eq(taken->request.prompt_tokens, tokens);
        ck_assert_uint_eq(taken->request.arrival_ns, i * 251 * DYNO_MS);
        ck_assert_uint_eq(taken->request.session, 1);
        ck_assert_uint_eq(taken->request.span_count, 2);
        ck_assert_uint_eq(taken->spans[0].id, haul.items[0].spans[0].id);
        ck_assert_uint_eq(taken->spans[0].blocks, 1);
        ck_assert_uint_eq(taken->spans[1].id, haul.items[0].spans[1].id);
        ck_assert_uint_eq(taken->spans[1].blocks, tokens / 16 - 1);
    }
    ck_assert_uint_eq(haul.items[3].request.session, 2);
    ck_assert_uint_eq(haul.items[3].spans[0].id, haul.items[0].spans[0].id);
    ck_assert_uint_ne(haul.items[3].spans[1].id, haul.items[0].spans[1].id);
    ck_assert_uint_eq(haul.counts.sessions, 2);
    /* a later turn finds all whole blocks of the turn before, the second session the prefix */
    ck_assert_uint_eq(haul.counts.block_refs, 2 * (7 + 14 + 21));
    ck_assert_uint_eq(haul.counts.block_refs_seen, 2 * (7 + 14) + 1);
    haul_release(&haul);
}
END_TEST

START_TEST(a_session_ends_before_its_prompt_is_too_long)
{
    struct dyno_generator_config config = config_with(1, 5);
    struct haul haul;

    config.input_tokens = "8000000";
    config.session_turns = "10";
    haul_generated(&haul, &config, 0);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_eq(haul.items[i].request.prompt_tokens % 8000000, i % 2 ? 10 : 0);
    }
    ck_assert_uint_eq(haul.counts.sessions, 3);
    haul_release(&haul);
}
END_TEST

START_TEST(bad_laws_are_refused_with_what_would_be_right)
{
    static const char *const arrivals[] = {
        "",          "poisson",      "poisson:",      "poisson:0",        "poisson:-1",
        "poisson:x", "poisson:1,2",  "gamma:1",       "gamma:1,0",        "sine:1,2,3s",
        "sine:2,1",  "sine:2,1,1",   "sine:2,1,0s",   "rates:1@5s",       "rates:0@0s",
        "rates:1",   "rates:1@0s,1", "rates:1@0s,@5", "rates:1@0s,1@0s",  "concurrency:0",
        "constant:", "concurrency:", "constant:nan",  "concurrency:1e99", "weekly:1"};
    static const char *const lengths[] = {
        "",          "0",           "-5",           "1e9",       "nan",       "uniform:5",
        "x:5",       "uniform:5,4", "normal:5",     "normal:,5", "gamma:5,5", "lognormal:5,11",
        "uniform:,", "1024,5",      "exponential:", "5 "};
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_generator_config config = config_with(1, 5);
    struct dyno_source *source;
    struct dyno_error error;

    for (size_t i = 0; i < sizeof arrivals / sizeof arrivals[0]; i++) {
        config.arrival = arrivals[i];
        ck_assert_msg(dyno_generator_open(&source, &config, &pacing, NULL, &error) ==
                          DYNO_BAD_INPUT,
                      "arrival '%s' was taken", arrivals[i]);
        ck_assert_ptr_nonnull(strstr(error.text, "arrival is '"));
        ck_assert_ptr_nonnull(strstr(error.text, "expected "));
    }
    config.arrival = "poisson:1";
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        config.input_tokens = lengths[i];
        ck_assert_msg(dyno_generator_open(&source, &config, &pacing, NULL, &error) ==
                          DYNO_BAD_INPUT,
                      "length '%s' was taken", lengths[i]);
        ck_assert_ptr_nonnull(strstr(error.text, "input_tokens is '"));
    }
    config.input_tokens = NULL;
    ck_assert_int_eq(dyno_generator_open(&source, &config, &pacing, NULL, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "input_tokens is not given; expected a number"));
}
END_TEST

START_TEST(a_generator_without_end_is_refused)
{
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_generator_config config = config_with(1, 0);
    struct dyno_source *source;
    struct dyno_error error;

    ck_assert_int_eq(dyno_generator_open(&source, &config, &pacing, NULL, &error), DYNO_BAD_INPUT);
    ck_assert_str_eq(error.text,
                     "a generator without end; expected --requests N or --duration TIME");
    config.arrival = "concurrency:4";
    config.duration_ns = DYNO_S;
    ck_assert_int_eq(dyno_generator_open(&source, &config, &pacing, NULL, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "a closed loop"));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("generator");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, constant_arrivals_do_not_drift);
    tcase_add_loop_test(tcase, gaps_have_the_mean_and_variation_of_their_law, 0, 5);
    tcase_add_loop_test(tcase, a_sine_has_its_rate_at_each_hour_of_the_day, 0, 5);
    tcase_add_loop_test(tcase, rates_hold_from_their_time_on, 0, 5);
    tcase_add_test(tcase, a_length_may_change_as_time_goes_on);
    tcase_add_test(tcase, a_course_that_is_none_is_refused);
    tcase_add_loop_test(tcase, lengths_follow_their_law, 0, 5);
    tcase_add_test(tcase, one_seed_gives_one_history_and_another_seed_another);
    tcase_add_test(tcase, one_law_does_not_move_another);
    tcase_add_test(tcase, a_duration_ends_generation);
    tcase_add_test(tcase, concurrency_makes_a_closed_loop);
    tcase_add_loop_test(tcase, prefixes_are_shared_along_a_path_of_the_tree, 0, 5);
    tcase_add_loop_test(tcase, popular_groups_follow_zipf, 0, 5);
    tcase_add_test(tcase, a_turn_sends_all_before_it_and_shares_its_whole_blocks);
    tcase_add_test(tcase, tenants_and_priorities_come_in_their_shares);
    tcase_add_test(tcase, shares_that_cannot_be_are_refused);
    tcase_add_test(tcase, a_session_ends_before_its_prompt_is_too_long);
    tcase_add_test(tcase, bad_laws_are_refused_with_what_would_be_right);
    tcase_add_test(tcase, a_generator_without_end_is_refused);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("traces/generator", add_cases)

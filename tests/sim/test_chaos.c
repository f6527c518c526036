/* Faults: how they are written, when they come, and what a worker feels of them. */
#include "tests/check_main.h"

#include <string.h>

#include "sim/chaos.h"

static struct dyno_chaos_fault read_well(const char *text)
{
    struct dyno_chaos_fault fault = {0};
    struct dyno_error error = {0};

    ck_assert_msg(dyno_chaos_parse(&fault, "--fault", text, &error) == DYNO_OK, "%s", error.text);
    return fault;
}

static void refused(const char *text, const char *why)
{
    struct dyno_chaos_fault fault = {0};
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_chaos_parse(&fault, "--fault", text, &error), DYNO_BAD_INPUT);
    ck_assert_msg(strstr(error.text, why) != NULL, "%s: %s", text, error.text);
    ck_assert_uint_eq(fault.until, 0);
}

START_TEST(a_fault_says_what_when_and_how)
{
    struct dyno_chaos_fault fault = read_well("worker:2@120s=dead");

    ck_assert_int_eq(fault.kind, DYNO_FAULT_DEATH);
    ck_assert_uint_eq(fault.first, 2);
    ck_assert_uint_eq(fault.last, 2);
    ck_assert_uint_eq(fault.at, 120 * DYNO_S);
    ck_assert_uint_eq(fault.until, 120 * DYNO_S);
    fault = read_well("worker:4-7@2min..3.5min=dead");
    ck_assert_uint_eq(fault.first, 4);
    ck_assert_uint_eq(fault.last, 7);
    ck_assert_uint_eq(fault.until, 210 * DYNO_S);
    ck_assert_uint_eq(read_well("worker:0@0..never=dead").until, DYNO_NEVER);
    fault = read_well("worker:1@30s..40s=frozen");
    ck_assert_int_eq(fault.kind, DYNO_FAULT_STALL);
    ck_assert_uint_eq(fault.slowness, 0);
    ck_assert_uint_eq(read_well("worker:1@30s..40s=slow:3").slowness, 3);
    fault = read_well("disk:1-2@30s..40s=down");
    ck_assert_int_eq(fault.kind, DYNO_FAULT_LINK);
    ck_assert_int_eq(fault.part, DYNO_LINK_DISK);
    ck_assert_uint_eq(fault.last, 2);
    ck_assert_uint_eq(fault.slowness, 0);
    fault = read_well("switch:rack1@30s..40s=slow:10");
    ck_assert_int_eq(fault.part, DYNO_LINK_SWITCH);
    ck_assert_str_eq(fault.name, "rack1");
}
END_TEST

START_TEST(what_is_no_fault_is_refused_in_words)
{
    refused("", "does not begin with worker:N@");
    refused("worker", "does not begin with");
    refused("walker:1@2s=dead", "does not begin with");
    refused("worker:@2s=dead", "does not begin with");
    refused("worker:-1@2s=dead", "does not begin with");
    refused("worker:3-1@2s=dead", "does not begin with");
    refused("worker:1-@2s=dead", "does not begin with");
    refused("worker:99999999999@2s=dead", "does not begin with");
    refused("worker:1=dead", "does not begin with");
    refused("worker:1@2=dead", "does not say when");
    refused("worker:1@2s", "does not say when");
    refused("worker:1@2s..1s=dead", "does not say when");
    refused("worker:1@2s..2s=dead", "does not say when");
    refused("worker:1@never=dead", "does not say when");
    refused("worker:1@-2s=dead", "does not say when");
    refused("worker:1@2s=", "does not end with");
    refused("worker:1@2s=deaf", "does not end with");
    refused("worker:1@2s..3s=slow", "does not end with");
    refused("worker:1@2s..3s=slow:1", "does not end with");
    refused("worker:1@2s..3s=slow:2.5", "does not end with");
    refused("worker:1@2s..3s=slow:1001", "does not end with");
    refused("worker:1@2s=frozen", "has no end");
    refused("worker:1@2s..never=slow:2", "has no end");
    refused("nic:1@2s..3s=dead", "does not end with =down or =slow:N");
    refused("nic:1@2s..3s=frozen", "does not end with");
    refused("worker:1@2s..3s=down", "does not end with");
    refused("nic:1@2s=down", "has no end, and what a link has");
    refused("switch:@2s..3s=down", "does not begin with");
    refused("switch:a-name-that-is-longer-than-any-switch-may-have@2s..3s=down",
            "does not begin with");
}
END_TEST

/* ---- when they come -------------------------------------------------------------------------- */

static struct dyno_faults *open_list(const struct dyno_chaos_fault *faults, uint32_t count)
{
    struct dyno_faults *chaos = NULL;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_chaos_open(&chaos,
                                  &(struct dyno_chaos_config){
                                      .worker_count = 4, .faults = faults, .fault_count = count},
                                  &error) == DYNO_OK,
                  "%s", error.text);
    return chaos;
}

static struct dyno_fault_record take(struct dyno_faults *chaos)
{
    struct dyno_fault_record record = {0};

    ck_assert(chaos->ops->take(chaos, chaos->ops->next(chaos), &record));
    return record;
}

START_TEST(they_come_in_time_order_and_of_equal_ones_as_they_were_said)
{
    struct dyno_chaos_fault faults[] = {read_well("worker:2-3@20s=dead"),
                                        read_well("worker:1@10s=dead"),
                                        read_well("worker:0@20s=dead")};
    struct dyno_faults *chaos = open_list(faults, 3);
    static const uint32_t order[] = {1, 2, 3, 0};

    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(take(chaos).target, order[i]);
    }
    ck_assert_uint_eq(chaos->ops->next(chaos), DYNO_NEVER);
    chaos->ops->close(chaos);
}
END_TEST

START_TEST(the_weather_is_bad_in_a_stall_and_known_until_the_next)
{
    struct dyno_chaos_fault faults[] = {read_well("worker:1@10s..20s=slow:3"),
                                        read_well("worker:1@30s..40s=frozen")};
    struct dyno_faults *chaos = open_list(faults, 2);
    struct dyno_weather weather;

    dyno_chaos_weather(chaos, 1, 5 * DYNO_S, &weather);
    ck_assert_uint_eq(weather.slowness, 1);
    ck_assert_uint_eq(weather.until, 10 * DYNO_S);
    (void)take(chaos);
    dyno_chaos_weather(chaos, 1, 10 * DYNO_S, &weather);
    ck_assert_uint_eq(weather.slowness, 3);
    ck_assert_uint_eq(weather.until, 20 * DYNO_S);
    dyno_chaos_weather(chaos, 1, 20 * DYNO_S, &weather);
    ck_assert_uint_eq(weather.slowness, 1);
    ck_assert_uint_eq(weather.until, 30 * DYNO_S);
    (void)take(chaos);
    dyno_chaos_weather(chaos, 1, 31 * DYNO_S, &weather);
    ck_assert_uint_eq(weather.slowness, 0);
    ck_assert_uint_eq(weather.until, 40 * DYNO_S);
    dyno_chaos_weather(chaos, 0, 31 * DYNO_S, &weather);
    ck_assert_uint_eq(weather.until, DYNO_NEVER);
    chaos->ops->close(chaos);
}
END_TEST

START_TEST(stalls_of_one_worker_that_overlap_are_refused)
{
    struct dyno_chaos_fault faults[] = {read_well("worker:1@30s..40s=frozen"),
                                        read_well("worker:0-2@10s..31s=slow:3")};
    struct dyno_faults *chaos = NULL;
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_chaos_open(&chaos,
                                     &(struct dyno_chaos_config){
                                         .worker_count = 4, .faults = faults, .fault_count = 2},
                                     &error),
                     DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "two stalls of worker 1 overlap"));
}
END_TEST

/* A thousand deaths of each of two workers: the mean is as stated within 4 standard errors (1/sqrt
 * n of an exponential), and those of one do not depend on how many others there are. */
START_TEST(draws_have_their_mean_and_do_not_depend_on_others)
{
    struct dyno_chaos_config config = {
        .seed = (uint64_t)_i, .worker_count = 2, .death_every_ns = 100 * DYNO_S};
    struct dyno_faults *two = NULL, *four = NULL;
    dyno_ns last[2] = {0}, others = 0;
    uint32_t counts[2] = {0};

    ck_assert_int_eq(dyno_chaos_open(&two, &config, NULL), DYNO_OK);
    config.worker_count = 4;
    ck_assert_int_eq(dyno_chaos_open(&four, &config, NULL), DYNO_OK);
    while (counts[0] < 1000 || counts[1] < 1000) {
        struct dyno_fault_record record = take(two), same;

        ck_assert_int_eq(record.kind, DYNO_FAULT_DEATH);
        do {
            same = take(four);
        } while (same.target > 1);
        ck_assert_uint_eq(same.target, record.target);
        ck_assert_uint_eq(same.at, record.at);
        ck_assert_uint_ge(record.at, others);
        others = record.at;
        last[record.target] = record.at;
        counts[record.target]++;
    }
    for (uint32_t i = 0; i < 2; i++) {
        double mean = (double)last[i] / 1e9 / counts[i];

        ck_assert_msg(mean > 100 * (1 - 4 / 31.6) && mean < 100 * (1 + 4 / 31.6), "mean %.1f s",
                      mean);
    }
    two->ops->close(two);
    four->ops->close(four);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("chaos");

    tcase_add_test(tc, a_fault_says_what_when_and_how);
    tcase_add_test(tc, what_is_no_fault_is_refused_in_words);
    tcase_add_test(tc, they_come_in_time_order_and_of_equal_ones_as_they_were_said);
    tcase_add_test(tc, the_weather_is_bad_in_a_stall_and_known_until_the_next);
    tcase_add_test(tc, stalls_of_one_worker_that_overlap_are_refused);
    tcase_add_loop_test(tc, draws_have_their_mean_and_do_not_depend_on_others, 0, 10);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("chaos", add_cases)

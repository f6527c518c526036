/* The beginning of a trace that is passed over (trace.skip). */
#include "tests/check_main.h"
#include "tests/traces/support.h"

#define ROW(at, tokens) "{\"timestamp\":" #at ",\"input_length\":" #tokens ",\"output_length\":1}\n"
#define TURN(session, at, tokens)                                                                  \
    "{\"session_id\":\"" session "\",\"timestamp\":" #at ",\"input_length\":" #tokens              \
    ",\"output_length\":1}\n"
#define LATER(session, delay, tokens)                                                              \
    "{\"session_id\":\"" session "\",\"delay\":" #delay ",\"input_length\":" #tokens               \
    ",\"output_length\":1}\n"

static void haul_behind(struct haul *haul, const char *text, uint64_t skip, uint64_t most)
{
    struct dyno_trace_config config = config_of(text);
    struct dyno_pacing_config pacing = pacing_of(16);

    config.requests_skip = skip;
    config.requests_max = most;
    haul_trace(haul, &config, &pacing);
}

START_TEST(time_begins_with_the_first_request_that_is_not_passed_over)
{
    struct haul haul;

    haul_behind(&haul, ROW(10, 1) ROW(20, 2) ROW(35, 3) ROW(60, 4), 2, 0);
    ck_assert_uint_eq(haul.count, 2);
    ck_taken(&haul, 0, 0, 3, 1);
    ck_taken(&haul, 1, 25 * DYNO_MS, 4, 1);
    ck_assert_uint_eq(haul.counts.requests, 2);
    haul_release(&haul);
}
END_TEST

START_TEST(a_limit_counts_from_there)
{
    struct haul haul;

    haul_behind(&haul, ROW(0, 1) ROW(1, 2) ROW(2, 3) ROW(3, 4), 1, 2);
    ck_assert_uint_eq(haul.count, 2);
    ck_taken(&haul, 0, 0, 2, 1);
    ck_taken(&haul, 1, DYNO_MS, 3, 1);
    haul_release(&haul);
}
END_TEST

START_TEST(a_turn_without_a_time_goes_with_the_one_it_waits_for)
{
    struct haul haul;

    haul_behind(&haul,
                TURN("a", 0, 1) TURN("b", 1, 2) LATER("a", 5, 3) LATER("a", 5, 4) LATER("b", 5, 5),
                1, 0);
    ck_assert_uint_eq(haul.count, 2);
    ck_taken(&haul, 0, 0, 2, 1);
    ck_taken(&haul, 1, 5 * DYNO_MS, 5, 1);
    haul_release(&haul);
}
END_TEST

START_TEST(a_turn_with_a_time_goes_on_from_there)
{
    struct haul haul;

    haul_behind(&haul, TURN("a", 0, 1) TURN("a", 10, 2) LATER("a", 5, 3), 1, 0);
    ck_assert_uint_eq(haul.count, 2);
    ck_taken(&haul, 0, 0, 2, 1);
    ck_taken(&haul, 1, 5 * DYNO_MS, 3, 1);
    haul_release(&haul);
}
END_TEST

START_TEST(nothing_behind_it_is_refused)
{
    struct haul haul;

    haul_behind(&haul, ROW(0, 1) ROW(1, 2), 2, 0);
    ck_assert_int_eq(haul.status, DYNO_BAD_INPUT);
    ck_assert_str_eq(haul.error.text, "t: holds no request behind the first 2 (trace.skip is 2); "
                                      "expected at least one");
    haul_release(&haul);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("skip");

    tcase_add_test(tcase, time_begins_with_the_first_request_that_is_not_passed_over);
    tcase_add_test(tcase, a_limit_counts_from_there);
    tcase_add_test(tcase, a_turn_without_a_time_goes_with_the_one_it_waits_for);
    tcase_add_test(tcase, a_turn_with_a_time_goes_on_from_there);
    tcase_add_test(tcase, nothing_behind_it_is_refused);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("traces/skip", add_cases)

/* Pacing: open loop, a capped client, closed loop, sessions and waits. */
#include "tests/check_main.h"
#include "tests/traces/support.h"

#define ROW(at) "{\"timestamp\":" #at ",\"input_length\":5,\"output_length\":6}\n"

static struct dyno_source *open_source(struct haul *haul, const char *text,
                                       const struct dyno_pacing_config *pacing)
{
    struct dyno_trace_config config = config_of(text);
    struct dyno_source *source;
    dyno_status status;

    haul_init(haul);
    status = dyno_trace_open(&source, &config, pacing, &haul->answers, &haul->error);
    ck_assert_msg(status == DYNO_OK, "%s", haul->error.text);
    return source;
}

static void close_source(struct haul *haul, struct dyno_source *source)
{
    source->ops->close(source);
    haul_release(haul);
}

/* The next request must be sent at `arrival`, having been scheduled for `scheduled`. */
static void ck_next(struct haul *haul, struct dyno_source *source, dyno_ns scheduled,
                    dyno_ns arrival)
{
    ck_assert_uint_eq(source->ops->next(source), arrival);
    ck_assert_msg(haul_take(haul, source), "%s", haul->error.text);
    ck_assert_uint_eq(haul->items[haul->count - 1].request.scheduled_ns, scheduled);
    ck_assert_uint_eq(haul->items[haul->count - 1].request.arrival_ns, arrival);
}

static void ck_must_wait(struct dyno_source *source)
{
    ck_assert_uint_eq(source->ops->next(source), DYNO_NEVER);
    ck_assert(!source->ops->finished(source));
}

static void ck_finished(struct dyno_source *source)
{
    ck_assert_uint_eq(source->ops->next(source), DYNO_NEVER);
    ck_assert(source->ops->finished(source));
}

START_TEST(an_open_loop_sends_by_timestamp_whatever_ends)
{
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;
    struct dyno_source *source = open_source(&haul, ROW(10) ROW(10) ROW(12), &pacing);

    ck_next(&haul, source, 0, 0);
    ck_next(&haul, source, 0, 0);
    ck_next(&haul, source, 2 * DYNO_MS, 2 * DYNO_MS);
    ck_finished(source);
    close_source(&haul, source);
}
END_TEST

START_TEST(speedup_divides_times)
{
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *source;
    struct haul haul;

    pacing.speedup = 2.5;
    source = open_source(&haul, ROW(0) ROW(10) ROW(25), &pacing);
    ck_next(&haul, source, 0, 0);
    ck_next(&haul, source, 4 * DYNO_MS, 4 * DYNO_MS);
    ck_next(&haul, source, 10 * DYNO_MS, 10 * DYNO_MS);
    ck_finished(source);
    close_source(&haul, source);
}
END_TEST

START_TEST(a_capped_client_sends_late_and_says_so)
{
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *source;
    struct haul haul;

    pacing.inflight_max = 2;
    source = open_source(&haul, ROW(0) ROW(1) ROW(2) ROW(3) ROW(50), &pacing);
    ck_next(&haul, source, 0, 0);
    ck_next(&haul, source, DYNO_MS, DYNO_MS);
    ck_must_wait(source);
    source->ops->ended(source, 1, 20 * DYNO_MS);
    ck_next(&haul, source, 2 * DYNO_MS, 20 * DYNO_MS);
    ck_must_wait(source);
    source->ops->ended(source, 2, 30 * DYNO_MS);
    source->ops->ended(source, 0, 25 * DYNO_MS); /* the client that is free first sends */
    ck_next(&haul, source, 3 * DYNO_MS, 25 * DYNO_MS);
    ck_next(&haul, source, 50 * DYNO_MS, 50 * DYNO_MS); /* in time again */
    source->ops->ended(source, 3, 60 * DYNO_MS);
    ck_finished(source);
    close_source(&haul, source);
}
END_TEST

START_TEST(a_closed_loop_holds_its_concurrency)
{
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *source;
    struct haul haul;

    pacing.pacing = DYNO_CLOSED_LOOP;
    pacing.concurrency = 2;
    source = open_source(&haul, ROW(0) ROW(1000) ROW(2000) ROW(3000), &pacing);
    ck_next(&haul, source, 0, 0);
    ck_next(&haul, source, 0, 0);
    ck_must_wait(source);
    source->ops->ended(source, 1, 7);
    ck_next(&haul, source, 7, 7);
    ck_must_wait(source);
    source->ops->ended(source, 0, 9);
    source->ops->ended(source, 2, 9);
    ck_next(&haul, source, 9, 9);
    ck_finished(source);
    close_source(&haul, source);
}
END_TEST

START_TEST(a_turn_follows_the_end_of_the_turn_before_and_its_delay)
{
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;
    struct dyno_source *source = open_source(
        &haul,
        "{\"session_id\":\"s\",\"timestamp\":0,\"input_length\":5,\"output_length\":6}\n"
        "{\"session_id\":\"s\",\"delay\":10,\"input_length\":6,\"output_length\":6}\n"
        "{\"session_id\":\"s\",\"timestamp\":500,\"delay_ms\":10,\"input_length\":7,"
        "\"output_length\":6}\n"
        "{\"session_id\":\"s\",\"timestamp\":600,\"input_length\":8,\"output_length\":6}\n",
        &pacing);

    ck_next(&haul, source, 0, 0);
    ck_must_wait(source);
    source->ops->ended(source, 0, 3 * DYNO_MS);
    ck_next(&haul, source, 13 * DYNO_MS, 13 * DYNO_MS);
    ck_must_wait(source);
    source->ops->ended(source, 1, 20 * DYNO_MS);
    ck_next(&haul, source, 500 * DYNO_MS, 500 * DYNO_MS); /* not before its timestamp */
    ck_must_wait(source);
    source->ops->ended(source, 2, 700 * DYNO_MS);
    ck_next(&haul, source, 700 * DYNO_MS, 700 * DYNO_MS); /* nor before the turn before ended */
    ck_finished(source);
    ck_assert_uint_eq(dyno_source_counts(source).sessions, 1);
    close_source(&haul, source);
}
END_TEST

START_TEST(other_requests_pass_a_session_that_waits)
{
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;
    struct dyno_source *source = open_source(
        &haul,
        "{\"session_id\":1,\"timestamp\":0,\"input_length\":1,\"output_length\":6}\n"
        "{\"session_id\":1,\"timestamp\":5,\"input_length\":2,\"output_length\":6}\n" ROW(
            7) "{\"session_id\":2,\"timestamp\":9,\"input_length\":3,\"output_length\":6}\n",
        &pacing);

    ck_next(&haul, source, 0, 0);
    ck_next(&haul, source, 7 * DYNO_MS, 7 * DYNO_MS);
    source->ops->ended(source, 0, 8 * DYNO_MS);
    ck_next(&haul, source, 8 * DYNO_MS, 8 * DYNO_MS);
    ck_assert_uint_eq(haul.items[2].request.prompt_tokens, 2);
    ck_assert_uint_eq(haul.items[2].request.session, 1);
    ck_next(&haul, source, 9 * DYNO_MS, 9 * DYNO_MS);
    ck_finished(source);
    close_source(&haul, source);
}
END_TEST

START_TEST(a_closed_loop_keeps_sessions_in_order)
{
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *source;
    struct haul haul;

    pacing.pacing = DYNO_CLOSED_LOOP;
    pacing.concurrency = 2;
    source = open_source(&haul,
                         "{\"session_id\":1,\"input_length\":1,\"output_length\":6}\n"
                         "{\"session_id\":1,\"delay\":5,\"input_length\":2,\"output_length\":6}\n"
                         "{\"session_id\":2,\"input_length\":3,\"output_length\":6}\n",
                         &pacing);
    ck_next(&haul, source, 0, 0);
    ck_next(&haul, source, 0, 0);
    ck_assert_uint_eq(haul.items[1].request.prompt_tokens, 3);
    source->ops->ended(source, 0, DYNO_MS);
    ck_next(&haul, source, 6 * DYNO_MS, 6 * DYNO_MS);
    ck_assert_uint_eq(haul.items[2].request.prompt_tokens, 2);
    ck_finished(source);
    close_source(&haul, source);
}
END_TEST

START_TEST(wait_for_holds_a_request_until_all_named_have_ended)
{
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;
    struct dyno_source *source = open_source(
        &haul,
        "{\"request_id\":\"a\",\"timestamp\":0,\"input_length\":1,\"output_length\":6}\n"
        "{\"request_id\":\"b\",\"timestamp\":1,\"input_length\":2,\"output_length\":6}\n"
        "{\"wait_for\":[\"a\",\"b\",\"late\"],\"delay\":4,\"input_length\":3,\"output_length\":6}\n"
        "{\"request_id\":\"late\",\"wait_for\":\"a\",\"timestamp\":2,\"input_length\":4,"
        "\"output_length\":6}\n",
        &pacing);

    ck_next(&haul, source, 0, 0);
    ck_next(&haul, source, DYNO_MS, DYNO_MS);
    ck_must_wait(source);
    source->ops->ended(source, 0, 5 * DYNO_MS);
    ck_next(&haul, source, 5 * DYNO_MS, 5 * DYNO_MS);
    ck_assert_uint_eq(haul.items[2].request.prompt_tokens, 4);
    source->ops->ended(source, 2, 6 * DYNO_MS);
    ck_must_wait(source);
    source->ops->ended(source, 1, 9 * DYNO_MS);
    ck_next(&haul, source, 13 * DYNO_MS, 13 * DYNO_MS);
    ck_finished(source);
    close_source(&haul, source);
}
END_TEST

START_TEST(a_wait_for_an_unknown_request_is_refused)
{
    ck_refused(ROW(0) "{\"wait_for\":[\"x\"],\"timestamp\":1,\"input_length\":2,"
                      "\"output_length\":6}\n" ROW(2),
               "t:2:13: wait_for names an unknown request", "request_id of one before it");
}
END_TEST

START_TEST(circles_of_waiting_are_refused)
{
    ck_refused("{\"request_id\":1,\"wait_for\":[1],\"timestamp\":1,\"input_length\":2,"
               "\"output_length\":6}\n",
               "t:1:28: the request waits for itself", "expected ids of others");
    ck_refused(ROW(0) "{\"request_id\":1,\"wait_for\":2,\"timestamp\":1,\"input_length\":2,"
                      "\"output_length\":6}\n"
                      "{\"request_id\":2,\"wait_for\":[1],\"timestamp\":1,\"input_length\":2,"
                      "\"output_length\":6}\n",
               "t:2:28: requests wait for each other in a circle", "the first of them");
}
END_TEST

START_TEST(a_request_without_a_time_is_refused_in_an_open_loop)
{
    struct dyno_trace_config config = config_of("{\"input_length\":2,\"output_length\":6}\n");
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;

    haul_trace(&haul, &config, &pacing);
    ck_assert_int_eq(haul.status, DYNO_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(haul.error.text, "t:1:1: the request has no timestamp"));
    ck_assert_ptr_nonnull(strstr(haul.error.text, "expected a timestamp, or a closed loop"));
    haul_release(&haul);
    pacing.untimed_ok = true;
    haul_trace(&haul, &config, &pacing);
    ck_assert_uint_eq(haul.count, 1);
    haul_release(&haul);
}
END_TEST

START_TEST(impossible_pacing_is_refused)
{
    struct dyno_trace_config config = config_of(ROW(0));
    struct dyno_pacing_config bad[4] = {pacing_of(16), pacing_of(16), pacing_of(0), pacing_of(16)};
    struct haul haul;

    bad[0].speedup = 0;
    bad[1].speedup = -1;
    bad[3].pacing = DYNO_CLOSED_LOOP;
    for (int i = 0; i < 4; i++) {
        haul_trace(&haul, &config, &bad[i]);
        ck_assert_int_eq(haul.status, DYNO_BAD_INPUT);
        ck_assert_ptr_nonnull(strstr(haul.error.text, "expected"));
        haul_release(&haul);
    }
}
END_TEST

START_TEST(a_bad_line_ends_the_run_where_it_stands)
{
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;
    struct dyno_source *source = open_source(&haul, ROW(1) ROW(2) "x\n", &pacing);

    haul_all(&haul, source, 0);
    ck_assert_uint_eq(haul.count, 2);
    ck_assert_int_eq(haul.status, DYNO_BAD_INPUT);
    ck_assert_str_eq(haul.error.text, "t:3:1: found 'x'; expected '{': one JSON object a line");
    ck_assert(!source->ops->finished(source));
    close_source(&haul, source);
}
END_TEST

/* Many sessions, all of whose later turns stand before the next session: more rows wait than are
 * held, reading pauses, and nobody is lost. */
START_TEST(a_full_look_ahead_sends_late_but_loses_nothing)
{
    enum { SESSIONS = 3, TURNS = 400000 };
    struct dyno_generator_config config = {.seed = 1,
                                           .requests = SESSIONS * (uint64_t)TURNS,
                                           .arrival = "constant:1000",
                                           .input_tokens = "1",
                                           .output_tokens = "1",
                                           .session_turns = "65536",
                                           .think_time = "0"};
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *source;
    struct dyno_request request;
    uint64_t taken = 0, late = 0;
    dyno_ns now;

    ck_assert_int_eq(dyno_generator_open(&source, &config, &pacing, NULL, NULL), DYNO_OK);
    while ((now = source->ops->next(source)) != DYNO_NEVER) {
        ck_assert_int_eq(source->ops->take(source, now, &request, NULL), DYNO_OK);
        late += request.arrival_ns > request.scheduled_ns;
        source->ops->ended(source, request.id, now + DYNO_S);
        taken++;
    }
    ck_assert(source->ops->finished(source));
    ck_assert_uint_eq(taken, config.requests);
    ck_assert_uint_gt(late, 0);
    source->ops->close(source);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("source");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, an_open_loop_sends_by_timestamp_whatever_ends);
    tcase_add_test(tcase, speedup_divides_times);
    tcase_add_test(tcase, a_capped_client_sends_late_and_says_so);
    tcase_add_test(tcase, a_closed_loop_holds_its_concurrency);
    tcase_add_test(tcase, a_turn_follows_the_end_of_the_turn_before_and_its_delay);
    tcase_add_test(tcase, other_requests_pass_a_session_that_waits);
    tcase_add_test(tcase, a_closed_loop_keeps_sessions_in_order);
    tcase_add_test(tcase, wait_for_holds_a_request_until_all_named_have_ended);
    tcase_add_test(tcase, a_wait_for_an_unknown_request_is_refused);
    tcase_add_test(tcase, circles_of_waiting_are_refused);
    tcase_add_test(tcase, a_request_without_a_time_is_refused_in_an_open_loop);
    tcase_add_test(tcase, impossible_pacing_is_refused);
    tcase_add_test(tcase, a_bad_line_ends_the_run_where_it_stands);
    tcase_add_test(tcase, a_full_look_ahead_sends_late_but_loses_nothing);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("traces/source", add_cases)

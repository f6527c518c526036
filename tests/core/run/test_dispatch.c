/* Dispatch, by hand: books, candidates, delays, losses, guesses, workers that come and go. */
#include "core/run/dispatch.h"

#include "tests/check_main.h"
#include "tests/core/run/spy.h"

/* A prompt of 100 tokens is 7 blocks: spans of 2 and 3 and two of its own. */
START_TEST(a_request_is_booked_until_it_ends)
{
    static const struct dyno_span chain[] = {{11, 2}, {22, 3}};
    struct dyno_dispatch_config config = config_of(&spy_policy, 3);
    struct dyno_dispatch *dispatch = open_dispatch(&config);
    struct dyno_decision_record record;

    ck_assert_uint_eq(spy.workers, 3);
    tell(dispatch, 0, 1, 11, 2);
    tell(dispatch, 0, 1, 22, 1);
    spy.next = 1;
    record = pick(dispatch, 5, 70, 100, chain, 2);
    ck_assert_uint_eq(record.request, 70);
    ck_assert_uint_eq(record.at, 5);
    ck_assert_uint_eq(record.worker, 1);
    ck_assert_uint_eq(record.overlap_blocks, 3);
    ck_assert_uint_eq(record.view_age, 0);
    ck_assert_uint_eq(spy.request.prompt_blocks, 7);
    ck_assert_uint_eq(spy.request.prefix, 11);
    ck_assert_uint_eq(spy.view.now_ns, 5);

    pick(dispatch, 6, 71, 100, chain, 2); /* sees the first */
    ck_assert_uint_eq(spy.inflight[1], 1);
    ck_assert_uint_eq(spy.prefill_tokens[1], 100 - 3 * 16);
    ck_assert_uint_eq(spy.active_blocks[1], 7);
    ck_assert_uint_eq(spy.active_overlap[1], 5);
    ck_assert_uint_eq(spy.active_overlap[0], 0);

    dyno_dispatch_first_token(dispatch, 70);
    dyno_dispatch_first_token(dispatch, 70);
    pick(dispatch, 7, 72, 100, chain, 1); /* sees both; shared blocks count once */
    ck_assert_uint_eq(spy.inflight[1], 2);
    ck_assert_uint_eq(spy.prefill_tokens[1], 52);
    ck_assert_uint_eq(spy.active_blocks[1], 5 + 2 + 2);
    ck_assert_uint_eq(spy.active_overlap[1], 2);

    dyno_dispatch_ended(dispatch, 71); /* before its first token: refused, say */
    dyno_dispatch_ended(dispatch, 72);
    dyno_dispatch_ended(dispatch, 72);
    pick(dispatch, 8, 73, 1, NULL, 0);
    ck_assert_uint_eq(spy.inflight[1], 1);
    ck_assert_uint_eq(spy.prefill_tokens[1], 0);
    ck_assert_uint_eq(spy.active_blocks[1], 7);
    ck_assert_uint_eq(spy.request.prefix, 0);
    ck_assert_uint_eq(spy.request.prompt_blocks, 1);
    ck_assert_uint_eq(spy.routed, 4);
    ck_assert_uint_eq(spy.first_tokens, 1);
    ck_assert_uint_eq(spy.ended, 2);
    dyno_dispatch_close(dispatch);
    ck_assert_uint_eq(spy.closed, 1);
}
END_TEST

static void fill_two_and_a_half(void *context, const struct dyno_request *request,
                                const uint8_t *eligible, const uint32_t *overlap, double *credit)
{
    ck_assert(eligible[0] && eligible[1]);
    *(uint64_t *)context = request->id;
    credit[0] = 0.0;
    credit[1] = 0.5 + overlap[1];
}

/* What lies in tiers counts for the policy, and for what is believed uncached. */
START_TEST(tiers_below_the_caches_are_seen)
{
    static const struct dyno_span chain[] = {{11, 5}};
    struct dyno_dispatch_config config = config_of(&spy_policy, 2);
    struct dyno_dispatch *dispatch = open_dispatch(&config);
    uint64_t asked = 0;

    ck_assert_int_eq(dyno_dispatch_use_tiers(
                         dispatch, &(struct dyno_dispatch_tiers){.context = &asked,
                                                                 .fill = fill_two_and_a_half}),
                     DYNO_OK);
    tell(dispatch, 0, 1, 11, 2);
    spy.next = 1;
    pick(dispatch, 5, 70, 100, chain, 1);
    ck_assert_uint_eq(asked, 70);
    ck_assert_double_eq(spy.view.tier_credit[1], 2.5);
    pick(dispatch, 6, 71, 100, chain, 1);
    ck_assert_uint_eq(spy.prefill_tokens[1], 100 - 2 * 16 - 40);
    dyno_dispatch_close(dispatch);
}
END_TEST

START_TEST(candidates_are_the_eligible_with_their_scores)
{
    struct dyno_dispatch_config config = config_of(&spy_policy, 4);
    struct dyno_dispatch *dispatch = open_dispatch(&config);
    struct dyno_request request = {.id = 1, .prompt_tokens = 1, .max_tokens = 1};
    struct dyno_decision_record record;

    dyno_dispatch_worker_gone(dispatch, 1);
    ck_assert_int_eq(dyno_dispatch_pick(dispatch, 0, &request, 1, &record), DYNO_OK);
    ck_assert_uint_eq(record.candidate_count, 3);
    ck_assert_uint_eq(record.candidates[1], 2);
    ck_assert_double_eq(record.scores[1], 102);
    request.id = 2;
    ck_assert_int_eq(dyno_dispatch_pick(dispatch, 0, &request, 0, &record), DYNO_OK);
    ck_assert_uint_eq(record.candidate_count, 0);
    ck_assert_ptr_null(record.candidates);
    dyno_dispatch_close(dispatch);

    config.route.overlap_credit = 0; /* now the spy does not score */
    dispatch = open_dispatch(&config);
    ck_assert_int_eq(dyno_dispatch_pick(dispatch, 0, &request, 1, &record), DYNO_OK);
    ck_assert_uint_eq(record.candidate_count, 4);
    ck_assert_ptr_null(record.scores);
    dyno_dispatch_close(dispatch);
}
END_TEST

START_TEST(a_delayed_event_is_seen_when_it_is_due_and_not_before)
{
    static const struct dyno_span chain[] = {{11, 4}};
    struct dyno_dispatch_config config = config_of(&spy_policy, 2);
    struct dyno_dispatch *dispatch;

    config.event_delay_ns = 100;
    dispatch = open_dispatch(&config);
    tell(dispatch, 50, 1, 11, 4); /* told out of step: worker 1 is ahead of worker 0 */
    tell(dispatch, 60, 1, 11, 2);
    tell(dispatch, 20, 0, 11, 3);
    ck_assert_uint_eq(pick(dispatch, 119, 1, 64, chain, 1).view_age, 99); /* the event of 20 */
    ck_assert_uint_eq(spy.overlap[0], 0);
    ck_assert_uint_eq(spy.view.overlap_age_ns, 99);
    ck_assert_uint_eq(pick(dispatch, 120, 2, 64, chain, 1).view_age, 70);
    ck_assert_uint_eq(spy.overlap[0], 3);
    ck_assert_uint_eq(spy.overlap[1], 0);
    ck_assert_uint_eq(pick(dispatch, 150, 3, 64, chain, 1).view_age, 90);
    ck_assert_uint_eq(spy.overlap[1], 4);
    ck_assert_uint_eq(pick(dispatch, 160, 4, 64, chain, 1).view_age, 0);
    ck_assert_uint_eq(spy.overlap[1], 2);
    dyno_dispatch_close(dispatch);
}
END_TEST

START_TEST(an_event_at_the_end_of_time_is_never_due)
{
    static const struct dyno_span chain[] = {{11, 4}};
    struct dyno_dispatch_config config = config_of(&spy_policy, 1);
    struct dyno_dispatch *dispatch;

    config.event_delay_ns = DYNO_NEVER;
    dispatch = open_dispatch(&config);
    tell(dispatch, 50, 0, 11, 4);
    pick(dispatch, DYNO_NEVER - 1, 1, 64, chain, 1);
    ck_assert_uint_eq(spy.overlap[0], 0);
    dyno_dispatch_close(dispatch);
}
END_TEST

static uint32_t spans_heard(uint64_t seed, double loss, bool interleaved, uint8_t *heard)
{
    struct dyno_dispatch_config config = config_of(&spy_policy, 2);
    struct dyno_dispatch *dispatch;
    uint32_t count = 0;

    config.seed = seed;
    config.event_loss = loss;
    dispatch = open_dispatch(&config);
    for (uint64_t i = 0; i < 4000; i++) {
        uint32_t worker = (uint32_t)(interleaved ? i % 2 : i / 2000);
        uint64_t number = interleaved ? i / 2 : i % 2000;

        tell(dispatch, 0, worker, 1 + number, 1);
    }
    for (uint64_t number = 0; number < 2000; number++) {
        struct dyno_span span = {.id = 1 + number, .blocks = 1};

        pick(dispatch, 0, number, 16, &span, 1);
        heard[2 * number] = spy.overlap[0] != 0;
        heard[2 * number + 1] = spy.overlap[1] != 0;
        count += spy.overlap[0] + spy.overlap[1];
        dyno_dispatch_ended(dispatch, number);
    }
    dyno_dispatch_close(dispatch);
    return count;
}

/* 4,000 events at a loss of 0.3: 2,800 arrive, deviation 29. */
START_TEST(lost_events_are_drawn_by_seed_worker_and_number)
{
    static uint8_t heard[4000], again[4000];
    uint32_t count = spans_heard(3, 0.3, false, heard);

    ck_assert_uint_gt(count, 2800 - 116);
    ck_assert_uint_lt(count, 2800 + 116);
    spans_heard(3, 0.3, true, again);
    ck_assert_mem_eq(heard, again, sizeof heard);
    spans_heard(4, 0.3, true, again);
    ck_assert_mem_ne(heard, again, sizeof heard);
    ck_assert_uint_eq(spans_heard(3, 0.0, false, heard), 4000);
    ck_assert_uint_eq(spans_heard(3, 1.0, false, heard), 0);
}
END_TEST

START_TEST(a_worker_that_is_gone_is_forgotten_and_comes_back_empty)
{
    static const struct dyno_span chain[] = {{11, 4}};
    struct dyno_dispatch_config config = config_of(&spy_policy, 2);
    struct dyno_dispatch *dispatch;
    struct dyno_request request = {.id = 9, .prompt_tokens = 64, .max_tokens = 1};
    struct dyno_decision_record record;

    config.event_delay_ns = 10;
    dispatch = open_dispatch(&config);
    tell(dispatch, 0, 1, 11, 4);
    spy.next = 1;
    pick(dispatch, 10, 1, 64, chain, 1);
    ck_assert_uint_eq(spy.overlap[1], 4);
    tell(dispatch, 15, 1, 11, 3);
    dyno_dispatch_worker_gone(dispatch, 1);
    dyno_dispatch_worker_gone(dispatch, 1);
    ck_assert_uint_eq(spy.gone, 1);
    tell(dispatch, 20, 1, 11, 2);
    ck_assert_int_eq(dyno_dispatch_pick(dispatch, 20, &request, 0, &record), DYNO_BAD_INPUT);
    spy.next = 0;
    pick(dispatch, 30, 2, 64, chain, 1);
    ck_assert_uint_eq(spy.eligible[1], 0);
    ck_assert_uint_eq(spy.overlap[1], 0);
    ck_assert_uint_eq(spy.inflight[1], 1); /* until it is said to have ended */
    dyno_dispatch_ended(dispatch, 1);
    dyno_dispatch_worker_back(dispatch, 1);
    pick(dispatch, 100, 3, 64, chain, 1);
    ck_assert_uint_eq(spy.eligible[1], 1);
    ck_assert_uint_eq(spy.overlap[1], 0);
    ck_assert_uint_eq(spy.inflight[1], 0);
    ck_assert_uint_eq(spy.active_blocks[1], 0);
    dyno_dispatch_close(dispatch);
}
END_TEST

START_TEST(a_bad_answer_of_a_policy_books_nothing)
{
    struct dyno_dispatch_config config = config_of(&spy_policy, 2);
    struct dyno_dispatch *dispatch = open_dispatch(&config);
    struct dyno_request request = {.id = 1, .prompt_tokens = 64, .max_tokens = 1};
    struct dyno_decision_record record = {.worker = 77};

    spy.next = DYNO_ROUTE_NONE;
    ck_assert_int_eq(dyno_dispatch_pick(dispatch, 0, &request, 1, &record), DYNO_REJECTED);
    spy.next = 2;
    ck_assert_int_eq(dyno_dispatch_pick(dispatch, 0, &request, 1, &record), DYNO_BAD_INPUT);
    ck_assert_uint_eq(record.worker, 77);
    spy.next = 1;
    ck_assert_int_eq(dyno_dispatch_pick(dispatch, 0, &request, 0, &record), DYNO_OK);
    ck_assert_int_eq(dyno_dispatch_pick(dispatch, 0, &request, 0, &record), DYNO_BAD_INPUT);
    pick(dispatch, 0, 2, 64, NULL, 0);
    ck_assert_uint_eq(spy.inflight[1], 1);
    ck_assert_uint_eq(spy.routed, 2);
    dyno_dispatch_close(dispatch);
}
END_TEST

START_TEST(bad_configurations_are_refused_in_words)
{
    struct dyno_dispatch *dispatch = NULL;
    struct dyno_error error = {.text = ""};
    struct dyno_dispatch_config config = config_of(&spy_policy, 0);

    ck_assert_int_eq(dyno_dispatch_open(&dispatch, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "at least one worker"));
    config.worker_count = 1;
    config.event_loss = 1.5;
    ck_assert_int_eq(dyno_dispatch_open(&dispatch, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "router.event_loss is 1.5"));
    config.event_loss = 0;
    config.route.args = "refuse";
    ck_assert_int_eq(dyno_dispatch_open(&dispatch, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "spy"));
    ck_assert_ptr_nonnull(strstr(error.text, "router.args 'refuse'"));
    ck_assert_uint_eq(spy.closed, 0);
    ck_assert_ptr_null(dispatch);
    dyno_dispatch_close(NULL);
}
END_TEST

/* --- Guesses --- */

static struct dyno_route_policy guessing_spy(void)
{
    struct dyno_route_policy policy = spy_policy;

    policy.needs = DYNO_ROUTE_NEEDS_GUESSED;
    return policy;
}

START_TEST(a_guess_lives_from_its_last_use_for_its_time)
{
    static const struct dyno_span chain[] = {{11, 2}, {22, 3}};
    struct dyno_route_policy policy = guessing_spy();
    struct dyno_dispatch_config config = config_of(&policy, 2);
    struct dyno_dispatch *dispatch = open_dispatch(&config);

    ck_assert_int_eq(dyno_dispatch_wants_events(dispatch), 0);
    pick(dispatch, 0, 1, 100, chain, 2); /* both spans until 100 */
    ck_assert_uint_eq(spy.overlap[0], 0);
    ck_assert_uint_eq(pick(dispatch, 50, 2, 100, chain, 1).overlap_blocks,
                      2); /* the first to 150 */
    spy.next = 1;
    pick(dispatch, 99, 3, 100, chain, 2);
    ck_assert_uint_eq(spy.overlap[0], 5);
    ck_assert_uint_eq(spy.prefill_tokens[0], 100 + 100 - 2 * 16);
    pick(dispatch, 100, 4, 100, chain, 2);
    ck_assert_uint_eq(spy.overlap[0], 2);
    ck_assert_uint_eq(spy.overlap[1], 5);
    pick(dispatch, 150, 5, 100, chain, 2);
    ck_assert_uint_eq(spy.overlap[0], 0);
    ck_assert_uint_eq(spy.overlap[1], 5);
    dyno_dispatch_worker_gone(dispatch, 1);
    spy.next = 0;
    pick(dispatch, 151, 6, 100, chain, 2);
    ck_assert_uint_eq(spy.overlap[1], 0);
    dyno_dispatch_close(dispatch);
}
END_TEST

/* At most 10 blocks: the eleventh prunes to 8, the oldest first, a chain's end before its start. */
START_TEST(guesses_are_pruned_to_four_fifths)
{
    static const struct dyno_span old[] = {{1, 2}, {2, 2}}, mid[] = {{3, 3}}, late[] = {{4, 4}};
    struct dyno_route_policy policy = guessing_spy();
    struct dyno_dispatch_config config = config_of(&policy, 1);
    struct dyno_dispatch *dispatch;

    config.guess_blocks_max = 10;
    dispatch = open_dispatch(&config);
    pick(dispatch, 0, 1, 100, old, 2);
    pick(dispatch, 0, 2, 100, mid, 1);
    pick(dispatch, 0, 3, 100, old, 2); /* 7 blocks; mid is the oldest now */
    ck_assert_uint_eq(spy.overlap[0], 4);
    pick(dispatch, 0, 4, 100, late, 1); /* 11: mid goes */
    pick(dispatch, 0, 5, 100, mid, 1);  /* 8 + 3: the end of old goes, then its start */
    ck_assert_uint_eq(spy.overlap[0], 0);
    pick(dispatch, 0, 6, 100, late, 1);
    ck_assert_uint_eq(spy.overlap[0], 4);
    pick(dispatch, 0, 7, 100, old, 1);
    ck_assert_uint_eq(spy.overlap[0], 0);
    dyno_dispatch_close(dispatch);
}
END_TEST

START_TEST(a_request_that_its_worker_cannot_serve_goes_to_another_one)
{
    static const struct dyno_span chain[] = {{11, 2}};
    struct dyno_dispatch_config config = config_of(&spy_policy, 3);
    struct dyno_dispatch *dispatch = open_dispatch(&config);
    struct dyno_request request = {
        .id = 7, .prompt_tokens = 100, .max_tokens = 1, .span_count = 1, .spans = chain};
    struct dyno_decision_record record;

    tell(dispatch, 0, 1, 11, 2);
    spy.next = 1;
    pick(dispatch, 5, 7, 100, chain, 1);
    spy.next = 2;
    ck_assert_int_eq(dyno_dispatch_repick(dispatch, 6, &request, 1, &record), DYNO_OK);
    ck_assert_uint_eq(record.worker, 2);
    ck_assert_uint_eq(record.candidate_count, 2);
    ck_assert_uint_eq(spy.eligible[1], 0);
    ck_assert_uint_eq(spy.inflight[1], 0); /* it is not counted twice */
    ck_assert_uint_eq(dyno_dispatch_worker_of(dispatch, 7), 2);
    pick(dispatch, 7, 8, 100, chain, 1);
    ck_assert_uint_eq(spy.eligible[1], 1); /* ruled out once only, and its cache is known */
    ck_assert_uint_eq(spy.overlap[1], 2);
    ck_assert_uint_eq(spy.inflight[2], 1);
    dyno_dispatch_close(dispatch);
}
END_TEST

START_TEST(where_there_is_no_other_worker_a_request_stays_where_it_is)
{
    struct dyno_dispatch_config config = config_of(&spy_policy, 2);
    struct dyno_dispatch *dispatch = open_dispatch(&config);
    struct dyno_request request = {.id = 7, .prompt_tokens = 100, .max_tokens = 1};
    struct dyno_decision_record record;

    spy.next = 1;
    pick(dispatch, 5, 7, 100, NULL, 0);
    dyno_dispatch_worker_gone(dispatch, 0);
    ck_assert_int_eq(dyno_dispatch_repick(dispatch, 6, &request, 0, &record), DYNO_REJECTED);
    ck_assert_uint_eq(dyno_dispatch_worker_of(dispatch, 7), 1);
    ck_assert_uint_eq(spy.ended, 0);
    dyno_dispatch_close(dispatch);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("dispatch");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, a_request_is_booked_until_it_ends);
    tcase_add_test(cases, tiers_below_the_caches_are_seen);
    tcase_add_test(cases, candidates_are_the_eligible_with_their_scores);
    tcase_add_test(cases, a_delayed_event_is_seen_when_it_is_due_and_not_before);
    tcase_add_test(cases, an_event_at_the_end_of_time_is_never_due);
    tcase_add_test(cases, lost_events_are_drawn_by_seed_worker_and_number);
    tcase_add_test(cases, a_worker_that_is_gone_is_forgotten_and_comes_back_empty);
    tcase_add_test(cases, a_bad_answer_of_a_policy_books_nothing);
    tcase_add_test(cases, bad_configurations_are_refused_in_words);
    tcase_add_test(cases, a_guess_lives_from_its_last_use_for_its_time);
    tcase_add_test(cases, guesses_are_pruned_to_four_fifths);
    tcase_add_test(cases, a_request_that_its_worker_cannot_serve_goes_to_another_one);
    tcase_add_test(cases, where_there_is_no_other_worker_a_request_stays_where_it_is);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("core/run/dispatch", add_cases)

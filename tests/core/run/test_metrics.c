/* The metrics by hand: who is counted where, what an objective means, and that the parts of a
 * request's life add up to it. */
#include <string.h>

#include "core/run/metrics.h"
#include "tests/check_main.h"

static struct dyno_metrics metrics;

static void set_up(void)
{
    ck_assert_int_eq(dyno_metrics_init(&metrics, &(struct dyno_slo){0}), DYNO_OK);
}

static void tear_down(void)
{
    dyno_metrics_release(&metrics);
}

static void tell(const struct dyno_request_record *record)
{
    ck_assert_int_eq(metrics.sink.ops->request(&metrics.sink, record), DYNO_OK);
}

/* Wanted at 1 ms, sent at 3, ready at 4, admitted at 9, first token at 29, last at 129 ms. */
static struct dyno_request_record completed(uint32_t output_tokens)
{
    return (struct dyno_request_record){.outcome = DYNO_COMPLETED,
                                        .prompt_tokens = 100,
                                        .output_tokens = output_tokens,
                                        .cached_tokens = 48,
                                        .scheduled_ns = 1 * DYNO_MS,
                                        .arrival_ns = 3 * DYNO_MS,
                                        .ready_ns = 4 * DYNO_MS,
                                        .admitted_ns = 9 * DYNO_MS,
                                        .first_token_ns = 29 * DYNO_MS,
                                        .last_token_ns = 129 * DYNO_MS};
}

static struct dyno_request_record refused(enum dyno_outcome outcome, dyno_ns arrival)
{
    return (struct dyno_request_record){.outcome = outcome,
                                        .prompt_tokens = 7,
                                        .scheduled_ns = arrival,
                                        .arrival_ns = arrival,
                                        .ready_ns = DYNO_NEVER,
                                        .admitted_ns = DYNO_NEVER,
                                        .first_token_ns = DYNO_NEVER,
                                        .last_token_ns = DYNO_NEVER};
}

static void check_one(const struct dyno_histogram *histogram, dyno_ns value)
{
    ck_assert_uint_eq(histogram->count, 1);
    ck_assert_uint_eq(histogram->min, value);
    ck_assert_uint_eq(histogram->max, value);
}

START_TEST(nothing_told_is_nothing_counted)
{
    ck_assert_uint_eq(metrics.requests + metrics.completed + metrics.rejected + metrics.cancelled +
                          metrics.failed + metrics.within_slo,
                      0);
    ck_assert_uint_eq(metrics.first_arrival_ns, DYNO_NEVER);
    ck_assert_uint_eq(metrics.last_event_ns, 0);
    ck_assert_uint_eq(metrics.ttft.count, 0);
}
END_TEST

/* ttft 29 - 3, e2e 129 - 3, tpot 100 / (11 - 1), and the parts: 2 before the send; then 1, 5, 20
 * and 100, which make e2e. */
START_TEST(a_request_s_latencies_by_hand)
{
    struct dyno_request_record record = completed(11);

    tell(&record);
    check_one(&metrics.ttft, 26 * DYNO_MS);
    check_one(&metrics.e2e, 126 * DYNO_MS);
    check_one(&metrics.tpot, 10 * DYNO_MS);
    check_one(&metrics.client_wait, 2 * DYNO_MS);
    check_one(&metrics.ingest, 1 * DYNO_MS);
    check_one(&metrics.queue, 5 * DYNO_MS);
    check_one(&metrics.prefill, 20 * DYNO_MS);
    check_one(&metrics.decode, 100 * DYNO_MS);
    ck_assert(metrics.ingest.sum + metrics.queue.sum + metrics.prefill.sum + metrics.decode.sum ==
              metrics.e2e.sum);
    ck_assert(metrics.ingest.sum + metrics.queue.sum + metrics.prefill.sum == metrics.ttft.sum);
    ck_assert_uint_eq(metrics.first_arrival_ns, 3 * DYNO_MS);
    ck_assert_uint_eq(metrics.last_event_ns, 129 * DYNO_MS);
    ck_assert_uint_eq(metrics.itl.count, 0); /* the workers feed it */
}
END_TEST

/* 100 ms over 6 gaps: whole nanoseconds, 16666666. */
START_TEST(tpot_is_in_whole_nanoseconds)
{
    struct dyno_request_record record = completed(7);

    tell(&record);
    check_one(&metrics.tpot, 16666666);
}
END_TEST

START_TEST(one_token_has_no_time_per_token)
{
    struct dyno_request_record record = completed(1);

    record.last_token_ns = record.first_token_ns;
    tell(&record);
    ck_assert_uint_eq(metrics.tpot.count, 0);
    check_one(&metrics.decode, 0);
    check_one(&metrics.e2e, 26 * DYNO_MS);
    ck_assert_uint_eq(metrics.completed, 1);
}
END_TEST

START_TEST(every_outcome_is_counted_once)
{
    static const enum dyno_outcome fates[] = {
        DYNO_REJECTED_PROMPT_TOO_LONG, DYNO_REJECTED_QUEUE_FULL, DYNO_REJECTED_QUEUE_FULL,
        DYNO_CANCELLED_BY_CLIENT,      DYNO_CANCELLED_AT_END,    DYNO_FAILED};
    struct dyno_request_record record = completed(11);

    tell(&record);
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
        record = refused(fates[i], i * DYNO_MS);
        tell(&record);
    }
    ck_assert_uint_eq(metrics.requests, 7);
    ck_assert_uint_eq(metrics.completed, 1);
    ck_assert_uint_eq(metrics.rejected, 3);
    ck_assert_uint_eq(metrics.cancelled, 2);
    ck_assert_uint_eq(metrics.failed, 1);
    ck_assert_uint_eq(metrics.input_tokens, 100 + 6 * 7);
    ck_assert_uint_eq(metrics.completed_input_tokens, 100);
    ck_assert_uint_eq(metrics.output_tokens, 11);
    ck_assert_uint_eq(metrics.completed_output_tokens, 11);
    ck_assert_uint_eq(metrics.admitted_input_tokens, 100);
    ck_assert_uint_eq(metrics.cached_tokens, 48);
    ck_assert_uint_eq(metrics.ttft.count, 1); /* only what completed has latencies */
    ck_assert_uint_eq(metrics.e2e.count, 1);
    ck_assert_uint_eq(metrics.queue.count, 1);
    ck_assert_uint_eq(metrics.first_arrival_ns, 0);
    ck_assert_uint_eq(metrics.last_event_ns, 129 * DYNO_MS);
}
END_TEST

/* Cut off after 5 tokens: they were generated and its prompt was admitted, but it has no latency.
 */
START_TEST(a_cancelled_request_counts_its_tokens_but_no_latency)
{
    struct dyno_request_record record = completed(5);

    record.outcome = DYNO_CANCELLED_AT_END;
    tell(&record);
    ck_assert_uint_eq(metrics.cancelled, 1);
    ck_assert_uint_eq(metrics.output_tokens, 5);
    ck_assert_uint_eq(metrics.completed_output_tokens, 0);
    ck_assert_uint_eq(metrics.admitted_input_tokens, 100);
    ck_assert_uint_eq(metrics.cached_tokens, 48);
    ck_assert_uint_eq(metrics.ttft.count + metrics.e2e.count + metrics.decode.count, 0);
    ck_assert_uint_eq(metrics.within_slo, 0);
}
END_TEST

/* A rejection is an event: it may be the last thing that happens. */
START_TEST(a_rejection_moves_the_last_event)
{
    struct dyno_request_record record = refused(DYNO_REJECTED_QUEUE_FULL, 500 * DYNO_MS);

    tell(&record);
    ck_assert_uint_eq(metrics.last_event_ns, 500 * DYNO_MS);
    ck_assert_uint_eq(metrics.first_arrival_ns, 500 * DYNO_MS);
}
END_TEST

/* ---- objectives ------------------------------------------------------------------------------ */

/* How many of the request above (ttft 26, tpot 10, e2e 126 ms) meet the objectives: 0 or 1. */
static uint64_t meets(struct dyno_slo slo, uint32_t output_tokens)
{
    struct dyno_request_record record = completed(output_tokens);

    dyno_metrics_release(&metrics);
    ck_assert_int_eq(dyno_metrics_init(&metrics, &slo), DYNO_OK);
    tell(&record);
    return metrics.within_slo;
}

START_TEST(an_objective_is_met_up_to_and_including_its_bound)
{
    ck_assert_uint_eq(meets((struct dyno_slo){0}, 11), 1);
    ck_assert_uint_eq(meets((struct dyno_slo){.ttft_ns = 26 * DYNO_MS}, 11), 1);
    ck_assert_uint_eq(meets((struct dyno_slo){.ttft_ns = 26 * DYNO_MS - 1}, 11), 0);
    ck_assert_uint_eq(meets((struct dyno_slo){.tpot_ns = 10 * DYNO_MS}, 11), 1);
    ck_assert_uint_eq(meets((struct dyno_slo){.tpot_ns = 10 * DYNO_MS - 1}, 11), 0);
    ck_assert_uint_eq(meets((struct dyno_slo){.itl_ns = 10 * DYNO_MS}, 11), 1);
    ck_assert_uint_eq(meets((struct dyno_slo){.itl_ns = 10 * DYNO_MS - 1}, 11), 0);
    ck_assert_uint_eq(meets((struct dyno_slo){.e2e_ns = 126 * DYNO_MS}, 11), 1);
    ck_assert_uint_eq(meets((struct dyno_slo){.e2e_ns = 126 * DYNO_MS - 1}, 11), 0);
}
END_TEST

START_TEST(every_objective_must_be_met)
{
    ck_assert_uint_eq(
        meets((struct dyno_slo){.ttft_ns = 30 * DYNO_MS, .tpot_ns = 11 * DYNO_MS}, 11), 1);
    ck_assert_uint_eq(meets((struct dyno_slo){.ttft_ns = 30 * DYNO_MS, .tpot_ns = 9 * DYNO_MS}, 11),
                      0);
    ck_assert_uint_eq(
        meets((struct dyno_slo){.ttft_ns = 20 * DYNO_MS, .tpot_ns = 11 * DYNO_MS}, 11), 0);
}
END_TEST

/* A single token has no gap that could be too long. */
START_TEST(one_token_meets_every_objective_on_gaps)
{
    ck_assert_uint_eq(meets((struct dyno_slo){.tpot_ns = 1, .itl_ns = 1}, 1), 1);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("metrics");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, nothing_told_is_nothing_counted);
    tcase_add_test(cases, a_request_s_latencies_by_hand);
    tcase_add_test(cases, tpot_is_in_whole_nanoseconds);
    tcase_add_test(cases, one_token_has_no_time_per_token);
    tcase_add_test(cases, every_outcome_is_counted_once);
    tcase_add_test(cases, a_cancelled_request_counts_its_tokens_but_no_latency);
    tcase_add_test(cases, a_rejection_moves_the_last_event);
    tcase_add_test(cases, an_objective_is_met_up_to_and_including_its_bound);
    tcase_add_test(cases, every_objective_must_be_met);
    tcase_add_test(cases, one_token_meets_every_objective_on_gaps);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("run/metrics", add_cases)

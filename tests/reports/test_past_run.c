/* A run out of a database: its completed requests, and how they were paced. */
#include "reports/past_run.h"

#include <string.h>
#include <unistd.h>

#include "reports/reports.h"
#include "tests/check_main.h"

static const char path[] = "past-run-test.db";

static void forget(void)
{
    (void)unlink(path);
}

/* A run of three requests, the second of which was cancelled. */
static void record(bool finish)
{
    static const struct dyno_run_option_row options[] = {
        {"model.name", "llama-3.1-8b", "flag"},
        {"trace.concurrency", "none", "default"},
        {"trace.max_concurrency", "7", "flag"},
        {"generate.arrival", "poisson:3", "flag"},
    };
    struct dyno_recorder *recorder;
    struct dyno_error error = {0};
    struct dyno_sink *sink;

    ck_assert_msg(dyno_recorder_open(&recorder, path, "dyno replay", "a title", options, 4,
                                     &error) == DYNO_OK,
                  "%s", error.text);
    sink = dyno_recorder_sink(recorder);
    for (uint64_t i = 0; i < 3; i++) {
        struct dyno_request_record request = {
            .id = i,
            .outcome = i == 1 ? DYNO_CANCELLED_BY_CLIENT : DYNO_COMPLETED,
            .worker = 0,
            .prompt_tokens = 10,
            .output_tokens = 3,
            .scheduled_ns = 100 * i,
            .arrival_ns = 100 * i + 5,
            .ready_ns = 100 * i + 6,
            .admitted_ns = 100 * i + 7,
            .first_token_ns = 100 * i + 20,
            .last_token_ns = 100 * i + 40,
        };

        ck_assert_int_eq(sink->ops->request(sink, &request), DYNO_OK);
    }
    if (finish) {
        struct dyno_metrics metrics = {0};
        struct dyno_fleet_totals totals = {0};
        struct dyno_report report = {.metrics = &metrics, .totals = &totals, .title = "a title"};

        ck_assert_msg(dyno_recorder_close(recorder, &report, NULL, &error) == DYNO_OK, "%s",
                      error.text);
    } else {
        (void)dyno_recorder_close(recorder, NULL, NULL, &error);
    }
}

START_TEST(the_last_finished_run_is_read)
{
    struct dyno_error error = {0};
    struct dyno_past_run run;

    record(true);
    record(false); /* failed: not looked at */
    ck_assert_msg(dyno_past_run_read(&run, path, &error) == DYNO_OK, "%s", error.text);
    ck_assert_int_eq(run.id, 1);
    ck_assert_str_eq(run.model, "llama-3.1-8b");
    ck_assert_str_eq(run.arrival, "poisson:3");
    ck_assert_uint_eq(run.concurrency, 0);
    ck_assert_uint_eq(run.inflight_max, 7);
    ck_assert_uint_eq(run.left_out, 1);
    ck_assert_uint_eq(run.request_count, 2);
    ck_assert_uint_eq(run.requests[1].scheduled_ns, 200);
    ck_assert_uint_eq(run.requests[1].arrival_ns, 205);
    ck_assert_uint_eq(run.requests[1].first_token_ns, 220);
    ck_assert_uint_eq(run.requests[1].last_token_ns, 240);
    dyno_past_run_release(&run);
}
END_TEST

START_TEST(a_database_without_a_finished_run_is_refused)
{
    struct dyno_error error = {0};
    struct dyno_past_run run;

    ck_assert_int_eq(dyno_past_run_read(&run, path, &error), DYNO_NOT_FOUND);
    record(false);
    ck_assert_int_eq(dyno_past_run_read(&run, path, &error), DYNO_NOT_FOUND);
    ck_assert_str_eq(error.text, "past-run-test.db holds no run that came to its end");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("past run");

    tcase_add_checked_fixture(tc, forget, forget);
    tcase_add_test(tc, the_last_finished_run_is_read);
    tcase_add_test(tc, a_database_without_a_finished_run_is_refused);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("reports/past_run", add_cases)

/* The recorder: what it is told is what the database holds. */
#include "tests/reports/records.h"

#include <signal.h>
#include <sys/wait.h>

#include "reports/summary.h"
#include "tests/check_main.h"

static char path[PATH_MAX];
static const char *folder;

static void setup(void)
{
    folder = folder_make();
    path_in(path, folder, "runs.db");
}

static void teardown(void)
{
    folder_remove(folder);
}

START_TEST(every_stamp_of_a_request_comes_back)
{
    struct dyno_request_record record = {.id = 42,
                                         .session = UINT64_MAX - 1,
                                         .tenant = 3,
                                         .worker = 7,
                                         .outcome = DYNO_COMPLETED,
                                         .prompt_tokens = 1000,
                                         .output_tokens = 11,
                                         .cached_tokens = 512,
                                         .preemptions = 2,
                                         .scheduled_ns = 1,
                                         .arrival_ns = 10,
                                         .ready_ns = 200,
                                         .admitted_ns = 3000,
                                         .first_token_ns = 40000,
                                         .last_token_ns = 500000};
    struct dyno_recorder *recorder = recorder_open(path);
    struct dyno_sink *sink = dyno_recorder_sink(recorder);
    sqlite3 *database;

    ck_assert_int_eq(sink->ops->request(sink, &record), DYNO_OK);
    ck_assert_int_eq(dyno_recorder_close(recorder, NULL, NULL, NULL), DYNO_OK);
    database = database_open(path);
    answer_is(database,
              "SELECT run || ' ' || id || ' ' || outcome || ' ' || worker || ' ' || session || ' '"
              " || tenant || ' ' || prompt_tokens || ' ' || output_tokens || ' ' || cached_tokens"
              " || ' ' || preemptions FROM request",
              "1 42 0 7 -2 3 1000 11 512 2");
    answer_is(database,
              "SELECT scheduled_ns || ' ' || arrival_ns || ' ' || ready_ns || ' ' || admitted_ns"
              " || ' ' || first_token_ns || ' ' || last_token_ns FROM request",
              "1 10 200 3000 40000 500000");
    answer_is(database,
              "SELECT client_wait_ns || ' ' || ingest_ns || ' ' || queue_ns || ' ' || prefill_ns"
              " || ' ' || decode_ns || ' ' || ttft_ns || ' ' || e2e_ns FROM request",
              "9 190 2800 37000 460000 39990 499990");
    answer_is(database, "SELECT outcome || ' ' || ttft_ms || ' ' || tpot_ms FROM request_latency",
              "completed 0.03999 0.046");
    sqlite3_close(database);
}
END_TEST

START_TEST(what_a_request_never_reached_is_null)
{
    struct dyno_recorder *recorder = recorder_open(path);
    sqlite3 *database;

    ck_assert_int_eq(recorder_tell(recorder, 7, 8), DYNO_OK); /* the 7th of 16 is rejected */
    ck_assert_int_eq(dyno_recorder_close(recorder, NULL, NULL, NULL), DYNO_OK);
    database = database_open(path);
    answer_is(database,
              "SELECT worker IS NULL AND ready_ns IS NULL AND admitted_ns IS NULL AND"
              " first_token_ns IS NULL AND last_token_ns IS NULL AND ingest_ns IS NULL AND"
              " e2e_ns IS NULL AND arrival_ns IS NOT NULL FROM request",
              "1");
    answer_is(database, "SELECT outcome FROM request_latency", "rejected_prompt_too_long");
    sqlite3_close(database);
}
END_TEST

START_TEST(outcomes_are_called_as_in_the_code)
{
    static const char *const names[] = {
        [DYNO_COMPLETED] = "completed",
        [DYNO_REJECTED_PROMPT_TOO_LONG] = "rejected_prompt_too_long",
        [DYNO_REJECTED_QUEUE_FULL] = "rejected_queue_full",
        [DYNO_CANCELLED_BY_CLIENT] = "cancelled_by_client",
        [DYNO_CANCELLED_AT_END] = "cancelled_at_end",
        [DYNO_FAILED] = "failed",
        [DYNO_REJECTED_QUEUE_TIMEOUT] = "rejected_queue_timeout",
    };
    sqlite3 *database;
    char sql[128];

    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    database = database_open(path);
    answer_is(database, "SELECT count(*) FROM outcome", "7");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(sql, sizeof sql, "SELECT name FROM outcome WHERE code = %zu", i);
        answer_is(database, sql, names[i]);
    }
    sqlite3_close(database);
}
END_TEST

START_TEST(more_records_than_the_ring_holds_all_arrive)
{
    struct dyno_recorder *recorder = recorder_open(path);
    sqlite3 *database;

    ck_assert_int_eq(recorder_tell(recorder, 0, 70000), DYNO_OK);
    ck_assert_int_eq(dyno_recorder_close(recorder, NULL, NULL, NULL), DYNO_OK);
    database = database_open(path);
    answer_is(database, "SELECT count(*) || ' ' || min(id) || ' ' || max(id) FROM request",
              "70000 0 69999");
    answer_is(database, "PRAGMA integrity_check", "ok");
    sqlite3_close(database);
}
END_TEST

START_TEST(a_look_of_the_planner_is_a_row)
{
    struct dyno_plan_record record = {.at = 10 * DYNO_S,
                                      .before = 2,
                                      .asked = 9,
                                      .desired = 8,
                                      .reason = "up",
                                      .role = "prefill",
                                      .coming = 7,
                                      .ready = 3,
                                      .starting = 4,
                                      .draining = 1,
                                      .heard = 2,
                                      .running = 70,
                                      .waiting = 6,
                                      .lobby = 5,
                                      .rate = 1.5,
                                      .forecast_rate = 2.5};
    struct dyno_recorder *recorder = recorder_open(path);
    struct dyno_sink *sink = dyno_recorder_sink(recorder);
    sqlite3 *database;

    ck_assert_int_eq(sink->ops->plan(sink, &record), DYNO_OK);
    record.role = "decode"; /* at the same instant */
    record.asked = 10;
    ck_assert_int_eq(sink->ops->plan(sink, &record), DYNO_OK);
    ck_assert_int_eq(dyno_recorder_close(recorder, NULL, NULL, NULL), DYNO_OK);
    database = database_open(path);
    answer_is(database,
              "SELECT at_ns || ' ' || before || ' ' || asked || ' ' || desired || ' ' || reason"
              " || ' ' || ready || ' ' || starting || ' ' || draining || ' ' || heard || ' ' ||"
              " running || ' ' || waiting || ' ' || lobby || ' ' || rate || ' ' || forecast_rate"
              " || ' ' || coming FROM plan WHERE role = 'prefill'",
              "10000000000 2 9 8 up 3 4 1 2 70 6 5 1.5 2.5 7");
    answer_is(database, "SELECT asked FROM plan WHERE role = 'decode'", "10");
    sqlite3_close(database);
}
END_TEST

START_TEST(a_sample_is_a_row_and_the_later_of_two_at_once_counts)
{
    struct dyno_sample_record record = {.at = 5 * DYNO_S,
                                        .worker = 3,
                                        .running = 10,
                                        .waiting = 2,
                                        .blocks_used = 300,
                                        .blocks_idle = 100,
                                        .blocks_total = 1000,
                                        .tokens_out = 12345,
                                        .busy_ns = 4 * DYNO_S};
    struct dyno_recorder *recorder = recorder_open(path);
    struct dyno_sink *sink = dyno_recorder_sink(recorder);
    sqlite3 *database;

    ck_assert_int_eq(sink->ops->sample(sink, &record), DYNO_OK);
    record.running = 11;
    ck_assert_int_eq(sink->ops->sample(sink, &record), DYNO_OK);
    record.at = 6 * DYNO_S;
    record.busy_ns += DYNO_S / 2;
    record.tokens_out += 100;
    ck_assert_int_eq(sink->ops->sample(sink, &record), DYNO_OK);
    ck_assert_int_eq(dyno_recorder_close(recorder, NULL, NULL, NULL), DYNO_OK);
    database = database_open(path);
    answer_is(database,
              "SELECT group_concat(at_ns || ' ' || worker || ' ' || running || ' ' || waiting"
              " || ' ' || blocks_used || ' ' || blocks_idle || ' ' || blocks_total || ' '"
              " || tokens_out || ' ' || busy_ns, ', ') FROM sample",
              "5000000000 3 11 2 300 100 1000 12345 4000000000,"
              " 6000000000 3 11 2 300 100 1000 12445 4500000000");
    answer_is(database,
              "SELECT kv_use || ' ' || busy_fraction || ' ' || output_tokens_per_s"
              " FROM sample_rate WHERE at_s = 6",
              "0.3 0.5 100.0");
    sqlite3_close(database);
}
END_TEST

START_TEST(a_decision_keeps_all_its_candidates)
{
    uint32_t workers[14];
    double scores[14];
    struct dyno_decision_record record = {.request = 9,
                                          .at = 77,
                                          .worker = 4,
                                          .overlap_blocks = 12,
                                          .view_age = 1000,
                                          .candidate_count = 14,
                                          .candidates = workers,
                                          .scores = scores};
    struct dyno_recorder *recorder = recorder_open(path);
    struct dyno_sink *sink = dyno_recorder_sink(recorder);
    sqlite3 *database;

    for (uint32_t i = 0; i < 14; i++) {
        workers[i] = i;
        scores[i] = i + 0.5;
    }
    ck_assert_int_eq(sink->ops->decision(sink, &record), DYNO_OK);
    record.scores = NULL; /* a policy that does not score */
    record.candidate_count = 2;
    ck_assert_int_eq(sink->ops->decision(sink, &record), DYNO_OK);
    record.candidates = NULL; /* candidates were not asked for */
    record.worker = DYNO_NO_WORKER;
    ck_assert_int_eq(sink->ops->decision(sink, &record), DYNO_OK);
    ck_assert_int_eq(dyno_recorder_close(recorder, NULL, NULL, NULL), DYNO_OK);
    database = database_open(path);
    answer_is(database,
              "SELECT group_concat(number || ' ' || request || ' ' || at_ns || ' ' ||"
              " coalesce(worker, 'none') || ' ' || overlap_blocks || ' ' || view_age_ns, ', ')"
              " FROM decision",
              "0 9 77 4 12 1000, 1 9 77 4 12 1000, 2 9 77 none 12 1000");
    answer_is(database,
              "SELECT count(*) || ' ' || sum(worker) || ' ' || sum(score) FROM decision_candidate"
              " WHERE number = 0",
              "14 91 98.0");
    answer_is(database, "SELECT count(*) || ' ' || count(score) FROM decision_candidate", "16 14");
    sqlite3_close(database);
}
END_TEST

START_TEST(options_are_kept_with_their_origin)
{
    static const struct dyno_run_option_row options[] = {
        {"kv.block_tokens", "16", "engine profile"}, {"run.seed", "1", "default"}};
    struct dyno_recorder *recorder;
    sqlite3 *database;

    ck_assert_int_eq(
        dyno_recorder_open(&recorder, path, "dyno replay x", "title", options, 2, NULL), DYNO_OK);
    ck_assert_int_eq(dyno_recorder_run_id(recorder), 1);
    ck_assert_int_eq(dyno_recorder_close(recorder, NULL, NULL, NULL), DYNO_OK);
    database = database_open(path);
    answer_is(database,
              "SELECT group_concat(run || ' ' || name || '=' || value || ' ' || origin, ', ')"
              " FROM run_option",
              "1 kv.block_tokens=16 engine profile, 1 run.seed=1 default");
    answer_is(database, "SELECT title || ', ' || command FROM run", "title, dyno replay x");
    sqlite3_close(database);
}
END_TEST

START_TEST(a_run_says_how_it_ended)
{
    struct fixture fixture;
    struct dyno_recorder *recorder;
    sqlite3 *database;

    fixture_init(&fixture);
    recorder = recorder_open(path);
    database = database_open(path);
    answer_is(database, "SELECT status FROM run", "running");
    ck_assert_int_eq(dyno_recorder_close(recorder, &fixture.report, NULL, NULL), DYNO_OK);
    fixture.report.interrupted = true;
    recorder = recorder_open(path);
    ck_assert_int_eq(dyno_recorder_run_id(recorder), 2);
    ck_assert_int_eq(dyno_recorder_close(recorder, &fixture.report, NULL, NULL), DYNO_OK);
    ck_assert_int_eq(dyno_recorder_close(recorder_open(path), NULL, NULL, NULL), DYNO_OK);
    answer_is(database, "SELECT group_concat(id || ' ' || status, ', ') FROM run",
              "1 finished, 2 interrupted, 3 failed");
    answer_is(database, "SELECT count(DISTINCT run) FROM run_metric", "2");
    sqlite3_close(database);
    fixture_release(&fixture);
}
END_TEST

START_TEST(the_summary_in_the_database_is_the_summary)
{
    struct dyno_summary summary;
    struct fixture fixture;
    sqlite3_stmt *rows;
    sqlite3 *database;

    fixture_init(&fixture);
    dyno_summary_fill(&summary, &fixture.report);
    ck_assert_int_eq(dyno_recorder_close(recorder_open(path), &fixture.report, NULL, NULL),
                     DYNO_OK);
    database = database_open(path);
    sqlite3_prepare_v2(database, "SELECT value FROM run_metric WHERE metric = ?1", -1, &rows, NULL);
    for (uint32_t i = 0; i < summary.row_count; i++) {
        const struct dyno_summary_row *row = &summary.rows[i];

        sqlite3_reset(rows);
        sqlite3_bind_text(rows, 1, row->name, -1, SQLITE_STATIC);
        ck_assert_msg(sqlite3_step(rows) == SQLITE_ROW, "%s is missing", row->name);
        ck_assert_int_eq(sqlite3_column_type(rows, 0) == SQLITE_NULL,
                         row->kind == DYNO_SUMMARY_UNKNOWN);
        ck_assert_msg(sqlite3_column_double(rows, 0) == row->real, "%s differs", row->name);
    }
    sqlite3_finalize(rows);
    sqlite3_close(database);
    fixture_release(&fixture);
}
END_TEST

START_TEST(the_machine_stands_in_the_table_host_only)
{
    struct dyno_host_facts facts = {
        .wall_s = 2.5, .requests_per_wall_s = 400, .peak_rss_bytes = 123456};
    struct fixture fixture;
    sqlite3 *database;

    fixture_init(&fixture);
    ck_assert_int_eq(dyno_recorder_close(recorder_open(path), &fixture.report, &facts, NULL),
                     DYNO_OK);
    database = database_open(path);
    answer_is(database,
              "SELECT wall_s || ' ' || requests_per_wall_s || ' ' || peak_rss_bytes FROM host",
              "2.5 400.0 123456");
    answer_is(database,
              "SELECT started_at GLOB '20[0-9][0-9]-[01][0-9]-[0-3][0-9]T*Z' AND"
              " ended_at >= started_at FROM host",
              "1");
    sqlite3_close(database);
    fixture_release(&fixture);
}
END_TEST

START_TEST(a_killed_run_keeps_its_place_and_is_not_called_finished)
{
    sqlite3 *database;
    int status;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        recorder_tell(recorder_open(path), 0, 200000);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    database = database_open(path);
    answer_is(database, "SELECT status FROM run", "running");
    answer_is(database, "SELECT count(*) >= 65536 FROM request", "1"); /* a transaction at least */
    answer_is(database, "PRAGMA integrity_check", "ok");
    sqlite3_close(database);
    ck_assert_int_eq(dyno_recorder_close(recorder_open(path), NULL, NULL, NULL), DYNO_OK);
}
END_TEST

START_TEST(memory_keeps_nothing_and_costs_nothing)
{
    struct fixture fixture;
    struct dyno_recorder *recorder = recorder_open(":memory:");
    const struct dyno_sink_ops *ops = dyno_recorder_sink(recorder)->ops;

    fixture_init(&fixture);
    ck_assert(!ops->request && !ops->decision && !ops->sample && !ops->progress);
    ck_assert_int_eq(dyno_recorder_run_id(recorder), 0);
    ck_assert_int_eq(dyno_recorder_close(recorder, &fixture.report, NULL, NULL), DYNO_OK);
    ck_assert_int_ne(access(":memory:", F_OK), 0);
    fixture_release(&fixture);
}
END_TEST

START_TEST(deleting_a_run_deletes_its_rows)
{
    struct fixture fixture;
    sqlite3 *database;

    fixture_init(&fixture);
    for (int i = 0; i < 2; i++) {
        struct dyno_recorder *recorder = recorder_open(path);

        ck_assert_int_eq(recorder_tell(recorder, 0, 100), DYNO_OK);
        ck_assert_int_eq(dyno_recorder_close(recorder, &fixture.report, NULL, NULL), DYNO_OK);
    }
    database = database_open(path);
    sqlite3_exec(database, "PRAGMA foreign_keys = ON; DELETE FROM run WHERE id = 1", NULL, NULL,
                 NULL);
    answer_is(database, "SELECT count(*) || ' ' || min(run) FROM request", "100 2");
    answer_is(database, "SELECT min(run) FROM run_metric", "2");
    answer_is(database, "SELECT min(run) FROM host", "2");
    sqlite3_close(database);
    fixture_release(&fixture);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("recorder");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_stamp_of_a_request_comes_back);
    tcase_add_test(tc, what_a_request_never_reached_is_null);
    tcase_add_test(tc, outcomes_are_called_as_in_the_code);
    tcase_add_test(tc, more_records_than_the_ring_holds_all_arrive);
    tcase_add_test(tc, a_look_of_the_planner_is_a_row);
    tcase_add_test(tc, a_sample_is_a_row_and_the_later_of_two_at_once_counts);
    tcase_add_test(tc, a_decision_keeps_all_its_candidates);
    tcase_add_test(tc, options_are_kept_with_their_origin);
    tcase_add_test(tc, a_run_says_how_it_ended);
    tcase_add_test(tc, the_summary_in_the_database_is_the_summary);
    tcase_add_test(tc, the_machine_stands_in_the_table_host_only);
    tcase_add_test(tc, a_killed_run_keeps_its_place_and_is_not_called_finished);
    tcase_add_test(tc, memory_keeps_nothing_and_costs_nothing);
    tcase_add_test(tc, deleting_a_run_deletes_its_rows);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("reports/recorder", add_cases)

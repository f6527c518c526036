/* Databases that cannot be used: each says why, and none is harmed. */
#include "tests/reports/records.h"

#include <signal.h>
#include <sys/resource.h>

#include "reports/database.h"
#include "reports/recorder.h"
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

/* Opening a recorder fails with this status and a sentence that holds all of `words`. */
static void is_refused(const char *name, dyno_status status, const char *const *words)
{
    struct dyno_error error = {0};
    struct dyno_recorder *recorder;

    ck_assert_int_eq(dyno_recorder_open(&recorder, name, "", "", NULL, 0, &error), status);
    ck_assert_int_eq(error.status, status);
    for (; *words; words++) {
        ck_assert_msg(strstr(error.text, *words), "\"%s\" is not in: %s", *words, error.text);
    }
}

#define REFUSED(name, status, ...) is_refused(name, status, (const char *[]){__VA_ARGS__, NULL})

static void file_make(const char *text)
{
    FILE *file = fopen(path, "w");

    fputs(text, file);
    fclose(file);
}

static void run_sql(const char *sql)
{
    sqlite3 *database = database_open(path);

    ck_assert_int_eq(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

/* Tell of requests until the recorder fails; the status, or DYNO_OK if it took them all. */
static dyno_status tell_until_failure(struct dyno_recorder *recorder)
{
    return recorder_tell(recorder, 0, 2000000);
}

START_TEST(the_schema_carries_the_version_that_the_code_expects)
{
    char expected[32];
    sqlite3 *database;

    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    database = database_open(path);
    snprintf(expected, sizeof expected, "%d", DYNO_SCHEMA_VERSION);
    answer_is(database, "PRAGMA user_version", expected);
    snprintf(expected, sizeof expected, "%d", DYNO_SCHEMA_APPLICATION_ID);
    answer_is(database, "PRAGMA application_id", expected);
    sqlite3_close(database);
}
END_TEST

START_TEST(an_empty_file_becomes_a_database)
{
    file_make("");
    ck_assert_int_eq(dyno_recorder_close(recorder_open(path), NULL, NULL, NULL), DYNO_OK);
}
END_TEST

START_TEST(a_newer_schema_is_refused_with_both_versions)
{
    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    run_sql("PRAGMA user_version = 11");
    REFUSED(path, DYNO_UNSUPPORTED, "runs.db", "version 11", "version 10", "a newer dyno");
}
END_TEST

START_TEST(an_older_schema_is_refused_with_both_versions)
{
    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    run_sql("PRAGMA user_version = 0");
    REFUSED(path, DYNO_UNSUPPORTED, "runs.db", "version 0", "version 10", "an older dyno");
}
END_TEST

/* Takes away what version 10 added. */
static const char to_version_9[] = "DROP TABLE gpu_sample; PRAGMA user_version = 9";

/* Version 9 knew nothing of GPUs that compute. */
START_TEST(a_database_of_version_9_is_brought_to_the_present_one)
{
    sqlite3 *database;

    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    run_sql(to_version_9);
    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    database = database_open(path);
    answer_is(database, "PRAGMA user_version", "10");
    answer_is(database, "SELECT count(*) FROM run", "2");
    answer_is(database, "SELECT count(*) FROM gpu_sample", "0");
    sqlite3_close(database);
}
END_TEST

/* Takes away what versions 10 and 9 added. */
static const char to_version_8[] =
    "DROP TABLE gpu_sample;"
    "DROP VIEW transfer; DROP VIEW model_load; DROP TABLE model; ALTER TABLE request DROP COLUMN "
    "model;"
    "CREATE TABLE old AS SELECT run, at_ns, role, before, asked, desired, reason, ready, starting,"
    " draining, coming, heard, running, waiting, lobby, rate, forecast_rate FROM plan;"
    "DROP TABLE plan; ALTER TABLE old RENAME TO plan;"
    "DROP VIEW link_use; DROP TABLE link; DROP TABLE link_sample;"
    "ALTER TABLE tier DROP COLUMN lost_blocks; ALTER TABLE request DROP COLUMN pulled_tokens;"
    "PRAGMA user_version = 8";

/* Version 8 did not say what tiers lost, nor what links carried. */
START_TEST(a_database_of_version_8_is_brought_to_the_present_one)
{
    sqlite3 *database;

    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    run_sql(to_version_8);
    run_sql("INSERT INTO tier VALUES (1, 2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 77)");
    run_sql("INSERT INTO plan VALUES (1, 10, 'serve', 1, 9, 2, 'up', 1, 3, 4, 0, 5, 6, 7, 8, 1.5, "
            "2.5)");
    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    database = database_open(path);
    answer_is(database, "PRAGMA user_version", "10");
    answer_is(database, "SELECT block_bytes || ' ' || lost_blocks FROM tier", "77 0");
    answer_is(database, "SELECT count(*) FROM link_use", "0");
    answer_is(database, "SELECT model || ' ' || asked || ' ' || role FROM plan", "0 9 serve");
    answer_is(database, "SELECT count(*) FROM model_load", "0");
    answer_is(database, "SELECT count(*) FROM transfer", "0");
    sqlite3_close(database);
}
END_TEST

/* Takes away what version 8 added. */
static const char to_version_7[] =
    "DROP TABLE fault; ALTER TABLE request DROP COLUMN migrations;"
    "CREATE TABLE old (run INTEGER, at_ns INTEGER, before INTEGER, asked INTEGER, desired INTEGER,"
    " reason TEXT, ready INTEGER, starting INTEGER, draining INTEGER, heard INTEGER,"
    " running INTEGER, waiting INTEGER, lobby INTEGER, rate REAL, forecast_rate REAL);"
    "DROP TABLE plan; ALTER TABLE old RENAME TO plan; PRAGMA user_version = 7";

/* Version 7 knew of no roles: everybody served; and of no faults: nobody went on elsewhere. */
START_TEST(a_database_of_version_7_is_brought_to_the_present_one)
{
    sqlite3 *database;

    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    run_sql(to_version_8);
    run_sql(to_version_7);
    run_sql("INSERT INTO request (run, id, outcome, prompt_tokens, output_tokens, cached_tokens,"
            " preemptions) VALUES (1, 0, 0, 9, 2, 0, 0)");
    run_sql("INSERT INTO plan VALUES (1, 10, 1, 9, 2, 'up', 1, 3, 4, 5, 6, 7, 8, 1.5, 2.5)");
    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    database = database_open(path);
    answer_is(database, "PRAGMA user_version", "10");
    answer_is(database,
              "SELECT role || ' ' || asked || ' ' || draining || ' ' || coming || ' ' || heard ||"
              " ' ' || forecast_rate FROM plan",
              "serve 9 4 0 5 2.5");
    answer_is(database, "SELECT migrations FROM request", "0");
    answer_is(database, "SELECT count(*) FROM fault", "0");
    sqlite3_close(database);
}
END_TEST

/* Takes away what version 7 added. */
static const char to_version_6[] =
    "DROP VIEW trial_goal; DROP TABLE trial; DROP TABLE tuning_aim; DROP TABLE tuning_option;"
    "DROP TABLE tuning; PRAGMA user_version = 6";

/* Version 6 had no tunings; its runs stay, and are no trials. */
START_TEST(a_database_of_version_6_is_brought_to_the_present_one)
{
    sqlite3 *database;

    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    run_sql(to_version_8);
    run_sql(to_version_7);
    run_sql(to_version_6);
    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    database = database_open(path);
    answer_is(database, "PRAGMA user_version", "10");
    answer_is(database, "SELECT count(*) FROM run", "2");
    answer_is(database, "SELECT count(*) FROM trial_goal", "0");
    sqlite3_close(database);
}
END_TEST

/* Takes away what version 6 added, but for what views show. */
static const char to_version_5[] =
    "DROP VIEW IF EXISTS validation_error; DROP VIEW request_latency; DROP VIEW worker_load;"
    "DROP VIEW tenant_load; DROP VIEW priority_load; DROP TABLE tier; DROP TABLE tier_sample;"
    "ALTER TABLE request DROP COLUMN queue_ns; ALTER TABLE request DROP COLUMN onboard_ns;"
    "ALTER TABLE request DROP COLUMN onboarded_tokens;"
    "ALTER TABLE request ADD COLUMN queue_ns INTEGER AS (held_ns + admitted_ns - ready_ns);"
    "CREATE VIEW worker_load AS SELECT run FROM request;"
    "CREATE VIEW tenant_load AS SELECT run FROM request;"
    "CREATE VIEW priority_load AS SELECT run FROM request;"
    "CREATE VIEW request_latency AS SELECT run, id FROM request;"
    "PRAGMA user_version = 5";

/* Version 5 had no tiers: nothing came from one. */
START_TEST(a_database_of_version_5_is_brought_to_the_present_one)
{
    sqlite3 *database;

    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    run_sql(to_version_8);
    run_sql(to_version_7);
    run_sql(to_version_6);
    run_sql(to_version_5);
    run_sql(
        "INSERT INTO request (run, id, outcome, prompt_tokens, output_tokens, cached_tokens,"
        " preemptions, arrival_ns, ready_ns, admitted_ns) VALUES (1, 0, 0, 9, 2, 0, 0, 5, 7, 10)");
    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    database = database_open(path);
    answer_is(database, "PRAGMA user_version", "10");
    answer_is(database,
              "SELECT queue_ns || ' ' || onboard_ns || ' ' || onboarded_tokens FROM request",
              "3 0 0");
    answer_is(database, "SELECT requests FROM tenant_load", "1");
    answer_is(database, "SELECT count(*) FROM tier", "0");
    sqlite3_close(database);
}
END_TEST

/* Takes away what version 5 added. */
static const char to_version_4[] =
    "DROP VIEW IF EXISTS validation_error; DROP VIEW request_latency; DROP VIEW worker_load;"
    "DROP VIEW tenant_load; DROP VIEW priority_load; DELETE FROM outcome WHERE code = 6;"
    "DROP TABLE run_tag;"
    "ALTER TABLE decision DROP COLUMN router;"
    "ALTER TABLE request DROP COLUMN ingest_ns; ALTER TABLE request DROP COLUMN queue_ns;"
    "ALTER TABLE request DROP COLUMN held_ns; ALTER TABLE request DROP COLUMN priority;"
    "ALTER TABLE request ADD COLUMN ingest_ns INTEGER AS (ready_ns - arrival_ns);"
    "ALTER TABLE request ADD COLUMN queue_ns INTEGER AS (admitted_ns - ready_ns);"
    "CREATE VIEW worker_load AS SELECT run, worker, avg(queue_ns) AS queue_ms_mean FROM request;"
    "CREATE VIEW request_latency AS SELECT run, id, queue_ns / 1e6 AS queue_ms FROM request;"
    "PRAGMA user_version = 4";

/* Version 4 had no waiting before a worker: its requests did not. */
START_TEST(a_database_of_version_4_is_brought_to_the_present_one)
{
    sqlite3 *database;

    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    run_sql(to_version_8);
    run_sql(to_version_7);
    run_sql(to_version_6);
    run_sql(to_version_5);
    run_sql(to_version_4);
    run_sql(
        "INSERT INTO request (run, id, outcome, prompt_tokens, output_tokens, cached_tokens,"
        " preemptions, arrival_ns, ready_ns, admitted_ns) VALUES (1, 0, 0, 9, 2, 0, 0, 5, 7, 10)");
    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    database = database_open(path);
    answer_is(database, "PRAGMA user_version", "10");
    answer_is(
        database,
        "SELECT ingest_ns || ' ' || queue_ns || ' ' || held_ns || ' ' || priority FROM request",
        "2 3 0 0");
    answer_is(database, "SELECT requests FROM tenant_load", "1");
    answer_is(database, "SELECT name FROM outcome WHERE code = 6", "rejected_queue_timeout");
    sqlite3_close(database);
}
END_TEST

/* Takes away what versions 4 and 5 added. */
static const char to_version_3[] =
    "DROP VIEW IF EXISTS validation_error; DROP VIEW request_latency;"
    "ALTER TABLE request DROP COLUMN decode_ns; ALTER TABLE request DROP COLUMN transfer_ns;"
    "ALTER TABLE request DROP COLUMN prefill_worker;"
    "ALTER TABLE request ADD COLUMN decode_ns INTEGER AS (last_token_ns - first_token_ns);"
    "CREATE VIEW request_latency AS SELECT run, id, decode_ns / 1e6 AS decode_ms FROM request";

/* Version 3 had no transfers: those of its requests took no time. */
START_TEST(a_database_of_version_3_is_brought_to_the_present_one)
{
    sqlite3 *database;

    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    run_sql(to_version_8);
    run_sql(to_version_7);
    run_sql(to_version_6);
    run_sql(to_version_5);
    run_sql(to_version_4);
    run_sql(to_version_3);
    run_sql("INSERT INTO request (run, id, outcome, prompt_tokens, output_tokens, cached_tokens,"
            " preemptions, first_token_ns, last_token_ns) VALUES (1, 0, 0, 9, 2, 0, 0, 5, 12);"
            "PRAGMA user_version = 3");
    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    database = database_open(path);
    answer_is(database, "PRAGMA user_version", "10");
    answer_is(database, "SELECT decode_ns || ' ' || transfer_ns FROM request", "7 0");
    answer_is(database, "SELECT tpot_ms IS NOT NULL FROM request_latency", "1");
    sqlite3_close(database);
}
END_TEST

/* Version 2 had no planner; its runs stay. */
START_TEST(a_database_of_version_2_is_brought_to_the_present_one)
{
    sqlite3 *database;

    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    run_sql(to_version_8);
    run_sql(to_version_7);
    run_sql(to_version_6);
    run_sql(to_version_5);
    run_sql(to_version_4);
    run_sql(to_version_3);
    run_sql("DROP TABLE plan; PRAGMA user_version = 2");
    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    database = database_open(path);
    answer_is(database, "PRAGMA user_version", "10");
    answer_is(database, "SELECT count(*) FROM run", "2");
    answer_is(database, "SELECT count(*) FROM plan", "0");
    sqlite3_close(database);
}
END_TEST

/* Version 1 had no validation; its runs stay. */
START_TEST(a_database_of_version_1_is_brought_to_the_present_one)
{
    sqlite3 *database;

    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    run_sql(to_version_8);
    run_sql(to_version_7);
    run_sql(to_version_6);
    run_sql(to_version_5);
    run_sql(to_version_4);
    run_sql("DROP TABLE validation; DROP TABLE plan");
    run_sql(to_version_3);
    run_sql("PRAGMA user_version = 1");
    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    ck_assert_int_eq(dyno_validation_record(path, 1, 2, NULL), DYNO_OK);
    database = database_open(path);
    answer_is(database, "PRAGMA user_version", "10");
    answer_is(database, "SELECT count(transfer_ms) FROM request_latency", "0");
    answer_is(database, "SELECT count(*) FROM run", "2");
    answer_is(database, "SELECT live || ' ' || simulated FROM validation", "1 2");
    answer_is(database, "SELECT count(*) FROM validation_error", "0");
    sqlite3_close(database);
}
END_TEST

START_TEST(a_file_that_is_no_database_is_refused_and_kept)
{
    char *text;

    file_make("timestamp,input,output\n0,100,10\n");
    REFUSED(path, DYNO_BAD_INPUT, "runs.db", "not a SQLite database");
    text = file_text(path);
    ck_assert_str_eq(text, "timestamp,input,output\n0,100,10\n");
    free(text);
}
END_TEST

START_TEST(a_database_of_something_else_is_refused_and_kept)
{
    sqlite3 *database;

    run_sql("CREATE TABLE bookmark (url TEXT)");
    REFUSED(path, DYNO_BAD_INPUT, "runs.db", "not one of dyno runs");
    database = database_open(path);
    answer_is(database, "SELECT group_concat(name) FROM sqlite_master", "bookmark");
    sqlite3_close(database);
}
END_TEST

START_TEST(a_folder_or_no_name_is_refused)
{
    REFUSED(folder, DYNO_BAD_INPUT, "is not a file");
    REFUSED("", DYNO_BAD_INPUT, "needs the name of a file");
}
END_TEST

START_TEST(a_missing_folder_is_refused_with_the_cause)
{
    char inside[PATH_MAX];

    REFUSED(path_in(inside, folder, "none/runs.db"), DYNO_IO, "none/runs.db",
            "No such file or directory");
}
END_TEST

/* Root may write whatever it likes: then the test goes on as nobody. */
START_TEST(a_read_only_file_is_refused)
{
    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    ck_assert_int_eq(chmod(path, 0444), 0);
    ck_assert_int_eq(chmod(folder, 0755), 0);
    if (geteuid() == 0) {
        ck_assert_int_eq(seteuid(65534), 0);
    }
    REFUSED(path, DYNO_IO, "runs.db", "read-only");
    if (getuid() == 0) {
        ck_assert_int_eq(seteuid(0), 0);
    }
}
END_TEST

START_TEST(a_read_only_folder_is_refused_and_nothing_is_made)
{
    ck_assert_int_eq(chmod(folder, 0555), 0);
    if (geteuid() == 0) {
        ck_assert_int_eq(seteuid(65534), 0);
    }
    REFUSED(path, DYNO_IO, "runs.db", "Permission denied");
    if (getuid() == 0) {
        ck_assert_int_eq(seteuid(0), 0);
    }
    ck_assert_int_eq(folder_count(folder), 0);
    ck_assert_int_eq(chmod(folder, 0755), 0);
}
END_TEST

START_TEST(a_locked_database_is_refused_after_a_while)
{
    sqlite3 *other;

    dyno_recorder_close(recorder_open(path), NULL, NULL, NULL);
    other = database_open(path);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    REFUSED(path, DYNO_IO, "runs.db", "locked by another program");
    sqlite3_close(other);
}
END_TEST

START_TEST(a_lock_in_mid_run_ends_the_run_with_a_sentence)
{
    struct dyno_recorder *recorder = recorder_open(path);
    struct dyno_error error = {0};
    struct fixture fixture;
    sqlite3 *other = database_open(path);

    fixture_init(&fixture);
    sqlite3_busy_timeout(dyno_recorder_database(recorder), 10);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(tell_until_failure(recorder), DYNO_IO);
    ck_assert_int_eq(recorder_tell(recorder, 0, 1), DYNO_IO); /* and it stays so */
    ck_assert_int_eq(dyno_recorder_close(recorder, &fixture.report, NULL, &error), DYNO_IO);
    ck_assert_msg(strstr(error.text, "locked by another program"), "%s", error.text);
    answer_is(other, "SELECT status FROM run", "running"); /* not even that could be written */
    sqlite3_close(other);
    fixture_release(&fixture);
}
END_TEST

START_TEST(two_runs_at_once_share_a_file)
{
    struct dyno_recorder *one = recorder_open(path);
    struct dyno_recorder *two = recorder_open(path);
    sqlite3 *database;

    for (uint64_t i = 0; i < 20; i++) {
        ck_assert_int_eq(recorder_tell(one, i * 500, i * 500 + 500), DYNO_OK);
        ck_assert_int_eq(recorder_tell(two, i * 500, i * 500 + 500), DYNO_OK);
    }
    ck_assert_int_eq(dyno_recorder_close(one, NULL, NULL, NULL), DYNO_OK);
    ck_assert_int_eq(dyno_recorder_close(two, NULL, NULL, NULL), DYNO_OK);
    database = database_open(path);
    answer_is(database,
              "SELECT group_concat(n) FROM (SELECT count(*) AS n FROM request GROUP BY run)",
              "10000,10000");
    sqlite3_close(database);
}
END_TEST

static void full_is_reported(struct dyno_recorder *recorder, const char *words)
{
    struct dyno_error error = {0};
    struct fixture fixture;
    sqlite3 *database;

    fixture_init(&fixture);
    ck_assert_int_eq(tell_until_failure(recorder), DYNO_IO);
    ck_assert_int_eq(dyno_recorder_close(recorder, &fixture.report, NULL, &error), DYNO_IO);
    ck_assert_msg(strstr(error.text, words), "\"%s\" is not in: %s", words, error.text);
    database = database_open(path);
    answer_is(database, "SELECT status FROM run WHERE id = 1", "finished"); /* an earlier one */
    answer_is(database, "SELECT count(*) FROM request WHERE run = 1", "100");
    answer_is(database, "SELECT status IN ('failed', 'running') FROM run WHERE id = 2", "1");
    answer_is(database, "PRAGMA integrity_check", "ok");
    sqlite3_close(database);
    fixture_release(&fixture);
}

/* A finished run before the one that fails. */
static void earlier_run(void)
{
    struct dyno_recorder *recorder = recorder_open(path);
    struct fixture fixture;

    fixture_init(&fixture);
    ck_assert_int_eq(recorder_tell(recorder, 0, 100), DYNO_OK);
    ck_assert_int_eq(dyno_recorder_close(recorder, &fixture.report, NULL, NULL), DYNO_OK);
    fixture_release(&fixture);
}

START_TEST(a_full_database_fails_the_run_and_keeps_the_others)
{
    struct dyno_recorder *recorder;

    earlier_run();
    recorder = recorder_open(path);
    sqlite3_exec(dyno_recorder_database(recorder), "PRAGMA max_page_count = 300", NULL, NULL, NULL);
    full_is_reported(recorder, "the disk is full");
}
END_TEST

START_TEST(a_file_size_limit_fails_the_run_and_keeps_the_others)
{
    struct rlimit limit = {.rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY};
    struct dyno_recorder *recorder;

    earlier_run();
    recorder = recorder_open(path);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    full_is_reported(recorder, "disk I/O error");
}
END_TEST

START_TEST(a_request_that_ends_twice_is_an_error)
{
    struct dyno_recorder *recorder = recorder_open(path);
    struct dyno_error error = {0};

    ck_assert_int_eq(recorder_tell(recorder, 5, 6), DYNO_OK);
    ck_assert_int_eq(recorder_tell(recorder, 5, 6), DYNO_OK);
    ck_assert_int_eq(dyno_recorder_close(recorder, NULL, NULL, &error), DYNO_IO);
    ck_assert_msg(strstr(error.text, "UNIQUE constraint failed"), "%s", error.text);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("database");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_database_of_version_2_is_brought_to_the_present_one);
    tcase_add_test(tc, a_database_of_version_1_is_brought_to_the_present_one);
    tcase_add_test(tc, a_database_of_version_9_is_brought_to_the_present_one);
    tcase_add_test(tc, a_database_of_version_8_is_brought_to_the_present_one);
    tcase_add_test(tc, a_database_of_version_7_is_brought_to_the_present_one);
    tcase_add_test(tc, a_database_of_version_6_is_brought_to_the_present_one);
    tcase_add_test(tc, a_database_of_version_5_is_brought_to_the_present_one);
    tcase_add_test(tc, a_database_of_version_4_is_brought_to_the_present_one);
    tcase_add_test(tc, a_database_of_version_3_is_brought_to_the_present_one);
    tcase_add_test(tc, the_schema_carries_the_version_that_the_code_expects);
    tcase_add_test(tc, an_empty_file_becomes_a_database);
    tcase_add_test(tc, a_newer_schema_is_refused_with_both_versions);
    tcase_add_test(tc, an_older_schema_is_refused_with_both_versions);
    tcase_add_test(tc, a_file_that_is_no_database_is_refused_and_kept);
    tcase_add_test(tc, a_database_of_something_else_is_refused_and_kept);
    tcase_add_test(tc, a_folder_or_no_name_is_refused);
    tcase_add_test(tc, a_missing_folder_is_refused_with_the_cause);
    tcase_add_test(tc, a_read_only_file_is_refused);
    tcase_add_test(tc, a_read_only_folder_is_refused_and_nothing_is_made);
    tcase_add_test(tc, a_locked_database_is_refused_after_a_while);
    tcase_add_test(tc, a_lock_in_mid_run_ends_the_run_with_a_sentence);
    tcase_add_test(tc, two_runs_at_once_share_a_file);
    tcase_add_test(tc, a_full_database_fails_the_run_and_keeps_the_others);
    tcase_add_test(tc, a_file_size_limit_fails_the_run_and_keeps_the_others);
    tcase_add_test(tc, a_request_that_ends_twice_is_an_error);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("reports/database", add_cases)

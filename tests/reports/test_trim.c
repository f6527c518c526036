/* Trimming: the oldest rows of servers' runs go, and no others. */
#include "tests/reports/records.h"

#include "reports/trim.h"
#include "tests/check_main.h"

static char path[PATH_MAX];
static const char *folder;
static sqlite3 *database;
static struct dyno_trim trim;

static void setup(void)
{
    folder = folder_make();
    path_in(path, folder, "runs.db");
    ck_assert_int_eq(dyno_database_open(&database, path, NULL), DYNO_OK);
}

static void teardown(void)
{
    dyno_trim_release(&trim);
    sqlite3_close(database);
    folder_remove(folder);
}

static void run_sql(const char *sql)
{
    ck_assert_msg(sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(database));
}

/* Run `id`, begun at Unix time 1000: a request, a sample and a decision a second, `rows` of each.
 */
static void fill(int id, int rows, bool is_live)
{
    char sql[2048];

    (void)snprintf(
        sql, sizeof sql,
        "BEGIN;"
        "INSERT INTO run (id, title, command) VALUES (%d, '', '');"
        "INSERT INTO host (run, started_at) VALUES (%d, datetime(1000, 'unixepoch'));"
        "INSERT INTO run_option (run, name, value) VALUES (%d, 'kv.block_tokens', '16');"
        "INSERT INTO run_option (run, name, value) SELECT %d, '" DYNO_TRIM_OPTION "', 'true'"
        " WHERE %d;"
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
        " INSERT INTO request (run, id, outcome, prompt_tokens, output_tokens, cached_tokens,"
        " preemptions, arrival_ns) SELECT %d, i, 0, 1, 1, 0, 0, i * 1000000000 FROM n;"
        "INSERT INTO sample SELECT run, arrival_ns, 0, 0, 0, 0, 0, 0, 0, 0 FROM request"
        " WHERE run = %d;"
        "INSERT INTO decision SELECT run, id, id, arrival_ns, 0, 0, 0, 0 FROM request"
        " WHERE run = %d;"
        "INSERT INTO decision_candidate SELECT run, number, 0, 0 FROM decision WHERE run = %d;"
        "COMMIT",
        id, id, id, id, is_live, rows - 1, id, id, id, id);
    run_sql(sql);
}

static void init(uint64_t bytes_max, uint64_t age_max_s)
{
    ck_assert_int_eq(dyno_trim_init(&trim, database, bytes_max, age_max_s, NULL), DYNO_OK);
}

/* Trim until it is done; the number of calls. */
static int run_all(int64_t now_s, uint64_t room_bytes, uint32_t steps)
{
    bool is_done = false;
    int calls = 0;

    while (!is_done) {
        struct dyno_error error = {0};

        ck_assert_msg(dyno_trim_run(&trim, now_s, room_bytes, steps, &is_done, &error) == DYNO_OK,
                      "%s", error.text);
        ck_assert_int_lt(++calls, 1000);
    }
    return calls;
}

/* Each table's rows: first and count, of a run. */
static void rows_are(int run, const char *due)
{
    char sql[1024];

    (void)snprintf(
        sql, sizeof sql,
        "SELECT (SELECT count(*) || ' from ' || coalesce(min(id), 'none') FROM request"
        " WHERE run = %d) || ', ' || (SELECT count(*) || ' from ' ||"
        " coalesce(min(at_ns) / 1000000000, 'none') FROM sample WHERE run = %d) || ', ' ||"
        " (SELECT count(*) || ' from ' || coalesce(min(number), 'none') FROM decision"
        " WHERE run = %d) || ', ' || (SELECT count(*) || ' from ' ||"
        " coalesce(min(number), 'none') FROM decision_candidate WHERE run = %d)",
        run, run, run, run);
    answer_is(database, sql, due);
}

START_TEST(rows_older_than_the_age_go_and_younger_ones_stay)
{
    fill(1, 5000, true);
    init(0, 1000);
    ck_assert_int_gt(run_all(1000 + 4500, 0, 2), 1); /* two thousand at a time */
    rows_are(1, "1500 from 3500, 1500 from 3500, 1500 from 3500, 1500 from 3500");
    ck_assert_int_eq(run_all(1000 + 4500, 0, 2), 1);
    rows_are(1, "1500 from 3500, 1500 from 3500, 1500 from 3500, 1500 from 3500");
    run_all(1000 + 100000, 0, 2);
    rows_are(1, "0 from none, 0 from none, 0 from none, 0 from none");
    answer_is(database, "SELECT count(*) FROM run", "1"); /* its line stays */
}
END_TEST

START_TEST(nothing_goes_before_its_time)
{
    fill(1, 100, true);
    init(0, 1000);
    run_all(1000 + 1000, 0, 8);
    rows_are(1, "100 from 0, 100 from 0, 100 from 0, 100 from 0");
    run_all(1000 + 1001, 0, 8);
    rows_are(1, "99 from 1, 99 from 1, 99 from 1, 99 from 1");
    run_all(500, 0, 8); /* a clock that was set back */
    rows_are(1, "99 from 1, 99 from 1, 99 from 1, 99 from 1");
}
END_TEST

START_TEST(runs_that_are_no_servers_are_left_alone)
{
    fill(1, 3000, false);
    fill(2, 3000, true);
    fill(3, 3000, false);
    init(65536, 10); /* it is larger and older, and will be when all has gone that may */
    run_all(1000000, 0, 4);
    rows_are(1, "3000 from 0, 3000 from 0, 3000 from 0, 3000 from 0");
    rows_are(2, "0 from none, 0 from none, 0 from none, 0 from none");
    rows_are(3, "3000 from 0, 3000 from 0, 3000 from 0, 3000 from 0");
}
END_TEST

START_TEST(the_oldest_run_goes_first_when_the_file_is_too_large)
{
    char *pages;

    fill(1, 20000, true);
    fill(2, 20000, true);
    pages = ask_text(database, "SELECT page_count * page_size FROM pragma_page_count,"
                               " pragma_page_size");
    init(strtoull(pages, NULL, 10) * 3 / 4, 0);
    run_all(1000, 0, 4);
    rows_are(2, "20000 from 0, 20000 from 0, 20000 from 0, 20000 from 0");
    answer_is(database,
              "SELECT (SELECT min(id) FROM request) = (SELECT min(number) FROM decision) AND"
              " (SELECT count(*) FROM request WHERE run = 1) BETWEEN 5000 AND 15000",
              "1");
    answer_is(database,
              "SELECT page_count - freelist_count < 0.75 * page_count FROM pragma_page_count,"
              " pragma_freelist_count",
              "1");
    free(pages);
}
END_TEST

START_TEST(many_rows_at_one_instant_go_together)
{
    fill(1, 5000, true);
    run_sql("UPDATE request SET arrival_ns = 7; DELETE FROM sample; DELETE FROM decision;"
            "DELETE FROM decision_candidate");
    init(65536, 0);
    run_all(1000, 0, 4);
    rows_are(1, "0 from none, 0 from none, 0 from none, 0 from none");
}
END_TEST

START_TEST(as_much_is_made_free_as_was_asked_for)
{
    uint64_t bytes;
    char *text;

    fill(1, 20000, true);
    text = ask_text(database, "SELECT page_count * page_size FROM pragma_page_count,"
                              " pragma_page_size");
    bytes = strtoull(text, NULL, 10);
    free(text);
    init(bytes, 0);
    run_all(1000, 0, 4);
    rows_are(1, "20000 from 0, 20000 from 0, 20000 from 0, 20000 from 0");
    run_all(1000, bytes / 2, 4);
    answer_is(database, "SELECT count(*) BETWEEN 5000 AND 10000 FROM request", "1");
}
END_TEST

START_TEST(strange_times_delete_nothing_they_should_not)
{
    fill(1, 100, true);
    run_sql("UPDATE request SET arrival_ns = NULL WHERE id % 7 = 0;"
            "UPDATE host SET started_at = 'yesterday'");
    init(0, 1);
    run_all(1000000, 0, 4);
    answer_is(database, "SELECT count(*) FROM request", "100");
    run_sql("DELETE FROM host");
    run_all(1000000, 0, 4);
    answer_is(database, "SELECT count(*) FROM request", "100");
}
END_TEST

START_TEST(a_locked_database_is_a_failure_that_changes_nothing)
{
    struct dyno_error error = {0};
    bool is_done;
    sqlite3 *other = database_open(path);

    fill(1, 5000, true);
    init(65536, 1);
    sqlite3_busy_timeout(database, 1);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(dyno_trim_run(&trim, 1000000, 0, 4, &is_done, &error), DYNO_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "is locked by another program"));
    sqlite3_close(other);
    rows_are(1, "5000 from 0, 5000 from 0, 5000 from 0, 5000 from 0");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("trim");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, rows_older_than_the_age_go_and_younger_ones_stay);
    tcase_add_test(tc, nothing_goes_before_its_time);
    tcase_add_test(tc, runs_that_are_no_servers_are_left_alone);
    tcase_add_test(tc, the_oldest_run_goes_first_when_the_file_is_too_large);
    tcase_add_test(tc, many_rows_at_one_instant_go_together);
    tcase_add_test(tc, as_much_is_made_free_as_was_asked_for);
    tcase_add_test(tc, strange_times_delete_nothing_they_should_not);
    tcase_add_test(tc, a_locked_database_is_a_failure_that_changes_nothing);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("trim", add_cases)

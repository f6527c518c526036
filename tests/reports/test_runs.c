/* `dyno runs`: the list, letter by letter, and what it cannot list. */
#include "tests/reports/records.h"

#include <jansson.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

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

typedef dyno_status list_function(const char *name, FILE *out, struct dyno_error *error);

/* What a list prints; freed by the caller. */
static char *list_of(list_function *list)
{
    struct dyno_error error = {0};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ck_assert_msg(list(path, out, &error) == DYNO_OK, "%s", error.text);
    fclose(out);
    return text;
}

static struct dyno_recorder *titled(const char *title)
{
    struct dyno_recorder *recorder;

    ck_assert_int_eq(dyno_recorder_open(&recorder, path, "dyno replay \"x\"", title, NULL, 0, NULL),
                     DYNO_OK);
    return recorder;
}

/* Three runs: one finished, one failed after 20 requests, one that never ended. */
static void three_runs(void)
{
    struct dyno_recorder *recorder;
    struct fixture fixture;
    sqlite3 *database;

    fixture_init(&fixture);
    fixture.report.trace_requests = 12031;
    ck_assert_int_eq(dyno_recorder_close(titled("8 x h100"), &fixture.report, NULL, NULL), DYNO_OK);
    recorder = titled("8 × b200");
    ck_assert_int_eq(recorder_tell(recorder, 0, 20), DYNO_OK);
    ck_assert_int_eq(dyno_recorder_close(recorder, NULL, NULL, NULL), DYNO_OK);
    ck_assert_int_eq(dyno_recorder_close(titled(""), NULL, NULL, NULL), DYNO_OK);
    database = database_open(path);
    sqlite3_exec(database,
                 "UPDATE run SET status = 'running' WHERE id = 3;"
                 "UPDATE host SET machine = 'elsewhere' WHERE run = 3",
                 NULL, NULL, NULL);
    sqlite3_close(database);
    fixture_release(&fixture);
}

/* clang-format off */
static const char whole_list[] =
    "run  status      requests  TTFT p50 ms  TTFT p99 ms  TPOT p50 ms  req/s  hit rate  title\n"
    "  1  finished      12,031       199.75       600.00       100.00   0.30    25.0 %  8 x h100\n"
    "  2  failed            20            -            -            -      -         -  8 × b200\n"
    "  3  unfinished         0            -            -            -      -         -\n";
/* clang-format on */

START_TEST(the_list_is_as_written_here)
{
    char *text;

    three_runs();
    text = list_of(dyno_runs_table);
    ck_assert_str_eq(text, whole_list);
    free(text);
}
END_TEST

START_TEST(the_list_as_json_has_the_keys_of_the_summary)
{
    json_t *runs, *first, *second;
    char *text;

    three_runs();
    text = list_of(dyno_runs_json);
    runs = json_loads(text, 0, NULL);
    ck_assert_uint_eq(json_array_size(runs), 3);
    first = json_array_get(runs, 0);
    second = json_array_get(runs, 1);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "id")), 1);
    ck_assert_str_eq(json_string_value(json_object_get(first, "status")), "finished");
    ck_assert_str_eq(json_string_value(json_object_get(first, "command")), "dyno replay \"x\"");
    ck_assert(json_real_value(json_object_get(json_object_get(first, "ttft_ms"), "p99")) == 600);
    ck_assert(json_is_null(json_object_get(json_object_get(second, "ttft_ms"), "p99")));
    ck_assert_int_eq(json_integer_value(json_object_get(second, "requests")), 20);
    json_decref(runs);
    free(text);
}
END_TEST

static void status_is(const char *name)
{
    char *text = list_of(dyno_runs_json);
    json_t *runs = json_loads(text, 0, NULL);

    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(runs, 0), "status")), name);
    json_decref(runs);
    free(text);
}

static void change_host(const char *sql)
{
    sqlite3 *database = database_open(path);

    ck_assert_int_eq(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

START_TEST(a_run_whose_process_was_killed_is_called_crashed)
{
    int ends[2], status;
    pid_t child;
    char byte;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        (void)titled("killed");
        ck_assert_int_eq(write(ends[1], "", 1), 1);
        pause();
    }
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    status_is("running");
    kill(child, SIGKILL);
    while (waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT) != 0) {
    }
    status_is("crashed"); /* also while nobody has asked how it ended */
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    status_is("crashed");
    change_host("UPDATE run SET status = 'finished'");
    status_is("finished");
}
END_TEST

START_TEST(a_number_that_was_given_to_another_process_does_not_deceive)
{
    struct dyno_recorder *recorder = titled("mine");

    status_is("running");
    change_host("UPDATE host SET started_at = '2001-01-01T00:00:00Z'"); /* before we were */
    status_is("crashed");
    change_host("UPDATE host SET machine = 'elsewhere'");
    status_is("unfinished");
    change_host("UPDATE host SET machine = NULL, process = NULL");
    status_is("unfinished");
    change_host("DELETE FROM host");
    status_is("unfinished");
    (void)dyno_recorder_close(recorder, NULL, NULL, NULL);
}
END_TEST

START_TEST(a_title_that_is_no_text_does_not_break_the_json)
{
    json_t *runs;
    char *text;

    dyno_recorder_close(titled("caf\xe9"), NULL, NULL, NULL);
    text = list_of(dyno_runs_json);
    runs = json_loads(text, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(runs, 0), "title")), "caf?");
    json_decref(runs);
    free(text);
}
END_TEST

START_TEST(a_database_without_runs_says_so)
{
    sqlite3 *database;
    char *text;

    dyno_recorder_close(titled(""), NULL, NULL, NULL);
    database = database_open(path);
    sqlite3_exec(database, "DELETE FROM run", NULL, NULL, NULL);
    sqlite3_close(database);
    text = list_of(dyno_runs_table);
    ck_assert_str_eq(text, "no runs yet\n");
    free(text);
}
END_TEST

static void is_refused(dyno_status status, const char *words)
{
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_runs_table(path, stdout, &error), status);
    ck_assert_msg(strstr(error.text, words), "\"%s\" is not in: %s", words, error.text);
}

START_TEST(a_missing_database_is_not_made)
{
    is_refused(DYNO_NOT_FOUND, "there is no database");
    ck_assert_int_eq(folder_count(folder), 0);
}
END_TEST

START_TEST(another_file_is_refused)
{
    FILE *file = fopen(path, "w");

    fputs("not a database, but long enough to have a header of a hundred bytes, or so one would "
          "think of this text",
          file);
    fclose(file);
    is_refused(DYNO_BAD_INPUT, "not a SQLite database");
}
END_TEST

START_TEST(an_empty_file_is_no_database_of_runs)
{
    fclose(fopen(path, "w"));
    is_refused(DYNO_BAD_INPUT, "not one of dyno runs");
}
END_TEST

START_TEST(a_newer_schema_is_refused)
{
    sqlite3 *database;

    dyno_recorder_close(titled(""), NULL, NULL, NULL);
    database = database_open(path);
    sqlite3_exec(database, "PRAGMA user_version = 99", NULL, NULL, NULL);
    sqlite3_close(database);
    is_refused(DYNO_UNSUPPORTED, "version 10");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("runs");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_list_is_as_written_here);
    tcase_add_test(tc, the_list_as_json_has_the_keys_of_the_summary);
    tcase_add_test(tc, a_run_whose_process_was_killed_is_called_crashed);
    tcase_add_test(tc, a_number_that_was_given_to_another_process_does_not_deceive);
    tcase_add_test(tc, a_title_that_is_no_text_does_not_break_the_json);
    tcase_add_test(tc, a_database_without_runs_says_so);
    tcase_add_test(tc, a_missing_database_is_not_made);
    tcase_add_test(tc, another_file_is_refused);
    tcase_add_test(tc, an_empty_file_is_no_database_of_runs);
    tcase_add_test(tc, a_newer_schema_is_refused);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("reports/runs", add_cases)

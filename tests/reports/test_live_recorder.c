/* The live recorder: what it heard is in the database, whatever happens to that, and whoever told
 * it never waited. */
#include "tests/reports/records.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reports/live_recorder.h"
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

/* What an operator was told. */
static char said[4096];
static pthread_mutex_t said_mutex = PTHREAD_MUTEX_INITIALIZER;

static void hear_say(void *context, const char *text)
{
    size_t used;

    (void)context;
    pthread_mutex_lock(&said_mutex);
    used = strlen(said);
    (void)snprintf(said + used, sizeof said - used, "%s\n", text);
    pthread_mutex_unlock(&said_mutex);
}

static bool was_said(const char *words)
{
    bool was;

    pthread_mutex_lock(&said_mutex);
    was = strstr(said, words) != NULL;
    pthread_mutex_unlock(&said_mutex);
    return was;
}

static void await_said(const char *words)
{
    while (!was_said(words)) {
        usleep(1000);
    }
}

static struct dyno_live_recorder_config config_of(void)
{
    return (struct dyno_live_recorder_config){
        .path = path, .command = "dyno serve", .title = "a server", .say = hear_say};
}

static struct dyno_live_recorder *open_with(const struct dyno_live_recorder_config *config)
{
    struct dyno_live_recorder *recorder = NULL;
    struct dyno_error error = {0};
    dyno_status status = dyno_live_recorder_open(&recorder, config, &error);

    ck_assert_msg(status == DYNO_OK, "%s", error.text);
    return recorder;
}

static void tell(struct dyno_live_recorder *recorder, uint64_t first, uint64_t end)
{
    struct dyno_sink *sink = dyno_live_recorder_sink(recorder);

    for (uint64_t id = first; id < end; id++) {
        struct dyno_request_record record = record_make(id);

        ck_assert_int_eq(sink->ops->request(sink, &record), DYNO_OK);
    }
}

static void await_written(struct dyno_live_recorder *recorder, uint64_t due)
{
    while (dyno_live_recorder_counts(recorder).written < due) {
        usleep(1000);
    }
}

static struct dyno_live_counts close_all(struct dyno_live_recorder *recorder)
{
    struct dyno_live_counts counts;
    struct fixture fixture;
    struct dyno_error error = {0};

    fixture_init(&fixture);
    ck_assert_msg(dyno_live_recorder_close(recorder, &fixture.report, NULL, &counts, &error) ==
                      DYNO_OK,
                  "%s", error.text);
    fixture_release(&fixture);
    return counts;
}

START_TEST(the_rows_are_those_of_the_other_recorder)
{
    static const char *const tables[] = {"run",    "run_metric",         "request",
                                         "sample", "decision_candidate", "decision"};
    uint32_t workers[14] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
    double scores[14] = {0.5};
    struct dyno_decision_record decision = {.request = 9,
                                            .at = 77,
                                            .worker = 4,
                                            .candidate_count = 14,
                                            .candidates = workers,
                                            .scores = scores};
    struct dyno_sample_record sample = {.at = 5, .worker = 3, .running = 2};
    struct dyno_live_recorder_config config = config_of();
    struct dyno_live_recorder *live;
    struct dyno_recorder *other;
    struct dyno_live_counts counts;
    struct fixture fixture;
    char other_path[PATH_MAX], sql[PATH_MAX + 256];
    sqlite3 *database;

    config.command = "dyno replay";
    config.title = "a test";
    fixture_init(&fixture);
    path_in(other_path, folder, "other.db");
    live = open_with(&config);
    other = recorder_open(other_path);
    for (int i = 0; i < 2; i++) {
        struct dyno_sink *sink = i ? dyno_recorder_sink(other) : dyno_live_recorder_sink(live);

        for (uint64_t id = 0; id < 1000; id++) {
            struct dyno_request_record record = record_make(id);

            ck_assert_int_eq(sink->ops->request(sink, &record), DYNO_OK);
        }
        ck_assert_int_eq(sink->ops->sample(sink, &sample), DYNO_OK);
        ck_assert_int_eq(sink->ops->decision(sink, &decision), DYNO_OK);
    }
    counts = close_all(live);
    ck_assert_uint_eq(counts.written, 1002);
    ck_assert_uint_eq(counts.lost, 0);
    ck_assert_int_eq(dyno_recorder_close(other, &fixture.report, NULL, NULL), DYNO_OK);
    database = database_open(path);
    (void)snprintf(sql, sizeof sql, "ATTACH '%s' AS other", other_path);
    ck_assert_int_eq(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        (void)snprintf(sql, sizeof sql,
                       "SELECT count(*) || ' ' || (SELECT count(*) > 0 FROM main.%s) FROM (SELECT *"
                       " FROM main.%s EXCEPT SELECT * FROM other.%s)",
                       tables[i], tables[i], tables[i]);
        answer_is(database, sql, "0 1");
    }
    sqlite3_close(database);
    fixture_release(&fixture);
}
END_TEST

START_TEST(rows_can_be_read_while_the_server_runs)
{
    struct dyno_live_recorder_config config = config_of();
    struct dyno_live_recorder *recorder = open_with(&config);
    sqlite3 *database = database_open(path);

    tell(recorder, 0, 3); /* no more than that: nothing is held back until there is */
    await_written(recorder, 3);
    answer_is(database, "SELECT status || ' ' || (SELECT count(*) FROM request) FROM run",
              "running 3");
    ck_assert_int_eq(sqlite3_exec(database, "BEGIN; SELECT * FROM request", NULL, NULL, NULL),
                     SQLITE_OK);
    tell(recorder, 3, 6); /* a reader in the middle of a look holds nobody up */
    await_written(recorder, 6);
    answer_is(database, "SELECT count(*) FROM request", "3");
    sqlite3_close(database);
    ck_assert_uint_eq(close_all(recorder).lost, 0);
    ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(a_lock_is_waited_out_and_nothing_is_lost)
{
    struct dyno_live_recorder_config config = config_of();
    struct dyno_live_recorder *recorder = open_with(&config);
    sqlite3 *other = database_open(path);

    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    tell(recorder, 0, 100);
    await_said("is locked by another program");
    tell(recorder, 100, 200);
    ck_assert_uint_eq(dyno_live_recorder_counts(recorder).written, 0);
    ck_assert_int_eq(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    await_written(recorder, 200);
    ck_assert_uint_eq(close_all(recorder).lost, 0);
    answer_is(other, "SELECT count(*) FROM request", "200");
    ck_assert_ptr_nonnull(strstr(said, "the database is written again; 0 records are not in it\n"));
    sqlite3_close(other);
}
END_TEST

START_TEST(what_does_not_fit_while_it_is_locked_is_lost_and_counted)
{
    struct dyno_live_recorder_config config = config_of();
    struct dyno_live_recorder *recorder;
    sqlite3 *other;

    config.records_max = 50;
    recorder = open_with(&config);
    other = database_open(path);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    tell(recorder, 0, 1);
    await_said("is locked by another program");
    tell(recorder, 1, 151); /* 50 wait while one is tried; 100 are too many */
    ck_assert_uint_eq(dyno_live_recorder_counts(recorder).lost, 100);
    ck_assert_int_eq(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    await_said("the database is written again; 100 records are not in it\n");
    ck_assert_uint_eq(close_all(recorder).written, 51);
    answer_is(other, "SELECT count(*) || ' ' || max(id) FROM request", "51 50");
    sqlite3_close(other);
}
END_TEST

static void limit_files_to(rlim_t bytes)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_full_disk_loses_nothing_that_fits_into_memory)
{
    struct dyno_live_recorder_config config = config_of();
    struct dyno_live_recorder *recorder = open_with(&config);
    sqlite3 *database;

    signal(SIGXFSZ, SIG_IGN);
    limit_files_to(16384);
    tell(recorder, 0, 5000);
    await_said("the database");
    ck_assert_uint_eq(dyno_live_recorder_counts(recorder).written, 0);
    limit_files_to(RLIM_INFINITY);
    await_said("is written again; 0 records");
    ck_assert_uint_eq(close_all(recorder).written, 5000);
    database = database_open(path);
    answer_is(database, "SELECT count(*) FROM request", "5000");
    answer_is(database, "PRAGMA integrity_check", "ok");
    sqlite3_close(database);
}
END_TEST

START_TEST(a_disk_that_stays_full_does_not_hold_up_the_end)
{
    struct dyno_live_recorder_config config = config_of();
    struct dyno_live_recorder *recorder = open_with(&config);
    struct dyno_live_counts counts;
    struct dyno_error error = {0};

    signal(SIGXFSZ, SIG_IGN);
    limit_files_to(16384);
    tell(recorder, 0, 5000);
    await_said("the database");
    ck_assert_int_ne(dyno_live_recorder_close(recorder, NULL, NULL, &counts, &error), DYNO_OK);
    ck_assert_uint_eq(counts.lost, 5000);
    ck_assert_ptr_nonnull(strstr(error.text, "the database"));
    limit_files_to(RLIM_INFINITY);
}
END_TEST

START_TEST(a_request_told_of_twice_is_one_row_and_no_failure)
{
    struct dyno_live_recorder_config config = config_of();
    struct dyno_live_recorder *recorder = open_with(&config);
    struct dyno_live_counts counts;

    tell(recorder, 0, 10);
    tell(recorder, 5, 12);
    counts = close_all(recorder);
    ck_assert_uint_eq(counts.written, 12);
    ck_assert_uint_eq(counts.lost, 5);
    ck_assert_str_eq(said, "");
}
END_TEST

static uint64_t bytes_of(const char *suffix)
{
    char name[PATH_MAX + 8];
    struct stat about;

    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &about) == 0 ? (uint64_t)about.st_size : 0;
}

/* About 100 bytes a row: five times the bound, or, where every access is watched, twice. */
#ifdef __SANITIZE_THREAD__
enum { LOTS = 8, LOT = 10000 };
#else
enum { LOTS = 20, LOT = 10000 };
#endif

START_TEST(the_file_stays_within_its_bound_and_the_youngest_rows_stay)
{
    struct dyno_live_recorder_config config = config_of();
    struct dyno_live_recorder *recorder;
    struct dyno_live_counts counts;
    sqlite3 *database;
    char youngest[16];

    config.bytes_max = DYNO_LIVE_BYTES_MIN;
    config.records_max = 2 * LOT; /* a lot is written at once */
    recorder = open_with(&config);
    for (uint64_t lot = 0; lot < LOTS; lot++) {
        tell(recorder, lot * LOT, (lot + 1) * LOT);
        await_written(recorder, (lot + 1) * LOT);
        ck_assert_uint_le(bytes_of(""), DYNO_LIVE_BYTES_MIN);
    }
    ck_assert_uint_lt(bytes_of("-wal"), 16 << 20);
    counts = close_all(recorder);
    ck_assert_uint_eq(counts.lost, 0);
    ck_assert_uint_le(bytes_of(""), DYNO_LIVE_BYTES_MIN);
    ck_assert_uint_eq(bytes_of("-wal"), 0);
    database = database_open(path);
    (void)snprintf(youngest, sizeof youngest, "%d", LOTS * LOT - 1);
    answer_is(database, "SELECT max(id) FROM request", youngest);
    answer_is(database,
              "SELECT count(*) BETWEEN 10000 AND 100000 AND max(id) - min(id) + 1 = count(*)"
              " FROM request",
              "1");
    answer_is(database, "PRAGMA integrity_check", "ok");
    sqlite3_close(database);
}
END_TEST

/* A run that began in 2001 is older than whatever this machine's clock says today. */
START_TEST(rows_that_are_too_old_go_while_the_next_server_writes)
{
    struct dyno_live_recorder_config config = config_of();
    struct dyno_live_recorder *recorder = open_with(&config);
    sqlite3 *database;

    tell(recorder, 0, 500);
    (void)close_all(recorder);
    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(database, "UPDATE host SET started_at = '2001-01-01T00:00:00Z'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(database);

    recorder = open_with(&config); /* nothing is too old where no age is given */
    tell(recorder, 0, 7);
    (void)close_all(recorder);
    database = database_open(path);
    answer_is(database, "SELECT group_concat(run) FROM (SELECT DISTINCT run FROM request)", "1,2");
    sqlite3_close(database);

    config.age_max_s = 30 * 24 * 3600;
    recorder = open_with(&config);
    tell(recorder, 0, 5);
    await_written(recorder, 5);
    (void)close_all(recorder);
    database = database_open(path);
    answer_is(database,
              "SELECT group_concat(run || ':' || n) FROM"
              " (SELECT run, count(*) AS n FROM request GROUP BY run)",
              "2:7,3:5");
    answer_is(database, "SELECT count(*) FROM run", "3"); /* the lines of runs stay */
    sqlite3_close(database);
}
END_TEST

/* A reader that never ends its look keeps SQLite from emptying the write-ahead log. */
START_TEST(the_journal_is_bounded_even_if_somebody_reads_for_ever)
{
    enum { LOT_OF_IT = 5000 };
    struct dyno_live_recorder_config config = config_of();
    struct dyno_live_recorder *recorder;
    sqlite3 *reader;
    uint64_t id = 0;

    config.journal_pages_max = 2048; /* 8 MiB */
    recorder = open_with(&config);
    tell(recorder, id, id + 1);
    await_written(recorder, 1);
    reader = database_open(path);
    ck_assert_int_eq(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM request", NULL, NULL, NULL),
                     SQLITE_OK);
    for (id = 1; !was_said("somebody has been reading it"); id += LOT_OF_IT) {
        tell(recorder, id, id + LOT_OF_IT);
        for (int i = 0; i < 200 && !was_said("somebody has been reading it") &&
                        dyno_live_recorder_counts(recorder).written < id + LOT_OF_IT;
             i++) {
            usleep(10000);
        }
    }
    ck_assert_uint_lt(bytes_of("-wal"), 12 << 20);
    ck_assert_uint_gt(bytes_of("-wal"), 8 << 20);
    sqlite3_close(reader);
    await_said("the database is written again");
    (void)close_all(recorder);
    ck_assert_uint_eq(bytes_of("-wal"), 0);
}
END_TEST

START_TEST(a_killed_server_loses_what_was_not_committed_and_no_more)
{
    struct dyno_live_recorder_config config = config_of();
    sqlite3 *database;
    int status;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct dyno_live_recorder *recorder = open_with(&config);

        tell(recorder, 0, 1000);
        await_written(recorder, 1000);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    database = database_open(path);
    answer_is(database, "SELECT status || ' ' || (SELECT count(*) FROM request) FROM run",
              "running 1000");
    answer_is(database, "PRAGMA integrity_check", "ok");
    sqlite3_close(database);
    ck_assert_uint_eq(close_all(open_with(&config)).lost, 0); /* and the next one goes on */
}
END_TEST

START_TEST(what_cannot_be_a_database_is_refused_at_the_start)
{
    struct dyno_live_recorder_config config = config_of();
    struct dyno_live_recorder *recorder;
    struct dyno_error error = {0};

    config.bytes_max = DYNO_LIVE_BYTES_MIN - 1;
    ck_assert_int_eq(dyno_live_recorder_open(&recorder, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "expected at least 4 MiB"));
    config = config_of();
    config.path = folder;
    ck_assert_int_eq(dyno_live_recorder_open(&recorder, &config, &error), DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.text, "is not a file"));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("live recorder");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_rows_are_those_of_the_other_recorder);
    tcase_add_test(tc, rows_can_be_read_while_the_server_runs);
    tcase_add_test(tc, a_lock_is_waited_out_and_nothing_is_lost);
    tcase_add_test(tc, what_does_not_fit_while_it_is_locked_is_lost_and_counted);
    tcase_add_test(tc, a_full_disk_loses_nothing_that_fits_into_memory);
    tcase_add_test(tc, a_disk_that_stays_full_does_not_hold_up_the_end);
    tcase_add_test(tc, a_request_told_of_twice_is_one_row_and_no_failure);
    tcase_add_test(tc, the_file_stays_within_its_bound_and_the_youngest_rows_stay);
    tcase_add_test(tc, rows_that_are_too_old_go_while_the_next_server_writes);
    tcase_add_test(tc, the_journal_is_bounded_even_if_somebody_reads_for_ever);
    tcase_add_test(tc, a_killed_server_loses_what_was_not_committed_and_no_more);
    tcase_add_test(tc, what_cannot_be_a_database_is_refused_at_the_start);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("live recorder", add_cases)

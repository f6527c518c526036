/* What a driver tells of GPUs, in the database. */
#include <math.h>

#include "tests/check_main.h"
#include "tests/reports/records.h"

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

/* What it does not tell is NULL, not 0. */
START_TEST(what_is_told_of_a_gpu_is_kept)
{
    struct dyno_recorder *recorder = recorder_open(path);
    struct dyno_gpu_record record = {.at = 5,
                                     .gpu = 1,
                                     .tells_throttles = true,
                                     .throttles = "power_cap hardware",
                                     .busy = 0.75,
                                     .memory_busy = NAN,
                                     .memory_used_bytes = 161061273600.0,
                                     .power_watts = 350.5,
                                     .energy_joules = NAN,
                                     .sm_clock_mhz = 1755,
                                     .memory_clock_mhz = NAN,
                                     .temperature_celsius = 41,
                                     .ecc_corrected = 12,
                                     .ecc_uncorrected = NAN};
    sqlite3 *database;

    ck_assert_int_eq(dyno_recorder_gpu(recorder, &record), DYNO_OK);
    record.at = 6;
    record.tells_throttles = false;
    record.ecc_corrected = NAN;
    ck_assert_int_eq(dyno_recorder_gpu(recorder, &record), DYNO_OK);
    dyno_recorder_close(recorder, NULL, NULL, NULL);
    database = database_open(path);
    answer_is(
        database,
        "SELECT gpu || ' ' || busy || ' ' || memory_used_bytes || ' ' || power_watts || ' ' ||"
        " sm_clock_mhz || ' ' || temperature_celsius || ' ' || throttles || ' ' ||"
        " ecc_corrected FROM gpu_sample WHERE at_ns = 5",
        "1 0.75 161061273600 350.5 1755.0 41.0 power_cap hardware 12");
    answer_is(database,
              "SELECT count(*) FROM gpu_sample WHERE memory_busy IS NULL AND energy_joules IS NULL"
              " AND memory_clock_mhz IS NULL AND ecc_uncorrected IS NULL",
              "2");
    answer_is(database,
              "SELECT throttles IS NULL AND ecc_corrected IS NULL FROM gpu_sample"
              " WHERE at_ns = 6",
              "1");
    sqlite3_close(database);
}
END_TEST

/* As where no database is asked for. */
START_TEST(where_nothing_is_kept_nothing_is)
{
    struct dyno_gpu_record record = {.at = 5};
    struct dyno_recorder *recorder = recorder_open(":memory:");

    ck_assert_int_eq(dyno_recorder_gpu(recorder, &record), DYNO_OK);
    ck_assert_int_eq(dyno_recorder_close(recorder, NULL, NULL, NULL), DYNO_OK);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("gpu records");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_is_told_of_a_gpu_is_kept);
    tcase_add_test(tc, where_nothing_is_kept_nothing_is);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("reports/gpu_records", add_cases)

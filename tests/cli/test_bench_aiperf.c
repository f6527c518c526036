/* AIPerf's lines: by hand, and read by our own reader of such files. */
#include "cli/bench_aiperf.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/assets/served_run.h"
#include "tests/check_main.h"

static char folder[64], path[128], summary[128];

static void add(struct dyno_bench_aiperf *aiperf, uint64_t id, enum dyno_outcome outcome,
                const char *why)
{
    dyno_ns chunks[] = {30 * DYNO_MS, 32 * DYNO_MS, 40 * DYNO_MS};
    struct dyno_request_record record = {.id = id,
                                         .outcome = outcome,
                                         .prompt_tokens = 100,
                                         .output_tokens = 5,
                                         .admitted_ns = 25 * DYNO_MS,
                                         .first_token_ns = chunks[0],
                                         .last_token_ns = chunks[2]};

    dyno_bench_aiperf_add(aiperf, &(struct dyno_load_answer){.record = &record,
                                                             .why = why,
                                                             .chunk_ns = chunks,
                                                             .chunk_count = 3,
                                                             .sent_ns = 20 * DYNO_MS});
}

static void write_file(void)
{
    struct dyno_bench_aiperf *aiperf = NULL;
    struct dyno_error error = {0};

    (void)snprintf(folder, sizeof folder, "%s/dyno-aiperf-%ld", P_tmpdir, (long)getpid());
    (void)snprintf(path, sizeof path, "%s/profile_export.jsonl", folder);
    (void)snprintf(summary, sizeof summary, "%s/profile_export_aiperf.json", folder);
    ck_assert_msg(dyno_bench_aiperf_open(&aiperf, folder, 1700000000000000000ULL, &error) ==
                      DYNO_OK,
                  "%s", error.text);
    add(aiperf, 0, DYNO_COMPLETED, "");
    add(aiperf, 1, DYNO_FAILED, "HTTP 500: \"oops\" \\");
    add(aiperf, 2, DYNO_CANCELLED_AT_END, "");
    ck_assert_int_eq(dyno_bench_aiperf_finish(aiperf, &error), DYNO_OK);
}

static void remove_file(void)
{
    (void)unlink(path);
    (void)unlink(summary);
    (void)rmdir(folder);
}

static double metric(const json_t *line, const char *name)
{
    return json_number_value(
        json_object_get(json_object_get(json_object_get(line, "metrics"), name), "value"));
}

START_TEST(lines_are_as_worked_out_by_hand)
{
    char text[4096];
    json_t *line, *metadata;
    FILE *file;

    write_file();
    file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
    line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    metadata = json_object_get(line, "metadata");
    ck_assert_int_eq(json_integer_value(json_object_get(metadata, "request_start_ns")),
                     1700000000020000000);
    ck_assert_int_eq(json_integer_value(json_object_get(metadata, "request_end_ns")),
                     1700000000040000000);
    ck_assert(metric(line, "time_to_first_token") == 10.0);
    ck_assert(metric(line, "request_latency") == 20.0);
    ck_assert(metric(line, "inter_token_latency") == 2.5);
    ck_assert(metric(line, "output_sequence_length") == 5.0);
    ck_assert(json_is_null(json_object_get(line, "error")));
    json_decref(line);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
    line = json_loads(text, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(line, "error"), "message")),
                     "HTTP 500: \"oops\" \\");
    json_decref(line);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
    line = json_loads(text, 0, NULL);
    ck_assert(json_is_true(json_object_get(json_object_get(line, "metadata"), "was_cancelled")));
    json_decref(line);
    (void)fclose(file);
    remove_file();
}
END_TEST

START_TEST(our_own_reader_of_such_files_reads_it)
{
    struct dyno_served_run run = {0};
    struct dyno_error error = {0};

    write_file();
    ck_assert_msg(dyno_served_run_read(&run, path, &error) == DYNO_OK, "%s", error.text);
    ck_assert_uint_eq(run.request_count, 1);
    ck_assert_uint_eq(run.left_out, 2);
    dyno_served_run_release(&run);
    remove_file();
}
END_TEST

static double of(const json_t *root, const char *tag, const char *what)
{
    return json_number_value(json_object_get(json_object_get(root, tag), what));
}

START_TEST(the_summary_is_as_worked_out_by_hand)
{
    json_t *root;
    const json_t *reason;

    write_file();
    root = json_load_file(summary, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(root);
    ck_assert(of(root, "request_count", "avg") == 1 && of(root, "error_request_count", "avg") == 1);
    ck_assert(of(root, "time_to_first_token", "p99") == 10.0);
    ck_assert(of(root, "time_to_second_token", "avg") == 2.0);
    ck_assert(of(root, "inter_token_latency", "p50") == 2.5);
    ck_assert(of(root, "output_token_throughput_per_user", "max") == 400.0);
    ck_assert(of(root, "request_latency", "std") == 0.0);
    ck_assert(of(root, "benchmark_duration", "avg") == 0.02);
    ck_assert(of(root, "output_token_throughput", "avg") == 250.0);
    ck_assert(json_is_true(json_object_get(root, "was_cancelled")));
    reason = json_array_get(json_object_get(root, "error_summary"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(reason, "count")), 1);
    ck_assert_str_eq(
        json_string_value(json_object_get(json_object_get(reason, "error_details"), "message")),
        "HTTP 500: \"oops\" \\");
    json_decref(root);
    remove_file();
}
END_TEST

START_TEST(a_folder_that_cannot_be_made_is_said)
{
    struct dyno_bench_aiperf *aiperf = NULL;
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_bench_aiperf_open(&aiperf, "no/such/folder", 0, &error), DYNO_IO);
    ck_assert_ptr_null(aiperf);
    ck_assert_msg(strstr(error.text, "no/such/folder"), "%s", error.text);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("bench aiperf");

    tcase_add_test(cases, lines_are_as_worked_out_by_hand);
    tcase_add_test(cases, our_own_reader_of_such_files_reads_it);
    tcase_add_test(cases, the_summary_is_as_worked_out_by_hand);
    tcase_add_test(cases, a_folder_that_cannot_be_made_is_said);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("cli/bench aiperf", add_cases)

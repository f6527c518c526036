/* AIPerf's lines: by hand, and read by our own reader of such files. */
#include "cli/bench/aiperf.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/assets/served_run.h"
#include "tests/check_main.h"

static char folder[64], path[128], summary[128], table[128];

static const struct dyno_aiperf_about about = {
    .model = "small \"one\"",
    .url = "http://127.0.0.1:8000",
    .endpoint = "chat",
    .command = "dyno bench --requests 3",
    .arrival = "gamma:4,0.5",
    .input_tokens = "100",
    .output_tokens = "uniform:1,9",
    .inflight_max = 7,
    .requests = 3,
    .seed = 42,
    .started_ns = 1700000000012345678,
    .was_cancelled = true,
    .has_slo = true,
    .within_slo = 1,
};

static void add(struct dyno_aiperf *aiperf, uint64_t id, enum dyno_outcome outcome, const char *why)
{
    dyno_ns chunks[] = {30 * DYNO_MS, 32 * DYNO_MS, 40 * DYNO_MS};
    struct dyno_request_record record = {.id = id,
                                         .session = id == 1 ? 0 : 7,
                                         .outcome = outcome,
                                         .prompt_tokens = 100,
                                         .output_tokens = 5,
                                         .admitted_ns = 25 * DYNO_MS,
                                         .first_token_ns = chunks[0],
                                         .last_token_ns = chunks[2]};

    dyno_aiperf_add(aiperf, &(struct dyno_load_answer){.record = &record,
                                                       .why = why,
                                                       .chunk_ns = chunks,
                                                       .chunk_count = 3,
                                                       .sent_ns = 20 * DYNO_MS});
}

static void write_file(void)
{
    struct dyno_aiperf *aiperf = NULL;
    struct dyno_error error = {0};

    (void)snprintf(folder, sizeof folder, "%s/dyno-aiperf-%ld", P_tmpdir, (long)getpid());
    (void)snprintf(path, sizeof path, "%s/profile_export.jsonl", folder);
    (void)snprintf(summary, sizeof summary, "%s/profile_export_aiperf.json", folder);
    (void)snprintf(table, sizeof table, "%s/profile_export_aiperf.csv", folder);
    ck_assert_msg(dyno_aiperf_open(&aiperf, folder, 1700000000000000000ULL, &error) == DYNO_OK,
                  "%s", error.text);
    add(aiperf, 0, DYNO_COMPLETED, "");
    add(aiperf, 1, DYNO_FAILED, "HTTP 500: \"oops\" \\");
    add(aiperf, 2, DYNO_CANCELLED_AT_END, "");
    ck_assert_int_eq(dyno_aiperf_finish(aiperf, &about, &error), DYNO_OK);
}

static void remove_file(void)
{
    (void)unlink(path);
    (void)unlink(summary);
    (void)unlink(table);
    (void)rmdir(folder);
}

static double metric(const json_t *line, const char *name)
{
    return json_number_value(
        json_object_get(json_object_get(json_object_get(line, "metrics"), name), "value"));
}

static void is_turn(const json_t *line, const char *conversation, int turn)
{
    const json_t *metadata = json_object_get(line, "metadata");

    ck_assert_str_eq(json_string_value(json_object_get(metadata, "conversation_id")), conversation);
    ck_assert_int_eq(json_integer_value(json_object_get(metadata, "turn_index")), turn);
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
    is_turn(line, "dyno-session-7", 0);
    json_decref(line);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
    line = json_loads(text, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(line, "error"), "message")),
                     "HTTP 500: \"oops\" \\");
    is_turn(line, "dyno-1", 0);
    json_decref(line);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
    line = json_loads(text, 0, NULL);
    ck_assert(json_is_true(json_object_get(json_object_get(line, "metadata"), "was_cancelled")));
    is_turn(line, "dyno-session-7", 1);
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
    ck_assert(of(root, "inter_chunk_latency", "count") == 2.0);
    ck_assert(of(root, "inter_chunk_latency", "sum") == 10.0);
    ck_assert(of(root, "inter_chunk_latency", "std") == 3.0); /* of 2 and 8, over both */
    ck_assert(of(root, "prefill_throughput_per_user", "avg") == 10000.0);
    ck_assert(of(root, "e2e_output_token_throughput", "avg") == 250.0);
    ck_assert(of(root, "total_token_throughput", "avg") == 5250.0);
    ck_assert(of(root, "goodput", "avg") == 50.0);
    ck_assert(of(root, "good_request_fraction", "avg") == 0.5);
    ck_assert_ptr_null(json_object_get(json_object_get(root, "request_count"), "count"));
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
    struct dyno_aiperf *aiperf = NULL;
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_aiperf_open(&aiperf, "no/such/folder", 0, &error), DYNO_IO);
    ck_assert_ptr_null(aiperf);
    ck_assert_msg(strstr(error.text, "no/such/folder"), "%s", error.text);
}
END_TEST

static const char *at(const json_t *root, const char *a, const char *b)
{
    return json_string_value(json_object_get(json_object_get(root, a), b));
}

START_TEST(the_summary_says_what_was_asked)
{
    json_t *root;
    const json_t *config, *phase, *prompts;

    write_file();
    root = json_load_file(summary, JSON_REJECT_DUPLICATES, NULL);
    config = json_object_get(root, "input_config");
    phase = json_array_get(json_object_get(config, "phases"), 0);
    prompts = json_object_get(json_array_get(json_object_get(config, "datasets"), 0), "prompts");
    ck_assert_str_eq(json_string_value(json_object_get(root, "schema_version")), "1.5");
    ck_assert_str_eq(json_string_value(json_object_get(root, "start_time")),
                     "2023-11-14T22:13:20.012345Z");
    ck_assert_ptr_null(json_object_get(root, "end_time")); /* not known */
    ck_assert_str_eq(
        json_string_value(json_object_get(
            json_array_get(json_object_get(json_object_get(config, "models"), "items"), 0),
            "name")),
        "small \"one\"");
    ck_assert_str_eq(at(config, "endpoint", "type"), "chat");
    ck_assert_str_eq(json_string_value(json_array_get(
                         json_object_get(json_object_get(config, "endpoint"), "urls"), 0)),
                     "http://127.0.0.1:8000");
    ck_assert_str_eq(json_string_value(json_object_get(phase, "type")), "gamma");
    ck_assert(json_number_value(json_object_get(phase, "rate")) == 4.0);
    ck_assert(json_number_value(json_object_get(phase, "smoothness")) == 4.0); /* 1 / CV^2 */
    ck_assert_int_eq(json_integer_value(json_object_get(phase, "concurrency")), 7);
    ck_assert_int_eq(json_integer_value(json_object_get(phase, "requests")), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(prompts, "isl")), 100);
    ck_assert_ptr_null(json_object_get(prompts, "osl")); /* no one number */
    ck_assert_str_eq(at(root, "run_info", "cli_command"), "dyno bench --requests 3");
    json_decref(root);
    remove_file();
}
END_TEST

START_TEST(a_closed_loop_over_a_trace_is_said_so)
{
    struct dyno_aiperf_about closed = {.trace = "day.jsonl", .arrival = "concurrency:9"};
    char *text, *whole;
    const json_t *config;
    json_t *root;

    ck_assert_int_eq(dyno_aiperf_about_text(&text, &closed), DYNO_OK);
    ck_assert_int_gt(asprintf(&whole, "{%s}", text + 1), 0);
    root = json_loads(whole, JSON_REJECT_DUPLICATES, NULL);
    config = json_object_get(root, "input_config");
    ck_assert_str_eq(json_string_value(json_object_get(
                         json_array_get(json_object_get(config, "datasets"), 0), "path")),
                     "day.jsonl");
    ck_assert_str_eq(json_string_value(json_object_get(
                         json_array_get(json_object_get(config, "phases"), 0), "type")),
                     "concurrency");
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(config, "endpoint"), "urls")),
                      0);
    json_decref(root);
    free(whole);
    free(text);
}
END_TEST

/* As AIPerf's exporter writes it: sorted by tag, two decimals, CRLF, no unit where requests are
 * counted. */
START_TEST(the_table_is_as_worked_out_by_hand)
{
    static const char expected[] =
        "Metric,avg,min,max,sum,p1,p5,p10,p25,p50,p75,p90,p95,p99,std\r\n"
        "E2E Output Token Throughput (tokens/sec/user),250.00,250.00,250.00,250.00,250.00,250.00,"
        "250.00,250.00,250.00,250.00,250.00,250.00,250.00,0.00\r\n"
        "Input Sequence Length (tokens),100.00,100.00,100.00,100.00,100.00,100.00,100.00,100.00,"
        "100.00,100.00,100.00,100.00,100.00,0.00\r\n"
        "Inter Chunk Latency (ms),5.00,2.00,8.00,10.00,2.06,2.30,2.60,3.50,5.00,6.50,7.40,7.70,"
        "7.94,3.00\r\n";
    char text[4096];
    size_t size;
    FILE *file;

    write_file();
    file = fopen(table, "r");
    ck_assert_ptr_nonnull(file);
    size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    (void)fclose(file);
    ck_assert_msg(strncmp(text, expected, sizeof expected - 1) == 0, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "\r\n\r\nMetric,Value\r\nBenchmark Duration (sec),0.02\r\n"
                                       "Error Request Count,1.00\r\nGood Request Count,1.00\r\n"
                                       "GoodRequestFraction (ratio),0.50\r\n"));
    remove_file();
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("aiperf");

    tcase_add_test(cases, lines_are_as_worked_out_by_hand);
    tcase_add_test(cases, our_own_reader_of_such_files_reads_it);
    tcase_add_test(cases, the_summary_is_as_worked_out_by_hand);
    tcase_add_test(cases, the_summary_says_what_was_asked);
    tcase_add_test(cases, a_closed_loop_over_a_trace_is_said_so);
    tcase_add_test(cases, the_table_is_as_worked_out_by_hand);
    tcase_add_test(cases, a_folder_that_cannot_be_made_is_said);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("cli/aiperf", add_cases)

/* The file for other tools: its figures by hand, and our own reader of that tool's files. */
#include "cli/bench/save.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/assets/served_run.h"
#include "tests/check_main.h"

/* Of this process: tests run beside each other. */
static const char *path_of_file(void)
{
    static char path[64];

    (void)snprintf(path, sizeof path, "%s/dyno-bench-save-%ld.json", P_tmpdir, (long)getpid());
    return path;
}

/* Sent at `sent` ms, with chunks at 10, 12 and 20 ms after that. */
static void add(struct dyno_bench_saved *saved, uint64_t id, dyno_ns sent, const char *why)
{
    dyno_ns chunks[] = {(sent + 10) * DYNO_MS, (sent + 12) * DYNO_MS, (sent + 20) * DYNO_MS};
    struct dyno_request_record record = {.id = id,
                                         .outcome = why[0] ? DYNO_FAILED : DYNO_COMPLETED,
                                         .prompt_tokens = 100 + (uint32_t)id,
                                         .output_tokens = 5,
                                         .first_token_ns = chunks[0],
                                         .last_token_ns = chunks[2]};

    dyno_bench_saved_add(saved, &(struct dyno_load_answer){.record = &record,
                                                           .why = why,
                                                           .chunk_ns = chunks,
                                                           .chunk_count = why[0] ? 0 : 3,
                                                           .sent_ns = sent * DYNO_MS});
}

static void write_file(const char *arrival)
{
    struct dyno_scenario scenario = {.generate = {.arrival = arrival}, .slo = {.ttft_ns = 1}};
    struct dyno_bench_saved_about about = {.model = "a \"model\"",
                                           .endpoint = "completions",
                                           .date = "20260102-030405",
                                           .scenario = &scenario,
                                           .within_slo = 1};
    struct dyno_bench_saved *saved = NULL;
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_bench_saved_open(&saved), DYNO_OK);
    add(saved, 2, 130, "");
    add(saved, 1, 120, "HTTP 500: \"oops\"");
    add(saved, 0, 115, "");
    ck_assert_msg(dyno_bench_saved_write(saved, path_of_file(), &about, &error) == DYNO_OK, "%s",
                  error.text);
    dyno_bench_saved_close(saved);
}

static void is_number(const json_t *root, const char *key, double due)
{
    double value = json_number_value(json_object_get(root, key));

    ck_assert_msg(json_is_number(json_object_get(root, key)) && fabs(value - due) < 1e-9,
                  "%s is %.17g, not %.17g", key, value, due);
}

/* Two good answers of 20 ms from 115 to 150 ms: TTFT 10, gaps 2 and 8, TPOT 10/4. */
START_TEST(figures_are_as_worked_out_by_hand)
{
    json_t *root;

    write_file("poisson:4");
    root = json_load_file(path_of_file(), JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(root);
    is_number(root, "num_prompts", 3);
    is_number(root, "completed", 2);
    is_number(root, "failed", 1);
    is_number(root, "duration", 0.035);
    is_number(root, "total_input_tokens", 202);
    is_number(root, "total_output_tokens", 10);
    is_number(root, "request_throughput", 2 / 0.035);
    is_number(root, "request_goodput", 1 / 0.035);
    is_number(root, "output_throughput", 10 / 0.035);
    is_number(root, "total_token_throughput", 212 / 0.035);
    is_number(root, "mean_ttft_ms", 10);
    is_number(root, "std_ttft_ms", 0);
    is_number(root, "median_tpot_ms", 2.5);
    is_number(root, "mean_itl_ms", 5);
    is_number(root, "std_itl_ms", 3);
    is_number(root, "median_itl_ms", 5);
    is_number(root, "p99_itl_ms", 8);
    is_number(root, "p99_e2el_ms", 20);
    is_number(root, "max_output_tokens_per_s", 6);
    is_number(root, "max_concurrent_requests", 2);
    is_number(root, "request_rate", 4);
    ck_assert(json_is_null(json_object_get(root, "max_concurrency")));
    ck_assert_str_eq(json_string_value(json_object_get(root, "model_id")), "a \"model\"");
    ck_assert_str_eq(json_string_value(json_object_get(root, "backend")), "openai");
    json_decref(root);
    (void)unlink(path_of_file());
}
END_TEST

/* In the order in which requests were taken, whenever they ended; failed ones are nothing. */
START_TEST(lists_are_in_the_order_of_requests)
{
    json_t *root;

    write_file("concurrency:7");
    root = json_load_file(path_of_file(), 0, NULL);
    ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(root, "input_lens"), 0)),
                     100);
    ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(root, "input_lens"), 2)),
                     102);
    ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(root, "output_lens"), 1)),
                     0);
    ck_assert_uint_eq(json_array_size(json_array_get(json_object_get(root, "itls"), 0)), 2);
    ck_assert_uint_eq(json_array_size(json_array_get(json_object_get(root, "itls"), 1)), 0);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(root, "errors"), 1)),
                     "HTTP 500: \"oops\"");
    ck_assert_uint_eq(json_array_size(json_object_get(root, "generated_texts")), 3);
    is_number(root, "max_concurrency", 7);
    ck_assert_str_eq(json_string_value(json_object_get(root, "request_rate")), "inf");
    json_decref(root);
    (void)unlink(path_of_file());
}
END_TEST

START_TEST(our_own_reader_of_such_files_reads_it)
{
    struct dyno_served_run run = {0};
    struct dyno_error error = {0};

    write_file("poisson:4");
    ck_assert_msg(dyno_served_run_read(&run, path_of_file(), &error) == DYNO_OK, "%s", error.text);
    ck_assert_uint_eq(run.request_count, 2);
    ck_assert_uint_eq(run.left_out, 1);
    dyno_served_run_release(&run);
    (void)unlink(path_of_file());
}
END_TEST

START_TEST(nothing_measured_is_a_whole_file_too)
{
    struct dyno_scenario scenario = {.generate = {.arrival = "poisson:4"}};
    struct dyno_bench_saved_about about = {
        .model = "m", .endpoint = "chat", .date = "", .scenario = &scenario};
    struct dyno_bench_saved *saved = NULL;
    json_t *root;

    ck_assert_int_eq(dyno_bench_saved_open(&saved), DYNO_OK);
    ck_assert_int_eq(dyno_bench_saved_write(saved, path_of_file(), &about, NULL), DYNO_OK);
    dyno_bench_saved_close(saved);
    root = json_load_file(path_of_file(), 0, NULL);
    is_number(root, "mean_ttft_ms", 0);
    is_number(root, "request_throughput", 0);
    ck_assert(json_is_null(json_object_get(root, "request_goodput")));
    json_decref(root);
    (void)unlink(path_of_file());
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("bench save");

    tcase_add_test(cases, figures_are_as_worked_out_by_hand);
    tcase_add_test(cases, lists_are_in_the_order_of_requests);
    tcase_add_test(cases, our_own_reader_of_such_files_reads_it);
    tcase_add_test(cases, nothing_measured_is_a_whole_file_too);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("cli/bench save", add_cases)

/* Recorded benchmarks: each format is recognised by what it holds, and what is wrong in it is
 * refused with file, place and field. */
#include "backends/assets/served_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/check_main.h"

static char folder[] = "served-XXXXXX";
static char file_path[64];

static void open_scratch(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(file_path, sizeof file_path, "%s/file", folder);
}

static void close_scratch(void)
{
    static const char *const names[] = {"file", "meta.json", "requests.jsonl"};
    char path[64];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static void write_file(const char *name, const char *text)
{
    char path[64];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void read_text(struct dyno_served_run *run, const char *text)
{
    struct dyno_error error = {0};

    write_file("file", text);
    ck_assert_msg(dyno_served_run_read(run, file_path, &error) == DYNO_OK, "%s", error.text);
}

/* `sentence` follows the file's path. */
static void assert_refused(const char *text, const char *sentence)
{
    struct dyno_error error = {0};
    struct dyno_served_run run;

    write_file("file", text);
    ck_assert_int_eq(dyno_served_run_read(&run, file_path, &error), DYNO_BAD_INPUT);
    ck_assert_msg(strncmp(error.text, file_path, strlen(file_path)) == 0 &&
                      strcmp(error.text + strlen(file_path), sentence) == 0,
                  "said: %s", error.text);
}

#define DETAILED(more)                                                                             \
    "{\"date\": \"20260102-030405\", \"model_id\": \"a/b\", \"request_rate\": 2.5,"                \
    " \"max_concurrency\": null, \"input_lens\": [10, 20, 30], \"output_lens\": [3, 0, 1],"        \
    " \"ttfts\": [0.5, 0, 0.25], \"itls\": [[0.125, 0.25], [], []]" more "}"

/* The second failed: no tokens, an error.  Starts are put in order and counted from the first. */
START_TEST(vllm_with_details_is_requests)
{
    struct dyno_served_run run;

    read_text(&run, DETAILED(", \"start_times\": [107.5, 101, 100.5], \"errors\": [\"\", \"x\", "
                             "\"\"]"));
    ck_assert_str_eq(run.date, "20260102-030405");
    ck_assert_str_eq(run.model, "a/b");
    ck_assert(run.is_timed && !run.is_of_engine);
    ck_assert_double_eq(run.rate_per_s, 2.5);
    ck_assert_uint_eq(run.concurrency, 0);
    ck_assert_uint_eq(run.left_out, 1);
    ck_assert_uint_eq(run.request_count, 2);
    ck_assert_uint_eq(run.completed, 2);
    ck_assert_uint_eq(run.requests[0].input_tokens, 30);
    ck_assert_double_eq(run.requests[0].start_s, 0);
    ck_assert_double_eq(run.requests[1].start_s, 7);
    ck_assert_double_eq(dyno_served_ms(&run.requests[1], DYNO_SERVED_TTFT), 500);
    ck_assert_double_eq(dyno_served_ms(&run.requests[1], DYNO_SERVED_TPOT), 187.5);
    ck_assert_double_eq(dyno_served_ms(&run.requests[1], DYNO_SERVED_E2E), 875);
    ck_assert_double_lt(dyno_served_ms(&run.requests[0], DYNO_SERVED_TPOT), 0); /* one token */
    dyno_served_run_release(&run);
}
END_TEST

/* What the client held back is not in the latency: it was to be sent so much earlier. */
START_TEST(a_clients_queue_is_before_the_start)
{
    struct dyno_served_run run;

    read_text(&run, DETAILED(", \"start_times\": [10, 0, 5], \"queue_times\": [2, 0, 0], "
                             "\"latencies\": [1, 0, 0.25]"));
    ck_assert_double_eq(run.requests[1].start_s, 3);
    ck_assert_double_eq(run.requests[1].e2e_s, 1);
    dyno_served_run_release(&run);
}
END_TEST

START_TEST(vllm_without_details_is_figures)
{
    struct dyno_served_run run;

    read_text(&run, "{\"completed\": 4, \"total_input_tokens\": 400, \"total_output_tokens\": 80,"
                    " \"request_rate\": \"inf\", \"max_concurrency\": 2, \"mean_ttft_ms\": 12.5,"
                    " \"median_tpot_ms\": 3, \"p99.9_e2el_ms\": 70, \"p99_itl_ms\": 5,"
                    " \"std_ttft_ms\": 1, \"burstiness\": 0.25}");
    ck_assert_uint_eq(run.request_count, 0);
    ck_assert_uint_eq(run.completed, 4);
    ck_assert_uint_eq(run.input_tokens, 400);
    ck_assert_uint_eq(run.concurrency, 2);
    ck_assert_double_eq(run.rate_per_s, 0);
    ck_assert_double_eq(run.burstiness, 0.25);
    ck_assert_uint_eq(run.figure_count, 3);
    ck_assert_int_eq(run.figures[0].metric, DYNO_SERVED_TTFT);
    ck_assert_double_lt(run.figures[0].fraction, 0);
    ck_assert_double_eq(run.figures[1].fraction, 0.5);
    ck_assert_int_eq(run.figures[2].metric, DYNO_SERVED_E2E);
    ck_assert_double_eq_tol(run.figures[2].fraction, 0.999, 1e-12);
    dyno_served_run_release(&run);
}
END_TEST

#define LINE(start, phase, error, metrics)                                                         \
    "{\"metadata\": {\"request_start_ns\": " start ", \"benchmark_phase\": \"" phase               \
    "\", \"was_cancelled\": false}, \"metrics\": {" metrics "}, \"error\": " error "}\n"
#define TOKENS                                                                                     \
    "\"input_sequence_length\": {\"value\": 550, \"unit\": \"tokens\"}, "                          \
    "\"output_sequence_length\": {\"value\": 9, \"unit\": \"tokens\"}"
#define TIMES                                                                                      \
    ", \"time_to_first_token\": {\"value\": 250, \"unit\": \"ms\"}, "                              \
    "\"request_latency\": {\"value\": 1.25, \"unit\": \"s\"}"

START_TEST(aiperf_is_a_request_a_line)
{
    struct dyno_served_run run;

    read_text(&run, LINE("1759813207532900363", "warmup", "null", TOKENS TIMES)
                        LINE("1759813209532900363", "profiling", "null", TOKENS TIMES) "\n" LINE(
                            "1759813208532900363", "profiling", "null", TOKENS TIMES)
                            LINE("1759813208532900363", "profiling", "{\"code\": 499}", ""));
    ck_assert_str_eq(run.tool, "AIPerf");
    ck_assert_uint_eq(run.left_out, 2);
    ck_assert_uint_eq(run.request_count, 2);
    ck_assert_double_eq_tol(run.requests[1].start_s, 1, 1e-9);
    ck_assert_double_eq(dyno_served_ms(&run.requests[1], DYNO_SERVED_TTFT), 250);
    ck_assert_double_eq(dyno_served_ms(&run.requests[1], DYNO_SERVED_TPOT), 125);
    dyno_served_run_release(&run);
}
END_TEST

/* The engine noticed the first request 0.25 s after it arrived, by two clocks that are 100 s apart
 * and more; the second after half a second: a quarter of its TTFT is the front end's. */
START_TEST(a_recorded_run_is_known_by_its_stamps)
{
    struct dyno_served_run run;
    struct dyno_error error = {0};
    char path[64];

    write_file("meta.json", "{\"vllm_version\": \"0.19.0\", \"started_at\": \"2026-08-20\", "
                            "\"engine_kwargs\": {\"model\": \"a/b\", \"max_num_seqs\": 128}, "
                            "\"kv_cache\": {\"num_gpu_blocks\": 7, \"block_size\": 32}}");
    write_file("requests.jsonl",
               "{\"input_toks\": 10, \"output_toks\": 2, \"arrival_time\": 100.5, \"queued_ts\": "
               "1, \"scheduled_ts\": 2, \"first_token_ts\": 3, \"last_token_ts\": 4.25}\n"
               "{\"input_toks\": 10, \"output_toks\": 2, \"arrival_time\": 101.5, \"queued_ts\": "
               "2.25, \"scheduled_ts\": 2.5, \"first_token_ts\": 3, \"last_token_ts\": 4}\n");
    for (int which = 0; which < 3; which++) {
        static const char *const names[] = {"", "/requests.jsonl", "/meta.json"};

        (void)snprintf(path, sizeof path, "%s%s", folder, names[which]);
        ck_assert_msg(dyno_served_run_read(&run, path, &error) == DYNO_OK, "%s", error.text);
        ck_assert(run.is_of_engine);
        ck_assert_str_eq(run.date, "2026-08-20");
        ck_assert_uint_eq(run.blocks, 7);
        ck_assert_uint_eq(run.seqs_max, 128);
        ck_assert_double_eq(run.requests[1].start_s, 1);
        ck_assert_double_eq(run.requests[0].ttft_s, 2);
        ck_assert_double_eq(run.requests[1].ttft_s, 1);
        dyno_served_run_release(&run);
    }
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
    assert_refused("{\"a\": 1}", ": not a benchmark that dyno knows: the JSON of vllm bench serve "
                                 "--save-result, AIPerf's profile_export.jsonl, or requests.jsonl "
                                 "of a recorded run beside its meta.json");
    assert_refused("[1", ":1:2: ']' expected near end of file");
    assert_refused("{\"ttfts\": [1], \"input_lens\": [1]}",
                   ": there is a list \"ttfts\" but none \"output_lens\"; --save-detailed writes "
                   "both");
    assert_refused("{\"ttfts\": [1], \"input_lens\": [1, 2], \"output_lens\": [1]}",
                   ": \"input_lens\" has 2 entries where \"ttfts\" has 1");
    assert_refused("{\"ttfts\": [-1], \"input_lens\": [1], \"output_lens\": [1]}",
                   ": \"ttfts\"[0] is not a number of seconds from 0 to 1e7");
    assert_refused("{\"ttfts\": [1], \"input_lens\": [1.5], \"output_lens\": [1]}",
                   ": \"input_lens\"[0] is not a whole number of tokens");
    assert_refused(
        "{\"ttfts\": [1], \"input_lens\": [1], \"output_lens\": [1], \"itls\": [[\"\"]]}",
        ": \"itls\"[0] is not a list of seconds from 0 to 1e7");
    assert_refused("{\"ttfts\": [0], \"input_lens\": [1], \"output_lens\": [0]}",
                   ": no request in it was completed");
    assert_refused("{\"ttfts\": [], \"input_lens\": [], \"output_lens\": []} {}",
                   ": more than one result (--append-result); keep one of them");
    assert_refused("{\"mean_ttft_ms\": 1, \"burstiness\": 0}", ": \"burstiness\" is not above 0");
    assert_refused("{\"mean_ttft_ms\": 1, \"request_rate\": -1}",
                   ": \"request_rate\" is neither a number above 0 nor \"inf\"");
    assert_refused("{\"mean_ttft_ms\": 1, \"completed\": 0}",
                   ": \"completed\" is not a whole number above 0; without --save-detailed it is "
                   "needed to know what was sent");
    assert_refused("{\"request_throughput\": 1, \"completed\": 1, \"total_input_tokens\": 1, "
                   "\"total_output_tokens\": 1, \"mean_ttft_ms\": \"x\"}",
                   ": \"mean_ttft_ms\" is not a number of milliseconds");
}
END_TEST

START_TEST(a_wrong_line_is_named)
{
    assert_refused(LINE("1", "profiling", "null", TOKENS TIMES) "{3}\n",
                   ":2:2: string or '}' expected near '3'");
    assert_refused(LINE("1.5", "profiling", "null", TOKENS TIMES),
                   ":1: \"request_start_ns\" is not a whole number of nanoseconds");
    assert_refused(LINE("1", "profiling", "null", TOKENS),
                   ":1: \"request_latency\" is missing, and so is \"time_to_first_token\"");
    assert_refused(LINE("1", "profiling", "null",
                        TOKENS ", \"request_latency\": {\"value\": 5, \"unit\": \"h\"}"),
                   ":1: \"request_latency\" is not a time above 0 in ms, s, us or ns");
    assert_refused(
        LINE("1", "profiling", "null", "\"request_latency\": {\"value\": 5, \"unit\": \"ms\"}"),
        ":1: \"input_sequence_length\" is missing; without it the request cannot be "
        "sent again");
    assert_refused("{\"metadata\": 3}", ":1: \"metadata\" is not an object");
}
END_TEST

START_TEST(a_file_that_is_not_there_is_said)
{
    struct dyno_error error = {0};
    struct dyno_served_run run;

    ck_assert_int_eq(dyno_served_run_read(&run, "no-such-file", &error), DYNO_NOT_FOUND);
    ck_assert_str_eq(error.text, "cannot read 'no-such-file': No such file or directory");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("served run");

    tcase_add_checked_fixture(tc, open_scratch, close_scratch);
    tcase_add_test(tc, vllm_with_details_is_requests);
    tcase_add_test(tc, a_clients_queue_is_before_the_start);
    tcase_add_test(tc, vllm_without_details_is_figures);
    tcase_add_test(tc, aiperf_is_a_request_a_line);
    tcase_add_test(tc, a_recorded_run_is_known_by_its_stamps);
    tcase_add_test(tc, what_is_wrong_is_named);
    tcase_add_test(tc, a_wrong_line_is_named);
    tcase_add_test(tc, a_file_that_is_not_there_is_said);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("backends/served_run", add_cases)

/* Recorded runs: what a recorder wrote is read; what it did not write is refused by name. */
#include "backends/assets/recorded_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/check_main.h"

static char folder[] = "recorded-XXXXXX";

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

static void open_scratch(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_file("meta.json",
               "{\"vllm_version\": \"0.19.0\", \"engine_kwargs\": {\"model\": \"a/b\", "
               "\"max_num_seqs\": 128, \"max_model_len\": null}, "
               "\"kv_cache\": {\"num_gpu_blocks\": 7, \"block_size\": 32}}");
    write_file(
        "requests.jsonl",
        "{\"input_toks\": 10, \"output_toks\": 2, \"arrival_time\": 100.5, \"queued_ts\": 1, "
        "\"scheduled_ts\": 2, \"first_token_ts\": 3, \"last_token_ts\": 4.25}\n");
}

static void close_scratch(void)
{
    static const char *const names[] = {"meta.json", "requests.jsonl"};
    char path[64];

    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

START_TEST(a_recorded_run_is_read)
{
    struct dyno_recorded_run run;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_recorded_run_read(&run, folder, &error) == DYNO_OK, "%s", error.text);
    ck_assert_str_eq(run.model, "a/b");
    ck_assert_str_eq(run.version, "0.19.0");
    ck_assert_uint_eq(run.seqs_max, 128);
    ck_assert_uint_eq(run.batch_tokens_max, 2048);
    ck_assert_uint_eq(run.context_max, 0);
    ck_assert_uint_eq(run.blocks, 7);
    ck_assert_uint_eq(run.block_tokens, 32);
    ck_assert_uint_eq(run.request_count, 1);
    ck_assert_uint_eq(run.requests[0].input_tokens, 10);
    ck_assert_double_eq(run.requests[0].last_token_s, 4.25);
    dyno_recorded_run_release(&run);
}
END_TEST

START_TEST(a_request_without_a_stamp_is_refused_with_its_line)
{
    struct dyno_recorded_run run;
    struct dyno_error error = {0};

    write_file("requests.jsonl", "{\"input_toks\": 10, \"output_toks\": 2}\n");
    ck_assert_int_eq(dyno_recorded_run_read(&run, folder, &error), DYNO_BAD_INPUT);
    ck_assert_str_eq(error.text, "requests.jsonl:1: not a request with input_toks, output_toks and "
                                 "its stamps");
    write_file("requests.jsonl", "");
    ck_assert_int_eq(dyno_recorded_run_read(&run, folder, &error), DYNO_BAD_INPUT);
    write_file("meta.json", "[]");
    ck_assert_int_eq(dyno_recorded_run_read(&run, folder, &error), DYNO_BAD_INPUT);
}
END_TEST

START_TEST(a_prompt_is_its_tokens)
{
    static const char text[] =
        "{\"output_toks\": 5, \"arrival_time_ns\": 1500, \"input_tok_ids\": [1, 2, 3]}";
    struct dyno_token_prompt prompt;
    struct dyno_error error = {0};

    ck_assert_int_eq(dyno_token_prompt_read(&prompt, text, sizeof text - 1, &error), DYNO_OK);
    ck_assert_uint_eq(prompt.arrival_ns, 1500);
    ck_assert_uint_eq(prompt.output_tokens, 5);
    ck_assert_uint_eq(prompt.token_count, 3);
    ck_assert_uint_eq(prompt.tokens[2], 3);
    free(prompt.tokens);
    ck_assert_int_eq(dyno_token_prompt_read(&prompt, "{}", 2, &error), DYNO_BAD_INPUT);
    ck_assert_str_eq(error.text, "no \"output_toks\"");
    ck_assert_int_eq(dyno_token_prompt_read(&prompt, "{", 1, &error), DYNO_BAD_INPUT);
    ck_assert_int_eq(dyno_token_prompt_read(&prompt, text, 20, &error), DYNO_BAD_INPUT);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("recorded run");

    tcase_add_checked_fixture(tc, open_scratch, close_scratch);
    tcase_add_test(tc, a_recorded_run_is_read);
    tcase_add_test(tc, a_request_without_a_stamp_is_refused_with_its_line);
    tcase_add_test(tc, a_prompt_is_its_tokens);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("backends/recorded_run", add_cases)

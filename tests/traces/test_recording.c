/* The recording: what it heard is what can be read again, and nothing more. */
#include "tests/traces/recording_rig.h"

#include <sys/stat.h>

#include "tests/check_main.h"

START_TEST(a_line_is_what_is_written_down_here)
{
    static const struct dyno_request request = {
        .id = 3, .prompt_tokens = 5, .max_tokens = 9, .arrival_ns = 2 * DYNO_MS + 1};
    struct dyno_recording_config config = config_with(SECRET);
    struct script script = {.source = {.ops = &script_ops}, .requests = &request, .count = 1};
    struct dyno_recording *recording = open_with(&config);
    char *text;

    take_all(recording, &script);
    end(recording, 3, 7, DYNO_CANCELLED_BY_CLIENT);
    ck_assert_uint_eq(close_all(recording).recorded, 1);
    text = slurp(path);
    ck_assert_str_eq(text,
                     "{\"timestamp\": 1764254917125.456790, \"input_length\": 5, "
                     "\"output_length\": 7, \"outcome\": \"cancelled_by_client\", "
                     "\"number\": 3, \"recording\": \"9bb6dfaf7acc6043\", \"block_tokens\": 16}\n");
    free(text);
}
END_TEST

START_TEST(whose_it_is_and_how_urgent_is_kept_where_it_is_said)
{
    static const struct dyno_request request = {
        .id = 0, .tenant = 7, .priority = -3, .prompt_tokens = 5, .max_tokens = 9};
    struct dyno_recording_config config = config_with(SECRET);
    struct script script = {.source = {.ops = &script_ops}, .requests = &request, .count = 1};
    struct dyno_recording *recording = open_with(&config);
    struct haul haul;

    take_all(recording, &script);
    end(recording, 0, 7, DYNO_COMPLETED);
    ck_assert_uint_eq(close_all(recording).recorded, 1);
    read_file(&haul, path, 16);
    ck_assert_uint_eq(haul.count, 1);
    ck_assert_uint_eq(haul.items[0].request.tenant, 7);
    ck_assert_int_eq(haul.items[0].request.priority, -3);
    haul_release(&haul);
}
END_TEST

static uint32_t shared_blocks(const struct haul *haul, size_t a, size_t b)
{
    const struct taken *one = &haul->items[a], *two = &haul->items[b];
    uint32_t blocks = 0;

    for (uint32_t i = 0; i < one->request.span_count && i < two->request.span_count; i++) {
        if (one->spans[i].id != two->spans[i].id) {
            break;
        }
        blocks += one->spans[i].blocks < two->spans[i].blocks ? one->spans[i].blocks
                                                              : two->spans[i].blocks;
    }
    return blocks;
}

START_TEST(who_shares_what_is_kept_to_the_block)
{
    struct dyno_recording_config config = config_with(NULL);
    struct haul haul;

    record_sharing(&config);
    read_file(&haul, path, 16);
    ck_assert_uint_eq(haul.count, 3);
    ck_taken(&haul, 0, 0, 87, 1);
    ck_taken(&haul, 1, 10, 70, 2);
    ck_taken(&haul, 2, 20, 80, 3);
    ck_assert_uint_eq(shared_blocks(&haul, 0, 1), 3);
    ck_assert_uint_eq(shared_blocks(&haul, 0, 2), 1);
    ck_assert_uint_eq(shared_blocks(&haul, 1, 2), 1);
    ck_assert_uint_eq(haul.items[0].request.session, haul.items[2].request.session);
    ck_assert_uint_ne(haul.items[0].request.session, haul.items[1].request.session);
    ck_assert_uint_ne(haul.items[0].request.session, 5);
    haul_release(&haul);
}
END_TEST

START_TEST(larger_blocks_keep_what_whole_blocks_share)
{
    struct dyno_recording_config config = config_with(NULL);
    struct haul haul;

    config.block_tokens = 32;
    record_sharing(&config);
    read_file(&haul, path, 16);
    ck_assert_uint_eq(shared_blocks(&haul, 0, 1), 2); /* the third block's pair differs */
    ck_assert_uint_eq(shared_blocks(&haul, 0, 2), 0);
    ck_assert_uint_eq(haul.counts.block_refs, 3 + 3 + 3);
    haul_release(&haul);
}
END_TEST

START_TEST(nothing_that_was_given_stands_in_the_file)
{
    struct dyno_recording_config config = config_with(SECRET);
    struct stat about;
    char *text;

    record_sharing(&config);
    text = slurp(path);
    ck_assert_ptr_null(strstr(text, "100")); /* no identity of a span ... */
    ck_assert_ptr_null(strstr(text, "secret"));
    ck_assert_ptr_null(strstr(text, "\"session_id\": 5,"));
    free(text);
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0600);
}
END_TEST

START_TEST(a_configuration_that_cannot_be_is_refused)
{
    struct dyno_recording_config config = config_with("short");

    refuse_with(&config, DYNO_BAD_INPUT, "the secret for a salt has 5 bytes; expected 16 to 1024");
    config = config_with(NULL);
    config.block_tokens = 24;
    refuse_with(&config, DYNO_BAD_INPUT, "a recorded block has 24 tokens");
    config.block_tokens = 2097152;
    refuse_with(&config, DYNO_BAD_INPUT, "a recorded block has 2097152 tokens");
    config = config_with(NULL);
    config.files_max = 1001;
    refuse_with(&config, DYNO_BAD_INPUT, "keeps 1001 files");
    ck_assert(!is_there(""));
}
END_TEST

START_TEST(a_full_queue_loses_requests_and_counts_them)
{
    struct dyno_recording_config config = config_with(NULL);
    struct dyno_recording_counts counts;

    config.queue_bytes_max = 1; /* none fits */
    counts = record_many(&config, 100);
    ck_assert_uint_eq(counts.recorded, 0);
    ck_assert_uint_eq(counts.lost, 100);
}
END_TEST

START_TEST(what_never_ended_is_lost_and_counted)
{
    struct dyno_recording_config config = config_with(NULL);
    struct script script = {.source = {.ops = &script_ops}, .requests = sharing, .count = 3};
    struct dyno_recording *recording = open_with(&config);
    struct dyno_recording_counts counts;

    take_all(recording, &script);
    end(recording, 1, 1, DYNO_COMPLETED);
    end(recording, 1, 1, DYNO_COMPLETED); /* twice, and one that never came: passed over */
    end(recording, 9, 1, DYNO_COMPLETED);
    counts = close_all(recording);
    ck_assert_uint_eq(counts.recorded, 1);
    ck_assert_uint_eq(counts.lost, 2);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("recording");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_line_is_what_is_written_down_here);
    tcase_add_test(tc, whose_it_is_and_how_urgent_is_kept_where_it_is_said);
    tcase_add_test(tc, who_shares_what_is_kept_to_the_block);
    tcase_add_test(tc, larger_blocks_keep_what_whole_blocks_share);
    tcase_add_test(tc, nothing_that_was_given_stands_in_the_file);
    tcase_add_test(tc, a_configuration_that_cannot_be_is_refused);
    tcase_add_test(tc, a_full_queue_loses_requests_and_counts_them);
    tcase_add_test(tc, what_never_ended_is_lost_and_counted);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("traces/recording", add_cases)

/* Each format's columns, units and scales, and how a format is recognised. */
#include "tests/check_main.h"
#include "tests/traces/support.h"

static const char mooncake[] =
    "{\"timestamp\": 100, \"input_length\": 1025, \"output_length\": 3, \"hash_ids\": [7, 8, 9]}\n"
    "{\"timestamp\": 100.25, \"input_tokens\": 512, \"output_tokens\": 4, \"hash_ids\": [7]}\n"
    "{\"created_time\": 1100, \"input_length\": 5, \"output_length\": 6}\n";

START_TEST(mooncake_times_are_milliseconds_from_the_first_request)
{
    struct haul haul;

    haul_text(&haul, mooncake);
    ck_taken(&haul, 0, 0, 1025, 3);
    ck_taken(&haul, 1, 250 * DYNO_US, 512, 4);
    ck_taken(&haul, 2, DYNO_S, 5, 6);
    ck_assert_uint_eq(haul.count, 3);
    ck_assert_uint_eq(haul.counts.block_refs, 4);
    ck_assert_uint_eq(haul.counts.block_refs_seen, 1);
    ck_assert_uint_eq(haul.counts.block_refs_distinct, 3);
    ck_assert_uint_eq(haul.items[2].request.span_count, 0);
    haul_release(&haul);
}
END_TEST

START_TEST(azure_2023_times_are_exact_and_its_line_ends_do_not_matter)
{
    struct haul haul;

    haul_text(&haul, "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
                     "2023-12-31 23:59:59.9999999,374,44\r\n"
                     "2024-01-01 00:00:00.0000001,396,109\r\n"
                     "2024-03-01 00:00:00,1,2");
    ck_taken(&haul, 0, 0, 374, 44);
    ck_taken(&haul, 1, 200, 396, 109);
    ck_taken(&haul, 2, (31 + 29) * (dyno_ns)86400 * DYNO_S + 100, 1, 2);
    ck_assert_uint_eq(haul.count, 3);
    haul_release(&haul);
}
END_TEST

START_TEST(azure_2024_times_have_a_zone)
{
    struct haul haul;

    haul_text(&haul, "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                     "2024-05-10 00:00:00.009930+00:00,2162,5\n"
                     "2024-05-10T02:00:00.010930+02:00,2399,6\n"
                     "2024-05-09 19:00:01.009930-05:00,76,15\n"
                     "2024-05-10 00:00:02.009930Z,7,8\n");
    ck_taken(&haul, 0, 0, 2162, 5);
    ck_taken(&haul, 1, DYNO_MS, 2399, 6);
    ck_taken(&haul, 2, DYNO_S, 76, 15);
    ck_taken(&haul, 3, 2 * DYNO_S, 7, 8);
    haul_release(&haul);
}
END_TEST

START_TEST(burstgpt_drops_and_counts_failed_requests)
{
    struct haul haul;

    haul_text(&haul, "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
                     "5,ChatGPT,472,18,490,Conversation log\n"
                     "45,ChatGPT,1087,0,1087,Conversation log\n"
                     "118.5,\"GPT-4, new\",417,276,693,API log\n");
    ck_taken(&haul, 0, 0, 472, 18);
    ck_taken(&haul, 1, 113500 * DYNO_MS, 417, 276);
    ck_assert_uint_eq(haul.count, 2);
    ck_assert_uint_eq(haul.counts.failed_dropped, 1);
    ck_assert_uint_eq(haul.counts.lines_skipped, 0);
    haul_release(&haul);
}
END_TEST

START_TEST(burstgpt_sessions_are_kept_where_the_file_has_them)
{
    struct haul haul;

    haul_text(&haul, "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total "
                     "tokens,Log Type\n"
                     "0,aa-1,43,GPT-4,906,446,1352,Conversation log\n"
                     "1,,43,GPT-4,906,446,1352,API log\n"
                     "2,aa-1,43,GPT-4,906,446,1352,Conversation log\n");
    ck_assert_uint_eq(haul.count, 3);
    ck_assert_uint_ne(haul.items[0].request.session, 0);
    ck_assert_uint_eq(haul.items[1].request.session, 0);
    ck_assert_uint_eq(haul.items[2].request.session, haul.items[0].request.session);
    ck_assert_uint_eq(haul.counts.sessions, 1);
    haul_release(&haul);
}
END_TEST

START_TEST(bailian_chats_follow_their_parents_in_one_session)
{
    struct haul haul;

    haul_text(&haul,
              "{\"chat_id\": 159, \"parent_chat_id\": -1, \"timestamp\": 61.114, \"input_length\": "
              "33, \"output_length\": 132, \"type\": \"text\", \"turn\": 1, \"hash_ids\": [1, 2, "
              "3]}\n"
              "{\"chat_id\": 160, \"parent_chat_id\": 159, \"timestamp\": 62.5, \"input_length\": "
              "48, \"output_length\": 80, \"type\": \"text\", \"turn\": 2, \"hash_ids\": [1, 2, "
              "4]}\n"
              "{\"chat_id\": 161, \"parent_chat_id\": 55, \"timestamp\": 63, \"input_length\": 40, "
              "\"output_length\": 1, \"type\": \"text\", \"turn\": 3, \"hash_ids\": [1, 2]}\n");
    ck_taken(&haul, 0, 0, 33, 132);
    ck_taken(&haul, 1, 1386 * DYNO_MS, 48, 80);
    ck_taken(&haul, 2, 1886 * DYNO_MS, 40, 1);
    ck_assert_uint_eq(haul.items[0].request.session, 159);
    ck_assert_uint_eq(haul.items[1].request.session, 159);
    ck_assert_uint_eq(haul.items[2].request.session, 161); /* its parent is not in the file */
    ck_assert_uint_eq(haul.counts.sessions, 2);
    ck_assert_uint_eq(haul.items[0].request.span_count, 2); /* 33 tokens: two whole blocks of 16 */
    ck_assert_uint_eq(haul.items[1].spans[1].id, haul.items[0].spans[1].id);
    haul_release(&haul);
}
END_TEST

START_TEST(formats_are_recognised_and_can_be_named)
{
    static const struct {
        const char *format, *text;
    } cases[] = {
        {"mooncake", mooncake},
        {"mooncake", "\n\n {\"delay\":1,\"timestamp\":0,\"input_tokens\":5,\"output_tokens\":6}"},
        {"azure", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,2\n"},
        {"azure", "ContextTokens,GeneratedTokens,TIMESTAMP\n1,2,2023-11-16 18:15:46\n"},
        {"burstgpt", "Timestamp,Model,Request tokens,Response tokens\n5,x,472,18\n"},
        {"bailian", "{\"chat_id\":1,\"timestamp\":0,\"input_length\":5,\"output_length\":6}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dyno_trace_config config = config_of(cases[i].text);
        struct dyno_pacing_config pacing = pacing_of(16);
        struct dyno_source *source;

        for (int named = 0; named < 2; named++) {
            config.format = named ? cases[i].format : "auto";
            ck_assert_int_eq(dyno_trace_open(&source, &config, &pacing, NULL, NULL), DYNO_OK);
            ck_assert_str_eq(dyno_source_format(source), cases[i].format);
            source->ops->close(source);
        }
    }
}
END_TEST

START_TEST(the_trace_block_size_can_be_given)
{
    struct dyno_trace_config config =
        config_of("{\"timestamp\":0,\"input_length\":64,\"output_length\":1,\"hash_ids\":[1,2]}");
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;

    config.trace_block_tokens = 32;
    haul_trace(&haul, &config, &pacing);
    ck_taken(&haul, 0, 0, 64, 1);
    ck_assert_uint_eq(haul.items[0].request.span_count, 2);
    ck_assert_uint_eq(haul.items[0].spans[1].blocks, 2);
    haul_release(&haul);
}
END_TEST

START_TEST(any_json_is_understood_around_what_matters)
{
    struct haul haul;

    haul_text(&haul,
              " { \"timestamp\" : 0.5e3 ,\t\"input_length\": 10.0, \"output_length\":1e1, "
              "\"type\": {\"a\": [1, {\"b\": null}]}, \"session_id\": \"caf\\u00e9 \\\"x\\\"\", "
              "\"delay\": null, \"hash_ids\": [ ] } \n");
    ck_taken(&haul, 0, 0, 10, 10);
    ck_assert_uint_ne(haul.items[0].request.session, 0);
    haul_release(&haul);
}
END_TEST

START_TEST(identities_may_be_numbers_or_strings)
{
    struct haul haul;

    haul_text(&haul,
              "{\"timestamp\":0,\"input_length\":1024,\"output_length\":1,\"hash_ids\":[\"a\", "
              "18446744073709551615]}\n"
              "{\"timestamp\":0,\"input_length\":1024,\"output_length\":1,\"hash_ids\":[\"a\", "
              "-5]}\n"
              "{\"timestamp\":0,\"input_length\":1024,\"output_length\":1,\"hash_ids\":[0, 5]}\n");
    ck_assert_msg(haul.status == DYNO_OK, "%s", haul.error.text);
    ck_assert_uint_eq(haul.items[0].spans[0].id, haul.items[1].spans[0].id);
    ck_assert_uint_ne(haul.items[0].spans[1].id, haul.items[1].spans[1].id);
    ck_assert_uint_eq(haul.counts.block_refs_distinct, 5);
    haul_release(&haul);
}
END_TEST

START_TEST(a_cap_on_requests_and_on_tokens_is_kept)
{
    struct dyno_trace_config config = config_of(mooncake);
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;

    config.requests_max = 2;
    config.max_tokens = 77;
    haul_trace(&haul, &config, &pacing);
    ck_assert_uint_eq(haul.count, 2);
    ck_assert_uint_eq(haul.items[0].request.max_tokens, 77);
    ck_assert_uint_eq(haul.items[0].output_tokens, 3);
    haul_release(&haul);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("formats");

    tcase_add_test(tcase, mooncake_times_are_milliseconds_from_the_first_request);
    tcase_add_test(tcase, azure_2023_times_are_exact_and_its_line_ends_do_not_matter);
    tcase_add_test(tcase, azure_2024_times_have_a_zone);
    tcase_add_test(tcase, burstgpt_drops_and_counts_failed_requests);
    tcase_add_test(tcase, burstgpt_sessions_are_kept_where_the_file_has_them);
    tcase_add_test(tcase, bailian_chats_follow_their_parents_in_one_session);
    tcase_add_test(tcase, formats_are_recognised_and_can_be_named);
    tcase_add_test(tcase, the_trace_block_size_can_be_given);
    tcase_add_test(tcase, any_json_is_understood_around_what_matters);
    tcase_add_test(tcase, identities_may_be_numbers_or_strings);
    tcase_add_test(tcase, a_cap_on_requests_and_on_tokens_is_kept);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("traces/formats", add_cases)

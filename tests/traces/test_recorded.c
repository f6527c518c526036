/* Reading what a server recorded: lines in the order in which requests ended, each saying how, cut
 * off where the server was killed. */
#include "tests/traces/support.h"

#include "tests/check_main.h"

#define SALT "\"recording\": \"9c0f1e2d3c4b5a69\", \"block_tokens\": 4, "
#define LINE(at, input, output, ids)                                                               \
    "{\"timestamp\": " at ", \"input_length\": " input ", \"output_length\": " output              \
    ", \"outcome\": \"completed\", " SALT "\"hash_ids\": [" ids "]}\n"

START_TEST(times_of_day_are_read_to_the_nanosecond)
{
    struct haul haul;

    haul_text(&haul, LINE("1764254917123.456789", "9", "2", "11, 12, 13")
                         LINE("1764254917124.456790", "5", "1", "11, 14"));
    ck_taken(&haul, 0, 0, 9, 2);
    ck_taken(&haul, 1, DYNO_MS + 1, 5, 1);
    ck_assert_uint_eq(haul.counts.recorded, 2);
    ck_assert_uint_eq(haul.counts.recorded_outcomes[DYNO_COMPLETED], 2);
    ck_assert_uint_eq(haul.counts.block_refs_seen, 1);
    haul_release(&haul);
}
END_TEST

START_TEST(a_line_says_how_many_tokens_its_identities_stand_for)
{
    struct dyno_trace_config config = config_of(LINE("5", "9", "2", "11, 12"));
    struct dyno_pacing_config pacing = pacing_of(4);
    struct haul haul;

    haul_trace(&haul, &config, &pacing);
    ck_taken(&haul, 0, 0, 9, 2);
    ck_assert_uint_eq(haul.items[0].request.span_count, 2);
    haul_release(&haul);
    config.trace_block_tokens = 512; /* the user knows better */
    haul_trace(&haul, &config, &pacing);
    ck_assert_int_eq(haul.status, DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(haul.error.text, "in blocks of 512"));
    haul_release(&haul);
}
END_TEST

START_TEST(a_request_without_an_answer_is_counted_and_not_replayed)
{
    static const char lines[] =
        "{\"timestamp\": 1, \"input_length\": 9, \"output_length\": 0, " SALT
        "\"outcome\": \"rejected_queue_full\"}\n"
        "{\"timestamp\": 2, \"input_length\": 9, \"output_length\": 3, " SALT
        "\"outcome\": \"cancelled_by_client\", \"lost\": 7}\n";
    struct haul haul;

    haul_text(&haul, lines);
    ck_taken(&haul, 0, 0, 9, 3);
    ck_assert_uint_eq(haul.count, 1);
    ck_assert_uint_eq(haul.counts.recorded, 2);
    ck_assert_uint_eq(haul.counts.failed_dropped, 1);
    ck_assert_uint_eq(haul.counts.recorded_lost, 7);
    ck_assert_uint_eq(haul.counts.recorded_outcomes[DYNO_REJECTED_QUEUE_FULL], 1);
    ck_assert_uint_eq(haul.counts.recorded_outcomes[DYNO_CANCELLED_BY_CLIENT], 1);
    haul_release(&haul);
    ck_refused("{\"timestamp\": 1, \"input_length\": 9, \"output_length\": 0}\n",
               "t:1:54: output_length is 0", "from 1 to 16777216");
}
END_TEST

START_TEST(every_outcome_has_its_name)
{
    for (int i = 0; i < DYNO_OUTCOMES; i++) {
        char line[256];
        struct haul haul;

        (void)snprintf(line, sizeof line,
                       "{\"timestamp\": 1, \"input_length\": 9, \"output_length\": 1, " SALT
                       "\"outcome\": \"%s\"}",
                       dyno_outcome_name((enum dyno_outcome)i));
        haul_text(&haul, line);
        ck_assert_uint_eq(haul.counts.recorded_outcomes[i], 1);
        haul_release(&haul);
    }
}
END_TEST

START_TEST(a_torn_last_line_is_counted_and_told_and_nothing_else_is_lost)
{
    static const char whole[] = LINE("1", "9", "2", "11, 12, 13") LINE("2", "9", "4", "11, 12, 15");
    size_t first = strcspn(whole, "\n") + 1;

    for (size_t size = first + 1; size < sizeof whole - 2; size++) {
        struct dyno_trace_config config = {.path = "t", .data = whole, .data_size = size};
        struct dyno_pacing_config pacing = pacing_of(4);
        struct dyno_source *source;
        struct haul haul;
        size_t count;

        haul_init(&haul);
        ck_assert_int_eq(dyno_trace_open(&source, &config, &pacing, &haul.answers, &haul.error),
                         DYNO_OK);
        haul_all(&haul, source, 0);
        ck_taken(&haul, 0, 0, 9, 2);
        ck_assert_uint_eq(haul.count, 1);
        ck_assert_uint_eq(haul.counts.recorded_torn, 1);
        ck_assert_uint_eq(haul.counts.lines_skipped, 0);
        ck_assert_ptr_nonnull(strstr(dyno_source_skipped(source, &count)[0], "t:2:"));
        ck_assert_uint_eq(count, 1);
        source->ops->close(source);
        haul_release(&haul);
    }
}
END_TEST

START_TEST(a_bad_line_with_an_end_is_refused_in_a_recording_too)
{
    ck_refused(LINE("1", "9", "2", "11, 12, 13") "{\"timestamp\": 5\n", "t:2:16: the line ends",
               "expected");
    ck_refused("{\"timestamp\": 5, \"input_length\": 5, \"output_length\": 1}\n{\"time",
               "t:2:", "expected"); /* and a torn line in any other trace */
}
END_TEST

START_TEST(two_salts_are_not_mixed)
{
    static const char other[] = "{\"timestamp\": 3, \"input_length\": 9, \"output_length\": 2, "
                                "\"outcome\": \"completed\", \"recording\": \"0000000000000001\", "
                                "\"block_tokens\": 4, \"hash_ids\": [11, 12, 13]}\n";
    char text[1024];

    (void)snprintf(text, sizeof text, "%s%s", LINE("1", "9", "2", "11, 12, 13"), other);
    ck_refused(text, "t:2:1: the request is of another recording than that of line 1", "one");
    (void)snprintf(text, sizeof text, "%s%s",
                   "{\"timestamp\": 1, \"input_length\": 9, \"output_length\": 2}\n", other);
    ck_refused(text, "t:2:1: the request is of another recording", "one recording a trace");
}
END_TEST

START_TEST(what_a_recording_says_wrongly_is_refused_by_name)
{
    static const char *const bad[][2] = {
        {"\"outcome\": \"fine\"", "outcome is \"fine\""},
        {"\"outcome\": 3", "outcome is 3"},
        {"\"recording\": \"\"", "recording is empty"},
        {"\"block_tokens\": 0", "block_tokens is 0"},
        {"\"block_tokens\": 1048577", "block_tokens is 1048577"},
        {"\"lost\": -1", "lost is -1"},
        {"\"lost\": 1099511627777", "lost is 1099511627777"},
        {"\"number\": 1.5", "number is 1.5"},
        {"\"tenant\": -1", "tenant is -1"},
        {"\"tenant\": 4294967296", "tenant is 4294967296"},
        {"\"tenant\": \"a\"", "tenant is \"a\""},
        {"\"priority\": 2147483648", "priority is 2147483648"},
        {"\"priority\": 0.5", "priority is 0.5"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char line[256];

        (void)snprintf(line, sizeof line,
                       "{\"timestamp\": 1, \"input_length\": 9, \"output_length\": 1, %s}\n",
                       bad[i][0]);
        ck_refused(line, "t:1:", bad[i][1]);
    }
}
END_TEST

/* Two that came at one instant, and ended the other way round. */
START_TEST(what_came_at_one_instant_keeps_its_order)
{
    static const char line[] = "{\"timestamp\": 7.5, \"input_length\": %d, \"output_length\": 1, "
                               "\"outcome\": \"completed\", " SALT "\"number\": %d}\n";
    char text[512];
    struct dyno_trace_config config = {.path = "t", .data = text, .sort_window = 1};
    struct dyno_pacing_config pacing = pacing_of(4);
    struct haul haul;

    config.data_size = (size_t)snprintf(text, sizeof text, line, 5, 12);
    config.data_size +=
        (size_t)snprintf(text + config.data_size, sizeof text - config.data_size, line, 6, 11);
    haul_trace(&haul, &config, &pacing);
    ck_taken(&haul, 0, 0, 6, 1);
    ck_taken(&haul, 1, 0, 5, 1);
    haul_release(&haul);
}
END_TEST

enum { OVERTAKERS = 3000 };

/* One long request is written behind thousands that came after it: more than the window that is
 * enough for other traces. */
START_TEST(a_request_that_took_long_finds_its_place)
{
    size_t capacity = (OVERTAKERS + 1) * 256, size = 0;
    char *text = malloc(capacity);
    struct dyno_trace_config config = {.path = "t", .data = text, .sort_window = 1024};
    struct dyno_pacing_config pacing = pacing_of(4);
    struct haul haul;

    for (int i = 1; i <= OVERTAKERS + 1; i++) {
        size += (size_t)snprintf(text + size, capacity - size,
                                 "{\"timestamp\": %d, \"input_length\": 4, \"output_length\": %d, "
                                 "\"outcome\": \"completed\", " SALT "\"hash_ids\": [%d]}\n",
                                 i % (OVERTAKERS + 1), i, i);
    }
    config.data_size = size;
    haul_trace(&haul, &config, &pacing);
    ck_taken(&haul, 0, 0, 4, OVERTAKERS + 1);
    ck_taken(&haul, 1, DYNO_MS, 4, 1);
    ck_taken(&haul, OVERTAKERS, OVERTAKERS * DYNO_MS, 4, OVERTAKERS);
    ck_assert_uint_eq(haul.counts.places_off_max, OVERTAKERS);
    haul_release(&haul);
    free(text);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("recorded");

    tcase_add_test(tc, times_of_day_are_read_to_the_nanosecond);
    tcase_add_test(tc, a_line_says_how_many_tokens_its_identities_stand_for);
    tcase_add_test(tc, a_request_without_an_answer_is_counted_and_not_replayed);
    tcase_add_test(tc, every_outcome_has_its_name);
    tcase_add_test(tc, a_torn_last_line_is_counted_and_told_and_nothing_else_is_lost);
    tcase_add_test(tc, a_bad_line_with_an_end_is_refused_in_a_recording_too);
    tcase_add_test(tc, two_salts_are_not_mixed);
    tcase_add_test(tc, what_a_recording_says_wrongly_is_refused_by_name);
    tcase_add_test(tc, what_came_at_one_instant_keeps_its_order);
    tcase_add_test(tc, a_request_that_took_long_finds_its_place);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("traces/recorded", add_cases)

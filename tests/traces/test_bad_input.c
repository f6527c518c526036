/* Every way a trace can be bad is refused with where it is and what would be right. */
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/check_main.h"
#include "tests/traces/support.h"
#include "traces/input.h"

#define GOOD   "{\"timestamp\":0,\"input_length\":5,\"output_length\":6}\n"
#define HEADER "TIMESTAMP,ContextTokens,GeneratedTokens\n"
#define BURST  "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"

START_TEST(a_malformed_line_is_refused_with_file_line_and_column)
{
    ck_refused(GOOD "{\"timestamp\":0,\"input_length\":5 \"output_length\":6}\n",
               "t:2:33: found '\"'", "expected ',' or '}' after a value");
    ck_refused("{\"timestamp\":0,\"input_length\":5,\"output_length\":6", "t:1:50: the line ends",
               "expected ',' or '}'");
    ck_refused(GOOD "[1]\n", "t:2:1: found '['", "expected '{'");
    ck_refused(GOOD "{\"timestamp\":0,\"input_length\":5,\"output_length\":6} x\n",
               "t:2:52: found 'x'", "the end of the line");
    ck_refused(GOOD "{\"timestamp\":0,\"input_length\":,\"output_length\":6}\n",
               "t:2:31: found ','", "expected a JSON value");
    ck_refused(GOOD "{\"timestamp\":0,input_length:5}\n", "t:2:16: found 'i'", "double quotes");
    ck_refused(GOOD "{\"timestamp\":0,\"type\":{\"a\":[}}\n", "t:2:", "expected a JSON value");
    ck_refused(GOOD "{\"timestamp\":0,\"session_id\":\"abc\n", "t:2:", "expected a JSON value");
    ck_refused(GOOD "{\"timestamp\" 0}\n", "t:2:14: found '0'", "expected ':'");
    ck_refused(GOOD "{\"hash_ids\": 5}\n", "t:2:14: found '5'", "expected a list of identities");
    ck_refused(GOOD "{\"hash_ids\": [5 6]}\n", "t:2:17: found '6'", "expected ',' or ']'");
    ck_refused(GOOD "{\"hash_ids\": [[5]]}\n", "t:2:15: hash_ids is [5]", "expected a string, or");
    ck_refused(HEADER "2023-11-16 18:15:46,1\n", "t:2:22: 2 fields", "expected 3");
    ck_refused(HEADER "2023-11-16 18:15:46,1,2,3\n", "t:2:1: 4 fields", "expected 3");
    ck_refused(HEADER "\"2023-11-16 18:15:46,1,2\n", "t:2:24: a double quote is left open", "CSV");
    ck_refused(HEADER "\"2023-11-16 18:15:46\"x,1,2\n", "t:2:22: a double quote is out of place",
               "CSV");
    ck_refused(HEADER "2023-11-16 18:15:46,1\r,2\n", "t:2:1: a carriage return", "one row");
}
END_TEST

START_TEST(a_value_of_the_wrong_kind_is_refused)
{
    ck_refused("{\"timestamp\":\"0\",\"input_length\":5,\"output_length\":6}\n",
               "t:1:14: timestamp is \"0\"; expected milliseconds", "");
    ck_refused("{\"timestamp\":0,\"input_length\":5.5,\"output_length\":6}\n",
               "t:1:31: input_length is 5.5", "a whole number of tokens from 1 to 16777216");
    ck_refused("{\"timestamp\":0,\"input_length\":null,\"output_length\":6}\n",
               "t:1:31: input_length is null", "a whole number of tokens");
    ck_refused("{\"timestamp\":0,\"input_length\":true,\"output_length\":6}\n",
               "t:1:31: input_length is true", "a whole number of tokens");
    ck_refused(HEADER "2023-11-16,1,2\n", "t:2:1: TIMESTAMP is 2023-11-16; expected a date", "");
    ck_refused(HEADER "2023-11-16 18:15:46,,2\n", "t:2:21: ContextTokens is empty", "from 1 to");
    ck_refused(BURST "x,GPT-4,1,2,3,API log\n", "t:2:1: Timestamp is x; expected seconds", "");
    ck_refused(BURST "5,GPT-4,1,\x1b[31m,3,API log\n", "t:2:11: Response tokens is ?[31m", "");
}
END_TEST

START_TEST(negative_nan_huge_and_zero_are_refused)
{
    static const char *const numbers[] = {
        "-1", "NaN", "Infinity", "1e99", "16777217", "1e-400", "0", "999999999999999999999"};
    char text[256];

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)snprintf(text, sizeof text,
                       GOOD "{\"timestamp\":1,\"input_length\":%s,\"output_length\":6}\n",
                       numbers[i]);
        ck_refused(text, "t:2:31: ", "expected");
        (void)snprintf(text, sizeof text,
                       GOOD "{\"timestamp\":1,\"input_length\":6,\"output_length\":%s}\n",
                       numbers[i]);
        ck_refused(text, "t:2:49: ", "expected");
        (void)snprintf(text, sizeof text, HEADER "2023-11-16 18:15:46,%s,2\n", numbers[i]);
        ck_refused(text, "t:2:21: ContextTokens is ", "expected");
    }
    ck_refused("{\"timestamp\":-1,\"input_length\":5,\"output_length\":6}\n",
               "t:1:14: timestamp is -1", "from 0");
    ck_refused("{\"timestamp\":1e13,\"input_length\":5,\"output_length\":6}\n",
               "t:1:14: timestamp is 1e13", "9.2e12");
    ck_refused(BURST "-5,GPT-4,1,2,3,API log\n", "t:2:1: Timestamp is -5", "from 0");
    ck_refused(BURST "nan,GPT-4,1,2,3,API log\n", "t:2:1: Timestamp is nan", "from 0");
    ck_refused(BURST "5,GPT-4,0,2,3,API log\n", "t:2:9: Request tokens is 0", "from 1");
    ck_refused(BURST "5,GPT-4,1,-2,3,API log\n", "t:2:11: Response tokens is -2", "from 0");
}
END_TEST

START_TEST(identities_that_contradict_the_length_are_refused)
{
    ck_refused("{\"timestamp\":0,\"input_length\":1025,\"output_length\":6,\"hash_ids\":[1]}\n",
               "t:1:65: hash_ids has 1 identities; expected 3 for a prompt of 1025 tokens",
               "blocks of 512");
    ck_refused("{\"timestamp\":0,\"input_length\":512,\"output_length\":6,\"hash_ids\":[1,2]}\n",
               "t:1:64: hash_ids has 2 identities; expected 1", "");
}
END_TEST

START_TEST(identities_of_the_whole_blocks_only_are_accepted)
{
    struct haul haul;

    haul_text(&haul,
              "{\"timestamp\":0,\"input_length\":1025,\"output_length\":6,\"hash_ids\":[1,2]}");
    ck_taken(&haul, 0, 0, 1025, 6);
    ck_assert_uint_eq(haul.items[0].request.span_count, 2);
    haul_release(&haul);
}
END_TEST

START_TEST(unknown_missing_and_doubled_columns_are_refused)
{
    ck_refused(GOOD "{\"timestamp\":0,\"lenght\":5}\n", "t:2:16: unknown column \"lenght\"",
               "expected one of mooncake's: timestamp");
    ck_refused(GOOD "{\"timestamp\":0,\"output_length\":6}\n",
               "t:2:33: the line ends without "
               "input_length or input_tokens",
               "mooncake needs");
    ck_refused(GOOD "{\"timestamp\":0,\"created_time\":0}\n", "t:2:31: created_time is given twice",
               "expected once");
    ck_refused(GOOD "{\"timestamp\":0,\"timestamp\":0}\n", "t:2:28: timestamp is given twice", "");
    ck_refused("TIMESTAMP,ContextTokens,Foo\n", "t:1:25: unknown column \"Foo\"", "azure's");
    ck_refused("TIMESTAMP,ContextTokens\n", "t:1:24: the header has no column GeneratedTokens", "");
    ck_refused("TIMESTAMP,ContextTokens,GeneratedTokens,TIMESTAMP\n",
               "t:1:41: TIMESTAMP is given twice", "");
}
END_TEST

START_TEST(unknown_columns_are_passed_over_when_asked)
{
    struct dyno_trace_config config = config_of(
        "{\"timestamp\":0,\"x\":[{\"y\":1}],\"input_length\":5,\"output_length\":6,\"x\":2}\n");
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;

    config.ignore_unknown = true;
    haul_trace(&haul, &config, &pacing);
    ck_taken(&haul, 0, 0, 5, 6);
    haul_release(&haul);
    config = config_of("TIMESTAMP,Foo,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,a,1,2");
    config.ignore_unknown = true;
    haul_trace(&haul, &config, &pacing);
    ck_taken(&haul, 0, 0, 1, 2);
    haul_release(&haul);
}
END_TEST

START_TEST(unsorted_rows_are_refused_beyond_the_window)
{
    struct dyno_trace_config config =
        config_of("{\"timestamp\":3,\"input_length\":3,\"output_length\":1}\n"
                  "{\"timestamp\":5,\"input_length\":5,\"output_length\":1}\n"
                  "{\"timestamp\":1,\"input_length\":1,\"output_length\":1}\n"
                  "{\"timestamp\":5,\"input_length\":6,\"output_length\":1}\n");
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;

    ck_refused(config.data, "t:3:14: the request is 4000 us earlier", "trace.sort_window");
    config.sort_window = 1;
    haul_trace(&haul, &config, &pacing);
    ck_assert_int_eq(haul.status, DYNO_BAD_INPUT);
    haul_release(&haul);
    config.sort_window = 2;
    haul_trace(&haul, &config, &pacing);
    ck_taken(&haul, 0, 0, 1, 1); /* time starts at the earliest */
    ck_taken(&haul, 1, 2 * DYNO_MS, 3, 1);
    ck_taken(&haul, 2, 4 * DYNO_MS, 5, 1); /* equal times: in the file's order */
    ck_taken(&haul, 3, 4 * DYNO_MS, 6, 1);
    haul_release(&haul);
}
END_TEST

START_TEST(duplicate_ids_are_refused)
{
    ck_refused("{\"request_id\":\"a\",\"timestamp\":0,\"input_length\":5,\"output_length\":6}\n"
               "{\"request_id\":\"a\",\"timestamp\":0,\"input_length\":5,\"output_length\":6}\n",
               "t:2:", "the request's id was given before");
    ck_refused("{\"chat_id\":7,\"timestamp\":0,\"input_length\":5,\"output_length\":6}\n"
               "{\"chat_id\":7,\"timestamp\":0,\"input_length\":5,\"output_length\":6}\n",
               "t:2:", "the request's id was given before");
}
END_TEST

START_TEST(bad_lines_can_be_skipped_counted_and_listed)
{
    struct dyno_trace_config config =
        config_of("bad at first\n" GOOD "{\"timestamp\":0}\n\n" GOOD "\n{\"request_id\":1,"
                  "\"timestamp\":0,\"input_length\":5,\"output_length\":6}\n{\"request_id\":1,"
                  "\"timestamp\":0,\"input_length\":5,\"output_length\":6}\n" GOOD);
    struct dyno_pacing_config pacing = pacing_of(16);
    struct dyno_source *source;
    const char *const *texts;
    struct haul haul;
    size_t count;

    config.format = "mooncake";
    config.skip_bad_max = 3;
    haul_init(&haul);
    ck_assert_int_eq(dyno_trace_open(&source, &config, &pacing, &haul.answers, NULL), DYNO_OK);
    haul_all(&haul, source, 0);
    ck_assert_int_eq(haul.status, DYNO_OK);
    ck_assert_uint_eq(haul.count, 4);
    ck_assert_uint_eq(haul.counts.requests, 4);
    ck_assert_uint_eq(haul.counts.lines_skipped, 3);
    texts = dyno_source_skipped(source, &count);
    ck_assert_uint_eq(count, 3);
    ck_assert_str_eq(texts[0], "t:1:1: found 'b'; expected '{': one JSON object a line");
    ck_assert_ptr_nonnull(strstr(texts[1], "t:3:15: the line ends without input_length"));
    ck_assert_ptr_nonnull(strstr(texts[2], "t:8:1: the request's id was given before"));
    source->ops->close(source);
    haul_release(&haul);

    config.skip_bad_max = 2;
    haul_trace(&haul, &config, &pacing);
    ck_assert_int_eq(haul.status, DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(haul.error.text, "2 bad lines were skipped before it"));
    haul_release(&haul);
}
END_TEST

START_TEST(line_ends_marks_and_blank_lines_do_not_matter)
{
    static const char *const texts[] = {
        "{\"timestamp\":0,\"input_length\":5,\"output_length\":6}",
        "{\"timestamp\":0,\"input_length\":5,\"output_length\":6}\r\n",
        "\xef\xbb\xbf{\"timestamp\":0,\"input_length\":5,\"output_length\":6}\n",
        "\n\r\n  \n{\"timestamp\":0,\"input_length\":5,\"output_length\":6}\n\n\n",
        "\xef\xbb\xbfTIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46,5,6\r\n\r\n",
        "TIMESTAMP, ContextTokens , GeneratedTokens\n2023-11-16 18:15:46 , 5,\"6\"",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct haul haul;

        haul_text(&haul, texts[i]);
        ck_taken(&haul, 0, 0, 5, 6);
        ck_assert_uint_eq(haul.count, 1);
        haul_release(&haul);
    }
}
END_TEST

START_TEST(files_without_requests_are_refused)
{
    ck_refused("", "t: holds no requests", "at least one");
    ck_refused("\n\n  \n", "t: holds no requests", "at least one");
    ck_refused(HEADER, "t: holds no requests", "at least one");
    ck_refused("\xef\xbb\xbf", "t: holds no requests", "at least one");
    ck_refused(BURST "5,GPT-4,1,0,1,API log\n", "t: holds no requests", "at least one");
}
END_TEST

START_TEST(unknown_formats_are_refused)
{
    struct dyno_trace_config config = config_of(GOOD);
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;

    ck_refused("a,b,c\n1,2,3\n", "t:1:1: the line is that of no known format", "bailian, mooncake");
    ck_refused("{\"prompt\": \"x\"}\n", "t:1:1: the line is that of no known format", "--format");
    ck_refused("\x7f"
               "ELF\x01\x02\n",
               "t:1:1: the line is that of no known format", "--format");
    config.format = "moncake";
    haul_trace(&haul, &config, &pacing);
    ck_assert_str_eq(haul.error.text, "unknown trace format \"moncake\"; expected auto, mooncake, "
                                      "azure, burstgpt or bailian");
    haul_release(&haul);
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
    static const char text[] = GOOD "{\"timestamp\":0,\0\"input_length\":5}\n";
    static const char header[] = "TIMESTAMP,ContextTokens,GeneratedTokens\0\0\0\n";
    struct dyno_trace_config config = {.path = "t", .data = text, .data_size = sizeof text - 1};
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;

    haul_trace(&haul, &config, &pacing);
    ck_assert_int_eq(haul.status, DYNO_BAD_INPUT);
    ck_assert_str_eq(haul.error.text, "t:2:16: a NUL byte; expected text");
    haul_release(&haul);
    config =
        (struct dyno_trace_config){.path = "t", .data = header, .data_size = sizeof header - 1};
    haul_trace(&haul, &config, &pacing);
    ck_assert_str_eq(haul.error.text, "t:1:40: a NUL byte; expected text");
    haul_release(&haul);
}
END_TEST

START_TEST(over_long_lines_are_refused)
{
    size_t size = ((size_t)16 << 20) + 4096;
    char *text = malloc(size + 1);
    struct dyno_trace_config config;
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;

    ck_assert_ptr_nonnull(text);
    memset(text, ' ', size);
    text[size] = '\0';
    memcpy(text, GOOD, strlen(GOOD));
    config = config_of(text);
    config.skip_bad_max = 100; /* it cannot be skipped: where it ends is not known */
    haul_trace(&haul, &config, &pacing);
    ck_assert_int_eq(haul.status, DYNO_BAD_INPUT);
    ck_assert_str_eq(haul.error.text,
                     "t:2: the line is longer than 16777216 bytes; expected one request");
    haul_release(&haul);
    free(text);
}
END_TEST

START_TEST(files_that_cannot_be_read_are_named)
{
    struct dyno_trace_config config = {.path = "/nonexistent/trace.jsonl"};
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;

    haul_trace(&haul, &config, &pacing);
    ck_assert_int_eq(haul.status, DYNO_NOT_FOUND);
    ck_assert_str_eq(haul.error.text, "/nonexistent/trace.jsonl: no such file; expected a trace");
    haul_release(&haul);
    config.path = "/";
    haul_trace(&haul, &config, &pacing);
    ck_assert_int_eq(haul.status, DYNO_BAD_INPUT);
    ck_assert_str_eq(haul.error.text, "/: is a directory; expected a trace file");
    haul_release(&haul);
}
END_TEST

/* `lines` good lines, compressed; *size in and out. */
static void compress_lines(unsigned char *out, size_t *size, int lines)
{
    z_stream stream = {0};
    char *text = calloc((size_t)lines + 1, sizeof GOOD);

    ck_assert_ptr_nonnull(text);
    for (int i = 0; i < lines; i++) {
        memcpy(text + (size_t)i * (sizeof GOOD - 1), GOOD, sizeof GOOD - 1);
    }
    ck_assert_int_eq(deflateInit2(&stream, 0, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (unsigned char *)text;
    stream.avail_in = (uInt)((size_t)lines * (sizeof GOOD - 1));
    stream.next_out = out;
    stream.avail_out = (uInt)*size;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    *size = stream.total_out;
    ck_assert_int_eq(deflateEnd(&stream), Z_OK);
    free(text);
}

static void haul_bytes(struct haul *haul, const unsigned char *bytes, size_t size, const char *name)
{
    struct dyno_trace_config config = {.path = name, .data = bytes, .data_size = size};
    struct dyno_pacing_config pacing = pacing_of(16);

    haul_trace(haul, &config, &pacing);
}

START_TEST(gzip_is_read_whatever_the_name)
{
    static unsigned char bytes[1 << 18];
    size_t first = sizeof bytes / 2, second = sizeof bytes / 2;
    struct haul haul;

    compress_lines(bytes, &first, 1000);
    haul_bytes(&haul, bytes, first, "t");
    ck_assert_msg(haul.status == DYNO_OK, "%s", haul.error.text);
    ck_assert_uint_eq(haul.count, 1000);
    haul_release(&haul);
    compress_lines(bytes + first, &second, 10); /* a second member follows */
    haul_bytes(&haul, bytes, first + second, "t.gz");
    ck_assert_uint_eq(haul.count, 1010);
    haul_release(&haul);
}
END_TEST

START_TEST(a_truncated_gz_is_refused_with_the_line)
{
    static unsigned char bytes[1 << 18];
    size_t size = sizeof bytes;
    struct haul haul;

    compress_lines(bytes, &size, 1000);
    haul_bytes(&haul, bytes, size / 2, "t.gz");
    ck_assert_int_eq(haul.status, DYNO_BAD_INPUT);
    ck_assert_uint_gt(haul.count, 0); /* what came before was good */
    ck_assert_uint_lt(haul.count, 1000);
    ck_assert_ptr_nonnull(strstr(haul.error.text, "the file is truncated"));
    ck_assert_int_eq(strncmp(haul.error.text, "t.gz:", 5), 0);
    ck_assert_uint_eq(strtoul(haul.error.text + 5, NULL, 10), haul.count + 1);
    haul_release(&haul);
}
END_TEST

START_TEST(damaged_gzip_is_refused)
{
    static unsigned char bytes[1 << 18];
    size_t size = sizeof bytes;
    struct haul haul;

    compress_lines(bytes, &size, 1000);
    bytes[size - 6] ^= 1; /* the check sum */
    haul_bytes(&haul, bytes, size, "t.gz");
    ck_assert_int_eq(haul.status, DYNO_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(haul.error.text, "the gzip stream is damaged"));
    haul_release(&haul);
    haul_bytes(&haul, (const unsigned char *)GOOD, strlen(GOOD), "t.gz");
    ck_assert_int_eq(haul.status, DYNO_BAD_INPUT);
    ck_assert_str_eq(haul.error.text, "t.gz: is named .gz but does not begin as gzip does (1f 8b)");
    haul_release(&haul);
}
END_TEST

/* What comes only once is kept for who reads it again, up to a limit that is stated. */
START_TEST(what_is_read_is_kept_whole_or_not_at_all)
{
    struct dyno_input_copy whole = {.size_max = sizeof GOOD - 1};
    struct dyno_input_copy none = {.size_max = sizeof GOOD - 2};
    struct dyno_trace_config config = {.path = "-", .copy = &whole};
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;

    for (int i = 0; i < 2; i++) {
        int ends[2];

        ck_assert_int_eq(pipe(ends), 0);
        ck_assert_int_eq(write(ends[1], GOOD, sizeof GOOD - 1), (ssize_t)sizeof GOOD - 1);
        ck_assert_int_eq(close(ends[1]), 0);
        ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
        ck_assert_int_eq(close(ends[0]), 0);
        haul_trace(&haul, &config, &pacing);
        ck_assert_uint_eq(haul.count, 1);
        haul_release(&haul);
        config.copy = &none;
    }
    ck_assert(!whole.is_lost && none.is_lost);
    ck_assert_uint_eq(whole.size, sizeof GOOD - 1);
    ck_assert_mem_eq(whole.data, GOOD, whole.size);
    ck_assert_ptr_null(none.data);
    free(whole.data);
}
END_TEST

START_TEST(standard_input_is_read)
{
    struct dyno_trace_config config = {.path = "-"};
    struct dyno_pacing_config pacing = pacing_of(16);
    struct haul haul;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], GOOD GOOD "x\n", sizeof GOOD - 1 + sizeof GOOD + 1),
                     (ssize_t)(2 * sizeof GOOD));
    ck_assert_int_eq(close(ends[1]), 0);
    ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    haul_trace(&haul, &config, &pacing);
    ck_assert_uint_eq(haul.count, 2);
    ck_assert_str_eq(haul.error.text,
                     "(standard input):3:1: found 'x'; expected '{': one JSON object a line");
    haul_release(&haul);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("bad input");

    tcase_add_test(tcase, a_malformed_line_is_refused_with_file_line_and_column);
    tcase_add_test(tcase, a_value_of_the_wrong_kind_is_refused);
    tcase_add_test(tcase, negative_nan_huge_and_zero_are_refused);
    tcase_add_test(tcase, identities_that_contradict_the_length_are_refused);
    tcase_add_test(tcase, identities_of_the_whole_blocks_only_are_accepted);
    tcase_add_test(tcase, unknown_missing_and_doubled_columns_are_refused);
    tcase_add_test(tcase, unknown_columns_are_passed_over_when_asked);
    tcase_add_test(tcase, unsorted_rows_are_refused_beyond_the_window);
    tcase_add_test(tcase, duplicate_ids_are_refused);
    tcase_add_test(tcase, bad_lines_can_be_skipped_counted_and_listed);
    tcase_add_test(tcase, line_ends_marks_and_blank_lines_do_not_matter);
    tcase_add_test(tcase, files_without_requests_are_refused);
    tcase_add_test(tcase, unknown_formats_are_refused);
    tcase_add_test(tcase, nul_bytes_are_refused);
    tcase_add_test(tcase, over_long_lines_are_refused);
    tcase_add_test(tcase, files_that_cannot_be_read_are_named);
    tcase_add_test(tcase, gzip_is_read_whatever_the_name);
    tcase_add_test(tcase, a_truncated_gz_is_refused_with_the_line);
    tcase_add_test(tcase, damaged_gzip_is_refused);
    tcase_add_test(tcase, standard_input_is_read);
    tcase_add_test(tcase, what_is_read_is_kept_whole_or_not_at_all);
    suite_add_tcase(suite, tcase);
}

DYNO_CHECK_MAIN("traces/bad_input", add_cases)

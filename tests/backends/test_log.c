/* The log: an event is a line that parses, whatever its bytes, and nobody waits for a reader. */
#include "backends/posix/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/utf8.h"
#include "tests/check_main.h"

static FILE *file;

static void setup(void)
{
    file = tmpfile();
    ck_assert_ptr_nonnull(file);
}

static void teardown(void)
{
    fclose(file);
}

static struct dyno_log *open_on(int fd, enum dyno_log_format format, enum dyno_log_level level)
{
    struct dyno_log *log = NULL;

    ck_assert_int_eq(dyno_log_open(&log, fd, format, level, NULL), DYNO_OK);
    return log;
}

static struct dyno_log *open_file(enum dyno_log_format format)
{
    return open_on(fileno(file), format, DYNO_LOG_INFO);
}

/* The next line of the file, without its end; NULL at its end.  Freed by the caller. */
static char *next_line(FILE *from)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length = getline(&line, &size, from);

    if (length < 0) {
        free(line);
        return NULL;
    }
    ck_assert_int_eq(line[length - 1], '\n');
    line[length - 1] = '\0';
    ck_assert_uint_eq(strlen(line), (size_t)length - 1);
    return line;
}

/* Close and read from the start. */
static void read_back(struct dyno_log *log)
{
    ck_assert_uint_eq(dyno_log_close(log), 0);
    rewind(file);
}

static json_t *next_object(void)
{
    char *line = next_line(file);
    json_error_t error;
    json_t *object;

    ck_assert_ptr_nonnull(line);
    object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(object != NULL, "%s: %s", error.text, line);
    free(line);
    return object;
}

START_TEST(every_kind_of_value_is_in_the_json)
{
    struct dyno_log *log = open_file(DYNO_LOG_AS_JSON);
    json_t *object;
    const char *time;

    dyno_log(log, DYNO_LOG_WARNING, "req-1", "request_ended", dyno_log_text("route", "/v1/models"),
             dyno_log_bytes("part", "abcdef", 3), dyno_log_count("tokens", UINT32_MAX),
             dyno_log_real("seconds", 0.25), dyno_log_real("never", INFINITY),
             dyno_log_flag("streamed", true), dyno_log_text("nothing", NULL));
    dyno_log(log, DYNO_LOG_INFO, NULL, "began");
    read_back(log);
    object = next_object();
    ck_assert_str_eq(json_string_value(json_object_get(object, "level")), "warning");
    ck_assert_str_eq(json_string_value(json_object_get(object, "event")), "request_ended");
    ck_assert_str_eq(json_string_value(json_object_get(object, "request_id")), "req-1");
    ck_assert_str_eq(json_string_value(json_object_get(object, "route")), "/v1/models");
    ck_assert_str_eq(json_string_value(json_object_get(object, "part")), "abc");
    ck_assert_int_eq(json_integer_value(json_object_get(object, "tokens")), UINT32_MAX);
    ck_assert(json_real_value(json_object_get(object, "seconds")) == 0.25);
    ck_assert(json_is_null(json_object_get(object, "never")));
    ck_assert(json_is_true(json_object_get(object, "streamed")));
    ck_assert(json_is_null(json_object_get(object, "nothing")));
    time = json_string_value(json_object_get(object, "time"));
    ck_assert_uint_eq(strlen(time), strlen("2026-01-01T00:00:00.000000Z"));
    ck_assert(time[10] == 'T' && time[19] == '.' && time[26] == 'Z');
    json_decref(object);
    object = next_object();
    ck_assert_ptr_null(json_object_get(object, "request_id"));
    ck_assert_uint_eq(json_object_size(object), 3);
    json_decref(object);
}
END_TEST

START_TEST(text_has_the_same_values)
{
    struct dyno_log *log = open_file(DYNO_LOG_AS_TEXT);
    char *line;

    dyno_log(log, DYNO_LOG_ERROR, "req-1", "request_failed", dyno_log_text("why", "it is \"late\""),
             dyno_log_count("tokens", 3), dyno_log_text("empty", ""));
    read_back(log);
    line = next_line(file);
    ck_assert_str_eq(line + strlen("2026-01-01T00:00:00.000000Z"),
                     " error request_failed request_id=req-1 why=\"it is \\\"late\\\"\" tokens=3"
                     " empty=\"\"");
    free(line);
    ck_assert_ptr_null(next_line(file));
}
END_TEST

/* Bytes that would end a line, move a cursor, turn text around or be no text at all. */
START_TEST(hostile_bytes_stay_inside_their_value)
{
    static const char hostile[] = "a\r\nlevel=error\t\x1b[31mred\x7f\xc2\x9b"
                                  "2J\xe2\x80\xae\xe2\x80\xa8\xef\xbb\xbf\xff\xc3(\xed\xa0\x80\"\\";
    struct dyno_log *log = open_file(_i ? DYNO_LOG_AS_JSON : DYNO_LOG_AS_TEXT);
    char *line;

    dyno_log(log, DYNO_LOG_INFO, hostile, "came", dyno_log_text("agent", hostile),
             dyno_log_bytes("zero", "a\0b", 3));
    read_back(log);
    line = next_line(file);
    ck_assert_ptr_null(next_line(file)); /* one event, one line */
    ck_assert_uint_eq(dyno_utf8_valid(line, strlen(line), NULL), strlen(line));
    for (const char *at = line; *at; at++) {
        ck_assert_msg((unsigned char)*at >= ' ' && (unsigned char)*at < 0x7f, "%s", line);
    }
    ck_assert_ptr_nonnull(strstr(line, "a\\u000d\\u000alevel=error\\u0009\\u001b[31mred\\u007f"
                                       "\\u009b2J\\u202e\\u2028\\ufeff\\ufffd\\ufffd("));
    ck_assert_ptr_nonnull(strstr(line, "a\\u0000b"));
    if (_i) {
        json_t *object = json_loads(line, JSON_ALLOW_NUL, NULL);

        ck_assert_ptr_nonnull(object);
        ck_assert_ptr_nonnull(
            strstr(json_string_value(json_object_get(object, "agent")), "\xe2\x80\xae"));
        json_decref(object);
    }
    free(line);
}
END_TEST

START_TEST(every_pair_of_bytes_parses)
{
    struct dyno_log *log = open_file(DYNO_LOG_AS_JSON);

    for (int first = 0; first < 256; first++) {
        char bytes[512];

        for (int second = 0; second < 256; second++) {
            bytes[2 * second] = (char)first;
            bytes[2 * second + 1] = (char)second;
        }
        for (size_t at = 0; at < sizeof bytes; at += 128) {
            dyno_log(log, DYNO_LOG_INFO, NULL, "pairs", dyno_log_bytes("bytes", bytes + at, 128));
        }
    }
    read_back(log);
    for (int i = 0; i < 1024; i++) {
        char *line = next_line(file);
        json_t *object = json_loads(line, JSON_ALLOW_NUL, NULL);

        ck_assert_msg(object != NULL, "%s", line);
        json_decref(object);
        free(line);
    }
}
END_TEST

START_TEST(long_values_are_cut_between_characters)
{
    struct dyno_log *log = open_file(DYNO_LOG_AS_JSON);
    char text[DYNO_LOG_VALUE_BYTES_MAX + 8];
    json_t *object;
    const char *value;

    memset(text, 'x', sizeof text);
    memcpy(text + DYNO_LOG_VALUE_BYTES_MAX - 1, "\xc3\xa4", 2); /* astride the limit */
    dyno_log(log, DYNO_LOG_INFO, NULL, "long", dyno_log_bytes("value", text, sizeof text));
    read_back(log);
    object = next_object();
    value = json_string_value(json_object_get(object, "value"));
    ck_assert_uint_eq(strlen(value), DYNO_LOG_VALUE_BYTES_MAX - 1 + 3);
    ck_assert_str_eq(value + DYNO_LOG_VALUE_BYTES_MAX - 1, "...");
    json_decref(object);
}
END_TEST

START_TEST(fields_that_do_not_fit_are_left_out_and_that_is_said)
{
    struct dyno_log *log = open_file(DYNO_LOG_AS_JSON);
    char controls[DYNO_LOG_VALUE_BYTES_MAX];
    json_t *object;

    memset(controls, '\1', sizeof controls); /* six bytes each once escaped */
    dyno_log(log, DYNO_LOG_INFO, "id", "large", dyno_log_bytes("one", controls, sizeof controls),
             dyno_log_bytes("two", controls, sizeof controls), dyno_log_count("three", 3));
    dyno_log(log, DYNO_LOG_INFO, "id", "small", dyno_log_count("three", 3));
    read_back(log);
    object = next_object();
    ck_assert_uint_eq(strlen(json_string_value(json_object_get(object, "one"))), sizeof controls);
    ck_assert_ptr_null(json_object_get(object, "two"));
    ck_assert_int_eq(json_integer_value(json_object_get(object, "three")), 3);
    ck_assert(json_is_true(json_object_get(object, "cut")));
    json_decref(object);
    object = next_object();
    ck_assert_ptr_null(json_object_get(object, "cut"));
    json_decref(object);
}
END_TEST

START_TEST(levels_below_the_chosen_one_are_not_even_computed)
{
    struct dyno_log *log = open_on(fileno(file), DYNO_LOG_AS_TEXT, DYNO_LOG_WARNING);
    uint64_t computed = 0;
    char *line;

    dyno_log(log, DYNO_LOG_INFO, NULL, "no", dyno_log_count("n", ++computed));
    dyno_log(log, DYNO_LOG_WARNING, NULL, "yes", dyno_log_count("n", ++computed));
    dyno_log((struct dyno_log *)NULL, DYNO_LOG_ERROR, NULL, "no", dyno_log_count("n", ++computed));
    read_back(log);
    line = next_line(file);
    ck_assert_str_eq(line + strlen("2026-01-01T00:00:00.000000Z"), " warning yes n=1");
    free(line);
    ck_assert_ptr_null(next_line(file));
}
END_TEST

static uint64_t value_of(const char *line, const char *key)
{
    const char *at = strstr(line, key);

    ck_assert_msg(at != NULL, "%s", line);
    return strtoull(at + strlen(key), NULL, 10);
}

enum { MANY = 60000 };

/* A pipe that nobody reads: all calls come back (this test would hang otherwise), and what was read
 * in the end adds up, in order and without torn lines. */
START_TEST(a_slow_reader_is_not_waited_for_and_what_was_lost_is_said)
{
    struct dyno_log *log;
    uint64_t seen = 0, lost = 0, next = 0;
    FILE *from;
    char *line;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    log = open_on(ends[1], DYNO_LOG_AS_TEXT, DYNO_LOG_INFO);
    for (uint64_t i = 0; i < MANY; i++) {
        dyno_log(log, DYNO_LOG_INFO, NULL, "turn", dyno_log_count("number", i));
    }
    from = fdopen(ends[0], "r");
    while (seen + lost < MANY) {
        line = next_line(from);
        ck_assert_ptr_nonnull(line);
        if (strstr(line, " log_lines_lost ")) {
            lost += value_of(line, " lines=");
        } else {
            uint64_t number = value_of(line, " number=");

            ck_assert_uint_ge(number, next);
            next = number + 1;
            seen++;
        }
        free(line);
    }
    ck_assert_uint_gt(lost, 0);
    ck_assert_uint_eq(seen + lost, MANY);
    ck_assert_uint_eq(dyno_log_close(log), lost);
    fclose(from);
    close(ends[1]);
}
END_TEST

START_TEST(close_gives_up_on_a_reader_that_takes_nothing)
{
    struct dyno_log *log;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    log = open_on(ends[1], DYNO_LOG_AS_TEXT, DYNO_LOG_INFO);
    for (uint64_t i = 0; i < 10000; i++) {
        dyno_log(log, DYNO_LOG_INFO, NULL, "turn", dyno_log_count("number", i));
    }
    ck_assert_uint_gt(dyno_log_close(log), 0);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_reader_that_went_away_ends_nothing)
{
    struct dyno_log *log;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    close(ends[0]);
    log = open_on(ends[1], DYNO_LOG_AS_TEXT, DYNO_LOG_INFO);
    dyno_log(log, DYNO_LOG_INFO, NULL, "one");
    dyno_log(log, DYNO_LOG_INFO, NULL, "two");
    ck_assert_uint_eq(dyno_log_close(log), 2);
    close(ends[1]);
    ck_assert_uint_eq(dyno_log_close(NULL), 0);
}
END_TEST

static void *log_from_thread(void *argument)
{
    for (uint64_t i = 0; i < 1000; i++) {
        dyno_log((struct dyno_log *)argument, DYNO_LOG_INFO, "id", "turn",
                 dyno_log_count("number", i));
    }
    return NULL;
}

START_TEST(threads_do_not_mix_their_lines)
{
    struct dyno_log *log = open_file(DYNO_LOG_AS_JSON);
    pthread_t threads[4];

    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_from_thread, log), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    read_back(log);
    for (int i = 0; i < 4000; i++) {
        json_decref(next_object());
    }
    ck_assert_ptr_null(next_line(file));
}
END_TEST

START_TEST(names_of_levels_and_formats_are_found)
{
    enum dyno_log_level level = DYNO_LOG_DEBUG;
    enum dyno_log_format format = DYNO_LOG_AS_TEXT;

    ck_assert(dyno_log_level_find("error", &level) && level == DYNO_LOG_ERROR);
    ck_assert(!dyno_log_level_find("loud", &level) && level == DYNO_LOG_ERROR);
    ck_assert(dyno_log_format_find("json", &format) && format == DYNO_LOG_AS_JSON);
    ck_assert(!dyno_log_format_find("xml", &format) && format == DYNO_LOG_AS_JSON);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("log");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_kind_of_value_is_in_the_json);
    tcase_add_test(tc, text_has_the_same_values);
    tcase_add_loop_test(tc, hostile_bytes_stay_inside_their_value, 0, 2);
    tcase_add_test(tc, every_pair_of_bytes_parses);
    tcase_add_test(tc, long_values_are_cut_between_characters);
    tcase_add_test(tc, fields_that_do_not_fit_are_left_out_and_that_is_said);
    tcase_add_test(tc, levels_below_the_chosen_one_are_not_even_computed);
    tcase_add_test(tc, a_slow_reader_is_not_waited_for_and_what_was_lost_is_said);
    tcase_add_test(tc, close_gives_up_on_a_reader_that_takes_nothing);
    tcase_add_test(tc, a_reader_that_went_away_ends_nothing);
    tcase_add_test(tc, threads_do_not_mix_their_lines);
    tcase_add_test(tc, names_of_levels_and_formats_are_found);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("log", add_cases)

/* Streams of events: every line end, cut anywhere. */
#include "backends/client/event_stream.h"

#include <stdio.h>
#include <string.h>

#include "tests/check_main.h"

enum { HEARD_MAX = 4096 };

/* Events as they came, each in brackets. */
struct heard {
    char text[HEARD_MAX];
    size_t size;
};

static void on_event(void *context, const char *data, size_t size)
{
    struct heard *heard = context;
    int added =
        snprintf(heard->text + heard->size, HEARD_MAX - heard->size, "[%.*s]", (int)size, data);

    ck_assert_int_ge(added, 0);
    heard->size += (size_t)added;
}

/* Every way to cut `text` into three, and bytes one by one, gives these events. */
static void gives(const char *text, const char *events)
{
    size_t size = strlen(text);

    for (size_t first = 0; first <= size; first++) {
        for (size_t second = first; second <= size; second += 1 + size / 40) {
            const size_t cuts[] = {0, first, second, size};
            struct dyno_event_stream stream = {0};
            struct heard heard = {.size = 0};

            for (int part = 0; part < 3; part++) {
                size_t length = cuts[part + 1] - cuts[part];
                char *copy = malloc(length + 1);

                memcpy(copy, text + cuts[part], length);
                ck_assert_int_eq(
                    dyno_event_stream_push(&stream, copy, length, on_event, &heard, NULL), DYNO_OK);
                memset(copy, '#', length + 1);
                free(copy);
            }
            ck_assert_msg(strcmp(heard.text, events) == 0, "cut at %zu and %zu: %s, not %s", first,
                          second, heard.text, events);
            dyno_event_stream_release(&stream);
        }
    }
}

START_TEST(lines_end_in_cr_lf_or_both)
{
    gives("data: one\n\ndata: two\n\n", "[one][two]");
    gives("data: one\r\n\r\ndata: two\r\n\r\n", "[one][two]");
    gives("data: one\r\rdata: two\r\r", "[one][two]");
    gives("data: one\r\n\ndata: two\n\r", "[one][two]");
    gives("data: one\r\n\rdata: two\n\r\n", "[one][two]");
}
END_TEST

START_TEST(one_blank_after_the_colon_is_left_out)
{
    gives("data:one\n\ndata:  two\n\ndata: \n\ndata:\n\ndata\n\n", "[one][ two][][][]");
}
END_TEST

START_TEST(data_lines_are_joined)
{
    gives("data: a\ndata: b\n\ndata: c\rdata:\r\ndata: d\n\n", "[a\nb][c\n\nd]");
    gives("data:\ndata:\n\n", "[\n]");
}
END_TEST

START_TEST(comments_and_other_fields_are_read_over)
{
    gives(": ping\n\n:\n\nevent: x\nid: 7\nretry: 10\ndata: one\n:in between\n\nevent: y\n\n"
          "dat: no\ndatabase: no\n\ndata: two\n\n",
          "[one][two]");
}
END_TEST

START_TEST(an_event_without_its_empty_line_is_none)
{
    gives("data: one\n\ndata: two", "[one]");
    gives("data: one\n\ndata: two\n", "[one]");
}
END_TEST

START_TEST(a_byte_order_mark_is_read_over)
{
    gives("\xef\xbb\xbf"
          "data: one\n\n",
          "[one]");
}
END_TEST

static void count_event(void *context, const char *data, size_t size)
{
    (void)data;
    *(size_t *)context += size;
}

START_TEST(an_event_has_a_largest_size)
{
    struct dyno_event_stream stream = {0};
    struct dyno_error error = {0};
    size_t bytes = 1 << 20, heard = 0;
    char *block = malloc(bytes);
    dyno_status status = dyno_event_stream_push(&stream, "data: ", 6, count_event, &heard, &error);

    memset(block, 'x', bytes);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(status, DYNO_OK);
        status = dyno_event_stream_push(&stream, block, bytes, count_event, &heard, &error);
    }
    ck_assert_int_eq(dyno_event_stream_push(&stream, "\n\n", 2, count_event, &heard, &error),
                     DYNO_OK);
    ck_assert_uint_eq(heard, 3 * bytes);
    for (int i = 0; i < 5 && status == DYNO_OK; i++) {
        status = dyno_event_stream_push(&stream, block, bytes, count_event, &heard, &error);
    }
    ck_assert_int_eq(status, DYNO_FULL);
    ck_assert_str_eq(error.text, "an event of the stream is longer than 4194304 bytes");
    dyno_event_stream_release(&stream);
    free(block);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("event stream");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, lines_end_in_cr_lf_or_both);
    tcase_add_test(cases, one_blank_after_the_colon_is_left_out);
    tcase_add_test(cases, data_lines_are_joined);
    tcase_add_test(cases, comments_and_other_fields_are_read_over);
    tcase_add_test(cases, an_event_without_its_empty_line_is_none);
    tcase_add_test(cases, a_byte_order_mark_is_read_over);
    tcase_add_test(cases, an_event_has_a_largest_size);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("backends/client/event stream", add_cases)

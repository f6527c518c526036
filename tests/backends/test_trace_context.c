/* Trace contexts: the Recommendation's own examples, and every way to be wrong. */
#include "backends/posix/trace_context.h"

#include <stdio.h>
#include <string.h>

#include "tests/check_main.h"

#define GOOD "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static bool parses(const char *text)
{
    struct dyno_trace_context context;

    return dyno_trace_context_parse(text, strlen(text), &context);
}

START_TEST(the_example_of_the_recommendation_is_read_and_written_back)
{
    static const uint8_t trace_id[] = {0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6,
                                       0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36};
    static const uint8_t parent_id[] = {0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7};
    struct dyno_trace_context context;
    char text[DYNO_TRACE_PARENT_BYTES + 1];

    ck_assert(dyno_trace_context_parse(GOOD, strlen(GOOD), &context));
    ck_assert_mem_eq(context.trace_id, trace_id, sizeof trace_id);
    ck_assert_mem_eq(context.parent_id, parent_id, sizeof parent_id);
    ck_assert(context.is_sampled);
    dyno_trace_context_text(&context, text);
    ck_assert_str_eq(text, GOOD);
}
END_TEST

START_TEST(what_is_not_a_context_is_refused)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",   /* a digit too few */
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011", /* ... too many */
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", /* version 00 ends there */
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",  /* upper case */
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",  /* no digit */
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",      /* the forbidden version */
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",      /* no trace */
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",      /* no parent */
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what", /* a longer field */
    };
    struct dyno_trace_context context, before;

    memset(&context, 0x5a, sizeof context);
    before = context;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!dyno_trace_context_parse(bad[i], strlen(bad[i]), &context), "%s", bad[i]);
        ck_assert_mem_eq(&context, &before, sizeof context);
    }
}
END_TEST

START_TEST(versions_to_come_are_read_as_far_as_they_are_alike)
{
    ck_assert(parses("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    ck_assert(parses("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes"));
}
END_TEST

START_TEST(only_the_lowest_flag_is_known)
{
    struct dyno_trace_context context;
    char text[] = GOOD;

    text[53] = 'f';
    text[54] = 'e';
    ck_assert(dyno_trace_context_parse(text, strlen(text), &context));
    ck_assert(!context.is_sampled);
    dyno_trace_context_text(&context, text);
    ck_assert_str_eq(text + 53, "00");
}
END_TEST

START_TEST(a_child_stays_in_the_trace_under_a_new_identity)
{
    static const uint8_t random[8] = {1, 2, 3, 4, 5, 6, 7, 0xab}, zeros[8];
    struct dyno_trace_context context, child;
    char text[DYNO_TRACE_PARENT_BYTES + 1];

    ck_assert(dyno_trace_context_parse(GOOD, strlen(GOOD), &context));
    child = dyno_trace_context_child(&context, random);
    dyno_trace_context_text(&child, text);
    ck_assert_str_eq(text, "00-4bf92f3577b34da6a3ce929d0e0e4736-01020304050607ab-01");
    child = dyno_trace_context_child(&context, zeros); /* zero is no identity */
    dyno_trace_context_text(&child, text);
    ck_assert(parses(text));
}
END_TEST

START_TEST(a_root_is_what_chance_says_and_never_zero)
{
    static const uint8_t zeros[24];
    uint8_t random[24];
    struct dyno_trace_context root;
    char text[DYNO_TRACE_PARENT_BYTES + 1];

    for (uint8_t i = 0; i < sizeof random; i++) {
        random[i] = (uint8_t)(16 + i);
    }
    root = dyno_trace_context_root(random, true);
    dyno_trace_context_text(&root, text);
    ck_assert_str_eq(text, "00-101112131415161718191a1b1c1d1e1f-2021222324252627-01");
    root = dyno_trace_context_root(zeros, false);
    dyno_trace_context_text(&root, text);
    ck_assert_str_eq(text, "00-00000000000000000000000000000001-0000000000000001-00");
}
END_TEST

static bool state(const char *text)
{
    return dyno_trace_state_is_valid(text, strlen(text));
}

START_TEST(a_tracestate_is_passed_on_only_if_it_is_one)
{
    ck_assert(state(""));
    ck_assert(state("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"));
    ck_assert(state("1a-2f@foo=bar1 , ,foo=bar2"));
    ck_assert(state("a=!~ {}"));
    ck_assert(!state("a"));
    ck_assert(!state("a="));
    ck_assert(!state("=b"));
    ck_assert(!state("A=b"));
    ck_assert(!state("1a=b")); /* a system begins with a letter */
    ck_assert(!state("a@1b=c"));
    ck_assert(!state("a@abcdefghijklmno=c")); /* 15 bytes behind the @ */
    ck_assert(!state("a=b=c"));
    ck_assert(!state("a=b\r\nx: y"));
    ck_assert(!state("a=\xc3\xa4"));
    ck_assert(!state("a=1,b=2,a=3")); /* a key twice */
}
END_TEST

START_TEST(a_tracestate_is_bounded)
{
    char text[DYNO_TRACE_STATE_BYTES_MAX + 2] = "";
    size_t used = 0;

    for (int i = 0; i < DYNO_TRACE_STATE_MEMBERS_MAX; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%sk%d=v", i ? "," : "", i);
    }
    ck_assert(state(text));
    (void)snprintf(text + used, sizeof text - used, ",more=v");
    ck_assert(!state(text));
    memset(text, ',', sizeof text - 1);
    text[DYNO_TRACE_STATE_BYTES_MAX] = '\0';
    ck_assert(state(text));
    text[DYNO_TRACE_STATE_BYTES_MAX] = ',';
    ck_assert(!state(text));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("trace context");

    tcase_add_test(tc, the_example_of_the_recommendation_is_read_and_written_back);
    tcase_add_test(tc, what_is_not_a_context_is_refused);
    tcase_add_test(tc, versions_to_come_are_read_as_far_as_they_are_alike);
    tcase_add_test(tc, only_the_lowest_flag_is_known);
    tcase_add_test(tc, a_child_stays_in_the_trace_under_a_new_identity);
    tcase_add_test(tc, a_root_is_what_chance_says_and_never_zero);
    tcase_add_test(tc, a_tracestate_is_passed_on_only_if_it_is_one);
    tcase_add_test(tc, a_tracestate_is_bounded);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("trace context", add_cases)

#include "backends/http/timeouts.h"

#include "tests/check_main.h"

START_TEST(timeouts_end_in_order_and_not_before_their_time)
{
    struct dyno_http_timeout_queue queue = {.duration_ns = 10};
    struct dyno_http_timeout a = {0}, b = {0}, c = {0};

    dyno_http_timeout_start(&a, &queue, 0);
    dyno_http_timeout_start(&b, &queue, 5);
    dyno_http_timeout_start(&c, &queue, 5);
    ck_assert_ptr_null(dyno_http_timeout_pop(&queue, 9));
    ck_assert_ptr_eq(dyno_http_timeout_pop(&queue, 10), &a);
    ck_assert_ptr_null(dyno_http_timeout_pop(&queue, 14));
    ck_assert_ptr_eq(dyno_http_timeout_pop(&queue, 20), &b);
    ck_assert_ptr_eq(dyno_http_timeout_pop(&queue, 20), &c);
    ck_assert_ptr_null(dyno_http_timeout_pop(&queue, 100));
    ck_assert_ptr_null(queue.last);
}
END_TEST

START_TEST(a_timeout_can_be_stopped_moved_and_started_again)
{
    struct dyno_http_timeout_queue queue = {.duration_ns = 10}, other = {.duration_ns = 1};
    struct dyno_http_timeout a = {0}, b = {0}, c = {0};

    dyno_http_timeout_start(&a, &queue, 0);
    dyno_http_timeout_start(&b, &queue, 1);
    dyno_http_timeout_start(&c, &queue, 2);
    dyno_http_timeout_stop(&b);
    dyno_http_timeout_stop(&b);
    dyno_http_timeout_start(&a, &queue, 3);
    ck_assert_ptr_eq(dyno_http_timeout_pop(&queue, 12), &c);
    dyno_http_timeout_start(&a, &other, 4);
    ck_assert_ptr_null(dyno_http_timeout_pop(&queue, 100));
    ck_assert_ptr_eq(dyno_http_timeout_pop(&other, 5), &a);
    ck_assert_ptr_null(a.queue);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("timeouts");

    tcase_add_test(tc, timeouts_end_in_order_and_not_before_their_time);
    tcase_add_test(tc, a_timeout_can_be_stopped_moved_and_started_again);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("backends/http_timeouts", add_cases)

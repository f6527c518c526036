/* Failing says one sentence, once, and never more than fits. */
#include "core/base/status.h"

#include <string.h>

#include "tests/check_main.h"

/* What DYNO_TRY returns when `call` did, and whether it went on. */
static dyno_status try_once(dyno_status call, int *went_on)
{
    *went_on = 0;
    DYNO_TRY(call);
    *went_on = 1;
    return DYNO_OK;
}

START_TEST(failing_fills_the_error_and_returns_the_status)
{
    struct dyno_error error = {0};
    dyno_status status = dyno_fail(&error, DYNO_BAD_INPUT, "line %d: %s is not a number", 7, "x");

    ck_assert_int_eq(status, DYNO_BAD_INPUT);
    ck_assert_int_eq(error.status, DYNO_BAD_INPUT);
    ck_assert_str_eq(error.text, "line 7: x is not a number");
}
END_TEST

START_TEST(nobody_has_to_listen)
{
    ck_assert_int_eq(dyno_fail(NULL, DYNO_IO, "%s", "unheard"), DYNO_IO);
}
END_TEST

START_TEST(a_long_sentence_is_cut_and_ended)
{
    struct dyno_error error;
    char text[2 * DYNO_ERROR_TEXT_MAX];

    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memset(&error, 1, sizeof error);
    ck_assert_int_eq(dyno_fail(&error, DYNO_FULL, "%s", text), DYNO_FULL);
    ck_assert_uint_eq(strlen(error.text), DYNO_ERROR_TEXT_MAX - 1);
}
END_TEST

START_TEST(trying_goes_on_only_after_success)
{
    int went_on;

    ck_assert_int_eq(try_once(DYNO_OK, &went_on), DYNO_OK);
    ck_assert_int_eq(went_on, 1);
    ck_assert_int_eq(try_once(DYNO_NO_MEMORY, &went_on), DYNO_NO_MEMORY);
    ck_assert_int_eq(went_on, 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("status");

    tcase_add_test(tc, failing_fills_the_error_and_returns_the_status);
    tcase_add_test(tc, nobody_has_to_listen);
    tcase_add_test(tc, a_long_sentence_is_cut_and_ended);
    tcase_add_test(tc, trying_goes_on_only_after_success);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("core/base/status", add_cases)

/* The virtual clock: it is wherever it is told to be, and a lost wakeup is never slept through. */
#include "sim/vclock.h"

#include <signal.h>
#include <string.h>

#include "tests/check_main.h"

static dyno_ns wait_until(dyno_ns deadline)
{
    struct dyno_clock *clock = dyno_virtual_clock();

    return clock->ops->wait_until(clock, deadline);
}

START_TEST(time_jumps_to_the_deadline)
{
    ck_assert_uint_eq(wait_until(0), 0);
    ck_assert_uint_eq(wait_until(1), 1);
    ck_assert_uint_eq(wait_until(1), 1);
    ck_assert_uint_eq(wait_until(3650 * 86400 * DYNO_S), 3650 * 86400 * DYNO_S);
    ck_assert_uint_eq(wait_until(DYNO_NEVER - 1), DYNO_NEVER - 1);
}
END_TEST

START_TEST(it_has_no_state)
{
    ck_assert_ptr_eq(dyno_virtual_clock(), dyno_virtual_clock());
    ck_assert_uint_eq(wait_until(1000), 1000);
    ck_assert_uint_eq(wait_until(5), 5); /* another run starts over */
    ck_assert_str_eq(dyno_virtual_clock()->ops->name, "virtual");
    ck_assert_uint_gt(strlen(dyno_virtual_clock()->ops->help), 0);
}
END_TEST

START_TEST(waiting_for_ever_aborts)
{
    (void)wait_until(DYNO_NEVER);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("vclock");

    tcase_add_test(cases, time_jumps_to_the_deadline);
    tcase_add_test(cases, it_has_no_state);
    tcase_add_test_raise_signal(cases, waiting_for_ever_aborts, SIGABRT);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("sim/vclock", add_cases)

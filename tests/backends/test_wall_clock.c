/* The wall clock: it starts at 0, never runs back, and comes to every deadline in the end.  The
 * tests wait for it but never judge how long that took. */
#include "backends/posix/wall_clock.h"

#include <string.h>
#include <sys/prctl.h>

#include "tests/check_main.h"

static struct dyno_clock *open_clock(double speed)
{
    struct dyno_clock *clock = NULL;

    ck_assert_int_eq(dyno_wall_clock_open(&clock, speed), DYNO_OK);
    return clock;
}

/* Wait as the loop does: again and again, for it may wake early.  Counts the turns. */
static dyno_ns reach(struct dyno_clock *clock, dyno_ns deadline, uint64_t *turns)
{
    dyno_ns now = 0;

    while (now < deadline) {
        dyno_ns then = clock->ops->wait_until(clock, deadline);

        ck_assert_uint_ge(then, now);
        now = then;
        (*turns)++;
    }
    return now;
}

START_TEST(it_comes_to_every_deadline_and_never_runs_back)
{
    struct dyno_clock *clock = open_clock(1.0);
    dyno_ns last = 0;
    uint64_t turns = 0;

    for (dyno_ns deadline = DYNO_MS / 2; deadline < 20 * DYNO_MS; deadline += DYNO_MS) {
        dyno_ns now = reach(clock, deadline, &turns);

        ck_assert_uint_ge(now, deadline);
        ck_assert_uint_ge(now, last);
        last = now;
    }
    dyno_wall_clock_close(clock);
}
END_TEST

/* A clock that begins later is never ahead. */
START_TEST(it_begins_anew_when_it_is_told_to)
{
    struct dyno_clock *clock = open_clock(1.0), *other;
    uint64_t turns = 0;
    dyno_ns now;

    (void)reach(clock, 20 * DYNO_MS, &turns);
    other = open_clock(1.0);
    dyno_wall_clock_restart(clock);
    now = dyno_wall_clock_now(clock);
    ck_assert_uint_le(now, dyno_wall_clock_now(other));
    (void)reach(clock, DYNO_MS, &turns);
    dyno_wall_clock_close(clock);
    dyno_wall_clock_close(other);
}
END_TEST

START_TEST(whoever_waits_is_woken_without_slack)
{
    struct dyno_clock *clock = open_clock(1.0);
    uint64_t turns = 0;

    ck_assert_int_eq(prctl(PR_SET_TIMERSLACK, 50000UL, 0UL, 0UL, 0UL), 0);
    (void)reach(clock, DYNO_MS, &turns);
    ck_assert_int_eq(prctl(PR_GET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL), 1);
    dyno_wall_clock_close(clock);
}
END_TEST

START_TEST(a_deadline_that_has_passed_does_not_move_time_back)
{
    struct dyno_clock *clock = open_clock(1.0);
    uint64_t turns = 0;
    dyno_ns now = reach(clock, 2 * DYNO_MS, &turns);

    ck_assert_uint_ge(clock->ops->wait_until(clock, 0), now);
    ck_assert_uint_ge(clock->ops->wait_until(clock, DYNO_MS), now);
    dyno_wall_clock_close(clock);
}
END_TEST

/* A long wait is cut into naps, so that the loop can look at its interrupt flag: one call with the
 * farthest deadline comes back long before that. */
START_TEST(a_long_wait_comes_back_early)
{
    struct dyno_clock *clock = open_clock(1.0);

    ck_assert_uint_lt(clock->ops->wait_until(clock, 365 * 86400 * DYNO_S), 86400 * DYNO_S);
    ck_assert_uint_lt(clock->ops->wait_until(clock, DYNO_NEVER), 86400 * DYNO_S);
    dyno_wall_clock_close(clock);
}
END_TEST

/* At a million times the speed an hour is 3.6 ms; at a hundredth, 50 us are 5 ms.  Both come. */
START_TEST(speed_scales_time)
{
    struct dyno_clock *fast = open_clock(1e6);
    struct dyno_clock *slow = open_clock(0.01);
    uint64_t turns = 0;

    ck_assert_uint_ge(reach(fast, 3600 * DYNO_S, &turns), 3600 * DYNO_S);
    ck_assert_uint_ge(reach(slow, 50 * DYNO_US, &turns), 50 * DYNO_US);
    dyno_wall_clock_close(fast);
    dyno_wall_clock_close(slow);
}
END_TEST

START_TEST(clocks_do_not_share_their_zero)
{
    struct dyno_clock *first = open_clock(1e3), *second;
    uint64_t turns = 0;

    (void)reach(first, 10 * DYNO_S, &turns);
    second = open_clock(1e-6);
    ck_assert_uint_lt(second->ops->wait_until(second, 0), 10 * DYNO_S);
    ck_assert_str_eq(second->ops->name, "wall");
    ck_assert_uint_gt(strlen(second->ops->help), 0);
    dyno_wall_clock_close(first);
    dyno_wall_clock_close(second);
    dyno_wall_clock_close(NULL);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("wall clock");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, it_comes_to_every_deadline_and_never_runs_back);
    tcase_add_test(cases, a_deadline_that_has_passed_does_not_move_time_back);
    tcase_add_test(cases, it_begins_anew_when_it_is_told_to);
    tcase_add_test(cases, whoever_waits_is_woken_without_slack);
    tcase_add_test(cases, a_long_wait_comes_back_early);
    tcase_add_test(cases, speed_scales_time);
    tcase_add_test(cases, clocks_do_not_share_their_zero);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("backends/wall clock", add_cases)

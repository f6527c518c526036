#include "backends/posix/wall_clock.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

struct wall_clock {
    struct dyno_clock base;
    atomic_int_least64_t origin_ns; /* of the system's clock; whoever asks the time may do so while
                                       it begins anew */
    double speed;
    dyno_ns last; /* what wait_until returned last; the waiting thread's */
    bool prompt;  /* the waiting thread asked to be woken on time */
    bool attends; /* wait_until does not wait */
    int wakes;    /* eventfd: readable once somebody woke us */
};

/* Sleep at most this long at a time, so that a signal or an interrupt flag is seen soon. */
static const dyno_ns nap_ns_max = 50 * DYNO_MS;

static int64_t system_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* 0 for who asked before it began anew. */
static dyno_ns elapsed(const struct wall_clock *clock)
{
    int64_t now = system_ns();
    int64_t ns = now - atomic_load_explicit(&clock->origin_ns, memory_order_relaxed);

    return ns > 0 ? (dyno_ns)((double)ns * clock->speed) : 0;
}

static void begin(struct wall_clock *clock)
{
    atomic_store_explicit(&clock->origin_ns, system_ns(), memory_order_relaxed);
}

/* By default the system may wake a thread up to 50 us late, to wake several at once.  A request
 * that comes to an idle loop would wait for that. */
static void ask_for_promptness(struct wall_clock *clock)
{
    if (!clock->prompt) {
        (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
        clock->prompt = true;
    }
}

/* Sleep for `nap`, or until woken; forget that we were. */
static void sleep_for(const struct wall_clock *clock, dyno_ns nap)
{
    struct timespec time = {.tv_sec = (time_t)(nap / DYNO_S), .tv_nsec = (long)(nap % DYNO_S)};
    struct pollfd wakes = {.fd = clock->wakes, .events = POLLIN};
    uint64_t count;

    if (ppoll(&wakes, 1, &time, NULL) > 0) {
        ssize_t got = read(clock->wakes, &count, sizeof count);

        (void)got;
    }
}

static void sleep_until(struct wall_clock *clock, dyno_ns deadline)
{
    dyno_ns now = elapsed(clock);
    double left;

    if (deadline > now) {
        left = (double)(deadline - now) / clock->speed;
        ask_for_promptness(clock);
        sleep_for(clock, left < (double)nap_ns_max ? (dyno_ns)left : nap_ns_max);
    }
}

static dyno_ns wait_until(struct dyno_clock *base, dyno_ns deadline)
{
    struct wall_clock *clock = (struct wall_clock *)base;
    dyno_ns now;

    if (!clock->attends) {
        sleep_until(clock, deadline);
    }
    now = elapsed(clock);
    clock->last = now > clock->last ? now : clock->last;
    return clock->last;
}

static const struct dyno_clock_ops wall_ops = {
    .name = "wall",
    .help = "time passes by itself, and waiting sleeps",
    .wait_until = wait_until,
};

void dyno_wall_clock_attend(struct dyno_clock *clock)
{
    ((struct wall_clock *)clock)->attends = true;
}

void dyno_wall_clock_sleep(struct dyno_clock *clock, dyno_ns deadline)
{
    sleep_until((struct wall_clock *)clock, deadline);
}

dyno_ns dyno_wall_clock_now(const struct dyno_clock *clock)
{
    return elapsed((const struct wall_clock *)clock);
}

void dyno_wall_clock_wake(struct dyno_clock *clock)
{
    uint64_t one = 1;
    ssize_t put = write(((struct wall_clock *)clock)->wakes, &one, sizeof one);

    (void)put; /* it can only fail where 2^64 - 1 wakes are pending */
}

dyno_status dyno_wall_clock_open(struct dyno_clock **out, double speed)
{
    struct wall_clock *clock = calloc(1, sizeof *clock);

    if (!clock) {
        return DYNO_NO_MEMORY;
    }
    clock->base.ops = &wall_ops;
    clock->speed = speed;
    clock->wakes = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (clock->wakes < 0) {
        free(clock);
        return DYNO_IO;
    }
    begin(clock);
    *out = &clock->base;
    return DYNO_OK;
}

void dyno_wall_clock_restart(struct dyno_clock *clock)
{
    struct wall_clock *wall = (struct wall_clock *)clock;

    wall->last = 0;
    begin(wall);
}

void dyno_wall_clock_close(struct dyno_clock *clock)
{
    if (clock) {
        (void)close(((struct wall_clock *)clock)->wakes);
        free(clock);
    }
}

#include "backends/posix/wall_clock.h"

#include <stdlib.h>
#include <time.h>

struct wall_clock {
    struct dyno_clock base;
    struct timespec origin;
    double speed;
    dyno_ns last;
};

/* Sleep at most this long at a time, so that a signal or an interrupt flag is seen soon. */
static const dyno_ns nap_ns_max = 50 * DYNO_MS;

static dyno_ns elapsed(const struct wall_clock *clock)
{
    struct timespec now;
    double ns;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    ns = (double)(now.tv_sec - clock->origin.tv_sec) * 1e9 +
         (double)(now.tv_nsec - clock->origin.tv_nsec);
    return (dyno_ns)(ns * clock->speed);
}

static dyno_ns wait_until(struct dyno_clock *base, dyno_ns deadline)
{
    struct wall_clock *clock = (struct wall_clock *)base;
    dyno_ns now = elapsed(clock);

    if (deadline > now) {
        double left = (double)(deadline - now) / clock->speed;
        dyno_ns nap = left < (double)nap_ns_max ? (dyno_ns)left : nap_ns_max;
        struct timespec time = {.tv_sec = (time_t)(nap / DYNO_S), .tv_nsec = (long)(nap % DYNO_S)};

        (void)nanosleep(&time, NULL);
        now = elapsed(clock);
    }
    clock->last = now > clock->last ? now : clock->last;
    return clock->last;
}

static const struct dyno_clock_ops wall_ops = {
    .name = "wall",
    .help = "time passes by itself, and waiting sleeps",
    .wait_until = wait_until,
};

dyno_status dyno_wall_clock_open(struct dyno_clock **out, double speed)
{
    struct wall_clock *clock = calloc(1, sizeof *clock);

    if (!clock) {
        return DYNO_NO_MEMORY;
    }
    clock->base.ops = &wall_ops;
    clock->speed = speed;
    (void)clock_gettime(CLOCK_MONOTONIC, &clock->origin);
    *out = &clock->base;
    return DYNO_OK;
}

void dyno_wall_clock_close(struct dyno_clock *clock)
{
    free(clock);
}

/* Seam: the only source of time. */
#ifndef DYNO_CORE_RUN_CLOCK_H
#define DYNO_CORE_RUN_CLOCK_H

#include "core/base/time.h"

struct dyno_clock;

struct dyno_clock_ops {
    const char *name;
    const char *help;
    /* Move to `deadline`, or stop early if something outside happens first.  Returns the new time;
     * never less than before.  DYNO_NEVER under a virtual clock is a lost wakeup and aborts. */
    dyno_ns (*wait_until)(struct dyno_clock *clock, dyno_ns deadline);
};

struct dyno_clock {
    const struct dyno_clock_ops *ops;
};

#endif

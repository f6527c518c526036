/* The wall clock: time passes by itself, from 0 at opening; waiting sleeps. */
#ifndef DYNO_BACKENDS_POSIX_WALL_CLOCK_H
#define DYNO_BACKENDS_POSIX_WALL_CLOCK_H

#include "core/base/status.h"
#include "core/run/clock.h"

/* On success free *out with dyno_wall_clock_close.  `speed` > 0: simulated seconds a second. */
dyno_status dyno_wall_clock_open(struct dyno_clock **out, double speed);
void dyno_wall_clock_close(struct dyno_clock *clock);

#endif

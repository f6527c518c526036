/* The wall clock: time passes by itself, from 0 at opening; waiting sleeps until the deadline or
 * until somebody wakes it.  The thread that waits keeps the system's promptest timers (Linux's
 * timer slack of 1 ns, where 50 us are usual). */
#ifndef DYNO_BACKENDS_POSIX_WALL_CLOCK_H
#define DYNO_BACKENDS_POSIX_WALL_CLOCK_H

#include "core/base/status.h"
#include "core/run/clock.h"

/* On success free *out with dyno_wall_clock_close.  `speed` > 0: simulated seconds a second.
 * Errors: DYNO_NO_MEMORY, DYNO_IO (no file descriptor is left). */
dyno_status dyno_wall_clock_open(struct dyno_clock **out, double speed);
void dyno_wall_clock_close(struct dyno_clock *clock);

/* It is 0 again.  Nobody else reads it meanwhile, and what was read before means nothing. */
void dyno_wall_clock_restart(struct dyno_clock *clock);

/* From now on wait_until only tells the time: who asks has waited before, by dyno_wall_clock_sleep
 * and in one thread, until `deadline` or not as long.  (So turns of one loop can be several
 * threads', backends/posix/turns.h.) */
void dyno_wall_clock_attend(struct dyno_clock *clock);
void dyno_wall_clock_sleep(struct dyno_clock *clock, dyno_ns deadline);

/* From any thread: what time it is, and end the wait in progress or the next one at once. */
dyno_ns dyno_wall_clock_now(const struct dyno_clock *clock);
void dyno_wall_clock_wake(struct dyno_clock *clock);

#endif

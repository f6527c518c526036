/* Time: whole nanoseconds from the start of the run.  Never a float. */
#ifndef DYNO_CORE_BASE_TIME_H
#define DYNO_CORE_BASE_TIME_H

#include <stdint.h>

typedef uint64_t dyno_ns;

#define DYNO_NEVER UINT64_MAX
#define DYNO_US    ((dyno_ns)1000)
#define DYNO_MS    ((dyno_ns)1000000)
#define DYNO_S     ((dyno_ns)1000000000)

/* Durations inside a pass are whole units of 2^-20 ns ("ticks"): reading one token's KV costs about
 * 0.03 ns, and a sum over thousands of steps must be exact. */
enum { DYNO_TICK_BITS = 20 };
#define DYNO_TICKS_PER_NS ((uint64_t)1 << DYNO_TICK_BITS)

#endif

/* The most at once, and the most in a second, of a list of times. */
#ifndef DYNO_CLI_BENCH_PEAKS_H
#define DYNO_CLI_BENCH_PEAKS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/time.h"

/* The most of `count` intervals [starts[i], ends[i]) that overlap; ends[i] >= starts[i].  Both are
 * sorted here. */
size_t dyno_peak_overlap(dyno_ns *starts, dyno_ns *ends, size_t count);

/* The most of `count` times that fall into one second, counted in whole seconds from the first one.
 * Sorts. */
size_t dyno_peak_per_second(dyno_ns *times, size_t count);

#endif

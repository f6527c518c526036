/* A histogram of durations in nanoseconds: log-linear, 128 buckets a power of two.
 *
 * Error: a quantile is off by at most 1/256 of its value (half a bucket); values below 256 ns are
 * exact.  Count, mean, minimum, maximum and standard deviation are exact: the sum of squares is
 * kept in 192 bits of ticks squared.  Memory: 7,424 buckets x 8 bytes = 58 KiB, allocated once.
 * Additions commute, so adding a leap of many steps gives the same histogram as adding its steps.
 */
#ifndef DYNO_CORE_BASE_HISTOGRAM_H
#define DYNO_CORE_BASE_HISTOGRAM_H

#include <stdint.h>

#include "core/base/status.h"
#include "core/base/time.h"

struct dyno_histogram {
    uint64_t *buckets;
    uint64_t count;
    dyno_ns min; /* UINT64_MAX while empty */
    dyno_ns max;
    unsigned __int128 sum;         /* ns */
    unsigned __int128 rest_ticks;  /* what rounding to nanoseconds left out of it, or added to it */
    unsigned __int128 squares_low; /* ticks^2, the low 128 bits ... */
    uint64_t squares_high;         /* ... and what they overflowed ... */
    unsigned __int128 squares; /* ... and of whole nanoseconds, ns^2, which are not among them */
};

/* DYNO_NO_MEMORY: nothing to release. */
dyno_status dyno_histogram_init(struct dyno_histogram *histogram);
void dyno_histogram_release(struct dyno_histogram *histogram);

/* `count` times the same value. */
void dyno_histogram_add(struct dyno_histogram *histogram, dyno_ns value, uint64_t count);

/* One value, which is not 0. */
void dyno_histogram_add_one(struct dyno_histogram *histogram, dyno_ns value);

/* One value; much that is told of a request is 0. */
static inline void dyno_histogram_note(struct dyno_histogram *histogram, dyno_ns value)
{
    if (value == 0) {
        histogram->buckets[0]++;
        histogram->count++;
        histogram->min = 0;
    } else {
        dyno_histogram_add_one(histogram, value);
    }
}

/* Add `count` times each of the `steps` gaps between successive boundaries
 * floor((carry + S(j)) / 2^20), j = 0..steps, with S(j) = first * j + growth * j(j-1)/2 in ticks
 * and carry < 2^20; S(steps) is below 2^84.  Costs O(buckets touched), not O(steps). */
void dyno_histogram_add_steps(struct dyno_histogram *histogram, uint64_t carry, uint64_t first,
                              uint64_t growth, uint64_t steps, uint64_t count);

/* All that `from` holds is added to `into`; sums stay exact. */
void dyno_histogram_merge(struct dyno_histogram *into, const struct dyno_histogram *from);

double dyno_histogram_mean(const struct dyno_histogram *histogram); /* ns; 0 while empty */
/* Of the sample itself (divided by n, not n - 1); ns. */
double dyno_histogram_deviation(const struct dyno_histogram *histogram);
/* The value at `fraction` in [0, 1] of the sorted sample: the middle of the bucket that holds the
 * ceil(fraction * count)-th smallest value, clamped to [min, max].  0 while empty. */
dyno_ns dyno_histogram_quantile(const struct dyno_histogram *histogram, double fraction);

#endif

/* Durations counted in log-linear buckets, with exact sums beside them.
 *
 * Buckets: values below 256 have one each.  Above, a value whose highest bit is b >= 8 keeps its
 * top eight bits: shift = b - 7 and bucket = 128 shift + (value >> shift), which goes on from the
 * exact ones without a gap and ends at 128 * 56 + 255.
 *
 * The sum of squares is of the durations before rounding to nanoseconds, in ticks, so that for a
 * leap it is a polynomial in the number of steps; squares of whole nanoseconds are summed apart, in
 * fewer bits.  All sums are taken modulo 2^128 or 2^192, which no run can reach (2^32 gaps of 36
 * years each fit), so their order does not matter.
 */
#include "core/base/histogram.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/math.h"

enum { BUCKET_COUNT = 57 * 128 + 128 };

typedef unsigned __int128 wide;

/* An integer modulo 2^192. */
struct huge {
    wide low;
    uint64_t high;
};

/* Durations that grow by a constant: step j of `count` takes first + growth * j ticks, and the
 * first starts `carry` ticks after a whole nanosecond. */
struct steps {
    wide carry;
    wide first;
    wide growth;
    uint64_t count;
};

static uint32_t bucket_of(dyno_ns value)
{
    uint32_t shift;

    if (value < 256) {
        return (uint32_t)value;
    }
    shift = (uint32_t)(63 - __builtin_clzll(value)) - 7;
    return 128 * shift + (uint32_t)(value >> shift);
}

/* How far the values of a bucket are shifted; its smallest value is the bucket's own top bits. */
static uint32_t bucket_shift(uint32_t bucket)
{
    return bucket < 256 ? 0 : bucket / 128 - 1;
}

static dyno_ns bucket_first(uint32_t bucket)
{
    uint32_t shift = bucket_shift(bucket);

    return (dyno_ns)(bucket - 128 * shift) << shift;
}

static dyno_ns bucket_last(uint32_t bucket)
{
    return bucket_first(bucket) + (((dyno_ns)1 << bucket_shift(bucket)) - 1);
}

static dyno_ns bucket_middle(uint32_t bucket)
{
    uint32_t shift = bucket_shift(bucket);

    return bucket_first(bucket) + (shift ? (dyno_ns)1 << (shift - 1) : 0);
}

static struct huge huge_sum(struct huge a, struct huge b)
{
    struct huge sum = {.low = a.low + b.low, .high = a.high + b.high};

    sum.high += sum.low < a.low;
    return sum;
}

static struct huge huge_difference(struct huge a, struct huge b)
{
    return (struct huge){.low = a.low - b.low, .high = a.high - b.high - (a.low < b.low)};
}

static struct huge huge_times(struct huge a, uint64_t factor)
{
    wide bottom = (wide)(uint64_t)a.low * factor;
    wide middle = (a.low >> 64) * factor + (bottom >> 64);

    return (struct huge){.low = middle << 64 | (uint64_t)bottom,
                         .high = (uint64_t)(middle >> 64) + a.high * factor};
}

static struct huge huge_product_of_wide(wide a, wide b)
{
    struct huge lower = huge_times((struct huge){.low = a}, (uint64_t)b);
    struct huge upper = huge_times((struct huge){.low = a}, (uint64_t)(b >> 64));

    return huge_sum(lower,
                    (struct huge){.low = upper.low << 64, .high = (uint64_t)(upper.low >> 64)});
}

static struct huge huge_product(wide a, wide b)
{
    if (((a | b) >> 64) == 0) {
        return (struct huge){.low = (wide)(uint64_t)a * (uint64_t)b};
    }
    return huge_product_of_wide(a, b);
}

/* a << bits, 0 < bits < 64. */
static struct huge huge_shift(struct huge a, uint32_t bits)
{
    return huge_times(a, (uint64_t)1 << bits);
}

static void add_squares(struct dyno_histogram *histogram, struct huge squares)
{
    struct huge sum = {.low = histogram->squares_low, .high = histogram->squares_high};

    sum = huge_sum(sum, squares);
    histogram->squares_low = sum.low;
    histogram->squares_high = sum.high;
}

static void extend(struct dyno_histogram *histogram, dyno_ns min, dyno_ns max)
{
    if (min < histogram->min) {
        histogram->min = min;
    }
    if (max > histogram->max) {
        histogram->max = max;
    }
}

/* j (j - 1) / 2 */
static wide triangle(uint64_t j)
{
    return j & 1 ? (wide)j * (j / 2) : (wide)(j / 2) * (j - (j > 0));
}

/* The boundary before step j, in ns. */
static uint64_t boundary(const struct steps *steps, uint64_t j)
{
    wide ticks = steps->carry + steps->first * j + steps->growth * triangle(j);

    return (uint64_t)(ticks >> DYNO_TICK_BITS);
}

/* Whether all the steps together stay below 2^64 ns, as any run does. */
static bool fits(const struct steps *steps)
{
    double k = (double)steps->count;

    return (double)steps->first * k + (double)steps->growth * k * (k - 1) / 2 < 0x1p84;
}

static uint64_t whole_ns(const struct steps *steps, uint64_t j)
{
    return (uint64_t)((steps->first + steps->growth * j) >> DYNO_TICK_BITS);
}

/* The first step of at least `ns` whole nanoseconds, or the count. */
static uint64_t first_reaching(const struct steps *steps, wide ns)
{
    wide ticks = ns << DYNO_TICK_BITS;
    wide step;

    if (ticks <= steps->first) {
        return 0;
    }
    if (steps->growth == 0) {
        return steps->count;
    }
    step = (ticks - steps->first + steps->growth - 1) / steps->growth;
    return step < steps->count ? (uint64_t)step : steps->count;
}

/* Of the steps [from, to), which all last ns <= duration < ns + 1, how many gaps are ns + 1. */
static uint64_t longer_gaps(const struct steps *steps, uint64_t from, uint64_t to, uint64_t ns)
{
    return boundary(steps, to) - boundary(steps, from) - ns * (to - from);
}

/* A gap is its duration's whole nanoseconds, or one more; durations never shrink.  So the smallest
 * gap is decided by the first steps that share their whole part, and the largest by the last. */
static dyno_ns smallest_gap(const struct steps *steps)
{
    uint64_t ns = whole_ns(steps, 0);
    uint64_t end = first_reaching(steps, (wide)ns + 1);

    return longer_gaps(steps, 0, end, ns) == end ? ns + 1 : ns;
}

static dyno_ns largest_gap(const struct steps *steps)
{
    uint64_t ns = whole_ns(steps, steps->count - 1);
    uint64_t start = first_reaching(steps, ns);

    return longer_gaps(steps, start, steps->count, ns) > 0 ? ns + 1 : ns;
}

static void extend_by_steps(struct dyno_histogram *histogram, const struct steps *steps)
{
    if (whole_ns(steps, 0) < histogram->min) {
        extend(histogram, smallest_gap(steps), 0);
    }
    if (whole_ns(steps, steps->count - 1) + 1 > histogram->max) {
        extend(histogram, UINT64_MAX, largest_gap(steps));
    }
}

/* The steps from `from` on that share the whole part `last`, the last value of `bucket`, are
 * divided between it and the next bucket by the length they add up to.  Returns the step after
 * them. */
static uint64_t count_edge(struct dyno_histogram *histogram, const struct steps *steps,
                           uint64_t from, uint32_t bucket, uint64_t count)
{
    uint64_t last = bucket_last(bucket);
    uint64_t edge = first_reaching(steps, (wide)last + 1);
    uint64_t longer;

    if (edge <= from) {
        return from;
    }
    longer = longer_gaps(steps, from, edge, last);
    histogram->buckets[bucket] += (edge - from - longer) * count;
    if (longer > 0) {
        histogram->buckets[bucket + 1] += longer * count;
    }
    return edge;
}

/* Bucket by bucket: the steps whose whole part is below the bucket's last value all land in it. */
static void count_steps(struct dyno_histogram *histogram, const struct steps *steps, uint64_t count)
{
    uint64_t longest = whole_ns(steps, steps->count - 1);
    uint64_t from = 0;

    while (from < steps->count) {
        uint32_t bucket = bucket_of(whole_ns(steps, from));
        uint64_t last = bucket_last(bucket);
        uint64_t inside = longest < last ? steps->count : first_reaching(steps, last);

        if (inside > from) {
            histogram->buckets[bucket] += (inside - from) * count;
            from = inside;
        }
        if (from < steps->count) {
            from = count_edge(histogram, steps, from, bucket, count);
        }
    }
}

/* k (k - 1) (2 k - 1) / 6.  Steps that grow and fit are fewer than 2^42.5, so nothing overflows. */
static wide sum_of_squares_below(uint64_t k)
{
    return triangle(k) * (2 * (wide)k - 1) / 3;
}

/* The sum of (first + growth j)^2 over the steps. */
static struct huge step_squares(const struct steps *steps)
{
    uint64_t k = steps->count;
    struct huge sum = huge_times(huge_product(steps->first, steps->first), k);

    if (steps->growth) {
        wide mixed = steps->first * steps->growth;

        sum = huge_sum(sum, huge_product(mixed, 2 * triangle(k)));
        sum = huge_sum(sum, huge_product(steps->growth * steps->growth, sum_of_squares_below(k)));
    }
    return sum;
}

static wide sum_ticks(const struct dyno_histogram *histogram)
{
    return (histogram->sum << DYNO_TICK_BITS) + histogram->rest_ticks;
}

/* The sum of squares about `mean` (whole ns), in ns^2.  With n values x and the mean m, in ticks:
 * sum (x - m)^2 = sum x^2 - m (2 sum x - n m), in integers, so that nothing cancels. */
static double squares_about(const struct dyno_histogram *histogram, uint64_t mean)
{
    struct huge sum = {.low = histogram->squares_low, .high = histogram->squares_high};
    wide middle = 2 * sum_ticks(histogram) - (((wide)mean * histogram->count) << DYNO_TICK_BITS);

    sum = huge_sum(sum, huge_shift((struct huge){.low = histogram->squares}, 2 * DYNO_TICK_BITS));
    sum = huge_difference(sum, huge_shift(huge_product(middle, mean), DYNO_TICK_BITS));
    if (sum.high >> 63) {
        return 0.0;
    }
    return ((double)sum.high * 0x1p128 + (double)sum.low) * 0x1p-40;
}

dyno_status dyno_histogram_init(struct dyno_histogram *histogram)
{
    uint64_t *buckets = calloc(BUCKET_COUNT, sizeof *buckets);

    if (!buckets) {
        return DYNO_NO_MEMORY;
    }
    memset(histogram, 0, sizeof *histogram);
    histogram->buckets = buckets;
    histogram->min = UINT64_MAX;
    return DYNO_OK;
}

void dyno_histogram_release(struct dyno_histogram *histogram)
{
    free(histogram->buckets);
    memset(histogram, 0, sizeof *histogram);
}

static inline void add_small_squares(struct dyno_histogram *histogram, wide squares)
{
    histogram->squares_low += squares;
    histogram->squares_high += histogram->squares_low < squares;
}

/* Whether 2^16 durations of so many ticks, each `count` times, are small enough for their squares
 * to be added up in 128 bits: 47 + 47 + 16 + 18. */
static inline bool is_small(uint64_t ticks, uint64_t count)
{
    return (ticks >> 47 | count >> 18) == 0;
}

/* `count` gaps of `gap` ns that lasted `ticks`, which rounding to nanoseconds left a part of out.
 */
static void add_gaps(struct dyno_histogram *histogram, uint64_t gap, uint64_t ticks, uint64_t count)
{
    int64_t rest = (int64_t)(ticks - (gap << DYNO_TICK_BITS)); /* of less than a nanosecond */

    histogram->buckets[bucket_of(gap)] += count;
    histogram->count += count;
    histogram->sum += (wide)gap * count;
    histogram->rest_ticks += (wide)rest * count;
    extend(histogram, gap, gap);
    if (is_small(ticks, count)) {
        add_small_squares(histogram, (wide)ticks * ticks * count);
    } else {
        add_squares(histogram, huge_times((struct huge){.low = (wide)ticks * ticks}, count));
    }
}

/* One value of less than 2^44 ns, as all that a request adds are: nothing is multiplied but itself.
 */
static inline void add_one(struct dyno_histogram *histogram, dyno_ns value)
{
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    histogram->sum += value;
    histogram->squares += (wide)value * value;
    extend(histogram, value, value);
}

/* Durations of no time, as those of all that a run does without. */
static inline void add_zeros(struct dyno_histogram *histogram, uint64_t count)
{
    histogram->buckets[0] += count;
    histogram->count += count;
    histogram->min = 0;
}

/* Values whose ticks need more than 64 bits: five hours and more. */
static __attribute__((noinline)) void add_long(struct dyno_histogram *histogram, dyno_ns value,
                                               uint64_t count)
{
    struct huge square = {.low = (wide)value * value};

    histogram->buckets[bucket_of(value)] += count;
    histogram->count += count;
    histogram->sum += (wide)value * count;
    extend(histogram, value, value);
    add_squares(histogram, huge_times(huge_shift(square, 2 * DYNO_TICK_BITS), count));
}

static inline bool is_long(dyno_ns value)
{
    return value >> (64 - DYNO_TICK_BITS) != 0;
}

void dyno_histogram_add_one(struct dyno_histogram *histogram, dyno_ns value)
{
    if (!is_long(value)) {
        add_one(histogram, value);
    } else {
        add_long(histogram, value, 1);
    }
}

void dyno_histogram_add(struct dyno_histogram *histogram, dyno_ns value, uint64_t count)
{
    if (count == 0) {
        return;
    }
    if (value == 0) {
        add_zeros(histogram, count);
    } else if (count == 1) {
        dyno_histogram_add_one(histogram, value);
    } else if (!is_long(value)) {
        add_gaps(histogram, value, value << DYNO_TICK_BITS, count);
    } else {
        add_long(histogram, value, count);
    }
}

/* The first of `steps` steps that lasts at least `ticks`, or their number; growth is not 0. */
static uint64_t first_lasting(uint64_t ticks, uint64_t first, uint64_t growth, uint64_t steps)
{
    uint64_t step = ticks <= first ? 0 : (ticks - first + growth - 1) / growth;

    return step < steps ? step : steps;
}

/* A leap from `bucket` into the next one, each of whose sums is below 2^64 ticks: how many of its
 * gaps are in the first (see count_edge). */
static __attribute__((noinline)) uint64_t
in_first_bucket(uint32_t bucket, uint64_t carry, uint64_t first, uint64_t growth, uint64_t steps)
{
    uint64_t last = bucket_last(bucket);
    uint64_t inside = first_lasting(last << DYNO_TICK_BITS, first, growth, steps);
    uint64_t edge = first_lasting((last + 1) << DYNO_TICK_BITS, first, growth, steps);
    uint64_t begin = carry + first * inside + growth * (inside * (inside - (inside > 0)) / 2);
    uint64_t end = carry + first * edge + growth * (edge * (edge - (edge > 0)) / 2);
    uint64_t longer = (end >> DYNO_TICK_BITS) - (begin >> DYNO_TICK_BITS) - last * (edge - inside);

    return edge - longer;
}

/* The leap as it mostly is, in numbers of 64 bits: its gaps share a bucket, or two in a row, and
 * are neither the smallest nor the largest seen.  False: it is another one, and nothing was added.
 */
static bool add_plain_steps(struct dyno_histogram *histogram, uint64_t carry, uint64_t first,
                            uint64_t growth, uint64_t steps, uint64_t count)
{
    uint64_t pairs = steps * (steps - 1) / 2, last, shortest, longest, ticks, whole;
    uint64_t inside = steps;
    uint32_t bucket;
    int64_t rest;

    if (steps >> 16 != 0 || growth >> 47 != 0 || !is_small(first, count)) {
        return false;
    }
    last = first + growth * (steps - 1);
    shortest = first >> DYNO_TICK_BITS;
    longest = last >> DYNO_TICK_BITS;
    bucket = bucket_of(shortest);
    if (!is_small(last, count) || shortest < histogram->min || longest >= histogram->max) {
        return false;
    }
    if (longest >= bucket_last(bucket)) {
        if (growth == 0 || longest >= bucket_last(bucket + 1)) {
            return false;
        }
        inside = in_first_bucket(bucket, carry, first, growth, steps);
        histogram->buckets[bucket + 1] += (steps - inside) * count;
    }
    ticks = first * steps + growth * pairs;
    whole = (carry + ticks) >> DYNO_TICK_BITS;
    rest = (int64_t)(ticks - (whole << DYNO_TICK_BITS)) * (int64_t)count;
    histogram->buckets[bucket] += inside * count;
    histogram->count += steps * count;
    histogram->sum += (wide)whole * count;
    histogram->rest_ticks += (wide)rest;
    add_small_squares(histogram, ((wide)first * (ticks + growth * pairs) +
                                  (wide)growth * growth * (pairs * (2 * steps - 1) / 3)) *
                                     count);
    return true;
}

/* Any other leap, in as many bits as it takes. */
static __attribute__((noinline)) void add_any_steps(struct dyno_histogram *histogram,
                                                    const struct steps *all, uint64_t count)
{
    uint64_t steps = all->count;
    wide ticks = all->first * steps + all->growth * triangle(steps);
    wide whole = boundary(all, steps);

    assert(fits(all));
    extend_by_steps(histogram, all);
    count_steps(histogram, all, count);
    histogram->count += steps * count;
    histogram->sum += whole * count;
    histogram->rest_ticks += (ticks - (whole << DYNO_TICK_BITS)) * count;
    add_squares(histogram, huge_times(step_squares(all), count));
}

void dyno_histogram_add_steps(struct dyno_histogram *histogram, uint64_t carry, uint64_t first,
                              uint64_t growth, uint64_t steps, uint64_t count)
{
    assert(carry < DYNO_TICKS_PER_NS);
    if (steps == 0 || count == 0) {
        return;
    }
    if (steps == 1) {
        add_gaps(histogram, (uint64_t)(((wide)carry + first) >> DYNO_TICK_BITS), first, count);
    } else if (!add_plain_steps(histogram, carry, first, growth, steps, count)) {
        add_any_steps(
            histogram,
            &(struct steps){.carry = carry, .first = first, .growth = growth, .count = steps},
            count);
    }
}

void dyno_histogram_merge(struct dyno_histogram *into, const struct dyno_histogram *from)
{
    for (uint32_t i = 0; i < BUCKET_COUNT; i++) {
        into->buckets[i] += from->buckets[i];
    }
    into->count += from->count;
    into->sum += from->sum;
    into->rest_ticks += from->rest_ticks;
    into->squares += from->squares;
    extend(into, from->min, from->max);
    add_squares(into, (struct huge){.low = from->squares_low, .high = from->squares_high});
}

double dyno_histogram_mean(const struct dyno_histogram *histogram)
{
    wide whole;

    if (histogram->count == 0) {
        return 0.0;
    }
    whole = histogram->sum / histogram->count;
    return (double)whole +
           (double)(uint64_t)(histogram->sum % histogram->count) / (double)histogram->count;
}

/* About the mean rounded down to a whole nanosecond, less the square of what that left out. */
double dyno_histogram_deviation(const struct dyno_histogram *histogram)
{
    uint64_t mean;
    double rest, variance;

    if (histogram->count == 0) {
        return 0.0;
    }
    mean = (uint64_t)((sum_ticks(histogram) / histogram->count) >> DYNO_TICK_BITS);
    rest = (double)(sum_ticks(histogram) - (((wide)mean * histogram->count) << DYNO_TICK_BITS)) *
           0x1p-20 / (double)histogram->count;
    variance = squares_about(histogram, mean) / (double)histogram->count - rest * rest;
    return variance > 0 ? dyno_sqrt(variance) : 0.0;
}

/* ceil(fraction * count) in [1, count].  A product within 2^-40 of itself above a whole number
 * counts as that number, so that 0.07 of 100 values is 7 of them though 0.07 is no double. */
static uint64_t rank_of(double fraction, uint64_t count)
{
    double product = fraction * (double)count * (1.0 - 0x1p-40);
    uint64_t rank;

    if (!(product > 0)) {
        return 1;
    }
    if (product >= (double)count) {
        return count;
    }
    rank = (uint64_t)product;
    rank += (double)rank < product;
    return rank > count ? count : rank;
}

dyno_ns dyno_histogram_quantile(const struct dyno_histogram *histogram, double fraction)
{
    uint64_t rank, below = 0;
    uint32_t bucket = 0;
    dyno_ns value;

    if (histogram->count == 0) {
        return 0;
    }
    rank = rank_of(fraction, histogram->count);
    while (below + histogram->buckets[bucket] < rank) {
        below += histogram->buckets[bucket++];
    }
    value = bucket_middle(bucket);
    if (value < histogram->min) {
        return histogram->min;
    }
    return value > histogram->max ? histogram->max : value;
}

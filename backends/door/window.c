#include "backends/door/window.h"

#include <stdlib.h>
#include <string.h>

enum { SKETCH_FIRST_BIT = 10, SKETCH_PART_BITS = 4, SKETCH_PARTS = 1 << SKETCH_PART_BITS };

struct dyno_window {
    uint64_t latest; /* seconds in (latest - DYNO_WINDOW_SECONDS, latest] are known */
    struct dyno_span_counts seconds[DYNO_WINDOW_SECONDS];
};

/* Values below 2^10 share the first bucket.  Above, a value is told by its highest bit and the four
 * below it. */
static uint32_t bucket_of(dyno_ns value)
{
    uint32_t bit, bucket;

    if (value >> SKETCH_FIRST_BIT == 0) {
        return 0;
    }
    bit = (uint32_t)(63 - __builtin_clzll(value));
    bucket = SKETCH_PARTS * (bit - SKETCH_FIRST_BIT) +
             (uint32_t)((value >> (bit - SKETCH_PART_BITS)) & (SKETCH_PARTS - 1));
    return bucket < DYNO_SKETCH_BUCKETS ? bucket : DYNO_SKETCH_BUCKETS - 1;
}

static dyno_ns bucket_middle(uint32_t bucket)
{
    uint32_t shift = bucket / SKETCH_PARTS + SKETCH_FIRST_BIT - SKETCH_PART_BITS;
    dyno_ns first = (dyno_ns)(SKETCH_PARTS + bucket % SKETCH_PARTS) << shift;

    return first + ((dyno_ns)1 << shift) / 2;
}

static void widen(struct dyno_sketch *sketch, uint32_t first, uint32_t end)
{
    if (sketch->count == 0 || first < sketch->first) {
        sketch->first = first;
    }
    if (end > sketch->end) {
        sketch->end = end;
    }
}

void dyno_sketch_add(struct dyno_sketch *sketch, dyno_ns value)
{
    uint32_t bucket = bucket_of(value);

    widen(sketch, bucket, bucket + 1);
    sketch->counts[bucket]++;
    sketch->count++;
}

dyno_ns dyno_sketch_quantile(const struct dyno_sketch *sketch, double fraction)
{
    double rank = fraction * (double)sketch->count;
    uint64_t below = 0;

    for (uint32_t bucket = sketch->first; bucket < sketch->end; bucket++) {
        below += sketch->counts[bucket];
        if (below > 0 && (double)below >= rank) {
            return bucket_middle(bucket);
        }
    }
    return DYNO_NEVER;
}

dyno_status dyno_window_open(struct dyno_window **out)
{
    struct dyno_window *window = calloc(1, sizeof *window);

    if (!window) {
        return DYNO_NO_MEMORY;
    }
    *out = window;
    return DYNO_OK;
}

void dyno_window_close(struct dyno_window *window)
{
    free(window);
}

struct dyno_span_counts *dyno_window_second(struct dyno_window *window, uint64_t second)
{
    uint64_t from = window->latest + 1;

    if (second >= from + DYNO_WINDOW_SECONDS) {
        from = second - DYNO_WINDOW_SECONDS + 1;
    }
    for (uint64_t s = from; s <= second; s++) {
        memset(&window->seconds[s % DYNO_WINDOW_SECONDS], 0, sizeof window->seconds[0]);
    }
    if (second > window->latest) {
        window->latest = second;
    }
    return &window->seconds[window->latest % DYNO_WINDOW_SECONDS];
}

/* The first second that the ring still holds. */
static uint64_t first_known(const struct dyno_window *window)
{
    return window->latest < DYNO_WINDOW_SECONDS ? 0 : window->latest - (DYNO_WINDOW_SECONDS - 1);
}

static void add_sketch(struct dyno_sketch *into, const struct dyno_sketch *from)
{
    if (from->count == 0) {
        return;
    }
    widen(into, from->first, from->end);
    into->count += from->count;
    for (uint32_t i = from->first; i < from->end; i++) {
        into->counts[i] += from->counts[i];
    }
}

static void add_second(struct dyno_span_counts *into, const struct dyno_span_counts *from)
{
    into->seconds++;
    into->received += from->received;
    for (uint32_t i = 0; i < DYNO_END_COUNT; i++) {
        into->ends[i] += from->ends[i];
    }
    into->prompt_tokens += from->prompt_tokens;
    into->cached_tokens += from->cached_tokens;
    into->output_tokens += from->output_tokens;
    if (from->looked) {
        into->looked = true;
        into->look = from->look;
    }
    add_sketch(&into->ttft, &from->ttft);
    add_sketch(&into->tpot, &from->tpot);
}

void dyno_window_sum(const struct dyno_window *window, uint64_t from, uint64_t to,
                     struct dyno_span_counts *out)
{
    uint64_t known = first_known(window);

    memset(out, 0, sizeof *out);
    for (uint64_t s = from > known ? from : known; s < to; s++) {
        if (s <= window->latest) {
            add_second(out, &window->seconds[s % DYNO_WINDOW_SECONDS]);
        } else {
            out->seconds++;
        }
    }
}

void dyno_window_ends(const struct dyno_window *window, uint64_t from,
                      uint64_t ends[DYNO_END_COUNT])
{
    uint64_t known = first_known(window);

    memset(ends, 0, DYNO_END_COUNT * sizeof ends[0]);
    for (uint64_t s = from > known ? from : known; s <= window->latest; s++) {
        for (uint32_t i = 0; i < DYNO_END_COUNT; i++) {
            ends[i] += window->seconds[s % DYNO_WINDOW_SECONDS].ends[i];
        }
    }
}

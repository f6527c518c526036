/* The last fifteen minutes, second by second: a ring whose place is the second modulo its size.
 *
 * What is asked for are spans of whole seconds that are over, so that a span, once told, never
 * changes.  Quantiles come from a sketch a second: log-linear, 16 buckets a power of two from 1 us
 * to 18 minutes, so that one is off by at most 1/32 of its value; what is beyond counts at the
 * ends.
 */
#ifndef DYNO_BACKENDS_DOOR_WINDOW_H
#define DYNO_BACKENDS_DOOR_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/time.h"

enum {
    DYNO_WINDOW_SECONDS = 900,
    DYNO_SKETCH_BUCKETS = 480,
    DYNO_END_COUNT = 15, /* outcomes and refusals: telemetry_parts.h */
};

struct dyno_sketch { /* all zero: empty */
    uint32_t count;
    uint32_t first, end; /* no other buckets than [first, end) are in use */
    uint32_t counts[DYNO_SKETCH_BUCKETS];
};

void dyno_sketch_add(struct dyno_sketch *sketch, dyno_ns value);
/* The middle of the bucket that holds the ceil(fraction * count)-th smallest; DYNO_NEVER: empty. */
dyno_ns dyno_sketch_quantile(const struct dyno_sketch *sketch, double fraction);

/* What the fleet looked like when it was last looked at. */
struct dyno_fleet_look {
    uint64_t running, waiting;
    uint64_t blocks_used, blocks_idle, blocks_total;
};

/* One second, or the sum of several. */
struct dyno_span_counts {
    uint32_t seconds; /* that it is the sum of; 0: none of them is known any more */
    uint64_t received;
    uint64_t ends[DYNO_END_COUNT];
    uint64_t prompt_tokens, cached_tokens; /* of requests that ended after they were admitted */
    uint64_t output_tokens;
    bool looked; /* whether `look` is known: the last of the span */
    struct dyno_fleet_look look;
    struct dyno_sketch ttft, tpot;
};

struct dyno_window;

/* Nothing has happened yet.  DYNO_NO_MEMORY. */
dyno_status dyno_window_open(struct dyno_window **out);
void dyno_window_close(struct dyno_window *window);

/* The second that `now` is in, for adding to; never before the latest one that was asked for. */
struct dyno_span_counts *dyno_window_second(struct dyno_window *window, uint64_t second);

/* Sum the seconds [from, to) that are still known into *out; seconds in which nothing happened
 * count too. */
void dyno_window_sum(const struct dyno_window *window, uint64_t from, uint64_t to,
                     struct dyno_span_counts *out);

/* How the requests of the seconds from `from` on ended, this second's too; it reads no sketches. */
void dyno_window_ends(const struct dyno_window *window, uint64_t from,
                      uint64_t ends[DYNO_END_COUNT]);

#endif

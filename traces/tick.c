#include "traces/tick.h"

#include <stdlib.h>

enum { PART_OFF = 100 }; /* one of so many times may lie elsewhere; and how far is not elsewhere */

/* The times of rows that have one. */
struct times {
    dyno_ns first, last;
    dyno_ns *gaps; /* [gap_count]: between those that differ */
    size_t count, gap_count;
};

static int ascending(const void *left, const void *right)
{
    dyno_ns a = *(const dyno_ns *)left, b = *(const dyno_ns *)right;

    return (a > b) - (a < b);
}

static void take(struct times *times, dyno_ns at)
{
    if (times->count == 0) {
        times->first = times->last = at;
    }
    if (at > times->last) {
        times->gaps[times->gap_count++] = at - times->last;
        times->last = at;
    }
    times->count++;
}

/* Most of the short gaps are of one tick, and all of the time is a whole number of ticks. */
static dyno_ns guess(struct times *times)
{
    dyno_ns span = times->last - times->first, nearly, ticks;

    qsort(times->gaps, times->gap_count, sizeof *times->gaps, ascending);
    nearly = times->gaps[times->gap_count / 4];
    ticks = (span + nearly / 2) / nearly;
    return (span / ticks + DYNO_MS / 2) / DYNO_MS * DYNO_MS;
}

static bool holds(dyno_ns tick, const struct dyno_pile *pile, const struct times *times)
{
    size_t off = 0;

    for (size_t i = 0; i < pile->count; i++) {
        dyno_ns behind = pile->rows[i].has_at ? (pile->rows[i].at - times->first) % tick : 0;

        off += behind > tick / PART_OFF && tick - behind > tick / PART_OFF;
    }
    return off * PART_OFF <= times->count;
}

bool dyno_tick_find(dyno_ns *tick, const struct dyno_pile *pile)
{
    struct times times = {.gaps = malloc((pile->count + 1) * sizeof *times.gaps)};

    *tick = 0;
    if (!times.gaps) {
        return false;
    }
    for (size_t i = 0; i < pile->count; i++) {
        if (pile->rows[i].has_at) {
            take(&times, pile->rows[i].at);
        }
    }
    if (times.gap_count > 0 && times.count >= 2 * (times.gap_count + 1)) {
        *tick = guess(&times);
    }
    if (*tick > 0 && !holds(*tick, pile, &times)) {
        *tick = 0;
    }
    free(times.gaps);
    return true;
}

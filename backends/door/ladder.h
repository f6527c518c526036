/* Counts of values on a ladder of 1, 2, 5, 10, 20, 50 ... units: what Prometheus calls a histogram.
 *
 * A value is counted at the lowest rung that is not below it, or above all of them.  Error of a
 * quantile read from it: up to a factor of 2.5.  Range: 1 to 10^7 units.
 */
#ifndef DYNO_BACKENDS_DOOR_LADDER_H
#define DYNO_BACKENDS_DOOR_LADDER_H

#include <stdint.h>

enum { DYNO_LADDER_RUNGS = 22 };

/* Of durations the unit is 0.1 ms, so that rungs reach from there to 1,000 s. */
#define DYNO_LADDER_UNIT_NS ((uint64_t)100000)

/* Of what the server itself takes it is a microsecond: from there to 10 s. */
#define DYNO_LADDER_SHORT_UNIT_NS ((uint64_t)1000)

struct dyno_ladder {
    uint64_t unit;                          /* values are in units' parts: ns, or tokens */
    uint64_t counts[DYNO_LADDER_RUNGS + 1]; /* not cumulative; the last is above all rungs */
    unsigned __int128 sum;                  /* of the values */
};

/* The rung's height in units; rung < DYNO_LADDER_RUNGS. */
uint64_t dyno_ladder_rung(uint32_t rung);
void dyno_ladder_add(struct dyno_ladder *ladder, uint64_t value, uint64_t count);
uint64_t dyno_ladder_count(const struct dyno_ladder *ladder); /* of all values */

#endif

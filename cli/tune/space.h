/* What a tuning varies: options of the fleet, and the values that each may take.
 *
 *     planner.every=1s..300s     a range: any value in it; on a grid so many points, ends included
 *     planner.headroom=0.6..1/5  five of them
 *     router.policy=kv,session   a list: these values; with "|" between them where one has a comma
 *
 * A range whose upper end is ten times its lower or more is gone through by factors, any other by
 * differences.  Values within a range have three significant digits, so that people can read
 * them. */
#ifndef DYNO_CLI_TUNE_SPACE_H
#define DYNO_CLI_TUNE_SPACE_H

#include <stdbool.h>

#include "cli/scenario/scenario.h"

enum { DYNO_TUNE_DIMENSIONS_MAX = 12, DYNO_TUNE_VALUES_MAX = 64 };

struct dyno_tune_dimension {
    const struct dyno_option *row;
    bool is_range, is_log;
    bool is_ordered;  /* values lie on a line: numbers; else they are names */
    double low, high; /* of a range, in the option's own unit: ns, bytes, or none */
    char **values;    /* [value_count] as for --set: the list, or the points of the grid */
    uint32_t value_count;
};

struct dyno_tune_space {
    struct dyno_tune_dimension items[DYNO_TUNE_DIMENSIONS_MAX]; /* [count] */
    uint32_t count;
    struct dyno_options options; /* of `scratch`: reads and prints values */
    struct dyno_scenario scratch;
};

/* A point: for each dimension a value, and where that lies: 0 ... 1 along a range, the index in a
 * list. */
struct dyno_tune_point {
    char *values[DYNO_TUNE_DIMENSIONS_MAX]; /* owned */
    double at[DYNO_TUNE_DIMENSIONS_MAX];
};

dyno_status dyno_tune_space_open(struct dyno_tune_space *space, struct dyno_error *error);
void dyno_tune_space_close(struct dyno_tune_space *space); /* zeroed memory: no effect */

/* Add the dimension `text`; a range without a number of its own gets `points` on a grid.  Errors:
 * DYNO_BAD_INPUT (an unknown option, one that is not the fleet's, a value it does not accept, an
 * empty range, one that is varied already), DYNO_NO_MEMORY. */
dyno_status dyno_tune_space_add(struct dyno_tune_space *space, const char *text, uint32_t points,
                                struct dyno_error *error);

/* Points of the whole grid; UINT64_MAX: more than that. */
uint64_t dyno_tune_space_grid_size(const struct dyno_tune_space *space);

/* Point `index` of the grid, in the order of counting, the last dimension first.  On success it is
 * released by dyno_tune_point_release.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_tune_space_grid(const struct dyno_tune_space *space, uint64_t index,
                                 struct dyno_tune_point *out);

/* The point nearest to `at`: where it is then said to lie is there, after rounding.  Likewise. */
dyno_status dyno_tune_space_at(const struct dyno_tune_space *space, const double *at,
                               struct dyno_tune_point *out);

void dyno_tune_point_release(struct dyno_tune_point *point);
bool dyno_tune_point_same(const struct dyno_tune_space *space, const struct dyno_tune_point *a,
                          const struct dyno_tune_point *b);

/* "planner.every=10s router.policy=kv". */
void dyno_tune_point_print(const struct dyno_tune_space *space, const struct dyno_tune_point *point,
                           char *out, size_t size);

#endif

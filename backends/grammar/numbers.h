/* Numbers between bounds as regular sets. */
#ifndef DYNO_BACKENDS_GRAMMAR_NUMBERS_H
#define DYNO_BACKENDS_GRAMMAR_NUMBERS_H

#include "backends/grammar/regular.h"

/* Digits before the point: a number of 18 fits everybody's int64_t. */
#define DYNO_WHOLE_MAX 999999999999999999

/* Both bounds are within +-DYNO_WHOLE_MAX; an open one is itself outside. */
struct dyno_bounds {
    int64_t min, max;
    bool min_open, max_open;
};

/* Whole numbers within the bounds, without point and exponent.  False: there are none. */
bool dyno_piece_whole(struct dyno_parts *parts, struct dyno_bounds bounds, struct dyno_piece *out);

/* Decimal numbers within the bounds, without exponent.  False: there are none. */
bool dyno_piece_decimal(struct dyno_parts *parts, struct dyno_bounds bounds,
                        struct dyno_piece *out);

/* Any number, perhaps with an exponent. */
struct dyno_piece dyno_piece_number(struct dyno_parts *parts);

#endif

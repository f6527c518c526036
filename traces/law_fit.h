/* The law of lengths or times (law.h) that comes closest to what was recorded. */
#ifndef DYNO_TRACES_LAW_FIT_H
#define DYNO_TRACES_LAW_FIT_H

#include <stdbool.h>
#include <stddef.h>

enum { DYNO_LAW_TEXT_BYTES = 256 };

struct dyno_law_fit {
    char text[DYNO_LAW_TEXT_BYTES]; /* as in law.h */
    double distance; /* Kolmogorov and Smirnov's: the largest difference between the two shares of
                        values up to some value; 0 to 1 */
};

/* Of values[count], which are sorted here; `is_whole` says that the law's values are rounded.  Each
 * law has the parameters of largest likelihood (a uniform one the ends), and the closest is taken;
 * if none comes closer than 3 %, the values' percentiles.  count 0: always 1, or 0 where they are
 * not whole. */
void dyno_law_fit(struct dyno_law_fit *out, double *values, size_t count, bool is_whole);

#endif

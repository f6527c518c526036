/* Counts as a row of bars, for a terminal. */
#ifndef DYNO_CLI_BARS_H
#define DYNO_CLI_BARS_H

#include <stddef.h>
#include <stdint.h>

enum { DYNO_BARS_MAX = 64, DYNO_BARS_BYTES = 3 * DYNO_BARS_MAX + 1 };

/* A character a count, as high as the count is against the largest; a blank for 0.  At most
 * DYNO_BARS_MAX counts. */
void dyno_bars(char out[DYNO_BARS_BYTES], const uint64_t *counts, size_t count);

#endif

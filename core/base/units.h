/* Numbers as people write them: whole numbers, decimals, durations (250ms) and sizes (8GiB).
 *
 * Parsing takes the whole text or refuses it: no leading space, no sign on what cannot be negative,
 * no trailing garbage, no NaN, no infinity, no silent overflow.  Printing gives text that parses
 * back to the same value.  Nothing here depends on the locale as long as nobody calls setlocale.
 */
#ifndef DYNO_CORE_BASE_UNITS_H
#define DYNO_CORE_BASE_UNITS_H

#include <stdint.h>

#include "core/base/time.h"

enum dyno_units_verdict {
    DYNO_UNITS_OK,
    DYNO_UNITS_MALFORMED, /* not a number, an unknown unit, or finer than the smallest unit */
    DYNO_UNITS_NO_UNIT,   /* a number that lacks its unit */
    DYNO_UNITS_TOO_BIG,   /* does not fit */
};

enum { DYNO_UNITS_TEXT_MAX = 40 }; /* longest printed number, its end included */

#define DYNO_UNITS_DURATION "ns, us, ms, s, min, h"
#define DYNO_UNITS_BYTES    "B, kB, MB, GB, TB, KiB, MiB, GiB, TiB"

/* On success *out is set; otherwise it is untouched. */
enum dyno_units_verdict dyno_parse_u64(const char *text, uint64_t *out);
enum dyno_units_verdict dyno_parse_double(const char *text, double *out);
/* A decimal and a unit, exact to the nanosecond: "1.5s" is 1,500,000,000; "0" needs no unit. */
enum dyno_units_verdict dyno_parse_duration(const char *text, dyno_ns *out);
/* A decimal and a unit, exact to the byte; kB is 1000, KiB is 1024; "0" needs no unit. */
enum dyno_units_verdict dyno_parse_bytes(const char *text, uint64_t *out);

void dyno_print_u64(char out[DYNO_UNITS_TEXT_MAX], uint64_t value);
void dyno_print_double(char out[DYNO_UNITS_TEXT_MAX], double value); /* shortest that reads back */
void dyno_print_duration(char out[DYNO_UNITS_TEXT_MAX], dyno_ns value); /* largest exact unit */
void dyno_print_bytes(char out[DYNO_UNITS_TEXT_MAX], uint64_t value);   /* largest exact unit */

#endif

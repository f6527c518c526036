/* Numbers as people read them: thousands separated, units aligned.
 *
 * Every function writes into the caller's buffer, always ends it with a NUL, and returns it, so
 * that it can stand among the arguments of fprintf. */
#ifndef DYNO_REPORTS_FORMAT_H
#define DYNO_REPORTS_FORMAT_H

#include <stddef.h>
#include <stdint.h>

enum { DYNO_FORMAT_MAX = 64 }; /* a buffer of this size holds whatever the functions write */

/* "12,031". */
char *dyno_format_count(char *out, uint64_t value);

/* "1,234.57": `decimals` digits after the point, at most 9; "n/a" where the value is not finite. */
char *dyno_format_fixed(char *out, double value, int decimals);

/* A fraction as "38.2 %"; "n/a" where it is negative or not finite. */
char *dyno_format_percent(char *out, double fraction);

/* A span of time with its two largest units: "850 ms", "12.3 s", "4 min 05 s", "2 h 03 min". */
char *dyno_format_span(char *out, double seconds);

/* Columns that UTF-8 `text` takes on a terminal (every code point counts as one). */
size_t dyno_format_width(const char *text);

#endif

/* Numbers and dates as traces write them, read exactly: no value passes through a float. */
#ifndef DYNO_TRACES_NUMBER_H
#define DYNO_TRACES_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A decimal number: (negative ? -1 : 1) * digits * 10^exponent. */
struct dyno_decimal {
    uint64_t digits;
    int exponent;
    bool negative;
    bool is_huge; /* more digits than fit before the point: only the sign is to be trusted */
};

/* Read the number that `text` begins with ("-3", "61.114", "1e3"); fraction digits past the 19th
 * significant one are dropped.  Returns how many bytes it took, 0 if there is no number. */
size_t dyno_decimal_parse(const char *text, size_t length, struct dyno_decimal *out);

/* floor(|decimal| * 10^power) into *out, and whether nothing was cut off into *is_whole (may be
 * NULL).  False if it does not fit. */
bool dyno_decimal_scale(const struct dyno_decimal *decimal, int power, uint64_t *out,
                        bool *is_whole);

/* All of `text` as a date and time, in nanoseconds since 1970-01-01 00:00 UTC:
 * "2023-11-16 18:15:46.6805900", "2024-05-10T00:00:00.009930+00:00", "...Z".  Without a zone it is
 * UTC.  Years 1970 to 2261.  False if it is not one. */
bool dyno_date_parse(const char *text, size_t length, uint64_t *ns);

#endif

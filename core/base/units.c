/* Numbers as people write them.  Dimensions are one table each; a decimal with a unit is computed
 * in whole units of the smallest one, so that no rounding can move a time. */
#include "core/base/units.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t size; /* in the smallest unit */
};

/* Ascending; printing takes the last that divides the value. */
static const struct unit duration_units[] = {
    {"ns", 1},     {"us", DYNO_US},      {"ms", DYNO_MS},
    {"s", DYNO_S}, {"min", 60 * DYNO_S}, {"h", 3600 * DYNO_S},
    {NULL, 0},
};

static const struct unit byte_units[] = {
    {"B", 1},
    {"kB", 1000},
    {"KB", 1000}, /* the way many write it; printed as kB, see unit_that_divides */
    {"KiB", UINT64_C(1) << 10},
    {"MB", 1000000},
    {"MiB", UINT64_C(1) << 20},
    {"GB", 1000000000},
    {"GiB", UINT64_C(1) << 30},
    {"TB", 1000000000000},
    {"TiB", UINT64_C(1) << 40},
    {NULL, 0},
};

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits at *text, which is moved past them; false if they overflow. */
static bool take_digits(const char **text, uint64_t *value)
{
    *value = 0;
    for (; digit(**text); (*text)++) {
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(**text - '0'), value)) {
            return false;
        }
    }
    return true;
}

/* The fraction at *text, after its point, as numerator over 10^places; false past 18 places. */
static bool take_fraction(const char **text, uint64_t *numerator, uint64_t *denominator)
{
    *numerator = 0;
    *denominator = 1;
    for (int places = 0; digit(**text); (*text)++, places++) {
        if (places == 18) {
            return false;
        }
        *numerator = *numerator * 10 + (uint64_t)(**text - '0');
        *denominator *= 10;
    }
    return true;
}

static const struct unit *find_unit(const struct unit *units, const char *name)
{
    for (; units->name; units++) {
        if (strcmp(units->name, name) == 0) {
            return units;
        }
    }
    return NULL;
}

/* (whole + numerator / denominator) x size, if that is a whole number that fits. */
static enum dyno_units_verdict scale(uint64_t whole, uint64_t numerator, uint64_t denominator,
                                     uint64_t size, uint64_t *out)
{
    unsigned __int128 part = (unsigned __int128)numerator * size; /* < 10^18 x 2^42 */
    uint64_t value;

    if (part % denominator != 0) {
        return DYNO_UNITS_MALFORMED;
    }
    if (__builtin_mul_overflow(whole, size, &value) ||
        __builtin_add_overflow(value, (uint64_t)(part / denominator), &value)) {
        return DYNO_UNITS_TOO_BIG;
    }
    *out = value;
    return DYNO_UNITS_OK;
}

static enum dyno_units_verdict parse_dimension(const struct unit *units, const char *text,
                                               uint64_t *out)
{
    uint64_t whole, numerator = 0, denominator = 1;
    const struct unit *unit;
    bool fits;

    if (!digit(*text)) {
        return DYNO_UNITS_MALFORMED;
    }
    fits = take_digits(&text, &whole);
    if (!fits) {
        return DYNO_UNITS_TOO_BIG;
    }
    if (text[0] == '.' && digit(text[1])) {
        text++;
        if (!take_fraction(&text, &numerator, &denominator)) {
            return DYNO_UNITS_MALFORMED;
        }
    }
    if (*text == '\0') {
        if (whole == 0 && numerator == 0) {
            *out = 0;
            return DYNO_UNITS_OK;
        }
        return DYNO_UNITS_NO_UNIT;
    }
    unit = find_unit(units, text);
    return unit ? scale(whole, numerator, denominator, unit->size, out) : DYNO_UNITS_MALFORMED;
}

static const struct unit *unit_that_divides(const struct unit *units, uint64_t value)
{
    const struct unit *best = units;

    for (const struct unit *unit = units; unit->name; unit++) {
        if (unit->size > best->size && value % unit->size == 0) {
            best = unit; /* of two names for one size the first */
        }
    }
    return best;
}

/* Only what a decimal number may look like: strtod also takes hexadecimal, NaN and infinity. */
static bool looks_decimal(const char *text)
{
    size_t digits = 0;

    text += *text == '-';
    for (; digit(*text); text++) {
        digits++;
    }
    text += *text == '.';
    for (; digit(*text); text++) {
        digits++;
    }
    if (digits > 0 && (*text == 'e' || *text == 'E')) {
        text++;
        text += *text == '-' || *text == '+';
        digits = 0;
        for (; digit(*text); text++) {
            digits++;
        }
    }
    return digits > 0 && *text == '\0';
}

enum dyno_units_verdict dyno_parse_u64(const char *text, uint64_t *out)
{
    const char *end = text;
    uint64_t value;

    if (!digit(*text)) {
        return DYNO_UNITS_MALFORMED;
    }
    if (!take_digits(&end, &value)) {
        return text[strspn(text, "0123456789")] ? DYNO_UNITS_MALFORMED : DYNO_UNITS_TOO_BIG;
    }
    if (*end != '\0') {
        return DYNO_UNITS_MALFORMED;
    }
    *out = value;
    return DYNO_UNITS_OK;
}

enum dyno_units_verdict dyno_parse_double(const char *text, double *out)
{
    double value;

    if (!looks_decimal(text)) {
        return DYNO_UNITS_MALFORMED;
    }
    value = strtod(text, NULL);
    if (!isfinite(value)) {
        return DYNO_UNITS_TOO_BIG;
    }
    *out = value == 0 ? 0 : value; /* there is one zero */
    return DYNO_UNITS_OK;
}

enum dyno_units_verdict dyno_parse_duration(const char *text, dyno_ns *out)
{
    return parse_dimension(duration_units, text, out);
}

enum dyno_units_verdict dyno_parse_bytes(const char *text, uint64_t *out)
{
    return parse_dimension(byte_units, text, out);
}

void dyno_print_u64(char out[DYNO_UNITS_TEXT_MAX], uint64_t value)
{
    snprintf(out, DYNO_UNITS_TEXT_MAX, "%" PRIu64, value);
}

void dyno_print_double(char out[DYNO_UNITS_TEXT_MAX], double value)
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(out, DYNO_UNITS_TEXT_MAX, "%.*g", digits, value);
        if (strtod(out, NULL) == value) {
            return;
        }
    }
}

static void print_dimension(char *out, const struct unit *units, const char *zero, uint64_t value)
{
    const struct unit *unit = unit_that_divides(units, value);

    if (value == 0) {
        snprintf(out, DYNO_UNITS_TEXT_MAX, "0%s", zero);
        return;
    }
    snprintf(out, DYNO_UNITS_TEXT_MAX, "%" PRIu64 "%s", value / unit->size, unit->name);
}

void dyno_print_duration(char out[DYNO_UNITS_TEXT_MAX], dyno_ns value)
{
    print_dimension(out, duration_units, "s", value);
}

void dyno_print_bytes(char out[DYNO_UNITS_TEXT_MAX], uint64_t value)
{
    print_dimension(out, byte_units, "B", value);
}

/* Exact decimals and dates. */
#include "traces/number.h"

#include <string.h>

#include "core/base/time.h"

enum { DIGITS_MAX = 19, EXPONENT_MAX = 9999 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static uint64_t power_of_ten(int power)
{
    uint64_t result = 1;

    while (power-- > 0) {
        result *= 10;
    }
    return result;
}

/* Take one digit into the mantissa.  A fraction digit that might not fit is dropped, and so are all
 * after it, as the mantissa stays; a digit before the point that does not fit makes it huge. */
static void take_digit(struct dyno_decimal *out, char c, bool in_fraction)
{
    uint64_t digit = (uint64_t)(c - '0'), larger;

    if (in_fraction ? out->digits > (UINT64_MAX - 9) / 10
                    : __builtin_mul_overflow(out->digits, 10, &larger) ||
                          __builtin_add_overflow(larger, digit, &larger)) {
        out->is_huge = out->is_huge || !in_fraction;
        return;
    }
    out->digits = out->digits * 10 + digit;
    out->exponent -= in_fraction;
}

static size_t take_digits(const char *text, size_t at, size_t length, bool in_fraction,
                          struct dyno_decimal *out)
{
    while (at < length && is_digit(text[at])) {
        take_digit(out, text[at++], in_fraction);
    }
    return at;
}

/* The exponent that begins at `at` (at an 'e'), or `at` itself if there is none. */
static size_t take_exponent(const char *text, size_t at, size_t length, struct dyno_decimal *out)
{
    size_t start = at + 1;
    bool negative = start < length && text[start] == '-';
    int value = 0;

    start += start < length && (text[start] == '-' || text[start] == '+');
    if (start >= length || !is_digit(text[start])) {
        return at;
    }
    while (start < length && is_digit(text[start])) {
        if (value < EXPONENT_MAX) {
            value = value * 10 + (text[start] - '0');
        }
        start++;
    }
    out->exponent += negative ? -value : value;
    return start;
}

size_t dyno_decimal_parse(const char *text, size_t length, struct dyno_decimal *out)
{
    size_t at = 0, begin;

    *out = (struct dyno_decimal){0};
    out->negative = length > 0 && text[0] == '-';
    begin = at = out->negative ? 1 : 0;
    at = take_digits(text, at, length, false, out);
    if (at == begin) {
        return 0;
    }
    if (at + 1 < length && text[at] == '.' && is_digit(text[at + 1])) {
        at = take_digits(text, at + 1, length, true, out);
    }
    if (at < length && (text[at] == 'e' || text[at] == 'E')) {
        at = take_exponent(text, at, length, out);
    }
    if (out->digits == 0 && !out->is_huge) {
        out->negative = false; /* -0 is 0 */
        out->exponent = 0;
    }
    return at;
}

bool dyno_decimal_scale(const struct dyno_decimal *decimal, int power, uint64_t *out,
                        bool *is_whole)
{
    int shift = decimal->exponent + power;
    uint64_t divisor;

    if (decimal->is_huge || (decimal->digits != 0 && shift > DIGITS_MAX)) {
        return false;
    }
    if (shift >= 0) {
        *out = 0;
        if (is_whole) {
            *is_whole = true;
        }
        return decimal->digits == 0 ||
               !__builtin_mul_overflow(decimal->digits, power_of_ten(shift), out);
    }
    divisor = shift < -DIGITS_MAX ? 0 : power_of_ten(-shift);
    *out = divisor ? decimal->digits / divisor : 0;
    if (is_whole) {
        *is_whole = divisor ? decimal->digits % divisor == 0 : decimal->digits == 0;
    }
    return true;
}

/* Exactly `count` digits at *at, moving it on; -1 if they are not there. */
static int fixed_digits(const char *text, size_t length, size_t *at, int count)
{
    int value = 0;

    for (int i = 0; i < count; i++) {
        if (*at >= length || !is_digit(text[*at])) {
            return -1;
        }
        value = value * 10 + (text[(*at)++] - '0');
    }
    return value;
}

static bool expect(const char *text, size_t length, size_t *at, const char *any_of)
{
    if (*at >= length || !strchr(any_of, text[*at]) || text[*at] == '\0') {
        return false;
    }
    (*at)++;
    return true;
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar, years from 1970. */
static int64_t days_since_1970(int year, int month, int day)
{
    int64_t before = year - 1;
    int64_t days = before * 365 + before / 4 - before / 100 + before / 400 - 719162;

    for (int i = 1; i < month; i++) {
        days += days_of_month(year, i);
    }
    return days + day - 1;
}

static bool parse_day(const char *text, size_t length, size_t *at, int64_t *seconds)
{
    int year = fixed_digits(text, length, at, 4), month, day;

    if (year < 1970 || year > 2261 || !expect(text, length, at, "-")) {
        return false;
    }
    month = fixed_digits(text, length, at, 2);
    if (month < 1 || month > 12 || !expect(text, length, at, "-")) {
        return false;
    }
    day = fixed_digits(text, length, at, 2);
    if (day < 1 || day > days_of_month(year, month)) {
        return false;
    }
    *seconds = days_since_1970(year, month, day) * 86400;
    return true;
}

static bool parse_time_of_day(const char *text, size_t length, size_t *at, int64_t *seconds)
{
    int hour = fixed_digits(text, length, at, 2), minute, second;

    if (hour < 0 || hour > 23 || !expect(text, length, at, ":")) {
        return false;
    }
    minute = fixed_digits(text, length, at, 2);
    if (minute < 0 || minute > 59 || !expect(text, length, at, ":")) {
        return false;
    }
    second = fixed_digits(text, length, at, 2);
    if (second < 0 || second > 60) { /* 60: a leap second */
        return false;
    }
    *seconds += hour * 3600 + minute * 60 + second;
    return true;
}

/* ".6805900" in nanoseconds; digits past the ninth are dropped; -1 if there is a point only. */
static int64_t parse_fraction(const char *text, size_t length, size_t *at)
{
    int64_t ns = 0, unit = 100000000;
    size_t begin;

    if (!expect(text, length, at, ".")) {
        return 0;
    }
    for (begin = *at; *at < length && is_digit(text[*at]); (*at)++) {
        ns += (text[*at] - '0') * unit;
        unit /= 10;
    }
    return *at > begin ? ns : -1;
}

/* "Z", "+02:00", "-0500" or nothing. */
static bool parse_zone(const char *text, size_t length, size_t *at, int64_t *seconds)
{
    bool west;
    int hours, minutes;

    if (*at == length || (*at + 1 == length && expect(text, length, at, "Z"))) {
        return true;
    }
    west = text[*at] == '-';
    if (!expect(text, length, at, "+-")) {
        return false;
    }
    hours = fixed_digits(text, length, at, 2);
    (void)expect(text, length, at, ":");
    minutes = *at < length ? fixed_digits(text, length, at, 2) : 0;
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
        return false;
    }
    *seconds += (west ? 1 : -1) * (hours * 3600 + minutes * 60);
    return *at == length;
}

bool dyno_date_parse(const char *text, size_t length, uint64_t *ns)
{
    size_t at = 0;
    int64_t seconds, fraction;

    if (!parse_day(text, length, &at, &seconds) || !expect(text, length, &at, " T") ||
        !parse_time_of_day(text, length, &at, &seconds)) {
        return false;
    }
    fraction = parse_fraction(text, length, &at);
    if (fraction < 0 || !parse_zone(text, length, &at, &seconds) || seconds < 0) {
        return false;
    }
    *ns = (uint64_t)seconds * DYNO_S + (uint64_t)fraction;
    return true;
}

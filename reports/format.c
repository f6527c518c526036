/* Numbers as people read them. */
#include "reports/format.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Past this a double has no digits left to separate. */
#define FIXED_MAX 1e18

static char *unknown(char *out)
{
    memcpy(out, "n/a", sizeof "n/a");
    return out;
}

/* Put a comma before every third digit of the leading `digits` digits of `text`. */
static void separate(char *out, const char *text, size_t digits)
{
    size_t at = 0;

    for (size_t i = 0; i < digits; i++) {
        if (i > 0 && (digits - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = text[i];
    }
    memcpy(out + at, text + digits, strlen(text + digits) + 1);
}

char *dyno_format_count(char *out, uint64_t value)
{
    char plain[DYNO_FORMAT_MAX / 2];

    snprintf(plain, sizeof plain, "%" PRIu64, value);
    separate(out, plain, strlen(plain));
    return out;
}

char *dyno_format_fixed(char *out, double value, int decimals)
{
    char plain[DYNO_FORMAT_MAX / 2];
    size_t sign = value < 0 ? 1 : 0;

    if (!isfinite(value) || fabs(value) > FIXED_MAX) {
        return unknown(out);
    }
    snprintf(plain, sizeof plain, "%.*f", decimals, value);
    memcpy(out, plain, sign);
    separate(out + sign, plain + sign, strcspn(plain + sign, "."));
    return out;
}

char *dyno_format_percent(char *out, double fraction)
{
    if (!isfinite(fraction) || fraction < 0) {
        return unknown(out);
    }
    dyno_format_fixed(out, fraction * 100, 1);
    memcpy(out + strlen(out), " %", sizeof " %");
    return out;
}

char *dyno_format_span(char *out, double seconds)
{
    uint64_t whole;

    if (!isfinite(seconds) || seconds < 0 || seconds > FIXED_MAX) {
        return unknown(out);
    }
    if (seconds < 0.9995) {
        snprintf(out, DYNO_FORMAT_MAX, "%.0f ms", seconds * 1e3);
    } else if (seconds < 59.95) {
        snprintf(out, DYNO_FORMAT_MAX, "%.1f s", seconds);
    } else if (seconds < 3599.5) {
        whole = (uint64_t)(seconds + 0.5);
        snprintf(out, DYNO_FORMAT_MAX, "%" PRIu64 " min %02" PRIu64 " s", whole / 60, whole % 60);
    } else {
        whole = (uint64_t)(seconds / 60 + 0.5);
        dyno_format_count(out, whole / 60);
        snprintf(out + strlen(out), DYNO_FORMAT_MAX / 2, " h %02" PRIu64 " min", whole % 60);
    }
    return out;
}

size_t dyno_format_width(const char *text)
{
    size_t width = 0;

    for (; *text; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80; /* all but continuation bytes */
    }
    return width;
}

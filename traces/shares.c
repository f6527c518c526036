#include "traces/shares.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/words.h"

static dyno_status refuse(const char *option, const char *text, int named, struct dyno_error *error)
{
    char quoted[DYNO_QUOTE_MAX];

    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s is %s; expected %s with commas between them, at most %d, shares above 0 "
                     "and up to 1e9",
                     option, dyno_quote(quoted, text),
                     named ? "pairs VALUE:SHARE (0:9,5:1, say)" : "shares (8,1,1, say)",
                     DYNO_SHARES_MAX);
}

/* A whole number before a colon; *at moves past it. */
static int take_value(const char **at, int32_t *out)
{
    char *after;
    long value;

    if ((**at < '0' || **at > '9') && **at != '-') {
        return 0;
    }
    value = strtol(*at, &after, 10);
    if (after == *at || *after != ':' || value < -INT32_MAX || value > INT32_MAX) {
        return 0;
    }
    *at = after + 1;
    *out = (int32_t)value;
    return 1;
}

/* A share, up to a comma or the end; *at moves past the number. */
static int take_share(const char **at, double *out)
{
    char *after;

    if (**at < '0' || **at > '9') {
        return 0;
    }
    *out = strtod(*at, &after);
    if ((*after != ',' && *after != '\0') || !(*out > 0 && *out <= 1e9)) {
        return 0;
    }
    *at = after;
    return 1;
}

dyno_status dyno_shares_init(struct dyno_shares *shares, const char *option, const char *text,
                             int named, uint64_t seed, struct dyno_error *error)
{
    const char *at = text;
    double sum = 0.0, share;

    shares->count = 0;
    dyno_rng_init(&shares->rng, seed, option);
    if (!text) {
        return DYNO_OK;
    }
    for (;;) {
        int32_t value = (int32_t)shares->count + 1;

        if (shares->count == DYNO_SHARES_MAX || (named && !take_value(&at, &value)) ||
            !take_share(&at, &share)) {
            return refuse(option, text, named, error);
        }
        sum += share;
        shares->values[shares->count] = value;
        shares->up_to[shares->count++] = sum;
        if (*at == '\0') {
            return DYNO_OK;
        }
        at++;
    }
}

int32_t dyno_shares_draw(struct dyno_shares *shares)
{
    uint32_t index = 0;
    double draw;

    if (shares->count == 0) {
        return 0;
    }
    draw = dyno_rng_unit(&shares->rng) * shares->up_to[shares->count - 1];
    while (index + 1 < shares->count && draw >= shares->up_to[index]) {
        index++;
    }
    return shares->values[index];
}

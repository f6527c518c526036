/* Drawing lengths and times. */
#include "traces/law.h"

#include <stddef.h>

#include "core/base/math.h"
#include "traces/row.h"
#include "traces/spec.h"

static const double seconds_max = 1e9, sigma_max = 10;

const double dyno_law_shares[DYNO_LAW_PERCENTILE_COUNT] = {
    0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1};

static const char usage_tokens[] =
    "a number of tokens from 1 to 16777216, uniform:LOW,HIGH, normal:MEAN,DEVIATION, "
    "lognormal:MEDIAN,SIGMA, exponential:MEAN or percentiles:P0,P1,P5,P10,P20,...,P90,P95,P99,P100";
static const char usage_seconds[] =
    "seconds from 0 to 1e9, uniform:LOW,HIGH, normal:MEAN,DEVIATION, lognormal:MEDIAN,SIGMA, "
    "exponential:MEAN or percentiles:P0,P1,P5,P10,P20,...,P90,P95,P99,P100";

/* Each at least the one before. */
static int fits_percentiles(struct dyno_law *law, const struct dyno_spec *spec, double low,
                            double high)
{
    law->kind = DYNO_LAW_PERCENTILES;
    for (uint32_t i = 0; i < DYNO_LAW_PERCENTILE_COUNT; i++) {
        if (!dyno_spec_number(spec, i, i ? law->percentiles[i - 1] : low, high,
                              &law->percentiles[i])) {
            return 0;
        }
    }
    return 1;
}

/* Of the words of `spec`, values from `low` to `high` unless they are deviations. */
static int fits(struct dyno_law *law, const struct dyno_spec *spec, double low, double high)
{
    if (dyno_spec_is(spec, "", 1)) {
        law->kind = DYNO_LAW_FIXED;
        return dyno_spec_number(spec, 0, low, high, &law->first);
    }
    if (dyno_spec_is(spec, "exponential", 1)) {
        law->kind = DYNO_LAW_EXPONENTIAL;
        return dyno_spec_number(spec, 0, low, high, &law->first);
    }
    if (dyno_spec_is(spec, "uniform", 2)) {
        law->kind = DYNO_LAW_UNIFORM;
        return dyno_spec_number(spec, 0, low, high, &law->first) &&
               dyno_spec_number(spec, 1, law->first, high, &law->second);
    }
    if (dyno_spec_is(spec, "normal", 2)) {
        law->kind = DYNO_LAW_NORMAL;
        return dyno_spec_number(spec, 0, low, high, &law->first) &&
               dyno_spec_number(spec, 1, 0, high, &law->second);
    }
    if (dyno_spec_is(spec, "lognormal", 2)) {
        law->kind = DYNO_LAW_LOGNORMAL;
        if (!dyno_spec_number(spec, 0, low > 0 ? low : 1e-9, high, &law->first) ||
            !dyno_spec_number(spec, 1, 0, sigma_max, &law->second)) {
            return 0;
        }
        law->first = dyno_log(law->first);
        return 1;
    }
    return dyno_spec_is(spec, "percentiles", DYNO_LAW_PERCENTILE_COUNT) &&
           fits_percentiles(law, spec, low, high);
}

static dyno_status parse(struct dyno_law *law, const char *option, const char *text,
                         const char *usage, double low, double high, struct dyno_error *error)
{
    struct dyno_spec spec;
    dyno_status status;

    DYNO_TRY(dyno_spec_split(&spec, option, text, usage, error));
    *law = (struct dyno_law){0};
    status = fits(law, &spec, low, high) ? DYNO_OK : dyno_spec_refuse(&spec, NULL, error);
    dyno_spec_release(&spec);
    return status;
}

dyno_status dyno_law_parse_tokens(struct dyno_law *law, const char *option, const char *text,
                                  struct dyno_error *error)
{
    return parse(law, option, text, usage_tokens, 1, DYNO_ROW_TOKENS_MAX, error);
}

dyno_status dyno_law_parse_seconds(struct dyno_law *law, const char *option, const char *text,
                                   struct dyno_error *error)
{
    return parse(law, option, text, usage_seconds, 0, seconds_max, error);
}

/* The value that so large a share of the law's values does not exceed. */
static double percentile(const struct dyno_law *law, double share)
{
    uint32_t i = 1;

    while (share > dyno_law_shares[i]) {
        i++;
    }
    return law->percentiles[i - 1] + (law->percentiles[i] - law->percentiles[i - 1]) *
                                         (share - dyno_law_shares[i - 1]) /
                                         (dyno_law_shares[i] - dyno_law_shares[i - 1]);
}

static double draw(const struct dyno_law *law, struct dyno_rng *rng)
{
    switch (law->kind) {
    case DYNO_LAW_FIXED:
        return law->first;
    case DYNO_LAW_UNIFORM:
        return law->first + (law->second - law->first) * dyno_rng_unit(rng);
    case DYNO_LAW_NORMAL:
        return law->first + law->second * dyno_rng_normal(rng);
    case DYNO_LAW_LOGNORMAL:
        return dyno_exp(law->first + law->second * dyno_rng_normal(rng));
    case DYNO_LAW_PERCENTILES:
        return percentile(law, dyno_rng_unit(rng));
    default:
        return law->first * dyno_rng_exponential(rng);
    }
}

uint32_t dyno_law_tokens(const struct dyno_law *law, struct dyno_rng *rng)
{
    double value;

    if (law->kind == DYNO_LAW_UNIFORM) { /* whole numbers alike, not the halves at the ends */
        uint64_t low = (uint64_t)(law->first + 0.5), high = (uint64_t)(law->second + 0.5);

        return (uint32_t)(low + dyno_rng_below(rng, high - low + 1));
    }
    value = draw(law, rng) + 0.5;
    if (!(value >= 1)) {
        return 1;
    }
    return value < DYNO_ROW_TOKENS_MAX ? (uint32_t)value : DYNO_ROW_TOKENS_MAX;
}

dyno_ns dyno_law_time(const struct dyno_law *law, struct dyno_rng *rng)
{
    double seconds = draw(law, rng);

    if (!(seconds > 0)) {
        return 0;
    }
    return (dyno_ns)((seconds < seconds_max ? seconds : seconds_max) * 1e9);
}

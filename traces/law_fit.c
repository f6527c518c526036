#include "traces/law_fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "traces/law.h"

static const double good_enough = 0.03;

/* Moments of the values, and of their logarithms where all are positive. */
struct moments {
    double mean, deviation, log_mean, log_deviation;
    double min, max;
};

static struct moments moments_of(const double *values, size_t count)
{
    struct moments moments = {.min = values[0], .max = values[count - 1]};
    double squares = 0, log_squares = 0;

    for (size_t i = 0; i < count; i++) {
        moments.mean += values[i] / (double)count;
        moments.log_mean += log(values[i]) / (double)count; /* -inf with a 0: no lognormal */
    }
    for (size_t i = 0; i < count; i++) {
        squares += (values[i] - moments.mean) * (values[i] - moments.mean);
        log_squares += (log(values[i]) - moments.log_mean) * (log(values[i]) - moments.log_mean);
    }
    moments.deviation = sqrt(squares / (double)count);
    moments.log_deviation = sqrt(log_squares / (double)count);
    return moments;
}

static double normal_share(double z)
{
    return erfc(-z * M_SQRT1_2) / 2;
}

static double share_by_percentiles(const struct dyno_law *law, double x)
{
    const double *at = law->percentiles, *shares = dyno_law_shares;
    int i = DYNO_LAW_PERCENTILE_COUNT - 1;

    if (x >= at[i]) {
        return 1;
    }
    while (i >= 0 && at[i] > x) {
        i--;
    }
    return i < 0 ? 0 : shares[i] + (shares[i + 1] - shares[i]) * (x - at[i]) / (at[i + 1] - at[i]);
}

/* The share of a law's values that are at most x. */
static double share_below(const struct dyno_law *law, double x)
{
    switch (law->kind) {
    case DYNO_LAW_FIXED:
        return x >= law->first;
    case DYNO_LAW_UNIFORM:
        return fmin(1, fmax(0, (x - law->first) / (law->second - law->first)));
    case DYNO_LAW_NORMAL:
        return normal_share((x - law->first) / law->second);
    case DYNO_LAW_LOGNORMAL:
        return x > 0 ? normal_share((log(x) - law->first) / law->second) : 0;
    case DYNO_LAW_PERCENTILES:
        return share_by_percentiles(law, x);
    default:
        return x > 0 ? -expm1(-x / law->first) : 0;
    }
}

/* Between the law and the sorted values; `half` is what rounding adds to each. */
static double distance_of(const struct dyno_law *law, const double *values, size_t count,
                          double half)
{
    double largest = 0;

    for (size_t i = 0; i < count;) {
        double before = (double)i / (double)count, value = values[i];

        while (i < count && values[i] == value) {
            i++;
        }
        largest = fmax(largest, fabs(share_below(law, value + half) - (double)i / (double)count));
        /* A law that jumps has not jumped before the value. */
        largest =
            fmax(largest,
                 law->kind == DYNO_LAW_FIXED ? 0 : fabs(share_below(law, value - half) - before));
    }
    return largest;
}

static void consider(struct dyno_law_fit *best, const struct dyno_law *law, const char *text,
                     const double *values, size_t count, double half)
{
    double distance = distance_of(law, values, count, half);

    if (distance < best->distance) {
        best->distance = distance;
        (void)snprintf(best->text, sizeof best->text, "%s", text);
    }
}

/* As they were measured. */
static void consider_percentiles(struct dyno_law_fit *best, const double *values, size_t count,
                                 double half)
{
    struct dyno_law law = {.kind = DYNO_LAW_PERCENTILES};
    char text[DYNO_LAW_TEXT_BYTES];
    size_t used = 0;

    for (int i = 0; i < DYNO_LAW_PERCENTILE_COUNT; i++) {
        law.percentiles[i] = values[(size_t)(dyno_law_shares[i] * (double)(count - 1))];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.6g",
                                 i ? "," : "percentiles:", law.percentiles[i]);
    }
    consider(best, &law, text, values, count, half);
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

void dyno_law_fit(struct dyno_law_fit *out, double *values, size_t count, bool is_whole)
{
    double half = is_whole ? 0.5 : 0;
    char text[DYNO_LAW_TEXT_BYTES];
    struct moments m;

    *out = (struct dyno_law_fit){.distance = count ? 2 : 0};
    (void)snprintf(out->text, sizeof out->text, is_whole ? "1" : "0");
    if (count == 0) {
        return;
    }
    qsort(values, count, sizeof *values, ascending);
    m = moments_of(values, count);
    (void)snprintf(text, sizeof text, "%.6g", is_whole ? round(m.mean) : m.mean);
    consider(out, &(struct dyno_law){.kind = DYNO_LAW_FIXED, .first = strtod(text, NULL)}, text,
             values, count, half);
    if (m.min == m.max) {
        return;
    }
    (void)snprintf(text, sizeof text, "uniform:%.6g,%.6g", m.min, m.max);
    consider(
        out,
        &(struct dyno_law){.kind = DYNO_LAW_UNIFORM, .first = m.min - half, .second = m.max + half},
        text, values, count, half);
    (void)snprintf(text, sizeof text, "exponential:%.6g", m.mean);
    consider(out, &(struct dyno_law){.kind = DYNO_LAW_EXPONENTIAL, .first = m.mean}, text, values,
             count, half);
    (void)snprintf(text, sizeof text, "normal:%.6g,%.6g", m.mean, m.deviation);
    consider(out,
             &(struct dyno_law){.kind = DYNO_LAW_NORMAL, .first = m.mean, .second = m.deviation},
             text, values, count, half);
    if (m.min > 0 && m.log_deviation <= 10) {
        (void)snprintf(text, sizeof text, "lognormal:%.6g,%.6g", exp(m.log_mean), m.log_deviation);
        consider(out,
                 &(struct dyno_law){
                     .kind = DYNO_LAW_LOGNORMAL, .first = m.log_mean, .second = m.log_deviation},
                 text, values, count, half);
    }
    if (out->distance > good_enough) {
        consider_percentiles(out, values, count, half);
    }
}

#include "reports/paired_quantile.h"

#include <math.h>
#include <stddef.h>

#include "core/base/math.h"
#include "reports/stats/distributions.h"

double dyno_paired_ranked_at(const struct dyno_paired_ranked *ranked, double share)
{
    double rank = share * ranked->count;
    uint32_t at = rank > 0.0 ? (uint32_t)rank : 0;

    at = at < rank - 1e-9 ? at + 1 : at;
    at = at > ranked->count ? ranked->count : at;
    return ranked->sorted[at > 0 ? at - 1 : 0].value;
}

/* What each cell adds to the share of values up to `value`. */
static void share_influence(double *out, uint32_t places, const struct dyno_paired_ranked *of,
                            double value)
{
    double mean = (double)of->count / places, within = 0.0;

    for (uint32_t i = 0; i < places; i++) {
        out[i] = 0.0;
    }
    for (uint32_t i = 0; i < of->count && of->sorted[i].value <= value; i++) {
        out[of->sorted[i].place] += 1.0 / mean;
        within += 1.0;
    }
    for (uint32_t i = 0; i < places; i++) {
        out[i] -= within / of->count * of->counts[i] / mean;
    }
}

/* One arm's quantile. */
struct known {
    double value, low, high;
    double share_error; /* of the share up to it */
    double freedom;
};

static double error_of(const struct dyno_bootstrap *bootstrap, const double *influence,
                       double *freedom)
{
    struct dyno_long_run run = dyno_bootstrap_long_run(bootstrap, influence);

    *freedom = run.freedom;
    return dyno_sqrt(run.variance) * dyno_bootstrap_unseen(run.memories);
}

static struct known know(const struct dyno_bootstrap *bootstrap, double quantile,
                         const struct dyno_paired_ranked *of, double *influence)
{
    struct known out = {.value = dyno_paired_ranked_at(of, quantile), .high = NAN};
    double reach;

    share_influence(influence, bootstrap->cells * bootstrap->streams, of, out.value);
    out.share_error = error_of(bootstrap, influence, &out.freedom);
    reach = dyno_t_quantile(0.975, out.freedom) * out.share_error;
    out.low = dyno_paired_ranked_at(of, quantile - reach);
    if (quantile + reach < 1.0) {
        out.high = dyno_paired_ranked_at(of, quantile + reach);
    }
    return out;
}

/* The correlation of two shares, from the variance of the difference of both, each in its own
 * errors; `first` becomes that difference. */
static double correlation(const struct dyno_bootstrap *bootstrap, double *first,
                          const double *second, const struct known *one, const struct known *other)
{
    double freedom, error;

    if (one->share_error <= 0.0 || other->share_error <= 0.0) {
        return 0.0;
    }
    for (uint32_t i = 0; i < bootstrap->cells * bootstrap->streams; i++) {
        first[i] = first[i] / one->share_error - second[i] / other->share_error;
    }
    error = error_of(bootstrap, first, &freedom);
    error = 1.0 - error * error / 2.0;
    return error < -1.0 ? -1.0 : error;
}

static double together(double x, double y, double r)
{
    double square = x * x + y * y - 2.0 * r * x * y;

    return square > 0.0 ? dyno_sqrt(square) : 0.0;
}

/* Two arms that are one: no error is in one and not in the other. */
static bool are_one(const struct known *one, const struct known *other, double r)
{
    return r > 1.0 - 1e-9 && one->low == other->low && one->value == other->value &&
           one->high == other->high;
}

/* From how far below and above the figure its ends are. */
static struct dyno_estimate make(double value, double below, double above, double freedom)
{
    double t = dyno_t_quantile(0.975, freedom), side = value > 0.0 ? below : above;
    struct dyno_estimate out = dyno_estimate_make(value, side / t, freedom); /* p is by that side */

    out.error = (below + above) / (2.0 * t);
    out.low = value - below;
    out.high = value + above;
    return out;
}

struct dyno_estimate dyno_paired_quantile(const struct dyno_bootstrap *bootstrap, double value,
                                          double quantile, const struct dyno_paired_ranked *of,
                                          const struct dyno_paired_ranked *less, double *scratch)
{
    double *other = scratch + (size_t)bootstrap->cells * bootstrap->streams, below, above, r;
    struct known one, two;

    if (of->count == 0 || (less && less->count == 0) ||
        dyno_bootstrap_blocks(bootstrap) < DYNO_BLOCKS_MIN) {
        return dyno_estimate_make(value, NAN, 0.0);
    }
    one = know(bootstrap, quantile, of, scratch);
    below = one.value - one.low;
    above = one.high - one.value;
    if (less) {
        two = know(bootstrap, quantile, less, other);
        r = correlation(bootstrap, scratch, other, &one, &two);
        below = together(one.value - one.low, two.high - two.value, r);
        above = together(one.high - one.value, two.value - two.low, r);
        if (are_one(&one, &two, r)) {
            below = above = 0.0;
        }
        one.freedom = fmin(one.freedom, two.freedom);
    }
    return isfinite(below) && isfinite(above) ? make(value, below, above, one.freedom)
                                              : dyno_estimate_make(value, NAN, 0.0);
}

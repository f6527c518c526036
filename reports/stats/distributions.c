#include "reports/stats/distributions.h"

#include <assert.h>

#include "core/base/math.h"

/* Lanczos, 1964, with g = 7 and nine terms: relative error below 1e-13 for x >= 0.5. */
static double lanczos(double x)
{
    static const double terms[] = {
        0.99999999999980993,  676.5203681218851,     -1259.1392167224028,
        771.32342877765313,   -176.61502916214059,   12.507343278686905,
        -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
    };
    const double half_log_two_pi = 0.91893853320467274178;
    double sum = terms[0], base = x + 6.5;

    for (int i = 1; i < 9; i++) {
        sum += terms[i] / (x - 1.0 + i);
    }
    return half_log_two_pi + (x - 0.5) * dyno_log(base) - base + dyno_log(sum);
}

double dyno_lgamma(double x)
{
    assert(x > 0.0);
    return x < 0.5 ? lanczos(x + 1.0) - dyno_log(x) : lanczos(x);
}

static double away_from_zero(double value)
{
    const double least = 1e-300;

    return value < least && value > -least ? least : value;
}

/* The continued fraction of I_x(a, b), by the method of Lentz (Abramowitz and Stegun 26.5.8);
 * converges fast where x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    enum { TERMS_MAX = 10000 };
    double c = 1.0, d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0)), result = d;

    for (int m = 1; m <= TERMS_MAX; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double change;

        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        result *= d * c;
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        change = d * c;
        result *= change;
        if (change - 1.0 < 1e-15 && 1.0 - change < 1e-15) {
            break;
        }
    }
    return result;
}

double dyno_beta_inc(double a, double b, double x)
{
    double front;

    if (x <= 0.0 || x >= 1.0) {
        return x <= 0.0 ? 0.0 : 1.0;
    }
    front = dyno_exp(dyno_lgamma(a + b) - dyno_lgamma(a) - dyno_lgamma(b) + a * dyno_log(x) +
                     b * dyno_log(1.0 - x));
    return x < (a + 1.0) / (a + b + 2.0) ? front * beta_fraction(a, b, x) / a
                                         : 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

double dyno_t_cdf(double t, double freedom)
{
    double tail = 0.5 * dyno_beta_inc(freedom / 2.0, 0.5, freedom / (freedom + t * t));

    return t > 0.0 ? 1.0 - tail : tail;
}

/* Where the increasing `cdf` reaches `p`: doubled until it does, then halved. */
static double invert(double (*cdf)(double, double), double freedom, double p)
{
    double low = 0.0, high = 1.0;

    while (cdf(high, freedom) < p && high < 1e30) {
        low = high;
        high *= 2.0;
    }
    for (int i = 0; i < 200 && high - low > 1e-13 * high; i++) {
        double middle = low + (high - low) / 2.0;

        if (cdf(middle, freedom) < p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low + (high - low) / 2.0;
}

double dyno_t_quantile(double p, double freedom)
{
    assert(p > 0.0 && p < 1.0 && freedom > 0.0);
    return p < 0.5 ? -invert(dyno_t_cdf, freedom, 1.0 - p) : invert(dyno_t_cdf, freedom, p);
}

/* The complementary error function by its series (|x| < 2) or its continued fraction. */
static double normal_upper(double x)
{
    const double half_log_two_pi = 0.91893853320467274178;
    double density = dyno_exp(-0.5 * x * x - half_log_two_pi);
    double sum = x, term = x, fraction = 0.0;

    if (x < 3.0) {
        for (int i = 1; i < 200 && term > 1e-17 * sum; i++) {
            term *= x * x / (2 * i + 1);
            sum += term;
        }
        return 0.5 - density * sum;
    }
    for (int i = 200; i > 0; i--) {
        fraction = i / (x + fraction);
    }
    return density / (x + fraction);
}

static double normal_cdf_above(double x, double unused)
{
    (void)unused;
    return 1.0 - normal_upper(x);
}

double dyno_normal_quantile(double p)
{
    assert(p > 0.0 && p < 1.0);
    return p < 0.5 ? -invert(normal_cdf_above, 0.0, 1.0 - p) : invert(normal_cdf_above, 0.0, p);
}

double dyno_binomial_upper(uint64_t successes, uint64_t trials, double p)
{
    if (successes == 0) {
        return 1.0;
    }
    if (successes > trials) {
        return 0.0;
    }
    return dyno_beta_inc((double)successes, (double)(trials - successes + 1), p);
}

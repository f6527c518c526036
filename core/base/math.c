/* Logarithm, exponential, sine, power and square root from basic operations only.
 *
 * Each function reduces its argument to a short interval, by the bits of the number or by a
 * multiple of a constant kept in several parts, and sums a Taylor series there with Horner's rule.
 * The number of terms is such that what is left out is below 2^-55 of the result.  Where one
 * rounding would be felt later (the logarithm inside a power) a value is kept as an unevaluated sum
 * of two doubles.  The order of every operation is written out, so that every compiler does the
 * same.
 */
#include "core/base/math.h"

#include <assert.h>
#include <float.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* An unevaluated sum; |low| is at most half a unit in the last place of high. */
struct pair {
    double high;
    double low;
};

/* ln 2 = LN2_HIGH + LN2_LOW to 2^-102; the high part has 41 bits, so that its product with a binary
 * exponent (11 bits) is exact. */
static const double LN2_HIGH = 0x1.62e42fefa3p-1;
static const double LN2_LOW = 0x1.3de6af278ece6p-42;
static const double LN2_INVERSE = 0x1.71547652b82fep+0;

/* pi/2 in four parts; the first three have at most 33 bits, so that their products with a multiple
 * below 2^20 are exact. */
static const double HALF_PI_1 = 0x1.921fb544p+0;
static const double HALF_PI_2 = 0x1.0b4611a6p-34;
static const double HALF_PI_3 = 0x1.3198a2ep-69;
static const double HALF_PI_4 = 0x1.b839a252049c1p-104;
static const double HALF_PI_INVERSE = 0x1.45f306dc9c883p-1;

static const double POSITIVE_INFINITY = (double)__builtin_inff();

static uint64_t bits_of(double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double from_bits(uint64_t bits)
{
    double x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2^exponent, for a normal result: -1022 <= exponent <= 1023. */
static double power_of_two(int exponent)
{
    return from_bits((uint64_t)(exponent + 1023) << 52);
}

/* Write positive x as m * 2^exponent with 1 <= m < 2. */
static double split_exponent(double x, int *exponent)
{
    int scale = 0;

    if (x < DBL_MIN) {
        x *= 0x1p54;
        scale = -54;
    }
    *exponent = (int)(bits_of(x) >> 52) - 1023 + scale;
    return from_bits((bits_of(x) & 0x000fffffffffffffULL) | 0x3ff0000000000000ULL);
}

/* a + b exactly, |a| >= |b| or a = 0. */
static struct pair sum_ordered(double a, double b)
{
    struct pair sum = {.high = a + b};

    sum.low = b - (sum.high - a);
    return sum;
}

/* The upper 26 bits of x.  |x| < 2^995. */
static double upper_half(double x)
{
    double scaled = x * 134217729.0; /* 2^27 + 1 */

    return scaled - (scaled - x);
}

/* a * b exactly, by halves (Dekker, 1971). */
static struct pair product(double a, double b)
{
    double a_high = upper_half(a), a_low = a - a_high;
    double b_high = upper_half(b), b_low = b - b_high;
    struct pair result = {.high = a * b};

    result.low =
        ((a_high * b_high - result.high) + a_high * b_low + a_low * b_high) + a_low * b_low;
    return result;
}

/* coefficients[0] + coefficients[1] x + ...; count >= 1. */
static double polynomial(const double *coefficients, int count, double x)
{
    double value = coefficients[count - 1];

    for (int i = count - 2; i >= 0; i--) {
        value = value * x + coefficients[i];
    }
    return value;
}

/* a / (2 + a) for -0.3 < a < 0.5, to about 2^-104. */
static struct pair half_ratio(double a)
{
    struct pair divisor = sum_ordered(2.0, a);
    struct pair quotient = {.high = a / divisor.high};
    struct pair back = product(quotient.high, divisor.high);

    quotient.low = ((a - back.high) - back.low - quotient.high * divisor.low) / divisor.high;
    return quotient;
}

/* log x to about 2^-60 of its value.
 * x = 2^e (1 + f) with 1 + f in [sqrt 1/2, sqrt 2); with s = f / (2 + f),
 * log (1 + f) = 2 s + 2 s^3 / 3 + 2 s^5 / 5 + ..., and s^2 < 0.0295. */
static struct pair log_pair(double x)
{
    static const double series[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                                    2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
    struct pair s, scaled, sum;
    double square, tail;
    int exponent;
    double mantissa = split_exponent(x, &exponent);

    if (mantissa > 0x1.6a09e667f3bcdp+0) { /* sqrt 2 */
        mantissa *= 0.5;
        exponent++;
    }
    s = half_ratio(mantissa - 1.0);
    square = s.high * s.high;
    tail = 2.0 * s.low + s.high * square * polynomial(series, 10, square);
    scaled = sum_ordered(2.0 * s.high, tail);
    sum = sum_ordered((double)exponent * LN2_HIGH, scaled.high);
    return sum_ordered(sum.high, sum.low + (scaled.low + (double)exponent * LN2_LOW));
}

/* e^r for |r| <= 0.35, less 1. */
static double exp_less_one(double r)
{
    static const double series[] = {1.0,
                                    1.0 / 2,
                                    1.0 / 6,
                                    1.0 / 24,
                                    1.0 / 120,
                                    1.0 / 720,
                                    1.0 / 5040,
                                    1.0 / 40320,
                                    1.0 / 362880,
                                    1.0 / 3628800,
                                    1.0 / 39916800,
                                    1.0 / 479001600,
                                    1.0 / 6227020800};

    return r * polynomial(series, 13, r);
}

/* e^(high + low). */
static double exp_pair(struct pair x)
{
    double multiple, r;
    int exponent;

    if (x.high > 709.782712893384) {
        return POSITIVE_INFINITY;
    }
    if (x.high < -745.0) {
        return 0.0;
    }
    exponent = (int)(x.high * LN2_INVERSE + (x.high < 0 ? -0.5 : 0.5));
    multiple = (double)exponent;
    r = ((x.high - multiple * LN2_HIGH) - multiple * LN2_LOW) + x.low;
    /* Two factors, each a normal number: the second may round to a subnormal, once. */
    return (1.0 + exp_less_one(r)) * power_of_two(exponent / 2) *
           power_of_two(exponent - exponent / 2);
}

/* sin r for |r| <= 0.79. */
static double sine_near_zero(double r)
{
    static const double series[] = {
        -1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
        -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000};
    double square = r * r;

    return r + r * square * polynomial(series, 8, square);
}

/* cos r for |r| <= 0.79. */
static double cosine_near_zero(double r)
{
    static const double series[] = {
        -1.0 / 2,       1.0 / 24,        -1.0 / 720,         1.0 / 40320,
        -1.0 / 3628800, 1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000};
    double square = r * r;

    return 1.0 + square * polynomial(series, 8, square);
}

double dyno_log(double x)
{
    struct pair result;

    assert(x > 0 && x <= DBL_MAX);
    result = log_pair(x);
    return result.high + result.low;
}

double dyno_exp(double x)
{
    return exp_pair((struct pair){.high = x});
}

double dyno_sin(double x)
{
    bool in_range = x >= -4503599627370496.0 && x <= 4503599627370496.0; /* 2^52 */
    int64_t quarter;
    double multiple, r, value;

    if (!in_range) {
        return 0.0; /* beyond the promise: the argument has no phase left */
    }
    quarter = (int64_t)(x * HALF_PI_INVERSE + (x < 0 ? -0.5 : 0.5));
    multiple = (double)quarter;
    /* The first two differences are exact whenever the later ones could cancel. */
    r = ((x - multiple * HALF_PI_1) - multiple * HALF_PI_2) - multiple * HALF_PI_3;
    r -= multiple * HALF_PI_4;
    value = quarter & 1 ? cosine_near_zero(r) : sine_near_zero(r);
    return quarter & 2 ? -value : value;
}

double dyno_pow(double x, double y)
{
    struct pair logarithm, exponent;
    double estimate;

    assert(x > 0 && x <= DBL_MAX);
    logarithm = log_pair(x);
    if (logarithm.high == 0.0) {
        return 1.0;
    }
    estimate = y * logarithm.high;
    if (estimate > 710.0 || estimate < -746.0) { /* far out, where halves could overflow */
        return dyno_exp(estimate);
    }
    exponent = product(y, logarithm.high);
    exponent.low += y * logarithm.low;
    return exp_pair(exponent);
}

double dyno_sqrt(double x)
{
    double mantissa, root;
    struct pair square;
    int exponent;

    assert(x >= 0 && x <= DBL_MAX);
    if (x == 0) {
        return 0.0;
    }
    mantissa = split_exponent(x, &exponent);
    if (exponent & 1) { /* also right for a negative odd number */
        mantissa *= 2.0;
        exponent--;
    }
    /* The tangent at 2 is off by at most 6% on [1, 4); Newton's step squares that four times. */
    root = 0.353553390593273762 * mantissa + 0.707106781186547524;
    for (int i = 0; i < 4; i++) {
        root = 0.5 * (root + mantissa / root);
    }
    square = product(root, root);
    root += ((mantissa - square.high) - square.low) / (2.0 * root);
    return root * power_of_two(exponent / 2);
}

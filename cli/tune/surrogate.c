#include "cli/tune/surrogate.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/math.h"

enum { D = DYNO_SURROGATE_DIMENSIONS_MAX, N = DYNO_SURROGATE_POINTS_MAX, FIT_CALLS = 120 };

static const double length_first = 0.4, noise_first = 0.01, jitter = 1e-8;

struct dyno_surrogate {
    uint32_t dimensions, count;
    bool is_name[D];
    double length[D], noise; /* noise: variance, beside that of the values, which is 1 */
    double mean, scale;      /* of the values */
    double *points;          /* [count][dimensions] */
    double *values;          /* [count] shifted and scaled */
    double *root;            /* [count][count]: lower triangle, root root' = covariance + noise */
    double *weights;         /* [count]: (root root')^-1 values */
};

struct dyno_surrogate *dyno_surrogate_open(uint32_t dimensions, const bool *is_name)
{
    struct dyno_surrogate *surrogate = calloc(1, sizeof *surrogate);

    if (surrogate) {
        surrogate->dimensions = dimensions;
        memcpy(surrogate->is_name, is_name, dimensions * sizeof *is_name);
        for (uint32_t i = 0; i < dimensions; i++) {
            surrogate->length[i] = length_first;
        }
        surrogate->noise = noise_first;
    }
    return surrogate;
}

static void forget(struct dyno_surrogate *surrogate)
{
    free(surrogate->points);
    free(surrogate->values);
    free(surrogate->root);
    free(surrogate->weights);
    surrogate->points = surrogate->values = surrogate->root = surrogate->weights = NULL;
    surrogate->count = 0;
}

void dyno_surrogate_close(struct dyno_surrogate *surrogate)
{
    if (surrogate) {
        forget(surrogate);
        free(surrogate);
    }
}

/* ---- covariance ------------------------------------------------------------------------------ */

static double covariance(const struct dyno_surrogate *surrogate, const double *a, const double *b)
{
    double squares = 0.0, r;

    for (uint32_t i = 0; i < surrogate->dimensions; i++) {
        double apart = a[i] - b[i];

        if (surrogate->is_name[i]) {
            apart = apart < 0.5 && apart > -0.5 ? 0.0 : 1.0;
        }
        apart /= surrogate->length[i];
        squares += apart * apart;
    }
    r = dyno_sqrt(5.0 * squares);
    return (1.0 + r + r * r / 3.0) * dyno_exp(-r);
}

/* root: the Cholesky factor of the covariance of all points.  False: it has none (points that
 * nearly coincide, with too little noise). */
static bool factor(struct dyno_surrogate *surrogate)
{
    uint32_t n = surrogate->count, d = surrogate->dimensions;

    for (uint32_t i = 0; i < n; i++) {
        double *row = surrogate->root + (size_t)i * n;

        for (uint32_t j = 0; j <= i; j++) {
            const double *other = surrogate->root + (size_t)j * n;
            double sum = covariance(surrogate, surrogate->points + (size_t)i * d,
                                    surrogate->points + (size_t)j * d);

            sum += i == j ? surrogate->noise + jitter : 0.0;
            for (uint32_t k = 0; k < j; k++) {
                sum -= row[k] * other[k];
            }
            if (i == j && !(sum > 0.0)) {
                return false;
            }
            row[j] = i == j ? dyno_sqrt(sum) : sum / other[j];
        }
    }
    return true;
}

/* root x = x, in place. */
static void solve_lower(const struct dyno_surrogate *surrogate, double *x)
{
    for (uint32_t i = 0; i < surrogate->count; i++) {
        const double *row = surrogate->root + (size_t)i * surrogate->count;

        for (uint32_t k = 0; k < i; k++) {
            x[i] -= row[k] * x[k];
        }
        x[i] /= row[i];
    }
}

static void weigh(struct dyno_surrogate *surrogate)
{
    uint32_t n = surrogate->count;

    memcpy(surrogate->weights, surrogate->values, n * sizeof *surrogate->weights);
    solve_lower(surrogate, surrogate->weights);
    for (uint32_t i = n; i-- > 0;) { /* root' x = x */
        for (uint32_t k = i + 1; k < n; k++) {
            surrogate->weights[i] -= surrogate->root[(size_t)k * n + i] * surrogate->weights[k];
        }
        surrogate->weights[i] /= surrogate->root[(size_t)i * n + i];
    }
}

/* ---- lengths and noise ----------------------------------------------------------------------- */

/* Their logarithms: a normal prior of this mean and deviation on each. */
static const double log_length_mean = -0.7, log_length_deviation = 1.0, log_noise_mean = -6.0,
                    log_noise_deviation = 2.0;

static void set_logs(struct dyno_surrogate *surrogate, const double *logs)
{
    for (uint32_t i = 0; i < surrogate->dimensions; i++) {
        surrogate->length[i] = dyno_exp(logs[i]);
    }
    surrogate->noise = dyno_exp(logs[surrogate->dimensions]);
}

/* The logarithm of the likelihood of the values, times the prior. */
static double likelihood(void *context, const double *logs)
{
    struct dyno_surrogate *surrogate = context;
    double sum = 0.0, off;

    set_logs(surrogate, logs);
    if (!factor(surrogate)) {
        return -1e9;
    }
    memcpy(surrogate->weights, surrogate->values, surrogate->count * sizeof(double));
    solve_lower(surrogate, surrogate->weights);
    for (uint32_t i = 0; i < surrogate->count; i++) {
        sum -= 0.5 * surrogate->weights[i] * surrogate->weights[i] +
               dyno_log(surrogate->root[(size_t)i * surrogate->count + i]);
    }
    for (uint32_t i = 0; i < surrogate->dimensions; i++) {
        off = (logs[i] - log_length_mean) / log_length_deviation;
        sum -= 0.5 * off * off;
    }
    off = (logs[surrogate->dimensions] - log_noise_mean) / log_noise_deviation;
    return sum - 0.5 * off * off;
}

static dyno_status fit(struct dyno_surrogate *surrogate, const struct dyno_optimiser *optimiser,
                       struct dyno_error *error)
{
    double low[D + 1], high[D + 1], logs[D + 1];
    struct dyno_optimiser_task task = {.dimensions = surrogate->dimensions + 1,
                                       .low = low,
                                       .high = high,
                                       .function = likelihood,
                                       .context = surrogate,
                                       .calls_max = FIT_CALLS};

    for (uint32_t i = 0; i < surrogate->dimensions; i++) {
        low[i] = -4.0;
        high[i] = 3.0;
        logs[i] = dyno_log(surrogate->length[i]);
    }
    low[surrogate->dimensions] = -14.0;
    high[surrogate->dimensions] = 0.0;
    logs[surrogate->dimensions] = dyno_log(surrogate->noise);
    DYNO_TRY(dyno_optimiser_run(optimiser, &task, logs, error));
    set_logs(surrogate, logs);
    return DYNO_OK;
}

/* ---- learning -------------------------------------------------------------------------------- */

static void standardise(struct dyno_surrogate *surrogate, const double *values)
{
    double sum = 0.0, squares = 0.0;

    for (uint32_t i = 0; i < surrogate->count; i++) {
        sum += values[i];
    }
    surrogate->mean = sum / surrogate->count;
    for (uint32_t i = 0; i < surrogate->count; i++) {
        squares += (values[i] - surrogate->mean) * (values[i] - surrogate->mean);
    }
    surrogate->scale = squares > 0.0 ? dyno_sqrt(squares / surrogate->count) : 1.0;
    for (uint32_t i = 0; i < surrogate->count; i++) {
        surrogate->values[i] = (values[i] - surrogate->mean) / surrogate->scale;
    }
}

dyno_status dyno_surrogate_learn(struct dyno_surrogate *surrogate, const double *points,
                                 const double *values, uint32_t count,
                                 const struct dyno_optimiser *optimiser, struct dyno_error *error)
{
    size_t d = surrogate->dimensions, n = count;

    forget(surrogate);
    surrogate->points = malloc(n * d * sizeof(double));
    surrogate->values = malloc(n * sizeof(double));
    surrogate->root = malloc(n * n * sizeof(double));
    surrogate->weights = malloc(n * sizeof(double));
    if (!surrogate->points || !surrogate->values || !surrogate->root || !surrogate->weights) {
        forget(surrogate);
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for a model of %u points", count);
    }
    surrogate->count = count;
    memcpy(surrogate->points, points, n * d * sizeof(double));
    standardise(surrogate, values);
    if (optimiser) {
        DYNO_TRY(fit(surrogate, optimiser, error));
    }
    while (!factor(surrogate)) {
        surrogate->noise = 10.0 * surrogate->noise + jitter;
    }
    weigh(surrogate);
    return DYNO_OK;
}

void dyno_surrogate_predict(const struct dyno_surrogate *surrogate, const double *at, double *mean,
                            double *deviation)
{
    double near[N], variance = 1.0, sum = 0.0;

    for (uint32_t i = 0; i < surrogate->count; i++) {
        near[i] = covariance(surrogate, at, surrogate->points + (size_t)i * surrogate->dimensions);
        sum += near[i] * surrogate->weights[i];
    }
    solve_lower(surrogate, near);
    for (uint32_t i = 0; i < surrogate->count; i++) {
        variance -= near[i] * near[i];
    }
    *mean = surrogate->mean + surrogate->scale * sum;
    *deviation = surrogate->scale * dyno_sqrt(variance > 1e-12 ? variance : 1e-12);
}

/* ---- what to hope for ------------------------------------------------------------------------ */

static double density(double z)
{
    return 0.3989422804014327 * dyno_exp(-0.5 * z * z);
}

/* P(Z <= z): Abramowitz and Stegun, 1964, 26.2.17; its error is below 7.5e-8. */
static double distribution(double z)
{
    double t = 1.0 / (1.0 + 0.2316419 * (z < 0.0 ? -z : z));
    double sum = t * (0.319381530 + t * (-0.356563782 +
                                         t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
    double tail = density(z) * sum;

    return z < 0.0 ? tail : 1.0 - tail;
}

double dyno_probability_above(double mean, double deviation)
{
    return distribution(mean / deviation);
}

double dyno_expected_improvement(double mean, double deviation, double best)
{
    double z = (mean - best) / deviation;
    double hope = (mean - best) * distribution(z) + deviation * density(z);

    return hope > 0.0 ? hope : 0.0;
}

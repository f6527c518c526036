/* Search, slopes, covariance; leave out the worst; again. */
#include <stdlib.h>
#include <string.h>

#include "core/base/math.h"
#include "sim/regression_parts.h"
#include "sim/symmetric.h"

enum { MAX = DYNO_REGRESSION_MAX, FREE_MAX = DYNO_SIMPLEX_MAX };

#define EFFECT_MIN 0.01   /* so much of the time, at least, must change with a parameter */
#define NEWS       0.7    /* of a limit: who is known no better than this was known before */
#define MOVED      2      /* standard errors */
#define VAGUE      0.5    /* no standard error may be larger */
#define IDLE       0.0005 /* where it begins: nothing can be said of it at all */

static double size_of(double value)
{
    return value < 0 ? -value : value;
}

/* ---- covariance ------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double median_size(struct dyno_regression_work *work)
{
    size_t count = work->regression->sample_count;

    for (size_t i = 0; i < count; i++) {
        work->shifted[i] = size_of(work->errors[i]);
    }
    qsort(work->shifted, count, sizeof *work->shifted, by_value);
    return work->shifted[count / 2];
}

/* The sum over clusters of s s', s the sum of sign(error) x slopes in one. */
static dyno_status add_clusters(const struct dyno_regression_work *work,
                                const struct dyno_regression_chosen *chosen,
                                double out[FREE_MAX][FREE_MAX])
{
    const struct dyno_regression *regression = work->regression;
    double(*sums)[FREE_MAX] = calloc(regression->cluster_count, sizeof *sums);

    if (!sums) {
        return dyno_fail(work->error, DYNO_NO_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < regression->sample_count; k++) {
        double sign = (work->errors[k] > 0) - (work->errors[k] < 0);

        for (uint32_t i = 0; i < chosen->free_count; i++) {
            sums[regression->clusters[k]][i] +=
                sign * work->slopes[chosen->free[i] * regression->sample_count + k];
        }
    }
    for (uint32_t cluster = 0; cluster < regression->cluster_count; cluster++) {
        for (uint32_t i = 0; i < chosen->free_count; i++) {
            for (uint32_t j = 0; j < chosen->free_count; j++) {
                out[i][j] += sums[cluster][i] * sums[cluster][j];
            }
        }
    }
    free(sums);
    return DYNO_OK;
}

/* (J'J + R)^-1, R the pull: a sample is worth 1 / 2 m in the sums, m the median error.  In units of
 * the limits R is a number.  False: singular. */
static bool invert_free(const struct dyno_regression_work *work,
                        const struct dyno_regression_chosen *chosen, double ridge,
                        double out[FREE_MAX][FREE_MAX])
{
    const double *limit = work->regression->limit;
    bool apart = true;

    for (uint32_t i = 0; i < chosen->free_count; i++) {
        for (uint32_t j = 0; j < chosen->free_count; j++) {
            out[i][j] = dyno_regression_product(work, chosen->free[i], chosen->free[j]) *
                        limit[chosen->free[i]] * limit[chosen->free[j]];
        }
    }
    if (ridge > 0) {
        dyno_symmetric_invert_positive(out, chosen->free_count, ridge);
    } else {
        apart = dyno_symmetric_invert(out, chosen->free_count);
    }
    for (uint32_t i = 0; i < chosen->free_count; i++) {
        for (uint32_t j = 0; j < chosen->free_count; j++) {
            out[i][j] *= limit[chosen->free[i]] * limit[chosen->free[j]];
        }
    }
    return apart;
}

/* Covariance of the free ones, the fixed ones taken as exact; *apart is false if they cannot be
 * told apart.  `inverse` is left as (J'J + R)^-1. */
static dyno_status free_covariance(struct dyno_regression_work *work,
                                   const struct dyno_regression_chosen *chosen,
                                   double inverse[FREE_MAX][FREE_MAX],
                                   double out[FREE_MAX][FREE_MAX], bool *apart)
{
    const struct dyno_regression *regression = work->regression;
    double middle[FREE_MAX][FREE_MAX] = {{0}}, median = median_size(work);
    double groups = regression->cluster_count, scale, ridge;

    median = median > DYNO_REGRESSION_CLOCK ? median : DYNO_REGRESSION_CLOCK;
    ridge = 2 * median * (double)regression->sample_count * dyno_regression_pull(regression);
    *apart = invert_free(work, chosen, ridge, inverse);
    if (!*apart) {
        return DYNO_OK;
    }
    scale = 4 * median * median * groups / (groups - chosen->free_count);
    DYNO_TRY(add_clusters(work, chosen, middle));
    for (uint32_t i = 0; i < chosen->free_count; i++) {
        for (uint32_t j = 0; j < chosen->free_count; j++) {
            middle[i][j] *= scale;
        }
        middle[i][i] += ridge * ridge /
                        (regression->limit[chosen->free[i]] * regression->limit[chosen->free[i]]);
    }
    dyno_symmetric_sandwich(inverse, middle, chosen->free_count, out);
    for (uint32_t i = 0; i < chosen->free_count; i++) {
        for (uint32_t j = 0; j < chosen->free_count; j++) {
            out[i][j] += DYNO_REGRESSION_CLOCK * DYNO_REGRESSION_CLOCK * inverse[i][j];
        }
    }
    return DYNO_OK;
}

/* What the fixed ones' priors do to the free ones: a free one that was fitted beside a fixed one
 * that is off by u is off by -B u, B = (J'J)^-1 J' (slopes of the fixed one). */
static void add_priors(const struct dyno_regression_work *work,
                       const struct dyno_regression_chosen *chosen,
                       double inverse[FREE_MAX][FREE_MAX], double covariance[FREE_MAX][FREE_MAX],
                       struct dyno_regression_result *out)
{
    memset(out->covariance, 0, sizeof out->covariance);
    for (uint32_t i = 0; i < chosen->free_count; i++) {
        for (uint32_t j = 0; j < chosen->free_count; j++) {
            out->covariance[chosen->free[i]][chosen->free[j]] = covariance[i][j];
        }
    }
    for (uint32_t f = 0; f < chosen->fixed_count; f++) {
        uint32_t fixed = chosen->fixed[f];
        double variance = work->regression->prior[fixed] * work->regression->prior[fixed];
        double part[FREE_MAX] = {0};

        out->covariance[fixed][fixed] = variance;
        for (uint32_t i = 0; i < chosen->free_count; i++) {
            for (uint32_t j = 0; j < chosen->free_count; j++) {
                part[i] += inverse[i][j] * dyno_regression_product(work, chosen->free[j], fixed);
            }
            out->covariance[chosen->free[i]][fixed] = -part[i] * variance;
            out->covariance[fixed][chosen->free[i]] = -part[i] * variance;
        }
        for (uint32_t i = 0; i < chosen->free_count; i++) {
            for (uint32_t j = 0; j < chosen->free_count; j++) {
                out->covariance[chosen->free[i]][chosen->free[j]] += part[i] * part[j] * variance;
            }
        }
    }
}

/* ---- which to leave out ---------------------------------------------------------------------- */

static bool are_enough(const struct dyno_regression_work *work, uint32_t count)
{
    const struct dyno_regression *regression = work->regression;

    return regression->sample_count >= (size_t)regression->samples_min * count &&
           regression->cluster_count >= count + 2;
}

static void find_effects(const struct dyno_regression_work *work,
                         struct dyno_regression_result *out)
{
    for (uint32_t i = 0; i < work->regression->count; i++) {
        out->effect[i] =
            dyno_sqrt(dyno_regression_product(work, i, i) / (double)work->regression->sample_count);
    }
}

/* How far a free parameter is beyond what is allowed; above 1: it must go.  Where something pulls,
 * who is known no better than before may stay if the samples still moved it: it explains what the
 * others would have to. */
static double excess(const struct dyno_regression_work *work,
                     const struct dyno_regression_result *out, uint32_t which, bool enough)
{
    const struct dyno_regression *regression = work->regression;
    double deviation = dyno_sqrt(out->covariance[which][which]);
    double moved = size_of(work->at[which] - regression->start[which]);

    if (out->effect[which] < EFFECT_MIN) {
        return 1e6 / (out->effect[which] + 1e-9);
    }
    if (!enough) { /* who explains least goes first */
        return 1e3 / (moved * out->effect[which] + 1e-3);
    }
    if (regression->independent > 0) {
        return moved < MOVED * deviation ? deviation / (NEWS * regression->limit[which])
                                         : deviation / VAGUE;
    }
    return deviation / regression->limit[which];
}

/* Who must go; MAX: nobody.  Of equals, the one named last. */
static uint32_t find_worst(const struct dyno_regression_work *work,
                           const struct dyno_regression_chosen *chosen, bool apart, bool enough,
                           const struct dyno_regression_result *out)
{
    uint32_t leave = MAX;
    double worst = 0;

    for (uint32_t i = 0; i < chosen->free_count; i++) {
        double beyond = excess(work, out, chosen->free[i], enough);

        if (beyond >= worst && (beyond > 1 || !enough || !apart)) {
            worst = beyond;
            leave = chosen->free[i];
        }
    }
    return leave;
}

/* Say what the free parameters show at the present point, and let the worst go, if it must. */
static dyno_status judge(struct dyno_regression_work *work, struct dyno_regression_result *out,
                         bool *left)
{
    double inverse[FREE_MAX][FREE_MAX] = {{0}}, covariance[FREE_MAX][FREE_MAX] = {{0}};
    struct dyno_regression_chosen chosen = dyno_regression_chosen(work);
    bool enough = are_enough(work, chosen.free_count), apart = true;
    uint32_t worst;

    if (enough && chosen.free_count > 0) {
        DYNO_TRY(free_covariance(work, &chosen, inverse, covariance, &apart));
    }
    add_priors(work, &chosen, inverse, covariance, out);
    worst = find_worst(work, &chosen, apart, enough, out);
    *left = worst < MAX;
    if (*left) {
        work->is_free[worst] = false;
        out->determined[worst] = out->effect[worst] < EFFECT_MIN ? DYNO_WITHOUT_EFFECT
                                 : enough                        ? DYNO_TOO_VAGUE
                                                                 : DYNO_TOO_FEW;
        out->left_at[worst] = apart ? dyno_sqrt(out->covariance[worst][worst]) : 1;
    }
    return DYNO_OK;
}

/* ---- public ---------------------------------------------------------------------------------- */

static dyno_status look(struct dyno_regression_work *work, struct dyno_regression_result *out)
{
    dyno_regression_evaluate(work, work->at, work->errors);
    dyno_regression_slopes(work);
    out->mean_error = dyno_regression_mean(work, work->errors);
    find_effects(work, out);
    return work->status;
}

/* Those that nothing can be said of go before the first search. */
static dyno_status begin(struct dyno_regression_work *work, struct dyno_regression_result *out)
{
    const struct dyno_regression *regression = work->regression;

    memset(out, 0, sizeof *out);
    memcpy(work->at, regression->start, sizeof work->at);
    DYNO_TRY(look(work, out));
    out->start_error = out->mean_error;
    for (uint32_t i = 0; i < regression->count; i++) {
        work->is_free[i] = !regression->is_fixed[i] && out->effect[i] >= IDLE;
        out->determined[i] = regression->is_fixed[i] ? DYNO_NOT_ASKED
                             : work->is_free[i]      ? DYNO_DETERMINED
                                                     : DYNO_WITHOUT_EFFECT;
    }
    return DYNO_OK;
}

/* Who leaves goes back to where it began, and so does the search.  A search of a rough model is
 * dear: there all leave whom the others, where they are, tell to. */
static dyno_status fit(struct dyno_regression_work *work, struct dyno_regression_result *out)
{
    bool any, left;

    DYNO_TRY(begin(work, out));
    do {
        memcpy(work->at, work->regression->start, sizeof work->at);
        dyno_regression_search(work);
        DYNO_TRY(look(work, out));
        any = false;
        do {
            DYNO_TRY(judge(work, out, &left));
            any = any || left;
        } while (left && work->regression->is_rough);
    } while (any);
    memcpy(out->at, work->at, sizeof out->at);
    return DYNO_OK;
}

dyno_status dyno_regression_fit(struct dyno_regression_result *out,
                                const struct dyno_regression *regression, struct dyno_error *error)
{
    struct dyno_regression_work work = {.regression = regression, .error = error};
    size_t count = regression->sample_count;
    double *room = calloc((regression->count + 3) * (count + 1), sizeof *room);
    dyno_status status;

    if (!room) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    work.errors = room;
    work.shifted = room + count;
    work.other = room + 2 * count;
    work.slopes = room + 3 * count;
    status = fit(&work, out);
    free(room);
    return status;
}

/* Search, slopes, covariance; leave out the worst; again. */
#include "sim/regression.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/math.h"

enum { MAX = DYNO_REGRESSION_MAX, FREE_MAX = DYNO_SIMPLEX_MAX };

#define EFFECT_MIN 0.01  /* so much of the time, at least, must change with a parameter */
#define CLOCK      0.002 /* no measurement is better than this, relative */
#define NOWHERE    1e9   /* worse than any mean error */

struct work {
    const struct dyno_regression *regression;
    double at[MAX]; /* of all parameters; those that are fixed stay */
    bool is_free[MAX];
    double *errors, *shifted, *other; /* [sample_count] each */
    double *slopes;                   /* [count][sample_count] */
    dyno_status status;
    struct dyno_error *error;
};

static double size_of(double value)
{
    return value < 0 ? -value : value;
}

/* ---- searching ------------------------------------------------------------------------------- */

/* Spread the free ones' values over all parameters. */
static void place(const struct work *work, const double *from, double *at)
{
    uint32_t taken = 0;

    for (uint32_t i = 0; i < work->regression->count; i++) {
        at[i] = work->is_free[i] ? from[taken++] : work->at[i];
    }
}

static uint32_t gather(const struct work *work, double *out)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < work->regression->count; i++) {
        if (work->is_free[i]) {
            out[count++] = work->at[i];
        }
    }
    return count;
}

static double mean_size(const struct work *work, const double *errors)
{
    double sum = 0;

    for (size_t i = 0; i < work->regression->sample_count; i++) {
        sum += size_of(errors[i]);
    }
    return sum / (double)work->regression->sample_count;
}

static void evaluate(struct work *work, const double *at, double *out)
{
    if (work->status == DYNO_OK) {
        work->status = work->regression->errors(work->regression->context, at, out, work->error);
    }
    if (work->status != DYNO_OK) {
        memset(out, 0, work->regression->sample_count * sizeof *out);
    }
}

static double value_at(const void *context, const double *from)
{
    struct work *work = *(struct work *const *)context;
    double at[MAX];

    place(work, from, at);
    evaluate(work, at, work->shifted);
    return work->status == DYNO_OK ? mean_size(work, work->shifted) : NOWHERE;
}

static void search(struct work *work)
{
    double from[FREE_MAX] = {0};
    struct dyno_simplex_problem simplex = {
        .count = gather(work, from),
        .value = value_at,
        .context = (const void *)&work,
        .step = work->regression->step,
        .rounds = work->regression->rounds,
    };

    if (simplex.count == 0) {
        return;
    }
    (void)dyno_simplex(&simplex, from);
    simplex.step /= 3; /* once more, from where it got stuck */
    (void)dyno_simplex(&simplex, from);
    place(work, from, work->at);
}

/* ---- slopes and sums of products ------------------------------------------------------------- */

static void find_slopes(struct work *work)
{
    const struct dyno_regression *regression = work->regression;

    for (uint32_t i = 0; i < regression->count; i++) {
        double *slopes = work->slopes + i * regression->sample_count;
        double at[MAX];

        memcpy(at, work->at, sizeof at);
        at[i] = work->at[i] + regression->slope_step;
        evaluate(work, at, work->shifted);
        at[i] = work->at[i] - regression->slope_step;
        evaluate(work, at, work->other);
        for (size_t j = 0; j < regression->sample_count; j++) {
            slopes[j] = (work->shifted[j] - work->other[j]) / (2 * regression->slope_step);
        }
    }
}

static double product_of(const struct work *work, uint32_t i, uint32_t j)
{
    size_t count = work->regression->sample_count;
    const double *left = work->slopes + i * count, *right = work->slopes + j * count;
    double sum = 0;

    for (size_t k = 0; k < count; k++) {
        sum += left[k] * right[k];
    }
    return sum;
}

/* Gauss and Jordan; false: singular, as far as can be told. */
static bool invert(double matrix[FREE_MAX][FREE_MAX], uint32_t count)
{
    double scale[FREE_MAX];

    for (uint32_t i = 0; i < count; i++) {
        scale[i] = matrix[i][i];
    }
    for (uint32_t pivot = 0; pivot < count; pivot++) {
        double divisor = matrix[pivot][pivot];

        if (!(divisor > 1e-7 * scale[pivot])) {
            return false;
        }
        matrix[pivot][pivot] = 1;
        for (uint32_t j = 0; j < count; j++) {
            matrix[pivot][j] /= divisor;
        }
        for (uint32_t i = 0; i < count; i++) {
            double factor = matrix[i][pivot];

            if (i == pivot) {
                continue;
            }
            matrix[i][pivot] = 0;
            for (uint32_t j = 0; j < count; j++) {
                matrix[i][j] -= factor * matrix[pivot][j];
            }
        }
    }
    return true;
}

/* out = left x middle x left', all [count]. */
static void sandwich(double left[FREE_MAX][FREE_MAX], double middle[FREE_MAX][FREE_MAX],
                     uint32_t count, double out[FREE_MAX][FREE_MAX])
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < count; j++) {
            out[i][j] = 0;
            for (uint32_t k = 0; k < count; k++) {
                for (uint32_t l = 0; l < count; l++) {
                    out[i][j] += left[i][k] * middle[k][l] * left[j][l];
                }
            }
        }
    }
}

/* ---- covariance ------------------------------------------------------------------------------ */

/* Which parameters are free, by their places. */
struct chosen {
    uint32_t free[FREE_MAX], fixed[MAX], free_count, fixed_count;
};

static struct chosen chosen_of(const struct work *work)
{
    struct chosen chosen = {.free_count = 0};

    for (uint32_t i = 0; i < work->regression->count; i++) {
        if (work->is_free[i]) {
            chosen.free[chosen.free_count++] = i;
        } else {
            chosen.fixed[chosen.fixed_count++] = i;
        }
    }
    return chosen;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double median_size(struct work *work)
{
    size_t count = work->regression->sample_count;

    for (size_t i = 0; i < count; i++) {
        work->shifted[i] = size_of(work->errors[i]);
    }
    qsort(work->shifted, count, sizeof *work->shifted, by_value);
    return work->shifted[count / 2];
}

/* The sum over clusters of s s', s the sum of sign(error) x slopes in one. */
static dyno_status add_clusters(const struct work *work, const struct chosen *chosen,
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

/* Covariance of the free ones, the fixed ones taken as exact; *apart is false if they cannot be
 * told apart.  `inverse` is left as (J'J)^-1. */
static dyno_status free_covariance(struct work *work, const struct chosen *chosen,
                                   double inverse[FREE_MAX][FREE_MAX],
                                   double out[FREE_MAX][FREE_MAX], bool *apart)
{
    double middle[FREE_MAX][FREE_MAX] = {{0}}, median = median_size(work);
    double groups = work->regression->cluster_count, scale;

    for (uint32_t i = 0; i < chosen->free_count; i++) {
        for (uint32_t j = 0; j < chosen->free_count; j++) {
            inverse[i][j] = product_of(work, chosen->free[i], chosen->free[j]);
        }
    }
    *apart = invert(inverse, chosen->free_count);
    if (!*apart) {
        return DYNO_OK;
    }
    median = median > CLOCK ? median : CLOCK;
    scale = 4 * median * median * groups / (groups - chosen->free_count);
    DYNO_TRY(add_clusters(work, chosen, middle));
    sandwich(inverse, middle, chosen->free_count, out);
    for (uint32_t i = 0; i < chosen->free_count; i++) {
        for (uint32_t j = 0; j < chosen->free_count; j++) {
            out[i][j] = scale * out[i][j] + CLOCK * CLOCK * inverse[i][j];
        }
    }
    return DYNO_OK;
}

/* What the fixed ones' priors do to the free ones: a free one that was fitted beside a fixed one
 * that is off by u is off by -B u, B = (J'J)^-1 J' (slopes of the fixed one). */
static void add_priors(const struct work *work, const struct chosen *chosen,
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
                part[i] += inverse[i][j] * product_of(work, chosen->free[j], fixed);
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

/* How far a free parameter is beyond what is allowed; above 1: it must go. */
static double excess(const struct work *work, const struct dyno_regression_result *out,
                     uint32_t which, bool apart)
{
    if (!apart || out->effect[which] < EFFECT_MIN) {
        return 1e6 / (out->effect[which] + 1e-9);
    }
    return dyno_sqrt(out->covariance[which][which]) / work->regression->limit[which];
}

static bool are_enough(const struct work *work, uint32_t count)
{
    const struct dyno_regression *regression = work->regression;

    return regression->sample_count >= (size_t)regression->samples_min * count &&
           regression->cluster_count >= count + 2;
}

static void find_effects(const struct work *work, struct dyno_regression_result *out)
{
    for (uint32_t i = 0; i < work->regression->count; i++) {
        out->effect[i] = dyno_sqrt(product_of(work, i, i) / (double)work->regression->sample_count);
    }
}

/* Who must go, and why, as out->determined and out->left_at; MAX: nobody.  Of equals, the one named
 * last. */
static uint32_t find_worst(const struct work *work, const struct chosen *chosen, bool apart,
                           bool enough, struct dyno_regression_result *out)
{
    uint32_t leave = MAX;
    double worst = 0;

    for (uint32_t i = 0; i < chosen->free_count; i++) {
        double beyond = excess(work, out, chosen->free[i], apart);

        if (beyond >= worst && (beyond > 1 || !enough)) {
            worst = beyond;
            leave = chosen->free[i];
        }
    }
    if (leave < MAX) {
        out->determined[leave] = out->effect[leave] < EFFECT_MIN ? DYNO_WITHOUT_EFFECT
                                 : enough                        ? DYNO_TOO_VAGUE
                                                                 : DYNO_TOO_FEW;
        out->left_at[leave] = apart ? dyno_sqrt(out->covariance[leave][leave]) : 1;
    }
    return leave;
}

/* Everything that is said at the present point; *leave is who must go, or MAX. */
static dyno_status judge(struct work *work, struct dyno_regression_result *out, uint32_t *leave)
{
    double inverse[FREE_MAX][FREE_MAX] = {{0}}, covariance[FREE_MAX][FREE_MAX] = {{0}};
    struct chosen chosen = chosen_of(work);
    bool enough = are_enough(work, chosen.free_count), apart = true;

    evaluate(work, work->at, work->errors);
    find_slopes(work);
    DYNO_TRY(work->status);
    out->mean_error = mean_size(work, work->errors);
    find_effects(work, out);
    if (enough && chosen.free_count > 0) {
        DYNO_TRY(free_covariance(work, &chosen, inverse, covariance, &apart));
    }
    add_priors(work, &chosen, inverse, covariance, out);
    *leave = find_worst(work, &chosen, apart, enough, out);
    return DYNO_OK;
}

/* ---- public ---------------------------------------------------------------------------------- */

/* Those without effect go before the first search. */
static void leave_the_idle(struct work *work, struct dyno_regression_result *out)
{
    find_slopes(work);
    find_effects(work, out);
    for (uint32_t i = 0; i < work->regression->count; i++) {
        if (work->is_free[i] && out->effect[i] < EFFECT_MIN) {
            work->is_free[i] = false;
            out->determined[i] = DYNO_WITHOUT_EFFECT;
        }
    }
}

static dyno_status fit(struct work *work, struct dyno_regression_result *out)
{
    const struct dyno_regression *regression = work->regression;
    uint32_t leave = MAX;

    memset(out, 0, sizeof *out);
    memcpy(work->at, regression->start, sizeof work->at);
    for (uint32_t i = 0; i < regression->count; i++) {
        work->is_free[i] = !regression->is_fixed[i];
        out->determined[i] = regression->is_fixed[i] ? DYNO_NOT_ASKED : DYNO_DETERMINED;
    }
    evaluate(work, work->at, work->errors);
    out->start_error = mean_size(work, work->errors);
    leave_the_idle(work, out);
    do {
        if (leave < MAX) {
            work->is_free[leave] = false;
            memcpy(work->at, regression->start, sizeof work->at);
        }
        search(work);
        DYNO_TRY(work->status);
        DYNO_TRY(judge(work, out, &leave));
    } while (leave < MAX);
    memcpy(out->at, work->at, sizeof out->at);
    return DYNO_OK;
}

dyno_status dyno_regression_fit(struct dyno_regression_result *out,
                                const struct dyno_regression *regression, struct dyno_error *error)
{
    struct work work = {.regression = regression, .error = error};
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

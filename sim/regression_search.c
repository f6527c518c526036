/* Where the mean error is least: steps along the slopes, then a simplex. */
#include <string.h>

#include "core/base/math.h"
#include "sim/regression_parts.h"
#include "sim/symmetric.h"

enum { MAX = DYNO_REGRESSION_MAX, FREE_MAX = DYNO_SIMPLEX_MAX };

#define NOWHERE      1e9 /* worse than any mean error */
#define STEP_MAX     0.7
#define HELPS        0.001 /* a step that gains less is none */
#define REACH_ERRORS 0.1
#define REACH_MAX    0.5

static double size_of(double value)
{
    return value < 0 ? -value : value;
}

/* ---- evaluating ------------------------------------------------------------------------------ */

double dyno_regression_mean(const struct dyno_regression_work *work, const double *errors)
{
    double sum = 0;

    for (size_t i = 0; i < work->regression->sample_count; i++) {
        sum += size_of(errors[i]);
    }
    return sum / (double)work->regression->sample_count;
}

void dyno_regression_evaluate(struct dyno_regression_work *work, const double *at, double *out)
{
    if (work->status == DYNO_OK) {
        work->status = work->regression->errors(work->regression->context, at, out, work->error);
    }
    if (work->status != DYNO_OK) {
        memset(out, 0, work->regression->sample_count * sizeof *out);
    }
}

/* ---- slopes ---------------------------------------------------------------------------------- */

/* The difference of the errors `by` to either side of parameter `i`, over the distance. */
static void difference(struct dyno_regression_work *work, uint32_t i, double by, double *out)
{
    double at[MAX];

    memcpy(at, work->at, sizeof at);
    at[i] = work->at[i] + by;
    dyno_regression_evaluate(work, at, out);
    at[i] = work->at[i] - by;
    dyno_regression_evaluate(work, at, work->other);
    for (size_t j = 0; j < work->regression->sample_count; j++) {
        out[j] = (out[j] - work->other[j]) / (2 * by);
    }
}

/* A rough model (a queue decides, and a hair's breadth may decide otherwise) has slopes only over
 * some distance: as far as the errors change by a tenth.  Two differences, over all of the distance
 * h and over half, have noise of variance d / 2 h^2 and 2 d / h^2 if errors have one of d: their
 * mean, weighed by that, has 0.4 d / h^2, and they themselves are apart by 2.5 d / h^2. */
static void rough_slope(struct dyno_regression_work *work, uint32_t i)
{
    size_t count = work->regression->sample_count;
    double *slopes = work->slopes + i * count;
    double apart = 0, squares = 0, effect;

    difference(work, i, work->reach[i], slopes);
    difference(work, i, work->reach[i] / 2, work->shifted);
    for (size_t j = 0; j < count; j++) {
        double between = slopes[j] - work->shifted[j];

        apart += between * between / (double)count;
        slopes[j] = (4 * slopes[j] + work->shifted[j]) / 5;
        squares += slopes[j] * slopes[j] / (double)count;
    }
    work->slope_noise[i] = apart * 0.4 / 2.5;
    effect = dyno_sqrt(squares) + 1e-9;
    work->reach[i] = REACH_ERRORS / effect;
    work->reach[i] = work->reach[i] < work->regression->slope_step ? work->regression->slope_step
                     : work->reach[i] > REACH_MAX                  ? REACH_MAX
                                                                   : work->reach[i];
}

void dyno_regression_slopes(struct dyno_regression_work *work)
{
    for (uint32_t i = 0; i < work->regression->count; i++) {
        bool known = work->regression->is_fixed[i] && work->has_slopes[i];

        if (known) {
            continue;
        }
        if (!work->has_slopes[i]) {
            work->reach[i] = work->regression->slope_step;
        }
        if (!work->regression->is_rough) {
            difference(work, i, work->reach[i], work->slopes + i * work->regression->sample_count);
        } else {
            for (int again = work->has_slopes[i]; again < 2; again++) {
                rough_slope(work, i); /* the first time only tells how far to reach */
            }
        }
        work->has_slopes[i] = true;
    }
}

double dyno_regression_product(const struct dyno_regression_work *work, uint32_t i, uint32_t j)
{
    size_t count = work->regression->sample_count;
    const double *left = work->slopes + i * count, *right = work->slopes + j * count;
    double sum = i == j ? -work->slope_noise[i] * (double)count : 0;

    for (size_t k = 0; k < count; k++) {
        sum += left[k] * right[k];
    }
    return i == j && sum < 0 ? 0 : sum;
}

struct dyno_regression_chosen dyno_regression_chosen(const struct dyno_regression_work *work)
{
    struct dyno_regression_chosen chosen = {.free_count = 0};

    for (uint32_t i = 0; i < work->regression->count; i++) {
        if (work->is_free[i]) {
            chosen.free[chosen.free_count++] = i;
        } else {
            chosen.fixed[chosen.fixed_count++] = i;
        }
    }
    return chosen;
}

double dyno_regression_pull(const struct dyno_regression *regression)
{
    return regression->independent > 0 ? DYNO_REGRESSION_TYPICAL / regression->independent : 0;
}

/* What the parameters' distance from where they began costs. */
static double cost_of(const struct dyno_regression_work *work, const double *at)
{
    const struct dyno_regression *regression = work->regression;
    double cost = 0;

    for (uint32_t i = 0; i < regression->count; i++) {
        if (work->is_free[i]) {
            double distance = (at[i] - regression->start[i]) / regression->limit[i];

            cost += dyno_regression_pull(regression) * distance * distance / 2;
        }
    }
    return cost;
}

/* ---- steps along the slopes ------------------------------------------------------------------ */

/* Solve (J'WJ + damping x its diagonal) step = -J'We, w = 1 / |e + J step| of the step before,
 * which makes least squares of least absolute errors.  False: singular. */
static bool solve(const struct dyno_regression_work *work,
                  const struct dyno_regression_chosen *chosen, double damping, double *step)
{
    const struct dyno_regression *regression = work->regression;
    double matrix[FREE_MAX][FREE_MAX] = {{0}}, right[FREE_MAX] = {0}, slopes[FREE_MAX];
    size_t count = regression->sample_count;

    for (size_t k = 0; k < count; k++) {
        double left = work->errors[k];

        for (uint32_t i = 0; i < chosen->free_count; i++) {
            slopes[i] = work->slopes[chosen->free[i] * count + k];
            left += slopes[i] * step[i];
        }
        left = size_of(left) > DYNO_REGRESSION_CLOCK ? size_of(left) : DYNO_REGRESSION_CLOCK;
        for (uint32_t i = 0; i < chosen->free_count; i++) {
            right[i] -= slopes[i] * work->errors[k] / left;
            for (uint32_t j = 0; j < chosen->free_count; j++) {
                matrix[i][j] += slopes[i] * slopes[j] / left;
            }
        }
    }
    for (uint32_t i = 0; i < chosen->free_count; i++) {
        uint32_t which = chosen->free[i];
        double limit = regression->limit[which];
        double pull = (double)count * dyno_regression_pull(regression) / (limit * limit);

        matrix[i][i] *= 1 + damping;
        matrix[i][i] += pull;
        right[i] -= pull * (work->at[which] - regression->start[which]);
    }
    if (!dyno_symmetric_invert(matrix, chosen->free_count)) {
        return false;
    }
    for (uint32_t i = 0; i < chosen->free_count; i++) {
        step[i] = 0;
        for (uint32_t j = 0; j < chosen->free_count; j++) {
            step[i] += matrix[i][j] * right[j];
        }
    }
    return true;
}

/* Differences over as far as is known to do. */
static void newton_slopes(struct dyno_regression_work *work,
                          const struct dyno_regression_chosen *chosen)
{
    for (uint32_t i = 0; i < chosen->free_count; i++) {
        uint32_t which = chosen->free[i];

        difference(work, which, work->reach[which],
                   work->slopes + which * work->regression->sample_count);
    }
}

/* Move all parameters along `step`, none by more than a factor of two.  Returns the mean error
 * there. */
static double try_step(struct dyno_regression_work *work,
                       const struct dyno_regression_chosen *chosen, const double *step, double *at)
{
    memcpy(at, work->at, sizeof work->at);
    for (uint32_t i = 0; i < chosen->free_count; i++) {
        double by = step[i] > STEP_MAX ? STEP_MAX : step[i] < -STEP_MAX ? -STEP_MAX : step[i];

        at[chosen->free[i]] += by;
    }
    dyno_regression_evaluate(work, at, work->shifted);
    return work->status == DYNO_OK ? dyno_regression_mean(work, work->shifted) + cost_of(work, at)
                                   : NOWHERE;
}

/* One step, shorter and shorter until it helps.  False: none does. */
static bool newton_step(struct dyno_regression_work *work,
                        const struct dyno_regression_chosen *chosen)
{
    enum { REWEIGHT = 12, TRIES = 4 };
    double damping = 1e-3, before;

    dyno_regression_evaluate(work, work->at, work->errors);
    before = dyno_regression_mean(work, work->errors) + cost_of(work, work->at);
    newton_slopes(work, chosen);
    for (int i = 0; i < TRIES && work->status == DYNO_OK; i++) {
        double step[FREE_MAX] = {0}, at[MAX];
        bool solved = true;

        for (int j = 0; j < REWEIGHT && solved; j++) {
            solved = solve(work, chosen, damping, step);
        }
        if (solved && try_step(work, chosen, step, at) < before * (1 - HELPS)) {
            memcpy(work->at, at, sizeof work->at);
            return true;
        }
        damping *= 30;
    }
    return false;
}

/* ---- searching ------------------------------------------------------------------------------- */

/* Spread the free ones' values over all parameters. */
static void place(const struct dyno_regression_work *work, const double *from, double *at)
{
    uint32_t taken = 0;

    for (uint32_t i = 0; i < work->regression->count; i++) {
        at[i] = work->is_free[i] ? from[taken++] : work->at[i];
    }
}

static uint32_t gather(const struct dyno_regression_work *work, double *out)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < work->regression->count; i++) {
        if (work->is_free[i]) {
            out[count++] = work->at[i];
        }
    }
    return count;
}

static double value_at(const void *context, const double *from)
{
    struct dyno_regression_work *work = *(struct dyno_regression_work *const *)context;
    double at[MAX];

    place(work, from, at);
    dyno_regression_evaluate(work, at, work->shifted);
    return work->status == DYNO_OK ? dyno_regression_mean(work, work->shifted) + cost_of(work, at)
                                   : NOWHERE;
}

void dyno_regression_search(struct dyno_regression_work *work)
{
    struct dyno_regression_chosen chosen = dyno_regression_chosen(work);
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
    for (uint32_t i = 0; i < work->regression->newton_max && newton_step(work, &chosen); i++) {
    }
    (void)gather(work, from);
    (void)dyno_simplex(&simplex, from);
    simplex.step /= 3; /* once more, from where it got stuck */
    (void)dyno_simplex(&simplex, from);
    place(work, from, work->at);
}

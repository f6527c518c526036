/* The model-based search: Bayesian optimisation.
 *
 * First points are drawn.  From then on a surrogate of the goal and one of each limit are fitted to
 * what was found, and the point is tried that promises most: the expected improvement of the goal
 * (Jones, Schonlau and Welch, 1998) times the probability that every limit is kept (Gardner and
 * others, 2014); as long as no point keeps to them, that probability alone.  Several points are
 * chosen at a time, so that there is work for several processors: each of them is believed to come
 * out as expected while the next is chosen (Ginsbourger and others, 2010).  How many that are is
 * fixed, for the points must not depend on the machine.
 *
 * Of several goals each choice looks at another mixture of them: the augmented Chebyshev distance
 * with weights that are drawn (Knowles, 2006), so that the whole front is looked for. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/tune/draw.h"
#include "cli/tune/surrogate.h"
#include "cli/tune/tune.h"
#include "core/base/math.h"

enum { FIRST_MIN = 8, AT_A_TIME = 4, TRIALS = 60, TRIALS_MAX = 500 };
enum { GLOBAL_CALLS = 400, LOCAL_CALLS = 80, CANDIDATES = 200 };
enum { D = DYNO_TUNE_DIMENSIONS_MAX, SURROGATES = 1 + DYNO_TUNE_LIMITS_MAX };

_Static_assert((int)TRIALS_MAX <= (int)DYNO_SURROGATE_POINTS_MAX, "a surrogate holds all points");

struct model {
    struct dyno_tune *tune;
    struct dyno_optimiser *optimiser;
    struct dyno_rng rng;
    struct dyno_surrogate *surrogates[SURROGATES]; /* of the goal, and of each limit */
    double *points;             /* [TRIALS_MAX][dimensions] as surrogates take them */
    double *values[SURROGATES]; /* [TRIALS_MAX]: more is better; of a limit: at least 0 */
    uint32_t count;             /* known, and believed */
    bool is_any_good;           /* a point keeps to all limits ... */
    double best;                /* ... and the best of those has this value */
    double weights[DYNO_TUNE_GOALS_MAX];
};

static uint32_t surrogate_count(const struct model *model)
{
    return 1 + model->tune->aims.limit_count;
}

/* ---- coordinates ----------------------------------------------------------------------------- */

static bool is_name(const struct dyno_tune_dimension *dimension)
{
    return !dimension->is_range && !dimension->is_ordered;
}

/* Where a value lies, as surrogates take it: 0 ... 1, or the index of a name. */
static void to_box(const struct dyno_tune_space *space, const double *at, double *out)
{
    for (uint32_t i = 0; i < space->count; i++) {
        const struct dyno_tune_dimension *dimension = &space->items[i];

        out[i] = dimension->is_range || is_name(dimension) || dimension->value_count == 1
                     ? at[i]
                     : at[i] / (dimension->value_count - 1);
    }
}

/* From a box of unit sides: a value of a list is as wide as any other. */
static void from_unit(const struct dyno_tune_space *space, const double *unit, double *at)
{
    for (uint32_t i = 0; i < space->count; i++) {
        const struct dyno_tune_dimension *dimension = &space->items[i];
        double last = dimension->value_count - 1;

        at[i] = unit[i];
        if (!dimension->is_range) {
            at[i] = (double)(uint32_t)(unit[i] * dimension->value_count);
            at[i] = at[i] < last ? at[i] : last;
        }
    }
}

/* ---- what was found -------------------------------------------------------------------------- */

static bool is_judged(const struct dyno_tune_trial *trial)
{
    return isfinite(trial->excess);
}

/* A metric as it is modelled: times and counts that are above 0 by their logarithm. */
static double modelled(const struct dyno_gate_metric *metric, double value)
{
    return metric->unit != DYNO_GATE_SHARE && value > 0.0 ? dyno_log(value) : value;
}

static double goal_of(const struct model *model, const struct dyno_tune_trial *trial, uint32_t goal)
{
    const struct dyno_tune_goal *about = &model->tune->aims.goals[goal];

    return about->sign * modelled(&about->metric, trial->result.metrics[goal]);
}

static double room_of(const struct model *model, const struct dyno_tune_trial *trial,
                      uint32_t limit)
{
    const struct dyno_tune_limit *about = &model->tune->aims.limits[limit];
    double value = trial->result.metrics[model->tune->aims.goal_count + limit];
    double room = about->bound > 0.0 && value > 0.0
                      ? modelled(&about->metric, about->bound) - modelled(&about->metric, value)
                      : about->bound - value;

    return about->is_upper ? room : -room;
}

/* The least and the greatest of a goal among trials that were judged. */
static void range_of(const struct model *model, uint32_t goal, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (uint32_t i = 1; i < model->tune->trial_count; i++) {
        if (is_judged(model->tune->trials[i])) {
            double value = goal_of(model, model->tune->trials[i], goal);

            *low = value < *low ? value : *low;
            *high = value > *high ? value : *high;
        }
    }
}

/* One number of all goals. */
static double mixture_of(const struct model *model, const struct dyno_tune_trial *trial)
{
    double least = INFINITY, sum = 0.0;

    if (model->tune->aims.goal_count == 1) {
        return goal_of(model, trial, 0);
    }
    for (uint32_t i = 0; i < model->tune->aims.goal_count; i++) {
        double low, high, share;

        range_of(model, i, &low, &high);
        share = high > low ? (goal_of(model, trial, i) - low) / (high - low) : 1.0;
        share = model->weights[i] * (share - 1.0);
        least = share < least ? share : least;
        sum += share;
    }
    return least + 0.05 * sum;
}

/* A point that could not be judged is as bad as the worst that could. */
static void fill_unjudged(struct model *model, uint32_t which, const bool *is_filled)
{
    double worst = INFINITY;

    for (uint32_t i = 0; i < model->count; i++) {
        worst = is_filled[i] && model->values[which][i] < worst ? model->values[which][i] : worst;
    }
    for (uint32_t i = 0; i < model->count; i++) {
        if (!is_filled[i]) {
            model->values[which][i] = isfinite(worst) ? worst : 0.0;
        }
    }
}

static void gather(struct model *model)
{
    const struct dyno_tune *tune = model->tune;
    bool is_filled[DYNO_SURROGATE_POINTS_MAX];

    model->count = 0;
    model->is_any_good = false;
    for (uint32_t i = 1; i < tune->trial_count && model->count < TRIALS_MAX; i++) {
        const struct dyno_tune_trial *trial = tune->trials[i];
        uint32_t at = model->count++;

        to_box(&tune->space, trial->point.at, model->points + (size_t)at * tune->space.count);
        is_filled[at] = is_judged(trial);
        if (!is_filled[at]) {
            continue;
        }
        model->values[0][at] = mixture_of(model, trial);
        for (uint32_t j = 0; j < tune->aims.limit_count; j++) {
            model->values[1 + j][at] = room_of(model, trial, j);
        }
        if (!(trial->excess > 0.0) && (!model->is_any_good || model->values[0][at] > model->best)) {
            model->is_any_good = true;
            model->best = model->values[0][at];
        }
    }
    for (uint32_t i = 0; i < surrogate_count(model); i++) {
        fill_unjudged(model, i, is_filled);
    }
}

static dyno_status learn(struct model *model, const struct dyno_optimiser *optimiser,
                         struct dyno_error *error)
{
    for (uint32_t i = 0; i < surrogate_count(model); i++) {
        DYNO_TRY(dyno_surrogate_learn(model->surrogates[i], model->points, model->values[i],
                                      model->count, optimiser, error));
    }
    return DYNO_OK;
}

/* ---- what to try next ------------------------------------------------------------------------ */

static double promise_at(const struct model *model, const double *at)
{
    double box[D], mean, deviation, promise = 1.0;

    to_box(&model->tune->space, at, box);
    if (model->is_any_good) {
        dyno_surrogate_predict(model->surrogates[0], box, &mean, &deviation);
        promise = dyno_expected_improvement(mean, deviation, model->best);
    }
    for (uint32_t i = 1; i < surrogate_count(model); i++) {
        dyno_surrogate_predict(model->surrogates[i], box, &mean, &deviation);
        promise *= dyno_probability_above(mean, deviation);
    }
    return promise;
}

/* The same of a point in the unit box; its logarithm, so that very small ones still lead uphill. */
static double promise_of(void *context, const double *unit)
{
    const struct model *model = context;
    double at[D], promise;

    from_unit(&model->tune->space, unit, at);
    promise = promise_at(model, at);
    return promise > 1e-300 ? dyno_log(promise) : -700.0;
}

/* The most promising of points that are drawn; *is_new is false where there is none left. */
static dyno_status choose_drawn(struct model *model, struct dyno_tune_point *out, bool *is_new,
                                struct dyno_error *error)
{
    double most = -1.0;

    *is_new = false;
    for (uint32_t i = 0; i < CANDIDATES; i++) {
        struct dyno_tune_point point;
        double promise;
        bool is_one;

        DYNO_TRY(dyno_tune_draw(model->tune, &model->rng, &point, &is_one, error));
        if (!is_one) {
            break;
        }
        promise = promise_at(model, point.at);
        if (promise > most) {
            if (*is_new) {
                dyno_tune_point_release(out);
            }
            *out = point;
            *is_new = true;
            most = promise;
        } else {
            dyno_tune_point_release(&point);
        }
    }
    return DYNO_OK;
}

static dyno_status choose(struct model *model, struct dyno_tune_point *out, bool *is_new,
                          struct dyno_error *error)
{
    double low[D] = {0}, high[D], unit[D], at[D];
    struct dyno_optimiser_task task = {.dimensions = model->tune->space.count,
                                       .low = low,
                                       .high = high,
                                       .function = promise_of,
                                       .context = model,
                                       .is_global = true,
                                       .calls_max = GLOBAL_CALLS};

    for (uint32_t i = 0; i < D; i++) {
        high[i] = 1.0;
        unit[i] = 0.5;
    }
    DYNO_TRY(dyno_optimiser_run(model->optimiser, &task, unit, error));
    task.is_global = false;
    task.calls_max = LOCAL_CALLS;
    DYNO_TRY(dyno_optimiser_run(model->optimiser, &task, unit, error));
    from_unit(&model->tune->space, unit, at);
    if (dyno_tune_space_at(&model->tune->space, at, out) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for a point");
    }
    *is_new = !dyno_tune_is_known(model->tune, out);
    if (*is_new) {
        return DYNO_OK;
    }
    dyno_tune_point_release(out);
    return choose_drawn(model, out, is_new, error);
}

/* The point is expected to come out as the surrogates say. */
static dyno_status believe(struct model *model, const struct dyno_tune_point *point,
                           struct dyno_error *error)
{
    uint32_t at = model->count;
    double *box = model->points + (size_t)at * model->tune->space.count, deviation;

    if (model->count == TRIALS_MAX) {
        return DYNO_OK;
    }
    to_box(&model->tune->space, point->at, box);
    for (uint32_t i = 0; i < surrogate_count(model); i++) {
        dyno_surrogate_predict(model->surrogates[i], box, &model->values[i][at], &deviation);
    }
    model->count++;
    return learn(model, NULL, error);
}

static void draw_weights(struct model *model)
{
    uint32_t goals = model->tune->aims.goal_count;
    double sum = 0.0;

    for (uint32_t i = 0; i < goals; i++) {
        model->weights[i] = dyno_rng_exponential(&model->rng);
        sum += model->weights[i];
    }
    for (uint32_t i = 0; i < goals; i++) {
        model->weights[i] /= sum;
    }
}

/* Choose up to `count` points and add them as trials. */
static dyno_status add_chosen(struct model *model, uint32_t count, struct dyno_error *error)
{
    struct dyno_tune *tune = model->tune;
    uint32_t first = tune->trial_count;
    bool is_new = true;

    for (uint32_t i = 0; i < count && is_new; i++) {
        struct dyno_tune_point point;

        if (i == 0) {
            draw_weights(model);
            gather(model);
            DYNO_TRY(learn(model, model->optimiser, error));
        }
        DYNO_TRY(choose(model, &point, &is_new, error));
        if (is_new) {
            if (!dyno_tune_add(tune, tune->points + 1, &point, 1.0)) {
                return dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the points");
            }
            DYNO_TRY(believe(model, &tune->trials[tune->trial_count - 1]->point, error));
        }
    }
    return dyno_tune_run(tune, first, error);
}

/* ---- the search ------------------------------------------------------------------------------ */

static dyno_status open_model(struct model *model, struct dyno_error *error)
{
    const struct dyno_tune_space *space = &model->tune->space;
    bool names[D], is_whole;

    for (uint32_t i = 0; i < space->count; i++) {
        names[i] = is_name(&space->items[i]);
    }
    assert(space->count > 0);
    model->points = malloc(TRIALS_MAX * (size_t)space->count * sizeof *model->points);
    is_whole = model->points != NULL;
    for (uint32_t i = 0; i < surrogate_count(model); i++) {
        model->values[i] = malloc(TRIALS_MAX * sizeof(double));
        model->surrogates[i] = dyno_surrogate_open(space->count, names);
        is_whole = is_whole && model->values[i] && model->surrogates[i];
    }
    return is_whole ? DYNO_OK : dyno_fail(error, DYNO_NO_MEMORY, "out of memory for the model");
}

static void close_model(struct model *model)
{
    for (uint32_t i = 0; i < SURROGATES; i++) {
        free(model->values[i]);
        dyno_surrogate_close(model->surrogates[i]);
    }
    free(model->points);
    dyno_optimiser_close(model->optimiser);
}

static dyno_status run_model(struct model *model, uint32_t trials, struct dyno_error *error)
{
    struct dyno_tune *tune = model->tune;
    uint32_t first = 2 * tune->space.count + 2, before = 0;

    first = first > FIRST_MIN ? first : FIRST_MIN;
    first = first < trials ? first : trials;
    DYNO_TRY(dyno_tune_add_drawn(tune, &model->rng, first, 1.0, error));
    DYNO_TRY(dyno_tune_run(tune, 1, error));
    while (tune->trial_count > before && tune->points < trials && tune->points >= first) {
        uint32_t left = trials - tune->points;

        before = tune->trial_count;
        DYNO_TRY(add_chosen(model, left < AT_A_TIME ? left : AT_A_TIME, error));
    }
    return DYNO_OK;
}

dyno_status dyno_tune_search_model(struct dyno_tune *tune, struct dyno_error *error)
{
    uint32_t trials = tune->options.trials > 0 ? tune->options.trials : TRIALS;
    struct model model = {.tune = tune};
    dyno_status status;

    if (trials > TRIALS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--search model tries %d points at most; --search random goes on",
                         TRIALS_MAX);
    }
    dyno_rng_init(&model.rng, tune->given.scenario.run.seed, "tune model");
    status = dyno_optimiser_open(&model.optimiser, error);
    if (status == DYNO_OK) {
        status = open_model(&model, error);
    }
    if (status == DYNO_OK) {
        status = run_model(&model, trials, error);
    }
    close_model(&model);
    return status;
}

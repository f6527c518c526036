/* What the search of a regression and its judgement share.  Internal to sim/. */
#ifndef DYNO_SIM_REGRESSION_PARTS_H
#define DYNO_SIM_REGRESSION_PARTS_H

#include "sim/regression.h"

#define DYNO_REGRESSION_CLOCK 0.002 /* no measurement is better than this, relative */

#define DYNO_REGRESSION_TYPICAL 0.01 /* the mean error at which samples count as `independent` */

/* A regression under way. */
struct dyno_regression_work {
    const struct dyno_regression *regression;
    double at[DYNO_REGRESSION_MAX]; /* of all parameters; those that are fixed stay */
    bool is_free[DYNO_REGRESSION_MAX];
    double *errors, *shifted, *other;        /* [sample_count] each */
    double *slopes;                          /* [count][sample_count] */
    double reach[DYNO_REGRESSION_MAX];       /* how far to either side slopes are taken */
    double slope_noise[DYNO_REGRESSION_MAX]; /* variance of a slope, where the model is rough */
    bool has_slopes[DYNO_REGRESSION_MAX];
    dyno_status status; /* of the model; once it failed nothing is evaluated */
    struct dyno_error *error;
};

/* Which parameters are free, by their places. */
struct dyno_regression_chosen {
    uint32_t free[DYNO_SIMPLEX_MAX], fixed[DYNO_REGRESSION_MAX], free_count, fixed_count;
};

struct dyno_regression_chosen dyno_regression_chosen(const struct dyno_regression_work *work);

/* The errors at `at` into out [sample_count]; zeros once the model failed. */
void dyno_regression_evaluate(struct dyno_regression_work *work, const double *at, double *out);

double dyno_regression_mean(const struct dyno_regression_work *work, const double *errors);

/* Slopes at work->at.  Those of parameters that are never fitted are taken but once. */
void dyno_regression_slopes(struct dyno_regression_work *work);

/* The sum over samples of the slopes' products, without what the roughness of the model adds. */
double dyno_regression_product(const struct dyno_regression_work *work, uint32_t i, uint32_t j);

/* What it costs, in mean error, that a parameter is off from where it began: half of this times the
 * square of its distance in limits. */
double dyno_regression_pull(const struct dyno_regression *regression);

/* Move the free parameters of work->at to where the mean error is least. */
void dyno_regression_search(struct dyno_regression_work *work);

#endif

/* Fitting few parameters to many measured times, and how well they are then known.
 *
 * Parameters are searched by their logarithms: what is least is the mean of
 * |log(predicted / measured)| over all samples, found by Nelder and Mead's simplex, after steps
 * that would be right if logarithms were linear in each other, where asked for.  A parameter
 * that the samples do not determine goes back to where it began and stays there, the one that is
 * known worst first, and the rest are searched again.
 *
 * Standard errors do not take the samples for independent: a model that is wrong for a shape is
 * wrong for its neighbours too, and a queue remembers.  Samples come in clusters (shapes alike,
 * requests that followed each other); only clusters are taken for independent.  With e the log
 * errors, J their slopes and m the median of |e|, the least absolute errors' covariance is
 *
 *     4 m^2 (J'J)^-1 [sum over clusters of s s'] (J'J)^-1 G / (G - k),   s = sum of sign(e) J
 *
 * (Huber, 1967; Powell's estimate of the density of e at 0 from the half of it within m), for k
 * parameters and G clusters, and never less than if every sample had an error of 0.2 % of its own:
 * a clock and a rounded figure are no better.  Slopes of a model that is not smooth have noise,
 * which would make parameters look easier to tell apart than they are: its part in J'J is taken
 * off.
 */
#ifndef DYNO_SIM_REGRESSION_H
#define DYNO_SIM_REGRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "sim/simplex.h"

enum { DYNO_REGRESSION_MAX = 48 };

/* Why a parameter is not fitted. */
enum dyno_determined {
    DYNO_DETERMINED,
    DYNO_WITHOUT_EFFECT, /* less than 1 % of the times changes with it */
    DYNO_TOO_VAGUE,      /* its standard error is above its limit */
    DYNO_TOO_FEW,        /* clusters, or samples */
    DYNO_NOT_ASKED,      /* it was fixed */
};

struct dyno_regression {
    uint32_t count;                     /* of parameters */
    bool is_fixed[DYNO_REGRESSION_MAX]; /* never fitted: it only counts by its prior.  At most
                                           DYNO_SIMPLEX_MAX are not fixed */
    double start[DYNO_REGRESSION_MAX];  /* their logarithms */
    double limit[DYNO_REGRESSION_MAX];  /* a standard error above this is no determination */
    double prior[DYNO_REGRESSION_MAX];  /* how uncertain a parameter is that stays where it began:
                                           what is fitted beside it is then as uncertain as its part
                                           in that; 0: taken as exact */
    double independent; /* as so many independent errors the samples count against the limits,
                           which are then what is known beforehand: a parameter is pulled back to
                           where it began by (distance / limit)^2 / 2 for every `independent` mean
                           errors of 1 %, and one that was moved by less than two standard errors
                           is no better known than before if they are above 0.7 of its limit.  0:
                           nothing pulls, and the limit is the limit */
    size_t sample_count;
    const uint32_t *clusters; /* [sample_count] each below cluster_count */
    uint32_t cluster_count;
    uint32_t samples_min; /* for every parameter; and two clusters more than parameters */
    /* Put log(predicted / measured) of every sample at `at` [count] into out [sample_count]. */
    dyno_status (*errors)(void *context, const double *at, double *out, struct dyno_error *error);
    void *context;
    double slope_step;   /* either way, for slopes: so far ... */
    bool is_rough;       /* ... or, of a model that is not smooth, at least */
    uint32_t newton_max; /* steps along the slopes before the simplex; 0: none */
    double step;         /* of the first simplex */
    uint32_t rounds;     /* of each of two */
};

struct dyno_regression_result {
    double at[DYNO_REGRESSION_MAX];
    enum dyno_determined determined[DYNO_REGRESSION_MAX];
    double left_at[DYNO_REGRESSION_MAX]; /* the standard error that was too large */
    /* Of the logarithms, of all parameters together: those that are not determined have their
     * prior. */
    double covariance[DYNO_REGRESSION_MAX][DYNO_REGRESSION_MAX];
    double effect[DYNO_REGRESSION_MAX]; /* root mean square of the slopes */
    double mean_error;                  /* of |log(predicted / measured)| */
    double start_error;                 /* the same where it began */
};

/* Errors: DYNO_NO_MEMORY, and those of `errors`. */
dyno_status dyno_regression_fit(struct dyno_regression_result *out,
                                const struct dyno_regression *regression, struct dyno_error *error);

#endif

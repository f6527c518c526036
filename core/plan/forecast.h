/* Forecasts: what a quantity that is looked at once a tick will be some ticks from now.
 *
 *   constant        the last value
 *   moving_average  the mean of the last `window` values
 *   holt_winters    exponential smoothing of level (0.5), trend (0.1) and, with a season, of an
 *                   additive profile over it (0.3); Holt (1957), Winters (1960)
 *   arima           ARIMA(1,1,0): the last difference dies out by phi a tick, phi by least squares
 *                   over the last `window` differences, held within +-0.95
 *   kalman          a local linear trend: F = [1 1; 0 1], H = [1 0], Q = diag(1, 0.1), R = 10,
 *                   P0 = 1000 I; level and slope go on in a straight line
 *   seasonal        the value one season before the time asked for; until a season is known, the
 *                   last value
 *
 * No forecast is negative.  Values that are no finite numbers are passed over: nothing was seen.
 * Memory: the last 64 values, and one season of at most DYNO_SEASON_MAX ticks.
 */
#ifndef DYNO_CORE_PLAN_FORECAST_H
#define DYNO_CORE_PLAN_FORECAST_H

#include <stdint.h>

#include "core/base/status.h"

enum { DYNO_FORECAST_WINDOW_MAX = 64, DYNO_SEASON_MAX = 65536 };

struct dyno_forecast_config {
    uint32_t window; /* 1 .. DYNO_FORECAST_WINDOW_MAX */
    uint32_t season; /* ticks, at most DYNO_SEASON_MAX; 0: there is none */
};

struct dyno_forecast {
    const struct dyno_predictor *predictor;
    struct dyno_forecast_config config;
    uint64_t count;                          /* values so far */
    double values[DYNO_FORECAST_WINDOW_MAX]; /* value i at i mod window max */
    double *profile;                         /* [season] values, or offsets of holt_winters */
    double level, slope;
    double variance[3]; /* kalman: of level, of both, of slope */
};

struct dyno_predictor {
    const char *name;
    const char *help;
    void (*learn)(struct dyno_forecast *forecast, double value); /* count is not raised yet */
    double (*ahead)(const struct dyno_forecast *forecast, uint32_t ticks); /* count >= 1 */
};

extern const struct dyno_predictor *const dyno_predictor_table[];   /* NULL-terminated */
const struct dyno_predictor *dyno_predictor_find(const char *name); /* NULL: no such */

/* Errors: DYNO_NO_MEMORY. */
dyno_status dyno_forecast_init(struct dyno_forecast *forecast,
                               const struct dyno_predictor *predictor,
                               const struct dyno_forecast_config *config);
void dyno_forecast_release(struct dyno_forecast *forecast);

/* What was seen at one tick more. */
void dyno_forecast_learn(struct dyno_forecast *forecast, double value);

/* The value `ticks` >= 1 ticks after the last one learned, never negative; 0 before the first. */
double dyno_forecast_ahead(const struct dyno_forecast *forecast, uint32_t ticks);

#endif

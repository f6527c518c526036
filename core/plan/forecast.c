#include "core/plan/forecast.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The value learned `ago` values before the last one. */
static double past(const struct dyno_forecast *forecast, uint32_t ago)
{
    return forecast->values[(forecast->count - 1 - ago) % DYNO_FORECAST_WINDOW_MAX];
}

/* How many values may be looked at, at most the window. */
static uint32_t known(const struct dyno_forecast *forecast)
{
    return forecast->count < forecast->config.window ? (uint32_t)forecast->count
                                                     : forecast->config.window;
}

static void learn_nothing(struct dyno_forecast *forecast, double value)
{
    (void)forecast, (void)value;
}

static double constant_ahead(const struct dyno_forecast *forecast, uint32_t ticks)
{
    (void)ticks;
    return past(forecast, 0);
}

static double average_ahead(const struct dyno_forecast *forecast, uint32_t ticks)
{
    double sum = 0.0;
    uint32_t count = known(forecast);

    (void)ticks;
    for (uint32_t i = 0; i < count; i++) {
        sum += past(forecast, i);
    }
    return sum / count;
}

/* ---- holt_winters ---------------------------------------------------------------------------- */

#define LEVEL_WEIGHT  0.5
#define TREND_WEIGHT  0.1
#define SEASON_WEIGHT 0.3

static void holt_winters_learn(struct dyno_forecast *forecast, double value)
{
    uint32_t season = forecast->config.season;
    double *offset = season ? &forecast->profile[forecast->count % season] : NULL;
    double offset_before = offset ? *offset : 0.0;
    double level_before = forecast->level;

    if (forecast->count == 0) {
        forecast->level = value;
        return;
    }
    forecast->level = LEVEL_WEIGHT * (value - offset_before) +
                      (1.0 - LEVEL_WEIGHT) * (level_before + forecast->slope);
    forecast->slope =
        TREND_WEIGHT * (forecast->level - level_before) + (1.0 - TREND_WEIGHT) * forecast->slope;
    if (offset) {
        *offset = SEASON_WEIGHT * (value - forecast->level) + (1.0 - SEASON_WEIGHT) * offset_before;
    }
}

static double holt_winters_ahead(const struct dyno_forecast *forecast, uint32_t ticks)
{
    uint32_t season = forecast->config.season;

    return forecast->level + ticks * forecast->slope +
           (season ? forecast->profile[(forecast->count - 1 + ticks) % season] : 0.0);
}

/* ---- arima ----------------------------------------------------------------------------------- */

#define PHI_MAX 0.95

/* Least squares of each difference on the one before it. */
static double phi_of(const struct dyno_forecast *forecast)
{
    double products = 0.0, squares = 0.0, phi;
    uint32_t count = known(forecast);

    for (uint32_t i = 0; i + 2 < count; i++) {
        double later = past(forecast, i) - past(forecast, i + 1);
        double earlier = past(forecast, i + 1) - past(forecast, i + 2);

        products += later * earlier;
        squares += earlier * earlier;
    }
    phi = squares > 0.0 ? products / squares : 0.0;
    return phi > PHI_MAX ? PHI_MAX : phi < -PHI_MAX ? -PHI_MAX : phi;
}

static double arima_ahead(const struct dyno_forecast *forecast, uint32_t ticks)
{
    double phi = phi_of(forecast), value = past(forecast, 0), step;

    if (known(forecast) < 3) {
        return value;
    }
    step = value - past(forecast, 1);
    for (uint32_t i = 0; i < ticks; i++) {
        step *= phi;
        if (value + step == value) { /* and smaller ones change nothing either */
            break;
        }
        value += step;
    }
    return value;
}

/* ---- kalman ---------------------------------------------------------------------------------- */

static void kalman_learn(struct dyno_forecast *forecast, double value)
{
    double *p = forecast->variance, gain[2], surprise, total;

    if (forecast->count == 0) {
        forecast->level = value;
        p[0] = p[2] = 1000.0;
        p[1] = 0.0;
    }
    forecast->level += forecast->slope;
    p[0] += 2.0 * p[1] + p[2] + 1.0; /* F P F' + Q */
    p[1] += p[2];
    p[2] += 0.1;
    total = p[0] + 10.0;
    gain[0] = p[0] / total;
    gain[1] = p[1] / total;
    surprise = value - forecast->level;
    forecast->level += gain[0] * surprise;
    forecast->slope += gain[1] * surprise;
    p[2] -= gain[1] * p[1];
    p[1] -= gain[0] * p[1];
    p[0] -= gain[0] * p[0];
}

static double kalman_ahead(const struct dyno_forecast *forecast, uint32_t ticks)
{
    return forecast->level + ticks * forecast->slope;
}

/* ---- seasonal -------------------------------------------------------------------------------- */

static void seasonal_learn(struct dyno_forecast *forecast, double value)
{
    if (forecast->config.season) {
        forecast->profile[forecast->count % forecast->config.season] = value;
    }
}

static double seasonal_ahead(const struct dyno_forecast *forecast, uint32_t ticks)
{
    uint32_t season = forecast->config.season;

    if (season == 0 || forecast->count < season) {
        return past(forecast, 0);
    }
    return forecast->profile[(forecast->count - 1 + ticks) % season];
}

/* ---- public ---------------------------------------------------------------------------------- */

dyno_status dyno_forecast_init(struct dyno_forecast *forecast,
                               const struct dyno_predictor *predictor,
                               const struct dyno_forecast_config *config)
{
    assert(config->window >= 1 && config->window <= DYNO_FORECAST_WINDOW_MAX);
    assert(config->season <= DYNO_SEASON_MAX);
    memset(forecast, 0, sizeof *forecast);
    forecast->predictor = predictor;
    forecast->config = *config;
    if (config->season > 0) {
        forecast->profile = calloc(config->season, sizeof *forecast->profile);
    }
    return config->season > 0 && !forecast->profile ? DYNO_NO_MEMORY : DYNO_OK;
}

void dyno_forecast_release(struct dyno_forecast *forecast)
{
    free(forecast->profile);
    memset(forecast, 0, sizeof *forecast);
}

void dyno_forecast_learn(struct dyno_forecast *forecast, double value)
{
    if (!isfinite(value)) {
        return;
    }
    forecast->predictor->learn(forecast, value);
    forecast->values[forecast->count++ % DYNO_FORECAST_WINDOW_MAX] = value;
}

double dyno_forecast_ahead(const struct dyno_forecast *forecast, uint32_t ticks)
{
    double value;

    if (forecast->count == 0) {
        return 0.0;
    }
    value = forecast->predictor->ahead(forecast, ticks);
    return value > 0.0 ? value : 0.0;
}

static const struct dyno_predictor constant = {
    .name = "constant", .help = "the last value", .learn = learn_nothing, .ahead = constant_ahead};
static const struct dyno_predictor moving_average = {.name = "moving_average",
                                                     .help = "the mean of the last values",
                                                     .learn = learn_nothing,
                                                     .ahead = average_ahead};
static const struct dyno_predictor holt_winters = {
    .name = "holt_winters",
    .help = "exponential smoothing of level, trend and season",
    .learn = holt_winters_learn,
    .ahead = holt_winters_ahead};
static const struct dyno_predictor arima = {.name = "arima",
                                            .help = "ARIMA(1,1,0) by least squares",
                                            .learn = learn_nothing,
                                            .ahead = arima_ahead};
static const struct dyno_predictor kalman = {
    .name = "kalman", .help = "a local linear trend", .learn = kalman_learn, .ahead = kalman_ahead};
static const struct dyno_predictor seasonal = {.name = "seasonal",
                                               .help = "the value one season before",
                                               .learn = seasonal_learn,
                                               .ahead = seasonal_ahead};

const struct dyno_predictor *const dyno_predictor_table[] = {
    &constant, &moving_average, &holt_winters, &arima, &kalman, &seasonal, NULL,
};

const struct dyno_predictor *dyno_predictor_find(const char *name)
{
    uint32_t i = 0;

    while (dyno_predictor_table[i] && strcmp(dyno_predictor_table[i]->name, name) != 0) {
        i++;
    }
    return dyno_predictor_table[i];
}

/* Measured values, and what tools say of them: means, percentiles as NumPy's, deviations. */
#ifndef DYNO_CLI_VALUES_H
#define DYNO_CLI_VALUES_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

struct dyno_values {
    double *values; /* [count] */
    size_t count;
    uint32_t capacity;
};

/* Error: DYNO_NO_MEMORY. */
dyno_status dyno_values_add(struct dyno_values *values, double value);
void dyno_values_release(struct dyno_values *values);

/* In rising order, which the percentiles want. */
void dyno_values_sort(struct dyno_values *values);

/* Of values that are sorted, at least one: between two ranks, as NumPy does; 0 <= fraction <= 1. */
double dyno_values_percentile(const struct dyno_values *values, double fraction);
/* Of at least one. */
double dyno_values_mean(const struct dyno_values *values);
/* Of at least one, over their number (not one less). */
double dyno_values_deviation(const struct dyno_values *values);

#endif

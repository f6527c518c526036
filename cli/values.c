#include "cli/values.h"

#include <stdlib.h>

#include "core/base/array.h"
#include "core/base/math.h"

dyno_status dyno_values_add(struct dyno_values *values, double value)
{
    if (!dyno_array_reserve(&values->values, &values->capacity, values->count + 1,
                            sizeof *values->values)) {
        return DYNO_NO_MEMORY;
    }
    values->values[values->count++] = value;
    return DYNO_OK;
}

void dyno_values_release(struct dyno_values *values)
{
    free(values->values);
    *values = (struct dyno_values){.values = NULL};
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

void dyno_values_sort(struct dyno_values *values)
{
    if (values->count > 0) {
        qsort(values->values, values->count, sizeof *values->values, by_value);
    }
}

double dyno_values_percentile(const struct dyno_values *values, double fraction)
{
    double place = fraction * (double)(values->count - 1);
    size_t below = (size_t)place;
    size_t above = below + 1 < values->count ? below + 1 : below;

    return values->values[below] +
           (place - (double)below) * (values->values[above] - values->values[below]);
}

double dyno_values_mean(const struct dyno_values *values)
{
    double sum = 0;

    for (size_t i = 0; i < values->count; i++) {
        sum += values->values[i];
    }
    return sum / (double)values->count;
}

double dyno_values_deviation(const struct dyno_values *values)
{
    double mean = dyno_values_mean(values), sum = 0;

    for (size_t i = 0; i < values->count; i++) {
        sum += (values->values[i] - mean) * (values->values[i] - mean);
    }
    return dyno_sqrt(sum / (double)values->count);
}

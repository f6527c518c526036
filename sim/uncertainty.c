/* Where the figures are from.  Efficiencies: fits to the kernel tables of an H200, an RTX 4090 and
 * an RTX PRO 6000 leave 3 to 8 % of median error on large products and attention
 * (docs/accuracy.md), and 5 % is taken.  The others are assumptions, not measurements: a tenth for
 * launches and collectives, a quarter for the host, three tenths for ingest and response, which no
 * measurement at hand separates.  What is fixed by the model's shapes or the data sheet (memory) is
 * not drawn.  Where a calibration states a standard error, that is drawn instead.
 */
#include "sim/uncertainty.h"

#include <string.h>

#include "core/base/math.h"

double dyno_timing_spread(const struct dyno_timing_row *row)
{
    static const struct {
        const char *part; /* of the parameter's name; the first that fits counts */
        double spread;
    } spreads[] = {
        {"memory_overhead", 0.0}, {"memory_collective", 0.0},
        {"bytes_per", 0.0},       {"host_", 0.25},
        {"ingest_", 0.30},        {"response_", 0.30},
        {"collective_", 0.10},    {"moe_", 0.10},
        {"efficiency", 0.05},     {"_us", 0.10},
    };

    for (size_t i = 0; i < sizeof spreads / sizeof spreads[0]; i++) {
        if (strstr(row->name, spreads[i].part)) {
            return spreads[i].spread;
        }
    }
    return 0.0;
}

/* Lower triangle L with L L' = `matrix`, in place; what rounding made negative counts as 0. */
static void factor(double matrix[DYNO_FIT_PARAMETERS_MAX][DYNO_FIT_PARAMETERS_MAX], uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j <= i; j++) {
            double left = matrix[i][j];

            for (uint32_t k = 0; k < j; k++) {
                left -= matrix[i][k] * matrix[j][k];
            }
            if (i == j) {
                matrix[i][i] = left > 0 ? dyno_sqrt(left) : 0;
            } else {
                matrix[i][j] = matrix[j][j] > 0 ? left / matrix[j][j] : 0;
            }
        }
    }
}

/* Multiply the row's parameter by exp(by), within its range; one that is 0 stays 0. */
static void scale(struct dyno_timing_parameters *parameters, const struct dyno_timing_row *row,
                  double by)
{
    double value, drawn;

    memcpy(&value, (const char *)parameters + row->offset, sizeof value);
    drawn = value * dyno_exp(by);
    drawn = drawn < row->min ? row->min : drawn > row->max ? row->max : drawn;
    if (value > 0.0) {
        memcpy((char *)parameters + row->offset, &drawn, sizeof drawn);
    }
}

double dyno_timing_deviation(const struct dyno_calibration *calibration, size_t place)
{
    return calibration->given[place] && calibration->standard_error[place] > 0
               ? calibration->standard_error[place]
               : dyno_timing_spread(&dyno_timing_rows[place]);
}

void dyno_timing_draw(struct dyno_timing_parameters *parameters,
                      const struct dyno_calibration *calibration, struct dyno_rng *rng)
{
    double matrix[DYNO_FIT_PARAMETERS_MAX][DYNO_FIT_PARAMETERS_MAX];
    double z[DYNO_FIT_PARAMETERS_MAX];
    uint32_t count = 0;

    for (; dyno_timing_rows[count].name; count++) {
        z[count] = dyno_rng_normal(rng); /* also where it is not used: rows keep their draws */
        memcpy(matrix[count], calibration->correlation[count], sizeof matrix[count]);
        matrix[count][count] = 1;
    }
    factor(matrix, count);
    for (uint32_t i = 0; i < count; i++) {
        double sum = 0;

        for (uint32_t j = 0; j <= i; j++) {
            sum += matrix[i][j] * z[j];
        }
        scale(parameters, &dyno_timing_rows[i], dyno_timing_deviation(calibration, i) * sum);
    }
}

/* Where the figures are from.  Efficiencies: fits to the kernel tables of an H200, an RTX 4090 and
 * an RTX PRO 6000 leave 3 to 8 % of median error on large products and attention
 * (docs/accuracy.md), and 5 % is taken.  The others are assumptions, not measurements: a tenth for
 * launches and collectives, a quarter for the host, three tenths for ingest and response, which no
 * measurement at hand separates.  What is fixed by the model's shapes or the data sheet (memory) is
 * not drawn.  Where a calibration states a standard error, that is drawn instead.
 *
 * A formula that was fitted to many shapes is off for each of them, for all of a shape's points in
 * the same direction: half of the H200's shapes, held out, have mean errors that spread by 3.3 to
 * 3.7 % (large products), 5.0 to 7.1 % (attention) and 5.7 % (all-reduce); docs/accuracy.md.  A
 * model has a handful of shapes, so a standard error of 0.4 % is not what it will see.
 *
 * What passes cost beside their kernels, and TTFT beside passes, was set so that 95 % intervals
 * hold about 95 % of the measured mean TPOTs, and TTFTs, of every other row of `e2e_dense.csv`: of
 * 215, they hold 75 % of the TPOTs without, 93 % with 0.03, 95 % with 0.04 and with 0.05; of the
 * TTFTs 75 % without, 84 % with 0.12, 90 % with 0.15, 93 % with 0.18 and 96 % with 0.20.
 * docs/accuracy.md counts the other rows, which were not looked at.
 */
#include "sim/uncertainty.h"

#include <string.h>

#include "core/base/math.h"

_Static_assert(sizeof(struct dyno_timing_parameters) <= DYNO_FIT_PARAMETERS_MAX * sizeof(double),
               "a calibration has a place for every parameter");

static const double pass_spread = 0.04, wait_spread = 0.19;

struct spread {
    const char *part; /* of the parameter's name; the first that fits counts */
    double spread;
};

static double spread_of(const struct spread *spreads, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strstr(name, spreads[i].part)) {
            return spreads[i].spread;
        }
    }
    return 0.0;
}

double dyno_timing_spread(const struct dyno_timing_row *row)
{
    static const struct spread spreads[] = {
        {"memory_overhead", 0.0}, {"memory_collective", 0.0},
        {"bytes_per", 0.0},       {"host_", 0.25},
        {"ingest_", 0.30},        {"response_", 0.30},
        {"collective_", 0.10},    {"moe_", 0.10},
        {"efficiency", 0.05},     {"_us", 0.10},
    };

    return spread_of(spreads, sizeof spreads / sizeof spreads[0], row->name);
}

/* What the formula misses of one model's shapes. */
static double shapes_spread(const struct dyno_timing_row *row)
{
    static const struct spread spreads[] = {
        {"gemm_", 0.04},
        {"quantize_", 0.04},
        {"attention_", 0.06},
        {"collective_", 0.06},
    };

    return spread_of(spreads, sizeof spreads / sizeof spreads[0], row->name);
}

/* Whether a whole server was measured, not only its kernels. */
static bool knows_server(const struct dyno_calibration *calibration)
{
    return calibration->engine[0] != '\0';
}

double dyno_timing_wait_spread(const struct dyno_calibration *calibration)
{
    return knows_server(calibration) ? 0.0 : wait_spread;
}

/* How a pass's time goes with the parameter: 1 with it, -1 against it, 0 otherwise or not at all.
 */
static int direction(const struct dyno_timing_row *row)
{
    if (strstr(row->name, "factor") || strstr(row->name, "ingest_") ||
        strstr(row->name, "response_")) {
        return 0;
    }
    return strcmp(row->unit, "of peak") == 0 ? -1 : strcmp(row->unit, "us") == 0;
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
    const struct dyno_timing_row *row = &dyno_timing_rows[place];
    double stated = calibration->standard_error[place];
    double shapes = knows_server(calibration) ? 0.0 : shapes_spread(row);

    return calibration->given[place] && stated > 0 ? dyno_sqrt(stated * stated + shapes * shapes)
                                                   : dyno_timing_spread(row);
}

void dyno_timing_draw(struct dyno_timing_parameters *parameters,
                      const struct dyno_calibration *calibration, struct dyno_rng *rng)
{
    double matrix[DYNO_FIT_PARAMETERS_MAX][DYNO_FIT_PARAMETERS_MAX];
    double z[DYNO_FIT_PARAMETERS_MAX];
    uint32_t count = 0;
    double together;

    for (; dyno_timing_rows[count].name; count++) {
        z[count] = dyno_rng_normal(rng); /* also where it is not used: rows keep their draws */
        memcpy(matrix[count], calibration->correlation[count], sizeof matrix[count]);
        matrix[count][count] = 1;
    }
    together = knows_server(calibration) ? 0.0 : pass_spread * dyno_rng_normal(rng);
    factor(matrix, count);
    for (uint32_t i = 0; i < count; i++) {
        double sum = 0;

        for (uint32_t j = 0; j <= i; j++) {
            sum += matrix[i][j] * z[j];
        }
        scale(parameters, &dyno_timing_rows[i],
              dyno_timing_deviation(calibration, i) * sum +
                  direction(&dyno_timing_rows[i]) * together);
    }
}

#include "core/plan/capacity.h"

#include <math.h>
#include <string.h>

enum { TERMS = 3, LOOKS_MIN = 5 };

#define KEEP  0.98922801319397548 /* 2^(-1/64) */
#define RIDGE 1e-9                /* of the diagonal: columns that never vary alone */

void dyno_capacity_learn(struct dyno_capacity *capacity, const struct dyno_capacity_work *work)
{
    double row[TERMS], busy;

    if (work->steps < 1.0) {
        return;
    }
    /* Mean over a step, weighted alike: what a look says is how long a step was. */
    row[0] = 1.0;
    row[1] = work->prefill_tokens / work->steps;
    row[2] = work->decode_tokens / work->steps;
    busy = work->busy_s / work->steps;
    for (int i = 0; i < TERMS; i++) {
        for (int j = 0; j < TERMS; j++) {
            capacity->squares[i][j] = KEEP * capacity->squares[i][j] + row[i] * row[j];
        }
        capacity->products[i] = KEEP * capacity->products[i] + row[i] * busy;
    }
    capacity->count++;
}

/* Gaussian elimination over the terms in use; the others are 0.  False: singular. */
static bool solve(const struct dyno_capacity *capacity, const bool used[TERMS], double out[TERMS])
{
    double a[TERMS][TERMS + 1];

    for (int i = 0; i < TERMS; i++) {
        for (int j = 0; j < TERMS; j++) {
            a[i][j] = used[i] && used[j] ? capacity->squares[i][j] : i == j ? 1.0 : 0.0;
        }
        a[i][i] *= 1.0 + RIDGE;
        a[i][TERMS] = used[i] ? capacity->products[i] : 0.0;
    }
    for (int k = 0; k < TERMS; k++) { /* symmetric and positive: the diagonal is a fair pivot */
        if (!(a[k][k] > 0.0)) {
            return false;
        }
        for (int i = 0; i < TERMS; i++) {
            double factor = i == k ? 0.0 : a[i][k] / a[k][k];

            for (int j = k; j <= TERMS; j++) {
                a[i][j] -= factor * a[k][j];
            }
        }
    }
    for (int i = 0; i < TERMS; i++) {
        out[i] = a[i][TERMS] / a[i][i];
        if (!isfinite(out[i])) {
            return false;
        }
    }
    return true;
}

bool dyno_capacity_costs(const struct dyno_capacity *capacity, struct dyno_capacity_costs *out)
{
    bool used[TERMS];
    double costs[TERMS];

    if (capacity->count < LOOKS_MIN) {
        return false;
    }
    for (int i = 0; i < TERMS; i++) {
        used[i] = capacity->squares[i][i] > 0.0;
    }
    for (;;) { /* a term whose cost comes out negative explains nothing: leave it out */
        int worst = -1;

        if (!solve(capacity, used, costs)) {
            return false;
        }
        for (int i = 0; i < TERMS; i++) {
            if (costs[i] < 0.0 && (worst < 0 || costs[i] < costs[worst])) {
                worst = i;
            }
        }
        if (worst < 0) {
            break;
        }
        used[worst] = false;
    }
    *out = (struct dyno_capacity_costs){costs[0], costs[1], costs[2]};
    return costs[0] + costs[1] + costs[2] > 0.0;
}

static double of_each(const struct dyno_capacity_costs *costs, double input, double output)
{
    return costs->prefill_s * input / output + costs->decode_s;
}

double dyno_capacity_step_s(const struct dyno_capacity_costs *costs, double sequences, double input,
                            double output)
{
    return costs->base_s + sequences * of_each(costs, input, output);
}

double dyno_capacity_rate(const struct dyno_capacity_costs *costs, double sequences, double input,
                          double output)
{
    double step_s = dyno_capacity_step_s(costs, sequences, input, output);

    return step_s > 0.0 ? sequences / (output * step_s) : 0.0;
}

double dyno_capacity_sequences(const struct dyno_capacity_costs *costs, double input, double output,
                               double step_s, double sequences_max)
{
    double each = of_each(costs, input, output), sequences = sequences_max;

    if (step_s > 0.0 && each > 0.0 && (step_s - costs->base_s) / each < sequences_max) {
        sequences = (step_s - costs->base_s) / each;
    }
    return sequences > 1.0 ? sequences : 1.0;
}

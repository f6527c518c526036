/* What a worker can do, learned from what workers did: an online regression.
 *
 * Over any stretch of time a worker's time in passes is
 *
 *   busy = base * steps + prefill * prompt tokens computed + decode * tokens generated
 *
 * where base, prefill and decode are what a step, a prompt token and a generated token cost.  It
 * holds for sums as for single passes, so it is fitted to what each worker did between two looks
 * (least squares, weights that halve every 64 looks), and leaps or steps give the same fit.  What
 * it leaves out is that a token costs more the longer its context; the fit follows the traffic.
 *
 * A worker that holds n sequences of `input` computed prompt tokens and `output` answer tokens in a
 * steady state gains n / output prompts a step.  So, as functions of n:
 *
 *   step(n) = base + n * (prefill * input / output + decode)      its gap between tokens
 *   rate(n) = n / (output * step(n))                              its requests per second
 *
 * Both grow with n; what a worker can do is rate at the largest n that memory, batch and the
 * objective allow.
 */
#ifndef DYNO_CORE_PLAN_CAPACITY_H
#define DYNO_CORE_PLAN_CAPACITY_H

#include <stdbool.h>
#include <stdint.h>

/* What one worker did between two looks. */
struct dyno_capacity_work {
    double busy_s;
    double steps, prefill_tokens, decode_tokens;
};

struct dyno_capacity {
    double squares[3][3]; /* normal equations, of rows divided by their steps */
    double products[3];
    uint32_t count; /* looks taken in */
};

struct dyno_capacity_costs {
    double base_s, prefill_s, decode_s; /* never negative */
};

/* Zero-initialise first.  Work without a step teaches nothing. */
void dyno_capacity_learn(struct dyno_capacity *capacity, const struct dyno_capacity_work *work);

/* False: fewer than 5 looks, or no fit. */
bool dyno_capacity_costs(const struct dyno_capacity *capacity, struct dyno_capacity_costs *out);

/* step(n) and rate(n); output >= 1. */
double dyno_capacity_step_s(const struct dyno_capacity_costs *costs, double sequences, double input,
                            double output);
double dyno_capacity_rate(const struct dyno_capacity_costs *costs, double sequences, double input,
                          double output);

/* The most sequences, in [1, sequences_max], whose step takes at most `step_s`; 0: no bound. */
double dyno_capacity_sequences(const struct dyno_capacity_costs *costs, double input, double output,
                               double step_s, double sequences_max);

#endif

/* Budgets of a gate, from a YAML file:
 *
 *     behavior: exact              # any drift is told; within_budget: only what passes a budget
 *     budgets:
 *       ttft_ms.p99: {relative: 5%, absolute: 2ms}
 *       kv.token_hit_rate: {absolute: 1points, sides: both}
 *       models.chat.ttft_ms.p99: {relative: 5%}         # of one of several models
 *     host_time: {tolerance: 5%, false_alarms: 1%, rounds_max: 30}
 *
 * A difference passes a budget when it passes every bound that is given.  Without a file every
 * metric is without a budget, and behavior is exact. */
#ifndef DYNO_CLI_GATE_BUDGET_H
#define DYNO_CLI_GATE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"
#include "reports/gate_metric.h"

enum { DYNO_GATE_BUDGETS_MAX = 512 };

struct dyno_gate_budget {
    struct dyno_gate_metric metric;
    double relative; /* of the base's value; negative: not given */
    double absolute; /* in the metric's unit; negative: not given */
    bool both_sides; /* better by more is a change too, not an improvement */
};

struct dyno_gate_budgets {
    struct dyno_gate_budget items[DYNO_GATE_BUDGETS_MAX]; /* [count] */
    uint32_t count;
    bool within_budget;  /* drift that passes no budget is no change of behaviour */
    double tolerance;    /* of host time: 0.05 */
    double false_alarms; /* of a whole suite: 0.01 */
    uint32_t rounds_max;
};

/* `path` NULL: the defaults.  Errors: DYNO_NOT_FOUND, DYNO_IO, DYNO_BAD_INPUT with file and line of
 * what is unknown, has the wrong unit or contradicts itself; DYNO_NO_MEMORY. */
dyno_status dyno_gate_budgets_read(struct dyno_gate_budgets *out, const char *path,
                                   struct dyno_error *error);

/* NULL: it has none. */
const struct dyno_gate_budget *dyno_gate_budget_of(const struct dyno_gate_budgets *budgets,
                                                   const char *metric);

#endif

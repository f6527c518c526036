/* Which models a file of budgets names: a metric of theirs has a row of its own, and the reader of
 * scenario files knows rows alone. */
#ifndef DYNO_CLI_GATE_BUDGET_MODELS_H
#define DYNO_CLI_GATE_BUDGET_MODELS_H

#include <stdint.h>
#include <stdio.h>

#include "core/model/request.h"
#include "reports/summary.h"

struct dyno_gate_models {
    char names[DYNO_MODELS_MAX][DYNO_SUMMARY_MODEL_MAX]; /* [count] as keys of summaries */
    uint32_t count;
};

/* The keys below "budgets.models." in a file, written with dots or as sections; none of what is not
 * YAML, or is longer than a key may be, which whoever reads the file then refuses. */
void dyno_gate_models_find(struct dyno_gate_models *out, FILE *file);

#endif

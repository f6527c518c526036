/* What an assembly needs more where its fleet serves several models.
 *
 * The first model is the assembly itself, as if it were the only one; for every other there is an
 * assembly beside it, of which only what belongs to a model is open: timing or weights, devices,
 * router, roster and planner.  Clock, source, answers and the loop are the first one's. */
#ifndef DYNO_CLI_ASSEMBLY_MODELS_H
#define DYNO_CLI_ASSEMBLY_MODELS_H

#include "cli/scenario/models.h"
#include "core/run/loop.h"
#include "core/run/metrics.h"
#include "core/worker/several.h"
#include "reports/reports.h"

struct dyno_assembly;

struct dyno_fleets {
    struct dyno_fleet_models models;
    struct dyno_assembly *others[DYNO_MODELS_MAX]; /* by model; that of the first is NULL */
    struct dyno_loop_model more[DYNO_MODELS_MAX];  /* of the others, for the loop */
    struct dyno_several *several;                  /* closed with the assembly's workers */
    struct dyno_roster_budget budget;
    struct dyno_sink sink; /* tells each model's metrics of its requests */
    struct dyno_metrics metrics[DYNO_MODELS_MAX];
    uint32_t metrics_count; /* that are open */
    struct dyno_fleet_totals totals[DYNO_MODELS_MAX];
    struct dyno_plan_report plans[DYNO_MODELS_MAX];
    struct dyno_model_report reports[DYNO_MODELS_MAX];
};

/* If the scenario has several models: the assembly becomes that of the first, and there are others
 * beside it, which are configured with it.  Else nothing happens. */
dyno_status dyno_fleets_open(struct dyno_assembly *assembly, struct dyno_error *error);
void dyno_fleets_close(struct dyno_assembly *assembly);

/* How many models there are, 1 or more, and the assembly of each. */
uint32_t dyno_fleets_count(const struct dyno_assembly *assembly);
struct dyno_assembly *dyno_fleets_of(struct dyno_assembly *assembly, uint32_t model);

/* Workers of all models, and what the first of one is called. */
uint32_t dyno_fleets_workers(const struct dyno_assembly *assembly);
uint32_t dyno_fleets_first(const struct dyno_assembly *assembly, uint32_t model);

/* What the loop must be told of them, once all are there. */
void dyno_fleets_join(struct dyno_assembly *assembly, struct dyno_loop_config *config);

/* The run is over: the books of each, and what was told of gaps between tokens in one. */
void dyno_fleets_finish(struct dyno_assembly *assembly);

/* "chat on 4 x h100 + code on 4 x h100, vllm, kv", as far as there is room. */
void dyno_fleets_title(struct dyno_assembly *assembly);

/* A row for each in the report; what planners did is summed. */
void dyno_fleets_report(struct dyno_assembly *assembly, struct dyno_report *report);

#endif

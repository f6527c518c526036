/* Several models behind one door and one budget: what a scenario says of them
 * (docs/several-models.md).
 *
 * fleet.models is a list with an item a model, "name=chat:model=llama-3.1-8b:workers=4:share=2",
 * or in a file a mapping of the same.  For each there is a scenario of a fleet of that one model,
 * which is what everything that puts a fleet together sees. */
#ifndef DYNO_CLI_SCENARIO_MODELS_H
#define DYNO_CLI_SCENARIO_MODELS_H

#include <stdbool.h>

#include "cli/scenario/scenario.h"
#include "traces/model_choice.h"

enum { DYNO_MODEL_NAME_MAX = 128, DYNO_MODEL_TEXT_MAX = 512 };

struct dyno_fleet_model {
    char name[DYNO_MODEL_NAME_MAX];    /* by which requests ask for it */
    char model[DYNO_MODEL_TEXT_MAX];   /* as model.name; "": the name */
    char gpu[DYNO_MODEL_TEXT_MAX];     /* as fleet.gpu; "": the fleet's */
    char weights[DYNO_MODEL_NAME_MAX]; /* as model.weights; "": the fleet's */
    uint32_t tp, workers, blocks;      /* 0: as the fleet's; of workers: fleet.workers each */
    uint32_t workers_min, workers_max, start; /* of a planner; UINT32_MAX, 0, 0: not said */
    struct dyno_model_shares shares;          /* count 0: not said */
    uint32_t tenants[DYNO_MODEL_TENANTS_MAX];
    uint32_t tenant_count;
};

struct dyno_fleet_models {
    uint32_t count; /* 0: the fleet has one model, and the scenario says which */
    struct dyno_fleet_model of[DYNO_MODELS_MAX];
    struct dyno_scenario scenarios[DYNO_MODELS_MAX]; /* texts point into this struct ... */
    uint32_t first[DYNO_MODELS_MAX];                 /* what the first worker of each is called */
    uint32_t workers;                                /* of all */
    uint32_t budget_gpus;                            /* of a planner */
    struct dyno_model_choice choice;                 /* ... and into this one */
};

/* Whether the scenario has several. */
bool dyno_models_are(const struct dyno_scenario *scenario);

/* What it says of them.  The result stays where it is: it points into itself, and into the
 * scenario.  Errors: DYNO_BAD_INPUT, in words. */
dyno_status dyno_models_read(struct dyno_fleet_models *out, const struct dyno_scenario *scenario,
                             struct dyno_error *error);

/* Workers of all of them, or of the only one.  Errors: as dyno_models_read. */
dyno_status dyno_models_workers(uint32_t *out, const struct dyno_scenario *scenario,
                                struct dyno_error *error);

/* What cannot be where there are several, and that each of them can be; no effect where there is
 * one. */
dyno_status dyno_models_check(const struct dyno_scenario *scenario,
                              const struct dyno_options *options, struct dyno_error *error);

#endif

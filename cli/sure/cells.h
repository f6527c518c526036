/* What scenarios that were simulated on the same requests come to, cell by cell of time: of all
 * requests, and of those for each model that a goal or a limit names.  The inside of
 * cli/sure/sure.c. */
#ifndef DYNO_CLI_SURE_CELLS_H
#define DYNO_CLI_SURE_CELLS_H

#include "cli/arms/arm_runs.h"
#include "cli/sure/aims.h"
#include "cli/sure/recipe.h"
#include "reports/paired_influence.h"

enum { DYNO_TUNE_SIDES_MAX = 3, DYNO_TUNE_CELLS_MAX = DYNO_CELLS_MAX };
enum { DYNO_TUNE_GROUPS_MAX = 1 + DYNO_TUNE_METRICS_MAX }; /* of requests: all, and of models */

/* What one side comes to, of one group. */
struct dyno_tune_group {
    double *sums;                                             /* [SUMS][places] */
    struct dyno_paired_placed *sorted[DYNO_PAIRED_QUEUE + 1]; /* [sorted_count] */
    uint32_t sorted_count[DYNO_PAIRED_QUEUE + 1];
};

struct dyno_tune_cells {
    const struct dyno_arm_runs *runs;
    const struct dyno_tune_aims *aims;
    struct dyno_tune_recipe recipes[DYNO_TUNE_METRICS_MAX]; /* [metrics] */
    double scales[DYNO_TUNE_METRICS_MAX];                   /* [metrics] of the ratio */
    uint32_t groups_of[DYNO_TUNE_METRICS_MAX];              /* [metrics] where each is made */
    uint32_t metrics, cells, places;                        /* places: of all seeds */
    uint32_t groups, models[DYNO_TUNE_GROUPS_MAX]; /* [groups]; DYNO_TUNE_ALL_MODELS first */
    bool without_medians;                          /* nobody asks dyno_tune_cells_figure for them */
    struct dyno_tune_group parts[DYNO_TUNE_SIDES_MAX * DYNO_TUNE_GROUPS_MAX]; /* side by side */
};

/* Released by dyno_tune_cells_release, also after a failure.  Errors: DYNO_NO_MEMORY. */
dyno_status dyno_tune_cells_fill(struct dyno_tune_cells *out, const struct dyno_arm_runs *runs,
                                 const struct dyno_tune_aims *aims);
void dyno_tune_cells_release(struct dyno_tune_cells *work);

const struct dyno_arm_run *dyno_tune_cells_run(const struct dyno_tune_cells *cells, uint32_t side,
                                               uint32_t seed);

/* What every cell of a side adds up of a metric's group, [places]. */
const double *dyno_tune_cells_sums(const struct dyno_tune_cells *cells, uint32_t side,
                                   uint32_t metric, unsigned sum);

/* Add to `out` [places] what each cell adds to a metric of a side, `times` as much, as
 * dyno_paired_influence_ratio has it. */
void dyno_tune_cells_influence(const struct dyno_tune_cells *work, double *out, double times,
                               uint32_t side, uint32_t metric);

/* The values of a metric that is a quantile. */
struct dyno_paired_ranked dyno_tune_cells_ranked(const struct dyno_tune_cells *work, uint32_t side,
                                                 uint32_t metric);

/* A metric of a side, of one run, were every cell there `weights` [places] times; NAN: undefined,
 * or it cannot be made of cells. */
double dyno_tune_cells_figure(const struct dyno_tune_cells *work, uint32_t side, uint32_t metric,
                              const uint32_t *weights);

#endif

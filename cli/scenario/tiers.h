/* What a scenario says of lower tiers of KV: --tier g2=64GiB --tier g3=2TiB:node, --peers. */
#ifndef DYNO_CLI_SCENARIO_TIERS_H
#define DYNO_CLI_SCENARIO_TIERS_H

#include <stdbool.h>

#include "cli/scenario/scenario.h"
#include "core/worker/tiers.h"

enum dyno_tier_share { DYNO_SHARE_WORKER, DYNO_SHARE_NODE, DYNO_SHARE_CLUSTER };

/* One that was asked for. */
struct dyno_tier_spec {
    char name[4];   /* "g2" */
    uint32_t level; /* 2, 3 or 4 */
    uint64_t bytes; /* of each pool */
    enum dyno_tier_share share;
};

/* Those of "g2=64GiB,g3=2TiB:node", fastest first.  DYNO_BAD_INPUT says what a tier is. */
dyno_status dyno_tier_specs(struct dyno_tier_spec specs[DYNO_TIERS_MAX], uint32_t *count,
                            const char *text, struct dyno_error *error);

/* Whether it has any, or workers pull from one another. */
static inline bool dyno_tiers_are(const struct dyno_scenario *scenario)
{
    return scenario->tiers.levels || scenario->tiers.peers;
}

/* Whether the scenario may have the tiers that it has, if any. */
dyno_status dyno_tiers_scenario_check(const struct dyno_scenario *scenario,
                                      struct dyno_error *error);

/* Whether spans have to be told apart as the trace has them: where they are counted, and where a
 * file names blocks by them. */
bool dyno_tiers_count_spans(const struct dyno_scenario *scenario);

#endif

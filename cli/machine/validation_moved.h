/* What was found in caches and tiers, and moved between them and between workers, for real and
 * simulated: counts of whole runs. */
#ifndef DYNO_CLI_MACHINE_VALIDATION_MOVED_H
#define DYNO_CLI_MACHINE_VALIDATION_MOVED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli/machine/validation_figure.h"
#include "core/model/record.h"

/* Of a tier, in the order in which they are told.  Of the workers' own memory there are hits alone.
 */
enum dyno_tier_figure {
    DYNO_TIER_HIT_PERCENT, /* of whole prompt blocks */
    DYNO_TIER_STORED_BLOCKS,
    DYNO_TIER_STORED_MB,
    DYNO_TIER_ONBOARDED_BLOCKS,
    DYNO_TIER_ONBOARDED_MB,
    DYNO_TIER_DECLINED_BLOCKS, /* that would have come back later than they are computed, or that
                                  the policy did not want */
    DYNO_TIER_SLOW_BLOCKS,     /* that were there and not fetched, as computing them was faster */
    DYNO_TIER_LOST_BLOCKS,
    DYNO_TIER_FIGURES,
};

struct dyno_validation_tier {
    uint32_t level; /* 1: the workers' own memory */
    bool is_peers;  /* ... of others, from which it is pulled */
    struct dyno_validation_figure figures[DYNO_TIER_FIGURES];
};

/* Between workers: from those that compute prompts to those that decode. */
enum dyno_handoff_figure {
    DYNO_HANDOFF_COUNT,
    DYNO_HANDOFF_MB,
    DYNO_HANDOFF_GIVEN_UP,
    DYNO_HANDOFF_SENT_AGAIN,
    DYNO_HANDOFF_FIGURES,
};

struct dyno_validation_moved {
    uint32_t tier_count;                                   /* >= 1 */
    struct dyno_validation_tier tiers[2 + DYNO_TIERS_MAX]; /* the last one may be the peers */
    struct dyno_validation_figure handoffs[DYNO_HANDOFF_FIGURES];
};

/* Of live[repeats], 1 <= repeats <= DYNO_VALIDATION_REPEATS_MAX, and what stands for them.  All
 * have the same tiers. */
void dyno_validation_moved(struct dyno_validation_moved *out, const struct dyno_fleet_totals *live,
                           uint32_t repeats, const struct dyno_fleet_totals *simulated);

/* A few lines; what is 0 everywhere is left out, but hits. */
void dyno_validation_moved_print(const struct dyno_validation_moved *moved, uint32_t repeats,
                                 FILE *out);

/* NULL: no memory. */
json_t *dyno_validation_moved_json(const struct dyno_validation_moved *moved);

#endif

/* The first request that two arms treat differently, and what each router knew when it did. */
#ifndef DYNO_CLI_AB_PARTING_H
#define DYNO_CLI_AB_PARTING_H

#include "cli/arms/arm_runs.h"

enum { DYNO_PARTING_CANDIDATES_MAX = 64 };

struct dyno_parting_side {
    struct dyno_request_record record;
    bool is_known;   /* what follows: the decision was seen again */
    uint32_t worker; /* chosen */
    uint32_t overlap_blocks;
    uint32_t candidate_count; /* kept */
    uint32_t candidates[DYNO_PARTING_CANDIDATES_MAX];
    bool scored;
    double scores[DYNO_PARTING_CANDIDATES_MAX]; /* lower is better */
};

struct dyno_parting {
    struct dyno_parting_side sides[2];
};

/* Run both scenarios again, up to the decision about the request of sides[].record, and keep it.  A
 * simulation only: what runs by a real clock does not come again.  Errors: as of a run. */
dyno_status dyno_parting_look(struct dyno_parting *parting, const struct dyno_scenario *first,
                              const struct dyno_scenario *second, struct dyno_error *error);

#endif

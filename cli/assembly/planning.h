/* What an assembly needs more where somebody plans: a roster, and a planner of it. */
#ifndef DYNO_CLI_ASSEMBLY_PLANNING_H
#define DYNO_CLI_ASSEMBLY_PLANNING_H

#include "cli/scenario/planning.h"
#include "cli/scenario/scenario.h"
#include "core/run/planner.h"
#include "traces/law.h"

struct dyno_planning {
    struct dyno_law startup, change;
    struct dyno_foresight foresight;
    dyno_ns *arrivals;                       /* [foresight.count] ... */
    uint32_t *prompt_tokens, *output_tokens; /* ... likewise */
    struct dyno_roster *roster;
    struct dyno_planner *planner; /* NULL: nobody plans */
};

/* What is known of the workers that are planned. */
struct dyno_planning_of {
    struct dyno_dispatch *dispatch;
    const struct dyno_worker_config *worker;
    /* Where prompts are computed by other workers: of these; else NULL. */
    struct dyno_dispatch *prefill_dispatch;
    const struct dyno_worker_config *prefill_worker;
    /* Where the fleet serves several models: which of them this is, what the first of its workers
     * is called, what all of them share, and how requests choose.  Else all zero. */
    uint32_t model, first_worker;
    struct dyno_roster_budget *budget;
    const struct dyno_model_choice *choice;
    const struct dyno_starter *starter; /* of workers that start for real; NULL: as options say */
    dyno_ns start_ns; /* what is "measured" for the laws of starts: what one takes, or about */
    const void *trace_data; /* [trace_size] as in struct dyno_frame_source */
    size_t trace_size;
};

/* Zero-initialise first; nothing is opened where nobody plans.  A clairvoyant policy reads the
 * scenario's requests ahead.  Closed also after a failure.  Errors: DYNO_BAD_INPUT, and what
 * reading them returns. */
dyno_status dyno_planning_open(struct dyno_planning *planning, const struct dyno_scenario *scenario,
                               const struct dyno_planning_of *of, struct dyno_error *error);
void dyno_planning_close(struct dyno_planning *planning);

/* What a report says of the run that ended at `end_ns`. */
void dyno_planning_report(const struct dyno_planning *planning,
                          const struct dyno_scenario *scenario, dyno_ns end_ns,
                          struct dyno_plan_report *out);

#endif

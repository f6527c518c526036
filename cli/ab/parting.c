#include "cli/ab/parting.h"

#include <stdlib.h>

#include "cli/assembly/assembly.h"

struct watcher {
    struct dyno_sink sink;
    struct dyno_parting_side *side;
    volatile sig_atomic_t seen; /* then the run may end */
};

static dyno_status see_decision(struct dyno_sink *sink, const struct dyno_decision_record *record)
{
    struct watcher *watcher = (struct watcher *)sink;
    struct dyno_parting_side *side = watcher->side;

    if (watcher->seen || record->request != side->record.id) {
        return DYNO_OK;
    }
    watcher->seen = 1;
    side->is_known = true;
    side->worker = record->worker;
    side->overlap_blocks = record->overlap_blocks;
    side->scored = record->scores != NULL;
    for (uint32_t i = 0; record->candidates && i < record->candidate_count &&
                         side->candidate_count < DYNO_PARTING_CANDIDATES_MAX;
         i++) {
        side->candidates[side->candidate_count] = record->candidates[i];
        side->scores[side->candidate_count++] = record->scores ? record->scores[i] : 0.0;
    }
    return DYNO_OK;
}

static const struct dyno_sink_ops watcher_ops = {.name = "watcher", .decision = see_decision};

static dyno_status look_again(struct dyno_parting_side *side, const struct dyno_scenario *asked,
                              struct dyno_error *error)
{
    struct dyno_assembly *assembly = calloc(1, sizeof *assembly);
    struct watcher watcher = {.sink.ops = &watcher_ops, .side = side};
    struct dyno_scenario scenario = *asked;
    dyno_status status;

    if (!assembly) {
        return dyno_fail(error, DYNO_NO_MEMORY, "out of memory");
    }
    scenario.output.decisions = true;
    status = dyno_assembly_open(assembly, &scenario, &watcher.sink, &watcher.seen, 0, error);
    if (status == DYNO_OK) {
        status = dyno_assembly_run(assembly, error);
        dyno_assembly_close(assembly);
    }
    free(assembly);
    return status;
}

dyno_status dyno_parting_look(struct dyno_parting *parting, const struct dyno_scenario *first,
                              const struct dyno_scenario *second, struct dyno_error *error)
{
    DYNO_TRY(look_again(&parting->sides[0], first, error));
    return look_again(&parting->sides[1], second, error);
}

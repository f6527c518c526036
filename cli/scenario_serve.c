/* What serving makes of a scenario: requests come from outside, at the wall's pace. */
#include <stdio.h>
#include <string.h>

#include "cli/live.h"
#include "cli/scenario_check.h"
#include "core/model/model.h"

bool dyno_scenario_row_is_for(const struct dyno_option *row, enum dyno_scenario_use use)
{
    static const char *const of_replays[] = {"output.json",      "output.host_json",
                                             "output.intervals", "output.progress",
                                             "run.ends",         "run.clock"};
    size_t length = strcspn(row->name, ".");

    if (strcmp(row->name, "generate.output_tokens") == 0) {
        return true; /* how long answers are that nobody computes */
    }
    for (size_t i = 0; use == DYNO_USE_SERVE && i < sizeof of_replays / sizeof of_replays[0]; i++) {
        if (strcmp(row->name, of_replays[i]) == 0) {
            return false;
        }
    }
    for (const struct dyno_scenario_section *section = dyno_scenario_sections; section->name;
         section++) {
        if (strncmp(section->name, row->name, length) == 0 && section->name[length] == '\0') {
            return (section->uses & use) != 0;
        }
    }
    return false;
}

static const struct dyno_option_origin *origin_of(const struct dyno_options *options,
                                                  const char *name)
{
    return dyno_options_origin(options, dyno_options_find(options, name));
}

static bool is_given(const struct dyno_options *options, const char *name)
{
    return origin_of(options, name)->source > DYNO_SOURCE_PROFILE;
}

/* A file may be one that is replayed too: what it says of traces stays unread. */
static dyno_status pass_over(struct dyno_options *options, const struct dyno_option *row,
                             struct dyno_error *error)
{
    static const struct dyno_option_origin nobody = {.source = DYNO_SOURCE_DEFAULT};
    const struct dyno_option_origin *origin = dyno_options_origin(options, row);
    char place[256];

    if (origin->source == DYNO_SOURCE_SET || origin->source == DYNO_SOURCE_FLAG) {
        dyno_option_place(row, origin, place, sizeof place);
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s means nothing to a server: its requests come from clients", place);
    }
    return dyno_options_set(options, row, row->initial, &nobody, error);
}

static dyno_status set(struct dyno_options *options, const char *name, const char *value,
                       struct dyno_error *error)
{
    static const struct dyno_option_origin origin = {.source = DYNO_SOURCE_PROFILE,
                                                     .where = "serve"};

    return dyno_options_set(options, dyno_options_find(options, name), value, &origin, error);
}

/* A measured machine is this one: it is there to compute. */
static dyno_status choose_device(const struct dyno_scenario *scenario, struct dyno_options *options,
                                 struct dyno_error *error)
{
    bool pretends = is_given(options, "fleet.gpu") ||
                    (is_given(options, "model.name") && dyno_model_find(scenario->model.name));

    if (scenario->timing.machine) {
        DYNO_TRY(set(options, "timing.machine", "none", error));
        pretends = false;
    }
    return is_given(options, "run.device")
               ? DYNO_OK
               : set(options, "run.device", pretends ? "sim" : "cpu", error);
}

dyno_status dyno_scenario_settle_to_serve(const struct dyno_scenario *scenario,
                                          struct dyno_options *options, struct dyno_error *error)
{
    for (uint32_t i = 0; i < options->count; i++) {
        const struct dyno_option *row = &options->rows[i];

        if (!dyno_scenario_row_is_for(row, DYNO_USE_SERVE) && is_given(options, row->name)) {
            DYNO_TRY(pass_over(options, row, error));
        }
    }
    if (!is_given(options, "output.db")) {
        DYNO_TRY(set(options, "output.db", "none", error));
    }
    DYNO_TRY(choose_device(scenario, options, error));
    if (!dyno_live_is_real(scenario) && !is_given(options, "batch.steps_max")) {
        DYNO_TRY(set(options, "batch.steps_max", "1", error)); /* a token is told when it is due */
    }
    DYNO_TRY(set(options, "run.clock", "wall", error));
    return set(options, "run.ends", "model", error);
}

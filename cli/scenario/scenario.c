/* A scenario is laid down in layers: defaults, engine profile, file, --set and flags. */
#include "cli/scenario/scenario.h"

#include <string.h>

#include "cli/scenario/arguments.h"
#include "cli/scenario/faulting.h"
#include "cli/scenario/file.h"
#include "cli/scenario/models.h"
#include "cli/scenario/planning.h"
#include "cli/scenario/queueing.h"
#include "cli/scenario/settle.h"

/* The layers over the defaults. */
static dyno_status fill(struct dyno_scenario *scenario, struct dyno_options *options,
                        const struct dyno_arguments *arguments, enum dyno_scenario_use use,
                        struct dyno_error *error)
{
    if (arguments->file) {
        DYNO_TRY(dyno_scenario_file_read(options, arguments->file, error));
    }
    DYNO_TRY(dyno_arguments_apply(arguments, options, error));
    if (arguments->file && strcmp(arguments->file, "-") == 0 && scenario->trace.path &&
        strcmp(scenario->trace.path, "-") == 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "the scenario and the trace cannot both come from standard input");
    }
    if (use == DYNO_USE_SERVE) {
        DYNO_TRY(dyno_scenario_settle_to_serve(scenario, options, error));
    }
    DYNO_TRY(dyno_scenario_settle(scenario, options, error));
    if (arguments->ask != DYNO_ASK_RUN) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_queueing_check(scenario, options, error));
    DYNO_TRY(dyno_models_check(scenario, options, error));
    if (use == DYNO_USE_REPLAY) {
        return dyno_scenario_check(scenario, options, error);
    }
    DYNO_TRY(dyno_faulting_check(scenario, options, error));
    return dyno_planning_check(scenario, error);
}

static dyno_status load(struct dyno_scenario *scenario, struct dyno_options *options, int argc,
                        char **argv, enum dyno_scenario_use use, enum dyno_scenario_ask *ask,
                        struct dyno_error *error)
{
    struct dyno_arguments arguments = {0};
    dyno_status status;

    *scenario = (struct dyno_scenario){0};
    DYNO_TRY(
        dyno_options_open(options, dyno_scenario_rows, dyno_scenario_row_count, scenario, error));
    status = dyno_arguments_parse(&arguments, options, argc, argv, error);
    if (status == DYNO_OK && arguments.ask != DYNO_ASK_HELP) {
        status = fill(scenario, options, &arguments, use, error);
    }
    *ask = arguments.ask;
    dyno_arguments_release(&arguments);
    if (status != DYNO_OK) {
        dyno_options_close(options);
    }
    return status;
}

dyno_status dyno_scenario_load(struct dyno_scenario *scenario, struct dyno_options *options,
                               int argc, char **argv, enum dyno_scenario_ask *ask,
                               struct dyno_error *error)
{
    return load(scenario, options, argc, argv, DYNO_USE_REPLAY, ask, error);
}

dyno_status dyno_scenario_load_to_serve(struct dyno_scenario *scenario,
                                        struct dyno_options *options, int argc, char **argv,
                                        enum dyno_scenario_ask *ask, struct dyno_error *error)
{
    return load(scenario, options, argc, argv, DYNO_USE_SERVE, ask, error);
}

#include "cli/scenario/faulting.h"

#include <stdlib.h>
#include <string.h>

#include "cli/scenario/live.h"
#include "cli/scenario/models.h"
#include "cli/scenario/planning.h"
#include "sim/chaos.h"

bool dyno_faulting_guards(const struct dyno_scenario *scenario)
{
    return dyno_live_starts(scenario);
}

bool dyno_faulting_is_on(const struct dyno_scenario *scenario)
{
    return scenario->faults.list || scenario->faults.death_every_ns > 0 ||
           scenario->faults.stall_every_ns > 0 || scenario->faults.link_every_ns > 0;
}

/* ---- the list -------------------------------------------------------------------------------- */

static dyno_status read_one(struct dyno_chaos_fault *out, const struct dyno_scenario *scenario,
                            uint32_t workers, const char *text, struct dyno_error *error)
{
    DYNO_TRY(dyno_chaos_parse(out, "faults.list", text, error));
    if (out->kind != DYNO_FAULT_DEATH && dyno_live_is_real(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "faults.list: '%s' is for simulations: of what computes (run.device %s) "
                         "workers can be made to die (=dead), and nothing to be slow",
                         text, scenario->run.device);
    }
    if (out->kind == DYNO_FAULT_LINK) {
        return scenario->disagg.policy || scenario->tiers.levels || scenario->tiers.peers
                   ? DYNO_OK
                   : dyno_fail(error, DYNO_BAD_INPUT,
                               "faults.list: '%s' is of a link, and nothing moves over links "
                               "without --disagg, --tier or --peers",
                               text);
    }
    if (out->last >= workers) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "faults.list: there is no worker %u: the fleet has %u, and the first is "
                         "worker 0",
                         out->last, workers);
    }
    return DYNO_OK;
}

/* The faults that are asked for.  *out is the caller's to free. */
static dyno_status read_list(struct dyno_chaos_fault **out, uint32_t *count,
                             const struct dyno_scenario *scenario, uint32_t workers,
                             struct dyno_error *error)
{
    char *text = strdup(scenario->faults.list ? scenario->faults.list : "");
    struct dyno_chaos_fault *faults = calloc(DYNO_CHAOS_FAULTS_MAX, sizeof *faults);
    dyno_status status = DYNO_OK;
    uint32_t used = 0;

    if (!text || !faults) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "no memory for faults");
    }
    for (char *rest = text; faults && status == DYNO_OK && rest;) {
        const char *word = strsep(&rest, ",");

        if (word[0] == '\0' && !scenario->faults.list) {
            break;
        }
        status = used < DYNO_CHAOS_FAULTS_MAX
                     ? read_one(&faults[used++], scenario, workers, word, error)
                     : dyno_fail(error, DYNO_BAD_INPUT,
                                 "faults.list: more than %d faults; let some be drawn "
                                 "(faults.death_every, faults.stall_every)",
                                 DYNO_CHAOS_FAULTS_MAX);
    }
    free(text);
    if (status != DYNO_OK) {
        free(faults);
        return status;
    }
    *out = faults;
    *count = used;
    return DYNO_OK;
}

dyno_status dyno_faulting_chaos(struct dyno_faults **out, const struct dyno_scenario *scenario,
                                uint32_t workers, struct dyno_error *error)
{
    struct dyno_chaos_fault *faults;
    uint32_t count;
    dyno_status status;

    DYNO_TRY(read_list(&faults, &count, scenario, workers, error));
    status = dyno_chaos_open(
        out,
        &(struct dyno_chaos_config){.seed = scenario->run.seed,
                                    .worker_count = workers,
                                    .faults = faults,
                                    .fault_count = count,
                                    .death_every_ns = scenario->faults.death_every_ns,
                                    .death_for_ns = scenario->faults.death_for_ns,
                                    .stall_every_ns = scenario->faults.stall_every_ns,
                                    .stall_for_ns = scenario->faults.stall_for_ns,
                                    .stall_slowness = scenario->faults.stall_slowness,
                                    .link_every_ns = scenario->faults.link_every_ns,
                                    .link_for_ns = scenario->faults.link_for_ns,
                                    .link_slowness = scenario->faults.link_slowness},
        error);
    free(faults);
    return status;
}

/* ---- checking -------------------------------------------------------------------------------- */

/* Given on the command line (what a file says may be meant for another run), and not to undo it. */
static const char *given_option(const struct dyno_options *options)
{
    for (uint32_t i = 0; i < options->count; i++) {
        const struct dyno_option_origin *origin = dyno_options_origin(options, &options->rows[i]);

        if (strncmp(options->rows[i].name, "faults.", 7) == 0 &&
            !dyno_options_is_initial(options, &options->rows[i]) &&
            (origin->source == DYNO_SOURCE_SET || origin->source == DYNO_SOURCE_FLAG)) {
            return options->rows[i].name;
        }
    }
    return NULL;
}

static dyno_status check_beside(const struct dyno_scenario *scenario, struct dyno_error *error)
{
    if (dyno_live_is_remote(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "faults are for workers that are simulated or compute here (run.device "
                         "%s): others fail when they fail",
                         scenario->run.device);
    }
    if (dyno_live_is_real(scenario) &&
        (scenario->faults.stall_every_ns > 0 || scenario->faults.link_every_ns > 0)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s is for simulations: of what computes (run.device %s) workers can be "
                         "made to die, and nothing to be slow",
                         scenario->faults.stall_every_ns > 0 ? "faults.stall_every"
                                                             : "faults.link_every",
                         scenario->run.device);
    }
    if (scenario->faults.link_every_ns > 0 && !scenario->disagg.policy && !scenario->tiers.levels &&
        !scenario->tiers.peers) {
        return dyno_fail(
            error, DYNO_BAD_INPUT,
            "faults.link_every has no meaning without --disagg, --tier or --peers: nothing "
            "moves over links");
    }
    if (scenario->output.journal && !dyno_live_is_real(scenario)) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "output.journal and faults of simulated workers cannot be together: a "
                         "journal has no place for their weather");
    }
    return DYNO_OK;
}

dyno_status dyno_faulting_check(const struct dyno_scenario *scenario,
                                const struct dyno_options *options, struct dyno_error *error)
{
    const char *given = given_option(options);
    struct dyno_faults *faults = NULL;
    struct dyno_law restart;
    uint32_t workers;

    if (!dyno_faulting_is_on(scenario)) {
        return given ? dyno_fail(error, DYNO_BAD_INPUT,
                                 "%s has no meaning where nothing goes wrong: give --fault, "
                                 "faults.death_every, faults.stall_every or faults.link_every",
                                 given)
                     : DYNO_OK;
    }
    DYNO_TRY(check_beside(scenario, error));
    DYNO_TRY(
        dyno_planning_law(&restart, "faults.restart", scenario->faults.restart, DYNO_S, error));
    DYNO_TRY(dyno_models_workers(&workers, scenario, error));
    DYNO_TRY(dyno_faulting_chaos(&faults, scenario, workers, error));
    faults->ops->close(faults);
    return DYNO_OK;
}

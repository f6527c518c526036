#include "cli/scenario/faulting.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "backends/engine/failures.h"
#include "backends/ucx/peers.h"
#include "cli/assembly/halves.h"
#include "cli/assembly/live.h"
#include "cli/assembly/starting.h"
#include "cli/scenario/models.h"
#include "cli/scenario/planning.h"
#include "core/base/map.h"
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

static dyno_status open_chaos(struct dyno_faults **out, const struct dyno_scenario *scenario,
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
    DYNO_TRY(open_chaos(&faults, scenario, workers, error));
    faults->ops->close(faults);
    return DYNO_OK;
}

/* ---- opening --------------------------------------------------------------------------------- */

static dyno_ns draw_restart(const void *context, struct dyno_rng *rng)
{
    return dyno_law_time(context, rng);
}

static dyno_status open_roster(struct dyno_roster **out, const struct dyno_faulting *faulting,
                               uint64_t seed, uint32_t first_worker, uint32_t workers,
                               struct dyno_dispatch *dispatch, const struct dyno_starter *starter)
{
    return dyno_roster_open(out, &(struct dyno_roster_config){.worker_count = workers,
                                                              .first_worker = first_worker,
                                                              .ready_first = workers,
                                                              .seed = seed,
                                                              .startup = draw_restart,
                                                              .startup_context = &faulting->restart,
                                                              .starter = starter,
                                                              .dispatch = dispatch});
}

/* Workers that compute prompts come behind the others, or are the same GPUs. */
static void prompts_weather(const void *faulting, uint32_t worker, dyno_ns now,
                            struct dyno_weather *out)
{
    const struct dyno_faulting *of = faulting;

    dyno_chaos_weather(of->chaos, of->first_behind + worker, now, out);
}

static dyno_status open_rosters(struct dyno_faulting *faulting,
                                const struct dyno_scenario *scenario,
                                const struct dyno_faulting_of *of)
{
    const struct dyno_starting *starting = of->starting;
    uint64_t seed = of->first_worker > 0 ? dyno_chain(scenario->run.seed, of->first_worker)
                                         : scenario->run.seed;
    uint32_t workers = scenario->disagg.policy ? scenario->disagg.decode : scenario->fleet.workers;

    if (of->planned) {
        return DYNO_OK;
    }
    DYNO_TRY(open_roster(&faulting->roster, faulting, seed, of->first_worker, workers, of->dispatch,
                         starting ? &starting->starter : NULL));
    return scenario->disagg.policy
               ? open_roster(&faulting->behind, faulting, dyno_chain(seed, workers), 0,
                             scenario->disagg.prefill, of->dispatch_behind,
                             starting ? &starting->starter_behind : NULL)
               : DYNO_OK;
}

/* Workers that compute, and may fail. */
static dyno_status guard(struct dyno_faulting *faulting, const struct dyno_scenario *scenario,
                         const struct dyno_faulting_of *of, struct dyno_error *error)
{
    struct dyno_failing failing[DYNO_FAILING_MAX] = {
        {of->device, 0}, {of->device_behind, dyno_halves_decoders(scenario)}};
    const struct dyno_ucx_mortals mortals[DYNO_UCX_MORTALS] = {
        {of->peers, 0}, {of->peers_behind, dyno_halves_decoders(scenario)}};
    uint32_t count = of->other_count > 0 ? 1 + of->other_count : 2;

    /* Who has halves has one model. */
    for (uint32_t i = 1; of->other_count > 0 && i < count; i++) {
        failing[i] = of->others[i - 1];
    }
    if ((of->peers || of->peers_behind) &&
        dyno_ucx_faults_open(&faulting->faults, mortals, faulting->faults) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for faults");
    }
    if (dyno_failures_open(&faulting->faults, failing, count, faulting->faults) != DYNO_OK) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for faults");
    }
    return open_rosters(faulting, scenario, of);
}

dyno_status dyno_faulting_open(struct dyno_faulting *faulting, const struct dyno_scenario *scenario,
                               const struct dyno_faulting_of *of, struct dyno_error *error)
{
    bool is_on = dyno_faulting_is_on(scenario);

    faulting->first_behind = dyno_halves_first_prefiller(scenario);
    faulting->is_real = of->starting != NULL;
    faulting->is_guard = !is_on && dyno_faulting_guards(scenario) && of->starting;
    if (faulting->is_guard) {
        return guard(faulting, scenario, of, error);
    }
    if (!is_on) {
        return DYNO_OK;
    }
    DYNO_TRY(dyno_planning_law(&faulting->restart, "faults.restart", scenario->faults.restart,
                               of->starting ? of->starting->takes_ns : of->start_ns, error));
    DYNO_TRY(open_chaos(&faulting->faults, scenario,
                        of->worker_count > 0 ? of->worker_count : scenario->fleet.workers, error));
    faulting->chaos = faulting->faults;
    if (of->starting) {
        return guard(faulting, scenario, of, error);
    }
    dyno_paced_device_expect(of->device, dyno_chaos_weather, faulting->chaos);
    if (scenario->disagg.policy) {
        dyno_paced_device_expect(of->device_behind, prompts_weather, faulting);
    }
    return open_rosters(faulting, scenario, of);
}

/* As prompts_weather. */
static void models_weather(const void *faulting, uint32_t worker, dyno_ns now,
                           struct dyno_weather *out)
{
    const struct dyno_faulting *of = faulting;

    dyno_chaos_weather(of->weather, of->first_behind + worker, now, out);
}

dyno_status dyno_faulting_open_beside(struct dyno_faulting *faulting,
                                      const struct dyno_faulting *first,
                                      const struct dyno_scenario *scenario,
                                      const struct dyno_faulting_of *of)
{
    if (!first->faults) {
        return DYNO_OK;
    }
    faulting->restart = first->restart;
    faulting->first_behind = of->first_worker;
    if (first->chaos && !of->starting) {
        faulting->weather = first->chaos;
        dyno_paced_device_expect(of->device, models_weather, faulting);
    }
    return open_rosters(faulting, scenario, of);
}

dyno_status dyno_faulting_use_links(struct dyno_faulting *faulting, struct dyno_links *fabric,
                                    const struct dyno_topology_links *links,
                                    struct dyno_error *error)
{
    return faulting->chaos && fabric && !faulting->is_real
               ? dyno_chaos_use_links(faulting->chaos, fabric, links, error)
               : DYNO_OK;
}

void dyno_faulting_close(struct dyno_faulting *faulting)
{
    dyno_roster_close(faulting->roster);
    dyno_roster_close(faulting->behind);
    if (faulting->faults) {
        faulting->faults->ops->close(faulting->faults);
    }
    memset(faulting, 0, sizeof *faulting);
}

static void add_fleet(const struct dyno_roster *roster, dyno_ns end_ns,
                      struct dyno_roster_totals *sum, uint32_t *places)
{
    struct dyno_roster_totals totals;

    if (roster) {
        totals = dyno_roster_totals(roster, end_ns);
        sum->restarts += totals.restarts;
        sum->ready_ns += totals.ready_ns;
        *places += dyno_roster_places(roster);
    }
}

void dyno_faulting_report(const struct dyno_faulting *faulting, const struct dyno_loop *loop,
                          struct dyno_roster *const *rosters, uint32_t count,
                          const struct dyno_fleet_totals *totals, dyno_ns end_ns,
                          struct dyno_fault_report *out)
{
    struct dyno_roster_totals fleet = {0};
    uint32_t places = 0;

    for (uint32_t i = 0; i < count; i++) {
        add_fleet(rosters[i], end_ns, &fleet, &places);
    }
    add_fleet(faulting->behind, end_ns, &fleet, &places);
    *out = (struct dyno_fault_report){
        .totals = dyno_loop_fault_totals(loop),
        .restarts = fleet.restarts,
        .tokens_recomputed = totals->tokens_recomputed,
        .ready_share = end_ns > 0 ? (double)fleet.ready_ns / ((double)end_ns * places) : 1.0};
}

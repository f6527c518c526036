#include "cli/assembly/faulting.h"

#include <string.h>

#include "backends/engine/failures.h"
#include "backends/ucx/peers.h"
#include "cli/assembly/halves.h"
#include "cli/assembly/starting.h"
#include "cli/scenario/planning.h"
#include "core/base/map.h"
#include "sim/chaos.h"

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
    DYNO_TRY(dyno_faulting_chaos(&faulting->faults, scenario,
                                 of->worker_count > 0 ? of->worker_count : scenario->fleet.workers,
                                 error));
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

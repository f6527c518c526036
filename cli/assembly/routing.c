#include "cli/assembly/routing.h"

#include <string.h>

#include "backends/posix/plugin.h"
#include "cli/assembly/models.h"
#include "cli/assembly/queueing.h"
#include "core/route/route.h"

/* Long spans instead of short ones change nothing that can be seen, unless events get lost (which
 * ones depends on how many there are), the router forgets by entries (approx), a tier counts, or
 * several routers tell each other (they hear that a request ended after its spans' names are free
 * again). */
static dyno_status open_trie(struct dyno_assembly *assembly, const struct dyno_route_policy *policy)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    uint32_t needs = policy->needs;

    if (scenario->disagg.policy) {
        needs |= dyno_route_find(scenario->disagg.router)->needs;
    }
    if (assembly->remote || !assembly->worker.prefix_cache || scenario->router.event_loss > 0.0 ||
        (scenario->router.replicas > 1 && scenario->router.sync_delay_ns > 0) ||
        (needs & DYNO_ROUTE_NEEDS_GUESSED) != 0 || dyno_tiers_count_spans(scenario)) {
        return DYNO_OK;
    }
    return dyno_kv_trie_open(&assembly->trie, scenario->router.event_delay_ns);
}

static dyno_status open_dispatch_of(const struct dyno_assembly *assembly,
                                    struct dyno_dispatch **out,
                                    const struct dyno_route_policy *policy, uint32_t workers,
                                    struct dyno_dispatch_busy busy, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;

    return dyno_dispatch_open(
        out,
        &(struct dyno_dispatch_config){
            .policy = policy,
            .route = {.temperature = scenario->router.temperature,
                      .temperature_absolute = scenario->router.temperature_absolute,
                      .overlap_credit = scenario->router.overlap_credit,
                      .overlap_decay = scenario->router.overlap_decay,
                      .prefill_load_scale = scenario->router.prefill_load_scale,
                      .decode_request_weight = scenario->router.decode_request_weight,
                      .track_prefill_tokens = scenario->router.track_prefill_tokens,
                      .track_active_blocks = scenario->router.track_active_blocks,
                      .session_replicas = scenario->router.session_replicas,
                      .session_sticky = scenario->router.session_sticky,
                      .args = scenario->router.args ? scenario->router.args : ""},
            .seed = scenario->run.seed,
            .worker_count = workers,
            .block_tokens = assembly->worker.block_tokens,
            .event_delay_ns = scenario->router.event_delay_ns,
            .event_loss = scenario->router.event_loss,
            .guess_ttl_ns = scenario->router.guess_ttl_ns,
            .guess_blocks_max = scenario->router.guess_blocks_max,
            .busy = busy,
            .router_count = scenario->router.replicas,
            .routers_by_session = strcmp(scenario->router.spread, "session") == 0,
            .sync_delay_ns =
                scenario->router.sync_delay_ns > 0 ? scenario->router.sync_delay_ns : DYNO_NEVER,
        },
        error);
}

/* A router of one model never chooses a worker of another. */
static void keep_apart(const struct dyno_assembly *assembly)
{
    uint32_t first = dyno_fleets_first(assembly, assembly->model);
    uint32_t end = first + assembly->scenario->fleet.workers;

    for (uint32_t i = 0; i < dyno_fleets_workers(assembly); i++) {
        if (i < first || i >= end) {
            dyno_dispatch_worker_gone(assembly->dispatch, i);
        }
    }
}

dyno_status dyno_assembly_open_routing(struct dyno_assembly *assembly, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    const struct dyno_route_policy *policy = NULL;
    struct dyno_dispatch_busy busy = dyno_queueing_busy(scenario, assembly->worker.blocks);

    if (scenario->router.plugin) {
        DYNO_TRY(dyno_plugin_open(&policy, &assembly->plugin, scenario->router.plugin, error));
    } else {
        policy = dyno_route_find(scenario->router.policy);
    }
    assembly->policy_name = policy->name;
    DYNO_TRY(open_trie(assembly, policy));
    if (!scenario->disagg.policy) {
        DYNO_TRY(open_dispatch_of(assembly, &assembly->dispatch, policy,
                                  dyno_fleets_workers(assembly), busy, error));
        keep_apart(assembly);
        return DYNO_OK;
    }
    DYNO_TRY(open_dispatch_of(assembly, &assembly->halves.dispatch, policy,
                              dyno_halves_prefillers(scenario), (struct dyno_dispatch_busy){0},
                              error));
    DYNO_TRY(open_dispatch_of(assembly, &assembly->dispatch,
                              dyno_route_find(scenario->disagg.router),
                              dyno_halves_decoders(scenario), busy, error));
    dyno_dispatch_follow(assembly->halves.dispatch, assembly->dispatch);
    return DYNO_OK;
}

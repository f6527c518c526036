#include "cli/assembly_halves.h"

#include <string.h>

#include "cli/topology_file.h"
#include "core/run/prefill_router.h"

static dyno_status open_links(struct dyno_halves *halves, const struct dyno_scenario *scenario,
                              const struct dyno_timing_config *timing, struct dyno_error *error)
{
    struct dyno_topology topology = {0};

    if (scenario->links.topology) {
        DYNO_TRY(dyno_topology_read(&topology, scenario->links.topology, error));
    } else {
        dyno_topology_default(&topology, &timing->gpu, scenario->fleet.tp, scenario->fleet.workers);
    }
    DYNO_TRY(dyno_topology_check(&topology, scenario->fleet.workers, error));
    DYNO_TRY(dyno_topology_links_open(&halves->places, &topology));
    return dyno_topology_fabric(&halves->links, halves->places,
                                strcmp(scenario->links.sharing, "alone") == 0);
}

/* Prompts that are pushed reach prefill workers tokenised. */
static void shape_prefill(struct dyno_local_config *prefill, const struct dyno_halves *halves,
                          const struct dyno_scenario *scenario)
{
    if (strcmp(scenario->disagg.style, "pull") != 0) {
        prefill->worker.ingest_ns = 0;
        prefill->worker.ingest_token_ticks = 0;
    }
    prefill->worker_count = scenario->disagg.prefill;
    prefill->device = halves->device;
}

dyno_status dyno_halves_open(struct dyno_workers **out, struct dyno_halves *halves,
                             const struct dyno_scenario *scenario,
                             const struct dyno_timing_config *timing,
                             const struct dyno_local_config *config, struct dyno_error *error)
{
    struct dyno_handoff_config handoff = {
        .decode = *config,
        .prefill = *config,
        .listener = config->listener,
        .block_bytes =
            dyno_model_kv_bytes_per_token(&timing->model, timing->kv) * config->worker.block_tokens,
        .deadline_ns = scenario->disagg.deadline_ns,
        .pulls = strcmp(scenario->disagg.style, "pull") == 0,
        .hop_ns = scenario->disagg.hop_ns};

    DYNO_TRY(dyno_handoff_parse(&handoff.policy, &handoff.policy_tokens, scenario->disagg.policy,
                                error));
    DYNO_TRY(open_links(halves, scenario, timing, error));
    shape_prefill(&handoff.prefill, halves, scenario);
    handoff.decode.worker_count = scenario->disagg.decode;
    handoff.decode.worker.fetch_block_ticks = scenario->disagg.fetch_block_ns << DYNO_TICK_BITS;
    handoff.router = dyno_prefill_router(halves->dispatch);
    handoff.links = halves->links;
    return dyno_handoff_open(out, &handoff, error);
}

void dyno_halves_close(struct dyno_halves *halves)
{
    if (halves->links) {
        halves->links->ops->close(halves->links);
    }
    dyno_topology_links_close(halves->places);
    if (halves->dispatch) {
        dyno_dispatch_close(halves->dispatch);
    }
    if (halves->device) {
        halves->device->ops->close(halves->device);
    }
    memset(halves, 0, sizeof *halves);
}

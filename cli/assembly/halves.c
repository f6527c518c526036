#include "cli/assembly/halves.h"

#include <string.h>

#include "backends/ucx/peers.h"
#include "cli/scenario/planning.h"
#include "cli/scenario/topology_file.h"
#include "core/run/prefill_router.h"

uint32_t dyno_halves_prefill_tp(const struct dyno_scenario *scenario)
{
    return scenario->prefill.tp > 0 ? scenario->prefill.tp : scenario->fleet.tp;
}

static bool same_gpus(const struct dyno_scenario *scenario)
{
    return scenario->disagg.policy && dyno_planning_is_on(scenario);
}

uint32_t dyno_halves_decoders(const struct dyno_scenario *scenario)
{
    return scenario->disagg.policy && !same_gpus(scenario) ? scenario->disagg.decode
                                                           : scenario->fleet.workers;
}

uint32_t dyno_halves_prefillers(const struct dyno_scenario *scenario)
{
    return same_gpus(scenario) ? scenario->fleet.workers : scenario->disagg.prefill;
}

uint32_t dyno_halves_first_prefiller(const struct dyno_scenario *scenario)
{
    return same_gpus(scenario) ? 0 : scenario->disagg.decode;
}

uint32_t dyno_halves_workers(const struct dyno_scenario *scenario)
{
    return scenario->disagg.policy
               ? dyno_halves_decoders(scenario) + dyno_halves_prefillers(scenario)
               : scenario->fleet.workers;
}

bool dyno_halves_differ(const struct dyno_scenario *scenario, struct dyno_scenario *of_prefill)
{
    bool other_gpu = scenario->prefill.gpu != NULL;
    bool differ =
        other_gpu || scenario->prefill.tp > 0 || strcmp(scenario->prefill.weights, "same") != 0;

    *of_prefill = *scenario;
    of_prefill->fleet.tp = dyno_halves_prefill_tp(scenario);
    if (other_gpu) {
        of_prefill->fleet.gpu = scenario->prefill.gpu;
        of_prefill->timing.calibration = NULL; /* of the other one */
    }
    if (strcmp(scenario->prefill.weights, "same") != 0) {
        of_prefill->model.weights = scenario->prefill.weights;
    }
    if (differ || scenario->prefill.blocks > 0) {
        of_prefill->kv.blocks = scenario->prefill.blocks;
    }
    return differ || scenario->prefill.blocks > 0;
}

/* The two kinds of workers have nodes of their own where they are not alike. */
static void default_topology(struct dyno_topology *topology, const struct dyno_halves *halves,
                             const struct dyno_scenario *scenario,
                             const struct dyno_timing_config *timing)
{
    struct dyno_topology other;
    uint32_t tp = dyno_halves_prefill_tp(scenario), workers = scenario->fleet.workers;
    bool alike = tp == scenario->fleet.tp && !scenario->prefill.gpu;

    dyno_topology_default(topology, &timing->gpu, scenario->fleet.tp,
                          alike ? workers : scenario->disagg.decode);
    if (!alike) {
        dyno_topology_default(&other, &halves->timing_config.gpu, tp, scenario->disagg.prefill);
        dyno_topology_trim(topology, scenario->disagg.decode);
        topology->kinds[topology->kind_count++] = other.kinds[0];
    }
}

static dyno_status open_links(struct dyno_halves *halves, const struct dyno_scenario *scenario,
                              const struct dyno_timing_config *timing, struct dyno_error *error)
{
    struct dyno_topology topology = {0};

    if (scenario->links.topology) {
        DYNO_TRY(dyno_topology_read(&topology, scenario->links.topology, error));
    } else {
        default_topology(&topology, halves, scenario, timing);
    }
    DYNO_TRY(dyno_topology_check(&topology, scenario->fleet.workers, error));
    DYNO_TRY(dyno_topology_links_open(&halves->places, &topology));
    return dyno_topology_fabric(&halves->links, halves->places,
                                strcmp(scenario->links.sharing, "alone") == 0);
}

/* GPUs over which the heads of keys and values are split. */
static uint32_t split_of(const struct dyno_timing_config *timing)
{
    uint32_t heads = timing->model.mla_kv_rank > 0 ? 1 : timing->model.kv_heads;
    uint32_t split = timing->tp < heads ? timing->tp : heads;

    return split > 0 ? split : 1; /* a model without keys and values would have no heads of them */
}

/* Keys and values of each layer, in as many pieces more as the one split is finer than the other;
 * the GPUs of the coarser one send or receive at once. */
static dyno_ns relayout_ns(const struct dyno_halves *halves, const struct dyno_scenario *scenario,
                           const struct dyno_timing_config *timing)
{
    uint32_t a = split_of(timing), b = split_of(&halves->timing_config);
    uint32_t fine = a > b ? a : b, coarse = a > b ? b : a;

    return (dyno_ns)2 * timing->model.layers * ((fine + coarse - 1) / coarse - 1) *
           scenario->disagg.piece_ns;
}

static enum dyno_handoff_style style_of(const struct dyno_scenario *scenario)
{
    return strcmp(scenario->disagg.style, "pull") == 0   ? DYNO_HANDOFF_PULL
           : strcmp(scenario->disagg.style, "both") == 0 ? DYNO_HANDOFF_BOTH
                                                         : DYNO_HANDOFF_PUSH;
}

/* In which blocks are moved; 0: as a whole. */
static uint32_t layers_of(const struct dyno_halves *halves, const struct dyno_scenario *scenario,
                          const struct dyno_timing_config *timing)
{
    if (strcmp(scenario->disagg.transfer, "layers") != 0) {
        return 0;
    }
    return halves->block_bytes > 0 ? halves->layers : timing->model.layers;
}

/* Prompts that are pushed reach prefill workers tokenised. */
static void shape_prefill(struct dyno_local_config *prefill, const struct dyno_halves *halves,
                          const struct dyno_scenario *scenario)
{
    prefill->worker = halves->worker;
    prefill->gpus_per_worker = dyno_halves_prefill_tp(scenario);
    if (style_of(scenario) == DYNO_HANDOFF_PUSH) {
        prefill->worker.ingest_ns = 0;
        prefill->worker.ingest_token_ticks = 0;
    }
    prefill->worker_count = dyno_halves_prefillers(scenario);
    prefill->device = halves->device;
    if (same_gpus(scenario)) { /* the next ones after those that decode */
        prefill->worker.first_passes = scenario->planner.first_passes;
        prefill->worker.first_pass_ticks = scenario->planner.first_pass_extra_ns << DYNO_TICK_BITS;
        prefill->warm_from = scenario->disagg.decode;
        prefill->warm_count = scenario->disagg.prefill;
    }
}

dyno_status dyno_halves_open(struct dyno_workers **out, struct dyno_halves *halves,
                             const struct dyno_scenario *scenario,
                             const struct dyno_timing_config *timing,
                             const struct dyno_local_config *config, struct dyno_links *links,
                             struct dyno_error *error)
{
    struct dyno_handoff_config handoff = {
        .decode = *config,
        .prefill = *config,
        .listener = config->listener,
        .block_bytes = halves->block_bytes > 0
                           ? halves->block_bytes
                           : dyno_model_kv_bytes_per_token(&timing->model, timing->kv) *
                                 config->worker.block_tokens,
        .deadline_ns = scenario->disagg.deadline_ns,
        .move_deadline_ns = scenario->disagg.move_deadline_ns,
        .move_retries = scenario->disagg.move_retries,
        .relayout_ns = relayout_ns(halves, scenario, timing),
        .layers = layers_of(halves, scenario, timing),
        .style = style_of(scenario),
        .hop_ns = scenario->disagg.hop_ns};

    DYNO_TRY(dyno_handoff_parse(&handoff.policy, &handoff.policy_tokens, scenario->disagg.policy,
                                error));
    if (!links) {
        links = halves->live.links;
    }
    if (!links) {
        DYNO_TRY(open_links(halves, scenario, timing, error));
    }
    shape_prefill(&handoff.prefill, halves, scenario);
    handoff.same_gpus = same_gpus(scenario);
    handoff.decode.worker_count = dyno_halves_decoders(scenario);
    handoff.decode.worker.fetch_block_ticks = scenario->disagg.fetch_block_ns << DYNO_TICK_BITS;
    handoff.router = dyno_prefill_router(halves->dispatch);
    handoff.prefill.first_place = dyno_halves_first_prefiller(scenario);
    handoff.prefill.endpoint = /* memories of this machine are one for each role of a place */
        halves->block_bytes > 0 ? dyno_halves_decoders(scenario)
                                : dyno_halves_first_prefiller(scenario);
    handoff.links = links ? links : halves->links;
    return dyno_handoff_open(out, &handoff, error);
}

void dyno_halves_close(struct dyno_halves *halves)
{
    if (halves->links) {
        halves->links->ops->close(halves->links);
    }
    dyno_live_links_close(&halves->live);
    dyno_topology_links_close(halves->places);
    if (halves->dispatch) {
        dyno_dispatch_close(halves->dispatch);
    }
    if (halves->device) {
        halves->device->ops->close(halves->device);
    }
    dyno_ucx_peers_close(halves->peers);
    dyno_timing_close(halves->timing);
    memset(halves, 0, sizeof *halves);
}

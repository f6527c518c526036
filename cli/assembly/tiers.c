#include "cli/assembly/tiers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/store/kv_file.h"
#include "cli/assembly/assembly.h"
#include "cli/scenario/topology_file.h"
#include "core/base/units.h"
#include "core/worker/link_split.h"

static enum dyno_place place_of(const struct dyno_tier_spec *spec, uint32_t nodes)
{
    if (spec->level == 4) {
        return DYNO_PLACE_STORE;
    }
    if (spec->level == 3) {
        return DYNO_PLACE_DISK;
    }
    return spec->share == DYNO_SHARE_CLUSTER && nodes > 1 ? DYNO_PLACE_POOLED : DYNO_PLACE_HOST;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The blocks that the largest request that a worker can serve takes. */
static uint32_t blocks_of_one(const struct dyno_worker_config *worker)
{
    uint64_t tokens = (uint64_t)worker->blocks * worker->block_tokens;

    if (worker->context_max > 0 && worker->context_max < tokens) {
        tokens = worker->context_max;
    }
    return (uint32_t)((tokens + worker->block_tokens - 1) / worker->block_tokens);
}

static dyno_status check_size(const struct dyno_tier_spec *spec, uint64_t blocks,
                              uint64_t block_bytes, const struct dyno_worker_config *worker,
                              struct dyno_error *error)
{
    uint32_t least = blocks_of_one(worker);
    char bytes[DYNO_UNITS_TEXT_MAX], needed[DYNO_UNITS_TEXT_MAX];

    if (blocks >= least) {
        return DYNO_OK;
    }
    dyno_print_bytes(bytes, spec->bytes);
    dyno_print_bytes(needed, least * block_bytes);
    return dyno_fail(error, DYNO_BAD_INPUT,
                     "--tier %s=%s is smaller than one request may be: %" PRIu32
                     " blocks of %" PRIu64
                     " bytes are %s; give as much, or a smaller --max-model-len",
                     spec->name, bytes, least, block_bytes, needed);
}

/* Whose pool is which, and where it lies. */
static void assign(const struct dyno_topology_links *places, const struct dyno_tier_spec *spec,
                   uint32_t workers, uint32_t *pool_of, uint32_t *endpoint_of, uint32_t *count)
{
    enum dyno_place place = place_of(spec, dyno_topology_nodes(places));

    *count = 1;
    endpoint_of[0] = dyno_topology_endpoint(places, place, 0);
    for (uint32_t i = 0; i < workers; i++) {
        uint32_t node = dyno_topology_node_of(places, i);
        uint32_t pool = spec->share == DYNO_SHARE_WORKER ? i
                        : spec->share == DYNO_SHARE_NODE ? node
                                                         : 0;

        pool_of[i] = pool;
        if (spec->share != DYNO_SHARE_CLUSTER) {
            endpoint_of[pool] = dyno_topology_endpoint(places, place, node);
        }
        *count = pool + 1 > *count ? pool + 1 : *count;
    }
}

static dyno_status open_places(struct dyno_tiering *tiering, const struct dyno_scenario *scenario,
                               const struct dyno_timing_config *timing,
                               const struct dyno_tier_spec *specs, uint32_t count,
                               struct dyno_error *error)
{
    uint32_t workers = scenario->fleet.workers;
    struct dyno_topology topology = {0};

    if (scenario->links.topology) {
        DYNO_TRY(dyno_topology_read(&topology, scenario->links.topology, error));
    } else {
        dyno_topology_default(&topology, &timing->gpu, scenario->fleet.tp, workers);
    }
    DYNO_TRY(dyno_topology_check(&topology, workers, error));
    for (uint32_t i = 0; i < count; i++) {
        char whom[16];

        (void)snprintf(whom, sizeof whom, "--tier %s", specs[i].name);
        DYNO_TRY(
            dyno_topology_check_place(&topology, workers, place_of(&specs[i], 2), whom, error));
    }
    DYNO_TRY(dyno_topology_links_open(&tiering->places, &topology));
    return dyno_topology_fabric(&tiering->links, tiering->places,
                                strcmp(scenario->links.sharing, "alone") == 0);
}

/* Where workers compute there is one node, and a pool lies where nobody else does: behind the
 * memories of all workers, of which a place has one for each role. */
static void assign_live(const struct dyno_tier_spec *spec, uint32_t workers, uint32_t first,
                        uint32_t *pool_of, uint32_t *endpoint_of, uint32_t *count)
{
    *count = spec->share == DYNO_SHARE_WORKER ? workers : 1;
    for (uint32_t i = 0; i < workers; i++) {
        pool_of[i] = *count > 1 ? i : 0;
    }
    for (uint32_t i = 0; i < *count; i++) {
        endpoint_of[i] = first + i;
    }
}

static dyno_status open_live(struct dyno_tiering *tiering, const struct dyno_assembly *assembly,
                             const struct dyno_tiers_config *config, struct dyno_error *error)
{
    struct dyno_live_pool *pools =
        calloc((size_t)DYNO_TIERS_MAX * config->place_count, sizeof *pools);
    uint32_t count = 0;
    dyno_status status;

    if (!pools) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for lower tiers");
    }
    for (uint32_t i = 0; i < config->tier_count; i++) {
        for (uint32_t j = 0; j < config->tiers[i].pool_count; j++) {
            pools[count++] = (struct dyno_live_pool){.level = config->tiers[i].level,
                                                     .blocks = config->tiers[i].pool_blocks};
        }
    }
    status = dyno_live_links_open(&tiering->live, assembly, pools, count, error);
    free(pools);
    return status;
}

static dyno_status lay_out(struct dyno_tiering *tiering, const struct dyno_scenario *scenario,
                           const struct dyno_tier_spec *specs, struct dyno_tiers_config *config,
                           uint32_t *numbers, const struct dyno_worker_config *worker,
                           struct dyno_error *error)
{
    uint32_t workers = config->place_count, next = dyno_halves_workers(scenario);

    for (uint32_t i = 0; i < config->tier_count; i++) {
        struct dyno_tier_config *tier = &config->tiers[i];
        uint64_t blocks = specs[i].bytes / config->block_bytes;
        uint32_t *pool_of = numbers + (size_t)2 * i * workers, *endpoint_of = pool_of + workers;

        DYNO_TRY(check_size(&specs[i], blocks, config->block_bytes, worker, error));
        tiering->credits.tiers[i] = scenario->router.tier_credit[specs[i].level - 2];
        tier->level = specs[i].level;
        tier->outlives = !tiering->places && specs[i].level == 3;
        tier->store =
            dyno_store_policy_find(i == 0 ? scenario->tiers.store : scenario->tiers.store_below);
        tier->evict = dyno_kv_evict_find(scenario->tiers.evict);
        tier->pool_blocks = blocks < UINT32_MAX ? (uint32_t)blocks : UINT32_MAX - 1;
        tier->pool_of = pool_of;
        tier->endpoint_of = endpoint_of;
        if (tiering->places) {
            assign(tiering->places, &specs[i], workers, pool_of, endpoint_of, &tier->pool_count);
        } else {
            assign_live(&specs[i], workers, next, pool_of, endpoint_of, &tier->pool_count);
            next += tier->pool_count;
        }
    }
    return DYNO_OK;
}

/* What files have from before. */
static dyno_status adopt(const struct dyno_tiering *tiering, const struct dyno_tiers_config *config)
{
    uint32_t index = 0;

    for (uint32_t i = 0; i < config->tier_count; i++) {
        for (uint32_t j = 0; j < config->tiers[i].pool_count; j++, index++) {
            struct dyno_kv_file *file =
                index < tiering->live.file_count ? tiering->live.files[index] : NULL;
            uint32_t count = 0;

            if (file) {
                struct dyno_kept_block *kept = dyno_kv_file_kept(file, &count);

                DYNO_TRY(dyno_tiers_adopt(tiering->tiers, i, j, kept, count));
            }
        }
    }
    return DYNO_OK;
}

static dyno_status open_tiers(struct dyno_tiering *tiering, const struct dyno_assembly *assembly,
                              const struct dyno_tier_spec *specs, struct dyno_tiers_config *config,
                              uint32_t *numbers, const struct dyno_worker_config *worker,
                              struct dyno_error *error)
{
    struct dyno_links *links = tiering->links;

    DYNO_TRY(lay_out(tiering, assembly->scenario, specs, config, numbers, worker, error));
    if (!tiering->places) {
        DYNO_TRY(open_live(tiering, assembly, config, error));
        links = tiering->live.links;
    }
    config->links = links;
    if (assembly->scenario->disagg.policy) {
        DYNO_TRY(dyno_links_split(tiering->parts, links));
        config->links = tiering->parts[0];
        tiering->others = tiering->parts[1];
    }
    DYNO_TRY(dyno_tiers_open(&tiering->tiers, config));
    return adopt(tiering, config);
}

dyno_status dyno_tiering_open(struct dyno_tiering *tiering, const struct dyno_assembly *assembly,
                              struct dyno_local_config *config, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    const struct dyno_timing_config *timing = &assembly->timing_config;
    bool is_live = dyno_live_links_are(assembly);
    struct dyno_tiers_config tiers = {.place_count = scenario->fleet.workers,
                                      .listener = config->listener};
    struct dyno_tier_spec specs[DYNO_TIERS_MAX];
    uint32_t *numbers;
    dyno_status status;

    if (!dyno_tiers_are(scenario)) {
        return DYNO_OK;
    }
    tiers.peers = scenario->tiers.peers;
    tiers.pull_deadline_ns = scenario->tiers.peer_deadline_ns;
    tiering->credits.peers = scenario->tiers.peers ? scenario->router.peer_credit : 0.0;
    DYNO_TRY(dyno_tier_specs(specs, &tiers.tier_count, scenario->tiers.levels, error));
    if (scenario->timing.machine && !is_live && tiers.tier_count > 0 &&
        specs[tiers.tier_count - 1].level == 3) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "--tier g3 and %s cannot be together: it is a GPU that was measured, and "
                         "no disk was",
                         scenario->timing.machine);
    }
    if (!is_live) {
        DYNO_TRY(open_places(tiering, scenario, timing, specs, tiers.tier_count, error));
    }
    tiers.stores_kv = config->device->ops->stores_kv;
    tiering->routed =
        scenario->disagg.policy ? dyno_halves_prefillers(scenario) : scenario->fleet.workers;
    tiers.block_bytes = is_live
                            ? dyno_live_links_block_bytes(assembly)
                            : larger(1, dyno_model_kv_bytes_per_token(&timing->model, timing->kv) *
                                            config->worker.block_tokens);
    if (scenario->tiers.chunk_tokens % config->worker.block_tokens != 0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "tiers.chunk_tokens (%u) is no multiple of the tokens of a block (%u)",
                         scenario->tiers.chunk_tokens, config->worker.block_tokens);
    }
    tiers.chunk_blocks = scenario->tiers.chunk_tokens / config->worker.block_tokens;
    numbers = calloc((size_t)2 * DYNO_TIERS_MAX * tiers.place_count, sizeof *numbers);
    if (!numbers) {
        return DYNO_NO_MEMORY;
    }
    tiering->block_tokens = config->worker.block_tokens;
    status = open_tiers(tiering, assembly, specs, &tiers, numbers, &config->worker, error);
    free(numbers);
    config->tiers = tiering->tiers;
    return status;
}

static void fill(void *context, const struct dyno_request *request, const uint8_t *eligible,
                 const uint32_t *overlap, double *credit)
{
    const struct dyno_tiering *tiering = context;

    dyno_tiers_credit(tiering->tiers, request, tiering->block_tokens, &tiering->credits,
                      tiering->first_routed, tiering->routed, eligible, overlap, credit);
}

struct dyno_dispatch_tiers dyno_tiering_view(struct dyno_tiering *tiering)
{
    return (struct dyno_dispatch_tiers){.context = tiering, .fill = fill};
}

void dyno_tiering_close(struct dyno_tiering *tiering)
{
    dyno_tiers_close(tiering->tiers);
    for (uint32_t i = 0; i < 2; i++) {
        if (tiering->parts[i]) {
            tiering->parts[i]->ops->close(tiering->parts[i]);
        }
    }
    if (tiering->links) {
        tiering->links->ops->close(tiering->links);
    }
    dyno_live_links_close(&tiering->live);
    dyno_topology_links_close(tiering->places);
    memset(tiering, 0, sizeof *tiering);
}

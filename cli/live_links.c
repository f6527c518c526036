#include "cli/live_links.h"

#include <stdlib.h>
#include <string.h>

#include "backends/cpu/device.h"
#include "backends/cpu/kv_links.h"
#include "backends/cpu/kv_storage.h"
#include "backends/posix/wall_clock.h"
#include "cli/assembly.h"
#include "sim/fabric.h"

bool dyno_live_links_are(const struct dyno_assembly *assembly)
{
    const struct dyno_scenario *scenario = assembly->scenario;

    return strcmp(scenario->run.device, "cpu") == 0 ||
           (scenario->timing.machine && strcmp(assembly->machine.device, "cpu") == 0);
}

uint64_t dyno_live_links_block_bytes(const struct dyno_assembly *assembly)
{
    return dyno_live_block_bytes(&assembly->worker, &assembly->timing_config.model,
                                 assembly->scenario->fleet.tp);
}

/* All copies are made by one thread. */
static uint32_t only_link(const void *context, uint32_t from, uint32_t to,
                          uint32_t path[DYNO_PATH_LINKS_MAX])
{
    (void)context;
    (void)from;
    (void)to;
    path[0] = 0;
    return 1;
}

static dyno_status open_simulated(struct dyno_links **out, const struct dyno_assembly *assembly,
                                  struct dyno_error *error)
{
    const struct dyno_machine *machine = &assembly->machine;
    double bytes_per_s;
    struct dyno_fabric_link link;

    if (machine->copy_byte_ns <= 0.0) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "%s does not say what copying a byte takes (copy_byte_ns), and blocks "
                         "are to be moved: measure it anew, dyno calibrate -o %s",
                         assembly->scenario->timing.machine, assembly->scenario->timing.machine);
    }
    bytes_per_s = 1e9 / machine->copy_byte_ns;
    if (bytes_per_s < (double)DYNO_LINK_BYTES_PER_S_MIN) {
        bytes_per_s = (double)DYNO_LINK_BYTES_PER_S_MIN;
    }
    if (bytes_per_s > (double)DYNO_LINK_BYTES_PER_S_MAX) {
        bytes_per_s = (double)DYNO_LINK_BYTES_PER_S_MAX;
    }
    link = (struct dyno_fabric_link){.bytes_per_s = (uint64_t)bytes_per_s,
                                     .latency_ns = (dyno_ns)machine->copy_ns};
    return dyno_fabric_open(out,
                            &(struct dyno_fabric_config){
                                .links = &link,
                                .link_count = 1,
                                .path = only_link,
                                .alone = strcmp(assembly->scenario->links.sharing, "alone") == 0});
}

/* Memories of the workers of a device, from `to` on; returns what comes after them. */
static struct dyno_kv_storage **add_workers(struct dyno_kv_storage **to,
                                            const struct dyno_device *device, uint32_t workers,
                                            uint32_t ranks)
{
    for (uint32_t i = 0; i < workers; i++) {
        for (uint32_t rank = 0; rank < ranks; rank++) {
            *to++ = dyno_cpu_device_storage(device, i, rank);
        }
    }
    return to;
}

/* Memory for each pool, of the shape of the first worker's: `storages` begins with those. */
static dyno_status add_pools(struct dyno_live_links *links, struct dyno_kv_storage **to,
                             struct dyno_kv_storage *const *storages,
                             const struct dyno_live_pool *pools, uint32_t pool_count,
                             uint32_t ranks, struct dyno_error *error)
{
    links->storages = calloc((size_t)pool_count * ranks + 1, sizeof(struct dyno_kv_storage *));
    if (!links->storages) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for lower tiers");
    }
    for (uint32_t i = 0; i < pool_count; i++) {
        for (uint32_t rank = 0; rank < ranks; rank++) {
            struct dyno_kv_storage **own = &links->storages[links->storage_count];

            DYNO_TRY(dyno_kv_storage_like(own, storages[rank], pools[i].blocks, error));
            links->storage_count++;
            *to++ = *own;
        }
    }
    return DYNO_OK;
}

static dyno_status open_real(struct dyno_live_links *links, const struct dyno_assembly *assembly,
                             struct dyno_kv_storage **storages, const struct dyno_live_pool *pools,
                             uint32_t pool_count, uint32_t ranks, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    bool in_halves = scenario->disagg.policy != NULL;
    struct dyno_kv_storage **rest =
        add_workers(storages, assembly->computing,
                    in_halves ? scenario->disagg.decode : scenario->fleet.workers, ranks);

    if (in_halves) {
        rest = add_workers(rest, assembly->halves.device, scenario->disagg.prefill, ranks);
    }
    DYNO_TRY(add_pools(links, rest, storages, pools, pool_count, ranks, error));
    return dyno_cpu_links_open(
        &links->links,
        &(struct dyno_cpu_links_config){.storages = storages,
                                        .endpoint_count = scenario->fleet.workers + pool_count,
                                        .ranks = ranks,
                                        .now = dyno_wall_clock_now,
                                        .wake = dyno_wall_clock_wake,
                                        .clock = assembly->clock},
        error);
}

dyno_status dyno_live_links_open(struct dyno_live_links *out, const struct dyno_assembly *assembly,
                                 const struct dyno_live_pool *pools, uint32_t pool_count,
                                 struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    uint32_t ranks = scenario->fleet.tp > 0 ? scenario->fleet.tp : 1;
    struct dyno_kv_storage **storages;
    dyno_status status;

    if (!dyno_live_is_real(scenario)) {
        return open_simulated(&out->links, assembly, error);
    }
    storages = calloc(((size_t)scenario->fleet.workers + pool_count) * ranks,
                      sizeof(struct dyno_kv_storage *));
    if (!storages) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for links between workers");
    }
    status = open_real(out, assembly, storages, pools, pool_count, ranks, error);
    free(storages);
    return status;
}

void dyno_live_links_close(struct dyno_live_links *links)
{
    if (links->links) {
        links->links->ops->close(links->links);
    }
    for (uint32_t i = 0; i < links->storage_count; i++) {
        dyno_kv_storage_close(links->storages[i]);
    }
    free(links->storages);
    memset(links, 0, sizeof *links);
}

#include "cli/assembly/live_links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cpu/device.h"
#include "backends/cpu/kv_links.h"
#include "backends/cpu/kv_storage.h"
#include "backends/cuda/kv_links.h"
#include "backends/engine/shard.h"
#include "backends/posix/wall_clock.h"
#include "backends/store/kv_file.h"
#include "backends/ucx/peers.h"
#include "cli/assembly/assembly.h"
#include "sim/fabric.h"

bool dyno_live_links_are(const struct dyno_assembly *assembly)
{
    const struct dyno_scenario *scenario = assembly->scenario;

    return dyno_live_is_real(scenario) ||
           (scenario->timing.machine && strcmp(assembly->machine.device, "cpu") == 0);
}

uint64_t dyno_live_links_block_bytes(const struct dyno_assembly *assembly)
{
    uint64_t values;

    if (assembly->fed) {
        return assembly->fed->block_bytes;
    }
    values = dyno_live_block_bytes(&assembly->worker, &assembly->timing_config.model,
                                   assembly->scenario->fleet.tp);
    if (!dyno_live_is_cuda(assembly->scenario)) {
        return values;
    }
    return strcmp(assembly->scenario->model.kv, "fp8") == 0 ? values / 4 : values / 2;
}

enum { BETWEEN_BLOCKS = 64 }; /* that are on their way from one other process to another one */

/* How many ends of what moves are in other processes. */
static uint32_t far_ends(const struct dyno_scenario *scenario)
{
    return (scenario->prefill.at ? 1U : 0) + (scenario->fleet.at ? 1U : 0);
}

/* What pretends to copy: one thread; one for what moves to other processes or from them, by way of
 * this one between two of them; and one that writes and reads files, by turns, whose two ways have
 * speeds of their own. */
enum {
    COPIES,
    FAR,
    FAR_TWICE,
    DISK,
    DISK_WRITES,
    DISK_READS,
    SENT,             /* the loop's turn before what is handed over is on its way ... */
    SENT_AFTER_PAUSE, /* ... and before what a request that came asks for is */
    SIMULATED_LINKS
};

static bool is_far(const struct dyno_live_links *links, uint32_t endpoint)
{
    return endpoint < links->first_behind ? links->is_far
                                          : endpoint < links->first_pool && links->behind_far;
}

static bool in_file(const struct dyno_live_links *links, uint32_t endpoint)
{
    return endpoint >= links->first_pool && endpoint - links->first_pool < links->level_count &&
           links->levels[endpoint - links->first_pool] > 2;
}

static bool is_behind(const struct dyno_live_links *links, uint32_t endpoint)
{
    return endpoint >= links->first_behind && endpoint < links->first_pool;
}

static uint32_t path_of(const struct dyno_live_links *links, uint32_t from, uint32_t to,
                        uint32_t path[DYNO_PATH_LINKS_MAX])
{
    bool reads = in_file(links, from), writes = in_file(links, to);

    if (is_far(links, from) && is_far(links, to)) {
        path[0] = FAR;
        path[1] = FAR_TWICE;
        return 2;
    }
    if (!reads && !writes) {
        path[0] = is_far(links, from) || is_far(links, to) ? FAR : COPIES;
        return 1;
    }
    path[0] = DISK;
    path[1] = writes ? DISK_WRITES : DISK_READS;
    path[2] = FAR;
    return is_far(links, from) || is_far(links, to) ? 3 : 2;
}

/* Nobody waits for what goes down. */
static uint32_t simulated_path(const void *context, uint32_t from, uint32_t to,
                               uint32_t path[DYNO_PATH_LINKS_MAX])
{
    const struct dyno_live_links *links = context;
    uint32_t count = path_of(links, from, to, path);

    if (to < links->first_pool) {
        path[count++] = is_behind(links, from) && !is_behind(links, to) ? SENT : SENT_AFTER_PAUSE;
    }
    return count;
}

/* What was not measured, which nothing moves over, is taken for fast. */
static struct dyno_fabric_link link_of(double byte_ns, double latency_ns)
{
    double bytes_per_s = byte_ns > 0.0 ? 1e9 / byte_ns : (double)DYNO_LINK_BYTES_PER_S_MAX;

    if (bytes_per_s < (double)DYNO_LINK_BYTES_PER_S_MIN) {
        bytes_per_s = (double)DYNO_LINK_BYTES_PER_S_MIN;
    }
    if (bytes_per_s > (double)DYNO_LINK_BYTES_PER_S_MAX) {
        bytes_per_s = (double)DYNO_LINK_BYTES_PER_S_MAX;
    }
    return (struct dyno_fabric_link){.bytes_per_s = (uint64_t)bytes_per_s,
                                     .latency_ns = (dyno_ns)latency_ns};
}

static dyno_status not_measured(const struct dyno_assembly *assembly, const char *what,
                                const char *key, const char *how, struct dyno_error *error)
{
    const char *path = assembly->scenario->timing.machine;

    return dyno_fail(error, DYNO_BAD_INPUT,
                     "%s does not say what %s a byte takes (%s), and blocks are to be moved: "
                     "measure it anew, dyno calibrate%s -o %s",
                     path, what, key, how, path);
}

static dyno_status take_pools(struct dyno_live_links *links, const struct dyno_assembly *assembly,
                              const struct dyno_live_pool *pools, uint32_t pool_count,
                              struct dyno_error *error)
{
    links->first_pool = dyno_halves_workers(assembly->scenario);
    links->levels = calloc((size_t)pool_count + 1, sizeof *links->levels);
    if (!links->levels) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for lower tiers");
    }
    links->level_count = pool_count;
    for (uint32_t i = 0; i < pool_count; i++) {
        links->levels[i] = pools[i].level;
        if (pools[i].level > 2 && assembly->machine.disk_write_byte_ns <= 0.0) {
            return not_measured(assembly, "writing", "disk_write_byte_ns", "", error);
        }
    }
    return DYNO_OK;
}

/* What was measured, of what is to be moved. */
static dyno_status check_measured(const struct dyno_assembly *assembly, bool any_far,
                                  struct dyno_error *error)
{
    if (any_far && assembly->machine.far_byte_ns <= 0.0) {
        return not_measured(assembly, "copying", "far_byte_ns", " --prefill-at ADDRESS", error);
    }
    return !any_far && assembly->machine.copy_byte_ns <= 0.0
               ? not_measured(assembly, "copying", "copy_byte_ns", "", error)
               : DYNO_OK;
}

static dyno_status open_simulated(struct dyno_live_links *out, const struct dyno_assembly *assembly,
                                  const struct dyno_live_pool *pools, uint32_t pool_count,
                                  struct dyno_error *error)
{
    const struct dyno_machine *machine = &assembly->machine;
    const struct dyno_scenario *scenario = assembly->scenario;
    double write_ns = machine->disk_write_byte_ns, read_ns = machine->disk_read_byte_ns;
    struct dyno_fabric_link links[SIMULATED_LINKS];

    out->is_far = scenario->fleet.at != NULL;
    out->behind_far = scenario->prefill.at != NULL;
    out->first_behind = dyno_halves_decoders(scenario);
    DYNO_TRY(check_measured(assembly, out->is_far || out->behind_far, error));
    DYNO_TRY(take_pools(out, assembly, pools, pool_count, error));
    links[COPIES] = link_of(machine->copy_byte_ns, machine->copy_ns);
    links[FAR] = link_of(machine->far_byte_ns, machine->far_ns);
    links[FAR_TWICE] = link_of(2.0 * machine->far_byte_ns, machine->far_ns);
    links[DISK] = link_of(write_ns < read_ns ? write_ns : read_ns, 0.0);
    links[DISK_WRITES] = link_of(write_ns, machine->disk_write_ns);
    links[DISK_READS] = link_of(read_ns, machine->disk_read_ns);
    links[SENT] = link_of(0.0, machine->sent_ns);
    links[SENT_AFTER_PAUSE] = link_of(0.0, machine->sent_after_pause_ns);
    return dyno_fabric_open(
        &out->links,
        &(struct dyno_fabric_config){.links = links,
                                     .link_count = SIMULATED_LINKS,
                                     .path = simulated_path,
                                     .path_context = out,
                                     .alone = strcmp(scenario->links.sharing, "alone") == 0});
}

/* What a worker has now: it is another one after it was started again. */
static struct dyno_kv_storage *storage_of(const void *context, uint32_t endpoint, uint32_t rank)
{
    const struct dyno_assembly *assembly = context;
    uint32_t decoders = dyno_halves_decoders(assembly->scenario);

    return endpoint < decoders
               ? dyno_cpu_device_storage(assembly->computing, endpoint, rank)
               : dyno_cpu_device_storage(assembly->computing_behind, endpoint - decoders, rank);
}

/* Where a worker that computes prompts tells of their layers. */
static struct dyno_layer_gate *gate_of(const void *context, uint32_t endpoint)
{
    const struct dyno_assembly *assembly = context;

    return dyno_threaded_device_gate(assembly->computing_behind,
                                     endpoint - dyno_halves_decoders(assembly->scenario));
}

/* Pool `index`, which is the `number`-th that lies in a file. */
static dyno_status open_file(struct dyno_live_links *links, const struct dyno_assembly *assembly,
                             const struct dyno_live_pool *pool, uint32_t index, uint32_t number,
                             struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    uint32_t ranks = scenario->fleet.tp > 0 ? scenario->fleet.tp : 1;
    struct dyno_kv_file_config config = {
        .path = scenario->tiers.file,
        .blocks = pool->blocks,
        .block_bytes = dyno_live_links_block_bytes(assembly),
        .fingerprint =
            dyno_kv_fingerprint(assembly->live.weights, assembly->worker.block_tokens, ranks)};
    char path[4096];

    if (config.path && number > 0) {
        if (snprintf(path, sizeof path, "%s.%u", config.path, number) >= (int)sizeof path) {
            return dyno_fail(error, DYNO_BAD_INPUT, "tiers.file is a path too long");
        }
        config.path = path;
    }
    return dyno_kv_file_open(&links->files[index], &config, error);
}

/* Files of those pools that are none of memory. */
static dyno_status open_files(struct dyno_live_links *links, const struct dyno_assembly *assembly,
                              const struct dyno_live_pool *pools, uint32_t pool_count,
                              struct dyno_error *error)
{
    uint32_t in_files = 0;

    links->files = calloc((size_t)pool_count + 1, sizeof(struct dyno_kv_file *));
    if (!links->files) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for lower tiers");
    }
    links->file_count = pool_count;
    for (uint32_t i = 0; i < pool_count; i++) {
        if (pools[i].level > 2) {
            DYNO_TRY(open_file(links, assembly, &pools[i], i, in_files++, error));
        }
    }
    return DYNO_OK;
}

/* Memory or a file for each pool, from `to` on; memories are of the shape of the first worker's, or
 * of what lies between two processes. */
static dyno_status add_pools(struct dyno_live_links *links, const struct dyno_assembly *assembly,
                             struct dyno_kv_storage **to, const struct dyno_live_pool *pools,
                             uint32_t pool_count, struct dyno_error *error)
{
    uint32_t ranks = assembly->scenario->fleet.tp > 0 ? assembly->scenario->fleet.tp : 1;

    links->storages = calloc((size_t)pool_count * ranks + 1, sizeof(struct dyno_kv_storage *));
    if (!links->storages) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for lower tiers");
    }
    DYNO_TRY(open_files(links, assembly, pools, pool_count, error));
    for (uint32_t i = 0; i < pool_count; i++, to += ranks) {
        for (uint32_t rank = 0; pools[i].level == 2 && rank < ranks; rank++) {
            const struct dyno_kv_storage *shape =
                links->between ? links->between[rank] : storage_of(assembly, 0, rank);

            DYNO_TRY(dyno_kv_storage_like(&links->storages[links->storage_count], shape,
                                          pools[i].blocks, error));
            to[rank] = links->storages[links->storage_count++];
        }
    }
    return DYNO_OK;
}

static bool any_file(const struct dyno_live_links *links)
{
    for (uint32_t i = 0; i < links->file_count; i++) {
        if (links->files[i]) {
            return true;
        }
    }
    return false;
}

/* Memories in other processes, by endpoint; NULL: there are none.  *out is the caller's to free. */
static dyno_status list_peers(struct dyno_kv_peer ***out, const struct dyno_assembly *assembly,
                              uint32_t endpoint_count, struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    uint32_t decoders = dyno_halves_decoders(scenario);
    struct dyno_kv_peer **peers;

    *out = NULL;
    if (far_ends(scenario) == 0) {
        return DYNO_OK;
    }
    peers = calloc(endpoint_count, sizeof(struct dyno_kv_peer *));
    if (!peers) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for links between workers");
    }
    for (uint32_t i = 0; scenario->fleet.at && i < decoders; i++) {
        peers[i] = dyno_ucx_peers_memory(assembly->peers, i);
    }
    for (uint32_t i = 0; assembly->halves.peers && i < dyno_halves_prefillers(scenario); i++) {
        peers[decoders + i] = dyno_ucx_peers_memory(assembly->halves.peers, i);
    }
    *out = peers;
    return DYNO_OK;
}

/* Memory that what moves between two other processes, or one and a file, goes through, a rank's
 * each; none where one end is always memory that is here. */
static dyno_status open_between(struct dyno_live_links *links, const struct dyno_assembly *assembly,
                                uint32_t ranks, struct dyno_error *error)
{
    const struct dyno_model *model = &assembly->live.weights->model;
    struct dyno_model of = *model;
    struct dyno_shard shard;

    if (far_ends(assembly->scenario) == 0) {
        return DYNO_OK;
    }
    links->between = calloc(ranks, sizeof(struct dyno_kv_storage *));
    if (!links->between) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for links between workers");
    }
    links->between_count = ranks;
    for (uint32_t rank = 0; rank < ranks; rank++) {
        if (ranks > 1) {
            DYNO_TRY(dyno_shard_make(&shard, model, rank, ranks, error));
            of.kv_heads = shard.kv_heads.count;
        }
        DYNO_TRY(dyno_kv_storage_open(&links->between[rank], &of, BETWEEN_BLOCKS,
                                      assembly->worker.block_tokens, DYNO_ELEMENT_F32, error));
    }
    return DYNO_OK;
}

/* Files, by endpoint: none of workers. */
static dyno_status open_with(struct dyno_live_links *links, const struct dyno_assembly *assembly,
                             struct dyno_cpu_links_config *config, uint32_t pool_count,
                             struct dyno_error *error)
{
    uint32_t workers = dyno_halves_workers(assembly->scenario);
    struct dyno_kv_file **files = calloc(config->endpoint_count, sizeof(struct dyno_kv_file *));
    struct dyno_kv_peer **peers = NULL;
    dyno_status status;

    if (!files) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for links between workers");
    }
    for (uint32_t i = 0; i < pool_count; i++) {
        files[workers + i] = links->files[i];
    }
    config->files = any_file(links) ? files : NULL;
    status = list_peers(&peers, assembly, config->endpoint_count, error);
    config->peers = peers;
    config->between = links->between;
    if (status == DYNO_OK) {
        status = dyno_cpu_links_open(&links->links, config, error);
    }
    free(peers);
    free(files);
    return status;
}

static dyno_status open_real(struct dyno_live_links *links, const struct dyno_assembly *assembly,
                             struct dyno_kv_storage **storages, const struct dyno_live_pool *pools,
                             uint32_t pool_count, uint32_t ranks, struct dyno_error *error)
{
    uint32_t workers = dyno_halves_workers(assembly->scenario);
    bool layers = strcmp(assembly->scenario->disagg.transfer, "layers") == 0;

    DYNO_TRY(open_between(links, assembly, ranks, error));
    DYNO_TRY(
        add_pools(links, assembly, storages + (size_t)workers * ranks, pools, pool_count, error));
    return open_with(
        links, assembly,
        &(struct dyno_cpu_links_config){.storages = storages,
                                        .endpoint_count = workers + pool_count,
                                        .ranks = ranks,
                                        .storage = storage_of,
                                        .storage_context = assembly,
                                        .gate = layers ? gate_of : NULL,
                                        .gate_count = dyno_halves_prefillers(assembly->scenario),
                                        .now = dyno_wall_clock_now,
                                        .wake = dyno_wall_clock_wake,
                                        .clock = assembly->clock},
        pool_count, error);
}

/* Pools are in pinned memory, or files. */
static dyno_status open_cuda(struct dyno_live_links *links, const struct dyno_assembly *assembly,
                             const struct dyno_live_pool *pools, uint32_t pool_count,
                             struct dyno_error *error)
{
    uint32_t *blocks = calloc((size_t)pool_count + 1, sizeof *blocks);
    struct dyno_cuda_links_config config = {
        .devices = {assembly->computing, assembly->computing_behind},
        .from_workers = assembly->scenario->disagg.policy || assembly->scenario->tiers.peers,
        .pool_blocks = blocks,
        .pool_count = pool_count,
        .now = dyno_wall_clock_now,
        .wake = dyno_wall_clock_wake,
        .clock = assembly->clock};
    dyno_status status;

    if (!blocks) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for lower tiers");
    }
    for (uint32_t i = 0; i < pool_count; i++) {
        blocks[i] = pools[i].blocks;
    }
    status = open_files(links, assembly, pools, pool_count, error);
    if (status == DYNO_OK) {
        config.files = any_file(links) ? links->files : NULL;
        status = dyno_cuda_links_open(&links->links, &config, error);
    }
    free(blocks);
    return status;
}

static dyno_status open_links(struct dyno_live_links *out, const struct dyno_assembly *assembly,
                              const struct dyno_live_pool *pools, uint32_t pool_count,
                              struct dyno_error *error)
{
    const struct dyno_scenario *scenario = assembly->scenario;
    uint32_t ranks = scenario->fleet.tp > 0 ? scenario->fleet.tp : 1;
    struct dyno_kv_storage **storages;
    dyno_status status;

    if (!dyno_live_is_real(scenario)) {
        return open_simulated(out, assembly, pools, pool_count, error);
    }
    if (dyno_live_is_cuda(scenario)) {
        return open_cuda(out, assembly, pools, pool_count, error);
    }
    storages = calloc(((size_t)dyno_halves_workers(scenario) + pool_count) * ranks,
                      sizeof(struct dyno_kv_storage *));
    if (!storages) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for links between workers");
    }
    status = open_real(out, assembly, storages, pools, pool_count, ranks, error);
    free(storages);
    return status;
}

dyno_status dyno_live_links_open(struct dyno_live_links *out, const struct dyno_assembly *assembly,
                                 const struct dyno_live_pool *pools, uint32_t pool_count,
                                 struct dyno_error *error)
{
    if (!assembly->fed) {
        DYNO_TRY(open_links(out, assembly, pools, pool_count, error));
    }
    if (assembly->journal) {
        out->links = dyno_journal_links(assembly->journal, out->links);
    }
    return DYNO_OK;
}

void dyno_live_links_close(struct dyno_live_links *links)
{
    if (links->links) {
        links->links->ops->close(links->links);
    }
    for (uint32_t i = 0; i < links->storage_count; i++) {
        dyno_kv_storage_close(links->storages[i]);
    }
    for (uint32_t i = 0; i < links->between_count; i++) {
        dyno_kv_storage_close(links->between[i]);
    }
    for (uint32_t i = 0; i < links->file_count; i++) {
        dyno_kv_file_close(links->files[i]);
    }
    free(links->storages);
    free(links->between);
    free(links->files);
    free(links->levels);
    memset(links, 0, sizeof *links);
}

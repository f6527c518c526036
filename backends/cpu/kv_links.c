#include "backends/cpu/kv_links.h"

#include <stdlib.h>
#include <string.h>

enum { MEASURED_BLOCKS = 64, MEASURED_ROUNDS = 4 };

/* Until a disk has been seen. */
static const struct dyno_copier_speed disk_speed = {.ns_per_byte = 1.0, .latency_ns = 100000.0};

enum path { MEMORY_PATH, DISK_PATH, PATH_COUNT };

struct memories {
    uint32_t ranks;
    struct dyno_kv_storage **storage; /* [endpoints][ranks] */
    struct dyno_kv_file **file;       /* [endpoints]; NULL: a memory */
};

/* Blocks of a memory that come from a file, or go there: a rank's after the other. */
struct mover {
    const struct memories *memories;
    struct dyno_kv_storage **storage; /* [ranks] */
    const uint32_t *blocks;
};

static void get(void *context, uint32_t block, void *bytes)
{
    const struct mover *mover = context;
    char *to = bytes;

    for (uint32_t rank = 0; rank < mover->memories->ranks; rank++) {
        dyno_kv_storage_get(mover->storage[rank], mover->blocks[block], to);
        to += dyno_kv_storage_block_bytes(mover->storage[rank]);
    }
}

static void put(void *context, uint32_t block, void *bytes)
{
    const struct mover *mover = context;
    const char *from = bytes;

    for (uint32_t rank = 0; rank < mover->memories->ranks; rank++) {
        dyno_kv_storage_put(mover->storage[rank], mover->blocks[block], from);
        from += dyno_kv_storage_block_bytes(mover->storage[rank]);
    }
}

static uint32_t copy(void *context, const struct dyno_transfer *transfer)
{
    const struct memories *memories = context;
    struct dyno_kv_storage **from = &memories->storage[transfer->from * memories->ranks];
    struct dyno_kv_storage **to = &memories->storage[transfer->to * memories->ranks];
    struct mover source = {memories, from, transfer->from_blocks};
    struct mover target = {memories, to, transfer->to_blocks};

    if ((memories->file[transfer->to] || memories->file[transfer->from]) && !transfer->names) {
        return transfer->blocks; /* there was no memory to name them in */
    }
    if (memories->file[transfer->to]) {
        return dyno_kv_file_write(memories->file[transfer->to], transfer->to_blocks,
                                  transfer->names, transfer->blocks, get, &source);
    }
    if (memories->file[transfer->from]) {
        return dyno_kv_file_read(memories->file[transfer->from], transfer->from_blocks,
                                 transfer->names, transfer->blocks, put, &target);
    }
    for (uint32_t i = 0; i < transfer->blocks; i++) {
        for (uint32_t rank = 0; rank < memories->ranks; rank++) {
            dyno_kv_storage_copy(to[rank], transfer->to_blocks[i], from[rank],
                                 transfer->from_blocks[i]);
        }
    }
    return 0;
}

static uint32_t path(void *context, uint32_t from, uint32_t to)
{
    const struct memories *memories = context;

    return memories->file[from] || memories->file[to] ? DISK_PATH : MEMORY_PATH;
}

static void release(void *context)
{
    struct memories *memories = context;

    free(memories->storage);
    free(memories->file);
    free(memories);
}

/* What copying takes, from one storage of the shape of `like` to another; the fastest of a few
 * rounds.  The latency is learned from what is moved. */
static dyno_status measure(const struct dyno_cpu_links_config *config,
                           const struct dyno_kv_storage *like, struct dyno_copier_speed *out,
                           struct dyno_error *error)
{
    struct dyno_kv_storage *from, *to;
    dyno_ns least = DYNO_NEVER;
    dyno_status status;

    DYNO_TRY(dyno_kv_storage_like(&from, like, MEASURED_BLOCKS, error));
    status = dyno_kv_storage_like(&to, like, MEASURED_BLOCKS, error);
    if (status != DYNO_OK) {
        dyno_kv_storage_close(from);
        return status;
    }
    dyno_kv_storage_touch(from);
    dyno_kv_storage_touch(to);
    for (uint32_t i = 0; i < MEASURED_ROUNDS; i++) {
        dyno_ns began = config->now(config->clock), took;

        for (uint32_t j = 0; j < MEASURED_BLOCKS; j++) {
            dyno_kv_storage_copy(to, j, from, j);
        }
        took = config->now(config->clock) - began;
        least = took < least ? took : least;
    }
    out->ns_per_byte = (double)least / (double)from->bytes;
    dyno_kv_storage_close(from);
    dyno_kv_storage_close(to);
    return DYNO_OK;
}

/* Of one endpoint's. */
static size_t storages_bytes(uint32_t ranks)
{
    return ranks * sizeof(struct dyno_kv_storage *);
}

dyno_status dyno_cpu_links_open(struct dyno_links **out, const struct dyno_cpu_links_config *config,
                                struct dyno_error *error)
{
    struct memories *memories = calloc(1, sizeof *memories);
    struct dyno_copier_config copier = {.path_count = config->files ? PATH_COUNT : 1,
                                        .path = path,
                                        .copy = copy,
                                        .release = release,
                                        .context = memories,
                                        .now = config->now,
                                        .wake = config->wake,
                                        .clock = config->clock,
                                        .speeds = {[DISK_PATH] = disk_speed}};
    dyno_status status;

    if (!memories) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for links between workers");
    }
    memories->ranks = config->ranks;
    memories->storage = malloc(config->endpoint_count * storages_bytes(config->ranks));
    memories->file = calloc(config->endpoint_count, sizeof(struct dyno_kv_file *));
    if (!memories->storage || !memories->file) {
        release(memories);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for links between workers");
    }
    memcpy(memories->storage, config->storages,
           config->endpoint_count * storages_bytes(config->ranks));
    for (uint32_t i = 0; config->files && i < config->endpoint_count; i++) {
        memories->file[i] = config->files[i];
    }
    status = measure(config, memories->storage[0], &copier.speeds[0], error);
    if (status == DYNO_OK) {
        status = dyno_copier_open(out, &copier);
        if (status != DYNO_OK) {
            (void)dyno_fail(error, status,
                            "the thread that copies between workers cannot be "
                            "started");
        }
    }
    if (status != DYNO_OK) {
        release(memories);
    }
    return status;
}

#include "backends/cpu/kv_links_measure.h"

#include <stdlib.h>

enum { MEASURED_BLOCKS = 64, MEASURED_ROUNDS = 4 };

/* The fastest of a few rounds of copying `blocks` blocks from the first storage or from the
 * process into the second, which are of one shape. */
static bool time_rounds(const struct dyno_cpu_links_config *config, struct dyno_kv_storage *from,
                        struct dyno_kv_peer *peer, struct dyno_kv_storage *const *to,
                        uint32_t blocks, dyno_ns *least)
{
    uint32_t numbers[MEASURED_BLOCKS];
    struct dyno_kv_move move;

    for (uint32_t i = 0; i < blocks; i++) {
        numbers[i] = i;
    }
    move = (struct dyno_kv_move){.there = numbers, .here = numbers, .count = blocks, .storage = to};
    *least = DYNO_NEVER;
    for (uint32_t i = 0; i < MEASURED_ROUNDS; i++) {
        dyno_ns began = config->now(config->clock), took;

        if (peer && !peer->ops->fetch(peer, &move)) {
            return false;
        }
        for (uint32_t j = 0; !peer && j < blocks; j++) {
            dyno_kv_storage_copy(to[0], j, from, j);
        }
        took = config->now(config->clock) - began;
        *least = took < *least ? took : *least;
    }
    return true;
}

/* The latency is learned from what is moved. */
static dyno_status measure_with(struct dyno_copier_speed *out,
                                const struct dyno_cpu_links_config *config,
                                struct dyno_kv_storage *from, struct dyno_kv_peer *peer,
                                struct dyno_kv_storage *const *to, struct dyno_error *error)
{
    uint32_t blocks = peer && peer->blocks < MEASURED_BLOCKS ? peer->blocks : MEASURED_BLOCKS;
    uint64_t bytes = 0;
    dyno_ns least;

    if (!time_rounds(config, from, peer, to, blocks, &least)) {
        return dyno_fail(error, DYNO_WORKER_GONE,
                         "a worker in another process is gone before anything was moved");
    }
    for (uint32_t rank = 0; rank < (peer ? config->ranks : 1); rank++) {
        bytes += blocks * dyno_kv_storage_block_bytes(to[rank]);
    }
    out->ns_per_byte = (double)least / (double)bytes;
    return DYNO_OK;
}

/* Of the shape that all have. */
static struct dyno_kv_storage *first_of(const struct dyno_cpu_links_config *config, uint32_t rank)
{
    if (config->between) {
        return config->between[rank];
    }
    return config->storages[rank] ? config->storages[rank]
                                  : config->storage(config->storage_context, 0, rank);
}

/* What copying takes between storages of the shape of the first ones, or, from the process into
 * them. */
static dyno_status measure(const struct dyno_cpu_links_config *config, struct dyno_kv_peer *peer,
                           struct dyno_copier_speed *out, struct dyno_error *error)
{
    uint32_t count = peer ? config->ranks : 2;
    struct dyno_kv_storage **storages = calloc(count, sizeof(struct dyno_kv_storage *));
    dyno_status status = DYNO_OK;

    if (!storages) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for links between workers");
    }
    for (uint32_t i = 0; i < count && status == DYNO_OK; i++) {
        status = dyno_kv_storage_like(&storages[i], first_of(config, peer ? i : 0), MEASURED_BLOCKS,
                                      error);
        if (status == DYNO_OK) {
            dyno_kv_storage_touch(storages[i]);
        }
    }
    if (status == DYNO_OK) {
        status = measure_with(out, config, storages[count - 1], peer, storages, error);
    }
    for (uint32_t i = 0; i < count; i++) {
        dyno_kv_storage_close(storages[i]);
    }
    free(storages);
    return status;
}

dyno_status dyno_cpu_links_measure(struct dyno_copier_speed *out,
                                   const struct dyno_cpu_links_config *config,
                                   struct dyno_error *error)
{
    return measure(config, NULL, out, error);
}

/* Who is to be started later is not there yet. */
dyno_status dyno_cpu_links_measure_peers(struct dyno_copier_speed *out,
                                         const struct dyno_cpu_links_config *config,
                                         struct dyno_error *error)
{
    dyno_status status = DYNO_OK;

    for (uint32_t i = 0; config->peers && i < config->endpoint_count; i++) {
        if (config->peers[i]) {
            status = measure(config, config->peers[i], out, error);
            if (status != DYNO_WORKER_GONE) {
                return status;
            }
        }
    }
    return status;
}

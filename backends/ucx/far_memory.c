#include "backends/ucx/far_memory.h"

#include <stdlib.h>
#include <unistd.h>

#include "backends/engine/shard.h"

/* Pieces under way at a time: each costs UCX a little memory until it is there. */
enum { UNDER_WAY_MAX = 256 };

/* What one rank has there. */
struct part {
    struct dyno_kv_storage *shape; /* placed where it lies in the other process: never looked into
                                      here */
    ucp_rkey_h key;
    bool has_key;
};

struct dyno_ucx_far_memory {
    struct dyno_kv_peer base;
    struct dyno_ucx_far_memory_config config;
    struct dyno_ucx_channel *channel;
    struct part *parts; /* [ranks] */
    uint32_t under_way;
};

/* Blocks that are moved in one piece, as they lie one behind the other on both sides. */
struct run {
    uint32_t far, here, count;
};

static struct dyno_ucx_far_memory *memory_of(struct dyno_kv_peer *peer)
{
    return (struct dyno_ucx_far_memory *)peer; /* its first member */
}

static struct run next_run(const uint32_t *far, const uint32_t *here, uint32_t count)
{
    struct run run = {far[0], here[0], 1};

    while (run.count < count && far[run.count] == far[0] + run.count &&
           here[run.count] == here[0] + run.count) {
        run.count++;
    }
    return run;
}

static dyno_status move_bytes(struct dyno_ucx_far_memory *memory, const struct part *part,
                              char *here, const char *far, size_t size, bool read)
{
    uint64_t there = (uintptr_t)far;

    if (++memory->under_way > UNDER_WAY_MAX) {
        DYNO_TRY(dyno_ucx_channel_flush(memory->channel));
        memory->under_way = 1;
    }
    return read ? dyno_ucx_channel_get(memory->channel, here, size, there, part->key)
                : dyno_ucx_channel_put(memory->channel, here, size, there, part->key);
}

static dyno_status move_run(struct dyno_ucx_far_memory *memory, const struct part *part,
                            const struct dyno_kv_storage *storage, const struct dyno_kv_move *move,
                            struct run run, bool read)
{
    uint32_t end = move->end_layer > 0 ? move->end_layer : storage->layers;

    for (uint32_t i = move->first_layer; i < end; i++) {
        struct dyno_kv_parts here = dyno_kv_storage_parts(storage, i, run.here);
        struct dyno_kv_parts far = dyno_kv_storage_parts(part->shape, i, run.far);

        DYNO_TRY(move_bytes(memory, part, here.keys, far.keys, run.count * here.keys_bytes, read));
        DYNO_TRY(
            move_bytes(memory, part, here.values, far.values, run.count * here.values_bytes, read));
    }
    return DYNO_OK;
}

static dyno_status move_all(struct dyno_ucx_far_memory *memory, const struct dyno_kv_move *move,
                            bool read)
{
    memory->under_way = 0;
    for (uint32_t rank = 0; rank < memory->config.ranks; rank++) {
        for (uint32_t i = 0; i < move->count;) {
            struct run run = next_run(move->there + i, move->here + i, move->count - i);

            DYNO_TRY(move_run(memory, &memory->parts[rank], move->storage[rank], move, run, read));
            i += run.count;
        }
    }
    return dyno_ucx_channel_flush(memory->channel);
}

/* What was moved counts only if the other process was there all along. */
static bool move_blocks(struct dyno_ucx_far_memory *memory, const struct dyno_kv_move *move,
                        bool read)
{
    dyno_status status;
    dyno_ns since;

    pthread_mutex_lock(memory->config.turn);
    status = move_all(memory, move, read);
    pthread_mutex_unlock(memory->config.turn);
    if (status != DYNO_OK) {
        dyno_ucx_peer_give_up(memory->config.peer, "its memory cannot be reached");
        return false;
    }
    return !dyno_ucx_peer_is_gone(memory->config.peer, &since);
}

static bool fetch(struct dyno_kv_peer *peer, const struct dyno_kv_move *move)
{
    return move_blocks(memory_of(peer), move, true);
}

static bool store(struct dyno_kv_peer *peer, const struct dyno_kv_move *move)
{
    return move_blocks(memory_of(peer), move, false);
}

static const struct dyno_kv_peer_ops far_memory_ops = {.fetch = fetch, .store = store};

/* ---- open and close -------------------------------------------------------------------------- */

/* The storage of a rank there, as the other end made it (dyno_ranks_open). */
static dyno_status open_shape(struct part *part, const struct dyno_ucx_far_memory_config *config,
                              uint32_t rank, uint64_t at, struct dyno_error *error)
{
    struct dyno_model model = config->weights->model;
    struct dyno_shard shard;

    if (config->ranks > 1) {
        DYNO_TRY(dyno_shard_make(&shard, &model, rank, config->ranks, error));
        model.kv_heads = shard.kv_heads.count;
    }
    DYNO_TRY(dyno_kv_storage_open(&part->shape, &model, config->blocks, config->block_tokens,
                                  DYNO_ELEMENT_F32, error));
    dyno_kv_storage_place(part->shape, (void *)(uintptr_t)at);
    return DYNO_OK;
}

/* Shared memory is mapped here a page at a time, when that is read first: not when somebody waits
 * for it. */
static dyno_status touch(struct dyno_ucx_far_memory *memory, const struct part *part, uint64_t at,
                         struct dyno_error *error)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    dyno_status status = DYNO_OK;
    char byte;

    memory->under_way = 0;
    for (uint64_t i = 0; status == DYNO_OK && i < part->shape->bytes; i += page) {
        status = move_bytes(memory, part, &byte, (const char *)(uintptr_t)(at + i), 1, true);
    }
    status = status == DYNO_OK ? dyno_ucx_channel_flush(memory->channel) : status;
    return status == DYNO_OK ? DYNO_OK
                             : dyno_fail(error, DYNO_IO, "the worker's memory cannot be reached");
}

static dyno_status open_part(struct dyno_ucx_far_memory *memory, struct part *part,
                             struct dyno_ucx_reader *reader, struct dyno_error *error)
{
    uint32_t rank = (uint32_t)(part - memory->parts), size;
    uint64_t at;
    const void *key;

    dyno_ucx_take(reader, &at, sizeof at);
    size = dyno_ucx_take_u32(reader);
    key = size > 0 ? dyno_ucx_take_bytes(reader, size) : NULL;
    if (!key) {
        return dyno_fail(error, DYNO_BAD_INPUT, "the worker's welcome ends too early");
    }
    DYNO_TRY(open_shape(part, &memory->config, rank, at, error));
    DYNO_TRY(dyno_ucx_channel_unlock(memory->channel, &part->key, key, error));
    part->has_key = true;
    return memory->config.is_shared ? touch(memory, part, at, error) : DYNO_OK;
}

dyno_status dyno_ucx_far_memory_open(struct dyno_ucx_far_memory **out,
                                     struct dyno_ucx_channel *channel,
                                     struct dyno_ucx_reader *reader,
                                     const struct dyno_ucx_far_memory_config *config,
                                     struct dyno_error *error)
{
    struct dyno_ucx_far_memory *memory = calloc(1, sizeof *memory);
    dyno_status status = DYNO_OK;

    if (!memory) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for a worker in another process");
    }
    memory->base = (struct dyno_kv_peer){.ops = &far_memory_ops, .blocks = config->blocks};
    memory->config = *config;
    memory->channel = channel;
    memory->parts = calloc(config->ranks, sizeof *memory->parts);
    if (!memory->parts) {
        status = dyno_fail(error, DYNO_NO_MEMORY, "no memory for a worker in another process");
    }
    for (uint32_t i = 0; memory->parts && status == DYNO_OK && i < config->ranks; i++) {
        status = open_part(memory, &memory->parts[i], reader, error);
    }
    if (status != DYNO_OK) {
        dyno_ucx_far_memory_close(memory);
        return status;
    }
    *out = memory;
    return DYNO_OK;
}

void dyno_ucx_far_memory_close(struct dyno_ucx_far_memory *memory)
{
    if (!memory) {
        return;
    }
    for (uint32_t i = 0; memory->parts && i < memory->config.ranks; i++) {
        if (memory->parts[i].has_key) {
            dyno_ucx_channel_lock(memory->channel, memory->parts[i].key);
        }
        dyno_kv_storage_close(memory->parts[i].shape);
    }
    free(memory->parts);
    free(memory);
}

struct dyno_kv_peer *dyno_ucx_far_memory_peer(struct dyno_ucx_far_memory *memory)
{
    return &memory->base;
}

#include "backends/cpu/kv_links.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cpu/kv_links_measure.h"

enum path { MEMORY_PATH, DISK_PATH, PEER_PATH, PATH_COUNT };

struct memories {
    uint32_t ranks;
    struct dyno_kv_storage **storage; /* [endpoints][ranks]; NULL: ask */
    struct dyno_kv_storage *(*ask)(const void *context, uint32_t endpoint, uint32_t rank);
    const void *ask_context;
    struct dyno_layer_gate *(*gate)(const void *context, uint32_t endpoint);
    struct dyno_kv_file **file; /* [endpoints]; NULL: a memory */
    struct dyno_kv_peer **peer; /* [endpoints]; NULL: here */
    bool any_peer;
    uint32_t endpoint_count;
    struct dyno_kv_storage **near;    /* [endpoints + 1][ranks] of the end that is here: of single
                                         layers by where they come from, then of whole blocks */
    pthread_mutex_t passing;          /* held by whose blocks lie between */
    struct dyno_kv_storage **between; /* [ranks] where neither is; NULL: one always is */
    uint32_t *between_blocks;         /* [between_count] all of them */
    uint32_t between_count;
};

/* Layers of which blocks move: [first, end), as of a transfer. */
struct layers {
    uint32_t first, end;
};

/* Blocks of a memory that come from a file, or go there: a rank's after the other. */
struct mover {
    const struct memories *memories;
    uint32_t endpoint; /* BETWEEN: those of the memory between */
    const uint32_t *blocks;
};

enum { BETWEEN = UINT32_MAX };

static struct dyno_kv_storage *storage_of(const struct memories *memories, uint32_t endpoint,
                                          uint32_t rank)
{
    struct dyno_kv_storage *storage = endpoint == BETWEEN
                                          ? memories->between[rank]
                                          : memories->storage[endpoint * memories->ranks + rank];

    return storage ? storage : memories->ask(memories->ask_context, endpoint, rank);
}

static void get(void *context, uint32_t block, void *bytes)
{
    const struct mover *mover = context;
    char *to = bytes;

    for (uint32_t rank = 0; rank < mover->memories->ranks; rank++) {
        const struct dyno_kv_storage *storage = storage_of(mover->memories, mover->endpoint, rank);

        dyno_kv_storage_get(storage, mover->blocks[block], to);
        to += dyno_kv_storage_block_bytes(storage);
    }
}

static void put(void *context, uint32_t block, void *bytes)
{
    const struct mover *mover = context;
    const char *from = bytes;

    for (uint32_t rank = 0; rank < mover->memories->ranks; rank++) {
        const struct dyno_kv_storage *storage = storage_of(mover->memories, mover->endpoint, rank);

        dyno_kv_storage_put(storage, mover->blocks[block], from);
        from += dyno_kv_storage_block_bytes(storage);
    }
}

/* Of a whole transfer to or from the memory between. */
static struct dyno_kv_move between_move(const struct memories *memories, const uint32_t *there,
                                        uint32_t count, struct layers layers)
{
    return (struct dyno_kv_move){.there = there,
                                 .here = memories->between_blocks,
                                 .count = count,
                                 .storage = memories->between,
                                 .first_layer = layers.first,
                                 .end_layer = layers.end};
}

/* Blocks [done, done + count) of the transfer to the memory between: from another process, or a
 * file. Returns how many of the last ones are lost, or DYNO_COPY_NEVER. */
static uint32_t bring(const struct memories *memories, const struct dyno_transfer *transfer,
                      uint32_t done, uint32_t count, struct layers layers)
{
    struct dyno_kv_peer *source = memories->peer[transfer->from];
    struct mover to = {memories, BETWEEN, memories->between_blocks};
    const uint32_t *blocks = transfer->from_blocks + done;
    struct dyno_kv_move move = between_move(memories, blocks, count, layers);

    if (!source) {
        return dyno_kv_file_read(memories->file[transfer->from], blocks, transfer->names + done,
                                 count, put, &to);
    }
    return source->ops->fetch(source, &move) ? 0 : DYNO_COPY_NEVER;
}

/* And from there, likewise. */
static uint32_t take_on(const struct memories *memories, const struct dyno_transfer *transfer,
                        uint32_t done, uint32_t count, struct layers layers)
{
    struct dyno_kv_peer *target = memories->peer[transfer->to];
    struct mover from = {memories, BETWEEN, memories->between_blocks};
    const uint32_t *blocks = transfer->to_blocks + done;
    struct dyno_kv_move move = between_move(memories, blocks, count, layers);

    if (!target) {
        return dyno_kv_file_write(memories->file[transfer->to], blocks, transfer->names + done,
                                  count, get, &from);
    }
    return target->ops->store(target, &move) ? 0 : DYNO_COPY_NEVER;
}

/* Blocks [done, done + count) of the transfer, which have room there together.  Returns how many
 * have passed; or DYNO_COPY_NEVER. */
static uint32_t pass_on(struct memories *memories, const struct dyno_transfer *transfer,
                        uint32_t done, uint32_t count, struct layers layers)
{
    uint32_t lost, came;

    pthread_mutex_lock(&memories->passing);
    lost = bring(memories, transfer, done, count, layers);
    came = lost == DYNO_COPY_NEVER ? 0 : count - lost;
    if (came > 0) {
        lost = take_on(memories, transfer, done, came, layers);
    }
    pthread_mutex_unlock(&memories->passing);
    return lost == DYNO_COPY_NEVER ? lost : came > 0 ? came - lost : 0;
}

/* From one process to another one, or between one and a file, by way of this one: as many blocks at
 * a time as there is room for. */
static uint32_t relay(struct memories *memories, const struct dyno_transfer *transfer,
                      struct layers layers)
{
    uint32_t count;

    for (uint32_t done = 0; done < transfer->blocks; done += count) {
        uint32_t went;

        count = transfer->blocks - done;
        count = count < memories->between_count ? count : memories->between_count;
        went = pass_on(memories, transfer, done, count, layers);
        if (went == DYNO_COPY_NEVER) {
            return went;
        }
        if (went < count) {
            return transfer->blocks - done - went;
        }
    }
    return 0;
}

/* One end is in another process, or both are; a file may be the other one.  `near` has room for the
 * memory of the end that is here. */
static uint32_t copy_far(struct memories *memories, const struct dyno_transfer *transfer,
                         struct layers layers, struct dyno_kv_storage **near)
{
    struct dyno_kv_peer *source = memories->peer[transfer->from];
    struct dyno_kv_peer *target = memories->peer[transfer->to];
    struct dyno_kv_move move = {.there = source ? transfer->from_blocks : transfer->to_blocks,
                                .here = source ? transfer->to_blocks : transfer->from_blocks,
                                .count = transfer->blocks,
                                .storage = near,
                                .first_layer = layers.first,
                                .end_layer = layers.end};

    if ((source && target) || memories->file[transfer->from] || memories->file[transfer->to]) {
        return relay(memories, transfer, layers);
    }
    for (uint32_t rank = 0; rank < memories->ranks; rank++) {
        near[rank] = storage_of(memories, source ? transfer->to : transfer->from, rank);
    }
    return (source ? source->ops->fetch(source, &move) : target->ops->store(target, &move))
               ? 0
               : DYNO_COPY_NEVER;
}

static struct dyno_kv_storage **near_of(const struct memories *memories, uint32_t row)
{
    return memories->near + (size_t)row * memories->ranks;
}

static bool is_far(const struct memories *memories, const struct dyno_transfer *transfer)
{
    return memories->peer[transfer->from] || memories->peer[transfer->to];
}

static uint32_t copy(void *context, const struct dyno_transfer *transfer)
{
    struct memories *memories = context;
    struct mover source = {memories, transfer->from, transfer->from_blocks};
    struct mover target = {memories, transfer->to, transfer->to_blocks};

    if ((memories->file[transfer->to] || memories->file[transfer->from]) && !transfer->names) {
        return transfer->blocks; /* there was no memory to name them in */
    }
    if (is_far(memories, transfer)) {
        return copy_far(memories, transfer, (struct layers){0},
                        near_of(memories, memories->endpoint_count));
    }
    if (memories->file[transfer->to]) {
        return dyno_kv_file_write(memories->file[transfer->to], transfer->to_blocks,
                                  transfer->names, transfer->blocks, get, &source);
    }
    if (memories->file[transfer->from]) {
        return dyno_kv_file_read(memories->file[transfer->from], transfer->from_blocks,
                                 transfer->names, transfer->blocks, put, &target);
    }
    for (uint32_t rank = 0; rank < memories->ranks; rank++) {
        const struct dyno_kv_storage *from = storage_of(memories, transfer->from, rank);
        const struct dyno_kv_storage *to = storage_of(memories, transfer->to, rank);

        for (uint32_t i = 0; i < transfer->blocks; i++) {
            dyno_kv_storage_copy(to, transfer->to_blocks[i], from, transfer->from_blocks[i]);
        }
    }
    return 0;
}

static uint64_t pass_of(void *context, uint32_t from)
{
    const struct memories *memories = context;

    return dyno_layer_gate_pass(memories->gate(memories->ask_context, from));
}

static void copy_near(const struct memories *memories, const struct dyno_transfer *transfer,
                      struct layers layers)
{
    for (uint32_t rank = 0; rank < memories->ranks; rank++) {
        const struct dyno_kv_storage *from = storage_of(memories, transfer->from, rank);
        const struct dyno_kv_storage *to = storage_of(memories, transfer->to, rank);

        for (uint32_t layer = layers.first; layer < layers.end; layer++) {
            for (uint32_t i = 0; i < transfer->blocks; i++) {
                dyno_kv_storage_copy_layer(to, transfer->to_blocks[i], from,
                                           transfer->from_blocks[i], layer);
            }
        }
    }
}

/* All layers that are there at a time.  What comes from one worker is copied by one thread. */
static uint32_t copy_layers(void *context, const struct dyno_transfer *transfer, uint64_t pass)
{
    struct memories *memories = context;
    struct dyno_layer_gate *gate = memories->gate(memories->ask_context, transfer->from);
    struct layers layers = {.end = transfer->first_layer};

    while (layers.end < transfer->end_layer) {
        uint32_t there = dyno_layer_gate_await(gate, pass, layers.end), lost = 0;

        layers.first = layers.end;
        layers.end = there < transfer->end_layer ? there : transfer->end_layer;
        if (is_far(memories, transfer)) {
            lost = copy_far(memories, transfer, layers, near_of(memories, transfer->from));
        } else {
            copy_near(memories, transfer, layers);
        }
        if (lost > 0) {
            return lost;
        }
    }
    return 0;
}

static uint32_t path(void *context, uint32_t from, uint32_t to)
{
    const struct memories *memories = context;

    bool in_file = memories->file[from] || memories->file[to];

    if (memories->peer[from] || memories->peer[to] || (in_file && memories->any_peer)) {
        return PEER_PATH; /* one thread has to do with a file */
    }
    return in_file ? DISK_PATH : MEMORY_PATH;
}

static void release(void *context)
{
    struct memories *memories = context;

    (void)pthread_mutex_destroy(&memories->passing);
    free(memories->storage);
    free(memories->file);
    free(memories->peer);
    free(memories->near);
    free(memories->between);
    free(memories->between_blocks);
    free(memories);
}

/* Of one endpoint's. */
static size_t storages_bytes(uint32_t ranks)
{
    return ranks * sizeof(struct dyno_kv_storage *);
}

static bool take_between(struct memories *memories, const struct dyno_cpu_links_config *config)
{
    if (!config->between) {
        return true;
    }
    memories->between_count = config->between[0]->blocks;
    memories->between = malloc(storages_bytes(config->ranks));
    memories->between_blocks = calloc(memories->between_count, sizeof *memories->between_blocks);
    if (!memories->between || !memories->between_blocks) {
        return false;
    }
    memcpy(memories->between, config->between, storages_bytes(config->ranks));
    for (uint32_t i = 0; i < memories->between_count; i++) {
        memories->between_blocks[i] = i;
    }
    return true;
}

static bool take_config(struct memories *memories, const struct dyno_cpu_links_config *config)
{
    (void)pthread_mutex_init(&memories->passing, NULL);
    memories->ranks = config->ranks;
    memories->endpoint_count = config->endpoint_count;
    memories->ask = config->storage;
    memories->ask_context = config->storage_context;
    memories->gate = config->gate;
    memories->near = calloc((size_t)config->endpoint_count + 1, storages_bytes(config->ranks));
    memories->storage = malloc(config->endpoint_count * storages_bytes(config->ranks));
    memories->file = calloc(config->endpoint_count, sizeof(struct dyno_kv_file *));
    memories->peer = calloc(config->endpoint_count, sizeof(struct dyno_kv_peer *));
    if (!memories->storage || !memories->file || !memories->peer || !memories->near) {
        return false;
    }
    memcpy(memories->storage, config->storages,
           config->endpoint_count * storages_bytes(config->ranks));
    for (uint32_t i = 0; i < config->endpoint_count; i++) {
        memories->file[i] = config->files ? config->files[i] : NULL;
        memories->peer[i] = config->peers ? config->peers[i] : NULL;
        memories->any_peer = memories->any_peer || memories->peer[i];
    }
    return take_between(memories, config);
}

static uint32_t layer_paths(const struct dyno_cpu_links_config *config)
{
    return config->gate_count < DYNO_COPIER_LAYER_PATHS_MAX ? config->gate_count
                                                            : DYNO_COPIER_LAYER_PATHS_MAX;
}

static dyno_status open_copier(struct dyno_links **out, const struct dyno_cpu_links_config *config,
                               struct memories *memories, struct dyno_error *error)
{
    struct dyno_copier_config copier = {.path_count = memories->any_peer ? PATH_COUNT
                                                      : config->files    ? DISK_PATH + 1
                                                                         : 1,
                                        .path = path,
                                        .copy = copy,
                                        .release = release,
                                        .context = memories,
                                        .now = config->now,
                                        .wake = config->wake,
                                        .clock = config->clock,
                                        .speeds = {[DISK_PATH] = dyno_copier_disk_speed()}};

    if (config->gate) {
        copier.pass_of = pass_of;
        copier.copy_layers = copy_layers;
        copier.layer_path_count = layer_paths(config);
    }
    DYNO_TRY(dyno_cpu_links_measure(&copier.speeds[MEMORY_PATH], config, error));
    DYNO_TRY(dyno_cpu_links_measure_peers(&copier.speeds[PEER_PATH], config, error));
    return dyno_copier_open(out, &copier, error);
}

dyno_status dyno_cpu_links_open(struct dyno_links **out, const struct dyno_cpu_links_config *config,
                                struct dyno_error *error)
{
    struct memories *memories = calloc(1, sizeof *memories);
    dyno_status status;

    if (!memories) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for links between workers");
    }
    if (!take_config(memories, config)) {
        release(memories);
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for links between workers");
    }
    status = open_copier(out, config, memories, error);
    if (status != DYNO_OK) {
        release(memories);
    }
    return status;
}

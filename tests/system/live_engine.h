/* What the engine of the live stage (tests/system/live_rig.h) computes, and where it lies: a token
 * has something in each layer of its memory, which is its own, and what is answered is a digest of
 * all that is found.  Blocks that move are copied between such memories, whole or layer by layer.
 */
#ifndef DYNO_TESTS_SYSTEM_LIVE_ENGINE_H
#define DYNO_TESTS_SYSTEM_LIVE_ENGINE_H

#include <stdatomic.h>
#include <time.h>

#include "backends/engine/copier.h"
#include "backends/engine/threaded.h"
#include "tests/check_main.h"
#include "tests/system/live_deaths.h"
#include "tests/system/world.h"

enum { VOCAB = 50000 };

struct live_engines;

struct live {
    const struct world *world;
    uint32_t *stored[WORLD_ENDPOINTS_MAX]; /* by endpoint: [blocks][block_tokens][layers] */
    struct dyno_transcripts *transcripts;
    struct dyno_request_record records[WORLD_REQUESTS_MAX];
    uint32_t ends[WORLD_REQUESTS_MAX];
    uint64_t digests[WORLD_REQUESTS_MAX]; /* of what was generated */
    uint64_t hits, preemptions, many_steps;
    atomic_ullong cached;               /* tokens computed once more that others had computed */
    uint64_t changes;                   /* of role */
    const struct live_engines *prefill; /* who compute prompts; NULL: whoever decodes */
    bool is_lossy;                      /* tiers lose the ends of some transfers */
    uint32_t fails_every; /* so many steps on average until a worker fails; 0: none does.  And of so
                             many of its starts one fails */
    uint32_t steps[WORLD_ENDPOINTS_MAX], starts[WORLD_ENDPOINTS_MAX]; /* the worker's thread's */
    struct dyno_copier_speed copies; /* to be predicted from at first */
    struct dyno_pass_costs passes;   /* likewise */
    struct dyno_fleet_totals totals;
    struct dyno_fault_totals faults;
    struct live_deaths *deaths; /* of what computes, not of the worker; NULL: nobody's */
    /* What a worker's thread does before it computes a step; NULL: nothing. */
    void (*before)(struct live *live, uint32_t worker, const struct dyno_engine_piece *pieces,
                   uint32_t piece_count);
    atomic_bool has_begun, has_ended, was_late; /* what its threads wait for, and one in vain */
};

/* The workers of one device, whose memories are those from `first` on. */
struct live_engines {
    struct live *live;
    uint32_t first;
    uint32_t blocks; /* of each */
    struct dyno_device *device;
};

/* A token has something in each layer, which is its own. */
static inline uint32_t layers_of(const struct live *live)
{
    return live->world->halves.layers > 1 ? live->world->halves.layers : 1;
}

static inline uint32_t in_layer(uint32_t token, uint32_t layer)
{
    return token ^ (layer * 0x9e3779b9u);
}

static inline uint32_t *place(struct live *live, uint32_t worker,
                              const struct dyno_engine_piece *piece, uint32_t position)
{
    uint32_t size = live->world->worker.block_tokens;

    return &live->stored[worker][((size_t)piece->table[position / size] * size + position % size) *
                                 layers_of(live)];
}

/* The token, if all of its layers are its. */
static inline uint64_t token_at(struct live *live, uint32_t worker,
                                const struct dyno_engine_piece *piece, uint32_t position)
{
    const uint32_t *at = place(live, worker, piece, position);

    for (uint32_t layer = 1; layer < layers_of(live); layer++) {
        if (at[layer] != in_layer(at[0], layer)) {
            return UINT64_MAX;
        }
    }
    return at[0];
}

/* One layer of the step, and word of it; some take a while. */
static inline void compute_layer(const struct live_engines *engines, uint32_t worker,
                                 const struct dyno_engine_piece *pieces, uint32_t piece_count,
                                 uint32_t layer)
{
    const struct timespec nap = {.tv_nsec = 1000};
    struct live *live = engines->live;
    uint32_t tokens = 0;

    for (uint32_t i = 0; i < piece_count; i++) {
        for (uint32_t j = pieces[i].cached; j < pieces[i].count; j++) {
            place(live, engines->first + worker, &pieces[i], pieces[i].first + j)[layer] =
                in_layer(pieces[i].tokens[pieces[i].first + j], layer);
        }
        tokens += pieces[i].count;
    }
    if (layers_of(live) > 1 && tokens % 4 == 1) {
        (void)nanosleep(&nap, NULL);
    }
    dyno_layer_gate_note(dyno_threaded_device_gate(engines->device, worker), layer + 1);
}

/* All pieces are written before any is read, as in a layer of a model.  What is cached may be on
 * its way elsewhere, and is only read. */
static inline dyno_status step(void *context, uint32_t worker,
                               const struct dyno_engine_piece *pieces, uint32_t piece_count,
                               uint32_t *next)
{
    const struct live_engines *engines = context;
    struct live *live = engines->live;
    uint32_t yields = 0;

    worker += engines->first;
    if (live->before) {
        live->before(live, worker, pieces, piece_count);
    }
    if (live->fails_every > 0 &&
        dyno_mix(((uint64_t)worker << 32) + live->steps[worker]++) % live->fails_every == 0) {
        return DYNO_IO;
    }
    for (uint32_t i = 0; i < piece_count; i++) {
        live->cached += pieces[i].cached;
    }
    for (uint32_t layer = 0; layer < layers_of(live); layer++) {
        compute_layer(engines, worker - engines->first, pieces, piece_count, layer);
    }
    for (uint32_t i = 0; i < piece_count; i++) {
        uint64_t digest = 1;

        for (uint32_t j = 0; pieces[i].yields && j < pieces[i].first + pieces[i].count; j++) {
            digest = dyno_chain(digest, token_at(live, worker, &pieces[i], j));
        }
        if (pieces[i].yields) {
            next[yields++] = (uint32_t)(digest % VOCAB);
        }
    }
    return DYNO_OK;
}

/* A worker that is started again has another memory, and what its first one held is gone. */
static inline dyno_status start(void *context, uint32_t worker)
{
    const struct live_engines *engines = context;
    struct live *live = engines->live;
    uint32_t at = engines->first + worker;

    free(live->stored[at]);
    live->stored[at] = NULL;
    if (live->fails_every > 0 && ++live->starts[at] % live->fails_every == 0) {
        return DYNO_NO_MEMORY;
    }
    live->stored[at] =
        calloc((size_t)engines->blocks * live->world->worker.block_tokens, 4 * layers_of(live));
    return live->stored[at] ? DYNO_OK : DYNO_NO_MEMORY;
}

static inline void stop(void *context, uint32_t worker)
{
    const struct live_engines *engines = context;

    free(engines->live->stored[engines->first + worker]);
    engines->live->stored[engines->first + worker] = NULL;
}

/* What the engine must have answered, from the transcript alone. */
static inline uint32_t expected(const struct dyno_transcript *transcript, uint32_t index)
{
    uint64_t digest = 1;

    for (uint32_t i = 0; i < index; i++) {
        digest = dyno_chain(digest, transcript->tokens[i]);
    }
    return (uint32_t)(digest % VOCAB);
}

/* Some copies take a while, and some do not arrive whole. */
static inline uint32_t copy(void *context, const struct dyno_transfer *transfer)
{
    const struct live *live = context;
    const struct timespec nap = {.tv_nsec = (long)(transfer->id % 4) * 100000};
    size_t size = (size_t)live->world->worker.block_tokens * layers_of(live);
    bool is_tier = transfer->from >= WORLD_WORKERS_MAX || transfer->to >= WORLD_WORKERS_MAX;
    uint32_t lost = 0;

    (void)nanosleep(&nap, NULL);
    if (live->is_lossy && is_tier && transfer->id % 3 == 0) {
        lost = 1 + (uint32_t)(dyno_mix(transfer->id) % transfer->blocks);
    }
    for (uint32_t i = 0; i < transfer->blocks - lost; i++) {
        memcpy(live->stored[transfer->to] + transfer->to_blocks[i] * size,
               live->stored[transfer->from] + transfer->from_blocks[i] * size, 4 * size);
    }
    return live->deaths && (live_is_gone(live->deaths, transfer->from) ||
                            live_is_gone(live->deaths, transfer->to))
               ? DYNO_COPY_NEVER
               : lost;
}

/* Of the worker `from`, which computes prompts. */
static inline struct dyno_layer_gate *gate_of(const struct live *live, uint32_t from)
{
    return dyno_threaded_device_gate(live->prefill->device, from - live->prefill->first);
}

static inline uint64_t pass_of(void *context, uint32_t from)
{
    return dyno_layer_gate_pass(gate_of(context, from));
}

static inline uint32_t copy_layers(void *context, const struct dyno_transfer *transfer,
                                   uint64_t pass)
{
    const struct live *live = context;
    size_t layers = layers_of(live), size = live->world->worker.block_tokens;

    for (uint32_t layer = transfer->first_layer; layer < transfer->end_layer; layer++) {
        dyno_layer_gate_await(gate_of(live, transfer->from), pass, layer);
        for (size_t i = 0; i < transfer->blocks * size; i++) {
            size_t to = transfer->to_blocks[i / size] * size + i % size;
            size_t from = transfer->from_blocks[i / size] * size + i % size;

            live->stored[transfer->to][to * layers + layer] =
                live->stored[transfer->from][from * layers + layer];
        }
    }
    return live->deaths && (live_is_gone(live->deaths, transfer->from) ||
                            live_is_gone(live->deaths, transfer->to))
               ? DYNO_COPY_NEVER
               : 0;
}

#endif

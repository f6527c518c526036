/* Links between memories of keys and values, some of which are said to be in other processes:
 * single layers move as they are computed, and no others, by way of this process where both ends
 * are elsewhere; and where one of them goes in the middle nothing arrives. */
#include "backends/cpu/kv_links.h"

#include <semaphore.h>
#include <string.h>

#include "backends/posix/wall_clock.h"
#include "tests/check_main.h"

enum {
    LAYERS = 5,
    BLOCKS = 8,
    BLOCK_TOKENS = 4,
    MOVED = 5,
    BETWEEN = 2,
    MOVES_MAX = 64,
    TARGET = 0,
    SOURCE = 1
};

static const uint32_t from_blocks[MOVED] = {6, 1, 2, 3, 0}, to_blocks[MOVED] = {0, 4, 5, 6, 7};

/* A worker, in another process or here. */
struct place {
    struct dyno_kv_peer base;
    struct rig *rig;
    struct dyno_kv_storage *storage;
};

struct rig {
    struct place places[2];
    struct dyno_kv_storage *between;
    struct dyno_layer_gate gate;
    struct dyno_clock *clock;
    struct dyno_links *links;
    sem_t moved;   /* posted when a place elsewhere has been read from, or written to */
    uint32_t left; /* how often one can be reached before it is gone */
    /* Layers that moved each time; those that were heard of. */
    struct {
        uint32_t first, end;
    } moves[MOVES_MAX];
    uint32_t move_count, heard_count;
};

/* ---- places elsewhere ------------------------------------------------------------------------ */

static bool move_blocks(struct place *place, const struct dyno_kv_move *move, bool fetches)
{
    struct rig *rig = place->rig;
    uint32_t end = move->end_layer > 0 ? move->end_layer : LAYERS;

    if (rig->left == 0) {
        return false;
    }
    rig->left--;
    for (uint32_t layer = move->first_layer; layer < end; layer++) {
        for (uint32_t i = 0; i < move->count; i++) {
            if (fetches) {
                dyno_kv_storage_copy_layer(move->storage[0], move->here[i], place->storage,
                                           move->there[i], layer);
            } else {
                dyno_kv_storage_copy_layer(place->storage, move->there[i], move->storage[0],
                                           move->here[i], layer);
            }
        }
    }
    ck_assert_uint_lt(rig->move_count, MOVES_MAX);
    rig->moves[rig->move_count].first = move->first_layer;
    rig->moves[rig->move_count++].end = move->end_layer;
    (void)sem_post(&rig->moved);
    return true;
}

static bool fetch(struct dyno_kv_peer *peer, const struct dyno_kv_move *move)
{
    return move_blocks((struct place *)peer, move, true); /* its first member */
}

static bool store(struct dyno_kv_peer *peer, const struct dyno_kv_move *move)
{
    return move_blocks((struct place *)peer, move, false);
}

static const struct dyno_kv_peer_ops place_ops = {.fetch = fetch, .store = store};

/* ---- links ----------------------------------------------------------------------------------- */

static struct dyno_kv_storage *open_storage(uint32_t blocks)
{
    const struct dyno_model model = {.layers = LAYERS, .kv_heads = 2, .head_dim = 6};
    struct dyno_kv_storage *storage = NULL;
    struct dyno_error error;

    ck_assert_int_eq(
        dyno_kv_storage_open(&storage, &model, blocks, BLOCK_TOKENS, DYNO_ELEMENT_F32, &error),
        DYNO_OK);
    return storage;
}

static struct dyno_kv_storage *storage_of(const void *context, uint32_t endpoint, uint32_t rank)
{
    const struct rig *rig = context;

    (void)rank;
    return rig->places[endpoint].storage;
}

static struct dyno_layer_gate *gate_of(const void *context, uint32_t endpoint)
{
    struct rig *rig = (struct rig *)(uintptr_t)context;

    ck_assert_uint_eq(endpoint, SOURCE);
    return &rig->gate;
}

static void open_rig(struct rig *rig, bool target_is_far, bool source_is_far)
{
    const bool is_far[2] = {target_is_far, source_is_far};
    struct dyno_kv_storage *none[2] = {NULL, NULL};
    struct dyno_kv_peer *peers[2] = {NULL, NULL};
    struct dyno_cpu_links_config config = {.storages = none,
                                           .endpoint_count = 2,
                                           .ranks = 1,
                                           .storage = storage_of,
                                           .storage_context = rig,
                                           .peers = peers,
                                           .gate = gate_of,
                                           .gate_count = 1,
                                           .now = dyno_wall_clock_now,
                                           .wake = dyno_wall_clock_wake};
    struct dyno_error error;

    *rig = (struct rig){.between = open_storage(BETWEEN), .left = UINT32_MAX};
    for (uint32_t i = 0; i < 2; i++) {
        rig->places[i] = (struct place){.base = {.ops = &place_ops, .blocks = BLOCKS},
                                        .rig = rig,
                                        .storage = open_storage(BLOCKS)};
        peers[i] = is_far[i] ? &rig->places[i].base : NULL;
    }
    ck_assert_int_eq(sem_init(&rig->moved, 0, 0), 0);
    ck_assert_int_eq(dyno_wall_clock_open(&rig->clock, 1.0), DYNO_OK);
    dyno_layer_gate_init(&rig->gate);
    config.clock = rig->clock;
    config.between = target_is_far || source_is_far ? &rig->between : NULL;
    ck_assert_int_eq(dyno_cpu_links_open(&rig->links, &config, &error), DYNO_OK);
    ck_assert(rig->links->moves_layers);
    while (sem_trywait(&rig->moved) == 0) { /* what was measured */
        rig->heard_count++;
    }
}

static void close_rig(struct rig *rig)
{
    rig->links->ops->close(rig->links);
    dyno_wall_clock_close(rig->clock);
    dyno_layer_gate_release(&rig->gate);
    (void)sem_destroy(&rig->moved);
    for (uint32_t i = 0; i < 2; i++) {
        dyno_kv_storage_close(rig->places[i].storage);
    }
    dyno_kv_storage_close(rig->between);
}

/* What a pass computes of a layer, and what that is. */
static void compute(const struct rig *rig, uint32_t layer)
{
    for (uint32_t i = 0; i < MOVED; i++) {
        struct dyno_kv_parts parts =
            dyno_kv_storage_parts(rig->places[SOURCE].storage, layer, from_blocks[i]);

        memset(parts.keys, (int)(1 + 2 * (layer * MOVED + i)), parts.keys_bytes);
        memset(parts.values, (int)(2 + 2 * (layer * MOVED + i)), parts.values_bytes);
    }
}

/* The layer's part of the blocks is where it was to go, or nowhere yet. */
static void check(const struct rig *rig, uint32_t layer, bool has_come)
{
    for (uint32_t i = 0; i < MOVED; i++) {
        struct dyno_kv_parts parts =
            dyno_kv_storage_parts(rig->places[TARGET].storage, layer, to_blocks[i]);
        int key = has_come ? (int)(1 + 2 * (layer * MOVED + i)) : 0;

        ck_assert_int_eq(parts.keys[0], key);
        ck_assert_int_eq(parts.keys[parts.keys_bytes - 1], key);
        ck_assert_int_eq(parts.values[0], has_come ? key + 1 : 0);
        ck_assert_int_eq(parts.values[parts.values_bytes - 1], has_come ? key + 1 : 0);
    }
}

static void submit(const struct rig *rig, uint64_t id, uint32_t first, uint32_t end)
{
    ck_assert_int_eq(rig->links->ops->submit(rig->links, 0,
                                             &(struct dyno_transfer){.id = id,
                                                                     .from = SOURCE,
                                                                     .to = TARGET,
                                                                     .blocks = MOVED,
                                                                     .block_bytes = 1,
                                                                     .from_blocks = from_blocks,
                                                                     .to_blocks = to_blocks,
                                                                     .first_layer = first,
                                                                     .end_layer = end}),
                     DYNO_OK);
}

static void await(const struct rig *rig, uint64_t id)
{
    struct dyno_arrival arrival;
    dyno_ns now = 0;

    while (!rig->links->ops->reap(rig->links, now, &arrival)) {
        now = rig->clock->ops->wait_until(rig->clock, rig->links->ops->next(rig->links));
    }
    ck_assert_uint_eq(arrival.id, id);
    ck_assert_uint_eq(arrival.lost, 0);
}

/* ---- what is promised ------------------------------------------------------------------------ */

/* Layers [first, end) are computed: they come, in as many goes as that takes. */
static void compute_and_hear(struct rig *rig, uint32_t first, uint32_t end, uint32_t goes)
{
    for (uint32_t layer = first; layer < end; layer++) {
        compute(rig, layer);
    }
    dyno_layer_gate_note(&rig->gate, end);
    for (uint32_t i = 0; i < goes; i++) {
        while (sem_wait(&rig->moved) != 0) {
        }
        ck_assert_uint_eq(rig->moves[rig->heard_count].first, first);
        ck_assert_uint_eq(rig->moves[rig->heard_count++].end, end);
    }
}

/* Of what the pass computes later nothing is read before.  _i: who is elsewhere. */
START_TEST(layers_set_out_when_they_are_computed)
{
    bool both = _i == 3;
    uint32_t goes = both ? 2 * ((MOVED + BETWEEN - 1) / BETWEEN) : 1;
    static struct rig rig;

    open_rig(&rig, _i != 1, _i != 2);
    dyno_layer_gate_begin(&rig.gate);
    submit(&rig, 7, 0, LAYERS - 1);
    for (uint32_t layer = 0; layer < 3; layer += 2) { /* one, then two at a time */
        uint32_t end = layer == 0 ? 1 : 3;

        compute_and_hear(&rig, layer == 0 ? 0 : 1, end, goes);
        check(&rig, end, false);
    }
    compute(&rig, 3);
    compute(&rig, 4);
    dyno_layer_gate_end(&rig.gate);
    await(&rig, 7);
    check(&rig, LAYERS - 1, false);
    submit(&rig, 8, LAYERS - 1, LAYERS);
    await(&rig, 8);
    for (uint32_t layer = 0; layer < LAYERS; layer++) {
        check(&rig, layer, true);
    }
    close_rig(&rig);
}
END_TEST

/* Within this process. */
START_TEST(layers_that_are_here_move_likewise)
{
    static struct rig rig;

    open_rig(&rig, false, false);
    dyno_layer_gate_begin(&rig.gate);
    submit(&rig, 7, 0, 2);
    submit(&rig, 8, 2, LAYERS);
    compute(&rig, 0);
    compute(&rig, 1);
    dyno_layer_gate_note(&rig.gate, 2);
    await(&rig, 7);
    check(&rig, 0, true);
    check(&rig, 1, true);
    check(&rig, 2, false);
    for (uint32_t layer = 2; layer < LAYERS; layer++) {
        compute(&rig, layer);
    }
    dyno_layer_gate_end(&rig.gate);
    await(&rig, 8);
    for (uint32_t layer = 0; layer < LAYERS; layer++) {
        check(&rig, layer, true);
    }
    close_rig(&rig);
}
END_TEST

/* Some layers have come, and it is gone: whoever waits drops it, and others go on. */
START_TEST(what_is_gone_in_the_middle_never_arrives)
{
    struct dyno_arrival arrival;
    static struct rig rig;

    open_rig(&rig, false, true);
    dyno_layer_gate_begin(&rig.gate);
    submit(&rig, 7, 0, LAYERS - 1);
    rig.left = 1; /* nothing is read before a layer is told of */
    compute_and_hear(&rig, 0, 1, 1);
    dyno_layer_gate_end(&rig.gate);
    dyno_copier_settle(rig.links);
    ck_assert(!rig.links->ops->reap(rig.links, DYNO_NEVER - 1, &arrival));
    ck_assert(rig.links->ops->drop(rig.links, 0, 7));
    ck_assert(!rig.links->ops->drop(rig.links, 0, 7));
    rig.left = UINT32_MAX;
    dyno_layer_gate_begin(&rig.gate);
    submit(&rig, 9, 0, LAYERS - 1);
    dyno_layer_gate_end(&rig.gate);
    await(&rig, 9);
    close_rig(&rig);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("kv links");

    tcase_add_loop_test(cases, layers_set_out_when_they_are_computed, 1, 4);
    tcase_add_test(cases, layers_that_are_here_move_likewise);
    tcase_add_test(cases, what_is_gone_in_the_middle_never_arrives);
    suite_add_tcase(suite, cases);
}

DYNO_CHECK_MAIN("kv_links", add_cases)

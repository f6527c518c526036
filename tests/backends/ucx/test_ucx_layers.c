/* Single layers of blocks, to and from workers in another process, which is a thread here: they are
 * told of as they are computed, and those that move are the ones that would be computed here, bit
 * for bit. */
#include "backends/cpu/device.h"
#include "backends/cpu/kv_links.h"
#include "tests/backends/ucx/far.h"

enum { LAYERS = 5, TARGET = 0, SOURCE = 1, TABLE = (PROMPT + BLOCK_TOKENS - 1) / BLOCK_TOKENS };

static const uint32_t table[] = {5, 6, 7, 2, 20, 0}, target_table[] = {9, 8, 3, 4, 5, 0};

/* Who computes a prompt, and where its blocks go: each worker 1 of its kind, here or elsewhere. */
struct moving {
    struct far fars[2];
    struct dyno_ucx_peers *peers[2]; /* NULL: here */
    struct dyno_clock *clock;
    struct dyno_transcripts *transcripts;
    struct dyno_device *device;   /* of the source */
    struct dyno_kv_storage *here; /* the target, if it is here */
    struct dyno_kv_storage *between;
    struct dyno_links *links;
};

static struct dyno_kv_storage *open_storage(const struct far *far)
{
    struct dyno_kv_storage *storage = NULL;
    struct dyno_error error;

    ck_assert_int_eq(dyno_kv_storage_open(&storage, &far->weights->model, BLOCKS, BLOCK_TOKENS,
                                          DYNO_ELEMENT_F32, &error),
                     DYNO_OK);
    return storage;
}

static struct dyno_device *open_here(const struct far *far, struct dyno_transcripts *transcripts,
                                     struct dyno_clock *clock)
{
    struct dyno_device *device = NULL;
    struct dyno_error error;

    ck_assert_int_eq(dyno_cpu_device_open(
                         &device,
                         &(struct dyno_cpu_config){.weights = far->weights,
                                                   .threads = 1,
                                                   .blocks = BLOCKS,
                                                   .block_tokens = BLOCK_TOKENS,
                                                   .batch_tokens_max = ROWS,
                                                   .tells_layers = true,
                                                   .threaded = threaded_config(transcripts, clock)},
                         &error),
                     DYNO_OK);
    return device;
}

static struct dyno_ucx_peers *open_telling(const struct far *far, struct dyno_clock *clock,
                                           enum dyno_ucx_transport transport)
{
    struct dyno_ucx_peers_config config = peers_config(far, clock, transport);
    struct dyno_ucx_peers *peers = NULL;
    struct dyno_error error;

    config.tells_layers = true;
    ck_assert_msg(dyno_ucx_peers_open(&peers, &config, &error) == DYNO_OK, "%s", error.text);
    return peers;
}

/* ---- links ----------------------------------------------------------------------------------- */

static struct dyno_kv_storage *storage_of(const void *context, uint32_t endpoint, uint32_t rank)
{
    const struct moving *moving = context;

    return endpoint == TARGET ? moving->here : dyno_cpu_device_storage(moving->device, 1, rank);
}

static struct dyno_layer_gate *gate_of(const void *context, uint32_t endpoint)
{
    const struct moving *moving = context;

    (void)endpoint;
    return dyno_threaded_device_gate(moving->device, 1);
}

static void open_links(struct moving *moving)
{
    struct dyno_kv_storage *none[2] = {NULL, NULL};
    struct dyno_kv_peer *memories[2] = {NULL, NULL};
    struct dyno_error error;

    for (uint32_t i = 0; i < 2; i++) {
        memories[i] = moving->peers[i] ? dyno_ucx_peers_memory(moving->peers[i], 1) : NULL;
    }
    ck_assert_int_eq(
        dyno_cpu_links_open(&moving->links,
                            &(struct dyno_cpu_links_config){.storages = none,
                                                            .endpoint_count = 2,
                                                            .ranks = 1,
                                                            .storage = storage_of,
                                                            .storage_context = moving,
                                                            .peers = memories,
                                                            .between = &moving->between,
                                                            .gate = gate_of,
                                                            .gate_count = 1,
                                                            .now = dyno_wall_clock_now,
                                                            .wake = dyno_wall_clock_wake,
                                                            .clock = moving->clock},
                            &error),
        DYNO_OK);
    ck_assert(moving->links->moves_layers);
}

static void submit_layers(const struct moving *moving, uint64_t id, uint32_t first, uint32_t end)
{
    const struct dyno_transfer transfer = {.id = id,
                                           .from = SOURCE,
                                           .to = TARGET,
                                           .blocks = TABLE,
                                           .block_bytes = 1,
                                           .from_blocks = table,
                                           .to_blocks = target_table,
                                           .first_layer = first,
                                           .end_layer = end};

    ck_assert_int_eq(moving->links->ops->submit(moving->links, 0, &transfer), DYNO_OK);
}

static void await_arrival(const struct moving *moving)
{
    struct dyno_arrival arrival;
    dyno_ns now = 0;

    while (!moving->links->ops->reap(moving->links, now, &arrival)) {
        now = moving->clock->ops->wait_until(moving->clock, DYNO_NEVER);
    }
    ck_assert_uint_eq(arrival.lost, 0);
}

/* ---- open and close -------------------------------------------------------------------------- */

static void open_moving(struct moving *moving, const bool is_far[2],
                        enum dyno_ucx_transport transport)
{
    struct dyno_threaded_config threaded;
    struct dyno_error error;

    *moving = (struct moving){.device = NULL};
    open_far_of(&moving->fars[TARGET], 11, LAYERS);
    open_far_beside(&moving->fars[SOURCE], &moving->fars[TARGET]);
    ck_assert_int_eq(dyno_wall_clock_open(&moving->clock, 1.0), DYNO_OK);
    ck_assert_int_eq(dyno_transcripts_open(&moving->transcripts), DYNO_OK);
    for (uint32_t i = 0; i < 2; i++) {
        moving->peers[i] =
            is_far[i] ? open_telling(&moving->fars[i], moving->clock, transport) : NULL;
    }
    if (is_far[SOURCE]) {
        threaded = threaded_config(moving->transcripts, moving->clock);
        ck_assert_int_eq(
            dyno_ucx_device_open(&moving->device, moving->peers[SOURCE], &threaded, &error),
            DYNO_OK);
    } else {
        moving->device = open_here(&moving->fars[SOURCE], moving->transcripts, moving->clock);
    }
    moving->here = open_storage(&moving->fars[TARGET]);
    moving->between = open_storage(&moving->fars[TARGET]);
    open_links(moving);
}

static void close_moving(struct moving *moving)
{
    moving->links->ops->close(moving->links);
    moving->device->ops->close(moving->device);
    for (uint32_t i = 0; i < 2; i++) {
        dyno_ucx_peers_close(moving->peers[i]);
        end_far(&moving->fars[i]);
        release_far(&moving->fars[i]);
    }
    dyno_kv_storage_close(moving->here);
    dyno_kv_storage_close(moving->between);
    dyno_transcripts_close(moving->transcripts);
    dyno_wall_clock_close(moving->clock);
    arrays_free();
}

/* ---- what is promised ------------------------------------------------------------------------ */

/* Of a prompt in two slices, the second of which yields: a pass each. */
static void submit_slice(struct dyno_device *device, uint32_t index)
{
    static const struct dyno_slice slices[] = {
        {.slot = 0, .first = 0, .tokens = 20},
        {.slot = 0, .first = 20, .tokens = PROMPT - 20, .yields = true}};
    static const uint32_t *const tables[2] = {table, NULL};

    device->ops->submit(device, 0,
                        &(struct dyno_pass){.worker = 1,
                                            .steps_max = 1,
                                            .slice_count = 1,
                                            .slices = &slices[index],
                                            .tables = tables});
}

static uint64_t layers_told(const struct moving *moving)
{
    return moving->peers[SOURCE] ? dyno_ucx_peers_totals(moving->peers[SOURCE]).layers : 0;
}

/* Nobody waits for layers of the first slice; those of the second move from when its pass begins,
 * the last one when it has ended. */
static void compute_and_move(struct moving *moving)
{
    bool is_far = moving->peers[SOURCE] != NULL;

    moving->device->ops->open(moving->device, 1, 0, 1, 0, ANSWER);
    submit_slice(moving->device, 0);
    await_pass(moving->device, moving->clock);
    ck_assert_uint_eq(layers_told(moving), 0);
    submit_slice(moving->device, 1);
    submit_layers(moving, 1, 0, LAYERS - 1);
    await_pass(moving->device, moving->clock);
    ck_assert_uint_eq(layers_told(moving), is_far ? LAYERS - 1 : 0);
    submit_layers(moving, 2, LAYERS - 1, LAYERS);
    await_arrival(moving);
    await_arrival(moving);
    moving->device->ops->shut(moving->device, 1, 0);
}

static void check_moved(struct moving *moving, const struct dyno_kv_storage *due)
{
    size_t size = dyno_kv_storage_block_bytes(due);
    char *a = malloc(size), *b = malloc(size);

    if (moving->peers[TARGET]) {
        ck_assert(fetch_blocks(dyno_ucx_peers_memory(moving->peers[TARGET], 1), target_table,
                               &moving->here, target_table, TABLE));
    }
    for (uint32_t i = 0; i < TABLE; i++) {
        dyno_kv_storage_get(due, table[i], a);
        dyno_kv_storage_get(moving->here, target_table[i], b);
        ck_assert_mem_eq(a, b, size);
    }
    free(a);
    free(b);
}

/* What the same prompt leaves behind in this process. */
static struct dyno_device *compute_here(const struct moving *moving,
                                        struct dyno_transcripts **transcripts)
{
    struct dyno_device *device;

    ck_assert_int_eq(dyno_transcripts_open(transcripts), DYNO_OK);
    (void)add_prompt(*transcripts, moving->fars[0].weights->model.vocab);
    device = open_here(&moving->fars[0], *transcripts, moving->clock);
    device->ops->open(device, 1, 0, 1, 0, ANSWER);
    for (uint32_t i = 0; i < 2; i++) {
        submit_slice(device, i);
        await_pass(device, moving->clock);
    }
    return device;
}

/* _i: over what, and who is elsewhere: who computes, who is to have it, or both. */
START_TEST(layers_that_move_are_those_that_would_be_computed_here)
{
    const bool is_far[2] = {_i / 2 != 0, _i / 2 != 1};
    struct dyno_transcripts *transcripts;
    struct dyno_device *reference;
    static struct moving moving;

    open_moving(&moving, is_far, transport_of(_i % 2));
    reference = compute_here(&moving, &transcripts);
    (void)add_prompt(moving.transcripts, moving.fars[0].weights->model.vocab);
    compute_and_move(&moving);
    check_moved(&moving, dyno_cpu_device_storage(reference, 1, 0));
    reference->ops->close(reference);
    dyno_transcripts_close(transcripts);
    close_moving(&moving);
}
END_TEST

/* Its process ends while a layer is waited for, or has ended: nothing arrives, and nobody hangs. */
START_TEST(layers_of_a_process_that_is_gone_never_arrive)
{
    const bool is_far[2] = {false, true};
    struct dyno_completion dropped;
    struct dyno_arrival arrival;
    static struct moving moving;
    dyno_ns now;

    open_moving(&moving, is_far, transport_of(_i));
    (void)add_prompt(moving.transcripts, moving.fars[0].weights->model.vocab);
    moving.device->ops->open(moving.device, 1, 0, 1, 0, ANSWER);
    end_far(&moving.fars[SOURCE]);
    while (!dyno_ucx_peers_are_gone(moving.peers[SOURCE])) {
        (void)moving.clock->ops->wait_until(moving.clock, DYNO_NEVER); /* it is woken */
    }
    submit_slice(moving.device, 1);
    submit_layers(&moving, 1, 0, LAYERS - 1);
    dyno_copier_settle(moving.links);
    now = dyno_wall_clock_now(moving.clock);
    ck_assert(!moving.links->ops->reap(moving.links, now, &arrival));
    ck_assert(!moving.device->ops->drop(moving.device, 1, now, &dropped));
    ck_assert(moving.links->ops->drop(moving.links, now, 1));
    moving.device->ops->shut(moving.device, 1, 0);
    release_far(&moving.fars[SOURCE]);
    start_far(&moving.fars[SOURCE]); /* to be ended again */
    close_moving(&moving);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("ucx layers");

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, layers_that_move_are_those_that_would_be_computed_here, 0, 6);
    tcase_add_loop_test(cases, layers_of_a_process_that_is_gone_never_arrive, 0, 2);
    suite_add_tcase(suite, cases);
}

static const char *lacking(void)
{
    return dyno_ucx_is_built() ? NULL : "this build has no UCX";
}

DYNO_CHECK_MAIN_UNLESS("backends/ucx layers", add_cases, lacking)

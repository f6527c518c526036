/* KV blocks of GPUs, emulated, on their way to the host's memory, to files, back, and to other
 * GPUs.
 */
#include "backends/cuda/kv_links.h"

#include <semaphore.h>
#include <stdatomic.h>

#include "backends/cuda/device.h"
#include "backends/cuda/device_pools.h"
#include "backends/cuda/kv_stage.h"
#include "tests/backends/cuda_models.h"
#include "tests/check_main.h"
#include "tests/cuda_emulation/faults.h"

enum { LAYERS = 3, PIECE = 32, BLOCKS = 6, WORKERS = 2, BLOCK_TOKENS = 4 };

static struct dyno_cuda_kv_pool on_gpu(int gpu, uint32_t blocks)
{
    struct dyno_cuda_kv_pool pool = {
        .gpu = gpu, .blocks = blocks, .layers = LAYERS, .piece_bytes = PIECE};

    ck_assert(!cudaSetDevice(gpu) &&
              !cudaMalloc((void **)&pool.memory, (size_t)LAYERS * blocks * PIECE) &&
              !cudaMemset(pool.memory, 0, (size_t)LAYERS * blocks * PIECE) &&
              !cudaDeviceSynchronize());
    return pool;
}

/* What block `name` holds in a layer: all its bytes are this. */
static char byte_of(uint32_t name, uint32_t layer)
{
    return (char)(1 + name * 16 + layer);
}

static char *piece_of(const struct dyno_cuda_kv_pool *pool, uint32_t block, uint32_t layer)
{
    return pool->memory + ((uint64_t)layer * pool->blocks + block) * pool->piece_bytes;
}

static void fill(const struct dyno_cuda_kv_pool *pool, uint32_t block, uint32_t name)
{
    ck_assert(!cudaSetDevice(pool->gpu));
    for (uint32_t layer = 0; layer < pool->layers; layer++) {
        ck_assert(
            !cudaMemset(piece_of(pool, block, layer), byte_of(name, layer), pool->piece_bytes));
    }
    ck_assert(!cudaDeviceSynchronize());
}

static void expect(const struct dyno_cuda_kv_pool *pool, uint32_t block, uint32_t name)
{
    char *got = array_of(pool->piece_bytes, 1);

    for (uint32_t layer = 0; layer < pool->layers; layer++) {
        ck_assert(!cudaMemcpy(got, piece_of(pool, block, layer), pool->piece_bytes,
                              cudaMemcpyDeviceToHost));
        for (uint64_t i = 0; i < pool->piece_bytes; i++) {
            ck_assert_msg(got[i] == byte_of(name, layer), "block %u, layer %u: %d", block, layer,
                          got[i]);
        }
    }
}

START_TEST(blocks_go_to_the_host_to_another_gpu_and_back)
{
    static const uint32_t here[] = {5, 0, 2}, host[] = {1, 3, 0}, there[] = {2, 6, 1};
    static const uint32_t again[] = {1, 3, 4};
    struct dyno_cuda_kv_pool one, two, between;
    cudaStream_t stream, other;

    dyno_emulation_devices(2);
    two = on_gpu(1, 7);
    ck_assert(!cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
    one = on_gpu(0, BLOCKS);
    ck_assert(!cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    ck_assert(dyno_cuda_kv_pool_open(&between, &one, 4, NULL) == DYNO_OK);
    for (uint32_t i = 0; i < 3; i++) {
        fill(&one, here[i], i);
    }
    ck_assert(dyno_cuda_kv_pool_copy(&between, host, &one, here, 3, stream, NULL) == DYNO_OK);
    ck_assert(!cudaStreamSynchronize(stream));
    /* A block is one piece there. */
    ck_assert(between.memory[1 * LAYERS * PIECE] == byte_of(0, 0) &&
              between.memory[(1 * LAYERS + 2) * PIECE] == byte_of(0, 2) &&
              between.memory[(3 * LAYERS + 1) * PIECE] == byte_of(1, 1));
    ck_assert(dyno_cuda_kv_pool_copy(&two, there, &between, host, 3, other, NULL) == DYNO_OK);
    ck_assert(dyno_cuda_kv_pool_copy(&one, again, &two, there, 3, other, NULL) == DYNO_OK);
    ck_assert(!cudaStreamSynchronize(other));
    for (uint32_t i = 0; i < 3; i++) {
        expect(&two, there[i], i);
        expect(&one, again[i], i);
    }
    expect(&one, here[0], 0);
    dyno_cuda_kv_pool_close(&between);
    (void)cudaFree(one.memory);
    (void)cudaFree(two.memory);
    (void)cudaStreamDestroy(stream);
    (void)cudaStreamDestroy(other);
}
END_TEST

/* CUDA refuses rows of 2 GiB and more in one copy: of a pool with so many blocks the only layer, of
 * which two blocks are there. */
START_TEST(blocks_of_large_pools_are_copied_layer_by_layer)
{
    static const uint32_t first[] = {1}, second[] = {0};
    struct dyno_cuda_kv_pool large = on_gpu(0, 2), host;
    struct dyno_error error = {0};
    cudaStream_t stream;

    large.layers = 1;
    large.blocks = 1U << 27;
    fill(&large, 1, 3);
    ck_assert(!cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    ck_assert(dyno_cuda_kv_pool_open(&host, &large, 1, NULL) == DYNO_OK);
    ck_assert_msg(dyno_cuda_kv_pool_copy(&host, second, &large, first, 1, stream, &error) ==
                      DYNO_OK,
                  "%s", error.text);
    ck_assert(dyno_cuda_kv_pool_copy(&large, second, &host, second, 1, stream, &error) == DYNO_OK);
    ck_assert(!cudaStreamSynchronize(stream));
    expect(&large, 0, 3);
    dyno_cuda_kv_pool_close(&host);
    (void)cudaStreamDestroy(stream);
    (void)cudaFree(large.memory);
}
END_TEST

/* ---- files ----------------------------------------------------------------------------------- */

enum { FILED = 40, RANKS = 2 }; /* more than go at a time */

/* Blocks of two ranks on two GPUs, and a file without a name for them. */
struct filing_rig {
    struct dyno_cuda_kv_pool pools[RANKS];
    struct dyno_cuda_kv_stage *stage;
    struct dyno_kv_file *file;
    uint32_t blocks[FILED], places[FILED];
    struct dyno_block_name names[FILED];
    struct dyno_cuda_filing filing;
};

static void filing_open(struct filing_rig *rig)
{
    struct dyno_kv_file_config file = {
        .blocks = FILED, .block_bytes = (uint64_t)RANKS * LAYERS * PIECE, .fingerprint = 1};

    dyno_emulation_devices(RANKS);
    for (int rank = 0; rank < RANKS; rank++) {
        rig->pools[rank] = on_gpu(rank, FILED);
    }
    for (uint32_t i = 0; i < FILED; i++) {
        rig->blocks[i] = (7 * i) % FILED;
        rig->places[i] = FILED - 1 - i;
        rig->names[i] = (struct dyno_block_name){.span = 5, .index = i, .depth = i};
        for (uint32_t rank = 0; rank < RANKS; rank++) {
            fill(&rig->pools[rank], rig->blocks[i], (i + rank) % 7);
        }
    }
    ck_assert(dyno_kv_file_open(&rig->file, &file, NULL) == DYNO_OK);
    ck_assert(dyno_cuda_kv_stage_open(&rig->stage, rig->pools, RANKS, RANKS, NULL) == DYNO_OK);
    rig->filing = (struct dyno_cuda_filing){.pools = rig->pools,
                                            .blocks = rig->blocks,
                                            .places = rig->places,
                                            .names = rig->names,
                                            .count = FILED};
}

static void filing_close(struct filing_rig *rig)
{
    dyno_cuda_kv_stage_close(rig->stage);
    dyno_kv_file_close(rig->file);
    for (int rank = 0; rank < RANKS; rank++) {
        (void)cudaFree(rig->pools[rank].memory);
    }
}

static void clear(const struct filing_rig *rig)
{
    for (uint32_t rank = 0; rank < RANKS; rank++) {
        ck_assert(!cudaSetDevice((int)rank) &&
                  !cudaMemset(rig->pools[rank].memory, 0, (size_t)LAYERS * FILED * PIECE) &&
                  !cudaDeviceSynchronize());
    }
}

static void expect_filed(const struct filing_rig *rig, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t rank = 0; rank < RANKS; rank++) {
            expect(&rig->pools[rank], rig->blocks[i], (i + rank) % 7);
        }
    }
}

/* From GPUs to a file and back, and from pinned memory likewise. */
START_TEST(blocks_of_all_ranks_go_to_a_file_and_back)
{
    struct filing_rig rig;
    struct dyno_cuda_kv_pool between[RANKS];
    struct dyno_cuda_filing pinned;
    struct dyno_error error = {0};

    filing_open(&rig);
    ck_assert_uint_eq(dyno_cuda_kv_stage_write(rig.stage, rig.file, &rig.filing, &error), 0);
    clear(&rig);
    ck_assert_uint_eq(dyno_cuda_kv_stage_read(rig.stage, rig.file, &rig.filing, &error), 0);
    expect_filed(&rig, FILED);
    clear(&rig);
    for (uint32_t rank = 0; rank < RANKS; rank++) {
        ck_assert(dyno_cuda_kv_pool_open(&between[rank], &rig.pools[rank], FILED, NULL) == DYNO_OK);
    }
    pinned = rig.filing;
    pinned.pools = between;
    ck_assert_uint_eq(dyno_cuda_kv_stage_read(rig.stage, rig.file, &pinned, &error), 0);
    for (uint32_t i = 0; i < FILED; i++) {
        rig.places[i] = i; /* elsewhere, under the same name */
    }
    ck_assert_uint_eq(dyno_cuda_kv_stage_write(rig.stage, rig.file, &pinned, &error), 0);
    ck_assert(error.text[0] == '\0');
    ck_assert_uint_eq(dyno_cuda_kv_stage_read(rig.stage, rig.file, &rig.filing, &error), 0);
    expect_filed(&rig, FILED);
    for (uint32_t rank = 0; rank < RANKS; rank++) {
        dyno_cuda_kv_pool_close(&between[rank]);
    }
    filing_close(&rig);
}
END_TEST

/* What a lost GPU had is not written under anybody's name; what could not be read from the file is
 * not asked for again. */
START_TEST(what_does_not_get_to_a_file_or_back_is_counted)
{
    struct filing_rig rig;
    struct dyno_error error = {0};

    filing_open(&rig);
    ck_assert_uint_eq(dyno_cuda_kv_stage_write(rig.stage, rig.file, &rig.filing, &error), 0);
    rig.names[35].index = 1000; /* another one lies there */
    clear(&rig);
    ck_assert_uint_eq(dyno_cuda_kv_stage_read(rig.stage, rig.file, &rig.filing, &error),
                      FILED - 35);
    expect_filed(&rig, 35);
    rig.names[3].index = 1000;
    ck_assert_uint_eq(dyno_cuda_kv_stage_read(rig.stage, rig.file, &rig.filing, &error), FILED - 3);
    ck_assert(error.text[0] == '\0');
    dyno_emulation_lose(1, 1, cudaErrorIllegalAddress);
    ck_assert_uint_eq(dyno_cuda_kv_stage_write(rig.stage, rig.file, &rig.filing, &error), FILED);
    ck_assert_msg(strstr(error.text, "cudaErrorIllegalAddress"), "%s", error.text);
    dyno_emulation_lose(1, 0, cudaSuccess);
    rig.names[3].index = 3; /* as it was */
    rig.filing.count = 32;
    ck_assert_uint_eq(dyno_cuda_kv_stage_read(rig.stage, rig.file, &rig.filing, &error), 0);
    filing_close(&rig);
}
END_TEST

/* ---- the links of a device ------------------------------------------------------------------- */

static sem_t woken;
static atomic_uint_fast64_t ticks;

static dyno_ns count(const struct dyno_clock *clock)
{
    (void)clock;
    return atomic_fetch_add(&ticks, 1);
}

static void wake(struct dyno_clock *clock)
{
    (void)clock;
    sem_post(&woken);
}

static struct dyno_cuda_config device_config(struct dyno_transcripts *transcripts, uint32_t workers,
                                             uint32_t ranks)
{
    return (struct dyno_cuda_config){.ranks = ranks,
                                     .threads = 1,
                                     .blocks = BLOCKS,
                                     .block_tokens = BLOCK_TOKENS,
                                     .batch_tokens_max = 2,
                                     .context_max = BLOCKS * BLOCK_TOKENS,
                                     .predicts = true,
                                     .threaded = {.worker_count = workers,
                                                  .seqs_max = 1,
                                                  .steps_max = 1,
                                                  .survives = true,
                                                  .transcripts = transcripts,
                                                  .now = count,
                                                  .wake = wake}};
}

static struct dyno_weights *weights_to_share(void)
{
    struct dyno_rng rng;
    struct dyno_model shapes;

    dyno_rng_init(&rng, 1, "cuda links");
    shapes = cuda_shapes_to_share(&rng, LLAMA3, 16);
    return cuda_model_of(&rng, LLAMA3, &shapes);
}

static struct dyno_device *device_open(const struct dyno_cuda_config *config)
{
    struct dyno_device *device = NULL;
    struct dyno_error error = {0};

    ck_assert_msg(dyno_cuda_device_open(&device, config, &error) == DYNO_OK, "%s", error.text);
    ck_assert(device->ops->predict); /* whoever may bring blocks back wants to know */
    return device;
}

/* Returns its identity. */
static uint64_t submit(struct dyno_links *links, uint32_t from, const uint32_t *from_blocks,
                       uint32_t to, const uint32_t *to_blocks, uint32_t blocks)
{
    static uint64_t last;
    struct dyno_transfer transfer = {.id = ++last,
                                     .from = from,
                                     .to = to,
                                     .blocks = blocks,
                                     .block_bytes = 1024,
                                     .from_blocks = from_blocks,
                                     .to_blocks = to_blocks};

    ck_assert(links->ops->submit(links, count(NULL), &transfer) == DYNO_OK);
    return transfer.id;
}

static void await_wake(void)
{
    while (sem_wait(&woken) != 0) {
    }
}

/* Move, wait, and say how many were lost. */
static uint32_t move(struct dyno_links *links, uint32_t from, const uint32_t *from_blocks,
                     uint32_t to, const uint32_t *to_blocks, uint32_t blocks)
{
    uint64_t id = submit(links, from, from_blocks, to, to_blocks, blocks);
    struct dyno_arrival arrival;

    await_wake();
    ck_assert(links->ops->reap(links, UINT64_MAX, &arrival) && arrival.id == id);
    return arrival.lost;
}

START_TEST(links_move_what_every_rank_has_of_a_block)
{
    static const uint32_t first[] = {4, 1}, pooled[] = {0, 2}, second[] = {3, 5}, pools[] = {3};
    uint32_t ranks = _i == 0 ? 1 : 2;
    struct dyno_transcripts *transcripts;
    struct dyno_cuda_config of_device;
    struct dyno_device *device;
    struct dyno_links *links = NULL;
    struct dyno_error error = {0};
    struct dyno_cuda_links_config config = {
        .pool_blocks = pools, .pool_count = 1, .now = count, .wake = wake};

    sem_init(&woken, 0, 0);
    ck_assert(dyno_transcripts_open(&transcripts) == DYNO_OK);
    dyno_emulation_devices(WORKERS * (int)ranks);
    of_device = device_config(transcripts, WORKERS, ranks);
    of_device.weights = weights_to_share();
    config.devices[0] = device = device_open(&of_device);
    ck_assert_msg(dyno_cuda_links_open(&links, &config, &error) == DYNO_OK, "%s", error.text);
    for (uint32_t rank = 0; rank < ranks; rank++) {
        struct dyno_cuda_kv_pool pool = dyno_cuda_device_pool(device, 0, rank);

        fill(&pool, first[0], 2 * rank);
        fill(&pool, first[1], 2 * rank + 1);
    }
    ck_assert_uint_eq(move(links, 0, first, WORKERS, pooled, 2), 0);
    ck_assert_uint_eq(move(links, WORKERS, pooled, 1, second, 2), 0);
    for (uint32_t rank = 0; rank < ranks; rank++) {
        struct dyno_cuda_kv_pool pool = dyno_cuda_device_pool(device, 1, rank);

        expect(&pool, second[0], 2 * rank);
        expect(&pool, second[1], 2 * rank + 1);
    }
    ck_assert_uint_eq(move(links, 1, second, 0, pooled, 2), 0); /* to a peer */
    dyno_emulation_lose(0, 1, cudaErrorIllegalAddress);
    ck_assert_uint_eq(move(links, 0, first, WORKERS, pooled, 2), 2);
    dyno_emulation_lose(0, 0, cudaSuccess);
    links->ops->close(links);
    device->ops->close(device);
    dyno_transcripts_close(transcripts);
    sem_destroy(&woken);
}
END_TEST

/* Of two blocks the second one's copy is refused: the first one's, which was queued, does not come
 * when the memory is somebody else's. */
START_TEST(what_is_lost_is_not_written_later)
{
    static const uint32_t lost[] = {4, 1}, pooled[] = {0, 2}, others[] = {3, 5}, rest[] = {1};
    static const uint32_t pools[] = {3};
    struct dyno_transcripts *transcripts;
    struct dyno_cuda_config of_device;
    struct dyno_device *device;
    struct dyno_links *links = NULL;
    struct dyno_cuda_kv_pool one, two;
    struct dyno_cuda_links_config config = {
        .pool_blocks = pools, .pool_count = 1, .now = count, .wake = wake};

    sem_init(&woken, 0, 0);
    ck_assert(dyno_transcripts_open(&transcripts) == DYNO_OK);
    dyno_emulation_devices(WORKERS);
    of_device = device_config(transcripts, WORKERS, 1);
    of_device.weights = weights_to_share();
    config.devices[0] = device = device_open(&of_device);
    ck_assert(dyno_cuda_links_open(&links, &config, NULL) == DYNO_OK);
    one = dyno_cuda_device_pool(device, 0, 0);
    two = dyno_cuda_device_pool(device, 1, 0);
    for (uint32_t i = 0; i < 2; i++) {
        fill(&one, lost[i], i);
        fill(&two, others[i], 2 + i);
    }
    dyno_emulation_fail(3, cudaErrorInvalidValue); /* the device is set, a block queued */
    ck_assert_uint_eq(move(links, 0, lost, WORKERS, pooled, 2), 2);
    dyno_emulation_fail(0, cudaSuccess);
    ck_assert_uint_eq(move(links, 1, others, WORKERS, pooled, 2), 0);
    ck_assert_uint_eq(move(links, 0, lost, WORKERS, rest, 1), 0);
    ck_assert_uint_eq(move(links, WORKERS, pooled, 0, others, 2), 0);
    expect(&one, others[0], 2);
    expect(&one, others[1], 3);
    links->ops->close(links);
    device->ops->close(device);
    dyno_transcripts_close(transcripts);
    sem_destroy(&woken);
}
END_TEST

/* Who decodes is worker 0, and who computes prompts worker 1, on a GPU of its own or the same. */
struct halves {
    struct dyno_transcripts *transcripts;
    struct dyno_device *decodes, *prompts;
    struct dyno_links *links;
};

static struct halves halves_open(int gpus, uint32_t ranks)
{
    struct halves halves;
    struct dyno_error error = {0};
    struct dyno_cuda_config config;
    struct dyno_cuda_links_config links = {.from_workers = true, .now = count, .wake = wake};

    sem_init(&woken, 0, 0);
    dyno_emulation_devices(gpus);
    ck_assert(dyno_transcripts_open(&halves.transcripts) == DYNO_OK);
    config = device_config(halves.transcripts, 1, ranks);
    config.weights = weights_to_share();
    config.others = 1;
    config.others_blocks = BLOCKS - 1;
    links.devices[0] = halves.decodes = device_open(&config);
    config.beside = halves.decodes;
    config.blocks = BLOCKS - 1;
    links.devices[1] = halves.prompts = device_open(&config);
    ck_assert_msg(dyno_cuda_links_open(&halves.links, &links, &error) == DYNO_OK, "%s", error.text);
    return halves;
}

static void halves_close(struct halves *halves)
{
    halves->links->ops->close(halves->links);
    halves->prompts->ops->close(halves->prompts);
    halves->decodes->ops->close(halves->decodes);
    dyno_transcripts_close(halves->transcripts);
    sem_destroy(&woken);
}

START_TEST(prompts_are_handed_on_between_gpus_and_within_one)
{
    static const struct {
        int gpus;
        uint32_t ranks;
    } cases[] = {{1, 1}, {2, 1}, {4, 2}};
    static const uint32_t computed[] = {0, 4}, decoded[] = {BLOCKS - 1, 2};
    uint32_t ranks = cases[_i].ranks;
    struct halves halves = halves_open(cases[_i].gpus, ranks);

    for (uint32_t rank = 0; rank < ranks; rank++) {
        struct dyno_cuda_kv_pool from = dyno_cuda_device_pool(halves.prompts, 0, rank);
        struct dyno_cuda_kv_pool to = dyno_cuda_device_pool(halves.decodes, 0, rank);

        ck_assert_int_eq(from.gpu, cases[_i].gpus > 1 ? (int)(ranks + rank) : 0);
        ck_assert_int_eq(to.gpu, (int)rank);
        ck_assert_uint_eq(from.blocks, BLOCKS - 1);
        fill(&from, computed[0], 2 * rank);
        fill(&from, computed[1], 2 * rank + 1);
    }
    ck_assert_uint_eq(move(halves.links, 1, computed, 0, decoded, 2), 0);
    for (uint32_t rank = 0; rank < ranks; rank++) {
        struct dyno_cuda_kv_pool to = dyno_cuda_device_pool(halves.decodes, 0, rank);

        expect(&to, decoded[0], 2 * rank);
        expect(&to, decoded[1], 2 * rank + 1);
    }
    ck_assert(cases[_i].gpus == 1 || (dyno_emulation_sees(0, 1) && dyno_emulation_sees(1, 0)));
    halves_close(&halves);
}
END_TEST

/* Nobody computes anything meanwhile.  Case 2: both GPUs go on, and the copy alone is refused. */
START_TEST(a_hand_off_that_a_lost_gpu_ends_never_arrives)
{
    static const uint32_t blocks[] = {1, 3};
    struct halves halves = halves_open(2, 1);
    struct dyno_device *lost = _i == 1 ? halves.prompts : halves.decodes;
    struct dyno_device *well = _i == 1 ? halves.decodes : halves.prompts;
    struct dyno_completion completion;
    struct dyno_arrival arrival;
    uint32_t worker = UINT32_MAX;
    uint64_t id;

    if (_i == 2) {
        dyno_emulation_fail(2, cudaErrorInvalidValue);
    } else {
        dyno_emulation_lose(_i, 1, cudaErrorIllegalAddress);
    }
    id = submit(halves.links, 1, blocks, 0, blocks, 2);
    await_wake();
    ck_assert(lost->ops->failed(lost, &worker) && worker == 0);
    ck_assert(!well->ops->failed(well, &worker));
    ck_assert(!halves.links->ops->reap(halves.links, count(NULL), &arrival));
    ck_assert(halves.links->ops->drop(halves.links, count(NULL), id));
    ck_assert(!lost->ops->drop(lost, 0, count(NULL), &completion)); /* it had no pass */
    ck_assert(!lost->ops->failed(lost, &worker));
    dyno_emulation_lose(0, 0, cudaSuccess);
    dyno_emulation_lose(1, 0, cudaSuccess);
    dyno_emulation_fail(0, cudaSuccess);
    halves_close(&halves);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("kv_links");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, NULL, arrays_free);
    tcase_add_test(tc, blocks_go_to_the_host_to_another_gpu_and_back);
    tcase_add_loop_test(tc, links_move_what_every_rank_has_of_a_block, 0, 2);
    tcase_add_test(tc, what_is_lost_is_not_written_later);
    tcase_add_test(tc, blocks_of_large_pools_are_copied_layer_by_layer);
    tcase_add_test(tc, blocks_of_all_ranks_go_to_a_file_and_back);
    tcase_add_test(tc, what_does_not_get_to_a_file_or_back_is_counted);
    tcase_add_loop_test(tc, prompts_are_handed_on_between_gpus_and_within_one, 0, 3);
    tcase_add_loop_test(tc, a_hand_off_that_a_lost_gpu_ends_never_arrives, 0, 3);
    suite_add_tcase(suite, tc);
}

DYNO_CHECK_MAIN("cuda_kv_links", add_cases)

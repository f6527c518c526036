/* Workers in another process, which is a thread here: what they compute and store is what would be
 * computed and stored in this one, bit for bit; blocks come back as they went; and who is not
 * welcome, or gone, is told of. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "backends/cpu/device.h"
#include "backends/store/kv_file.h"
#include "backends/ucx/wire.h"
#include "tests/backends/ucx/far.h"

static void check_blocks(struct dyno_kv_peer *memory, const struct dyno_kv_storage *due,
                         const uint32_t *table, uint32_t count)
{
    struct dyno_kv_storage *got = NULL;
    char *a = malloc(dyno_kv_storage_block_bytes(due)),
         *b = malloc(dyno_kv_storage_block_bytes(due));
    uint32_t to[BLOCKS];
    struct dyno_error error;

    ck_assert_int_eq(dyno_kv_storage_like(&got, due, BLOCKS, &error), DYNO_OK);
    for (uint32_t i = 0; i < count; i++) {
        to[i] = BLOCKS - 1 - i;
    }
    ck_assert(fetch_blocks(memory, table, &got, to, count));
    for (uint32_t i = 0; i < count; i++) {
        dyno_kv_storage_get(due, table[i], a);
        dyno_kv_storage_get(got, to[i], b);
        ck_assert_mem_eq(a, b, dyno_kv_storage_block_bytes(due));
    }
    dyno_kv_storage_close(got);
    free(a);
    free(b);
}

START_TEST(what_is_computed_there_is_what_would_be_computed_here)
{
    static const uint32_t table[] = {5, 6, 7, 2, 20, 0};
    struct dyno_transcripts *transcripts[2] = {NULL, NULL};
    struct dyno_transcript *texts[2];
    struct dyno_device *devices[2] = {NULL, NULL};
    struct dyno_threaded_config threaded;
    struct dyno_clock *clock = NULL;
    struct dyno_ucx_peers *peers;
    struct dyno_error error;
    struct far far;

    open_far(&far, 1);
    ck_assert_int_eq(dyno_wall_clock_open(&clock, 1.0), DYNO_OK);
    peers = open_peers(&far, clock, transport_of(_i), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(dyno_transcripts_open(&transcripts[i]), DYNO_OK);
        texts[i] = add_prompt(transcripts[i], far.weights->model.vocab);
    }
    threaded = threaded_config(transcripts[0], clock);
    ck_assert_int_eq(dyno_ucx_device_open(&devices[0], peers, &threaded, &error), DYNO_OK);
    ck_assert_int_eq(dyno_cpu_device_open(&devices[1],
                                          &(struct dyno_cpu_config){
                                              .weights = far.weights,
                                              .threads = 1,
                                              .blocks = BLOCKS,
                                              .block_tokens = BLOCK_TOKENS,
                                              .batch_tokens_max = ROWS,
                                              .threaded = threaded_config(transcripts[1], clock)},
                                          &error),
                     DYNO_OK);
    for (int i = 0; i < 2; i++) {
        compute(devices[i], clock, 1, table);
    }
    ck_assert_uint_eq(texts[0]->count, PROMPT + 9);
    ck_assert_uint_eq(texts[1]->count, PROMPT + 9);
    ck_assert_mem_eq(texts[0]->tokens, texts[1]->tokens, 4 * texts[0]->count);
    check_blocks(dyno_ucx_peers_memory(peers, 1), dyno_cpu_device_storage(devices[1], 1, 0), table,
                 6);
    ck_assert_uint_eq(dyno_ucx_peers_totals(peers).steps, 10);
    for (int i = 0; i < 2; i++) {
        devices[i]->ops->close(devices[i]);
        dyno_transcripts_close(transcripts[i]);
    }
    dyno_ucx_peers_close(peers);
    dyno_wall_clock_close(clock);
    end_far(&far);
    close_far(&far);
}
END_TEST

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Into one worker's memory and out of it, in runs and one by one; the other worker's is its own. */
START_TEST(blocks_go_there_and_come_back)
{
    static const uint32_t here[] = {0, 1, 2, 9, 7, 8}, there[] = {10, 11, 12, 3, 21, 22};
    static const uint32_t back[] = {12, 13, 14, 15, 16, 17};
    struct dyno_kv_storage *storage = NULL;
    struct dyno_kv_peer *memory;
    struct dyno_clock *clock = NULL;
    struct dyno_ucx_peers *peers;
    struct dyno_error error;
    struct dyno_rng rng;
    char *a, *b;
    size_t size;
    struct far far;

    open_far(&far, 2);
    dyno_rng_init(&rng, 3, "blocks");
    ck_assert_int_eq(dyno_wall_clock_open(&clock, 1.0), DYNO_OK);
    peers = open_peers(&far, clock, transport_of(_i), 0);
    ck_assert_int_eq(dyno_kv_storage_open(&storage, &far.weights->model, BLOCKS, BLOCK_TOKENS,
                                          DYNO_ELEMENT_F32, &error),
                     DYNO_OK);
    size = dyno_kv_storage_block_bytes(storage);
    a = malloc(size);
    b = malloc(size);
    for (uint32_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < size; j++) {
            a[j] = (char)dyno_rng_below(&rng, 256);
        }
        dyno_kv_storage_put(storage, here[i], a);
    }
    memory = dyno_ucx_peers_memory(peers, 0);
    ck_assert_uint_eq(memory->blocks, BLOCKS);
    ck_assert(store_blocks(memory, there, &storage, here, 6));
    ck_assert(fetch_blocks(memory, there, &storage, back, 6));
    for (uint32_t i = 0; i < 6; i++) {
        dyno_kv_storage_get(storage, here[i], a);
        dyno_kv_storage_get(storage, back[i], b);
        ck_assert_mem_eq(a, b, size);
    }
    memory = dyno_ucx_peers_memory(peers, 1);
    ck_assert(fetch_blocks(memory, there, &storage, back, 6));
    memset(a, 0, size);
    dyno_kv_storage_get(storage, back[0], b);
    ck_assert_mem_eq(a, b, size);
    free(a);
    free(b);
    dyno_kv_storage_close(storage);
    dyno_ucx_peers_close(peers);
    dyno_wall_clock_close(clock);
    end_far(&far);
    close_far(&far);
}
END_TEST

/* ---- an end ---------------------------------------------------------------------------------- */

START_TEST(a_process_that_ends_is_the_death_of_its_workers)
{
    const uint32_t block = 0;
    struct dyno_kv_storage *storage = NULL;
    struct dyno_fault_record fault;
    struct dyno_faults *faults = NULL;
    struct dyno_kv_peer *memory;
    struct dyno_clock *clock = NULL;
    struct dyno_ucx_peers *peers;
    struct dyno_error error;
    dyno_ns now = 0;
    struct far far;

    open_far(&far, 4);
    ck_assert_int_eq(dyno_wall_clock_open(&clock, 1.0), DYNO_OK);
    peers = open_peers(&far, clock, transport_of(_i), 0);
    ck_assert_int_eq(dyno_kv_storage_open(&storage, &far.weights->model, 1, BLOCK_TOKENS,
                                          DYNO_ELEMENT_F32, &error),
                     DYNO_OK);
    ck_assert_int_eq(dyno_ucx_faults_open(
                         &faults,
                         (const struct dyno_ucx_mortals[DYNO_UCX_MORTALS]){{NULL, 0}, {peers, 5}},
                         NULL),
                     DYNO_OK);
    ck_assert_uint_eq(faults->ops->next(faults), DYNO_NEVER);
    ck_assert(!dyno_ucx_peers_are_gone(peers));
    end_far(&far);
    while (faults->ops->next(faults) == DYNO_NEVER) {
        (void)clock->ops->wait_until(clock, DYNO_NEVER); /* it is woken */
    }
    now = dyno_wall_clock_now(clock);
    for (uint32_t i = 0; i < WORKERS; i++) {
        ck_assert_uint_le(faults->ops->next(faults), now);
        ck_assert(faults->ops->take(faults, now, &fault));
        ck_assert_int_eq(fault.kind, DYNO_FAULT_DEATH);
        ck_assert_uint_eq(fault.target, 5 + i);
        ck_assert_uint_eq(fault.until, DYNO_NEVER);
    }
    ck_assert_uint_eq(faults->ops->next(faults), DYNO_NEVER);
    ck_assert(dyno_ucx_peers_are_gone(peers));
    ck_assert_str_eq(dyno_ucx_peers_loss(peers).why, "its connection ended");
    ck_assert_uint_eq(dyno_ucx_peers_loss(peers).away, WORKERS);
    memory = dyno_ucx_peers_memory(peers, 0);
    ck_assert(!fetch_blocks(memory, &block, &storage, &block, 1));
    faults->ops->close(faults);
    dyno_kv_storage_close(storage);
    dyno_ucx_peers_close(peers);
    dyno_wall_clock_close(clock);
    close_far(&far);
}
END_TEST

struct reading {
    struct dyno_kv_peer *memory;
    const struct dyno_model *model;
    sem_t begun;
};

/* Blocks are under way, all of the time. */
static void *read_on(void *context)
{
    struct reading *reading = context;
    struct dyno_kv_storage *storage = NULL;
    struct dyno_error error;
    uint32_t blocks[BLOCKS];

    ck_assert_int_eq(dyno_kv_storage_open(&storage, reading->model, BLOCKS, BLOCK_TOKENS,
                                          DYNO_ELEMENT_F32, &error),
                     DYNO_OK);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        blocks[i] = BLOCKS - 1 - i; /* each in a piece of its own */
    }
    while (fetch_blocks(reading->memory, blocks, &storage, blocks, BLOCKS)) {
        (void)sem_post(&reading->begun);
    }
    dyno_kv_storage_close(storage);
    return NULL;
}

START_TEST(a_process_may_end_while_it_is_read_from)
{
    struct dyno_clock *clock = NULL;
    struct dyno_ucx_peers *peers;
    struct reading reading;
    pthread_t thread;
    struct far far;

    open_far(&far, 5);
    ck_assert_int_eq(dyno_wall_clock_open(&clock, 1.0), DYNO_OK);
    peers = open_peers(&far, clock, transport_of(_i % 2), 0);
    reading.memory = dyno_ucx_peers_memory(peers, 0);
    reading.model = &far.weights->model;
    ck_assert_int_eq(sem_init(&reading.begun, 0, 0), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, read_on, &reading), 0);
    while (sem_wait(&reading.begun) != 0) {
    }
    end_far(&far);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    dyno_ucx_peers_close(peers);
    dyno_wall_clock_close(clock);
    (void)sem_destroy(&reading.begun);
    close_far(&far);
}
END_TEST

/* ---- who is not welcome ---------------------------------------------------------------------- */

static int dial(const struct far *far)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_port = htons((uint16_t)strtoul(strrchr(far->address, ':') + 1, NULL, 10));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* What is said to who says that. */
static void refused(const struct far *far, const struct dyno_ucx_hello *hello, const char *why)
{
    struct dyno_ucx_welcome welcome;
    char text[1024] = "";
    int fd = dial(far);

    if (hello) {
        ck_assert_int_eq(write(fd, hello, sizeof *hello), sizeof *hello);
    }
    ck_assert_int_eq(recv(fd, &welcome, sizeof welcome, MSG_WAITALL), sizeof welcome);
    ck_assert_uint_eq(welcome.refused, 1);
    ck_assert_uint_lt(welcome.size, sizeof text);
    ck_assert_int_eq(recv(fd, text, welcome.size, MSG_WAITALL), welcome.size);
    ck_assert_msg(strstr(text, why), "'%s' is not in '%s'", why, text);
    ck_assert_int_eq(recv(fd, text, 1, 0), 0);
    (void)close(fd);
}

START_TEST(who_is_not_welcome_is_told_why)
{
    struct dyno_clock *clock = NULL;
    struct dyno_ucx_peers *peers;
    struct dyno_ucx_hello hello;
    struct far far;

    open_far(&far, 6);
    ck_assert_int_eq(dyno_wall_clock_open(&clock, 1.0), DYNO_OK);
    hello = (struct dyno_ucx_hello){.magic = DYNO_UCX_MAGIC,
                                    .version = DYNO_UCX_VERSION + 1,
                                    .transport = DYNO_UCX_TCP,
                                    .workers = 1,
                                    .ranks = 1,
                                    .threads = 1,
                                    .blocks = BLOCKS,
                                    .block_tokens = BLOCK_TOKENS,
                                    .rows_max = ROWS};
    refused(&far, &hello, "speaks version 5");
    hello.version = DYNO_UCX_VERSION;
    refused(&far, &hello, "another model was asked for");
    hello.fingerprint = dyno_kv_fingerprint(far.weights, BLOCK_TOKENS, 1);
    hello.blocks = 1 << 30;
    refused(&far, &hello, "are more than this process has room for");
    memcpy(&hello, "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAccept: everything\r\n",
           sizeof hello);
    refused(&far, &hello, "is not a dyno of this kind of machine");
    peers = open_peers(&far, clock, DYNO_UCX_TCP, 0); /* it serves whom it should, after all that */
    refused(&far, NULL, "this worker serves another dyno");
    dyno_ucx_peers_close(peers);
    peers = NULL;
    dyno_wall_clock_close(clock);
    end_far(&far);
    close_far(&far);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("ucx");

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, what_is_computed_there_is_what_would_be_computed_here, 0, 2);
    tcase_add_loop_test(cases, blocks_go_there_and_come_back, 0, 2);
    tcase_add_loop_test(cases, a_process_that_ends_is_the_death_of_its_workers, 0, 2);
    tcase_add_loop_test(cases, a_process_may_end_while_it_is_read_from, 0, 20);
    tcase_add_test(cases, who_is_not_welcome_is_told_why);
    suite_add_tcase(suite, cases);
}

static const char *lacking(void)
{
    return dyno_ucx_is_built() ? NULL : "this build has no UCX";
}

DYNO_CHECK_MAIN_UNLESS("backends/ucx", add_cases, lacking)

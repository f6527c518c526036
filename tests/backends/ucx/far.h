/* A process that works for this one, which is a thread here, and what it is asked for. */
#ifndef DYNO_TESTS_BACKENDS_UCX_FAR_H
#define DYNO_TESTS_BACKENDS_UCX_FAR_H

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/posix/wall_clock.h"
#include "backends/ucx/peers.h"
#include "backends/ucx/worker.h"
#include "tests/backends/tiny_models.h"
#include "tests/check_main.h"

enum { BLOCK_TOKENS = 8, BLOCKS = 24, ROWS = 64, PROMPT = 37, ANSWER = 12, WORKERS = 2 };

/* The other process. */
struct far {
    struct dyno_weights *weights;
    pthread_t thread;
    int stop[2];
    char address[64]; /* "127.0.0.1:0" at first */
    sem_t listening;
    dyno_status ended_with;
};

static inline void say(void *context, const char *text)
{
    static const char listening[] = "listening on ";
    struct far *far = context;

    if (strncmp(text, listening, strlen(listening)) == 0) {
        (void)snprintf(far->address, sizeof far->address, "%s", text + strlen(listening));
        (void)sem_post(&far->listening);
    }
}

static inline void *run_far(void *context)
{
    struct far *far = context;
    struct dyno_error error;
    char listen[sizeof far->address];

    (void)snprintf(listen, sizeof listen, "%s", far->address);
    far->ended_with = dyno_ucx_worker_run(&(struct dyno_ucx_worker_config){.listen = listen,
                                                                           .weights = far->weights,
                                                                           .threads = 1,
                                                                           .kv_bytes_max = 64 << 20,
                                                                           .stop = far->stop[0],
                                                                           .say = say,
                                                                           .say_context = far},
                                          &error);
    (void)sem_post(&far->listening);
    return NULL;
}

static inline void start_far(struct far *far)
{
    ck_assert_int_eq(pipe2(far->stop, O_CLOEXEC), 0);
    ck_assert_int_eq(sem_init(&far->listening, 0, 0), 0);
    ck_assert_int_eq(pthread_create(&far->thread, NULL, run_far, far), 0);
    (void)sem_wait(&far->listening);
    ck_assert_str_ne(far->address, "127.0.0.1:0");
}

/* Its model has so many layers; 0: any number. */
static inline void open_far_of(struct far *far, uint64_t seed, uint32_t layers)
{
    struct dyno_model shapes;
    struct dyno_rng rng;

    dyno_rng_init(&rng, seed, "ucx");
    shapes = tiny_shapes(&rng, LLAMA3, DYNO_ELEMENT_F32);
    shapes.layers = layers > 0 ? layers : shapes.layers;
    *far = (struct far){.weights = tiny_model_of(&rng, LLAMA3, DYNO_ELEMENT_F32, &shapes),
                        .address = "127.0.0.1:0"};
    start_far(far);
}

static inline void open_far(struct far *far, uint64_t seed)
{
    open_far_of(far, seed, 0);
}

/* A third process, with the same model. */
static inline void open_far_beside(struct far *far, const struct far *other)
{
    *far = (struct far){.weights = other->weights, .address = "127.0.0.1:0"};
    start_far(far);
}

/* Its process ends, with whatever it was doing. */
static inline void end_far(struct far *far)
{
    (void)!write(far->stop[1], "", 1);
    ck_assert_int_eq(pthread_join(far->thread, NULL), 0);
    ck_assert_int_eq(far->ended_with, DYNO_OK);
}

static inline void release_far(struct far *far)
{
    (void)close(far->stop[0]);
    (void)close(far->stop[1]);
    (void)sem_destroy(&far->listening);
}

static inline void close_far(struct far *far)
{
    release_far(far);
    arrays_free();
}

static inline struct dyno_ucx_peers_config
peers_config(const struct far *far, struct dyno_clock *clock, enum dyno_ucx_transport transport)
{
    return (struct dyno_ucx_peers_config){.addresses = far->address,
                                          .transport = transport,
                                          .weights = far->weights,
                                          .workers = WORKERS,
                                          .ranks = 1,
                                          .blocks = BLOCKS,
                                          .block_tokens = BLOCK_TOKENS,
                                          .rows_max = ROWS,
                                          .now = dyno_wall_clock_now,
                                          .wake = dyno_wall_clock_wake,
                                          .clock = clock};
}

/* Looking for a process that is gone for so long. */
static inline struct dyno_ucx_peers *open_peers(const struct far *far, struct dyno_clock *clock,
                                                enum dyno_ucx_transport transport,
                                                dyno_ns look_for_ns)
{
    struct dyno_ucx_peers_config config = peers_config(far, clock, transport);
    struct dyno_ucx_peers *peers = NULL;
    struct dyno_error error;

    config.look_for_ns = look_for_ns;
    ck_assert_msg(dyno_ucx_peers_open(&peers, &config, &error) == DYNO_OK, "%s", error.text);
    return peers;
}

static inline struct dyno_threaded_config threaded_config(struct dyno_transcripts *transcripts,
                                                          struct dyno_clock *clock)
{
    return (struct dyno_threaded_config){.worker_count = WORKERS,
                                         .seqs_max = 2,
                                         .steps_max = 4,
                                         .transcripts = transcripts,
                                         .now = dyno_wall_clock_now,
                                         .wake = dyno_wall_clock_wake,
                                         .clock = clock};
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static inline bool fetch_blocks(struct dyno_kv_peer *memory, const uint32_t *from,
                                struct dyno_kv_storage *const *storage, const uint32_t *to,
                                uint32_t count)
{
    return memory->ops->fetch(
        memory,
        &(struct dyno_kv_move){.there = from, .here = to, .count = count, .storage = storage});
}

static inline bool store_blocks(struct dyno_kv_peer *memory, const uint32_t *to,
                                struct dyno_kv_storage *const *storage, const uint32_t *from,
                                uint32_t count)
{
    return memory->ops->store(
        memory,
        &(struct dyno_kv_move){.there = to, .here = from, .count = count, .storage = storage});
}

/* ---- passes ---------------------------------------------------------------------------------- */

static inline void await_pass(struct dyno_device *device, struct dyno_clock *clock)
{
    struct dyno_completion completion;
    dyno_ns now = dyno_wall_clock_now(clock);

    while (!device->ops->reap(device, now, &completion)) {
        now = clock->ops->wait_until(clock, DYNO_NEVER);
    }
}

/* A prompt in two slices, then its answer, on one worker. */
static inline void compute(struct dyno_device *device, struct dyno_clock *clock, uint32_t worker,
                           const uint32_t *table)
{
    const uint32_t *tables[2] = {table, NULL};
    struct dyno_slice slices[] = {{.slot = 0, .first = 0, .tokens = 20},
                                  {.slot = 0, .first = 20, .tokens = PROMPT - 20, .yields = true}};
    struct dyno_pass pass = {.worker = worker, .steps_max = 1, .slice_count = 1, .tables = tables};

    device->ops->open(device, worker, 0, 1, 0, ANSWER);
    for (uint32_t i = 0; i < 2; i++) {
        pass.slices = &slices[i];
        device->ops->submit(device, 0, &pass);
        await_pass(device, clock);
    }
    pass = (struct dyno_pass){
        .worker = worker, .steps_max = 4, .decode = true, .decode_count = 1, .tables = tables};
    for (uint32_t i = 0; i < 2; i++) {
        device->ops->submit(device, 0, &pass);
        await_pass(device, clock);
    }
    device->ops->shut(device, worker, 0);
}

static inline struct dyno_transcript *add_prompt(struct dyno_transcripts *transcripts,
                                                 uint32_t vocab)
{
    struct dyno_transcript *transcript = NULL;

    ck_assert_int_eq(dyno_transcripts_add(transcripts, 1, PROMPT, ANSWER, &transcript), DYNO_OK);
    for (uint32_t i = 0; i < PROMPT; i++) {
        transcript->tokens[i] = (7 * i + 3) % vocab;
    }
    return transcript;
}

static inline enum dyno_ucx_transport transport_of(int index)
{
    return index == 0 ? DYNO_UCX_SHARED_MEMORY : DYNO_UCX_TCP;
}

#endif

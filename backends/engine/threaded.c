#include "backends/engine/threaded.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum mail { MAIL_EMPTY, MAIL_POSTED, MAIL_DONE, MAIL_LOST };

/* A sequence on its worker. */
struct slot {
    struct dyno_transcript *transcript; /* NULL: free */
    uint32_t generated, total;          /* tokens; total: it ends there */
    bool decodes;
};

/* One worker's engine.  While mail is POSTED everything but the atomics is its thread's; otherwise
 * it is the loop's. */
struct engine {
    struct threaded *device;
    uint32_t worker;
    struct slot *slots; /* [seqs_max] */
    pthread_t thread;
    bool started;
    sem_t posted;
    atomic_int mail;
    atomic_bool quit, stop;
    atomic_uint boundary_count; /* of boundaries, those that are known */
    atomic_uint started_count;  /* steps that have started, or will for sure */
    /* The pass. */
    uint32_t steps_max, steps;
    struct dyno_slice *slices; /* [slice_count] */
    uint32_t slice_count, slice_capacity;
    bool decode;
    double plain_ns; /* what it would take by config.costs; 0: not to be learned from */
    const uint32_t *const *tables;
    dyno_ns *boundaries;              /* [config.steps_max + 1] */
    struct dyno_engine_piece *pieces; /* [slice_capacity + seqs_max] of a step ... */
    uint32_t *yielding;               /* ... and the slots of those that yield ... */
    uint32_t *next;                   /* ... and their tokens */
    uint32_t *ended;                  /* [seqs_max] */
    uint32_t ended_count;
};

struct threaded {
    struct dyno_device base;
    struct dyno_device_ops ops;
    struct dyno_threaded_config config;
    struct engine *engines; /* [worker_count] */
    bool owns_context;      /* once it is open */
};

static struct threaded *threaded_of(const struct dyno_device *device)
{
    return (struct threaded *)(uintptr_t)device;
}

static struct engine *engine_of(const struct dyno_device *device, uint32_t worker)
{
    return &threaded_of(device)->engines[worker];
}

/* ---- the worker's thread --------------------------------------------------------------------- */

static uint32_t add_piece(struct engine *engine, uint32_t count, uint32_t slot, uint32_t first,
                          uint32_t tokens)
{
    engine->pieces[count] = (struct dyno_engine_piece){
        .transcript = engine->slots[slot].transcript,
        .tokens = engine->slots[slot].transcript->tokens,
        .first = first,
        .count = tokens,
        .table = engine->tables[slot],
    };
    return count + 1;
}

/* The pieces of the next step; *yield_count of them yield.  Slices come first. */
static uint32_t gather(struct engine *engine, uint32_t *yield_count)
{
    uint32_t count = 0, yields = 0;

    for (uint32_t i = 0; engine->steps == 0 && i < engine->slice_count; i++) {
        const struct dyno_slice *slice = &engine->slices[i];

        count = add_piece(engine, count, slice->slot, slice->first, slice->tokens);
        if (slice->yields) {
            engine->pieces[count - 1].yields = true;
            engine->yielding[yields++] = slice->slot;
        }
    }
    for (uint32_t i = 0; engine->decode && i < engine->device->config.seqs_max; i++) {
        if (engine->slots[i].decodes) {
            count = add_piece(engine, count, i, engine->slots[i].transcript->count - 1, 1);
            engine->pieces[count - 1].yields = true;
            engine->yielding[yields++] = i;
        }
    }
    *yield_count = yields;
    return count;
}

/* Whether the sequence ends with `token`, but for how many it has. */
static bool ends_with(const struct dyno_threaded_config *config,
                      const struct dyno_transcript *transcript, uint32_t token)
{
    struct dyno_generation *generation = transcript->generation;

    if (generation) {
        return generation->ops->took(generation, token);
    }
    for (uint32_t i = 0; !config->answer && i < config->eos_count; i++) {
        if (config->eos[i] == token) {
            return true;
        }
    }
    return false;
}

/* The slot's sequence goes on with `token`. */
static void take_token(struct engine *engine, uint32_t index, uint32_t token)
{
    struct slot *slot = &engine->slots[index];
    struct dyno_transcript *transcript = slot->transcript;

    assert(transcript->count < transcript->capacity);
    transcript->tokens[transcript->count++] = token;
    slot->generated++;
    slot->decodes = true;
    if (ends_with(&engine->device->config, transcript, token) || slot->generated >= slot->total) {
        slot->decodes = false;
        engine->ended[engine->ended_count++] = index;
    }
}

static void note_boundary(struct engine *engine)
{
    const struct dyno_threaded_config *config = &engine->device->config;
    uint32_t count = atomic_load_explicit(&engine->boundary_count, memory_order_relaxed);

    engine->boundaries[count] = config->now(config->clock);
    atomic_store_explicit(&engine->boundary_count, count + 1, memory_order_release);
}

/* Whether another step follows.  Known before the boundary between the two is told, so that nobody
 * takes the end of the last step for the start of one more. */
static bool goes_on(const struct engine *engine)
{
    return engine->steps < engine->steps_max && engine->ended_count == 0 &&
           !atomic_load_explicit(&engine->stop, memory_order_relaxed);
}

/* False: it never ends. */
static bool run_pass(struct engine *engine)
{
    const struct dyno_threaded_config *config = &engine->device->config;
    bool another = true;

    note_boundary(engine);
    while (another) {
        uint32_t yields, count = gather(engine, &yields);

        config->step(config->context, engine->worker, engine->pieces, count, engine->next);
        if (config->is_gone && config->is_gone(config->context, engine->worker)) {
            return false;
        }
        for (uint32_t i = 0; i < yields; i++) {
            take_token(engine, engine->yielding[i], engine->next[i]);
        }
        engine->steps++;
        another = goes_on(engine);
        note_boundary(engine);
        if (another) {
            atomic_store_explicit(&engine->started_count, engine->steps + 1, memory_order_release);
        }
    }
    return true;
}

static void *run_thread(void *context)
{
    struct engine *engine = context;
    const struct dyno_threaded_config *config = &engine->device->config;

    for (;;) {
        while (sem_wait(&engine->posted) != 0) {
            assert(errno == EINTR);
        }
        if (atomic_load_explicit(&engine->quit, memory_order_acquire)) {
            return NULL;
        }
        if (run_pass(engine)) {
            atomic_store_explicit(&engine->mail, MAIL_DONE, memory_order_release);
            config->wake(config->clock);
        } else {
            atomic_store_explicit(&engine->mail, MAIL_LOST, memory_order_release);
        }
    }
}

/* ---- the loop's side ------------------------------------------------------------------------- */

static enum mail mail_of(const struct engine *engine)
{
    return (enum mail)atomic_load_explicit(&engine->mail, memory_order_acquire);
}

static void threaded_open_seq(struct dyno_device *device, uint32_t worker, uint32_t index,
                              uint64_t id, uint32_t generated, uint32_t tokens_max)
{
    const struct dyno_threaded_config *config = &threaded_of(device)->config;
    struct slot *slot = &engine_of(device, worker)->slots[index];
    uint32_t answer = config->answer ? config->answer(config->answer_context, id) : tokens_max;

    *slot = (struct slot){.transcript = dyno_transcripts_find(config->transcripts, id),
                          .generated = generated,
                          .total = answer < tokens_max ? answer : tokens_max};
    assert(slot->transcript);
    if (config->is_gone && slot->transcript->count > slot->transcript->prompt_tokens + generated) {
        slot->transcript->count = slot->transcript->prompt_tokens + generated; /* of a lost pass */
    }
    assert(slot->transcript->count == slot->transcript->prompt_tokens + generated);
}

static void threaded_join(struct dyno_device *device, uint32_t worker, uint32_t index)
{
    struct slot *slot = &engine_of(device, worker)->slots[index];

    assert(slot->transcript && slot->generated > 0 && slot->generated < slot->total);
    slot->decodes = true;
}

static void threaded_shut(struct dyno_device *device, uint32_t worker, uint32_t slot)
{
    engine_of(device, worker)->slots[slot] = (struct slot){.transcript = NULL};
}

/* Devices return nothing from submit: out of memory ends the program, as in core/worker/paced.c. */
static void make_room(struct engine *engine, uint32_t slice_count)
{
    size_t pieces = (size_t)slice_count + engine->device->config.seqs_max;

    if (slice_count <= engine->slice_capacity && engine->pieces) {
        return;
    }
    engine->slice_capacity = slice_count;
    engine->slices = realloc(engine->slices, (slice_count + 1) * sizeof *engine->slices);
    engine->pieces = realloc(engine->pieces, pieces * sizeof *engine->pieces);
    engine->yielding = realloc(engine->yielding, pieces * sizeof *engine->yielding);
    engine->next = realloc(engine->next, pieces * sizeof *engine->next);
    if (!engine->slices || !engine->pieces || !engine->yielding || !engine->next) {
        abort();
    }
}

static bool knows_costs(const struct threaded *threaded)
{
    return threaded->config.costs.base_ns > 0.0;
}

static void threaded_submit(struct dyno_device *device, dyno_ns now, const struct dyno_pass *pass)
{
    struct engine *engine = engine_of(device, pass->worker);
    uint32_t most = threaded_of(device)->config.steps_max;

    (void)now;
    assert(mail_of(engine) == MAIL_EMPTY && pass->tables);
    make_room(engine, pass->slice_count);
    if (pass->slice_count > 0) {
        memcpy(engine->slices, pass->slices, pass->slice_count * sizeof *pass->slices);
    }
    engine->slice_count = pass->slice_count;
    engine->plain_ns = pass->slice_count > 0 && knows_costs(threaded_of(device))
                           ? dyno_pass_costs_plain_ns(&threaded_of(device)->config.costs, pass)
                           : 0.0;
    engine->decode = pass->decode;
    engine->tables = pass->tables;
    engine->steps_max = pass->steps_max < most ? pass->steps_max : most;
    engine->steps = engine->ended_count = 0;
    atomic_store_explicit(&engine->boundary_count, 0, memory_order_relaxed);
    atomic_store_explicit(&engine->started_count, 1, memory_order_relaxed);
    atomic_store_explicit(&engine->stop, false, memory_order_relaxed);
    atomic_store_explicit(&engine->mail, MAIL_POSTED, memory_order_release);
    (void)sem_post(&engine->posted);
}

static void threaded_stop(struct dyno_device *device, uint32_t worker, dyno_ns now,
                          uint32_t further)
{
    (void)now; /* any boundary that the thread comes to lies after it */
    (void)further;
    atomic_store_explicit(&engine_of(device, worker)->stop, true, memory_order_relaxed);
}

static void threaded_progress(struct dyno_device *device, uint32_t worker, dyno_ns now,
                              uint32_t *started, uint32_t *completed)
{
    const struct engine *engine = engine_of(device, worker);
    uint32_t starts = atomic_load_explicit(&engine->started_count, memory_order_acquire);
    uint32_t count = atomic_load_explicit(&engine->boundary_count, memory_order_acquire);

    *started = *completed = 0;
    if (mail_of(engine) == MAIL_EMPTY) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        *started += i < starts && engine->boundaries[i] < now;
        *completed += i > 0 && engine->boundaries[i] <= now;
    }
}

static dyno_ns threaded_step_start(struct dyno_device *device, uint32_t worker, uint32_t step)
{
    const struct engine *engine = engine_of(device, worker);
    uint32_t count = atomic_load_explicit(&engine->boundary_count, memory_order_acquire);

    assert(step < count);
    (void)count;
    return engine->boundaries[step];
}

static int by_slot(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

static bool threaded_reap(struct dyno_device *device, dyno_ns now, struct dyno_completion *out)
{
    struct threaded *threaded = threaded_of(device);
    struct engine *first = NULL;

    for (uint32_t i = 0; i < threaded->config.worker_count; i++) {
        struct engine *engine = &threaded->engines[i];

        if (mail_of(engine) == MAIL_DONE && engine->boundaries[engine->steps] <= now &&
            (!first || engine->boundaries[engine->steps] < first->boundaries[first->steps])) {
            first = engine;
        }
    }
    if (!first) {
        return false;
    }
    qsort(first->ended, first->ended_count, sizeof *first->ended, by_slot);
    *out = (struct dyno_completion){.worker = first->worker,
                                    .at = first->boundaries[first->steps],
                                    .steps = first->steps,
                                    .start = first->boundaries[0],
                                    .boundaries = first->boundaries,
                                    .ended_count = first->ended_count,
                                    .ended = first->ended};
    dyno_pass_costs_learn(&threaded->config.costs, first->plain_ns,
                          first->boundaries[first->steps] - first->boundaries[0]);
    atomic_store_explicit(&first->mail, MAIL_EMPTY, memory_order_relaxed);
    return true;
}

static dyno_ns threaded_next(const struct dyno_device *device)
{
    (void)device;
    return DYNO_NEVER; /* the clock is woken */
}

static dyno_ns threaded_predict(const struct dyno_device *device, const struct dyno_pass *pass)
{
    return dyno_pass_costs_predict(&threaded_of(device)->config.costs, pass);
}

/* What its thread asked for is answered, or given up, as soon as what computes is gone. */
static void await_thread(const struct engine *engine)
{
    const struct timespec nap = {.tv_nsec = 100000};

    while (mail_of(engine) == MAIL_POSTED) {
        (void)nanosleep(&nap, NULL);
    }
}

static void threaded_drop(struct dyno_device *device, uint32_t worker, dyno_ns now)
{
    struct engine *engine = engine_of(device, worker);

    (void)now;
    await_thread(engine);
    atomic_store_explicit(&engine->mail, MAIL_EMPTY, memory_order_relaxed);
}

static dyno_ns threaded_quiesce(struct dyno_device *device)
{
    const struct threaded *threaded = threaded_of(device);
    dyno_ns last = 0;

    for (uint32_t i = 0; i < threaded->config.worker_count; i++) {
        const struct engine *engine = &threaded->engines[i];

        await_thread(engine);
        if (mail_of(engine) == MAIL_DONE && engine->boundaries[engine->steps] > last) {
            last = engine->boundaries[engine->steps];
        }
    }
    return last;
}

/* ---- open and close -------------------------------------------------------------------------- */

static void close_engine(struct engine *engine)
{
    if (engine->started) {
        atomic_store_explicit(&engine->quit, true, memory_order_release);
        (void)sem_post(&engine->posted);
        (void)pthread_join(engine->thread, NULL);
        (void)sem_destroy(&engine->posted);
    }
    free(engine->slots);
    free(engine->slices);
    free(engine->boundaries);
    free(engine->pieces);
    free(engine->yielding);
    free(engine->next);
    free(engine->ended);
}

static void threaded_close(struct dyno_device *device)
{
    struct threaded *threaded = threaded_of(device);

    for (uint32_t i = 0; threaded->engines && i < threaded->config.worker_count; i++) {
        close_engine(&threaded->engines[i]);
    }
    if (threaded->owns_context && threaded->config.release) {
        threaded->config.release(threaded->config.context);
    }
    free(threaded->engines);
    free(threaded);
}

static dyno_status open_engine(struct threaded *threaded, uint32_t worker)
{
    struct engine *engine = &threaded->engines[worker];
    uint32_t seqs_max = threaded->config.seqs_max;

    engine->device = threaded;
    engine->worker = worker;
    engine->slots = calloc(seqs_max, sizeof *engine->slots);
    engine->ended = calloc(seqs_max, sizeof *engine->ended);
    engine->boundaries = calloc((size_t)threaded->config.steps_max + 1, sizeof *engine->boundaries);
    if (!engine->slots || !engine->ended || !engine->boundaries) {
        return DYNO_NO_MEMORY;
    }
    if (sem_init(&engine->posted, 0, 0) != 0) {
        return DYNO_IO;
    }
    if (pthread_create(&engine->thread, NULL, run_thread, engine) != 0) {
        (void)sem_destroy(&engine->posted);
        return DYNO_IO;
    }
    engine->started = true;
    return DYNO_OK;
}

static const struct dyno_device_ops threaded_ops = {
    .stores_kv = true,
    .is_real = true,
    .open = threaded_open_seq,
    .join = threaded_join,
    .shut = threaded_shut,
    .submit = threaded_submit,
    .stop = threaded_stop,
    .progress = threaded_progress,
    .step_start = threaded_step_start,
    .reap = threaded_reap,
    .next = threaded_next,
    .quiesce = threaded_quiesce,
    .close = threaded_close,
};

void *dyno_threaded_device_context(const struct dyno_device *device)
{
    return threaded_of(device)->config.context;
}

dyno_status dyno_threaded_device_open(struct dyno_device **out,
                                      const struct dyno_threaded_config *config)
{
    struct threaded *threaded = calloc(1, sizeof *threaded);
    dyno_status status = DYNO_OK;

    if (!threaded) {
        return DYNO_NO_MEMORY;
    }
    threaded->config = *config;
    threaded->ops = threaded_ops;
    threaded->ops.name = config->name;
    threaded->ops.help = config->help;
    threaded->ops.drop = config->is_gone ? threaded_drop : NULL;
    threaded->ops.predict = knows_costs(threaded) ? threaded_predict : NULL;
    threaded->base.ops = &threaded->ops;
    threaded->engines = calloc(config->worker_count, sizeof *threaded->engines);
    if (!threaded->engines) {
        status = DYNO_NO_MEMORY;
    }
    for (uint32_t i = 0; status == DYNO_OK && i < config->worker_count; i++) {
        status = open_engine(threaded, i);
    }
    if (status != DYNO_OK) {
        threaded_close(&threaded->base);
        return status;
    }
    threaded->owns_context = true;
    *out = &threaded->base;
    return DYNO_OK;
}

#include "backends/engine/threaded.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/engine/threaded_parts.h"

static struct dyno_threaded *threaded_of(const struct dyno_device *device)
{
    return (struct dyno_threaded *)(uintptr_t)device;
}

static struct dyno_engine *engine_of(const struct dyno_device *device, uint32_t worker)
{
    return &threaded_of(device)->engines[worker];
}

/* ---- the loop's side ------------------------------------------------------------------------- */

static void threaded_open_seq(struct dyno_device *device, uint32_t worker, uint32_t index,
                              uint64_t id, uint32_t generated, uint32_t tokens_max)
{
    const struct dyno_threaded_config *config = &threaded_of(device)->config;
    struct dyno_engine_slot *slot = &engine_of(device, worker)->slots[index];
    uint32_t answer = config->answer ? config->answer(config->answer_context, id) : tokens_max;

    *slot = (struct dyno_engine_slot){.transcript = dyno_transcripts_find(config->transcripts, id),
                                      .generated = generated,
                                      .total = answer < tokens_max ? answer : tokens_max};
    assert(slot->transcript &&
           slot->transcript->count == slot->transcript->prompt_tokens + generated);
}

static void threaded_join(struct dyno_device *device, uint32_t worker, uint32_t index)
{
    struct dyno_engine_slot *slot = &engine_of(device, worker)->slots[index];

    assert(slot->transcript && slot->generated > 0 && slot->generated < slot->total);
    slot->decodes = true;
}

static void threaded_shut(struct dyno_device *device, uint32_t worker, uint32_t slot)
{
    engine_of(device, worker)->slots[slot] = (struct dyno_engine_slot){.transcript = NULL};
}

/* Devices return nothing from submit: out of memory ends the program, as in core/worker/paced.c. */
static void make_room(struct dyno_engine *engine, uint32_t slice_count)
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

static bool knows_costs(const struct dyno_threaded *threaded)
{
    return threaded->config.costs.base_ns > 0.0;
}

static void threaded_submit(struct dyno_device *device, dyno_ns now, const struct dyno_pass *pass)
{
    struct dyno_engine *engine = engine_of(device, pass->worker);
    uint32_t most = threaded_of(device)->config.steps_max;

    (void)now;
    assert(dyno_engine_mail(engine) == MAIL_EMPTY && pass->tables);
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
    engine->cut = false; /* its thread waits for the mail */
    atomic_store_explicit(&engine->boundary_count, 0, memory_order_relaxed);
    atomic_store_explicit(&engine->started_count, 1, memory_order_relaxed);
    atomic_store_explicit(&engine->stop, false, memory_order_relaxed);
    dyno_layer_gate_begin(&engine->gate);
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
    const struct dyno_engine *engine = engine_of(device, worker);
    uint32_t starts = atomic_load_explicit(&engine->started_count, memory_order_acquire);
    uint32_t count = atomic_load_explicit(&engine->boundary_count, memory_order_acquire);

    *started = *completed = 0;
    if (dyno_engine_mail(engine) == MAIL_EMPTY) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        *started += i < starts && engine->boundaries[i] < now;
        *completed += i > 0 && engine->boundaries[i] <= now;
    }
}

static dyno_ns threaded_step_start(struct dyno_device *device, uint32_t worker, uint32_t step)
{
    const struct dyno_engine *engine = engine_of(device, worker);
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

/* What the steps of the pass that have ended did. */
static void tell_steps(struct dyno_engine *engine, struct dyno_completion *out)
{
    qsort(engine->ended, engine->ended_count, sizeof *engine->ended, by_slot);
    *out = (struct dyno_completion){.worker = engine->worker,
                                    .at = engine->boundaries[engine->steps],
                                    .steps = engine->steps,
                                    .start = engine->boundaries[0],
                                    .boundaries = engine->boundaries,
                                    .ended_count = engine->ended_count,
                                    .ended = engine->ended};
}

static bool threaded_reap(struct dyno_device *device, dyno_ns now, struct dyno_completion *out)
{
    struct dyno_threaded *threaded = threaded_of(device);
    struct dyno_engine *first = NULL;

    for (uint32_t i = 0; i < threaded->config.worker_count; i++) {
        struct dyno_engine *engine = &threaded->engines[i];

        if (dyno_engine_mail(engine) == MAIL_DONE && engine->boundaries[engine->steps] <= now &&
            (!first || engine->boundaries[engine->steps] < first->boundaries[first->steps])) {
            first = engine;
        }
    }
    if (!first) {
        return false;
    }
    tell_steps(first, out);
    dyno_pass_costs_learn(&threaded->config.costs, first->plain_ns,
                          first->boundaries[first->steps] - first->boundaries[0]);
    atomic_store_explicit(&first->mail, MAIL_EMPTY, memory_order_relaxed);
    return true;
}

/* The thread is in no pass any more. */
static void await_thread(const struct dyno_engine *engine)
{
    const struct timespec nap = {.tv_nsec = 100000};

    while (dyno_engine_mail(engine) == MAIL_POSTED) {
        (void)nanosleep(&nap, NULL);
    }
}

/* Of steps that have ended somebody has heard already.  The one that is being computed is waited
 * for, as it reads and writes what will be given back. */
static bool threaded_drop(struct dyno_device *device, uint32_t worker, dyno_ns now,
                          struct dyno_completion *out)
{
    struct dyno_engine *engine = engine_of(device, worker);
    bool any;

    (void)now;
    pthread_mutex_lock(&engine->lock);
    engine->cut = true;
    any = dyno_engine_mail(engine) != MAIL_EMPTY && engine->steps > 0;
    pthread_mutex_unlock(&engine->lock);
    await_thread(engine);
    if (any) {
        tell_steps(engine, out);
    }
    if (dyno_engine_mail(engine) == MAIL_FAILED) {
        atomic_fetch_sub_explicit(&engine->device->failures, 1, memory_order_relaxed);
    }
    if (atomic_exchange_explicit(&engine->failed, false, memory_order_relaxed)) {
        atomic_fetch_sub_explicit(&engine->device->failures, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&engine->mail, MAIL_EMPTY, memory_order_relaxed);
    return any;
}

static bool threaded_failed(const struct dyno_device *device, uint32_t *worker)
{
    const struct dyno_threaded *threaded = threaded_of(device);

    if (atomic_load_explicit(&threaded->failures, memory_order_relaxed) == 0) {
        return false;
    }
    for (uint32_t i = 0; i < threaded->config.worker_count; i++) {
        const struct dyno_engine *engine = &threaded->engines[i];

        if (dyno_engine_mail(engine) == MAIL_FAILED ||
            atomic_load_explicit(&engine->failed, memory_order_relaxed)) {
            *worker = i;
            return true;
        }
    }
    return false;
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

static dyno_ns threaded_quiesce(struct dyno_device *device)
{
    const struct dyno_threaded *threaded = threaded_of(device);
    dyno_ns last = 0;

    for (uint32_t i = 0; i < threaded->config.worker_count; i++) {
        const struct dyno_engine *engine = &threaded->engines[i];

        await_thread(engine);
        if (dyno_engine_mail(engine) == MAIL_DONE && engine->boundaries[engine->steps] > last) {
            last = engine->boundaries[engine->steps];
        }
    }
    return last;
}

/* ---- open and close -------------------------------------------------------------------------- */

static void close_engine(struct dyno_engine *engine)
{
    if (engine->started) {
        atomic_store_explicit(&engine->quit, true, memory_order_release);
        (void)sem_post(&engine->posted);
        (void)pthread_join(engine->thread, NULL);
        (void)sem_destroy(&engine->posted);
        (void)pthread_mutex_destroy(&engine->lock);
        dyno_layer_gate_release(&engine->gate);
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
    struct dyno_threaded *threaded = threaded_of(device);

    for (uint32_t i = 0; threaded->engines && i < threaded->config.worker_count; i++) {
        close_engine(&threaded->engines[i]);
    }
    if (threaded->owns_context && threaded->config.release) {
        threaded->config.release(threaded->config.context);
    }
    free(threaded->engines);
    free(threaded);
}

static dyno_status open_engine(struct dyno_threaded *threaded, uint32_t worker)
{
    struct dyno_engine *engine = &threaded->engines[worker];
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
    (void)pthread_mutex_init(&engine->lock, NULL);
    dyno_layer_gate_init(&engine->gate);
    if (pthread_create(&engine->thread, NULL, dyno_engine_run, engine) != 0) {
        (void)sem_destroy(&engine->posted);
        (void)pthread_mutex_destroy(&engine->lock);
        dyno_layer_gate_release(&engine->gate);
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
    .drop = threaded_drop,
    .failed = threaded_failed,
    .quiesce = threaded_quiesce,
    .close = threaded_close,
};

static void wish_for(struct dyno_engine *engine, enum dyno_wish wish)
{
    pthread_mutex_lock(&engine->lock);
    engine->wish = wish;
    engine->start = DYNO_THREADED_STARTS;
    pthread_mutex_unlock(&engine->lock);
    (void)sem_post(&engine->posted);
}

void dyno_threaded_device_start(struct dyno_device *device, uint32_t worker)
{
    wish_for(engine_of(device, worker), WISH_START);
}

void dyno_threaded_device_stop(struct dyno_device *device, uint32_t worker)
{
    wish_for(engine_of(device, worker), WISH_STOP);
}

enum dyno_threaded_start dyno_threaded_device_look(struct dyno_device *device, uint32_t worker)
{
    struct dyno_engine *engine = engine_of(device, worker);
    enum dyno_threaded_start start;

    pthread_mutex_lock(&engine->lock);
    start = engine->start;
    pthread_mutex_unlock(&engine->lock);
    return start;
}

void dyno_threaded_device_fail(struct dyno_device *device, uint32_t worker)
{
    struct dyno_threaded *threaded = threaded_of(device);

    assert(threaded->config.survives);
    if (!atomic_exchange_explicit(&threaded->engines[worker].failed, true, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&threaded->failures, 1, memory_order_relaxed);
    }
    threaded->config.wake(threaded->config.clock);
}

struct dyno_layer_gate *dyno_threaded_device_gate(const struct dyno_device *device, uint32_t worker)
{
    return &engine_of(device, worker)->gate;
}

void *dyno_threaded_device_context(const struct dyno_device *device)
{
    return threaded_of(device)->config.context;
}

dyno_status dyno_threaded_device_open(struct dyno_device **out,
                                      const struct dyno_threaded_config *config,
                                      struct dyno_error *error)
{
    static const char why[] = "the threads of %u workers cannot be started";
    struct dyno_threaded *threaded = calloc(1, sizeof *threaded);
    dyno_status status = DYNO_OK;

    if (!threaded) {
        return dyno_fail(error, DYNO_NO_MEMORY, why, config->worker_count);
    }
    threaded->config = *config;
    threaded->ops = threaded_ops;
    threaded->ops.name = config->name;
    threaded->ops.help = config->help;
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
        return dyno_fail(error, status, why, config->worker_count);
    }
    threaded->owns_context = true;
    *out = &threaded->base;
    return DYNO_OK;
}

/* A worker's thread: its passes, step by step, and its starts. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/engine/threaded_parts.h"

static uint32_t add_piece(struct dyno_engine *engine, uint32_t count, uint32_t slot, uint32_t first,
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

/* A prompt that is pulled is followed by a token where it is decoded; core counts one here too. */
static bool yields_here(const struct dyno_engine *engine, const struct dyno_slice *slice)
{
    const struct dyno_engine_slot *slot = &engine->slots[slice->slot];

    return slice->yields &&
           (!engine->device->config.ends_only || slot->generated + 1 >= slot->total);
}

/* The pieces of the next step; *yield_count of them yield.  Slices come first. */
static uint32_t gather(struct dyno_engine *engine, uint32_t *yield_count)
{
    uint32_t count = 0, yields = 0;

    for (uint32_t i = 0; engine->steps == 0 && i < engine->slice_count; i++) {
        const struct dyno_slice *slice = &engine->slices[i];

        count = add_piece(engine, count, slice->slot, slice->first, slice->tokens);
        engine->pieces[count - 1].cached = slice->cached;
        if (yields_here(engine, slice)) {
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
static void take_token(struct dyno_engine *engine, uint32_t index, uint32_t token)
{
    struct dyno_engine_slot *slot = &engine->slots[index];
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

static void note_boundary(struct dyno_engine *engine)
{
    const struct dyno_threaded_config *config = &engine->device->config;
    uint32_t count = atomic_load_explicit(&engine->boundary_count, memory_order_relaxed);

    engine->boundaries[count] = config->now(config->clock);
    atomic_store_explicit(&engine->boundary_count, count + 1, memory_order_release);
}

static bool is_told_to_stop(const struct dyno_engine *engine)
{
    return atomic_load_explicit(&engine->stop, memory_order_relaxed);
}

/* Steps that may follow the one that is to be computed, by how many tokens sequences may have. */
static uint32_t further_of(const struct dyno_engine *engine)
{
    uint32_t most = engine->steps_max - engine->steps - 1;

    for (uint32_t i = 0; most > 0 && i < engine->device->config.seqs_max; i++) {
        const struct dyno_engine_slot *slot = &engine->slots[i];
        uint32_t left = slot->total - slot->generated - 1;

        most = slot->decodes && left < most ? left : most;
    }
    return is_told_to_stop(engine) ? 0 : most;
}

static bool is_ahead(const struct dyno_engine *engine)
{
    const struct dyno_threaded_config *config = &engine->device->config;

    return config->is_ahead && config->is_ahead(config->context, engine->worker);
}

/* Whether another step follows.  Known before the boundary between the two is told, so that nobody
 * takes the end of the last step for the start of one more.  One that has begun is not stopped: it
 * would be waited for all the same. */
static bool goes_on(const struct dyno_engine *engine)
{
    return engine->steps < engine->steps_max && engine->ended_count == 0 &&
           (!is_told_to_stop(engine) || is_ahead(engine));
}

/* A step is computed: its tokens are its sequences'.  True: another one follows. */
static bool settle_step(struct dyno_engine *engine, uint32_t piece_count, uint32_t yields)
{
    const struct dyno_threaded_config *config = &engine->device->config;
    bool another;

    if (config->choose) {
        config->choose(config->context, engine->worker, engine->pieces, piece_count, engine->next);
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
    return another;
}

/* What becomes of the mail when a step has been computed, or not. */
static enum dyno_mail mail_after(const struct dyno_engine *engine, dyno_status status)
{
    const struct dyno_threaded_config *config = &engine->device->config;

    if (engine->cut) {
        return MAIL_EMPTY;
    }
    if (config->is_gone && config->is_gone(config->context, engine->worker)) {
        return MAIL_LOST;
    }
    return status == DYNO_OK ? MAIL_DONE : MAIL_FAILED;
}

/* Nobody would hear of it, and wait for ever. */
_Noreturn static void give_up(const struct dyno_engine *engine)
{
    (void)fprintf(stderr, "dyno: worker %u could not compute its pass\n", engine->worker);
    (void)fflush(NULL);
    _Exit(EXIT_FAILURE);
}

static dyno_status compute(struct dyno_engine *engine, uint32_t piece_count)
{
    const struct dyno_threaded_config *config = &engine->device->config;

    if (config->expect) {
        config->expect(config->context, engine->worker, further_of(engine));
    }
    return config->step(config->context, engine->worker, engine->pieces, piece_count, engine->next);
}

/* The pass ends like that, when nothing of it is computed any more. */
static void end_pass(struct dyno_engine *engine, enum dyno_mail mail)
{
    const struct dyno_threaded_config *config = &engine->device->config;

    if (is_ahead(engine) && config->rest(config->context, engine->worker) != DYNO_OK) {
        mail = mail == MAIL_DONE ? MAIL_FAILED : mail;
    }
    dyno_layer_gate_end(&engine->gate);
    if (mail == MAIL_FAILED && !config->survives) {
        give_up(engine);
    }
    if (mail == MAIL_FAILED) {
        atomic_fetch_add_explicit(&engine->device->failures, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&engine->mail, mail, memory_order_release);
}

/* Of a pass that was cut nobody hears any more. */
static void run_pass(struct dyno_engine *engine)
{
    enum dyno_mail mail = MAIL_DONE;
    bool another = true;

    note_boundary(engine);
    while (another) {
        uint32_t yields, count = gather(engine, &yields);
        dyno_status status = compute(engine, count);

        pthread_mutex_lock(&engine->lock);
        mail = mail_after(engine, status);
        another = mail == MAIL_DONE && settle_step(engine, count, yields);
        pthread_mutex_unlock(&engine->lock);
    }
    end_pass(engine, mail);
}

static void start(struct dyno_engine *engine)
{
    const struct dyno_threaded_config *config = &engine->device->config;
    dyno_status status = config->start ? config->start(config->context, engine->worker) : DYNO_OK;

    pthread_mutex_lock(&engine->lock);
    if (engine->wish == WISH_NONE) { /* else another one has begun since */
        engine->start = status == DYNO_OK ? DYNO_THREADED_STARTED : DYNO_THREADED_FAILED;
    }
    pthread_mutex_unlock(&engine->lock);
    config->wake(config->clock);
}

static enum dyno_wish take_wish(struct dyno_engine *engine)
{
    enum dyno_wish wish;

    pthread_mutex_lock(&engine->lock);
    wish = engine->wish;
    engine->wish = WISH_NONE;
    pthread_mutex_unlock(&engine->lock);
    return wish;
}

void *dyno_engine_run(void *context)
{
    struct dyno_engine *engine = context;
    const struct dyno_threaded_config *config = &engine->device->config;

    for (;;) {
        enum dyno_wish wish;

        while (sem_wait(&engine->posted) != 0) {
            assert(errno == EINTR);
        }
        if (atomic_load_explicit(&engine->quit, memory_order_acquire)) {
            return NULL;
        }
        wish = take_wish(engine);
        if (wish == WISH_START) {
            start(engine);
        } else if (wish == WISH_STOP && config->stop) {
            config->stop(config->context, engine->worker);
        }
        if (dyno_engine_mail(engine) == MAIL_POSTED) {
            run_pass(engine);
            config->wake(config->clock);
        }
    }
}

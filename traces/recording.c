/* The recording's two listeners, its queue and its thread.
 *
 *   (none) -> IN FLIGHT [take]       a copy of the request, in a table of the loop's own
 *   IN FLIGHT -> QUEUED [hear]       it ended: the copy crosses to the thread
 *   QUEUED -> (written) [write_all]  many lines in one write
 *   any -> LOST                      no memory, a full queue, a failing disk: counted
 *   Always: taken = in flight + queued + recorded + lost.
 */
#include "traces/recording.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/map.h"
#include "traces/format.h"
#include "traces/recording_file.h"
#include "traces/recording_line.h"

enum {
    FILES_MAX_DEFAULT = 10,
    QUEUE_BYTES_MAX_DEFAULT = 64 << 20,
    WRITE_BYTES = 1 << 20, /* lines are collected up to this size */
};

/* A request in flight. */
struct flight {
    struct dyno_recorded *recorded; /* NULL: the slot is free */
};

struct dyno_recording {
    struct dyno_source source;  /* what the loop sees of `inner` */
    struct dyno_source_ops ops; /* of it: open if `inner` is */
    struct dyno_source *inner;
    struct dyno_sink sink;
    struct dyno_recording_config config;

    /* The loop's own: */
    struct dyno_map slots; /* request in flight -> place in `flying` */
    struct flight *flying; /* [flying_used], of which some are free */
    uint32_t *free_slots;  /* [free_count] of `flying` */
    uint32_t flying_used, flying_capacity, free_count;

    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    /* Under the mutex: */
    struct dyno_recorded *first, **last; /* the queue; *last is its end */
    size_t queue_bytes;
    struct dyno_recording_counts counts;
    uint64_t lost_untold; /* not yet in a line */
    bool closing;

    /* The thread's own: */
    struct dyno_recording_line form;
    struct dyno_recording_file file;
    struct dyno_recording_text text;
    uint64_t text_lines, text_lost; /* in the text */
    uint64_t lost_seen;             /* when losses were last looked at ... */
    uint64_t lost_before;           /* ... and before they began */
    bool is_failing;
};

static struct dyno_recording *of_source(const struct dyno_source *source)
{
    return (struct dyno_recording *)(uintptr_t)source;
}

static struct dyno_recording *of_sink(struct dyno_sink *sink)
{
    return (struct dyno_recording *)(void *)((char *)sink - offsetof(struct dyno_recording, sink));
}

/* From any thread. */
static void lose(struct dyno_recording *recording, uint64_t requests)
{
    pthread_mutex_lock(&recording->mutex);
    recording->counts.lost += requests;
    recording->lost_untold += requests;
    pthread_mutex_unlock(&recording->mutex);
}

/* The thread ------------------------------------------------------------------------------ */

static void say(const struct dyno_recording *recording, const char *text)
{
    if (recording->config.say) {
        recording->config.say(recording->config.context, text);
    }
}

/* All that is queued; NULL: closing, and nothing is. */
static struct dyno_recorded *await_queue(struct dyno_recording *recording)
{
    struct dyno_recorded *first;

    pthread_mutex_lock(&recording->mutex);
    while (!recording->first && !recording->closing) {
        pthread_cond_wait(&recording->filled, &recording->mutex);
    }
    first = recording->first;
    recording->first = NULL;
    recording->last = &recording->first;
    recording->queue_bytes = 0;
    pthread_mutex_unlock(&recording->mutex);
    return first;
}

static void begin_to_fail(struct dyno_recording *recording, const char *why)
{
    if (!recording->is_failing) {
        recording->is_failing = true;
        recording->lost_before = recording->lost_seen;
        say(recording, why);
    }
}

static void end_to_fail(struct dyno_recording *recording)
{
    char text[128];

    if (recording->is_failing) {
        recording->is_failing = false;
        (void)snprintf(text, sizeof text,
                       "the recording goes on; %" PRIu64 " requests are not in it",
                       recording->lost_seen - recording->lost_before);
        say(recording, text);
    }
}

/* After all that was queued: has anything been lost since this was last asked? */
static void look_at_losses(struct dyno_recording *recording)
{
    uint64_t lost = dyno_recording_counts(recording).lost;

    if (lost == recording->lost_seen) {
        end_to_fail(recording);
    } else {
        begin_to_fail(recording, "requests are not recorded: they come faster than they are "
                                 "written, or memory is short");
    }
    recording->lost_seen = lost;
}

/* Write the collected lines: all of them count as recorded, or as lost. */
static void write_text(struct dyno_recording *recording)
{
    struct dyno_error error;
    bool is_written;

    if (recording->text_lines == 0) {
        return;
    }
    is_written = dyno_recording_file_append(&recording->file, recording->text.bytes,
                                            recording->text.size, &error) == DYNO_OK;
    if (!is_written) {
        begin_to_fail(recording, error.text);
    }
    pthread_mutex_lock(&recording->mutex);
    if (is_written) {
        recording->counts.recorded += recording->text_lines;
    } else {
        recording->counts.lost += recording->text_lines;
        recording->lost_untold += recording->text_lines + recording->text_lost;
    }
    pthread_mutex_unlock(&recording->mutex);
    recording->text.size = 0;
    recording->text_lines = recording->text_lost = 0;
}

/* What the next line is to tell of. */
static uint64_t take_untold(struct dyno_recording *recording)
{
    uint64_t lost;

    pthread_mutex_lock(&recording->mutex);
    lost = recording->lost_untold;
    recording->lost_untold = 0;
    pthread_mutex_unlock(&recording->mutex);
    return lost;
}

static void put_line(struct dyno_recording *recording, const struct dyno_recorded *recorded)
{
    uint64_t lost = take_untold(recording);

    if (dyno_recording_line_put(&recording->form, &recording->text, recorded, lost)) {
        recording->text_lines++;
        recording->text_lost += lost;
        return;
    }
    pthread_mutex_lock(&recording->mutex);
    recording->counts.lost++;
    recording->lost_untold += lost + 1;
    pthread_mutex_unlock(&recording->mutex);
}

static void write_queue(struct dyno_recording *recording, struct dyno_recorded *first)
{
    uint64_t bytes_max = recording->config.bytes_max;
    uint64_t write_bytes = bytes_max > 0 && bytes_max < WRITE_BYTES ? 1 : WRITE_BYTES;

    while (first) {
        struct dyno_recorded *next = first->next;

        put_line(recording, first);
        free(first);
        first = next;
        if (recording->text.size >= write_bytes) {
            write_text(recording);
        }
    }
    write_text(recording);
    look_at_losses(recording);
}

static void *record_thread(void *argument)
{
    struct dyno_recording *recording = argument;
    struct dyno_recorded *first;

    while ((first = await_queue(recording)) != NULL) {
        write_queue(recording, first);
    }
    return NULL;
}

/* The loop -------------------------------------------------------------------------------- */

static bool grow_flying(struct dyno_recording *recording)
{
    uint32_t capacity = recording->flying_capacity ? 2 * recording->flying_capacity : 256;
    struct flight *flying = realloc(recording->flying, capacity * sizeof *flying);
    uint32_t *slots;

    if (!flying) {
        return false;
    }
    recording->flying = flying;
    slots = realloc(recording->free_slots, capacity * sizeof *slots);
    if (!slots) {
        return false;
    }
    recording->free_slots = slots;
    recording->flying_capacity = capacity;
    return true;
}

static bool take_slot(struct dyno_recording *recording, uint32_t *slot)
{
    if (recording->free_count > 0) {
        *slot = recording->free_slots[--recording->free_count];
        return true;
    }
    if (recording->flying_used == recording->flying_capacity && !grow_flying(recording)) {
        return false;
    }
    *slot = recording->flying_used++;
    return true;
}

static bool note(struct dyno_recording *recording, const struct dyno_request *request)
{
    struct dyno_recorded *recorded = dyno_recorded_new(request, recording->config.started_at_ns);
    uint32_t slot;

    if (!recorded || !take_slot(recording, &slot)) {
        free(recorded);
        return false;
    }
    recording->flying[slot].recorded = recorded;
    if (!dyno_map_put(&recording->slots, request->id, slot, NULL)) {
        recording->flying[slot].recorded = NULL;
        recording->free_slots[recording->free_count++] = slot;
        free(recorded);
        return false;
    }
    return true;
}

/* The copy of a request in flight, which is not any more; NULL: it was lost. */
static struct dyno_recorded *fetch(struct dyno_recording *recording, uint64_t id)
{
    uint32_t *place = dyno_map_find(&recording->slots, id);
    struct dyno_recorded *recorded;
    uint32_t slot;

    if (!place) {
        return NULL;
    }
    slot = *place;
    recorded = recording->flying[slot].recorded;
    recording->flying[slot].recorded = NULL;
    recording->free_slots[recording->free_count++] = slot;
    dyno_map_remove(&recording->slots, id);
    return recorded;
}

static bool enqueue(struct dyno_recording *recording, struct dyno_recorded *recorded)
{
    size_t bytes = dyno_recorded_bytes(recorded);
    bool fits;

    pthread_mutex_lock(&recording->mutex);
    fits = bytes <= recording->config.queue_bytes_max - recording->queue_bytes;
    if (fits) {
        recording->queue_bytes += bytes;
        *recording->last = recorded;
        recording->last = &recorded->next;
        pthread_cond_signal(&recording->filled);
    }
    pthread_mutex_unlock(&recording->mutex);
    return fits;
}

static dyno_status hear_request(struct dyno_sink *sink, const struct dyno_request_record *record)
{
    struct dyno_recording *recording = of_sink(sink);
    struct dyno_recorded *recorded = fetch(recording, record->id);

    if (!recorded) {
        return DYNO_OK; /* lost when it came, and counted then */
    }
    recorded->output_tokens = record->output_tokens;
    recorded->outcome = record->outcome;
    if (!enqueue(recording, recorded)) {
        free(recorded);
        lose(recording, 1);
    }
    return DYNO_OK;
}

static const struct dyno_sink_ops sink_ops = {.name = "recording", .request = hear_request};

static dyno_ns source_next(struct dyno_source *source)
{
    struct dyno_source *inner = of_source(source)->inner;

    return inner->ops->next(inner);
}

static dyno_status source_take(struct dyno_source *source, dyno_ns now, struct dyno_request *out,
                               struct dyno_error *error)
{
    struct dyno_recording *recording = of_source(source);

    DYNO_TRY(recording->inner->ops->take(recording->inner, now, out, error));
    if (!note(recording, out)) {
        lose(recording, 1);
    }
    return DYNO_OK;
}

static dyno_ns source_cancelled(struct dyno_source *source, dyno_ns now, uint64_t *id)
{
    struct dyno_source *inner = of_source(source)->inner;

    return inner->ops->cancelled ? inner->ops->cancelled(inner, now, id) : DYNO_NEVER;
}

static void source_ended(struct dyno_source *source, uint64_t id, dyno_ns at)
{
    struct dyno_source *inner = of_source(source)->inner;

    if (inner->ops->ended) {
        inner->ops->ended(inner, id, at);
    }
}

static bool source_finished(const struct dyno_source *source)
{
    const struct dyno_source *inner = of_source(source)->inner;

    return inner->ops->finished(inner);
}

static void source_close(struct dyno_source *source)
{
    struct dyno_source *inner = of_source(source)->inner;

    inner->ops->close(inner);
}

static const struct dyno_source_ops source_ops = {
    .name = "recording",
    .next = source_next,
    .take = source_take,
    .cancelled = source_cancelled,
    .ended = source_ended,
    .finished = source_finished,
    .close = source_close,
};

/* Life ------------------------------------------------------------------------------------ */

static dyno_status check(struct dyno_recording_config *config, struct dyno_error *error)
{
    uint32_t engine = config->engine_block_tokens;

    config->block_tokens = config->block_tokens ? config->block_tokens : engine;
    config->files_max = config->files_max ? config->files_max : FILES_MAX_DEFAULT;
    config->queue_bytes_max =
        config->queue_bytes_max ? config->queue_bytes_max : QUEUE_BYTES_MAX_DEFAULT;
    if (engine == 0 || config->block_tokens % engine != 0 ||
        config->block_tokens > DYNO_TRACE_BLOCK_TOKENS_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "a recorded block has %" PRIu32 " tokens; expected a multiple of the "
                         "engine's %" PRIu32 ", at most %d",
                         config->block_tokens, engine, DYNO_TRACE_BLOCK_TOKENS_MAX);
    }
    if (config->files_max > DYNO_RECORDING_FILES_MAX) {
        return dyno_fail(error, DYNO_BAD_INPUT,
                         "a recording keeps %" PRIu32 " files beside it; expected at most %d",
                         config->files_max, DYNO_RECORDING_FILES_MAX);
    }
    return DYNO_OK;
}

/* The thread takes no signals: Ctrl-C is the loop's. */
static bool start_thread(struct dyno_recording *recording)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    recording->has_thread = pthread_create(&recording->thread, NULL, record_thread, recording) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return recording->has_thread;
}

static void release(struct dyno_recording *recording)
{
    for (uint32_t i = 0; i < recording->flying_used; i++) {
        free(recording->flying[i].recorded);
    }
    dyno_recording_file_close(&recording->file);
    dyno_map_release(&recording->slots);
    pthread_cond_destroy(&recording->filled);
    pthread_mutex_destroy(&recording->mutex);
    free(recording->form.models);
    free(recording->flying);
    free(recording->free_slots);
    free(recording->text.bytes);
    free(recording);
}

static dyno_status name_models(struct dyno_recording *recording, struct dyno_error *error)
{
    const struct dyno_recording_config *config = &recording->config;
    struct dyno_recording_line *form = &recording->form;

    if (config->model_count == 0) {
        return DYNO_OK;
    }
    form->models = calloc(config->model_count, sizeof *form->models);
    if (!form->models) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the recording");
    }
    for (uint32_t i = 0; i < config->model_count; i++) {
        if (!dyno_recording_line_name(form->models[i], config->models[i])) {
            return dyno_fail(error, DYNO_BAD_INPUT,
                             "the name %.40s... of a model is too long to be recorded",
                             config->models[i]);
        }
    }
    recording->config.models = NULL; /* the caller's */
    return DYNO_OK;
}

static dyno_status prepare(struct dyno_recording *recording,
                           const struct dyno_recording_config *config, struct dyno_error *error)
{
    struct dyno_recording_line *form = &recording->form;

    recording->config = *config;
    config = &recording->config;
    DYNO_TRY(check(&recording->config, error));
    DYNO_TRY(config->salt ? dyno_salt_from_text(&form->salt, config->salt, error)
                          : dyno_salt_random(&form->salt, error));
    DYNO_TRY(name_models(recording, error));
    form->engine_block_tokens = config->engine_block_tokens;
    form->block_tokens = config->block_tokens;
    dyno_salt_label(&form->salt, form->block_tokens, form->label);
    recording->config.salt = NULL; /* the caller's, and a secret: no need to know it any longer */
    DYNO_TRY(dyno_recording_file_open(&recording->file, config->path, form->label,
                                      config->bytes_max, config->files_max, error));
    if (!start_thread(recording)) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no thread for the recording");
    }
    return DYNO_OK;
}

dyno_status dyno_recording_open(struct dyno_recording **out,
                                const struct dyno_recording_config *config,
                                struct dyno_error *error)
{
    struct dyno_recording *recording = calloc(1, sizeof *recording);
    dyno_status status;

    if (!recording) {
        return dyno_fail(error, DYNO_NO_MEMORY, "no memory for the recording");
    }
    recording->sink.ops = &sink_ops;
    recording->last = &recording->first;
    recording->file.fd = -1;
    pthread_mutex_init(&recording->mutex, NULL);
    pthread_cond_init(&recording->filled, NULL);
    status = prepare(recording, config, error);
    if (status != DYNO_OK) {
        release(recording);
        return status;
    }
    *out = recording;
    return DYNO_OK;
}

struct dyno_source *dyno_recording_source(struct dyno_recording *recording,
                                          struct dyno_source *inner)
{
    recording->inner = inner;
    recording->ops = source_ops;
    recording->ops.is_open = inner->ops->is_open;
    recording->source.ops = &recording->ops;
    return &recording->source;
}

struct dyno_sink *dyno_recording_sink(struct dyno_recording *recording)
{
    return &recording->sink;
}

struct dyno_recording_counts dyno_recording_counts(struct dyno_recording *recording)
{
    struct dyno_recording_counts counts;

    pthread_mutex_lock(&recording->mutex);
    counts = recording->counts;
    pthread_mutex_unlock(&recording->mutex);
    return counts;
}

void dyno_recording_close(struct dyno_recording *recording, struct dyno_recording_counts *counts)
{
    pthread_mutex_lock(&recording->mutex);
    recording->closing = true;
    recording->counts.lost += recording->slots.count; /* they never ended */
    pthread_cond_signal(&recording->filled);
    pthread_mutex_unlock(&recording->mutex);
    pthread_join(recording->thread, NULL);
    if (counts) {
        *counts = recording->counts;
    }
    release(recording);
}

#include "backends/engine/filler.h"

#include <stdlib.h>

/* A sequence on its worker. */
struct slot {
    struct dyno_transcript *transcript; /* NULL: nobody hears */
    uint32_t tokens;                    /* that its request has generated so far */
    uint32_t place;                     /* in decoding, if it decodes */
    bool decodes;
};

struct worker {
    struct slot *slots;                  /* [seqs_max] */
    uint32_t *decoding, *yields;         /* [seqs_max] slots */
    uint32_t decode_count, yields_count; /* yields: of the pass in flight */
    bool decode;                         /* the pass in flight does */
};

struct filler {
    struct dyno_device base;
    struct dyno_device_ops ops;
    struct dyno_device *below;
    const struct dyno_transcripts *transcripts;
    bool ends_only;
    uint32_t worker_count;
    struct worker *workers; /* [worker_count] */
};

static struct filler *filler_of(const struct dyno_device *device)
{
    return (struct filler *)(uintptr_t)device;
}

static void leave(struct worker *worker, uint32_t index)
{
    struct slot *slot = &worker->slots[index];
    uint32_t last;

    if (slot->decodes) {
        last = worker->decoding[--worker->decode_count];
        worker->decoding[slot->place] = last;
        worker->slots[last].place = slot->place;
        slot->decodes = false;
    }
}

static void filler_open(struct dyno_device *device, uint32_t index, uint32_t slot, uint64_t id,
                        uint32_t generated, uint32_t tokens_max)
{
    struct filler *filler = filler_of(device);
    struct dyno_transcript *transcript = dyno_transcripts_find(filler->transcripts, id);

    filler->workers[index].slots[slot] =
        (struct slot){.transcript = transcript && transcript->generation ? transcript : NULL,
                      .tokens = generated};
    filler->below->ops->open(filler->below, index, slot, id, generated, tokens_max);
}

static void enter(struct worker *worker, uint32_t index)
{
    struct slot *slot = &worker->slots[index];

    slot->decodes = true;
    slot->place = worker->decode_count;
    worker->decoding[worker->decode_count++] = index;
}

static void filler_join(struct dyno_device *device, uint32_t index, uint32_t slot)
{
    struct filler *filler = filler_of(device);

    enter(&filler->workers[index], slot);
    filler->below->ops->join(filler->below, index, slot);
}

static void filler_shut(struct dyno_device *device, uint32_t index, uint32_t slot)
{
    struct filler *filler = filler_of(device);

    leave(&filler->workers[index], slot);
    filler->below->ops->shut(filler->below, index, slot);
}

static void filler_submit(struct dyno_device *device, dyno_ns now, const struct dyno_pass *pass)
{
    struct filler *filler = filler_of(device);
    struct worker *worker = &filler->workers[pass->worker];

    worker->decode = pass->decode;
    worker->yields_count = 0;
    for (uint32_t i = 0; i < pass->slice_count; i++) {
        if (pass->slices[i].yields) {
            worker->yields[worker->yields_count++] = pass->slices[i].slot;
        }
    }
    filler->below->ops->submit(filler->below, now, pass);
}

/* A token may be yielded twice: that of a prompt whose KV never came where the rest is decoded, so
 * that it was computed there again. */
static void give(struct slot *slot, uint32_t tokens)
{
    struct dyno_transcript *transcript = slot->transcript;

    for (uint32_t i = 0; transcript && i < tokens; i++) {
        if (++slot->tokens > transcript->fillers) {
            transcript->fillers++;
            (void)transcript->generation->ops->took(transcript->generation, DYNO_TOKEN_FILLER);
        }
    }
}

/* `ends_only`: a token behind which the sequence goes on is yielded again elsewhere. */
static void settle(struct worker *worker, const struct dyno_completion *completion, bool ends_only)
{
    for (uint32_t i = 0; worker->decode && !ends_only && i < worker->decode_count; i++) {
        give(&worker->slots[worker->decoding[i]], completion->steps);
    }
    for (uint32_t i = 0; i < worker->yields_count; i++) {
        if (!ends_only) {
            give(&worker->slots[worker->yields[i]], 1);
        }
        enter(worker, worker->yields[i]);
    }
    for (uint32_t i = 0; i < completion->ended_count; i++) {
        if (ends_only) {
            give(&worker->slots[completion->ended[i]], 1);
        }
        leave(worker, completion->ended[i]);
    }
}

static bool filler_reap(struct dyno_device *device, dyno_ns now, struct dyno_completion *out)
{
    struct filler *filler = filler_of(device);

    if (!filler->below->ops->reap(filler->below, now, out)) {
        return false;
    }
    settle(&filler->workers[out->worker], out, filler->ends_only);
    return true;
}

static bool filler_drop(struct dyno_device *device, uint32_t worker, dyno_ns now,
                        struct dyno_completion *out)
{
    struct filler *filler = filler_of(device);

    if (!filler->below->ops->drop(filler->below, worker, now, out)) {
        return false;
    }
    settle(&filler->workers[worker], out, filler->ends_only);
    return true;
}

static void filler_stop(struct dyno_device *device, uint32_t worker, dyno_ns now, uint32_t further)
{
    struct dyno_device *below = filler_of(device)->below;

    below->ops->stop(below, worker, now, further);
}

static void filler_progress(struct dyno_device *device, uint32_t worker, dyno_ns now,
                            uint32_t *started, uint32_t *completed)
{
    struct dyno_device *below = filler_of(device)->below;

    below->ops->progress(below, worker, now, started, completed);
}

static dyno_ns filler_step_start(struct dyno_device *device, uint32_t worker, uint32_t step)
{
    struct dyno_device *below = filler_of(device)->below;

    return below->ops->step_start(below, worker, step);
}

static dyno_ns filler_next(const struct dyno_device *device)
{
    const struct dyno_device *below = filler_of(device)->below;

    return below->ops->next(below);
}

static dyno_ns filler_predict(const struct dyno_device *device, const struct dyno_pass *pass)
{
    const struct dyno_device *below = filler_of(device)->below;

    return below->ops->predict(below, pass);
}

static void release(struct filler *filler)
{
    for (uint32_t i = 0; filler->workers && i < filler->worker_count; i++) {
        free(filler->workers[i].slots);
        free(filler->workers[i].decoding);
        free(filler->workers[i].yields);
    }
    free(filler->workers);
    free(filler);
}

static void filler_close(struct dyno_device *device)
{
    struct filler *filler = filler_of(device);

    filler->below->ops->close(filler->below);
    release(filler);
}

static bool make_workers(struct filler *filler, uint32_t seqs_max)
{
    filler->workers = calloc(filler->worker_count, sizeof *filler->workers);
    for (uint32_t i = 0; filler->workers && i < filler->worker_count; i++) {
        struct worker *worker = &filler->workers[i];

        worker->slots = calloc(seqs_max, sizeof *worker->slots);
        worker->decoding = calloc(seqs_max, sizeof *worker->decoding);
        worker->yields = calloc(seqs_max, sizeof *worker->yields);
        if (!worker->slots || !worker->decoding || !worker->yields) {
            return false;
        }
    }
    return filler->workers != NULL;
}

dyno_status dyno_filler_open(struct dyno_device **out, struct dyno_device *device,
                             uint32_t worker_count, uint32_t seqs_max,
                             const struct dyno_transcripts *transcripts, bool ends_only)
{
    struct filler *filler = calloc(1, sizeof *filler);

    if (!filler) {
        return DYNO_NO_MEMORY;
    }
    filler->ops = *device->ops;
    filler->ops.open = filler_open;
    filler->ops.join = device->ops->join ? filler_join : NULL;
    filler->ops.shut = filler_shut;
    filler->ops.submit = filler_submit;
    filler->ops.stop = filler_stop;
    filler->ops.progress = filler_progress;
    filler->ops.step_start = filler_step_start;
    filler->ops.reap = filler_reap;
    filler->ops.drop = device->ops->drop ? filler_drop : NULL;
    filler->ops.next = filler_next;
    filler->ops.predict = device->ops->predict ? filler_predict : NULL;
    filler->ops.close = filler_close;
    filler->base.ops = &filler->ops;
    filler->below = device;
    filler->transcripts = transcripts;
    filler->ends_only = ends_only;
    filler->worker_count = worker_count;
    if (!make_workers(filler, seqs_max)) {
        release(filler);
        return DYNO_NO_MEMORY;
    }
    *out = &filler->base;
    return DYNO_OK;
}

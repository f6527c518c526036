/* The devices that a journal stands in front of, or stands for. */
#include <stdlib.h>

#include "backends/journal/journal_parts.h"
#include "core/base/map.h"

static struct dyno_journal_device *seam_of(const struct dyno_device *device)
{
    return (struct dyno_journal_device *)(uintptr_t)device; /* its first member */
}

/* Of the second one there is a word before each. */
static bool begin(const struct dyno_journal_device *seam, enum dyno_event event)
{
    return (!seam->is_behind || dyno_journal_event(seam->journal, EVENT_BEHIND)) &&
           dyno_journal_event(seam->journal, event);
}

static uint64_t key_of(uint32_t worker, uint32_t slot)
{
    return ((uint64_t)worker << 32) | slot;
}

static void device_open(struct dyno_device *device, uint32_t worker, uint32_t slot, uint64_t id,
                        uint32_t generated, uint32_t tokens_max)
{
    struct dyno_journal_device *seam = seam_of(device);
    struct dyno_journal *journal = seam->journal;
    struct dyno_device *real = seam->real;

    if (!real && !dyno_map_put(&seam->open, key_of(worker, slot), 0, NULL)) {
        dyno_journal_differs(journal, EVENT_OPEN, "there is no memory for it");
    }
    if (begin(seam, EVENT_OPEN)) {
        dyno_journal_told(journal, EVENT_OPEN, worker);
        dyno_journal_told(journal, EVENT_OPEN, slot);
        dyno_journal_told(journal, EVENT_OPEN, id);
        dyno_journal_told(journal, EVENT_OPEN, generated);
        dyno_journal_told(journal, EVENT_OPEN, tokens_max);
    }
    if (real) {
        real->ops->open(real, worker, slot, id, generated, tokens_max);
    }
}

static void device_join(struct dyno_device *device, uint32_t worker, uint32_t slot)
{
    struct dyno_journal_device *seam = seam_of(device);
    struct dyno_journal *journal = seam->journal;
    struct dyno_device *real = seam->real;

    if (begin(seam, EVENT_JOIN)) {
        dyno_journal_told(journal, EVENT_JOIN, worker);
        dyno_journal_told(journal, EVENT_JOIN, slot);
    }
    if (real) {
        real->ops->join(real, worker, slot);
    }
}

static void device_shut(struct dyno_device *device, uint32_t worker, uint32_t slot)
{
    struct dyno_journal_device *seam = seam_of(device);
    struct dyno_journal *journal = seam->journal;
    struct dyno_device *real = seam->real;

    dyno_map_remove(&seam->open, key_of(worker, slot));
    if (begin(seam, EVENT_SHUT)) {
        dyno_journal_told(journal, EVENT_SHUT, worker);
        dyno_journal_told(journal, EVENT_SHUT, slot);
    }
    if (real) {
        real->ops->shut(real, worker, slot);
    }
}

/* Everything of a pass but the tables, whose blocks follow from the rest. */
static uint64_t digest_of(const struct dyno_pass *pass)
{
    uint64_t digest = dyno_mix(((uint64_t)pass->slice_count << 32) | pass->decode_count);

    digest = dyno_mix(digest ^ pass->decode_context);
    digest = dyno_mix(digest ^ pass->decode);
    for (uint32_t i = 0; i < pass->slice_count; i++) {
        const struct dyno_slice *slice = &pass->slices[i];

        digest = dyno_mix(digest ^ (((uint64_t)slice->slot << 32) | slice->first));
        digest = dyno_mix(digest ^ (((uint64_t)slice->tokens << 1) | slice->yields));
    }
    return digest;
}

static void device_submit(struct dyno_device *device, dyno_ns now, const struct dyno_pass *pass)
{
    struct dyno_journal_device *seam = seam_of(device);
    struct dyno_journal *journal = seam->journal;
    struct dyno_device *real = seam->real;

    if (begin(seam, EVENT_SUBMIT)) {
        dyno_journal_told(journal, EVENT_SUBMIT, pass->worker);
        dyno_journal_told(journal, EVENT_SUBMIT, pass->steps_max);
        dyno_journal_told(journal, EVENT_SUBMIT, digest_of(pass));
    }
    journal->counts.passes++;
    if (!real && !dyno_map_put(&seam->in_flight, pass->worker, pass->steps_max, NULL)) {
        dyno_journal_differs(journal, EVENT_SUBMIT, "there is no memory for it");
    }
    if (real) {
        real->ops->submit(real, now, pass);
    }
}

static void device_stop(struct dyno_device *device, uint32_t worker, dyno_ns now, uint32_t further)
{
    struct dyno_journal_device *seam = seam_of(device);
    struct dyno_journal *journal = seam->journal;
    struct dyno_device *real = seam->real;

    if (begin(seam, EVENT_STOP)) {
        dyno_journal_told(journal, EVENT_STOP, worker);
    }
    if (real) {
        real->ops->stop(real, worker, now, further);
    }
}

/* Most steps of the worker's pass; 0: it has none. */
static uint32_t steps_in_flight(const struct dyno_journal_device *seam, uint32_t worker)
{
    const uint32_t *steps = dyno_map_find(&seam->in_flight, worker);

    return steps ? *steps : 0;
}

static void device_progress(struct dyno_device *device, uint32_t worker, dyno_ns now,
                            uint32_t *started, uint32_t *completed)
{
    struct dyno_journal_device *seam = seam_of(device);
    struct dyno_journal *journal = seam->journal;
    struct dyno_device *real = seam->real;
    uint64_t begun = 0, done = 0;

    *started = *completed = 0;
    if (real) {
        real->ops->progress(real, worker, now, started, completed);
        begun = *started;
        done = *completed;
    }
    if (begin(seam, EVENT_PROGRESS)) {
        dyno_journal_told(journal, EVENT_PROGRESS, worker);
        dyno_journal_number(journal, &begun);
        dyno_journal_number(journal, &done);
        if (!real && (begun > steps_in_flight(seam, worker) || done > begun)) {
            dyno_journal_differs(journal, EVENT_PROGRESS, "more steps than the pass has");
            return;
        }
        *started = (uint32_t)begun;
        *completed = (uint32_t)done;
    }
}

static dyno_ns device_step_start(struct dyno_device *device, uint32_t worker, uint32_t step)
{
    struct dyno_journal_device *seam = seam_of(device);
    struct dyno_journal *journal = seam->journal;
    struct dyno_device *real = seam->real;
    dyno_ns start = real ? real->ops->step_start(real, worker, step) : journal->now;

    if (begin(seam, EVENT_STEP_START)) {
        dyno_journal_told(journal, EVENT_STEP_START, worker);
        dyno_journal_told(journal, EVENT_STEP_START, step);
        dyno_journal_time(journal, &start);
    }
    return start;
}

/* ---- completions ----------------------------------------------------------------------------- */

static bool room_for(void **array, uint32_t *capacity, uint64_t count, size_t size)
{
    enum { COUNT_MAX = 1 << 24 };
    void *grown;

    if (count <= *capacity) {
        return true;
    }
    grown = count <= COUNT_MAX ? realloc(*array, (size_t)count * size) : NULL;
    if (!grown) {
        return false;
    }
    *array = grown;
    *capacity = (uint32_t)count;
    return true;
}

/* The boundaries of real steps; a formula's parameters otherwise. */
static void boundary_numbers(struct dyno_journal_device *seam, struct dyno_completion *completion)
{
    struct dyno_journal *journal = seam->journal;
    uint64_t count = completion->boundaries ? (uint64_t)completion->steps + 1 : 0;
    const dyno_ns *from = completion->boundaries;

    dyno_journal_number(journal, &count);
    if (!journal->writes && count != 0 && count != (uint64_t)completion->steps + 1) {
        dyno_journal_differs(journal, EVENT_REAP, "it has not a boundary for each step");
        count = 0;
    }
    if (!journal->writes && !room_for((void **)&seam->boundaries, &seam->boundary_capacity, count,
                                      sizeof *seam->boundaries)) {
        dyno_journal_differs(journal, EVENT_REAP, "it has more steps than there is memory for");
        count = 0;
    }
    for (uint64_t i = 0; i < count; i++) {
        dyno_ns at = from ? from[i] : 0;

        dyno_journal_time(journal, &at);
        if (!journal->writes) {
            seam->boundaries[i] = at;
        }
    }
    if (!journal->writes) {
        completion->boundaries = count > 0 ? seam->boundaries : NULL;
    }
}

static void ended_numbers(struct dyno_journal_device *seam, struct dyno_completion *completion)
{
    struct dyno_journal *journal = seam->journal;
    uint64_t count = completion->ended_count;

    dyno_journal_number(journal, &count);
    if (!journal->writes &&
        !room_for((void **)&seam->ended, &seam->ended_capacity, count, sizeof *seam->ended)) {
        dyno_journal_differs(journal, EVENT_REAP, "more end than there is memory for");
        count = 0;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t slot = journal->writes ? completion->ended[i] : 0;

        dyno_journal_number(journal, &slot);
        if (!journal->writes) {
            seam->ended[i] = (uint32_t)slot;
        }
    }
    if (!journal->writes) {
        completion->ended = seam->ended;
        completion->ended_count = (uint32_t)count;
    }
}

static void completion_numbers(struct dyno_journal_device *seam, struct dyno_completion *completion)
{
    struct dyno_journal *journal = seam->journal;
    uint64_t worker = completion->worker, steps = completion->steps;

    dyno_journal_number(journal, &worker);
    dyno_journal_number(journal, &steps);
    dyno_journal_time(journal, &completion->at);
    dyno_journal_time(journal, &completion->start);
    dyno_journal_number(journal, &completion->carry);
    dyno_journal_number(journal, &completion->first);
    dyno_journal_number(journal, &completion->growth);
    completion->worker = (uint32_t)worker;
    completion->steps = (uint32_t)steps;
    boundary_numbers(seam, completion);
    ended_numbers(seam, completion);
}

/* Whether steps are in order and end where the completion does. */
static bool is_in_order(const struct dyno_completion *done)
{
    dyno_ns last = done->start;

    for (uint32_t i = 0; done->boundaries && i <= done->steps; i++) {
        if (done->boundaries[i] < last) {
            return false;
        }
        last = done->boundaries[i];
    }
    if (!done->boundaries) {
        last = dyno_step_boundary(done->start, done->carry, done->first, done->growth, done->steps);
    }
    return last == done->at && done->start <= last;
}

/* What a device may say of a pass: core relies on it. */
static bool is_possible(const struct dyno_journal_device *seam, const struct dyno_completion *done)
{
    if (done->steps == 0 || done->steps > steps_in_flight(seam, done->worker) ||
        !is_in_order(done)) {
        return false;
    }
    for (uint32_t i = 0; i < done->ended_count; i++) {
        if ((i > 0 && done->ended[i] <= done->ended[i - 1]) ||
            !dyno_map_find(&seam->open, key_of(done->worker, done->ended[i]))) {
            return false;
        }
    }
    return true;
}

static bool device_reap(struct dyno_device *device, dyno_ns now, struct dyno_completion *out)
{
    struct dyno_journal_device *seam = seam_of(device);
    struct dyno_journal *journal = seam->journal;
    struct dyno_device *real = seam->real;
    uint64_t found = 0;

    if (real) {
        found = real->ops->reap(real, now, out);
    } else {
        *out = (struct dyno_completion){.worker = 0};
    }
    if (!begin(seam, EVENT_REAP)) {
        return real && found;
    }
    dyno_journal_number(journal, &found);
    if (found) {
        completion_numbers(seam, out);
    }
    if (found && !real && journal->failure.status == DYNO_OK) {
        if (!is_possible(seam, out) || out->at > now) { /* which may be ahead: [quiesce] */
            dyno_journal_differs(journal, EVENT_REAP, "no device could have done that");
        }
        dyno_map_remove(&seam->in_flight, out->worker);
    }
    return found && (real || journal->failure.status == DYNO_OK);
}

/* Of a pass that is dropped, steps may have ended after now. */
static bool device_drop(struct dyno_device *device, uint32_t worker, dyno_ns now,
                        struct dyno_completion *out)
{
    struct dyno_journal_device *seam = seam_of(device);
    struct dyno_journal *journal = seam->journal;
    struct dyno_device *real = seam->real;
    uint64_t any = 0;

    if (real) {
        any = real->ops->drop(real, worker, now, out);
    } else {
        *out = (struct dyno_completion){.worker = worker};
    }
    if (!begin(seam, EVENT_DROP)) {
        return real && any;
    }
    dyno_journal_told(journal, EVENT_DROP, worker);
    dyno_journal_number(journal, &any);
    if (any) {
        completion_numbers(seam, out);
    }
    if (any && !real && journal->failure.status == DYNO_OK &&
        (out->worker != worker || !is_possible(seam, out))) {
        dyno_journal_differs(journal, EVENT_DROP, "no device could have done that");
    }
    dyno_map_remove(&seam->in_flight, worker);
    return any && (real || journal->failure.status == DYNO_OK);
}

static dyno_ns device_next(const struct dyno_device *device)
{
    const struct dyno_journal_device *seam = seam_of(device);
    struct dyno_journal *journal = seam->journal;
    const struct dyno_device *real = seam->real;
    dyno_ns next = real ? real->ops->next(real) : DYNO_NEVER;

    if (begin(seam, EVENT_DEVICE_NEXT)) {
        dyno_journal_time(journal, &next);
    }
    return next;
}

static dyno_ns device_predict(const struct dyno_device *device, const struct dyno_pass *pass)
{
    const struct dyno_journal_device *seam = seam_of(device);
    struct dyno_journal *journal = seam->journal;
    uint64_t takes = seam->real ? seam->real->ops->predict(seam->real, pass) : 0;

    if (begin(seam, EVENT_PREDICT)) {
        dyno_journal_told(journal, EVENT_PREDICT, digest_of(pass));
        dyno_journal_number(journal, &takes);
    }
    return takes;
}

static dyno_ns device_quiesce(struct dyno_device *device)
{
    struct dyno_journal_device *seam = seam_of(device);
    struct dyno_journal *journal = seam->journal;
    struct dyno_device *real = seam->real;
    dyno_ns ended = real ? real->ops->quiesce(real) : journal->now;

    if (begin(seam, EVENT_QUIESCE)) {
        dyno_journal_time(journal, &ended);
    }
    return ended;
}

static void device_close(struct dyno_device *device)
{
    struct dyno_device *real = seam_of(device)->real;

    if (real) {
        real->ops->close(real);
    }
}

struct dyno_device *dyno_journal_device(struct dyno_journal *journal, bool is_behind,
                                        struct dyno_device *real,
                                        const struct dyno_journal_device_kind *kind)
{
    struct dyno_journal_device *seam = &journal->devices[is_behind];

    seam->ops = (struct dyno_device_ops){.name = "journal",
                                         .help = "what a recorded run's device did",
                                         .stores_kv = kind->stores_kv,
                                         .is_real = kind->is_real,
                                         .open = device_open,
                                         .join = device_join,
                                         .shut = device_shut,
                                         .submit = device_submit,
                                         .stop = device_stop,
                                         .progress = device_progress,
                                         .step_start = device_step_start,
                                         .reap = device_reap,
                                         .next = device_next,
                                         .predict = kind->predicts ? device_predict : NULL,
                                         .drop = device_drop,
                                         .quiesce = device_quiesce,
                                         .close = device_close};
    seam->base.ops = &seam->ops;
    seam->journal = journal;
    seam->is_behind = is_behind;
    seam->real = real;
    return &seam->base;
}

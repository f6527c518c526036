/* A device whose passes are computed, by one thread a worker: the mechanics that every real device
 * shares (core/worker/paced.h is the counterpart for devices that pretend).
 *
 * The thread runs a pass step by step, appends each token to its request's transcript, sees who has
 * ended, stamps every step boundary, and stops at the first boundary after it was told to.  The
 * loop's thread talks to it through one mailbox a worker: submit posts a pass, and the pass stays
 * in the mailbox, done, until it is reaped; the clock is woken when one is done.
 *
 *   EMPTY -> POSTED [submit] -> DONE [the thread] -> EMPTY [reap]
 *                            -> LOST [the thread: what computes is gone] -> EMPTY [drop]
 */
#ifndef DYNO_BACKENDS_ENGINE_THREADED_H
#define DYNO_BACKENDS_ENGINE_THREADED_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/engine/pass_costs.h"
#include "backends/engine/transcript.h"
#include "core/base/status.h"
#include "core/run/clock.h"
#include "core/worker/device.h"

/* A piece of one sequence to compute: its tokens [first, first + count) are known, and everything
 * before `first` lies in KV where `table` says. */
struct dyno_engine_piece {
    const struct dyno_transcript *transcript; /* of the whole sequence */
    const uint32_t *tokens;                   /* [first + count] of it, from its start */
    uint32_t first, count;
    const uint32_t *table; /* block of tokens [i x block_tokens, (i + 1) x block_tokens) */
    bool yields;           /* the token after the last one is wanted */
};

struct dyno_threaded_config {
    const char *name, *help;
    uint32_t worker_count;
    uint32_t seqs_max;                    /* slots of a worker */
    uint32_t steps_max;                   /* decode steps of a pass at most */
    struct dyno_transcripts *transcripts; /* not owned */
    /* Compute one step of `worker`: next[i] is the token that the i-th yielding piece is followed
     * by.  Called from the worker's thread, never for one worker from two. */
    void (*step)(void *context, uint32_t worker, const struct dyno_engine_piece *pieces,
                 uint32_t piece_count, uint32_t *next);
    /* What computes for the worker is gone for good: what it was asked last it did not do, and the
     * pass never ends.  Asked after every step, from the worker's thread; faults
     * (core/run/faults.h) are to tell the loop.  NULL: it never is, and passes cannot be taken from
     * the device. */
    bool (*is_gone)(void *context, uint32_t worker);
    void (*release)(void *context); /* when the device closes, its threads are gone; may be NULL */
    void *context;
    /* How many tokens request `id` generates, >= 1, when it ends as recorded; NULL: it ends as the
     * model does, at one of the tokens eos[eos_count], or when it has as many as it may.  Whoever
     * brings a generation is asked that instead. */
    uint32_t (*answer)(void *context, uint64_t id);
    void *answer_context;
    /* What passes take, to predict from; nothing is predicted where nobody knows. */
    struct dyno_pass_costs costs;
    const uint32_t *eos; /* [eos_count], not owned */
    uint32_t eos_count;
    /* What time it is, and whom to wake: both from any thread. */
    dyno_ns (*now)(const struct dyno_clock *clock);
    void (*wake)(struct dyno_clock *clock);
    struct dyno_clock *clock; /* not owned */
};

/* On success *out is closed through its ops, which waits for passes in flight.
 * Errors: DYNO_NO_MEMORY, DYNO_IO (a thread cannot be started). */
dyno_status dyno_threaded_device_open(struct dyno_device **out,
                                      const struct dyno_threaded_config *config);

/* The configuration's, of a device that dyno_threaded_device_open opened. */
void *dyno_threaded_device_context(const struct dyno_device *device);

#endif

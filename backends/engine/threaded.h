/* A device whose passes are computed, by one thread a worker: the mechanics that every real device
 * shares (core/worker/paced.h is the counterpart for devices that pretend).
 *
 * The thread runs a pass step by step, appends each token to its request's transcript, sees who has
 * ended, stamps every step boundary, and stops at the first boundary after it was told to.  The
 * loop's thread talks to it through one mailbox a worker: submit posts a pass, and the pass stays
 * in the mailbox, done, until it is reaped; the clock is woken when one is done.
 *
 *   EMPTY -> POSTED [submit] -> DONE [the thread] -> EMPTY [reap]
 *            POSTED or DONE -> EMPTY [drop]: no step counts that has not ended, and what is being
 *                                            computed is thrown away
 *            POSTED -> LOST [the thread]: what computes is gone -> EMPTY [drop]
 *            POSTED -> FAILED [the thread]: a step could not be computed -> EMPTY [drop]
 *
 * A worker that has failed keeps its pass until somebody drops it (backends/engine/failures.h).  It
 * may also be said to have failed from outside [fail], in any state and without a pass.
 */
#ifndef DYNO_BACKENDS_ENGINE_THREADED_H
#define DYNO_BACKENDS_ENGINE_THREADED_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/engine/layer_gate.h"
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
    uint32_t cached; /* of these, the first ones whose KV is not to be stored: it lies in its place
                        when the step reads it, where others may read it (core/worker/device.h) */
    const uint32_t *table; /* block of tokens [i x block_tokens, (i + 1) x block_tokens) */
    bool yields;           /* the token after the last one is wanted */
};

struct dyno_threaded_config {
    const char *name, *help;
    uint32_t worker_count;
    uint32_t seqs_max;                    /* slots of a worker */
    uint32_t steps_max;                   /* decode steps of a pass at most */
    struct dyno_transcripts *transcripts; /* not owned */
    bool ends_only; /* its workers compute prompts for others to pull: the token behind such a
                       prompt is neither chosen nor told, as whoever decodes yields it, unless it is
                       the last that the request may have */
    /* Compute one step of `worker`: next[i] is the token that the i-th yielding piece is followed
     * by.  Called from the worker's thread, never for one worker from two.  Anything but DYNO_OK:
     * the worker has failed, and nothing of the step counts. */
    dyno_status (*step)(void *context, uint32_t worker, const struct dyno_engine_piece *pieces,
                        uint32_t piece_count, uint32_t *next);
    /* Where choosing tokens leaves traces it is not in `step`, which may be thrown away, but done
     * here: called right after, if the step counts.  NULL: `step` does all of it. */
    void (*choose)(void *context, uint32_t worker, const struct dyno_engine_piece *pieces,
                   uint32_t piece_count, uint32_t *next);
    /* What computes may begin a step before the tokens of the one before are known here: of
     * decoding, where each sequence goes on by one.  `expect` says before a step how many may
     * follow it if no sequence ends by what its token is; `is_ahead` is asked after the step
     * whether the next one has begun; `rest` waits for one that has begun and is not to count:
     * before the pass ends, as blocks that it writes to are somebody else's then.  An error of that
     * is the worker's failure.  All from the worker's thread; all three, or NULL. */
    void (*expect)(void *context, uint32_t worker, uint32_t further);
    bool (*is_ahead)(void *context, uint32_t worker);
    dyno_status (*rest)(void *context, uint32_t worker);
    /* Give `worker` what its passes need, or take it away again: called from the worker's thread,
     * between its passes.  One that is started while it is there begins anew; to stop one that is
     * not there does nothing.  NULL: workers are there from when the device opens until it closes.
     * Errors of start: the worker is not there. */
    dyno_status (*start)(void *context, uint32_t worker);
    void (*stop)(void *context, uint32_t worker);
    /* What computes for the worker is gone for good: what it was asked last it did not do, and the
     * pass never ends.  Asked after every step, from the worker's thread; faults
     * (core/run/faults.h) are to tell the loop.  NULL: it never is. */
    bool (*is_gone)(void *context, uint32_t worker);
    bool survives;                  /* somebody drops the pass of one that has failed; else the
                                       program ends there */
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
                                      const struct dyno_threaded_config *config,
                                      struct dyno_error *error);

/* Begin to start a worker, or to stop it, in its thread; of several such calls the last one counts.
 * It has no pass, and gets none before it is seen to have started. */
void dyno_threaded_device_start(struct dyno_device *device, uint32_t worker);
void dyno_threaded_device_stop(struct dyno_device *device, uint32_t worker);

/* How it goes with the last start; the clock is woken when that ends. */
enum dyno_threaded_start {
    DYNO_THREADED_STARTS,
    DYNO_THREADED_STARTED,
    DYNO_THREADED_FAILED,
};
enum dyno_threaded_start dyno_threaded_device_look(struct dyno_device *device, uint32_t worker);

/* Nothing that the worker holds is to be relied upon any more, whether it has a pass or not: it has
 * failed, as if that could not be computed, until its pass is dropped.  From any thread; only where
 * config.survives. */
void dyno_threaded_device_fail(struct dyno_device *device, uint32_t worker);

/* Of a worker, as long as the device is open: its passes begin and end there; their layers are
 * noted by whoever computes them, if he does. */
struct dyno_layer_gate *dyno_threaded_device_gate(const struct dyno_device *device,
                                                  uint32_t worker);

/* The configuration's, of a device that dyno_threaded_device_open opened. */
void *dyno_threaded_device_context(const struct dyno_device *device);

#endif

/* Seam: a device runs passes.
 *
 * One object stands for the engines of all workers of a fleet; a worker is an index.  A device
 * keeps a persistent batch per worker: sequences are opened once, join the decode set when their
 * prompt is computed, and are closed when they end, so that a pass names only what changed.
 *
 * A pass is a set of prefill slices and, if `decode` is set, one token for every sequence of the
 * decode set.  A pass with slices has one step; a pure decode pass may have up to steps_max, each
 * yielding one token per sequence.  The device may end a pass early at any step boundary (a
 * sequence ended, a cost term changed slope) and must end it at the first boundary >= now, or so
 * many steps later, when told to stop. Only one pass per worker is in flight.
 */
#ifndef DYNO_CORE_WORKER_DEVICE_H
#define DYNO_CORE_WORKER_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/time.h"

struct dyno_slice {
    uint32_t slot;   /* of the sequence, < seqs_max */
    uint32_t first;  /* position of the first token computed: tokens already in KV */
    uint32_t tokens; /* >= 1 */
    uint32_t cached; /* of these, the first ones whose KV lies in place when the pass reads it, in
                        blocks that others read too: computed once more, and not stored */
    bool yields;     /* the slice ends the prompt: it yields a token and joins the decode set */
};

struct dyno_pass {
    uint32_t worker;
    uint32_t steps_max; /* >= 1; 1 if there are slices */
    uint32_t slice_count;
    const struct dyno_slice *slices; /* valid during submit */
    bool decode;                     /* advance the decode set by one token a step */
    uint32_t decode_count;           /* sequences in the decode set, as core counts them */
    uint64_t decode_context;         /* sum of their context lengths at the first step: tokens in KV
                                        after the step's own token is written */
    uint32_t ghost_count;            /* sequences that have ended, but only after this pass was
                                        scheduled: what they cost is to be pretended, 1 step */
    uint64_t ghost_context;          /* sum of theirs */
    uint64_t host_ticks;             /* time that the host takes for other things before the first
                                        step, in ticks of 2^-20 ns; not 0: there is one step */
    /* Only for a device that stores KV: [slot] where the sequence's tokens lie, block by block, for
     * all steps; stays as it is until the pass is reaped.  Otherwise NULL. */
    const uint32_t *const *tables;
};

/* What a finished pass did. */
struct dyno_completion {
    uint32_t worker;
    dyno_ns at;     /* when its last step ended, by the device's stamp */
    uint32_t steps; /* completed, >= 1 */
    /* The step boundaries, for the gaps between tokens: boundary j (0 = start) is
     * start + floor((carry + first j + growth j(j-1)/2) / 2^20). */
    dyno_ns start;
    uint64_t carry, first, growth;
    const dyno_ns *boundaries; /* [steps + 1] as they were, where no formula knows them; else NULL;
                                  valid until the next reap */
    uint32_t ended_count;
    const uint32_t *ended; /* [ended_count] slots whose last token this pass yielded, ascending;
                              still open, removed from the decode set; valid until the next reap */
};

/* Boundary `step` of a pass: when its step `step` starts, or the one before it ends. */
static inline dyno_ns dyno_step_boundary(dyno_ns start, uint64_t carry, uint64_t first,
                                         uint64_t growth, uint64_t step)
{
    unsigned __int128 ticks = carry;

    if (step > 0) {
        ticks +=
            (unsigned __int128)first * step + (unsigned __int128)growth * (step * (step - 1) / 2);
    }
    return start + (dyno_ns)(ticks >> DYNO_TICK_BITS);
}

struct dyno_device;

struct dyno_device_ops {
    const char *name;
    const char *help;
    bool stores_kv; /* passes carry block tables */
    bool is_real;   /* it computes and stores KV: a pass ends when it ends (next is DYNO_NEVER, and
                       the clock is woken), and step_start knows only steps that have started */

    /* A sequence enters `slot` (free) of `worker`: request `id`, which has already generated
     * `generated` tokens (more than 0 after preemption) and may generate `tokens_max` in all.
     * No time passes. */
    void (*open)(struct dyno_device *device, uint32_t worker, uint32_t slot, uint64_t id,
                 uint32_t generated, uint32_t tokens_max);
    /* The sequence, just opened with tokens generated elsewhere, joins the decode set: its KV came
     * over a link.  Its worker has no pass in flight.  NULL: a device that cannot. */
    void (*join)(struct dyno_device *device, uint32_t worker, uint32_t slot);
    /* The sequence leaves (ended, preempted, cancelled); never one that a pass in flight computes.
     */
    void (*shut)(struct dyno_device *device, uint32_t worker, uint32_t slot);

    void (*submit)(struct dyno_device *device, dyno_ns now, const struct dyno_pass *pass);

    /* End the worker's pass in flight `further` steps after its first step boundary >= now,
     * boundary 0 included, but not before its first step or after its last.  A device that is real
     * may end it at any boundary >= now. */
    void (*stop)(struct dyno_device *device, uint32_t worker, dyno_ns now, uint32_t further);

    /* Steps of the worker's pass in flight that have started before `now`, and that have ended at
     * or before `now`.  Both 0 when no pass is in flight. */
    void (*progress)(struct dyno_device *device, uint32_t worker, dyno_ns now, uint32_t *started,
                     uint32_t *completed);

    /* The start of step `step` (0-based) of the pass in flight: boundary `step`. */
    dyno_ns (*step_start)(struct dyno_device *device, uint32_t worker, uint32_t step);

    /* The next pass that ended at or before `now`, ordered by (time, worker).  False: none. */
    bool (*reap)(struct dyno_device *device, dyno_ns now, struct dyno_completion *out);

    /* When the next pass ends; DYNO_NEVER: none in flight, or a device that wakes the clock. */
    dyno_ns (*next)(const struct dyno_device *device);

    /* How long the first step of such a pass would take; of its slots only the number matters.  An
     * estimate for decisions; NULL: nobody knows beforehand. */
    dyno_ns (*predict)(const struct dyno_device *device, const struct dyno_pass *pass);

    /* The pass in flight, if there is one, never ends, and is not told of.  Its sequences stay
     * open, to be shut.  True: steps of it had ended, and what they did is in *out, as of reap; so
     * it may be with a device that is real, whose steps may have ended after `now`.  Of others they
     * were reaped before.  NULL: a device whose passes cannot be taken from it. */
    bool (*drop)(struct dyno_device *device, uint32_t worker, dyno_ns now,
                 struct dyno_completion *out);

    /* True: `*worker` is one that could not compute its pass, and keeps it until that is dropped;
     * the lowest of several.  Cheap.  NULL: none ever fails. */
    bool (*failed)(const struct dyno_device *device, uint32_t *worker);

    /* Wait until no pass is in flight any more (all were told to stop); they can be reaped then.
     * Returns when the last one ended.  Only of a device that is real; else NULL. */
    dyno_ns (*quiesce)(struct dyno_device *device);

    void (*close)(struct dyno_device *device);
};

struct dyno_device {
    const struct dyno_device_ops *ops;
    const dyno_ns *due; /* where it keeps what ops->next says; NULL: it has to be asked */
};

/* As ops->next. */
static inline dyno_ns dyno_device_next(const struct dyno_device *device)
{
    return device->due ? *device->due : device->ops->next(device);
}

/* False: reap would find nothing at `now`. */
static inline bool dyno_device_may_be_due(const struct dyno_device *device, dyno_ns now)
{
    return !device->due || *device->due <= now;
}

#endif

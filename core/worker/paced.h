/* A device whose passes take a stated time: the mechanics that the simulated GPU and the null
 * device share.  A cost function says how long the steps of a pass take; a table of answers says
 * when a sequence ends; this turns both into starts, step boundaries and ends.
 *
 * Times are exact: within a pass boundary j is start + floor((carry + S(j)) / 2^20), and the
 * remainder is carried into a pass that follows without a gap and dropped otherwise.  So a pass of
 * k steps and k passes of one step end at the same nanosecond.
 *
 * A worker that had nothing to do may take a while before its pass starts (cold caches, threads
 * that sleep, a slow clock): the cost function says how long.  A pass that follows without a gap
 * starts at once; but for decode steps behind prompt slices, which may find caches that hold
 * something else: the cost function of the pass with the slices says how long that takes.  What
 * begins later is a pass, not each of its steps, so it does not matter how steps are cut into
 * passes.
 */
#ifndef DYNO_CORE_WORKER_PACED_H
#define DYNO_CORE_WORKER_PACED_H

#include "core/base/status.h"
#include "core/worker/device.h"

struct dyno_pass_cost {
    uint64_t first;     /* ticks (2^-20 ns) of the first step */
    uint64_t growth;    /* ticks more for every further step */
    uint32_t steps_max; /* the formula holds for this many steps, >= 1 */
    dyno_ns idle;   /* before the first step, after DYNO_IDLE_NS_WHOLE or longer without a pass, and
                       in proportion after less; at most an hour; 0 unless it is set */
    dyno_ns behind; /* of a pass with prompt slices: before the first step of a pass of decode steps
                       alone that follows at once; at most an hour; 0 unless it is set */
};

enum { DYNO_IDLE_NS_WHOLE = 10000000 }; /* caches cool in some milliseconds */

/* Of `idle`, what a pass bears that starts `gap` after the one before. */
static inline dyno_ns dyno_idle_after(dyno_ns idle, dyno_ns gap)
{
    return gap >= DYNO_IDLE_NS_WHOLE
               ? idle
               : (dyno_ns)((unsigned __int128)idle * gap / DYNO_IDLE_NS_WHOLE);
}

struct dyno_paced_config {
    const char *name, *help;
    uint32_t worker_count;
    /* What a pass costs; at least one nanosecond a step. */
    void (*cost)(const void *context, const struct dyno_pass *pass, struct dyno_pass_cost *out);
    const void *cost_context;
    /* How many tokens request `id` generates, >= 1. */
    uint32_t (*answer)(void *context, uint64_t id);
    void *answer_context;
};

/* How fast a worker is for a pass that is submitted now, and until when that is so. */
struct dyno_weather {
    uint32_t slowness; /* its steps take so many times as long; 0: it begins when that is over */
    dyno_ns until;     /* a step that begins then or later is to be asked for; DYNO_NEVER */
};

/* From now on ask for the weather of every pass.  Before the first one. */
void dyno_paced_device_expect(struct dyno_device *device,
                              void (*weather)(const void *context, uint32_t worker, dyno_ns now,
                                              struct dyno_weather *out),
                              const void *context);

/* On success *out is closed through its ops. */
dyno_status dyno_paced_device_open(struct dyno_device **out,
                                   const struct dyno_paced_config *config);

#endif

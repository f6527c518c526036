/* Seam: a fleet of workers serves requests.
 *
 * A worker is an index; one object stands for all workers of a kind.  `local` (local.h) is ours:
 * continuous batching and a KV cache over a device.  A remote engine behind HTTP is another.
 */
#ifndef DYNO_CORE_WORKER_WORKER_H
#define DYNO_CORE_WORKER_WORKER_H

#include <stdbool.h>

#include "core/base/status.h"
#include "core/base/time.h"
#include "core/model/record.h"
#include "core/model/request.h"

/* Who hears what workers do.  Called from within settle and form, never from another thread. */
struct dyno_worker_listener {
    void *context;
    void (*first_token)(void *context, uint64_t request);
    /* The request's life is over; the record is the worker's, valid during the call. */
    dyno_status (*ended)(void *context, const struct dyno_request_record *record);
    /* Its worker was lost, and it is not served any more: it goes on elsewhere, or its end is still
     * to be told.  The record is the worker's, valid during the call; nobody submits during it. */
    dyno_status (*lost)(void *context, const struct dyno_resume *how_far);
    /* A cache changed; NULL: nobody wants to know. */
    void (*kv_changed)(void *context, uint32_t worker, dyno_ns at, uint64_t span, uint32_t blocks);
    bool kv_times; /* every change with its own time; false: changes of a span may be told as one */
    /* A cache began to hold blocks of a span, or holds none any more; NULL likewise. */
    void (*kv_resident)(void *context, dyno_ns at, uint64_t span, bool held);
    /* A worker went away, so that nothing is routed to it any more, or is there again.  What it has
     * in hand still ends, or is rerouted. */
    void (*presence)(void *context, uint32_t worker, bool is_there);
    /* The worker that has `request` cannot serve it, and nothing of an answer has been told: where
     * it goes instead, with a decision of its own.  The spans are the caller's copy.
     * DYNO_NO_WORKER: nowhere, it stays where it is and its end is still to be told; also where
     * *status says that the run cannot go on. */
    uint32_t (*reroute)(void *context, const struct dyno_request *request, dyno_status *status);
};

struct dyno_workers;

struct dyno_workers_ops {
    const char *name;

    /* Take a request.  It is told of through the listener, also when it is refused (at once).
     * Errors: DYNO_NO_MEMORY only. */
    dyno_status (*submit)(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                          const struct dyno_request *request);

    /* The client of request `id`, submitted to `worker`, has gone: no pass that starts from now on
     * computes it, and what it holds is free when the pass in flight ends (a leap ends at its next
     * step).  It is told of through the listener then; unknown or ended already: no effect. */
    dyno_status (*cancel)(struct dyno_workers *workers, dyno_ns now, uint32_t worker, uint64_t id);

    /* Settle everything that happened up to `now`: finished passes, requests that became ready. */
    dyno_status (*settle)(struct dyno_workers *workers, dyno_ns now);

    /* Start passes wherever there is work and no pass in flight. */
    dyno_status (*form)(struct dyno_workers *workers, dyno_ns now);

    /* A worker that nothing is routed to is switched off, and its cache forgotten; false: it has
     * not come to rest yet.  Asked after form.  May be NULL: there is nothing to switch off. */
    bool (*stop)(struct dyno_workers *workers, dyno_ns now, uint32_t worker);

    /* A worker falls silent: what it computes is lost, and it computes nothing more.  Nobody has
     * noticed: what it holds it holds, and what is submitted waits.  After settle, before form.
     * NULL: no worker of this kind can be made to. */
    dyno_status (*halt)(struct dyno_workers *workers, dyno_ns now, uint32_t worker);

    /* It was noticed that a worker which was halted is gone: each of its requests is told of
     * through `lost`, its cache is empty, and it would serve again if somebody submitted.  What it
     * alone had in host memory is gone, too. */
    dyno_status (*lose)(struct dyno_workers *workers, dyno_ns now, uint32_t worker);

    /* Tell of every cache change that happened before `now` and that was put off. */
    void (*sync)(struct dyno_workers *workers, dyno_ns now);

    /* When something will happen by itself; DYNO_NEVER: nothing will. */
    dyno_ns (*next)(const struct dyno_workers *workers);

    void (*sample)(struct dyno_workers *workers, dyno_ns now, uint32_t worker,
                   struct dyno_sample_record *out);
    void (*totals)(const struct dyno_workers *workers, struct dyno_fleet_totals *out);

    /* The run is given up at `now`: settle what steps have done until then, and end every
     * unfinished request with `outcome`. */
    dyno_status (*abandon)(struct dyno_workers *workers, dyno_ns now, enum dyno_outcome outcome);

    void (*close)(struct dyno_workers *workers);
};

struct dyno_workers {
    const struct dyno_workers_ops *ops;
    const dyno_ns *due[2]; /* what ops->next says is the earlier of what is kept there; NULL: it has
                              to be asked */
    const uint32_t *startable; /* where it is kept how many workers form may start a pass of; NULL:
                                  form finds out */
};

/* As ops->next. */
static inline dyno_ns dyno_workers_next(const struct dyno_workers *workers)
{
    if (!workers->due[0]) {
        return workers->ops->next(workers);
    }
    return *workers->due[0] < *workers->due[1] ? *workers->due[0] : *workers->due[1];
}

/* False: form would find nothing to start. */
static inline bool dyno_workers_may_start(const struct dyno_workers *workers)
{
    return !workers->startable || *workers->startable > 0;
}

/* False: settle would find nothing at `now`. */
static inline bool dyno_workers_may_be_due(const struct dyno_workers *workers, dyno_ns now)
{
    return !workers->due[0] || *workers->due[0] <= now || *workers->due[1] <= now;
}

#endif
